//! What reaches an engine, and what its outputs do.

use super::{
    Happening, World,
    lying::{is_forged, is_rumour},
    watching::{DEPUTIES_MAX, Duty, INQUIRY_TRIES},
};
use crate::{
    figures::message_name,
    ledger::{Circumstances, OK, ROUNDING, Rule, Wanted},
    network::{Frame, Payload},
    node::{Arrival, State, address, issuer},
    origin::Call,
    random::micros,
};
use cache_core::{
    Allowance, Audience, Candidate, Disk, FetchId, Fetched, Input, Key, LoadId, Message, Offence, OrderId,
    Outcome, Output, PeerId, Reader, RequestId, Served, codec,
    message::{Announced, Answer, Invalidation, Role},
    port::Side,
};
use std::{fmt, mem, sync::Arc, time::Duration};

impl World {
    /// Something reaches a node, which deals with it when it can.
    pub(super) fn arrive(&mut self, number: usize, run: u32, arrival: Arrival) {
        let node = &mut self.nodes[number];
        if node.run == run && node.state != State::Down {
            node.inbox.push_back(arrival);
            self.work(number);
        }
    }

    /// A node deals with what has come, as far as it is not stopped or busy.
    pub(super) fn work(&mut self, number: usize) {
        loop {
            let node = &mut self.nodes[number];
            if node.state != State::Up || node.busy_until > self.now || self.violation.is_some() {
                return;
            }
            let Some(arrival) = node.inbox.pop_front() else { return };
            if !node.delay.is_zero() {
                node.busy_until = self.now + node.delay;
                node.held_up += node.delay;
                let (at, run) = (node.busy_until, node.run);
                self.schedule(at, Happening::Wake { node: number, run });
            }
            self.take(number, arrival);
        }
    }

    fn take(&mut self, number: usize, arrival: Arrival) {
        match arrival {
            Arrival::Connected { peer, connection, dialed } => {
                if self.network.connection(number, peer) != Some(connection) {
                    return;
                }
                if let Some(old) = self.nodes[number].connected.get(&peer).copied() {
                    self.lose(number, peer, old);
                }
                self.nodes[number].connected.insert(peer, connection);
                self.meter.on_connected(number, self.nodes[number].connected.len());
                self.watch.on_linked(number, peer, self.now);
                let side = if dialed { Side::Dialer } else { Side::Listener };
                let address = address(peer);
                let (features, peer) = (self.plan.features(peer), self.nodes[peer].peer);
                self.handle(number, Input::Connected { peer, address, side, features });
            }
            Arrival::Disconnected { peer, connection } => self.lose(number, peer, connection),
            Arrival::Fetched { mut fetched, call, allowance } => {
                use Fetched::{Fresh, NotModified, Proven};
                if let Fresh(draft) | NotModified(draft) | Proven(draft) = &mut fetched {
                    // As RFC 9111, section 4.2.3, has it: the whole call counts.
                    draft.age = self.now - call.begun;
                }
                self.fetched(number, fetched, &call, allowance);
            }
            Arrival::Frame(frame) => self.receive(number, &frame),
            Arrival::Input(input) => {
                match input {
                    Input::DialFailed { .. } => self.on_dial_failed(number),
                    Input::Removed { removal } => self.nodes[number].on_durable(removal),
                    _ => {}
                }
                self.handle(number, input);
            }
            Arrival::Wish(wish) => self.grant(number, wish),
        }
    }

