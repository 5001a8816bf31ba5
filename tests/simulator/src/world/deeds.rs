//! What the events of a plan do.

use super::{Happening, World};
use crate::{
    ledger::{Fact, Means, OK, Rule, Wanted, prefix},
    node::{Arrival, GENERATIONS_MAX, State, Wish, issuer},
    origin::content,
    plan::Deed,
};
use cache_core::{
    Bucket, Domain, Draft, Figures, Input, Key, OrderId, Outcome, Reached, Refusal, RequestId, Served,
    Validators,
    freshness::{self, Directives},
    message::{Reach, Scope},
};
use std::time::Duration;

impl World {
    pub(super) fn perform_deed(&mut self, number: usize) {
        let event = self.plan.events[number].clone();
        self.transcript.note(format_args!("{:?} {:?}", self.now, event.deed));
        let nodes = self.plan.nodes;
        match event.deed {
            Deed::AskPeer { node, peer, key } => {
                let key = self.key(key);
                self.wish(node % nodes, Wish::AskPeer { peer: peer % nodes, key });
            }
            Deed::Break { a, b, notice_max } => {
                if a % nodes != b % nodes {
                    self.break_off(a % nodes, b % nodes, notice_max);
                }
            }
            Deed::Cancel { node, pick } => self.wish(node % nodes, Wish::Cancel { pick }),
            Deed::Clear { node } => self.wish(node % nodes, Wish::Clear),
            Deed::ClockStep { node, by_millis } => self.nodes[node % nodes].wall += by_millis * 1000,
            Deed::Count { node } => self.wish(node % nodes, Wish::Count),
            Deed::Crash { victim, down_for, keeps_disk } => {
                if let Some(node) = self.node_hit(victim).filter(|node| self.is_up(*node)) {
                    self.crash(node);
                    if !keeps_disk {
                        self.nodes[node].lose_disk();
                        self.watch.on_disk_lost(node);
                    }
                    self.schedule(self.now + down_for, Happening::Start { node });
                }
            }
            Deed::Crowd { node, key, clients } => {
                for _ in 0..clients {
                    let wish = self.reading(key, Directives::default());
                    self.wish(node % nodes, wish);
                }
            }
            Deed::Get { node, key, directives } => {
                let wish = self.reading(key, directives);
                self.wish(node % nodes, wish);
            }
            Deed::Herd { key, within } => {
                for node in 0..nodes {
                    let wish = Arrival::Wish(self.reading(key, Directives::default()));
                    let at = self.now + self.random.up_to(within);
                    self.schedule_arrival(at, node, wish);
                }
            }
            Deed::Join { node } => self.start(node % nodes),
            Deed::Leave { node } => self.leave(node % nodes),
            Deed::Lie { liar, victim, lie } => self.lie(number, liar % nodes, victim % nodes, lie),
            Deed::CutOff { .. }
            | Deed::Outage { .. }
            | Deed::Partition { .. }
            | Deed::Pause { .. }
            | Deed::Slow { .. } => {
                self.begin_deed(number, &event.deed);
            }
            Deed::Ping { node, peer } => self.wish(node % nodes, Wish::Ping { peer: peer % nodes }),
            Deed::Doubt { node, .. }
            | Deed::Invalidate { node, .. }
            | Deed::InvalidatePrefix { node, .. }
            | Deed::Put { node, .. }
            | Deed::Refuse { node, .. } => {
                let wish = self.write_of(&event.deed);
                self.wish(node % nodes, wish);
            }
            Deed::Grant { .. } | Deed::Kin { .. } | Deed::Restrict { .. } | Deed::Revoke { .. } => {
                self.perform_deed_of_rights(&event.deed);
            }
            Deed::Rotate { node } => self.rotate(node % nodes),
        }
    }

