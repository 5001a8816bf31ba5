//! Which members have yet to say that they have forgotten, and what waits for that: our requests for members and the
//! disk, members for our disk.
//!
//! Owns the bounds of these waits and their moments. Sends nothing: the engine answers what no longer has to wait.

use crate::{OrderId, PeerId, Timestamp};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::{iter, mem, time::Duration};

/// Requests that wait until what they ended is gone everywhere.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    waiting: BTreeMap<u64, Waiting>,
    dates: BTreeSet<(Timestamp, u64)>,
    last: u64,
    /// What the disk was told to forget and has not reported.
    removals: BTreeSet<u64>,
    /// What others were told on behalf of those that told us, and which of them have not said that they have forgotten it.
    relays: BTreeMap<u64, BTreeSet<PeerId>>,
    /// Peers that wait for the disk, or for those that we told: what each waits for, the peer, and the number that it gave.
    ///
    /// They are not given up at a moment of their own: each peer has its own limit, and the disk reports on every
    /// order.
    owed: BTreeMap<Teller, BTreeSet<(u64, PeerId, u64)>>,
    /// Members that were told on behalf of guests. Guests alone wait for them: a member tells all other members itself, and two
    /// hosts of one guest, each of which tells the other, would wait for each other.
    told_for_guests: BTreeSet<u64>,
}

/// As what a peer has told this node of an invalidation, and so what it waits for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Teller {
    /// It waits for the disk and the guests of this node.
    Member,
    /// It waits for the members as well, of which it knows its hosts alone.
    Guest,
}

#[derive(Debug)]
struct Waiting {
    order: OrderId,
    /// How many entries were in memory.
    entries: usize,
    /// Members that have not said so yet.
    members: BTreeSet<PeerId>,
    /// Whether the disk has not said so yet.
    disk: bool,
    until: Timestamp,
    /// Until when it waits for the disk, whichever members have said so by then.
    durable_until: Timestamp,
}

/// A request that no longer waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Settled {
    pub(crate) order: OrderId,
    /// How many entries were in memory.
    pub(crate) entries: usize,
}

impl Receipts {
    /// A number for what is to be said, to members and to the disk.
    pub(crate) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Lets `request` wait for `members`, and for the disk if `disk`. Returns it if there is nothing to wait for, or
    /// too many wait already.
    pub(crate) fn wait(
        &mut self,
        now: Timestamp,
        receipt: u64,
        settled: Settled,
        members: impl IntoIterator<Item = PeerId>,
        disk: bool,
    ) -> Wait {
        let Settled { order, entries } = settled;
        let members: BTreeSet<PeerId> = members.into_iter().collect();
        if members.is_empty() && !disk {
            return Wait::Over(settled);
        }
        if self.waiting.len() >= RECEIPTS_MAX {
            return Wait::Refused(settled);
        }
        let durable_until = now.saturating_add(DURABLE_WITHIN);
        let until = if members.is_empty() { durable_until } else { now.saturating_add(FORGOTTEN_WITHIN) };
        self.dates.insert((until, receipt));
        self.waiting.insert(receipt, Waiting { order, entries, members, disk, until, durable_until });
        Wait::Begun
    }

    /// `peer` has forgotten what `receipt` stands for.
    pub(crate) fn on_forgotten(&mut self, peer: PeerId, receipt: u64) -> Option<Settled> {
        if let Some(relay) = self.relays.get_mut(&receipt) {
            relay.remove(&peer);
            self.end_relay_of_none(receipt);
            return None;
        }
        self.waiting.get_mut(&receipt)?.members.remove(&peer);
        self.settle(receipt)
    }

    /// `to`, of which there are some, are told under `receipt` what another told us. What told us hears when they have forgotten
    /// it: any peer if members wait for them, and guests alone if `waiting` says so. Returns `false` if there is too much to wait
    /// for: then it hears nothing.
    pub(crate) fn relay(&mut self, now: Timestamp, receipt: u64, to: &[PeerId], waiting: Teller) -> bool {
        let has_room = self.relays.len() < RECEIPTS_MAX;
        let is_awaited = has_room
            && match waiting {
                Teller::Member => self.begin_removal(receipt),
                Teller::Guest => self.told_for_guests.insert(receipt),
            };
        if is_awaited {
            self.dates.insert((now.saturating_add(FORGOTTEN_WITHIN), receipt));
            self.relays.insert(receipt, to.iter().copied().collect());
        }
        is_awaited
    }