    fn fetched(&mut self, number: usize, fetched: Fetched, call: &Call, allowance: Option<Allowance>) {
        // What is due comes first: the fetch may have been given up.
        self.handle(number, Input::Tick);
        let (fetch, reached) = (call.fetch, fetched.reached());
        if !self.nodes[number].calls.contains(&fetch) {
            return self.handle(number, Input::Fetched { fetch, fetched, reached, allowance });
        }
        self.on_judged(number, call, &fetched);
        let (mut fails, mut outdates) = (false, false);
        match &fetched {
            Fetched::Throttled { retry_after, .. } => {
                let domain = call.key / (self.plan.resources + 1);
                self.watch.on_pause(number, domain, self.now + *retry_after);
            }
            Fetched::Unstorable { content, audience } => {
                self.refused = self.ledger.refused(content);
                outdates = *audience == Audience::Domain;
            }
            Fetched::Failed(_) | Fetched::Fault { .. } => fails = true,
            Fetched::Fresh(_)
            | Fetched::NotModified(_)
            | Fetched::Proven(_)
            | Fetched::Oversize
            | Fetched::Spent(..) => {}
        }
        self.landing = Some((call.key, call.begun));
        self.handle(number, Input::Fetched { fetch, fetched, reached, allowance });
        (self.refused, self.landing) = (None, None);
        let held = self.nodes[number].published.get(&self.ledger.keys[call.key]);
        if fails {
            self.watch.on_failed(number, call.key, held, self.now + self.plan.settings.hold_off);
        }
        let asked_about = call.candidate.as_ref().and_then(Candidate::own).filter(|_| outdates);
        if asked_about.is_some_and(|entry| held.is_some_and(|held| Arc::ptr_eq(held, entry))) {
            let text = format!("n{number} still holds what the origin proved outdated: {held:?}");
            self.violate(Rule::Newest, text);
        }
    }

    /// A node notices that a connection is gone, unless it has noticed before.
    fn lose(&mut self, number: usize, peer: usize, connection: u64) {
        // What is due comes first, and may be something to say to that peer.
        self.handle(number, Input::Tick);
        if self.nodes[number].connected.get(&peer) == Some(&connection) {
            self.nodes[number].connected.remove(&peer);
            self.handle(number, Input::Disconnected { peer: self.nodes[peer].peer });
            self.watch.on_lost(number, peer);
        }
    }

    fn receive(&mut self, number: usize, frame: &Frame) {
        if self.nodes[number].connected.get(&frame.from) != Some(&frame.connection) {
            return;
        }
        self.judge(|world| world.watch.on_told(frame.from, number, frame.sent));
        let from = self.nodes[frame.from].peer;
        let message = match &*frame.payload {
            Payload::Encoded { bytes, .. } => codec::decode_message(bytes).expect("members speak as we do"),
            Payload::Garbage(_) => {
                self.handle(number, Input::Misbehaved { peer: from, offence: Offence::Malformed });
                return self.count_offence(frame.from, number);
            }
            Payload::Plain { message, .. } => message.clone(),
        };
        self.ledger.on_heard(frame.from, number, frame.sent, self.now, &message);
        let traffic = &self.plan.peers.traffic;
        if self.liars.contains(&frame.from) && self.watch.on_liar_heard(number, frame.from, self.now, traffic)
        {
            self.violate(Rule::Banned, format!("n{number} puts up with a flood from n{}", frame.from));
        }
        if matches!(message, Message::Quota { .. }) {
            // What is due comes first, and may be a call.
            self.handle(number, Input::Tick);
        }
        let is_offence = self.hear(frame.from, number, &message);
        if matches!(&message, Message::Answer { ask, .. } if is_forged(*ask)) {
            // The engine of a liar knows nothing of what it asked for.
            return;
        }
        let bytes = frame.payload.frame_bytes();
        let members = self.askers_count(number);
        let (askers, members) = self.meter.on_heard((frame.from, number, members), bytes, &message, self.now);
        self.check_fan_in(number, askers, members);
        let pause =
            if let Message::Quota { payer, pause, .. } = &message { Some((*payer, *pause)) } else { None };
        let dropped = self.nodes[number].engine.counters().messages_dropped;
        self.handle(number, Input::Received { from, message, bytes });
        // What is more than its sender may send is dropped, and has no effect.
        let was_heard = self.nodes[number].engine.counters().messages_dropped == dropped;
        if let Some((payer, pause)) = pause.filter(|_| was_heard) {
            let domain = usize::from(payer.as_bytes()[0].saturating_sub(1));
            self.watch.on_pause(number, domain, self.now + pause);
        }
        if is_offence && was_heard {
            self.count_offence(frame.from, number);
        }
    }

