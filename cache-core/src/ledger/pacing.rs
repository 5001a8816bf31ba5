//! How many calls of one payer are made at once over the fleet, and how soon after a pause.
//!
//! An origin counts how many calls of a payer are under way, whichever member makes them. So members share out what may be,
//! among those of them that call: each hears of the others by what they tell of the payer's allowances. When a
//! pause ends, all that was held back would come at once; so calls return over some seconds, by the rate at which they
//! were made before, and each member begins with another part of its first call's time.

use super::{Payer, Spenders, pauses::Concerned};
use crate::{Bucket, PeerId, Timestamp};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::time::Duration;

/// Which members call for which payers, and which payers return from a pause.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    /// Most calls of a payer that are under way at once, over the fleet.
    at_once: u64,
    /// Tells this member from others, evenly spread.
    place: u64,
    payers: BTreeMap<Payer, Callers>,
    /// How calls return that a pause held back; whole payers, or one allowance of them.
    returns: BTreeMap<Concerned, Return>,
}

/// The members that call for one payer.
#[derive(Debug, Default)]
struct Callers {
    /// Members that have told of the payer lately, at most [`CALLERS_MAX`], and when.
    others: BTreeMap<PeerId, Timestamp>,
    /// When this member told of it last.
    told: Option<Timestamp>,
}

/// How calls return after a pause.
#[derive(Clone, Copy, Debug)]
struct Return {
    /// When the pause ends, or has ended.
    since: Timestamp,
    /// The rate at which all members together called before.
    per_hour: u64,
    /// How many members called.
    members: u64,
    /// Calls that this member has begun since.
    begun: u64,
}

impl Pacing {
    pub(super) fn new(at_once: u64, local: Option<PeerId>) -> Self {
        let place = local.map_or(0, |local| {
            let [a, b, c, d, ..] = *local.public_key();
            u64::from(u32::from_be_bytes([a, b, c, d]))
        });
        Self { at_once: at_once.max(1), place, ..Self::default() }
    }

    /// Whether it is time that others hear that this member calls for `payer`.
    pub(super) fn is_unheard(&self, payer: Payer, now: Timestamp) -> bool {
        let told = self.payers.get(&payer).and_then(|callers| callers.told);
        told.is_none_or(|told| now.saturating_since(told) >= HEARD_EVERY)
    }

    /// Others are told that this member calls for `payer`.
    pub(super) fn note_told(&mut self, payer: Payer, now: Timestamp) {
        self.callers(payer, now).told = Some(now);
    }

    /// Member `from` calls for `payer`.
    pub(super) fn note_caller(&mut self, payer: Payer, from: PeerId, now: Timestamp) {
        let others = &mut self.callers(payer, now).others;
        if others.len() >= CALLERS_MAX && !others.contains_key(&from) {
            others.retain(|_, heard| now.saturating_since(*heard) < CALLS_FOR);
        }
        if others.len() < CALLERS_MAX || others.contains_key(&from) {
            others.insert(from, now);
        }
    }

    /// How many calls of `payers`, which are one, this member may have under way: one at least, or it could make none.
    pub(super) fn share(&self, payers: &[Payer], spenders: Spenders, now: Timestamp) -> u64 {
        (self.at_once / self.callers_count(payers, spenders, now)).max(1)
    }

    /// How many members call for `payers`, this one too, if districts are alike. Until others can have heard that this one
    /// calls, it takes it that all do.
    fn callers_count(
        &self,
        payers: &[Payer],
        Spenders { members, districts }: Spenders,
        now: Timestamp,
    ) -> u64 {
        if payers.contains(&Payer::HOST) || members <= 1 {
            return 1;
        }
        let known: Vec<_> = payers.iter().filter_map(|payer| self.payers.get(payer)).collect();
        let is_heard = |told: Timestamp| now.saturating_since(told) >= HEARD_AFTER;
        if !known.iter().any(|callers| callers.told.is_some_and(is_heard)) {
            return members;
        }
        let others = known.iter().flat_map(|callers| &callers.others);
        let lately = others.filter(|(_, heard)| now.saturating_since(**heard) < CALLS_FOR);
        let callers: BTreeSet<_> = lately.map(|(peer, _)| peer).collect();
        (1 + callers.len() as u64).saturating_mul(districts).clamp(1, members)
    }