    fn end_relay_of_none(&mut self, receipt: u64) {
        if self.relays.get(&receipt).is_some_and(BTreeSet::is_empty) {
            self.end_relay(receipt);
            self.dates.retain(|(_, known)| *known != receipt);
        }
    }

    /// Returns whether members wait for it too.
    fn end_relay(&mut self, receipt: u64) -> bool {
        self.relays.remove(&receipt);
        self.told_for_guests.remove(&receipt);
        self.removals.remove(&receipt)
    }

    /// Somebody has not said that it has forgotten what `receipt` stands for: no peer that waits for that hears from us.
    fn give_up_relay(&mut self, receipt: u64) {
        let concerns_members = self.end_relay(receipt);
        for (teller, owed) in &mut self.owed {
            if concerns_members || *teller == Teller::Guest {
                owed.retain(|(awaited, _, _)| *awaited < receipt);
            }
        }
    }

    /// The disk is about to be told to forget what `removal` stands for. Returns `false` if it has so much to report
    /// that this is not waited for.
    pub(crate) fn begin_removal(&mut self, removal: u64) -> bool {
        self.removals.len() < REMOVALS_MAX && self.removals.insert(removal)
    }

    /// `peer`, as `teller`, is to hear, under its `receipt`, when all that was begun so far and that it waits for is done.
    pub(crate) fn owe(&mut self, (peer, teller): (PeerId, Teller), receipt: u64) -> Owed {
        let Some(last) = self.awaited(teller).max() else { return Owed::AtOnce };
        let owed = self.owed.entry(teller).or_default();
        if self.removals.len() >= REMOVALS_MAX || owed.len() >= RECEIPTS_MAX {
            return Owed::Never;
        }
        owed.insert((last, peer, receipt));
        Owed::Later
    }

    /// The first and the last of what such a peer waits for.
    fn awaited(&self, teller: Teller) -> impl Iterator<Item = u64> {
        let of_guests = (teller == Teller::Guest).then_some(&self.told_for_guests);
        let all = iter::once(&self.removals).chain(of_guests);
        all.flat_map(|begun| begun.first().into_iter().chain(begun.last())).copied()
    }

    /// Peers that no longer wait, with the numbers that they gave.
    pub(crate) fn take_due(&mut self) -> Vec<(PeerId, u64)> {
        let mut due = Vec::new();
        for teller in [Teller::Member, Teller::Guest] {
            let first = self.awaited(teller).min();
            let Some(owed) = self.owed.get_mut(&teller) else { continue };
            let rest = first.map(|first| owed.split_off(&(first, PeerId::from_public_key([0; 32]), 0)));
            let over = mem::replace(owed, rest.unwrap_or_default());
            due.extend(over.into_iter().map(|(_, peer, receipt)| (peer, receipt)));
        }
        due
    }

    /// The disk has forgotten what `receipt` stands for, or never will.
    pub(crate) fn on_removed(&mut self, receipt: u64) -> Option<Settled> {
        self.removals.remove(&receipt);
        self.waiting.get_mut(&receipt)?.disk = false;
        self.settle(receipt)
    }

    /// `peer` is gone: nothing waits for it, and it waits for nothing.
    pub(crate) fn on_gone(&mut self, peer: PeerId) -> Vec<Settled> {
        for owed in self.owed.values_mut() {
            owed.retain(|(_, waiting, _)| *waiting != peer);
        }
        for relay in self.relays.values_mut() {
            relay.remove(&peer);
        }
        let ended: Vec<u64> = self.relays.keys().copied().collect();
        ended.into_iter().for_each(|receipt| self.end_relay_of_none(receipt));
        let concerned = self.waiting.iter_mut().filter_map(|(receipt, waiting)| {
            let was_awaited = waiting.members.remove(&peer);
            was_awaited.then_some(*receipt)
        });
        let concerned: Vec<u64> = concerned.collect();
        concerned.into_iter().filter_map(|receipt| self.settle(receipt)).collect()
    }