    /// Notes what a message obliges its receiver to, before the receiver has it. Returns whether it is an offence.
    fn hear(&mut self, from: usize, number: usize, message: &Message) -> bool {
        match message {
            Message::Answer { ask, answer } => {
                let is_in_time = self.watch.on_answer_heard(number, from, *ask, self.now);
                let Answer::Hit(parcel) = answer else { return false };
                is_in_time.is_some_and(|name| {
                    self.ledger.key_named(&name) != self.ledger.key_number(&parcel.key)
                        && self.liars.contains(&from)
                })
            }
            Message::Ask { ask, name, role, kin_wait: _ } => {
                self.watch.on_asked(number, from, *ask, *name);
                if let (Role::Coordinator, Some(key)) = (role, self.ledger.key_named(name)) {
                    // A new member asks those that coordinated before it, and heavier members on behalf of others.
                    self.watch.allow_asks(number, key, DEPUTIES_MAX + INQUIRY_TRIES);
                }
                false
            }
            Message::Invalidate(notice) => {
                self.watch.on_owing(number, from, notice.receipt);
                for key in 0..self.ledger.keys.len() {
                    let covers = |it: &Invalidation| it.reach.covers(&self.ledger.keys[key], OK);
                    let count = notice.invalidations.iter().filter(|it| covers(it)).count();
                    self.watch.allow_asks(number, key, count * self.plan.limits.asks_max);
                }
                false
            }
            Message::Digest(digest) => {
                self.watch.on_owing(number, from, digest.receipt);
                false
            }
            Message::District(_) | Message::Guest(_) => false,
            Message::Membership(_) => self.liars.contains(&from) && is_rumour(message),
            Message::Pong { .. } => {
                self.on_first_heard(number);
                false
            }
            Message::WarmUp { .. } => {
                self.watch.on_warm_up_asked(number, from);
                false
            }
            Message::Announce(_)
            | Message::Claim { .. }
            | Message::Figures(_)
            | Message::Forgotten { .. }
            | Message::Origin { .. }
            | Message::Ping { .. }
            | Message::Allowances(_)
            | Message::CallNumbers(_)
            | Message::Quota { .. }
            | Message::Release { .. }
            | Message::WarmedUp { .. }
            | Message::Writes(_) => false,
        }
    }

    fn count_offence(&mut self, liar: usize, number: usize) {
        if self.watch.on_offence(number, liar, self.now) {
            self.violate(Rule::Banned, format!("n{number} puts up with everything from n{liar}"));
        }
    }

    fn judge(&mut self, judged: impl FnOnce(&mut Self) -> Result<(), (Rule, String)>) {
        if let Err((rule, text)) = judged(self) {
            self.violate(rule, text);
        }
    }

    pub(super) fn wake(&mut self, number: usize, run: u32) {
        let node = &mut self.nodes[number];
        if node.run != run || node.state != State::Up {
            return;
        }
        self.work(number);
        let node = &mut self.nodes[number];
        if node.busy_until > self.now || node.wake_at.is_none_or(|at| at > self.now) {
            return;
        }
        node.wake_at = None;
        node.wakes = if node.wakes.0 == self.now { (self.now, node.wakes.1 + 1) } else { (self.now, 0) };
        if node.wakes.1 > WAKES_MAX {
            let due = node.engine.poll_timeout();
            return self.violate(Rule::Timers, format!("n{number} is woken again and again: {due:?}"));
        }
        self.handle(number, Input::Tick);
    }

    /// Puts `input` into an engine and performs all that comes out.
    pub(super) fn handle(&mut self, number: usize, input: Input) {
        if !matches!(Duty::of(&input, &self.nodes[number]), Duty::Usual) {
            // What is due comes first, and is judged for itself.
            self.handle(number, Input::Tick);
        }
        let now = self.now;
        let node = &mut self.nodes[number];
        let duty = Duty::of(&input, node);
        let members = match &duty {
            Duty::Forget { .. } | Duty::TellPause => node.engine.members(),
            Duty::Usual => Vec::new(),
        };
        let entries_before = node.engine.entries_count();
        let unconfirmed = node.engine.counters().forgettings_unconfirmed;
        node.engine.handle(node.timestamp(now), input);
        self.unconfirmed = node.engine.counters().forgettings_unconfirmed - unconfirmed;
        let outputs: Vec<Output> = std::iter::from_fn(|| node.engine.poll_output()).collect();
        // What was restored, or had to leave.
        let entries = entries_before.max(node.engine.entries_count());
        let due = node.engine.poll_timeout().map(|(due, _)| node.true_time(due).max(now));
        if due != node.wake_at {
            node.wake_at = due;
            let run = node.run;
            due.into_iter().for_each(|at| self.schedule(at, Happening::Wake { node: number, run }));
        }
        let owed = self.watch.owed_count(number);
        let reasons = self.ledger.requests.len() + entries + self.nodes.len() + owed;
        self.check_outputs(number, reasons, &outputs);
        self.check_duty(number, &duty, &members, &outputs);
        for output in outputs {
            self.perform(number, output);
        }
        self.check_state(number);
        self.note_outage(number);
    }