    /// Calls that are `concerned` are held back until `until`; before, all members together made so many calls `per_hour`.
    pub(super) fn hold(
        &mut self,
        concerned: Concerned,
        until: Timestamp,
        per_hour: u64,
        spenders: Spenders,
        now: Timestamp,
    ) {
        if let Some(held) = self.returns.get_mut(&concerned).filter(|held| held.since > now) {
            held.since = held.since.max(until);
            return;
        }
        if self.returns.len() >= RETURNS_MAX {
            self.returns.retain(|_, held| !held.is_over(now));
        }
        if self.returns.len() < RETURNS_MAX {
            let members = self.callers_count(&[concerned.0], spenders, now);
            let per_hour = per_hour.max(PER_HOUR_LEAST);
            self.returns.insert(concerned, Return { since: until, per_hour, members, begun: 0 });
        }
    }

    /// Whether a call for one of `payers`, which are one, that draws on `bucket` has to wait, since others come before it after a
    /// pause.
    pub(super) fn is_to_wait(&mut self, payers: &[Payer], bucket: Bucket, now: Timestamp) -> bool {
        concerned(payers, bucket).any(|concerned| {
            let Some(held) = self.returns.get(&concerned) else { return false };
            if held.is_over(now) {
                self.returns.remove(&concerned);
                return false;
            }
            held.since <= now && !held.may_begin(now, self.place)
        })
    }

    /// A call for one of `payers` that draws on `bucket` is made.
    pub(super) fn begin(&mut self, payers: &[Payer], bucket: Bucket, now: Timestamp) {
        for concerned in concerned(payers, bucket) {
            if let Some(held) = self.returns.get_mut(&concerned).filter(|held| held.since <= now) {
                held.begun += 1;
            }
        }
    }

    /// Beyond [`PAYERS_MAX`], those that nobody calls for are forgotten, and then the first.
    fn callers(&mut self, payer: Payer, now: Timestamp) -> &mut Callers {
        if self.payers.len() >= PAYERS_MAX && !self.payers.contains_key(&payer) {
            let calls = |at: &Timestamp| now.saturating_since(*at) < CALLS_FOR;
            self.payers.retain(|_, it| it.told.as_ref().is_some_and(calls) || it.others.values().any(calls));
            if self.payers.len() >= PAYERS_MAX {
                self.payers.pop_first();
            }
        }
        self.payers.entry(payer).or_default()
    }
}

/// The pauses that may hold back what draws on `bucket`.
fn concerned(payers: &[Payer], bucket: Bucket) -> impl Iterator<Item = Concerned> {
    payers.iter().flat_map(move |payer| [(*payer, None), (*payer, Some(bucket))])
}

impl Return {
    fn is_over(&self, now: Timestamp) -> bool {
        now.saturating_since(self.since) >= RETURN_TIME
    }

    /// Whether this member may begin one call more. Its part of what all may have begun by now is its number of calls,
    /// counted from somewhere between none and one, or from one if it is alone.
    fn may_begin(&self, now: Timestamp, place: u64) -> bool {
        let elapsed = now.saturating_since(self.since).as_millis();
        let mut weighed_millis = 0;
        let mut from = 0;
        for (until, tenths) in RATES {
            weighed_millis += elapsed.clamp(from, until).saturating_sub(from) * tenths;
            from = until;
        }
        let all = u128::from(self.per_hour) * weighed_millis;
        let call = TENTHS * MILLIS_OF_AN_HOUR * u128::from(self.members);
        let ahead = if self.members == 1 { PLACES } else { place % PLACES };
        let ahead = u128::from(ahead) * call / u128::from(PLACES);
        u128::from(self.begun + 1) * call <= all + ahead
    }
}

/// By which moment after a pause, in milliseconds, which multiple of the usual rate is let go, in tenths. GitHub asks that
/// calls be resumed slowly; the margin to twice and 3.3 times is for members that have more than their share of chance.
const RATES: [(u128, u128); 4] = [(1_000, 16), (3_000, 26), (6_000, 50), (10_000, 100)];

