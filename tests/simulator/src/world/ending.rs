//! What is demanded once all faults are over: everything comes right.

use super::World;
use crate::{
    ledger::Rule,
    node::{Node, State, Wish, generations},
    plan::{Deed, Dialing, Event, Lie},
};
use cache_core::{Disk, Engine, HOSTS_MAX, freshness::Directives};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

impl World {
    /// Ends all faults, and demands that everything under way ends, that every node can be asked, and that the
    /// fleet is as thrifty as at the beginning.
    pub(super) fn end(&mut self) {
        self.heal();
        let redials = match self.plan.dialing {
            Dialing::Nobody => Duration::ZERO,
            Dialing::Ordered => REDIALS,
        };
        // A node that was told to leave the origin alone does so.
        let quota = self.plan.origin.quota.map_or(Duration::ZERO, |(_, period)| period);
        self.run_until(self.now + self.plan.settings.hold_off + quota);
        self.run_until_quiet(self.settling() + redials);
        self.check_quiet();
        if self.violation.is_some() {
            return;
        }
        self.probe_all();
        self.probe_unknown();
        self.check_quiet();
    }

    fn heal(&mut self) {
        self.transcript.note(format_args!("{:?} all faults end", self.now));
        self.is_healed = true;
        self.origin.is_healed = true;
        self.origin.rights.give_all(self.now);
        self.network.stop_losing();
        for liar in self.liars.clone() {
            self.crash(liar);
        }
        for node in 0..self.nodes.len() {
            let is_wanted = node < self.plan.nodes_at_start && !self.liars.contains(&node);
            if self.nodes[node].state == State::Down && is_wanted {
                self.start(node);
            }
        }
    }

    /// Lets time pass until nothing is under way any more, but at most `within`.
    fn run_until_quiet(&mut self, within: Duration) {
        let end = self.now + within;
        // What was decided a moment ago has yet to begin.
        self.run_until(end.min(self.now + STEP));
        let is_quiet = |world: &Self| world.unrest().is_none() && world.untold().is_none();
        while self.violation.is_none() && self.now < end && !is_quiet(self) {
            self.run_until(end.min(self.now + STEP));
        }
    }

    /// What is still under way, or not as it should be once all is quiet.
    fn unrest(&self) -> Option<String> {
        if let Some((request, asked)) = self.ledger.requests.iter().next() {
            return Some(format!("{request:?} is not answered: {asked:?}"));
        }
        let up = self.honest();
        for node in &up {
            let state = &self.nodes[*node];
            let (flights, leases) = (state.engine.flights_count(), state.engine.leases_count());
            let (members, retained) = (state.engine.members().len(), state.retained.len());
            let searches = state.engine.searches_count();
            let is_guest = |engine: &Engine| engine.guests().is_some_and(|guests| guests.is_guest);
            let is_neighbour = |other: &usize| {
                let (here, there) = (&state.engine, &self.nodes[*other].engine);
                !is_guest(there)
                    && *other != *node
                    && here.is_neighbour(self.nodes[*other].peer)
                    && there.is_neighbour(state.peer)
            };
            let others = up.iter().copied().filter(is_neighbour).count();
            // Where not every node can be connected with every other, half of what each may have.
            let connections_max = self.plan.peers.connections_max;
            // Those that its guests may take are not for members.
            let kept = if self.plan.guests.0.is_empty() { 0 } else { (connections_max / 4).max(1) };
            let least =
                if others > connections_max - kept { (connections_max - kept).div_ceil(2) } else { others };
            let wanted = if is_guest(&state.engine) { others.min(1)..=HOSTS_MAX } else { least..=others };
            if flights + leases + retained + searches > 0 || !wanted.contains(&members) {
                return Some(format!(
                    "n{node}: {flights} flights, {leases} leases, {searches} searches, {retained} retained, {members} of {others} members"
                ));
            }
        }
        self.watch.unanswered()
    }