    /// What a deed that writes has a node do.
    fn write_of(&self, deed: &Deed) -> Wish {
        let key_of = |number: usize| self.ledger.keys[self.key(number)].clone();
        match *deed {
            Deed::Doubt { key, letters, every_domain, .. } => {
                Wish::Invalidate(prefix_reach(&key_of(key), letters, every_domain).uncertain())
            }
            Deed::Invalidate { key, .. } => Wish::Invalidate(Reach::forget([Scope::Key(key_of(key))])),
            Deed::InvalidatePrefix { key, letters, every_domain, .. } => {
                Wish::Invalidate(prefix_reach(&key_of(key), letters, every_domain))
            }
            Deed::Put { key, .. } => Wish::Put { key: self.key(key) },
            Deed::Refuse { key, letters, .. } => {
                let key = key_of(key);
                Wish::Refuse { domain: key.domain(), prefix: prefix(resource_number(&key), letters).into() }
            }
            ref other => unreachable!("{other:?} writes nothing"),
        }
    }

    /// A node that has got no further than any other in changing the secret goes on to what comes next: by turns while it
    /// runs, and by a restart.
    fn rotate(&mut self, node: usize) {
        let least = self.nodes.iter().map(|node| node.stage).min().unwrap_or_default();
        let most = 3 * (GENERATIONS_MAX - 1);
        if self.is_up(node) && self.nodes[node].stage == least && least < most {
            if (self.nodes[node].stage + node as u64).is_multiple_of(2) {
                self.nodes[node].rename();
                return self.handle(node, Input::Renamed);
            }
            self.leave(node);
            self.nodes[node].stage += 1;
            self.schedule(self.now + RESTART, Happening::Start { node });
        }
    }

    /// Begins a deed that has an end.
    fn begin_deed(&mut self, number: usize, deed: &Deed) {
        let lasts = match *deed {
            Deed::CutOff { node, lasts } => {
                self.origin.cut_off(number, node % self.plan.nodes);
                lasts
            }
            Deed::Outage { kind, lasts } => {
                self.origin.fail(number, kind);
                lasts
            }
            Deed::Partition { side, one_way, lasts } => {
                let blocked = self.network.part(number, side, one_way);
                self.expect_idle(blocked);
                lasts
            }
            Deed::Pause { victim, lasts } => {
                let Some(node) = self.node_hit(victim).filter(|node| self.nodes[*node].state == State::Up)
                else {
                    return;
                };
                self.victims.insert(number, node);
                self.nodes[node].state = State::Paused;
                self.nodes[node].held_up += lasts;
                let connections = self.connections(node);
                self.expect_idle(
                    connections.into_iter().map(|(peer, number)| (node, peer, number)).collect(),
                );
                lasts
            }
            Deed::Slow { node, delay, lasts } => {
                let node = node % self.plan.nodes;
                self.victims.insert(number, node);
                self.nodes[node].delay = delay;
                lasts
            }
            ref other => unreachable!("{other:?} has no end"),
        };
        self.schedule(self.now + lasts, Happening::End(number));
    }

    pub(super) fn end_deed(&mut self, number: usize) {
        match self.plan.events[number].deed {
            Deed::CutOff { .. } | Deed::Outage { .. } => self.origin.recover(number, self.now),
            Deed::Partition { .. } => {
                for (at, frame) in self.network.heal(self.now, number) {
                    self.schedule(at, Happening::Frame(frame));
                }
            }
            Deed::Pause { .. } => {
                if let Some(node) = self.victims.remove(&number)
                    && self.nodes[node].state == State::Paused
                {
                    self.check_missed(number, node);
                    self.nodes[node].state = State::Up;
                    self.work(node);
                    let run = self.nodes[node].run;
                    self.wake(node, run);
                }
            }
            Deed::Slow { .. } => {
                if let Some(node) = self.victims.remove(&number) {
                    self.nodes[node].delay = Duration::ZERO;
                }
            }
            ref other => unreachable!("{other:?} has no end"),
        }
    }

    /// A client's wish for what events mean by `number`.
    pub(super) fn reading(&self, number: usize, directives: Directives) -> Wish {
        Wish::Get { key: self.key(number), credential: self.credential(number), directives }
    }

    pub(super) fn wish(&mut self, node: usize, wish: Wish) {
        let run = self.nodes[node].run;
        self.arrive(node, run, Arrival::Wish(wish));
    }