const TENTHS: u128 = 10;

const MILLIS_OF_AN_HOUR: u128 = 3_600_000;

/// The whole of [`RATES`].
const RETURN_TIME: Duration = Duration::from_secs(10);

/// Into how many parts a call's time is divided, for members to begin in different ones.
const PLACES: u64 = 1_000;

/// Ten calls a second, however few there were before: GitHub bears 900 a minute on one endpoint.
const PER_HOUR_LEAST: u64 = 36_000;

/// A member that has told of no call of a payer for this time makes none.
const CALLS_FOR: Duration = Duration::from_secs(60);

/// A member that calls says so three times before others count it out.
const HEARD_EVERY: Duration = Duration::from_secs(20);

/// By this time what is told has been heard: half a second is more than any two members are apart.
const HEARD_AFTER: Duration = Duration::from_millis(500);

/// Most members that are known to call for one payer: all neighbours that there can be.
const CALLERS_MAX: usize = 256;

/// Most payers whose callers are known.
const PAYERS_MAX: usize = 256;

/// Most pauses whose end is prepared: as many as are known.
const RETURNS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const PAYER: Payer = Payer::from_bytes([1; 16]);
    const CORE: Bucket = Bucket(0);

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_unix_millis(1_000_000 + millis)
    }

    fn peer(number: u32) -> PeerId {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
        PeerId::from_public_key(key)
    }

    fn of(members: u64) -> Spenders {
        Spenders { members, districts: 1 }
    }

    #[test]
    fn members_that_call_share_out_what_may_be_made_at_once_and_others_have_none_of_it() {
        let mut pacing = Pacing::new(80, Some(peer(0)));
        assert_eq!(pacing.share(&[PAYER], of(1), at(0)), 80, "alone");
        assert_eq!(pacing.share(&[PAYER], of(20), at(0)), 4, "nobody has heard of it yet");
        pacing.note_told(PAYER, at(0));
        assert_eq!(pacing.share(&[PAYER], of(20), at(499)), 4);
        assert_eq!(pacing.share(&[PAYER], of(20), at(500)), 80, "nobody else calls");
        (1..=3).for_each(|number| pacing.note_caller(PAYER, peer(number), at(1_000)));
        assert_eq!(pacing.share(&[PAYER], of(20), at(1_000)), 20);
        assert_eq!(pacing.share(&[PAYER], Spenders { members: 80, districts: 4 }, at(1_000)), 5);
        assert_eq!(pacing.share(&[Payer::from_bytes([2; 16])], of(20), at(1_000)), 4, "another payer");
        assert_eq!(pacing.share(&[PAYER], of(20), at(61_000)), 80, "the others have stopped");
        assert_eq!(pacing.share(&[PAYER], of(0), at(61_000)), 80);
        let many: Vec<_> = (0..300).map(peer).collect();
        many.iter().for_each(|from| pacing.note_caller(PAYER, *from, at(62_000)));
        assert_eq!(pacing.payers[&PAYER].others.len(), CALLERS_MAX);
        assert_eq!(pacing.share(&[PAYER], of(1_000), at(62_000)), 1);
    }

    #[test]
    fn payers_that_are_one_share_out_and_return_as_one() {
        let both = [PAYER, Payer::from_bytes([2; 16])];
        let mut pacing = Pacing::new(80, Some(peer(0)));
        pacing.note_told(both[1], at(0));
        pacing.note_caller(both[0], peer(1), at(0));
        pacing.note_caller(both[1], peer(1), at(0));
        pacing.note_caller(both[0], peer(2), at(0));
        assert_eq!(pacing.share(&both, of(20), at(500)), 26);
        pacing.hold((both[0], None), at(1_000), 0, of(1), at(500));
        pacing.begin(&both, CORE, at(1_000));
        assert!(pacing.is_to_wait(&both, CORE, at(1_000)));
        assert!(!pacing.is_to_wait(&both[1..], CORE, at(1_000)));
    }

    #[test]
    fn what_this_host_may_call_is_its_own() {
        let pacing = Pacing::new(80, Some(peer(0)));
        assert_eq!(pacing.share(&[Payer::HOST], of(20), at(0)), 80);
    }

    #[test]
    fn beyond_the_bound_payers_that_nobody_calls_for_are_forgotten() {
        let payer = |number: usize| Payer::from_bytes((number as u128).to_be_bytes());
        let mut pacing = Pacing::new(80, None);
        (1..=PAYERS_MAX).for_each(|number| pacing.note_told(payer(number), at(number as u64)));
        pacing.note_told(payer(0), at(60_100));
        assert_eq!((pacing.payers.len(), pacing.payers.contains_key(&payer(100))), (PAYERS_MAX - 99, false));
        (1_000..2_000).for_each(|number| pacing.note_told(payer(number), at(60_100)));
        assert_eq!(pacing.payers.len(), PAYERS_MAX);
    }

    /// How many calls so many members begin in each second after a pause, all of which want to make as many as they may.
    fn returning(members: u32, per_hour: u64) -> [u64; 12] {
        let mut all: Vec<_> = (0..members).map(|number| Pacing::new(80, Some(peer(number)))).collect();
        let mut begun = [0; 12];
        for pacing in &mut all {
            pacing.hold((PAYER, None), at(0), per_hour, of(members.into()), at(0));
            for millis in (0..10_000).step_by(20) {
                while !pacing.is_to_wait(&[PAYER], CORE, at(millis)) {
                    pacing.begin(&[PAYER], CORE, at(millis));
                    begun[millis as usize / 1_000] += 1;
                }
            }
            assert!(!pacing.is_to_wait(&[PAYER], CORE, at(10_000)));
        }
        begun
    }

    #[test]
    fn after_a_pause_calls_return_at_twice_and_then_3_3_times_the_usual_rate_at_most() {
        for members in [1, 2, 3, 20, 80, 256, 1_000] {
            for per_second in [10, 40, 400] {
                let [first, second, third, fourth, ..] = returning(members, per_second * 3_600);
                let told = (members, per_second, first, second, third, fourth);
                assert!((per_second..=2 * per_second).contains(&first), "{told:?}");
                let next = 2 * per_second..=33 * per_second / 10;
                assert!(next.contains(&second) && next.contains(&third), "{told:?}");
                assert!(fourth > third, "{told:?}");
            }
        }
    }

    #[test]
    fn a_payer_that_called_hardly_ever_makes_ten_calls_a_second() {
        for members in [1, 20, 1_000] {
            let [first, ..] = returning(members, 0);
            assert!((10..=20).contains(&first), "{members}: {first}");
        }
    }

    #[test]
    fn a_pause_that_is_told_again_is_one_pause_and_a_later_end_counts() {
        let mut pacing = Pacing::new(80, None);
        pacing.hold((PAYER, None), at(1_000), 3_600 * 1_000, of(1), at(0));
        pacing.hold((PAYER, None), at(2_000), 0, of(1), at(500));
        assert!(
            !pacing.is_to_wait(&[PAYER], CORE, at(1_500)),
            "it has not ended: others say what is held back by it"
        );
        assert!(!pacing.is_to_wait(&[PAYER], CORE, at(2_000)), "the first call goes at once");
        pacing.begin(&[PAYER], CORE, at(2_000));
        assert!(pacing.is_to_wait(&[PAYER], CORE, at(2_000)));
        assert!(!pacing.is_to_wait(&[PAYER], CORE, at(2_010)), "it counts what was called before it");
        assert!(!pacing.is_to_wait(&[Payer::from_bytes([2; 16])], CORE, at(2_000)));
    }

    #[test]
    fn the_return_of_one_allowance_holds_up_no_other() {
        let mut pacing = Pacing::new(80, None);
        pacing.hold((PAYER, Some(Bucket(1))), at(0), 0, of(1), at(0));
        pacing.begin(&[PAYER], Bucket(1), at(0));
        assert!(pacing.is_to_wait(&[PAYER], Bucket(1), at(0)));
        assert!(!pacing.is_to_wait(&[PAYER], CORE, at(0)));
    }
}
