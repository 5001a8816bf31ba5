//! Bodies as they were last rewritten, so that what is asked for again and again is rewritten once.
//!
//! A few slots, found by the address of the origin's bytes. A slot keeps those bytes alive, so an address
//! that is found again means the same bytes; an entry that is replaced is forgotten when its slot is.

use bytes::Bytes;
use std::sync::{Mutex, PoisonError};

/// Remembers rewritten bodies, shared by all connections.
pub(crate) struct RewrittenBodies {
    slots: [Mutex<Option<Slot>>; SLOTS],
}

struct Slot {
    source: Bytes,
    target: Box<str>,
    rewritten: Bytes,
}

impl RewrittenBodies {
    /// Remembers nothing yet.
    pub(crate) fn new() -> Self {
        Self { slots: [const { Mutex::new(None) }; SLOTS] }
    }

    /// `source` with its URLs leading to `target`, from memory or as `rewrite` makes it.
    pub(crate) fn rewritten(
        &self,
        source: &Bytes,
        target: &str,
        rewrite: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Bytes {
        let make = || rewrite().map_or_else(|| source.clone(), Bytes::from);
        if source.len() > BODY_BYTES_MAX {
            return make();
        }
        // Allocations are aligned, so the lowest bits of an address say nothing.
        let slot = &self.slots[(source.as_ptr() as usize >> 6) % SLOTS];
        let lock = || slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = lock().as_ref().filter(|found| found.holds(source, target)) {
            return found.rewritten.clone();
        }
        let rewritten = make();
        *lock() = Some(Slot { source: source.clone(), target: target.into(), rewritten: rewritten.clone() });
        rewritten
    }
}

impl Slot {
    fn holds(&self, source: &Bytes, target: &str) -> bool {
        let same_bytes = self.source.as_ptr() == source.as_ptr() && self.source.len() == source.len();
        same_bytes && *self.target == *target
    }
}

/// How many bodies are remembered: what a few busy clients poll.
const SLOTS: usize = 64;
/// Largest body that is remembered, in bytes. With [`SLOTS`] it bounds the memory taken to 4 MiB, and as
/// much again while entries that were replaced are still held.
const BODY_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_rewritten_once_for_each_target() {
        let bodies = RewrittenBodies::new();
        let source = Bytes::from_static(b"source");
        let first = bodies.rewritten(&source, "a", || Some(b"for a".to_vec()));
        let again = bodies.rewritten(&source, "a", || panic!("it is remembered"));
        assert_eq!(first, again);
        let other = bodies.rewritten(&source, "b", || Some(b"for b".to_vec()));
        assert_eq!(other, "for b");
    }

    #[test]
    fn other_bytes_of_the_same_text_are_rewritten_anew() {
        let bodies = RewrittenBodies::new();
        let (one, two) = (Bytes::from(vec![1; 9]), Bytes::from(vec![1; 9]));
        bodies.rewritten(&one, "a", || Some(b"first".to_vec()));
        assert_eq!(bodies.rewritten(&two, "a", || Some(b"second".to_vec())), "second");
    }

    #[test]
    fn a_body_without_urls_is_handed_on_as_it_is() {
        let source = Bytes::from_static(b"source");
        let same = RewrittenBodies::new().rewritten(&source, "a", || None);
        assert_eq!(same.as_ptr(), source.as_ptr());
    }
}