    /// Checks what a plan demands of its own, when all that it asked for has had a minute to end.
    pub(super) fn check_demands(&mut self) {
        if self.plan.demands.last_puts {
            self.run_until(self.now + Duration::from_secs(60));
            self.check_last_puts();
        }
        if let Some(least) = self.plan.demands.hits_percent_min {
            let (hits, requests) = (self.figures.outcome("hit"), self.figures.requests);
            if hits * 100 < requests * least {
                let text = format!("{hits} of {requests} requests are hits, and {least} % demanded");
                self.violate(Rule::Warm, text);
            }
        }
        let oldest = Duration::from_millis(self.figures.ages.iter().copied().max().unwrap_or(0));
        if let Some(most) = self.plan.demands.age_max.filter(|most| oldest > *most) {
            let text = format!("something is served at an age of {oldest:?}, and {most:?} at most demanded");
            self.violate(Rule::TooOld, text);
        }
        self.check_confirmed();
        self.check_homes();
        self.check_pace();
        self.check_outage();
        let demanded = self.plan.demands.spent;
        if demanded.is_some() {
            // Calls that wait for others go on by and by.
            self.run_until(self.now + Duration::from_secs(60));
        }
        let spent = self.origin.spent_max;
        if let Some((least, most)) = demanded.filter(|(least, most)| !(*least..=*most).contains(&spent)) {
            let text = format!("{spent} calls of one window are spent, and {least} to {most} demanded");
            self.violate(Rule::Reserve, text);
        }
        let Some(most) = self.plan.demands.calls_percent_max else { return };
        self.run_until(self.now + Duration::from_secs(60));
        let (calls, ideal) = (self.origin.calls, self.figures.calls_ideal);
        if calls * 100 > ideal * most {
            self.violate(
                Rule::Economy,
                format!("{calls} calls, where {ideal} are ideal and {most} % allowed"),
            );
        }
    }

    /// Checks that the nodes that take themselves for at home for a name are of one district: where there are two, the fleet calls
    /// twice.
    fn check_homes(&mut self) {
        if !self.plan.demands.one_home {
            return;
        }
        let up = self.honest();
        let mut wrong = 0;
        let mut text = None;
        for key in &self.ledger.keys {
            let mut homes = up.iter().filter(|node| self.nodes[**node].engine.is_home_of(key));
            let Some(home) = homes.next() else { continue };
            let is_far = |other: &&usize| !self.nodes[**other].engine.is_neighbour(self.nodes[*home].peer);
            if let Some(other) = homes.find(is_far) {
                wrong += 1;
                text.get_or_insert_with(|| format!("{key:?} is at home at n{home} and at n{other}"));
            }
        }
        if let Some(text) = text {
            let text = format!("{text}; of {} keys {wrong} have two homes", self.ledger.keys.len());
            self.violate(Rule::Districts, text);
        }
    }

    /// Checks that those that were told of a write said in time that they had forgotten what it ended.
    fn check_confirmed(&mut self) {
        let Some(most) = self.plan.demands.unconfirmed_max else { return };
        let unconfirmed = |node: &Node| node.engine.counters().forgettings_unconfirmed;
        let unconfirmed: u64 = self.nodes.iter().map(unconfirmed).sum();
        if unconfirmed > most {
            let text =
                format!("{unconfirmed} waits for others to forget ended with their time, and {most} may");
            self.violate(Rule::Confirmed, text);
        }
    }

    /// Checks how many calls the origin had to refuse, and how calls returned after it wanted to be left alone.
    fn check_pace(&mut self) {
        let (excess, returned) = (self.origin.secondary.excess, &self.origin.secondary.returned);
        let in_second = |second: usize| returned.get(&(second as u64)).copied().unwrap_or_default();
        let returning = self.plan.demands.returning.iter().enumerate();
        let mut wrong =
            returning.filter(|(second, (least, most))| !(*least..=*most).contains(&in_second(*second)));
        if let Some((second, (least, most))) = wrong.next() {
            let text = format!(
                "{} calls in second {second} after a pause, and {least} to {most} demanded: {returned:?}",
                in_second(second)
            );
            self.violate(Rule::Pace, text);
        }
        if let Some(most) = self.plan.demands.excess_max.filter(|most| excess > *most) {
            self.violate(Rule::Pace, format!("the origin refuses {excess} calls, and {most} are allowed"));
        }
    }

