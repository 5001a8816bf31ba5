//! A credential that asks for clients that send none, so that what anybody may read costs them less.
//!
//! Owns the credential, what the origin showed of its rights, and whether it is used. It is used only after the origin has
//! shown that it reads nothing private, until the origin refuses it, and never for what concerns a credential itself.

mod examination;

pub use examination::{SurrogateFault, SurrogateNews};

use crate::{Credential, domain::Readers};
use cache_core::Domain;
use parking_lot::Mutex;
use serde::Serialize;
use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// The credential and its state. Its `Debug` shows the state alone.
pub(crate) struct Surrogate {
    credential: Credential,
    readers: Readers,
    is_used: AtomicBool,
    state: Mutex<(SurrogateState, Due)>,
}

/// Whether a credential asks for clients that send none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SurrogateState {
    /// The origin has refused it, or shown that it reads more than what anybody may. Clients are asked for anonymously.
    Refused,
    /// The origin has not been asked yet, or has not answered. Clients are asked for anonymously.
    Unexamined,
    /// It asks for them.
    Used,
}

/// When the origin is to be asked about the credential.
#[derive(Clone, Copy, Debug)]
struct Due {
    at: Instant,
    /// The next pause, if the origin does not answer.
    patience: Duration,
}

impl Surrogate {
    pub(crate) fn new(credential: Credential) -> Self {
        let due = Due { at: Instant::now(), patience: PATIENCE_MIN };
        Self {
            readers: Readers::of_surrogate(&credential),
            credential,
            is_used: AtomicBool::new(false),
            state: Mutex::new((SurrogateState::Unexamined, due)),
        }
    }

    /// The readers in whose domain its answers are, while it is used.
    pub(crate) fn readers(&self) -> Option<Readers> {
        self.is_used.load(Ordering::Acquire).then_some(self.readers)
    }

    /// The credential, if a request was planned for `readers` of its domain.
    pub(crate) fn credential_of(&self, readers: Readers) -> Option<&Credential> {
        self.stands_behind(readers).then_some(&self.credential)
    }

    /// Whether it is the one that asks for `readers`.
    pub(crate) fn stands_behind(&self, readers: Readers) -> bool {
        readers == self.readers
    }

    /// The domain that its answers are in.
    pub(crate) fn domain(&self) -> Domain {
        self.readers.domain
    }

    /// Whether it has the credential of `other`.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.credential == other.credential
    }

    pub(crate) fn state(&self) -> SurrogateState {
        self.state.lock().0
    }

    /// Whether the origin is to be asked about it at `now`.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.state.lock().1.at <= now
    }

    /// The origin has refused it. Returns whether it was used before.
    pub(crate) fn refuse(&self, now: Instant) -> bool {
        let was_used = self.is_used.swap(false, Ordering::AcqRel);
        *self.state.lock() =
            (SurrogateState::Refused, Due { at: now + AGAIN_REFUSED, patience: PATIENCE_MIN });
        was_used
    }

    /// Takes note of an examination. Returns whether its state is another now.
    pub(crate) fn note(&self, outcome: &Result<(), SurrogateFault>, now: Instant) -> bool {
        let before = self.state();
        match outcome {
            Ok(()) => {
                let due = Due { at: now + AGAIN_USED, patience: PATIENCE_MIN };
                *self.state.lock() = (SurrogateState::Used, due);
                self.is_used.store(true, Ordering::Release);
            }
            Err(fault) if fault.is_final() => _ = self.refuse(now),
            Err(_silence) => {
                let due = &mut self.state.lock().1;
                *due = Due { at: now + due.patience, patience: (due.patience * 2).min(PATIENCE_MAX) };
            }
        }
        self.state() != before
    }
}

impl fmt::Debug for Surrogate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Surrogate").field(&self.state()).finish()
    }
}

/// Pause before a credential that is used is examined again: its rights may have been widened.
const AGAIN_USED: Duration = Duration::from_secs(60 * 60);
/// The same for one that was refused. GitHub takes many calls with a bad credential for an attack.
const AGAIN_REFUSED: Duration = Duration::from_secs(10 * 60);
/// The shortest and the longest pause while the origin does not answer.
const PATIENCE_MIN: Duration = Duration::from_secs(1);
const PATIENCE_MAX: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::FetchError;

    fn surrogate() -> Surrogate {
        Surrogate::new(Credential::from_token("ghp_reader").unwrap())
    }

    #[test]
    fn it_is_used_only_between_a_good_examination_and_a_refusal() {
        let (it, now) = (surrogate(), Instant::now());
        assert!(it.readers().is_none() && it.is_due(now + PATIENCE_MIN));
        assert!(it.note(&Ok(()), now));
        let readers = it.readers().unwrap();
        assert!(it.credential_of(readers).is_some() && it.credential_of(Readers::ANONYMOUS).is_none());
        assert!(!it.is_due(now) && it.is_due(now + AGAIN_USED));
        assert!(it.refuse(now) && !it.refuse(now), "told once");
        assert!(it.readers().is_none() && !it.is_due(now) && it.is_due(now + AGAIN_REFUSED));
        assert!(it.note(&Ok(()), now) && it.note(&Err(SurrogateFault::Private), now));
        assert_eq!((it.state(), it.readers()), (SurrogateState::Refused, None));
    }

    #[test]
    fn an_origin_that_does_not_answer_changes_nothing_and_is_asked_ever_more_seldom() {
        let (it, now) = (surrogate(), Instant::now());
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let silence = Err(SurrogateFault::Unanswered(FetchError::TimedOut));
            assert!(!it.note(&silence, now));
            let pause = Duration::from_secs(seconds);
            assert!(!it.is_due(now + pause - Duration::from_millis(1)) && it.is_due(now + pause));
        }
        assert!(it.note(&Ok(()), now));
        assert!(!it.note(&Err(SurrogateFault::Unanswered(FetchError::TimedOut)), now));
        assert!(it.readers().is_some());
    }

    #[test]
    fn its_answers_are_in_a_domain_of_their_own_and_its_token_does_not_show() {
        let it = surrogate();
        let own = crate::domain::Domains::default().of_credential(&it.credential);
        assert_ne!(it.readers.domain, own.domain);
        assert_ne!(it.readers.domain, Readers::ANONYMOUS.domain);
        assert_eq!(it.readers.reader(), cache_core::Reader::Admitted);
        assert!(!format!("{it:?}").contains("ghp_"));
    }
}
