//! Sealers that each break one rule.

use super::SealerFactory;
use cache_core::port::{SealError, Sealer};
use cache_crypto::{FleetSecret, StorageSealer};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU8, Ordering},
    },
    thread::{self, ThreadId},
};

/// Makes sealers that all break the same rule, if any.
pub(super) struct FaultyFactory(pub(super) Option<Fault>);

impl SealerFactory for FaultyFactory {
    fn sealer(&self, number: u8) -> anyhow::Result<Arc<dyn Sealer>> {
        let number = if self.0 == Some(Fault::HasOneKey) { 1 } else { number };
        let sealer = StorageSealer::from_secret(&SECRETS[&number]);
        Ok(Arc::new(Faulty { fault: self.0, sealer, maker: thread::current().id(), named: AtomicU8::new(0) }))
    }
}

static SECRETS: LazyLock<BTreeMap<u8, FleetSecret>> = LazyLock::new(|| {
    (1..=2).map(|number| (number, FleetSecret::generate().expect("the system has entropy"))).collect()
});

/// A way of breaking one rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    BelievesAnything,
    CutsLong,
    HasOneKey,
    HasOneName,
    IgnoresTheContext,
    IgnoresTheEnd,
    JoinsTheContext,
    KnowsOneThread,
    NamesAnew,
    NamesByHashAlone,
    NamesByText,
    OpensShort,
    SealsNothing,
}

struct Faulty {
    fault: Option<Fault>,
    sealer: StorageSealer,
    maker: ThreadId,
    named: AtomicU8,
}

impl Sealer for Faulty {
    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        match self.fault {
            Some(Fault::BelievesAnything) => Ok(plain.iter().map(|byte| byte ^ 0x55).collect()),
            Some(Fault::CutsLong) => self.sealer.seal(context, &plain[..plain.len().min(65_536)]),
            Some(Fault::IgnoresTheContext) => self.sealer.seal(b"", plain),
            Some(Fault::JoinsTheContext) => self.sealer.seal(b"", &[context, plain].concat()),
            Some(Fault::KnowsOneThread) if thread::current().id() != self.maker => Err(SealError),
            // A proof that anyone can make, so that it opens where it should and nowhere else.
            Some(Fault::SealsNothing) => {
                let sealed = self.sealer.seal(context, plain)?;
                Ok([&sealed[..], plain, &(plain.len() as u32).to_le_bytes()].concat())
            }
            _other => self.sealer.seal(context, plain),
        }
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        match self.fault {
            Some(Fault::BelievesAnything) => Ok(sealed.iter().map(|byte| byte ^ 0x55).collect()),
            Some(Fault::IgnoresTheContext) => self.sealer.open(b"", sealed),
            Some(Fault::IgnoresTheEnd) => (0..=sealed.len())
                .rev()
                .take(2)
                .find_map(|end| self.sealer.open(context, &sealed[..end]).ok())
                .ok_or(SealError),
            Some(Fault::JoinsTheContext) => {
                let joined = self.sealer.open(b"", sealed)?;
                Ok(joined.strip_prefix(context).ok_or(SealError)?.to_vec())
            }
            Some(Fault::OpensShort) if sealed.len() < 44 => Ok(Vec::new()),
            Some(Fault::SealsNothing) => {
                let (rest, length) = sealed.split_last_chunk::<4>().ok_or(SealError)?;
                let length = u32::from_le_bytes(*length) as usize;
                let at = rest.len().checked_sub(length).ok_or(SealError)?;
                let plain = self.sealer.open(context, &rest[..at])?;
                if plain == rest[at..] { Ok(plain) } else { Err(SealError) }
            }
            _other => self.sealer.open(context, sealed),
        }
    }

    fn name(&self, text: &str) -> [u8; 32] {
        match self.fault {
            Some(Fault::HasOneName) => self.sealer.name(""),
            Some(Fault::NamesAnew) => {
                let count = self.named.fetch_add(1, Ordering::SeqCst);
                self.sealer.name(&format!("{text}{count}"))
            }
            Some(Fault::NamesByHashAlone) => StorageSealer::from_secret(&SECRETS[&1]).name(text),
            Some(Fault::NamesByText) => {
                let mut name = self.sealer.name(text);
                let shown = text.len().min(16);
                name[..shown].copy_from_slice(&text.as_bytes()[..shown]);
                name
            }
            _other => self.sealer.name(text),
        }
    }
}