    /// A client or program wants something of a node.
    pub(super) fn grant(&mut self, number: usize, wish: Wish) {
        match wish {
            Wish::AskPeer { peer, key } => {
                self.watch.allow_asks(number, key, 1);
                let request = self.ask(number, Wanted::PeersEntry { key });
                let (peer, key) = (self.nodes[peer].peer, self.ledger.keys[key].clone());
                self.handle(number, Input::AskPeer { request, peer, key });
            }
            Wish::Cancel { pick } => self.cancel(number, pick),
            Wish::Clear => {
                for key in 0..self.ledger.keys.len() {
                    self.watch.allow_asks(number, key, self.plan.limits.asks_max);
                }
                let request = self.ask(number, Wanted::Written);
                self.handle(number, Input::Clear { order: OrderId(request.0) });
            }
            Wish::Count => {
                let figures =
                    Figures { api_calls: self.nodes[number].engine.counters().fetches, ..<_>::default() };
                self.handle(number, Input::Counted { figures });
            }
            Wish::Get { key, credential, directives } => self.get(number, key, credential, directives),
            Wish::Invalidate(reach) => self.invalidate(number, reach),
            Wish::Ping { peer } => {
                let request = self.ask(number, Wanted::Pong);
                self.handle(number, Input::Ping { order: OrderId(request.0), peer: self.nodes[peer].peer });
            }
            Wish::Refuse { domain, prefix } => self.refuse(number, domain, prefix),
            Wish::Put { key } => {
                self.watch.allow_asks(number, key, self.plan.limits.asks_max);
                self.watch.on_put(number, key, self.now);
                let request = self.ask(number, Wanted::Written);
                let freshness = self.plan.origin.freshness;
                let (at, source) = (self.now, key);
                let fact = Fact { key, credential: 0, source, version: 0, at, means: Means::Put, freshness };
                let fact = self.ledger.learn_fact(fact);
                self.ledger.on_put(fact, &self.nodes[number]);
                let content = content(key, 0, fact, 200, self.put_bytes(key, fact));
                let draft =
                    Draft { content, freshness, validators: Validators::default(), age: Duration::ZERO };
                self.ideal_until.insert(key, self.now + freshness.lifetime);
                let (order, key) = (OrderId(request.0), self.ledger.keys[key].clone());
                self.handle(number, Input::Put { order, key, draft });
            }
        }
    }

    /// As a driver does: what readers see and is fresh needs no engine.
    fn get(&mut self, number: usize, key: usize, credential: usize, directives: Directives) {
        self.count_request(key, credential, &directives);
        self.watch.allow_asks(number, key, self.plan.limits.asks_max);
        let number_of_key = key;
        let request = self.ask(number, Wanted::Entry { key, credential, directives });
        let asker = self.asker(key, credential);
        let node = &self.nodes[number];
        let key = self.ledger.keys[key].clone();
        let found = node.published.get(&key).filter(|_| directives == Directives::default()).cloned();
        let timestamp = node.timestamp(self.now);
        let found = found.filter(|entry| node.desk.permits(asker, entry, timestamp));
        let reader = node.desk.reader(asker, self.payer(asker));
        let borrows = node.desk.borrows(asker.resource, self.now);
        if let Some(entry) = found.filter(|entry| !freshness::remaining(entry, timestamp).is_zero()) {
            entry.mark_visited();
            self.transcript.note(format_args!("{:?} n{number} {request:?} hit {entry:?}", self.now));
            return self.complete(number, request, &Outcome::Answered { entry, served: Served::Hit });
        }
        let (bucket, kin_wait) = (Bucket(0), borrows.then_some(KIN_WAIT));
        self.handle(
            number,
            Input::Get { request, key, directives, bucket, priority: self.plan.priority, reader, kin_wait },
        );
        let most = self.plan.settings.waiters_max;
        // Forgetting everything sets flights apart that are not counted.
        if most < CROWD_MIN && !self.clears {
            let (waiting, most) = self.ledger.waiting(number, number_of_key, most);
            if waiting > most {
                let text = format!("{waiting} wait at n{number} for key {number_of_key}, {most} may");
                self.violate(Rule::Bounds, text);
            }
        }
    }

