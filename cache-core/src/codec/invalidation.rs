//! Invalidations as parts of messages, and back.

use super::{DecodeError, List, RECORD_BYTES_MAX, millis};
use crate::{
    Domain, KEY_BYTES_MAX, Key,
    message::{
        INVALIDATIONS_MAX, Invalidation, InvalidationId, Notice, REACH_BYTES_MAX, Reach, SCOPES_MAX,
        SETTLE_MAX, Scope,
    },
};
use alloc::{string::String, vec::Vec};
use core::time::Duration;

#[derive(bincode::Decode, bincode::Encode)]
pub(super) struct WireNotice {
    receipt: u64,
    mark: Option<u64>,
    invalidations: List<WireInvalidation, INVALIDATIONS_MAX>,
}

/// A notice of what settles: for how long each of its invalidations does, in their order.
#[derive(bincode::Decode, bincode::Encode)]
pub(super) struct WireSettlingNotice {
    notice: WireNotice,
    settle: List<u64, INVALIDATIONS_MAX>,
}

#[derive(bincode::Decode, bincode::Encode)]
struct WireInvalidation {
    count: u64,
    issuer: u64,
    age: u64,
    forgotten: List<WireScope, SCOPES_MAX>,
    doubted: List<WireScope, SCOPES_MAX>,
}

#[derive(bincode::Decode, bincode::Encode)]
pub(super) enum WireScope {
    Key(String),
    Prefix { prefix: String, domain: Option<[u8; 16]> },
    Signposts { prefix: String },
}

impl From<&Notice> for WireNotice {
    fn from(notice: &Notice) -> Self {
        Self {
            receipt: notice.receipt,
            mark: notice.mark.map(millis),
            invalidations: notice.invalidations.iter().map(Into::into).collect(),
        }
    }
}

impl WireNotice {
    pub(super) fn into_notice(self) -> Result<Notice, DecodeError> {
        let invalidations = self.invalidations.0.into_iter().map(WireInvalidation::into_invalidation);
        Ok(Notice {
            receipt: self.receipt,
            mark: self.mark.map(Duration::from_millis),
            invalidations: invalidations.collect::<Result<_, _>>()?,
        })
    }
}

impl From<&Notice> for WireSettlingNotice {
    fn from(notice: &Notice) -> Self {
        let settle = notice.invalidations.iter().map(|invalidation| millis(invalidation.reach.settle));
        Self { notice: notice.into(), settle: settle.collect() }
    }
}

impl WireSettlingNotice {
    pub(super) fn into_notice(self) -> Result<Notice, DecodeError> {
        let mut notice = self.notice.into_notice()?;
        for (invalidation, settle) in notice.invalidations.iter_mut().zip(self.settle.0) {
            invalidation.reach.settle = Duration::from_millis(settle).min(SETTLE_MAX);
        }
        Ok(notice)
    }
}

impl From<&Invalidation> for WireInvalidation {
    fn from(invalidation: &Invalidation) -> Self {
        let Invalidation { id, reach: Reach { forgotten, doubted, settle: _ }, age } = invalidation;
        Self {
            count: id.count,
            issuer: id.issuer,
            age: millis(*age),
            forgotten: forgotten.iter().map(Into::into).collect(),
            doubted: doubted.iter().map(Into::into).collect(),
        }
    }
}

impl WireInvalidation {
    fn into_invalidation(self) -> Result<Invalidation, DecodeError> {
        let (forgotten, doubted) = (scopes(self.forgotten.0)?, scopes(self.doubted.0)?);
        let reach = Reach { forgotten, doubted, ..Reach::default() };
        let id = InvalidationId { count: self.count, issuer: self.issuer };
        Ok(Invalidation { id, reach, age: Duration::from_millis(self.age) })
    }
}

impl From<&Scope> for WireScope {
    fn from(scope: &Scope) -> Self {
        match scope {
            Scope::Key(key) => Self::Key(key.as_str().into()),
            Scope::Prefix { prefix, domain } => Self::Prefix {
                prefix: String::from(&**prefix),
                domain: domain.map(|domain| *domain.as_bytes()),
            },
            Scope::Signposts { prefix } => Self::Signposts { prefix: String::from(&**prefix) },
        }
    }
}

impl WireScope {
    pub(super) fn into_scope(self) -> Result<Scope, DecodeError> {
        let fits = |prefix: &str| prefix.len() <= KEY_BYTES_MAX;
        match self {
            Self::Key(text) => Key::from_text(&text).map(Scope::Key).ok_or(DecodeError::KeyMalformed),
            Self::Prefix { prefix, domain } if fits(&prefix) => {
                Ok(Scope::Prefix { prefix: prefix.into(), domain: domain.map(Domain::from_bytes) })
            }
            Self::Signposts { prefix } if fits(&prefix) => Ok(Scope::Signposts { prefix: prefix.into() }),
            Self::Prefix { .. } | Self::Signposts { .. } => Err(DecodeError::KeyMalformed),
        }
    }
}

/// The scopes of one manner, which are no more than one invalidation may name.
fn scopes(wire: Vec<WireScope>) -> Result<Vec<Scope>, DecodeError> {
    let scopes: Vec<Scope> = wire.into_iter().map(WireScope::into_scope).collect::<Result<_, _>>()?;
    let bytes: usize = scopes.iter().map(Scope::text_bytes).sum();
    if bytes <= REACH_BYTES_MAX { Ok(scopes) } else { Err(DecodeError::Malformed) }
}

/// Most bytes that a scope takes besides its text.
const SCOPE_OVERHEAD_BYTES: usize = 64;

const _: () = assert!(
    INVALIDATIONS_MAX * 2 * (REACH_BYTES_MAX + SCOPES_MAX * SCOPE_OVERHEAD_BYTES) < RECORD_BYTES_MAX,
    "what a notice may say fits into the memory that decoding may take"
);