    /// Checks that no node shows its readers what, to the knowledge of another, its putter has replaced.
    fn check_last_puts(&mut self) {
        let facts = |number: usize| {
            let entries = self.nodes[number].published.values();
            entries.filter_map(|entry| Some(self.ledger.fact(entry.content())?.0)).collect::<Vec<u64>>()
        };
        let shown: Vec<(usize, u64)> = self
            .honest()
            .into_iter()
            .flat_map(|node| facts(node).into_iter().map(move |it| (node, it)))
            .collect();
        let overtaken = shown.iter().find_map(|(node, fact)| {
            let later = shown.iter().find(|(_, other)| self.ledger.is_overtaken(*fact, *other))?;
            Some(format!(
                "n{node} shows fact {fact}, n{} fact {}, which the same node put later",
                later.0, later.1
            ))
        });
        if let Some(text) = overtaken {
            self.violate(Rule::InOrder, text);
        }
    }

    /// Time in which all must come to its end: every deadline of the settings one after the other, the redials,
    /// and what the origin wants to be left alone for.
    fn settling(&self) -> Duration {
        let (settings, limits, network) = (&self.plan.settings, &self.plan.limits, &self.plan.network);
        let quota = self.plan.origin.quota.map_or(Duration::ZERO, |(_, period)| period);
        settings.load_timeout
            + settings.request_timeout
            + settings.fetch_timeout * 2
            + settings.hold_off
            + limits.lease_term * 3
            + network.idle_timeout * 2
            + quota
            + SETTLING
    }

    fn check_quiet(&mut self) {
        if let Some(text) = self.unrest() {
            return self.violate(Rule::Liveness, text);
        }
        if let Some(text) = self.untold() {
            return self.violate(Rule::Told, text);
        }
        for node in self.honest() {
            self.check_held(node);
        }
    }

    /// An invalidation that some node has yet to hear of: a request that has just come may have to wait for it.
    fn untold(&self) -> Option<String> {
        let up = self.honest();
        let nodes: Vec<_> = up.iter().map(|node| &self.nodes[*node]).collect();
        self.ledger.untold(&nodes, self.now).filter(|_| self.liars.is_empty())
    }

    /// Every node can be asked for anything.
    fn probe_all(&mut self) {
        let keys = self.plan.keys_count();
        for step in 0..keys.min(PROBES_MAX) {
            for node in 0..self.nodes.len() {
                let wish = self.reading(step * keys.div_ceil(PROBES_MAX), Directives::default());
                self.wish(node, wish);
            }
            self.expect_answers(self.plan.settings.request_timeout + Duration::from_secs(1));
        }
    }

    /// What no client has asked for yet costs one call, although all ask at once.
    fn probe_unknown(&mut self) {
        let key = self.plan.resources;
        for node in 0..self.nodes.len() {
            self.wish(node, Wish::Get { key, credential: 0, directives: Directives::default() });
        }
        self.expect_answers(self.plan.settings.request_timeout + Duration::from_secs(1));
        self.run_until_quiet(self.settling());
        let calls = self.calls_for(key);
        let least = u64::from(!self.honest().is_empty() && !self.is_tight());
        if self.violation.is_none() && self.is_thrifty() && !(least..=1).contains(&calls) {
            self.violate(Rule::Economy, format!("{calls} calls for one key after all faults ended"));
        }
    }

