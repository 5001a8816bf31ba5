//! What members tell one another of the ledger.

use crate::{
    Allowance, CallNumbers, Message, Payer, PeerId, Shortage,
    engine::Engine,
    ledger::{Pause, Purse},
    message::{ALLOWANCES_TOLD_MAX, CALL_NUMBERS_TOLD_MAX, Writes},
};
use alloc::vec::Vec;
use core::{iter, time::Duration};

impl Engine {
    /// Notes what an answer showed, and tells neighbours if that cannot wait.
    ///
    /// Whether it `is_counted` says whether the call that was answered is the latest of those used.
    pub(in crate::engine) fn note_allowance(&mut self, allowance: Option<Allowance>, is_counted: bool) {
        let Some(allowance) = allowance else { return };
        let (now, spenders) = (self.now, self.spenders());
        let listening = self.fleet.as_mut().filter(|fleet| !fleet.ring.is_alone());
        let tell_at = listening.map(|fleet| now.saturating_add(fleet.peers.scattered(TELL_WITHIN)));
        let counted = is_counted.then(|| allowance.clone());
        self.ledger.note(allowance, (now, tell_at.unwrap_or(now)), spenders);
        if let Some(counted) = &counted {
            self.ledger.count(counted, now);
        }
        if tell_at.is_none() {
            self.ledger.tell_nobody();
        }
        self.on_ledger_due();
    }

    /// Tells neighbours, and other districts, what they are to hear by now.
    ///
    /// When one has told the most that was seen, the others need not. Each waits for as long as chance has it.
    pub(in crate::engine) fn on_ledger_due(&mut self) {
        self.ledger.settle(self.now);
        loop {
            let due = self.ledger.take_due(self.now, ALLOWANCES_TOLD_MAX);
            if due.is_empty() {
                break;
            }
            let told = Message::Allowances(due);
            self.tell_other_districts(None, &told);
            self.say_all(told);
        }
        loop {
            let due = self.ledger.take_due_numbers(self.now, CALL_NUMBERS_TOLD_MAX);
            if due.is_empty() {
                break;
            }
            let told = Message::CallNumbers(due);
            self.tell_other_districts(None, &told);
            self.say_all(told);
        }
        for told in self.ledger.take_due_writes(self.now) {
            let told = Message::Writes(told);
            self.tell_other_districts(None, &told);
            self.say_all(told);
        }
    }

    /// A member tells how many writes it, or another, has begun. What is news is told on to those that have not heard it.
    pub(super) fn on_writes(&mut self, from: PeerId, told: Writes) {
        if self.ledger.hear_writes(&told, self.now) {
            self.tell_on(from, Message::Writes(told));
        }
    }

    /// A member tells how allowances stand. What another district tells, and is news, is told on.
    pub(super) fn on_allowances(&mut self, from: PeerId, mut told: Vec<Allowance>) {
        let now = self.now;
        let is_outsider = self.fleet.as_ref().is_some_and(|fleet| fleet.is_outsider(from));
        if !is_outsider {
            told.iter().for_each(|allowance| self.ledger.note_caller(allowance.payer, from, now));
        }
        told.retain(|allowance| self.ledger.hear(allowance.clone(), now));
        if !told.is_empty() {
            self.tell_on(from, Message::Allowances(told));
        }
    }

    /// A member tells the numbers of calls. What another district tells, and is news, is told on.
    pub(super) fn on_call_numbers(&mut self, from: PeerId, mut told: Vec<CallNumbers>) {
        told.retain(|told| self.ledger.hear_numbers(told, self.now));
        if !told.is_empty() {
            self.tell_on(from, Message::CallNumbers(told));
        }
    }

    /// Tells `peer`, which has connected, how many writes this member has begun.
    pub(super) fn tell_own_writes(&mut self, peer: PeerId) {
        for told in self.ledger.own_writes(self.now) {
            self.say(peer, Message::Writes(told));
        }
    }

    /// Tells `peer`, which is new, how all allowances stand, which payers the origin has told to pause, and how many writes those
    /// have begun that cannot tell it themselves.
    pub(super) fn tell_ledger(&mut self, peer: PeerId) {
        let present: Vec<_> = self.ledger.present(self.now).cloned().collect();
        for some in present.chunks(ALLOWANCES_TOLD_MAX) {
            self.say(peer, Message::Allowances(some.to_vec()));
        }
        let numbers: Vec<_> = self.ledger.present_numbers(self.now).collect();
        for some in numbers.chunks(CALL_NUMBERS_TOLD_MAX) {
            self.say(peer, Message::CallNumbers(some.to_vec()));
        }
        let pauses = self.ledger.pauses(self.now).filter(|((payer, _), _)| *payer != Payer::HOST);
        let pauses: Vec<_> = pauses.take(PAUSES_TOLD_MAX).collect();
        for ((payer, bucket), Pause { until, shortage }) in pauses {
            let pause = until.saturating_since(self.now);
            self.say(peer, Message::Quota { payer, bucket, pause, shortage });
        }
        let Some(fleet) = &self.fleet else { return };
        let is_guest = fleet.guests.hosts(peer);
        let is_away = |writer| is_guest || !fleet.peers.connected().contains_key(&writer);
        for told in self.ledger.writes_for(peer, is_away, self.now) {
            self.say(peer, Message::Writes(told));
        }
    }

    /// Makes no call that draws on `purse` for `time`, as the origin asked, and has the fleet make none, unless it is of this
    /// host alone.
    ///
    /// The pause is that of all payers that are one with this. It is kept and told for each, since other members, and those that come
    /// later, may not have found that they are.
    pub(in crate::engine) fn pause(&mut self, purse: Purse, time: Duration, shortage: Shortage) {
        let (payer, bucket) = purse;
        let others = self.ledger.one_with(payer).into_iter().filter(|other| *other != payer);
        for payer in iter::once(payer).chain(others).take(PAUSES_TOLD_MAX) {
            self.hold((payer, bucket), time, shortage);
            if payer != Payer::HOST {
                let told = Message::Quota { payer, bucket, pause: time, shortage };
                self.tell_other_districts(None, &told);
                self.say_all(told);
            }
        }
    }

    fn hold(&mut self, purse: Purse, time: Duration, shortage: Shortage) {
        let spenders = self.spenders();
        self.ledger.hold(purse, (self.now, time), shortage, spenders);
    }

    /// A member tells of a pause. What another district tells, and was not known, is told on.
    pub(super) fn on_quota(&mut self, from: PeerId, purse: Purse, pause: Duration, shortage: Shortage) {
        let is_known = self.ledger.knows_pause(purse, self.now);
        self.hold(purse, pause, shortage);
        if !is_known {
            let (payer, bucket) = purse;
            self.tell_on(from, Message::Quota { payer, bucket, pause, shortage });
        }
    }
}

/// Neighbours hear within this time how an allowance stands that they know little of.
const TELL_WITHIN: Duration = Duration::from_secs(1);

/// Most pauses that a newcomer is told of: of others it hears when the origin refuses a call.
const PAUSES_TOLD_MAX: usize = 64;
