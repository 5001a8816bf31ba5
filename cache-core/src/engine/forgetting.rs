//! What is forgotten or doubted, on whose behalf, and when that is done everywhere.

use super::{Engine, fleet::Fleet};
use crate::{
    Domain, Doubted, Entry, FetchId, Key, Manner, Message, OrderId, Output, PeerId, Reach, Refusal, Scope,
    Timestamp,
    flights::FlightId,
    message::{Invalidation, Notice, Verdict},
    settings::Disk,
    sharing::{Owed, Settled, Teller, Wait},
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};

impl Engine {
    /// Forgets and doubts what `reach` means, here and at every member, and answers when all have done so.
    pub(super) fn on_invalidate(&mut self, order: OrderId, reach: Reach) {
        let (reach, receipt) = (reach.bounded(), self.receipts.number());
        let told = self.tell_invalidated(reach.clone(), receipt);
        self.settling.add(&reach, self.now, self.now);
        let entries = self.forget(&reach);
        let asks_disk = self.forget_on_disk(&reach, Some(receipt));
        self.await_receipts(Settled { order, entries }, receipt, told, asks_disk);
    }

    /// Handles a call that passed the cache by: first what was refused, then what it leaves behind.
    pub(super) fn on_passed(&mut self, order: OrderId, reach: Reach, refused: Option<(Domain, Refusal)>) {
        if let Some((domain, refusal)) = refused {
            self.on_refused(domain, refusal, None);
        }
        if reach.is_empty() {
            self.outputs.push_back(Output::Removed { order, entries: 0 });
        } else {
            self.on_invalidate(order, reach);
        }
    }

    /// Ends the right of a domain to what was refused to it, by `fetch` if it was a fetch.
    ///
    /// If nothing of it is here, this node has told the members already, or has nothing to tell: made-up tokens must
    /// not cost the disk a search and the members a message each. The same goes for what is in doubt already, however
    /// often a change of it is refused.
    pub(super) fn on_refused(&mut self, domain: Domain, refusal: Refusal, fetch: Option<FetchId>) {
        let spared = fetch.and_then(|fetch| self.flights.of_fetch(fetch));
        let is_credential = refusal == Refusal::Credential;
        let (reach, is_here) = self.refused_reach(domain, refusal);
        if is_here {
            let (reach, receipt) = (reach.bounded(), self.receipts.number());
            // Nothing here waits until it is done everywhere, but a member that speaks of it hears when it is durable.
            self.tell_invalidated(reach.clone(), receipt);
            self.forget_but(&reach, spared);
            self.forget_on_disk(&reach, Some(receipt));
        } else if is_credential {
            // What the disk is about to bring is as little granted as what is under way.
            self.forget_but(&reach, spared);
        } else {
            self.forget_under_way(&reach, spared);
        }
    }

    /// What follows from a refusal, and whether anything that it means is in memory, shown or withheld.
    fn refused_reach(&self, domain: Domain, refusal: Refusal) -> (Reach, bool) {
        let of_domain = |prefixes: Vec<Box<str>>| {
            prefixes.into_iter().map(move |prefix| Scope::Prefix { prefix, domain: Some(domain) })
        };
        let holds = |prefixes: &[Box<str>], counts: fn(&Entry) -> bool| {
            let is_held =
                |prefix| self.cache.holds(prefix, domain, counts) || self.withholds(prefix, domain, counts);
            prefixes.iter().any(|prefix| is_held(prefix))
        };
        match refusal {
            Refusal::Change { prefixes } => {
                let is_served = holds(&prefixes, |entry| !entry.is_doubted());
                (Reach::doubt(of_domain(prefixes)), is_served)
            }
            Refusal::Credential => {
                let prefixes = Vec::from([Box::from("")]);
                let is_here = holds(&prefixes, |_any| true);
                (Reach::forget(of_domain(prefixes)), is_here)
            }
            Refusal::Read { prefixes } => {
                let is_here = holds(&prefixes, |_any| true);
                (Reach::forget(of_domain(prefixes)), is_here)
            }
            Refusal::ReadOf { forms, prefixes } => {
                let could_be_read = holds(&forms, |entry| entry.content().status < 400);
                let ended = if could_be_read { prefixes } else { forms.into_vec() };
                (Reach::forget(of_domain(ended)), could_be_read)
            }
        }
    }

    /// Forgets everything here. Other members keep what they have.
    pub(super) fn on_clear(&mut self, order: OrderId) {
        let (reach, receipt) = (Reach::forget([Scope::everything()]), self.receipts.number());
        let entries = self.forget(&reach);
        let asks_disk = self.forget_on_disk(&reach, Some(receipt));
        self.await_receipts(Settled { order, entries }, receipt, Vec::new(), asks_disk);
    }