    fn perform(&mut self, number: usize, output: Output) {
        if let Output::Send { to, message } = output {
            return self.send(number, &to, message);
        }
        self.transcript.note(format_args!("{:?} n{number} {output:?}", self.now));
        let node = &mut self.nodes[number];
        match output {
            Output::CancelFetch { fetch } => {
                node.calls.remove(&fetch);
            }
            Output::Complete { request, outcome } => self.complete(number, request, &outcome),
            Output::Depart { .. } | Output::Withheld { .. } => unreachable!("nothing passes by"),
            Output::Ponged { order, clock } => self.done(number, order, Wanted::Pong, &clock),
            Output::Removed { order, .. } | Output::Stored { order } => {
                self.done(number, order, Wanted::Written, &"done");
            }
            Output::Dial { address } => {
                self.on_dial(number);
                self.dial_ordered(number, address);
            }
            Output::Disconnect { peer } => {
                if let Some(other) = self.numbers.get(&peer).copied() {
                    self.break_off(number, other, Duration::ZERO);
                }
            }
            Output::Fetch { fetch, leader, candidate } => self.call(number, fetch, leader, candidate),
            Output::Forget { request } => {
                if node.retained.remove(&request).is_none() {
                    self.violate(Rule::Retained, format!("{request:?} was not retained"));
                }
            }
            Output::Load { load, key } => self.load(number, load, &key),
            Output::Persist { entry } => {
                node.disk.insert(entry.key().clone(), codec::encode_entry(&entry));
            }
            Output::Publish { entry } => {
                self.check_newer(number, &entry);
                let node = &mut self.nodes[number];
                node.published.insert(entry.key().clone(), entry);
            }
            Output::Remove { removal, scopes, doubted } => {
                node.remove(removal, &scopes, doubted.as_ref());
                if let Some(removal) = removal {
                    let after = self.random.up_to(DISK_LATENCY);
                    let is_stuck = (micros(after) + 1).is_multiple_of(self.plan.disk_stuck_one_in);
                    let after = if is_stuck { STUCK_TIMES * after } else { after };
                    let report = Arrival::Input(Input::Removed { removal });
                    self.schedule_arrival(self.now + after, number, report);
                }
            }
            Output::Retain { request } => {
                match self.ledger.requests.get(&request).map(|asked| asked.wanted) {
                    Some(Wanted::Entry { key, credential, .. }) => {
                        node.retained.insert(request, (key, credential));
                    }
                    other => self.violate(Rule::Retained, format!("{request:?} is {other:?}")),
                }
            }
            Output::Retract { key } => {
                node.published.remove(&key);
            }
            Output::Send { .. } => unreachable!("sent before"),
            Output::Remember { members } => node.remembered = members,
            Output::Seek => self.look_for(number),
            Output::Joined { .. } | Output::Twins { .. } => {}
        }
    }

    /// An order ended. It has a number of the requests', so that one ledger holds both.
    fn done(&mut self, number: usize, order: OrderId, kind: Wanted, ending: &dyn fmt::Debug) {
        let request = RequestId(order.0);
        let circumstances = (&self.nodes[number], self.now, self.plan.settings.request_timeout);
        match self.ledger.take(circumstances, request, ending) {
            Ok(asked) if mem::discriminant(&asked.wanted) == mem::discriminant(&kind) => {
                // One that the disk took too long for is answered all the same, and counted: it promises nothing.
                let is_given_up = self.unconfirmed > 0 && self.now + ROUNDING >= asked.at + DURABLE_WITHIN;
                if is_given_up {
                    self.unconfirmed -= 1;
                } else {
                    self.ledger.durable.on_answered(number, request);
                }
            }
            Ok(asked) => {
                let text = format!("n{number}: {:?} ends as {kind:?}", asked.wanted);
                self.violate(Rule::WrongOutcome, text);
            }
            Err((rule, text)) => self.violate(rule, format!("n{number}: {text}")),
        }
    }