    /// Gives up members that take too long, and then the disk.
    pub(crate) fn on_due(&mut self, now: Timestamp) -> Due {
        let due = self.dates.first().copied().filter(|(date, _)| *date <= now);
        let Some((date, receipt)) = due else { return Due::default() };
        self.dates.remove(&(date, receipt));
        if self.relays.contains_key(&receipt) {
            self.give_up_relay(receipt);
            return Due::default();
        }
        let Some(waiting) = self.waiting.get_mut(&receipt) else { return Due::default() };
        let gives_up_members = !waiting.members.is_empty();
        waiting.members.clear();
        if waiting.disk && date < waiting.durable_until {
            waiting.until = waiting.durable_until;
            self.dates.insert((waiting.until, receipt));
            return Due { is_given_up: gives_up_members, settled: None };
        }
        let is_given_up = gives_up_members || waiting.disk;
        waiting.disk = false;
        Due { is_given_up, settled: self.settle(receipt) }
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.dates.first().map(|(date, _)| *date)
    }

    fn settle(&mut self, receipt: u64) -> Option<Settled> {
        let waiting = self.waiting.get(&receipt)?;
        if waiting.disk || !waiting.members.is_empty() {
            return None;
        }
        let waiting = self.waiting.remove(&receipt)?;
        self.dates.remove(&(waiting.until, receipt));
        Some(Settled { order: waiting.order, entries: waiting.entries })
    }
}

/// What became of a wait whose time was over.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Due {
    /// Whether it was for members, or the disk, which are waited for no longer.
    pub(crate) is_given_up: bool,
    /// The request, if it waits for nothing else.
    pub(crate) settled: Option<Settled>,
}

/// When a member hears that the disk has forgotten.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Owed {
    /// Nothing is left to do.
    AtOnce,
    /// Once the disk has reported.
    Later,
    /// There is too much to wait for.
    Never,
}

/// What became of a wish to wait.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Wait {
    Begun,
    /// There is nothing to wait for.
    Over(Settled),
    /// [`RECEIPTS_MAX`] wait already.
    Refused(Settled),
}

/// Time in which members must say that they have forgotten what a write ended; then it is answered all the same. Ten
/// round trips within a region, and too short to be felt behind a call to the origin.
const FORGOTTEN_WITHIN: Duration = Duration::from_millis(100);

/// Time in which the disk must have forgotten durably. Many times what a transaction takes.
const DURABLE_WITHIN: Duration = Duration::from_secs(2);

/// Most requests that wait at once, and most members: as many writes as a busy node carries out within
/// [`DURABLE_WITHIN`]. One more request is answered at once. One more member hears nothing, and so gives its own request
/// up within [`FORGOTTEN_WITHIN`].
const RECEIPTS_MAX: usize = 4096;

