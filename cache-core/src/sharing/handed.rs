//! Which members were sent, with a lease, what another domain was given: each is sent it once.

use crate::{Kinship, Name, PeerId, Timestamp};
use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;

/// What was sent lately, by resource and member. At most [`HANDED_MAX`]; the oldest goes first.
#[derive(Debug, Default)]
pub(crate) struct Handed {
    /// The name with whose lease it went, and until when this counts.
    sent: BTreeMap<(Kinship, PeerId), (Name, Timestamp)>,
    order: VecDeque<(Kinship, PeerId)>,
}

impl Handed {
    /// `peer` is sent, with the lease of `name`, what another domain was given.
    pub(crate) fn note(&mut self, now: Timestamp, name: Name, peer: PeerId) {
        let to = (name.kinship(), peer);
        if self.sent.insert(to, (name, now.saturating_add(HANDED_FOR))).is_none() {
            self.order.push_back(to);
        }
        if self.order.len() > HANDED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.sent.remove(&oldest);
        }
    }

    /// The name with whose lease `peer` was sent it, if that was a short while ago.
    pub(crate) fn with(&self, now: Timestamp, kinship: Kinship, peer: PeerId) -> Option<Name> {
        self.sent.get(&(kinship, peer)).filter(|(_, until)| *until > now).map(|(name, _)| *name)
    }
}

/// How long a member counts as having what it was sent. It asks without a use for it as long as it has something fresh.
const HANDED_FOR: Duration = Duration::from_secs(10);

/// Most that are remembered, in some 500 kB. One that is forgotten is sent again.
const HANDED_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_has_what_it_was_sent_for_a_while_and_what_is_remembered_is_bounded() {
        let at = Timestamp::from_unix_millis;
        let name =
            |number: u16| Name::of([number.to_le_bytes(); 16].concat().try_into().expect("32"), [7; 32]);
        let (peer, other) = (PeerId::from_public_key([1; 32]), PeerId::from_public_key([2; 32]));
        let mut handed = Handed::default();
        handed.note(at(0), name(0), peer);
        assert_eq!(handed.with(at(9_999), name(0).kinship(), peer), Some(name(0)));
        assert_eq!(handed.with(at(10_000), name(0).kinship(), peer), None);
        assert_eq!(handed.with(at(0), name(0).kinship(), other), None);
        (1..5000).for_each(|number| handed.note(at(1), name(number), peer));
        assert_eq!((handed.sent.len(), handed.order.len()), (HANDED_MAX, HANDED_MAX));
        assert_eq!(handed.with(at(2), name(0).kinship(), peer), None);
    }
}