    fn cancel(&mut self, number: usize, pick: usize) {
        // What is due comes first: it may be the answer.
        self.handle(number, Input::Tick);
        let is_meant = |asked: &crate::ledger::Asked| {
            asked.node == number && matches!(asked.wanted, Wanted::Entry { .. })
        };
        let waiting: Vec<RequestId> = self
            .ledger
            .requests
            .iter()
            .filter(|(_, asked)| is_meant(asked))
            .map(|(request, _)| *request)
            .collect();
        if let Some(request) = pick.checked_rem(waiting.len()).map(|pick| waiting[pick]) {
            self.ledger.requests.remove(&request);
            self.figures.lost += 1;
            self.handle(number, Input::Cancel { request });
        }
    }

    fn invalidate(&mut self, number: usize, reach: Reach) {
        let request = self.ask(number, Wanted::Written);
        self.issue(number, Some(request), &reach);
        let order = OrderId(request.0);
        // A user ordered it, or a write left it behind.
        let input = match order.0.is_multiple_of(2) {
            true => Input::Invalidate { order, reach },
            false => Input::Passed {
                order,
                reach,
                reached: Reached::Unknown,
                refused: None,
                allowance: None,
                is_counted: false,
                pause: None,
            },
        };
        self.handle(number, input);
    }

    /// The origin refuses a change. A node that shows nothing of what that is about has nothing to doubt.
    fn refuse(&mut self, number: usize, domain: Domain, prefix: Box<str>) {
        // What is due comes first, and may hide what is shown.
        self.handle(number, Input::Tick);
        let reach = Reach::doubt([Scope::Prefix { prefix: prefix.clone(), domain: Some(domain) }]);
        if self.nodes[number].shows_as_certain(&reach) {
            self.issue(number, None, &reach);
        }
        let refusal = Refusal::Change { prefixes: vec![prefix] };
        self.handle(number, Input::Refused { domain, refusal, fetch: None });
    }

    /// Notes that `number` is about to end what `reach` means.
    pub(super) fn issue(&mut self, number: usize, request: Option<RequestId>, reach: &Reach) {
        let issuer = issuer(number, self.nodes[number].run);
        self.ledger.on_issued(number, issuer, self.now, (request, reach.clone()));
        let keys = &self.ledger.keys;
        for key in (0..keys.len()).filter(|key| reach.covers(&keys[*key], OK)) {
            self.watch.allow_asks(number, key, self.plan.limits.asks_max);
        }
        self.ideal_until.retain(|key, _| !reach.covers(&keys[*key], OK));
    }

    /// The length of a value. Where values may be long, every other one is: it is overtaken by the next.
    fn put_bytes(&self, key: usize, fact: u64) -> usize {
        let most = self.plan.origin.body_bytes_max;
        if most >= PUT_LONG_MIN && fact.is_multiple_of(2) { most } else { self.origin.body_bytes(key, 0) }
    }

    fn ask(&mut self, number: usize, wanted: Wanted) -> RequestId {
        self.ledger.ask(&self.nodes[number], self.now, wanted)
    }
}

/// The reach that forgets everything whose number begins as that of `key`.
fn prefix_reach(key: &Key, letters: usize, every_domain: bool) -> Reach {
    let domain = (!every_domain).then(|| key.domain());
    Reach::forget([Scope::Prefix { prefix: prefix(resource_number(key), letters).into(), domain }])
}

fn resource_number(key: &Key) -> usize {
    key.resource().rsplit('/').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Time that a process takes to start anew.
const RESTART: Duration = Duration::from_secs(1);

/// The least longest body with which every other value is so long.
const PUT_LONG_MIN: usize = 512 * 1024;

/// Requests that may wait together before their number is checked.
const CROWD_MIN: usize = 64;

/// For how long a reader waits for a call for another domain, as the adapter has it wait at first.
const KIN_WAIT: Duration = Duration::from_secs(1);
