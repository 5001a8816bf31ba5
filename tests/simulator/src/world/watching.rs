//! What is checked of an engine before and after each input.

use super::{STARTING, World};
use crate::{
    ledger::{Asked, OK, ROUNDING, Rule, Wanted},
    node::Node,
    plan::{Deed, Dialing},
};
use cache_core::{
    Failure, Fetched, Input, Message, Outcome, Output, PeerId, PeerState, Refusal, freshness,
    message::{Invalidation, Manner, Reach, Scope},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// What must follow from an input, and which nodes were members before it.
pub(super) enum Duty {
    /// To hide what these mean and nothing else, and to tell all members if it is news from here.
    Forget { reaches: Vec<Reach>, tells: bool },
    /// To tell all members to leave the origin alone.
    TellPause,
    /// No duty in particular.
    Usual,
}

impl Duty {
    pub(super) fn of(input: &Input, node: &Node) -> Self {
        match input {
            Input::Fetched { fetch, fetched: Fetched::Throttled { .. }, .. }
                if node.calls.contains(fetch) =>
            {
                Self::TellPause
            }
            Input::Invalidate { reach, .. } | Input::Passed { reach, .. } => {
                Self::Forget { reaches: vec![reach.clone()], tells: true }
            }
            Input::Refused { domain, refusal: Refusal::Change { prefixes }, .. } => {
                let scope = |prefix| Scope::Prefix { prefix, domain: Some(*domain) };
                let reach = Reach::doubt(prefixes.iter().cloned().map(scope));
                let is_shown = node.shows_as_certain(&reach);
                let reaches = is_shown.then_some(reach).into_iter().collect();
                Self::Forget { reaches, tells: is_shown }
            }
            Input::Refused { domain, refusal: Refusal::Read { prefixes }, .. } => {
                let scope = |prefix| Scope::Prefix { prefix, domain: Some(*domain) };
                let reach = Reach::forget(prefixes.iter().cloned().map(scope));
                Self::Forget { tells: node.shows(&reach), reaches: vec![reach] }
            }
            Input::Refused { domain, refusal: Refusal::Credential, .. } => {
                let reach = Reach::forget([Scope::Prefix { prefix: "".into(), domain: Some(*domain) }]);
                Self::Forget { tells: node.shows(&reach), reaches: vec![reach] }
            }
            Input::Received { message: Message::Invalidate(notice), .. } => {
                let reaches = notice.invalidations.iter().map(|it| it.reach.clone()).collect();
                Self::Forget { reaches, tells: false }
            }
            _ => Self::Usual,
        }
    }
}

impl World {
    /// Checks that `outputs` do what an input obliges to.
    pub(super) fn check_duty(&mut self, number: usize, duty: &Duty, members: &[PeerId], outputs: &[Output]) {
        let is_told = |peer: &PeerId, is_news: &dyn Fn(&Message) -> bool| {
            outputs.iter().any(|output| match output {
                Output::Send { to, message } => to.contains(peer) && is_news(message),
                _ => false,
            })
        };
        let untold = match duty {
            Duty::Forget { reaches, tells } => {
                let is_meant = |output: &Output| match output {
                    Output::Retract { key } => {
                        reaches.iter().any(|reach| reach.manner(key, OK) == Some(Manner::Forget))
                    }
                    _ => true,
                };
                if let Some(Output::Retract { key }) = outputs.iter().find(|output| !is_meant(output)) {
                    let text = format!("n{number} hides {key:?}, not meant by {reaches:?}");
                    return self.violate(Rule::HidesMore, text);
                }
                let means = |it: &Invalidation| reaches.contains(&it.reach);
                let is_news = |message: &Message| matches!(message, Message::Invalidate(it) if it.invalidations.iter().any(means));
                members.iter().find(|peer| *tells && !is_told(peer, &is_news))
            }
            Duty::TellPause => {
                let is_news = |message: &Message| matches!(message, Message::Quota { .. });
                members.iter().find(|peer| !is_told(peer, &is_news))
            }
            Duty::Usual => None,
        };
        if let Some(peer) = untold {
            self.violate(Rule::Told, format!("n{number} tells {peer:?} nothing of what concerns all"));
        }
    }

    /// Checks how much `outputs` are.
    pub(super) fn check_outputs(&mut self, number: usize, reasons: usize, outputs: &[Output]) {
        self.figures.outputs_most = self.figures.outputs_most.max(outputs.len());
        if outputs.len() > OUTPUTS_MAX + OUTPUTS_EACH * reasons {
            self.violate(Rule::Bounds, format!("{} outputs for {reasons} reasons", outputs.len()));
        }
        let mut invalidations: BTreeMap<&[PeerId], usize> = BTreeMap::new();
        for output in outputs {
            if let Output::Send { to, message: Message::Invalidate(notice) } = output {
                *invalidations.entry(to).or_default() += notice.invalidations.len();
            }
        }
        if let Some(most) = invalidations.into_values().max().filter(|most| *most > INVALIDATIONS_MAX) {
            self.violate(Rule::Bounds, format!("n{number} tells of {most} invalidations at once"));
        }
    }

    /// Checks the state that an engine shows after an input.
    pub(super) fn check_state(&mut self, number: usize) {
        let engine = &self.nodes[number].engine;
        // To list a thousand members after each input would take longer than all else.
        let is_small = self.nodes.len() <= LISTED_MAX;
        if is_small || engine.members_count() != self.watch.members_count(number) {
            let is_neighbour = |peer| engine.is_neighbour(peer);
            self.watch.on_members(number, engine.members(), &self.numbers, is_neighbour);
        }
        let links = engine.links_count();
        let alone_for = self.watch.on_links(number, links, self.now);
        let connections_max = self.plan.peers.connections_max;
        let is_alone = alone_for > ALONE_MAX && self.others_count(number) > 0;
        if is_alone {
            self.meter.on_alone(number);
        }
        if links > connections_max || (is_alone && !self.plan.goes_on && self.is_undisturbed()) {
            let others = self.others_count(number);
            let text = format!(
                "n{number} has {links} of {others}, for {alone_for:?} if none; {connections_max} at most"
            );
            return self.violate(Rule::Links, text);
        }
        self.check_found(number, alone_for);
        self.check_guests(number);
        let (node, settings) = (&self.nodes[number], &self.plan.settings);
        let engine = &node.engine;
        if engine.counters().bans > 0 {
            let banned = engine.peers().into_iter().filter(|it| matches!(it.state, PeerState::Banned(_)));
            let banned = banned.filter_map(|it| self.numbers.get(&it.peer?).copied()).collect();
            self.watch.on_banned(number, &banned, self.now);
        }
        let (entries, bytes) = (engine.entries_count(), engine.entries_bytes());
        let names = entries * node.names_count();
        let is_kept = entries <= settings.budget.entries_max
            && bytes <= settings.budget.bytes_max
            && engine.flights_count() <= settings.flights_max
            && engine.leases_count() <= self.plan.limits.leases_max
            && entries == node.published.len()
            && names == engine.names_count();
        if !is_kept {
            let (flights, leases) = (engine.flights_count(), engine.leases_count());
            let (seen, names) = (node.published.len(), engine.names_count());
            let text = format!(
                "{entries} entries ({seen} seen, {names} names), {bytes} bytes, {flights} flights, {leases} leases"
            );
            self.violate(Rule::Bounds, text);
        }
    }

    /// Checks that nothing is held beyond the time for which it is of use.
    pub(super) fn check_held(&mut self, number: usize) {
        let node = &self.nodes[number];
        let now = node.timestamp(self.now.saturating_sub(SLACK));
        let outdated = node.published.values().find(|entry| {
            let freshness = entry.freshness();
            let useful = freshness.while_revalidating.max(freshness.if_error);
            entry.fresh_until().saturating_add(useful.max(self.plan.settings.retention)) < now
        });
        if let Some(entry) = outdated {
            let text = format!("n{number} still holds {entry:?} at {now}");
            self.violate(Rule::Bounds, text);
        }
    }

    /// Checks that what takes the place of `number`'s entry is not older.
    pub(super) fn check_newer(&mut self, number: usize, entry: &cache_core::Entry) {
        let Some(old) = self.nodes[number].published.get(entry.key()) else { return };
        let known = |entry: &cache_core::Entry| self.ledger.fact(entry.content());
        let (Some((old_fact, old)), Some((fact, new))) = (known(old), known(entry)) else { return };
        if self.ledger.is_overtaken(fact, old_fact) {
            let text = format!("n{number} gives {old:?} up for {new:?}, which the same node put before");
            return self.violate(Rule::InOrder, text);
        }
        let put_at = self.watch.put_at(number, new.key);
        if self.landing.is_some_and(|(key, begun)| key == new.key && put_at.is_some_and(|at| at > begun)) {
            let text = format!("n{number} gives up what was put at {put_at:?} for {new:?}, asked for before");
            return self.violate(Rule::Newest, text);
        }
        let origin = &self.plan.origin;
        // An entry counts as old as the call for it; the origin may have said it later.
        let error = self.ledger.error(number, fact) + self.ledger.misdated + SLACK;
        let call = origin.latency + 7 * origin.jitter + 2 * self.nodes[number].delay;
        if new.at + error + call < old.at {
            self.violate(Rule::Newest, format!("n{number} gives {old:?} up for {new:?}, error {error:?}"));
        }
    }

    /// Checks that the origin, which failed a moment ago, is not called for what may be served without it.
    pub(super) fn check_held_off(&mut self, number: usize, key: usize) {
        let Some(held) = self.watch.held(number, key, self.now) else { return };
        let node = &self.nodes[number];
        let published = node.published.get(held.key());
        let is_held = published.is_some_and(|published| Arc::ptr_eq(published, held));
        if is_held && freshness::stands_in(held, &freshness::Grant::EVERYTHING, node.timestamp(self.now)) {
            let text = format!("n{number} calls for key {key} though the origin failed a moment ago");
            self.violate(Rule::Economy, text);
        }
    }

    /// Checks that a request does not fail without a reason.
    pub(super) fn check_failure(&mut self, number: usize, asked: &Asked, outcome: &Outcome) {
        let (Outcome::Failed(failure), Wanted::Entry { key, .. }) = (outcome, asked.wanted) else { return };
        if self.prompt.is_some() {
            let text = format!("n{number}: {asked:?} fails where nothing can: {failure}");
            return self.violate(Rule::WrongOutcome, text);
        }
        let wait = self.now - asked.at;
        if *failure == Failure::TimedOut && wait + ROUNDING < self.plan.settings.request_timeout {
            let text = format!("n{number}: {asked:?} is out of time after {wait:?}");
            return self.violate(Rule::WrongOutcome, text);
        }
        if let Failure::Throttled { .. } = failure {
            let domain = key / (self.plan.resources + 1);
            if let Err((rule, text)) = self.watch.on_throttled(number, domain, self.now) {
                self.violate(rule, text);
            }
        }
    }

    /// Checks that every node has noticed that the victim of a long pause says nothing.
    pub(super) fn check_missed(&mut self, event: usize, victim: usize) {
        let begun = self.plan.events[event].at;
        let Deed::Pause { lasts, .. } = self.plan.events[event].deed else { return };
        let nears = |other: &crate::plan::Event| {
            other.deed.is_fault()
                && other.at <= begun + lasts
                && other.at + other.deed.lasts() + COMING_TOGETHER >= begun
        };
        let is_alone = self.plan.events.iter().filter(|other| nears(other)).count() == 1;
        let network = &self.plan.network;
        let is_swift = network.loss_per_mille == 0 && network.latency < Duration::from_millis(50);
        if !is_alone || !is_swift || lasts < MISSED_AFTER || self.nodes.len() < 3 || self.is_healed {
            return;
        }
        let peer = self.nodes[victim].peer;
        for number in (0..self.nodes.len()).filter(|number| *number != victim && self.is_up(*number)) {
            if self.nodes[number].engine.members().contains(&peer) {
                let text = format!("n{number} takes n{victim} for a member, who says nothing for {lasts:?}");
                return self.violate(Rule::Membership, text);
            }
        }
    }

    /// Whether nothing has happened so far that could keep a node from others, unless these do not let it in.
    fn is_undisturbed(&self) -> bool {
        let begun = |event: &&crate::plan::Event| STARTING + event.at <= self.now;
        let disturbs =
            |event: &crate::plan::Event| event.deed.is_fault() && !matches!(event.deed, Deed::Join { .. });
        let network = &self.plan.network;
        self.plan.dialing == Dialing::Ordered
            && network.loss_per_mille == 0
            && network.latency < Duration::from_millis(50)
            && !self.plan.events.iter().filter(begun).any(disturbs)
    }

    /// How many nodes are up besides `number`.
    fn others_count(&self, number: usize) -> usize {
        (0..self.nodes.len()).filter(|other| *other != number && self.is_up(*other)).count()
    }

    /// Nodes that are up and mean no harm.
    pub(super) fn honest(&self) -> Vec<usize> {
        let liars: &BTreeSet<usize> = &self.liars;
        (0..self.nodes.len()).filter(|node| self.is_up(*node) && !liars.contains(node)).collect()
    }
}

/// Nodes of the largest fleet in which members are compared one by one after each input; beyond, when there are more or
/// fewer.
const LISTED_MAX: usize = 64;

/// Outputs that one input may have without any reason, and with each request, entry, member, or thing to confirm.
const OUTPUTS_MAX: usize = 128;
const OUTPUTS_EACH: usize = 8;

/// Invalidations that are remembered at most, and so told to a newcomer, as the core has it.
const INVALIDATIONS_MAX: usize = 1024;

/// Time in which a node that proves to be a member meets another.
pub(super) const ALONE_MAX: Duration = Duration::from_secs(10);

/// Clocks show whole milliseconds.
const SLACK: Duration = Duration::from_millis(5);

/// Silence after which no node takes another for a member: the periods of SWIM, several times over.
const MISSED_AFTER: Duration = Duration::from_secs(10);

/// Time after a fault in which members may still be finding together.
const COMING_TOGETHER: Duration = Duration::from_secs(40);

/// How many a coordinator asks before it lets a member fetch.
pub(super) const DEPUTIES_MAX: usize = 2;

/// How often a member asks others on behalf of one that asked it, as the core has it.
pub(super) const INQUIRY_TRIES: usize = 3;
