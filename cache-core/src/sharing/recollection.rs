//! The members to look for after a restart, besides the contacts.
//!
//! Owns the list of the members that were connected last, and when it is to be kept. The driver decides where.

use crate::{Member, PeerId, Timestamp};
use alloc::vec::Vec;
use core::time::Duration;

/// The members connected last, the latest first.
#[derive(Debug)]
pub(crate) struct Recollection {
    members: Vec<Member>,
    /// What is kept, or about to be.
    kept: Vec<Member>,
    kept_at: Option<Timestamp>,
    due: Option<Timestamp>,
}

impl Recollection {
    /// Begins with what the last run kept.
    pub(crate) fn new(remembered: &[Member]) -> Self {
        let members: Vec<Member> = remembered.iter().take(REMEMBERED_MAX).map(timeless).collect();
        Self { kept: members.clone(), members, kept_at: None, due: None }
    }

    /// `member` is connected. If the list is then too long, a member that does not live leaves it, or else the one
    /// met longest ago.
    pub(crate) fn on_met(&mut self, now: Timestamp, member: &Member, lives: impl Fn(PeerId) -> bool) {
        let member = timeless(member);
        if self.members.contains(&member) || member.addresses().next().is_none() {
            return;
        }
        self.members.retain(|known| known.peer() != member.peer());
        if self.members.len() >= REMEMBERED_MAX {
            let gone = self.members.iter().rposition(|known| !lives(known.peer()));
            self.members.remove(gone.unwrap_or(self.members.len() - 1));
        }
        self.members.insert(0, member);
        let earliest = self.kept_at.map(|date| date.saturating_add(KEEPING_PERIOD));
        self.due = self.due.or(Some(now.saturating_add(SETTLING).max(earliest.unwrap_or(now))));
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.due
    }

    /// What is to be kept now, if it is another list than was kept last.
    pub(crate) fn take(&mut self, now: Timestamp) -> Option<Vec<Member>> {
        self.due = None;
        if self.members == self.kept {
            return None;
        }
        (self.kept, self.kept_at) = (self.members.clone(), Some(now));
        Some(self.members.clone())
    }
}

/// `member` without its boot number: it may start again before it is looked for.
fn timeless(member: &Member) -> Member {
    Member::new(member.peer(), 0, member.addresses())
}

/// Most members that are remembered over a restart: with so many, some are there when most hosts of a fleet were
/// replaced, and all are dialed in two rounds.
pub const REMEMBERED_MAX: usize = 16;

/// Shortest time between two writings of the list. Members that are met within it are missing after a crash, and
/// nothing else is.
const KEEPING_PERIOD: Duration = Duration::from_secs(10);

/// Time from a change to its writing: members come several at a time.
const SETTLING: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_millis(1_000_000 + 1000 * seconds)
    }

    fn peer(number: u8) -> PeerId {
        PeerId::from_public_key([number; 32])
    }

    fn member(number: u8, boot: u64) -> Member {
        Member::new(peer(number), boot, [format!("/ip4/10.0.0.{number}/tcp/1")])
    }

    fn peers(members: &[Member]) -> Vec<PeerId> {
        members.iter().map(Member::peer).collect()
    }

    #[test]
    fn what_changes_is_kept_soon_and_then_no_more_often_than_it_may() {
        let mut recollection = Recollection::new(&[]);
        assert_eq!(recollection.next_deadline(), None);
        recollection.on_met(at(0), &member(1, 7), |_| true);
        recollection.on_met(at(0), &member(2, 7), |_| true);
        assert_eq!(recollection.next_deadline(), Some(at(1)));
        let kept = recollection.take(at(1)).unwrap();
        assert_eq!(peers(&kept), [peer(2), peer(1)]);
        recollection.on_met(at(2), &member(3, 7), |_| true);
        assert_eq!(recollection.next_deadline(), Some(at(11)));
        assert_eq!(recollection.take(at(11)).unwrap().len(), 3);
        // That a member started again does not count as news, nor does what the last run kept.
        recollection.on_met(at(30), &member(3, 8), |_| true);
        assert_eq!((recollection.next_deadline(), recollection.take(at(40))), (None, None));
        let mut next = Recollection::new(&kept);
        next.on_met(at(50), &member(1, 9), |_| true);
        assert_eq!(next.next_deadline(), None);
    }

    #[test]
    fn one_too_many_takes_the_place_of_one_that_is_gone_or_else_of_the_first() {
        let mut recollection = Recollection::new(&[]);
        for number in 0..16 {
            recollection.on_met(at(0), &member(number, 1), |_| true);
        }
        recollection.on_met(at(1), &member(16, 1), |known| known != peer(9));
        recollection.on_met(at(1), &member(17, 1), |_| true);
        let kept = recollection.take(at(9)).unwrap();
        assert_eq!(kept.len(), REMEMBERED_MAX);
        for gone in [0, 9] {
            assert!(!peers(&kept).contains(&peer(gone)), "{gone}");
        }
    }

    #[test]
    fn whoever_says_nowhere_is_not_remembered() {
        let mut recollection = Recollection::new(&[]);
        recollection.on_met(at(0), &Member::new(peer(1), 1, [""; 0]), |_| true);
        assert_eq!((recollection.next_deadline(), recollection.take(at(1))), (None, None));
    }
}