    pub(super) fn complete(&mut self, number: usize, request: RequestId, outcome: &Outcome) {
        let circumstances = Circumstances {
            node: &self.nodes[number],
            now: self.now,
            request_timeout: self.plan.settings.request_timeout,
            lifetime_max: self.plan.limits.freshness_max.lifetime,
            refused: self.refused,
        };
        let held_up = self.nodes[number].held_up;
        match self.ledger.complete(&circumstances, request, outcome) {
            Ok((asked, age)) => {
                self.check_failure(number, &asked, outcome);
                self.check_line(number, outcome);
                self.check_returned(number, outcome);
                self.check_rights(number, &asked, outcome);
                self.ledger.durable.on_answered(number, request);
                if let Wanted::Entry { key, .. } = asked.wanted {
                    self.figures.count_outcome(outcome);
                    self.count_service(key, outcome);
                    let wait = self.now - asked.at;
                    // Each write sends the waiters back to the beginning.
                    let rounds = 1 + self.ledger.writes_since(&asked);
                    if self.prompt.is_some_and(|most| wait > most * rounds) {
                        let text = format!("n{number}: {request:?} took {wait:?}: {outcome:?}");
                        self.violate(Rule::Prompt, text);
                    }
                    let most = self.plan.demands.wait_max.map(|most| most + (held_up - asked.held_up));
                    if most.is_some_and(|most| wait > most) {
                        let text = format!("n{number}: {request:?} took {wait:?} of {most:?}: {outcome:?}");
                        self.violate(Rule::Prompt, text);
                    }
                    self.figures.waits.push(wait.as_millis() as u64);
                    self.figures.ages.extend(age.map(|age| age.as_millis() as u64));
                }
            }
            Err((rule, text)) => self.violate(rule, format!("n{number}: {text}")),
        }
    }

    /// Notes how well a client was served.
    fn count_service(&mut self, key: usize, outcome: &Outcome) {
        let answer = match outcome {
            Outcome::Answered { entry, served } => Some((entry, *served)),
            Outcome::Absent | Outcome::Failed(_) | Outcome::Pass | Outcome::Relayed { .. } => None,
        };
        let Some((entry, served)) = answer else { return self.figures.service.on_refused(self.now) };
        if let Served::Stale(_) = served {
            self.figures.service.on_stale(self.now);
        }
        if let Some((_, fact)) = self.ledger.fact(entry.content()) {
            self.figures.service.on_answered(self.origin.outdated(self.now, key, fact.at));
        }
    }

    fn call(&mut self, number: usize, fetch: FetchId, leader: RequestId, candidate: Option<Candidate>) {
        let waiting = self.ledger.requests.get(&leader).map(|asked| asked.wanted);
        let retained = self.nodes[number].retained.remove(&leader);
        let (key, credential) = match (waiting, retained) {
            (_, Some(whose)) => whose,
            (Some(Wanted::Entry { key, credential, directives }), None) if !directives.only_if_cached => {
                (key, credential)
            }
            (wanted, None) => return self.violate(Rule::Retained, format!("{leader:?} leads, {wanted:?}")),
        };
        let domain = key / (self.plan.resources + 1);
        self.judge(|world| world.watch.on_call(number, domain, world.now));
        self.check_lent(number, key, candidate.as_ref());
        let insists = matches!(waiting, Some(Wanted::Entry { directives, .. }) if directives.no_cache);
        // One that began with nothing does not look again at what members have brought since.
        let (asker, has_own) =
            (self.asker(key, credential), candidate.as_ref().is_some_and(|it| it.own().is_some()));
        let is_admitted = self.nodes[number].desk.reader(asker, self.payer(asker)) == Reader::Admitted;
        if !insists && has_own && is_admitted {
            self.check_held_off(number, key);
        }
        let (run, begun) = (self.nodes[number].run, self.now);
        self.nodes[number].calls.insert(fetch);
        self.call_last += 1;
        let call = Call { node: number, run, fetch, leader, key, credential, candidate, begun };
        self.calls.insert(self.call_last, call);
        let travel = self.origin.travel();
        self.schedule(self.now + travel, Happening::Call(self.call_last));
    }

    fn load(&mut self, number: usize, load: LoadId, key: &Key) {
        if self.plan.settings.disk == Disk::Absent {
            return self.violate(Rule::WrongOutcome, "a disk is asked that is not there".into());
        }
        let entry = self.nodes[number].load(key);
        let is_stuck = self.random.below(self.plan.disk_stuck_one_in) == 0;
        let most = if is_stuck { 2 * self.plan.settings.load_timeout } else { DISK_LATENCY };
        let after = self.random.up_to(most);
        self.schedule_arrival(self.now + after, number, Arrival::Input(Input::Loaded { load, entry }));
    }