    /// What a member tells of. It hears that it is done when no reader here can see any of it any more, nor after a
    /// crash.
    pub(super) fn on_invalidated(&mut self, from: PeerId, notice: &Notice) {
        let (mut news, mut ended) = (Vec::new(), Reach::default());
        for invalidation in &notice.invalidations {
            let now = self.now;
            let Some(fleet) = &mut self.fleet else { return };
            if fleet.invalidations.learn(now, invalidation) {
                let is_remembered = fleet.invalidations.remembers(invalidation.id);
                fleet.holders.clear();
                self.settling.add(&invalidation.reach, now.saturating_sub(invalidation.age), now);
                self.forget(&invalidation.reach);
                ended.forgotten.extend_from_slice(&invalidation.reach.forgotten);
                ended.doubted.extend_from_slice(&invalidation.reach.doubted);
                if is_remembered {
                    news.push(invalidation.clone());
                }
            }
        }
        if let Some(mark) = notice.mark
            && self.doubts_until(from, self.now.saturating_sub(mark))
        {
            ended.doubted.push(Scope::everything());
        }
        if self.tell_on_invalidated(from, &news) {
            self.confirm(from, notice.receipt, &ended);
        } else {
            self.forget_on_disk(&ended, None);
        }
        self.pass_on_from(from, &news);
        self.pass_on(news);
    }

    /// Tells the guests that this node hosts what `from` told and is news; and if that is a guest itself, the members too.
    /// `from` hears of it when all have forgotten it that it waits for; `false` if there is too much to wait for.
    fn tell_on_invalidated(&mut self, from: PeerId, news: &[Invalidation]) -> bool {
        let now = self.now;
        let Some(fleet) = self.fleet.as_ref().filter(|_| !news.is_empty()) else { return true };
        let is_of_guest = fleet.guests.hosts(from);
        let (mut guests, members) = match (is_of_guest, fleet.is_outsider(from)) {
            (true, _) => (fleet.guests_hosted(), fleet.ring.others().collect()),
            (false, false) => (fleet.guests_hosted(), Vec::new()),
            (false, true) => return true,
        };
        guests.retain(|guest| *guest != from);
        let notice =
            |receipt| Message::Invalidate(Notice { receipt, mark: None, invalidations: news.to_vec() });
        if is_of_guest {
            self.tell_other_districts(None, &notice(0));
        }
        let mut is_awaited = true;
        for (to, waiting) in [(guests, Teller::Member), (members, Teller::Guest)] {
            if !to.is_empty() {
                let receipt = self.receipts.number();
                is_awaited &= self.receipts.relay(now, receipt, &to, waiting);
                self.say_to(to, notice(receipt));
            }
        }
        is_awaited
    }

    /// `from` no longer remembers all that was invalidated until `mark`. If we may have missed some of it, what is
    /// here from before is in doubt. Returns whether it is.
    fn doubts_until(&mut self, from: PeerId, mark: Timestamp) -> bool {
        let has_missed = |fleet: &Fleet| fleet.acquaintances.heard_until(from) < mark;
        let is_doubted = self.fleet.as_deref().is_some_and(has_missed);
        if is_doubted {
            self.cache.doubt_from_before(mark);
            self.doubts.add_all(mark);
        }
        is_doubted
    }

    /// Orders the disk to forget what `ended` means, and tells `to` under its `receipt` when that is durable.
    ///
    /// What others have told before may be what `to` speaks of, so that has to be durable too.
    fn confirm(&mut self, to: PeerId, receipt: u64, ended: &Reach) {
        let removal = (self.settings.disk == Disk::Present).then(|| self.receipts.number());
        self.forget_on_disk(ended, removal);
        let is_guest = self.fleet.as_ref().is_some_and(|fleet| fleet.guests.hosts(to));
        let teller = if is_guest { Teller::Guest } else { Teller::Member };
        match self.receipts.owe((to, teller), receipt) {
            Owed::AtOnce => self.say(to, Message::Forgotten { receipt }),
            // It waits for as long as it gives us, and counts that.
            Owed::Later | Owed::Never => {}
        }
    }

    pub(super) fn on_forgotten(&mut self, from: PeerId, receipt: u64) {
        let now = self.now;
        let settled = self.receipts.on_forgotten(from, receipt);
        if let Some(fleet) = &mut self.fleet {
            fleet.acquaintances.on_forgotten(now, from, receipt);
        }
        self.conclude_forgetting(settled);
        self.say_forgotten();
    }

    pub(super) fn on_removed(&mut self, removal: u64) {
        let settled = self.receipts.on_removed(removal);
        self.conclude_forgetting(settled);
        self.say_forgotten();
    }

    /// Tells those that told this node what is forgotten by now.
    fn say_forgotten(&mut self) {
        for (to, receipt) in self.receipts.take_due() {
            self.say(to, Message::Forgotten { receipt });
        }
    }