    /// Whether the plan's limits are wide enough for the fleet to make no call twice.
    fn is_thrifty(&self) -> bool {
        let (limits, network, origin) = (&self.plan.limits, &self.plan.network, &self.plan.origin);
        let trip = 2 * (network.latency + 7 * network.jitter);
        let call = origin.latency + 7 * origin.jitter;
        let disk = match self.plan.settings.disk {
            Disk::Absent => Duration::ZERO,
            Disk::Present => self.plan.settings.load_timeout,
        };
        let body = Duration::from_secs_f64(origin.body_bytes_max as f64 / network.bandwidth.max(1) as f64);
        let stages = self.honest().into_iter().map(|node| generations(self.nodes[node].stage)[0]);
        let is_one_name = stages.collect::<BTreeSet<u64>>().len() <= 1;
        let floods = |event: &Event| matches!(event.deed, Deed::Lie { lie: Lie::Invalidations, .. });
        is_one_name
            // One whose right is in doubt asks for itself.
            && !self.plan.judges()
            && self.plan.credentials == 1
            && !self.plan.events.iter().any(floods)
            && trip + body < limits.ask_timeout
            // It goes to the coordinator, and from there to the waiters.
            && call + trip + 2 * body < limits.lease_term.min(limits.wait_timeout)
            && call < self.plan.settings.fetch_timeout
            && limits.lease_waiters_max >= self.nodes.len()
            && limits.leases_max > 0
            && limits.asks_max >= 2
            // With a handful of connections those that a lookup needs give way to others while it lasts.
            && self.plan.peers.connections_max.min(self.nodes.len()) >= self.nodes.len().min(CONNECTIONS_THRIFTY)
            && origin.freshness.lifetime > disk + 2 * (call + trip)
            && limits.freshness_max.lifetime > disk + 2 * (call + trip)
            && self.plan.settings.flights_max > 0
            && self.plan.settings.budget.entries_max > 0
            && self.plan.settings.budget.bytes_max > 2 * origin.body_bytes_max
    }

    /// Longest that a request may take, if nothing in the plan can hold it up.
    pub(super) fn longest_wait(&self) -> Option<Duration> {
        let (network, origin) = (&self.plan.network, &self.plan.origin);
        let disk = match self.plan.settings.disk {
            Disk::Absent => Duration::ZERO,
            Disk::Present => self.plan.settings.load_timeout,
        };
        let can_fail = network.loss_per_mille > 0
            || origin.quota.is_some()
            || origin.refused_per_mille + origin.unstorable_per_mille + origin.failing_per_mille > 0
            || self.plan.judges()
            || self.plan.credentials > 1
            || self.plan.nodes_at_start < self.plan.nodes
            || self.plan.events.iter().any(|event| event.deed.is_fault());
        let trip = 2 * (network.latency + 7 * network.jitter);
        let body = Duration::from_millis(origin.body_bytes_max as u64 * 1000 / network.bandwidth.max(1));
        let longest = disk + 3 * (origin.latency + 7 * origin.jitter + 2 * (trip + body));
        (!can_fail && self.is_thrifty() && !self.is_tight()).then_some(longest)
    }

    fn expect_answers(&mut self, within: Duration) {
        let before: BTreeMap<&str, u64> = self.figures.outcomes.clone();
        let end = self.now + within;
        while self.violation.is_none() && self.now < end && !self.ledger.requests.is_empty() {
            self.run_until(end.min(self.now + STEP));
        }
        if self.violation.is_some() {
            return;
        }
        for bad in ["failed", "absent", "passed", "relayed"] {
            if self.figures.outcome(bad) > before.get(bad).copied().unwrap_or(0) && !self.is_tight() {
                return self.violate(Rule::Liveness, format!("a request {bad} after all faults ended"));
            }
        }
    }

    /// Whether the plan's limits are so narrow that requests may fail without any fault.
    fn is_tight(&self) -> bool {
        let (settings, limits, origin) = (&self.plan.settings, &self.plan.limits, &self.plan.origin);
        let call = origin.latency + 7 * origin.jitter;
        let asks = limits.ask_timeout * 4;
        settings.flights_max < 64
            || settings.waiters_max < 64
            || settings.leaders_max == 0
            || call > settings.fetch_timeout
            || origin.freshness.lifetime <= 2 * call
            || 2 * call + asks > settings.request_timeout
    }
}

/// Most keys that every node is asked for at the end.
const PROBES_MAX: usize = 8;

/// What is added to all deadlines for messages to travel.
const SETTLING: Duration = Duration::from_secs(10);

/// Time in which nodes that dial by themselves are connected again: the longest pause between two dials, and some.
const REDIALS: Duration = Duration::from_secs(450);

/// How often it is looked whether all is quiet.
const STEP: Duration = Duration::from_millis(500);

/// Connections with which a herd costs one call however large the fleet is.
const CONNECTIONS_THRIFTY: usize = 8;