    /// Judges what a node's engine says to a peer.
    fn speak(&mut self, number: usize, peer: usize, message: &Message) -> Result<(), (Rule, String)> {
        match message {
            Message::Answer { ask, answer } => {
                self.watch.on_answered(number, peer, *ask, answer, &self.plan.limits)
            }
            Message::Ask { ask, name, .. } => {
                self.watch.on_ask_sent(number, peer, *ask, *name, self.now);
                self.ledger.key_named(name).map_or(Ok(()), |key| self.watch.on_ask(number, key))
            }
            Message::WarmedUp { .. } => self.watch.on_batch(number, peer),
            Message::Announce(Announced::ToPassOn(parcel) | Announced::Whole(parcel)) => {
                self.check_share(number, peer, parcel);
                Ok(())
            }
            Message::Announce(Announced::Named { .. })
            | Message::Claim { .. }
            | Message::Figures(_)
            | Message::Forgotten { .. }
            | Message::Invalidate(_)
            | Message::Digest(_)
            | Message::District(_)
            | Message::Guest(_)
            | Message::Membership(_)
            | Message::Origin { .. }
            | Message::Ping { .. }
            | Message::Pong { .. }
            | Message::Allowances(_)
            | Message::CallNumbers(_)
            | Message::Quota { .. }
            | Message::Release { .. }
            | Message::WarmUp { .. }
            | Message::Writes(_) => Ok(()),
        }
    }

    fn send(&mut self, number: usize, to: &[PeerId], message: Message) {
        let now = self.now;
        let node = &self.nodes[number];
        self.ledger.on_said(node, issuer(number, node.run), now, &message);
        for peer in to {
            let peer = self.numbers.get(peer).copied().unwrap_or(usize::MAX);
            if let Message::Forgotten { receipt } = message {
                self.ledger.durable.on_confirmed(number, peer, receipt);
                self.watch.on_confirmed(number, peer, receipt);
            }
            self.judge(|world| world.speak(number, peer, &message));
        }
        let Some(message) = self.twisted(number, message) else { return };
        let bytes = codec::encode_message(&message);
        let payload = match self.plan.encodes {
            true => Payload::Encoded { bytes: bytes.into(), message },
            false => Payload::Plain { message, message_bytes: bytes.len() },
        };
        let payload = Arc::new(payload);
        let (payload_bytes, frame_bytes) = (payload.payload_bytes(), payload.frame_bytes());
        let Some(message) = payload.message() else { return };
        self.figures.count_message(message, to.len(), payload_bytes);
        let name = message_name(message);
        let first = to.first().and_then(|peer| self.numbers.get(peer)).copied().unwrap_or(usize::MAX);
        let count = to.len();
        self.transcript.note(format_args!("{now:?} n{number} -> n{first} ({count}) {name} {payload_bytes}"));
        for peer in to {
            let Some((to, connection)) = self.numbers.get(peer).and_then(|to| {
                let connection = self.nodes[number].connected.get(to)?;
                Some((*to, *connection))
            }) else {
                return self.violate(Rule::SentToNobody, format!("n{number} says {name} to {peer:?}"));
            };
            if let Some(Message::Ask { name, role: Role::Coordinator, .. }) = payload.message()
                && let Some(key) = self.ledger.key_named(name)
            {
                self.coordinators.insert(key, to);
            }
            let frame = Frame { connection, from: number, to, sent: now, payload: Arc::clone(&payload) };
            self.meter.on_sent(number, frame_bytes);
            if let Some((at, frame)) = self.network.send(now, frame, frame_bytes) {
                self.schedule(at, Happening::Frame(frame));
            }
        }
    }
}

/// How often an engine may be woken at one moment: what becomes due by what was due takes a few.
const WAKES_MAX: u32 = 16;

const DISK_LATENCY: Duration = Duration::from_millis(2);

/// How many times as long a removal takes on a disk that is stuck: up to twice what a write waits.
const STUCK_TIMES: u32 = 2_000;

/// How long a write waits for the disk, as the core has it.
const DURABLE_WITHIN: Duration = Duration::from_secs(2);
