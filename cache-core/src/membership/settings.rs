//! How fast members notice one another, and the configuration of foca that follows.

use super::wire::MEMBERSHIP_BYTES_MAX;
use crate::peers::KNOWN_MIN;
use core::{
    num::{NonZeroU8, NonZeroUsize},
    time::Duration,
};

/// The protocol's periods.
///
/// With the defaults and round trips of 40 ms a crash is forgotten within 5 s, a departure within 1 s. Up to 300 ms
/// no member is wrongly thought down; at 400 ms, the probe period, a fleet of a hundred begins to err. The tests in
/// `membership/tests/figures.rs` print it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct MembershipSettings {
    /// How often one member, in turn, is asked for a sign of life.
    ///
    /// 400 ms: whichever member crashes, some other notices after as long on average, and in 99 of 100 cases
    /// within 1.9 s, in a fleet of any size.
    pub(crate) probe_period: Duration,
    /// Time after which others are asked to try in our place. Should exceed a round trip; the rest of the
    /// period should leave them two.
    pub(crate) probe_timeout: Duration,
    /// How often news is passed on while there is any.
    ///
    /// 100 ms, to [`RUMOUR_PEERS`] members each time: a thousand members have heard after five rounds.
    pub(crate) rumour_period: Duration,
    /// Time in which a suspect can show that it lives.
    ///
    /// 1.8 s: in a fleet of a thousand, news of the suspicion and of its refutal take 0.6 s each.
    pub(crate) suspicion: Duration,
    /// Most members that are known, whether they live or are remembered as down. Beyond it those down longest are
    /// forgotten, and if none is down, strangers are ignored.
    pub(crate) members_max: usize,
    /// Connections that a node makes by itself; a node with as many cannot reach every member.
    pub(crate) connections_wanted: usize,
}

impl Default for MembershipSettings {
    fn default() -> Self {
        Self {
            probe_period: Duration::from_millis(400),
            probe_timeout: Duration::from_millis(150),
            rumour_period: Duration::from_millis(100),
            suspicion: Duration::from_millis(1800),
            members_max: KNOWN_MIN,
            connections_wanted: usize::MAX,
        }
    }
}

impl MembershipSettings {
    /// The same in foca's terms. Periods that foca cannot work with are moved to the nearest that it can.
    pub(super) fn config(&self) -> foca::Config {
        let at_least = |period: Duration, millis| period.max(Duration::from_millis(millis));
        let probe_period = at_least(self.probe_period, 2);
        foca::Config {
            probe_period,
            probe_rtt: at_least(self.probe_timeout, 1).min(probe_period / 2),
            num_indirect_probes: RUMOUR_PEERS,
            max_transmissions: TELLINGS,
            suspect_to_down_after: at_least(self.suspicion, 1),
            remove_down_after: Some(DOWN_REMEMBERED),
            max_packet_size: NonZeroUsize::new(MEMBERSHIP_BYTES_MAX).expect("it is not zero"),
            notify_down_members: true,
            periodic_announce: Some(foca::PeriodicParams { frequency: FEED_PERIOD, num_members: ONE }),
            periodic_announce_to_down_members: Some(foca::PeriodicParams {
                frequency: RECALL_PERIOD,
                num_members: RECALLS,
            }),
            periodic_gossip: Some(foca::PeriodicParams {
                frequency: at_least(self.rumour_period, 1),
                num_members: RUMOUR_PEERS,
            }),
        }
    }
}

const _: () = assert!(KNOWN_MIN * 120 <= MEMBERSHIP_BYTES_MAX, "a feed has room for two addresses of each");

/// How many members are told news at a time, and asked to try a probe in our place: foca's figure.
const RUMOUR_PEERS: NonZeroUsize = NonZeroUsize::new(3).expect("it is not zero");

/// How often each member repeats news. foca's recipe gives 12 for a fleet of a thousand; a few more make up
/// for lost messages.
const TELLINGS: NonZeroU8 = NonZeroU8::new(15).expect("it is not zero");

/// How often one member is asked for all it knows, so that what was missed is learned after all.
const FEED_PERIOD: Duration = Duration::from_secs(30);
const ONE: NonZeroUsize = NonZeroUsize::new(1).expect("it is not zero");

/// How often, and how many, members that are down are called, so that a divided fleet grows together.
const RECALL_PERIOD: Duration = Duration::from_secs(10);
const RECALLS: NonZeroUsize = NonZeroUsize::new(2).expect("it is not zero");

/// Time for which a member that went down is remembered. Longer than any news of it travels; short, since
/// runners come and go with a new key each time.
pub(super) const DOWN_REMEMBERED: Duration = Duration::from_secs(10 * 60);