    pub(super) fn on_receipt_due(&mut self) {
        let due = self.receipts.on_due(self.now);
        self.counters.forgettings_unconfirmed += u64::from(due.is_given_up);
        self.conclude_forgetting(due.settled);
    }

    /// Nothing waits any more until `peer` has forgotten something.
    pub(super) fn await_no_more(&mut self, peer: PeerId) {
        for settled in self.receipts.on_gone(peer) {
            self.conclude_forgetting(Some(settled));
        }
        self.say_forgotten();
    }

    fn await_receipts(&mut self, settled: Settled, receipt: u64, told: Vec<PeerId>, asks_disk: bool) {
        match self.receipts.wait(self.now, receipt, settled, told, asks_disk) {
            Wait::Begun => {}
            Wait::Over(settled) => self.conclude_forgetting(Some(settled)),
            Wait::Refused(settled) => {
                self.counters.forgettings_unconfirmed += 1;
                self.conclude_forgetting(Some(settled));
            }
        }
    }

    fn conclude_forgetting(&mut self, settled: Option<Settled>) {
        if let Some(Settled { order, entries }) = settled {
            self.outputs.push_back(Output::Removed { order, entries });
        }
    }

    /// Forgets and doubts what `reach` means in memory and in flight. Returns how many entries were forgotten.
    fn forget(&mut self, reach: &Reach) -> usize {
        self.forget_but(reach, None)
    }

    /// The same, but for what flight `spared` fetches.
    fn forget_but(&mut self, reach: &Reach, spared: Option<FlightId>) -> usize {
        self.generation += 1;
        let ends_signposts = |scope: &Scope| matches!(scope, Scope::Signposts { .. });
        if reach.forgotten.iter().chain(&reach.doubted).any(ends_signposts) {
            self.signposts_ended = self.generation;
        }
        let mut entries = 0;
        for scope in &reach.forgotten {
            let detached = self.flights.invalidate(scope, Manner::Forget, self.generation, spared);
            let removed = self.cache.remove_scope(scope);
            self.withheld.retain(|entry| !scope.covers(entry.key(), entry.content().status));
            self.unshelve(scope);
            entries += removed.len();
            self.drop_all(detached, removed);
        }
        for scope in &reach.doubted {
            let detached = self.flights.invalidate(scope, Manner::Doubt, self.generation, spared);
            self.cache.doubt_scope(scope);
            self.doubts.add(scope, self.now);
            self.drop_all(detached, Vec::new());
        }
        entries
    }

    /// Forgets what was fetched but for `spared` and is to be forgotten: the origin may have allowed it before it refused.
    fn forget_under_way(&mut self, reach: &Reach, spared: Option<FlightId>) {
        for scope in &reach.forgotten {
            let detached = self.flights.invalidate(scope, Manner::Forget, self.generation, spared);
            self.unshelve(scope);
            self.drop_all(detached, Vec::new());
        }
    }

    /// Orders the disk to forget, and to note what is in doubt. Returns whether it has anything to do. What is
    /// doubted stays there, and is told apart when it comes back.
    fn forget_on_disk(&mut self, reach: &Reach, removal: Option<u64>) -> bool {
        let on_disk = |scopes: &[Scope]| -> Vec<Scope> {
            let is_on_disk = |scope: &&Scope| !matches!(scope, Scope::Signposts { .. });
            scopes.iter().filter(is_on_disk).cloned().collect()
        };
        let (scopes, doubted) = (on_disk(&reach.forgotten), on_disk(&reach.doubted));
        let asks_disk = self.settings.disk == Disk::Present && !(scopes.is_empty() && doubted.is_empty());
        if asks_disk {
            let removal = removal.filter(|removal| self.receipts.begin_removal(*removal));
            let all = || Arc::new(self.doubts.clone());
            let doubted = (!doubted.is_empty()).then(|| Doubted { scopes: doubted, all: all() });
            self.outputs.push_back(Output::Remove { removal, scopes, doubted });
        }
        asks_disk
    }

    /// Whether `entry`, from the disk, is of any use. Puts it in doubt if what was there when it was is.
    pub(super) fn is_useful(&self, entry: &Entry) -> bool {
        if self.doubts.mean(entry) {
            entry.doubt();
        }
        // A directory from before may hold signposts, and it is unknown which writes ended them.
        !entry.is_signpost()
    }

    fn drop_all(&mut self, detached: Vec<FlightId>, removed: Vec<Key>) {
        self.counters.invalidations += removed.len() as u64;
        for key in removed {
            self.hide(key);
        }
        // What a detached flight fetches is for its waiters here alone; the next member may have the lease.
        for id in detached {
            self.give_back_lease(id, Verdict::Unused);
        }
    }
}
