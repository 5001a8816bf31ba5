//! Ways to spare an origin calls, compared in one world.
//!
//! Each policy gets the same plan: the same requests at the same moments, the same origin with the same quota, the
//! same network. [`Policy::EachItsOwn`] and [`Policy::Fleet`] are engines in a [`World`]. The others are
//! models, as small as can be believed, in one world: what they leave out would cost them more, not less.

mod agenda;
mod broadcast;
mod direct;
mod proxy;
mod scene;
#[cfg(test)]
mod tests;
mod workload;

pub use workload::{LATE_AT, LIFETIME, OUTAGE, RESOURCES, RUN, workload};

use crate::{
    figures::{Figures, Quantiles},
    plan::{Dialing, Plan},
    world::{STARTING, World},
};
use broadcast::Broadcast;
use direct::Direct;
use proxy::Proxy;
use scene::Scene;
use std::time::Duration;

/// A way to spare an origin calls.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Policy {
    /// No cache: every request is a call.
    Direct,
    /// Every node has a cache of its own, with lifetimes and revalidation: the engine of Fleet Cache without
    /// connections.
    EachItsOwn,
    /// One process for all, which asks the origin on every request whether its entry still holds, once for all
    /// requests that come meanwhile.
    Proxy,
    /// Every node has a cache with lifetimes, and sends what it fetches to every connected node.
    Broadcast,
    /// The engine of Fleet Cache.
    Fleet,
}

/// What a policy cost and how well it served.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The policy that was run.
    pub policy: Policy,
    /// How many nodes there were.
    pub nodes: usize,
    /// Requests of clients that were made.
    pub requests: u64,
    /// Requests that got no answer, or a refusal.
    pub refused: u64,
    /// Calls that the origin got.
    pub calls: u64,
    /// Those of them that were made while the origin refused connections.
    pub calls_vain: u64,
    /// Calls that were counted against the quota.
    pub calls_paid: u64,
    /// Calls that broke another limit of the origin.
    pub calls_excess: u64,
    /// Most calls in one second.
    pub calls_peak: u64,
    /// How long ago what was served had ceased to be so, in milliseconds: the median.
    pub outdated_p50: u64,
    /// The same for one answer in a hundred.
    pub outdated_p99: u64,
    /// How long one request in a hundred took at least, in milliseconds.
    pub wait_p99: u64,
    /// Bytes that processes sent one another.
    pub bytes: u64,
    /// Bytes of these by which members learn which others are there.
    pub bytes_membership: u64,
    /// Time from the end of the outage until the last request that suffers from it; `None` if they suffer until
    /// the end.
    pub recovery: Option<Duration>,
}

impl Policy {
    /// Every policy, in the order of tables.
    pub const ALL: [Self; 5] = [Self::Direct, Self::EachItsOwn, Self::Proxy, Self::Broadcast, Self::Fleet];

    /// What tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Broadcast => "broadcast on put",
            Self::Direct => "direct",
            Self::EachItsOwn => "cache in each node",
            Self::Fleet => "Fleet Cache",
            Self::Proxy => "central proxy",
        }
    }

    /// Lets `plan`, a [`workload`], happen under this policy.
    ///
    /// # Panics
    ///
    /// If an engine breaks a rule.
    pub fn measure(self, plan: &Plan) -> Measured {
        let figures = match self {
            Self::Broadcast => Scene::run(plan, &mut Broadcast::default()),
            Self::Direct => Scene::run(plan, &mut Direct),
            Self::EachItsOwn => fleet(Plan { dialing: Dialing::Nobody, ..plan.clone() }),
            Self::Fleet => fleet(plan.clone()),
            Self::Proxy => Scene::run(plan, &mut Proxy::default()),
        };
        self.measured(plan, &figures)
    }

    fn measured(self, plan: &Plan, figures: &Figures) -> Measured {
        let outdated = Quantiles::of(&figures.service.outdated);
        let (messages, bytes) = figures.messages_total();
        let membership = figures.messages.get("membership").copied().unwrap_or_default();
        let overhead = |messages: u64| match self {
            Self::EachItsOwn | Self::Fleet => messages * FRAME_OVERHEAD_BYTES,
            // It is among what the models count.
            Self::Broadcast | Self::Direct | Self::Proxy => 0,
        };
        Measured {
            policy: self,
            nodes: plan.nodes,
            requests: figures.requests,
            refused: figures.service.refused,
            calls: figures.calls,
            calls_vain: vain(figures),
            calls_paid: figures.calls_paid,
            calls_excess: figures.calls_excess,
            calls_peak: figures.calls_peak(Duration::ZERO),
            outdated_p50: outdated.p50(),
            outdated_p99: outdated.p99(),
            wait_p99: Quantiles::of(&figures.waits).p99(),
            bytes: bytes + overhead(messages),
            bytes_membership: membership.1 + overhead(membership.0),
            recovery: recovery(figures.service.spoilt_last.unwrap_or_default()),
        }
    }
}

fn fleet(plan: Plan) -> Figures {
    let mut world = World::new(plan, false);
    world.run();
    let report = world.report();
    assert_eq!(report.violation, None, "an engine broke a rule");
    report.figures
}

/// Calls while the origin refused connections.
fn vain(figures: &Figures) -> u64 {
    let seconds = (STARTING + OUTAGE.start).as_secs()..(STARTING + OUTAGE.end).as_secs();
    figures.calls_by_second.range(seconds).map(|(_, calls)| *calls).sum()
}

/// How long after the end of the outage `spoilt_last` was.
fn recovery(spoilt_last: Duration) -> Option<Duration> {
    let end = STARTING + RUN;
    let recovered = STARTING + OUTAGE.end;
    (spoilt_last + RECOVERED < end).then(|| spoilt_last.saturating_sub(recovered))
}

/// All is well again once no request has suffered for so long.
const RECOVERED: Duration = Duration::from_secs(15);

/// What seal and frame add to a message between members.
const FRAME_OVERHEAD_BYTES: u64 = 64;