/// Most removals on disk whose report is awaited: one for each request that waits, and as many for members. One more
/// is not reported to any member.
const REMOVALS_MAX: usize = 2 * RECEIPTS_MAX;

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> PeerId {
        PeerId::from_public_key([number; 32])
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_unix_millis(1_000_000 + millis)
    }

    const SETTLED: Settled = Settled { order: OrderId(7), entries: 3 };

    #[test]
    fn who_told_us_hears_when_those_that_we_told_have_forgotten_it() {
        let mut receipts = Receipts::default();
        let relay = receipts.number();
        assert!(receipts.relay(at(0), relay, &[peer(2), peer(3)], Teller::Member));
        assert_eq!(receipts.owe((peer(1), Teller::Member), 70), Owed::Later);
        receipts.on_forgotten(peer(2), relay);
        assert_eq!(receipts.take_due(), []);
        receipts.on_gone(peer(3));
        assert_eq!(receipts.take_due(), [(peer(1), 70)]);
        assert_eq!(receipts.next_deadline(), None);
    }

    #[test]
    fn who_told_us_hears_nothing_if_one_that_we_told_does_not_forget_in_time() {
        let mut receipts = Receipts::default();
        let (before, relay) = (receipts.number(), receipts.number());
        assert!(receipts.begin_removal(before));
        assert_eq!(receipts.owe((peer(1), Teller::Member), 69), Owed::Later);
        assert!(receipts.relay(at(0), relay, &[peer(2)], Teller::Member));
        assert_eq!(receipts.owe((peer(1), Teller::Member), 70), Owed::Later);
        assert_eq!(receipts.on_due(at(100)), Due::default());
        receipts.on_forgotten(peer(2), relay);
        receipts.on_removed(before);
        assert_eq!(receipts.take_due(), [(peer(1), 69)]);
        assert_eq!(receipts.owe((peer(1), Teller::Member), 71), Owed::AtOnce);
    }

    #[test]
    fn a_guest_hears_when_all_have_forgotten_it_and_a_member_without_the_members() {
        let mut receipts = Receipts::default();
        let (to_guests, to_members) = (receipts.number(), receipts.number());
        assert!(receipts.relay(at(0), to_guests, &[peer(4)], Teller::Member));
        assert!(receipts.relay(at(0), to_members, &[peer(2), peer(3)], Teller::Guest));
        assert_eq!(receipts.owe((peer(1), Teller::Guest), 70), Owed::Later);
        assert_eq!(receipts.owe((peer(2), Teller::Member), 80), Owed::Later);
        receipts.on_forgotten(peer(4), to_guests);
        assert_eq!(receipts.take_due(), [(peer(2), 80)]);
        assert_eq!(receipts.owe((peer(3), Teller::Member), 90), Owed::AtOnce);
        receipts.on_forgotten(peer(2), to_members);
        assert_eq!(receipts.take_due(), []);
        receipts.on_forgotten(peer(3), to_members);
        assert_eq!(receipts.take_due(), [(peer(1), 70)]);
        assert_eq!(receipts.next_deadline(), None);
    }

    #[test]
    fn of_a_member_that_does_not_forget_in_time_guests_hear_nothing_and_members_do_not_mind() {
        let mut receipts = Receipts::default();
        let (to_members, removal) = (receipts.number(), receipts.number());
        assert!(receipts.relay(at(0), to_members, &[peer(2)], Teller::Guest));
        assert!(receipts.begin_removal(removal));
        assert_eq!(receipts.owe((peer(1), Teller::Guest), 70), Owed::Later);
        assert_eq!(receipts.owe((peer(3), Teller::Member), 80), Owed::Later);
        assert_eq!(receipts.on_due(at(100)), Due::default());
        receipts.on_removed(removal);
        assert_eq!(receipts.take_due(), [(peer(3), 80)]);
    }

    #[test]
    fn of_too_many_relays_the_last_is_not_awaited() {
        let mut receipts = Receipts::default();
        for receipt in 0..RECEIPTS_MAX as u64 {
            assert!(receipts.relay(at(0), receipt, &[peer(2)], Teller::Guest));
        }
        assert!(!receipts.relay(at(0), u64::MAX, &[peer(2)], Teller::Guest));
        assert!(!receipts.relay(at(0), u64::MAX, &[peer(2)], Teller::Member));
    }

    #[test]
    fn a_request_waits_for_all_members_and_for_the_disk() {
        let mut receipts = Receipts::default();
        let receipt = receipts.number();
        assert_eq!(receipts.wait(at(0), receipt, SETTLED, [peer(1), peer(2)], true), Wait::Begun);
        assert_eq!(receipts.on_forgotten(peer(1), receipt), None);
        assert_eq!(receipts.on_forgotten(peer(1), receipt), None, "twice the same");
        assert_eq!(receipts.on_removed(receipt), None);
        assert_eq!(receipts.on_forgotten(peer(2), receipt + 1), None, "another number");
        assert_eq!(receipts.on_forgotten(peer(2), receipt), Some(SETTLED));
        assert_eq!((receipts.next_deadline(), receipts.on_forgotten(peer(2), receipt)), (None, None));
    }

    #[test]
    fn with_nothing_to_wait_for_a_request_does_not_wait() {
        assert_eq!(Receipts::default().wait(at(0), 1, SETTLED, [], false), Wait::Over(SETTLED));
    }

    #[test]
    fn members_are_given_up_after_a_moment_and_the_disk_after_a_while() {
        let mut receipts = Receipts::default();
        receipts.wait(at(0), 1, SETTLED, [peer(1)], true);
        assert_eq!(receipts.on_due(at(99)), Due::default());
        assert_eq!(receipts.next_deadline(), Some(at(100)));
        let is_given_up = true;
        assert_eq!(receipts.on_due(at(100)), Due { is_given_up, settled: None }, "the disk is still awaited");
        assert_eq!(receipts.next_deadline(), Some(at(2000)));
        assert_eq!(receipts.on_due(at(2000)), Due { is_given_up, settled: Some(SETTLED) });
        assert_eq!(receipts.next_deadline(), None);
    }

    #[test]
    fn the_disk_is_awaited_for_as_long_where_members_were_quick() {
        let mut receipts = Receipts::default();
        receipts.wait(at(0), 1, SETTLED, [peer(1)], true);
        assert_eq!(receipts.on_forgotten(peer(1), 1), None);
        assert_eq!(receipts.on_due(at(100)), Due::default(), "nothing is given up");
        assert_eq!(receipts.next_deadline(), Some(at(2000)));
        assert_eq!(receipts.on_due(at(2000)), Due { is_given_up: true, settled: Some(SETTLED) });
    }

    #[test]
    fn who_is_gone_is_not_awaited() {
        let mut receipts = Receipts::default();
        receipts.wait(at(0), 1, SETTLED, [peer(1), peer(2)], false);
        receipts.wait(at(0), 2, Settled { order: OrderId(8), entries: 0 }, [peer(1)], false);
        assert_eq!(receipts.on_gone(peer(1)), [Settled { order: OrderId(8), entries: 0 }]);
        assert_eq!(receipts.on_gone(peer(2)), [SETTLED]);
    }

    #[test]
    fn of_too_many_the_last_is_answered_at_once() {
        let mut receipts = Receipts::default();
        for receipt in 0..RECEIPTS_MAX as u64 {
            assert_eq!(receipts.wait(at(0), receipt, SETTLED, [], true), Wait::Begun);
        }
        assert_eq!(receipts.wait(at(0), u64::MAX, SETTLED, [], true), Wait::Refused(SETTLED));
    }

    #[test]
    fn a_member_hears_once_all_is_durable_that_was_ordered_before_it_asked() {
        let mut receipts = Receipts::default();
        assert_eq!(receipts.owe((peer(1), Teller::Member), 70), Owed::AtOnce);
        assert!(receipts.begin_removal(1) && receipts.begin_removal(2));
        assert_eq!(receipts.owe((peer(1), Teller::Member), 71), Owed::Later);
        assert!(receipts.begin_removal(3));
        receipts.on_removed(2);
        assert_eq!(receipts.take_due(), [], "the first one is not durable");
        receipts.on_removed(1);
        assert_eq!(receipts.take_due(), [(peer(1), 71)]);
        assert_eq!(receipts.owe((peer(2), Teller::Member), 8), Owed::Later);
        assert_eq!(receipts.owe((peer(3), Teller::Member), 9), Owed::Later);
        receipts.on_gone(peer(2));
        receipts.on_removed(3);
        assert_eq!(receipts.take_due(), [(peer(3), 9)]);
    }

    #[test]
    fn of_too_many_members_the_last_hears_nothing() {
        let mut receipts = Receipts::default();
        assert!(receipts.begin_removal(1));
        for receipt in 0..RECEIPTS_MAX as u64 {
            assert_eq!(receipts.owe((peer(1), Teller::Member), receipt), Owed::Later);
        }
        assert_eq!(receipts.owe((peer(1), Teller::Member), u64::MAX), Owed::Never);
        receipts.on_removed(1);
        assert_eq!(receipts.take_due().len(), RECEIPTS_MAX);
    }

    #[test]
    fn where_the_disk_has_too_much_to_report_nobody_hears_of_more() {
        let mut receipts = Receipts::default();
        assert!((0..REMOVALS_MAX as u64).all(|removal| receipts.begin_removal(removal)));
        assert!(!receipts.begin_removal(u64::MAX));
        assert_eq!(receipts.owe((peer(1), Teller::Member), 7), Owed::Never);
    }
}
