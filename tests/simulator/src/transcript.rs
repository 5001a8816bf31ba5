//! The digest of all that happens, by which two runs are compared.

use siphasher::sip128::{Hasher128 as _, SipHasher13};
use std::{
    fmt::{self, Write as _},
    hash::Hasher as _,
};

/// Everything that happened, as one digest; and line by line on standard error if that is wanted.
pub(crate) struct Transcript {
    hasher: SipHasher13,
    line: String,
    prints: bool,
    /// Whether nothing is written down.
    is_silent: bool,
}

impl Transcript {
    pub(crate) fn new(prints: bool) -> Self {
        Self { hasher: SipHasher13::new(), line: String::new(), prints, is_silent: false }
    }

    /// Writes nothing down, which is faster.
    pub(crate) fn silent() -> Self {
        Self { is_silent: true, ..Self::new(false) }
    }

    /// Writes one event down, behind those before it.
    pub(crate) fn note(&mut self, event: fmt::Arguments<'_>) {
        if self.is_silent {
            return;
        }
        self.line.clear();
        self.line.write_fmt(event).expect("a string takes everything");
        self.hasher.write(self.line.as_bytes());
        self.hasher.write_u8(b'\n');
        if self.prints {
            eprintln!("{}", self.line);
        }
    }

    pub(crate) fn digest(&self) -> u128 {
        self.hasher.finish128().as_u128()
    }
}
