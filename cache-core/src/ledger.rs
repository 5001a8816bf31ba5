//! How the allowances of all payers stand, over the whole fleet.
//!
//! Owns the accounts, and the pauses that the origin asked for. Decides whether a call may be made, and when neighbours are
//! told what was seen; the engine makes the calls and tells them. Knows nothing of headers: the origin adapter reads those.
//!
//! Every answer of the origin tells how much of an allowance is used, in the fleet or not. So each member knows the whole as of its
//! own last call, and what it does not know is what others have used since. A member tells its neighbours what it saw before
//! that is more than a fraction of what is left until the next class has to stop ([`UNSAID_SHARE`]), and has no more calls
//! under way than the same fraction. So the closer the end, the sooner it is heard of: what nobody has heard of is never
//! more than what is left, until fewer calls are left than there are members.

mod account;
mod evidence;
mod joining;
mod numbers;
mod pacing;
mod pauses;
mod reserve;
mod writing;

pub use account::{AccountReport, RATE_OVER};
pub use numbers::{CallNumbers, Numbers};
pub(crate) use pauses::Pause;
pub use pauses::{Payer, Shortage};
pub(crate) use reserve::Decision;
pub use reserve::{Priority, Reserves, UnknownPriority};
pub(crate) use writing::Turn;
pub use writing::{WRITES_WAITING_MAX, WritePace, WritesReport};

use crate::{Allowance, Bucket, Domain, Failure, PeerId, Timestamp, Window, message::Writes};
use account::Account;
use alloc::{
    collections::{BTreeMap, btree_map::Entry},
    vec::Vec,
};
use core::{ops::RangeInclusive, time::Duration};
use joining::Joining;
use pacing::Pacing;
use pauses::{Concerned, Pauses};
use writing::Writing;

/// How every allowance of every payer stands, and which payers pause.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Those with the latest news last.
    accounts: Vec<Account>,
    pauses: Pauses,
    pacing: Pacing,
    joining: Joining,
    writing: Writing,
    reserves: Reserves,
    /// How many calls this node makes now, also such as began before any answer showed an allowance.
    under_way: BTreeMap<Purse, u64>,
}

/// Whose allowance a call draws on, and which.
pub(crate) type Purse = (Payer, Bucket);

/// How many may spend one allowance.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Spenders {
    /// Members of the fleet, as far as this one can tell; it is one of them.
    pub(crate) members: u64,
    /// Districts that they are in. A member hears at first hand of its own alone.
    pub(crate) districts: u64,
}

impl Ledger {
    /// A ledger of member `local` of a fleet, or of a node by itself, which keeps `reserves` and has at most so many calls of
    /// a payer made `at_once`.
    pub(crate) fn new(reserves: Reserves, at_once: u64, local: Option<PeerId>) -> Self {
        let joining = Joining::new(local.is_some());
        let writing = Writing::new(WritePace::default(), local);
        Self { reserves, pacing: Pacing::new(at_once, local), joining, writing, ..Self::default() }
    }

    /// Notes what an answer showed to this node. Neighbours hear of it by `tell_at` at the latest, or as soon as it is due.
    pub(crate) fn note(
        &mut self,
        allowance: Allowance,
        (now, tell_at): (Timestamp, Timestamp),
        spenders: Spenders,
    ) {
        let (reserves, payer, resource) = (self.reserves, allowance.payer, allowance.resource.clone());
        let is_unheard = self.pacing.is_unheard(payer, now);
        self.enter(allowance, now);
        self.compare(payer, &resource, now);
        let Some(account) = self.accounts.last_mut() else { return };
        account.is_owed |= is_unheard;
        if payer == Payer::HOST || (account.unsaid() == 0 && !account.is_owed) {
            return;
        }
        let stop = reserves.next_stop(&account.allowance.window);
        let is_due = account.is_owed || stop.is_some_and(|left| account.unsaid() >= share(left, spenders));
        let tell_at = if is_due { now } else { tell_at };
        account.tell_at = Some(account.tell_at.map_or(tell_at, |before| before.min(tell_at)));
    }

    /// Takes what a member told. Windows that begin later than any can are not believed.
    ///
    /// Returns whether it was news.
    pub(crate) fn hear(&mut self, told: Allowance, now: Timestamp) -> bool {
        if told.payer == Payer::HOST || told.window.reset > now.saturating_add(WINDOW_MAX) {
            return false;
        }
        let window = told.window;
        let before = self.find(told.payer, &told.resource).map(|account| account.allowance.window);
        let (payer, resource) = (told.payer, told.resource.clone());
        let account = self.enter(told, now);
        account.note_common(window);
        self.compare(payer, &resource, now);
        before.is_none_or(|mut before| before.join(window))
    }

    /// Notes that the answer which showed this was to a call of this node that the origin has counted.
    pub(crate) fn count(&mut self, shown: &Allowance, now: Timestamp) {
        let Some(account) = self.find_mut(shown.payer, &shown.resource) else { return };
        if !account.count(&shown.window) {
            return;
        }
        let overtaken = account.floors.iter().filter(|(_, used)| shown.window.used <= *used);
        for other in overtaken.map(|(other, _)| *other).collect::<Vec<_>>() {
            self.joining.contradict((shown.payer, other), shown.window.reset, now);
        }
        self.compare(shown.payer, &shown.resource, now);
    }

    /// Takes the numbers of calls that a member told. Returns whether any was news.
    pub(crate) fn hear_numbers(&mut self, told: &CallNumbers, now: Timestamp) -> bool {
        let Some(account) = self.find_mut(told.payer, &told.resource) else { return false };
        let window = account.allowance.window;
        let is_of_it = window.is_one_with(&Window { limit: told.limit, reset: told.reset, ..window });
        let is_credible = told.numbers.last() <= window.limit.saturating_add(Numbers::SPAN);
        let is_news = is_of_it && is_credible && account.numbers.merge(&told.numbers);
        if is_news {
            self.compare(told.payer, &told.resource, now);
        }
        is_news
    }

    /// Compares the calls of a payer with those of others that may be the same, and has neighbours told the numbers of such calls.
    fn compare(&mut self, payer: Payer, resource: &str, now: Timestamp) {
        let is_own = |it: &&Account| is_of(it, payer, resource) && it.allowance.window.reset > now;
        let Some(own) = self.accounts.iter().find(is_own) else { return };
        let alike = |other: &&Account| core::ptr::eq(*other, own) || own.is_like(other);
        let alike: Vec<&Account> = self.accounts.iter().filter(alike).collect();
        if alike.len() < 2 {
            return;
        }
        self.joining.compare(payer, &alike, now);
        let used: Vec<_> = alike.iter().map(|it| (it.allowance.payer, it.allowance.window.used)).collect();
        for account in &mut self.accounts {
            let allowance = &account.allowance;
            let is_concerned =
                *allowance.resource == *resource && used.iter().any(|(payer, _)| *payer == allowance.payer);
            if is_concerned && now.saturating_since(account.seen_first) <= HEARD_WITHIN {
                account.used_beside.clone_from(&used);
            }
            if is_concerned && account.has_untold && account.numbers_tell_at.is_none() {
                account.numbers_tell_at = Some(now.saturating_add(NUMBERS_TOLD_AFTER));
            }
        }
    }

    /// When neighbours are to be told something, or payers are joined.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let tellings = self.accounts.iter().flat_map(|account| [account.tell_at, account.numbers_tell_at]);
        tellings.flatten().chain(self.joining.next_joined()).chain(self.writing.next_telling()).min()
    }

    /// Joins the payers whose time has come.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        self.joining.settle(now);
    }

    /// Takes the numbers of calls that neighbours are to be told by now, at most `most` payers' at once.
    ///
    /// How the allowances stand that these belong to is due as well, since members know windows by that.
    pub(crate) fn take_due_numbers(&mut self, now: Timestamp, most: usize) -> Vec<CallNumbers> {
        let is_due = |account: &&mut Account| account.numbers_tell_at.is_some_and(|at| at <= now);
        let due = self.accounts.iter_mut().filter(is_due).take(most);
        due.map(|account| {
            (account.numbers_tell_at, account.has_untold) = (None, false);
            numbers_of(account)
        })
        .collect()
    }

    /// Takes what neighbours are to be told by now, at most `most` at once. They know it from then on.
    ///
    /// Where the numbers of calls are due, the window that they belong to is as well, if it is to be told at all.
    pub(crate) fn take_due(&mut self, now: Timestamp, most: usize) -> Vec<Allowance> {
        let is_past = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let due = self.accounts.iter_mut().filter(|account| {
            is_past(account.tell_at) || account.tell_at.is_some() && is_past(account.numbers_tell_at)
        });
        let pacing = &mut self.pacing;
        due.take(most)
            .map(|account| {
                account.tell_at = None;
                account.is_owed = false;
                account.common = Some(account.allowance.window);
                pacing.note_told(account.allowance.payer, now);
                account.allowance.clone()
            })
            .collect()
    }

    /// A neighbour has told how an allowance of `payer` stands, so it calls for it.
    pub(crate) fn note_caller(&mut self, payer: Payer, from: PeerId, now: Timestamp) {
        self.pacing.note_caller(payer, from, now);
    }

    /// Nobody is there to be told.
    pub(crate) fn tell_nobody(&mut self) {
        for account in &mut self.accounts {
            (account.tell_at, account.numbers_tell_at, account.has_untold) = (None, None, false);
        }
        self.writing.tell_nobody();
    }

    /// Whether writes have to wait for their turn.
    pub(crate) fn paces_writes(&self) -> bool {
        !self.writing.pace().is_free()
    }

    /// How many writes are made for one payer, and how long they wait.
    pub(crate) fn write_pace(&self) -> WritePace {
        self.writing.pace()
    }

    /// Bounds writes by `pace` from now on.
    pub(crate) fn set_write_pace(&mut self, pace: WritePace) {
        self.writing.set_pace(pace);
    }

    /// Whether a write for `payers`, which are one, may be begun in a fleet of so many `members`.
    pub(crate) fn write_turn(&self, payers: &[Payer], members: u64, now: Timestamp) -> Turn {
        self.writing.turn(payers, members, now)
    }

    /// When a write for `payers` would have its turn that comes behind `ahead` others.
    pub(crate) fn writes_free_at(&self, payers: &[Payer], ahead: u64, now: Timestamp) -> Timestamp {
        self.writing.free_at(payers, ahead, now)
    }

    /// A write for `payer` is begun. Returns when it counts as begun.
    pub(crate) fn begin_write(&mut self, payer: Payer, now: Timestamp) -> Timestamp {
        self.writing.begin(payer, now)
    }

    /// The write for `payer` that counts as begun `at` was not made after all.
    pub(crate) fn take_back_write(&mut self, payer: Payer, at: Timestamp) {
        self.writing.take_back(payer, at);
    }

    /// A write for `payer` is wanted: others are to know that this member writes. Returns whether they are to be told now.
    pub(crate) fn announce_writes(&mut self, payer: Payer, now: Timestamp) -> bool {
        self.writing.announce(payer, now)
    }

    /// Takes what members are to be told of writes by now.
    pub(crate) fn take_due_writes(&mut self, now: Timestamp) -> Vec<Writes> {
        self.writing.take_due(now)
    }

    /// Takes what a member told of writes. Returns whether it was news.
    pub(crate) fn hear_writes(&mut self, told: &Writes, now: Timestamp) -> bool {
        self.writing.hear(told, now)
    }

    /// What a member that connects is told of the writes of this one.
    pub(crate) fn own_writes(&self, now: Timestamp) -> Vec<Writes> {
        self.writing.introduce(now)
    }

    /// What `newcomer` is told of writes, where `is_away` says which members cannot tell of theirs.
    pub(crate) fn writes_for(
        &self,
        newcomer: PeerId,
        is_away: impl Fn(PeerId) -> bool,
        now: Timestamp,
    ) -> Vec<Writes> {
        self.writing.present(newcomer, is_away, now)
    }

    /// How the allowance stands that calls of `payers` draw on, as far as is known.
    pub(crate) fn seen(&self, payers: &[Payer], bucket: Bucket) -> Option<Window> {
        self.last(payers, bucket)
    }

    /// What a newcomer is told: the accounts of windows that go on, but those of this host, the latest last.
    pub(crate) fn present(&self, now: Timestamp) -> impl Iterator<Item = &Allowance> {
        let allowances = self.accounts.iter().map(Account::allowance);
        allowances.filter(move |it| it.payer != Payer::HOST && it.window.reset > now)
    }

    /// The numbers of calls that a newcomer is told: those of payers that may be one with another.
    pub(crate) fn present_numbers(&self, now: Timestamp) -> impl Iterator<Item = CallNumbers> {
        let told = self.accounts.iter().filter(move |account| {
            let goes_on = account.allowance.window.reset > now && account.numbers.last() > 0;
            goes_on && self.accounts.iter().any(|other| other.is_like(account))
        });
        told.map(numbers_of)
    }

    /// Whether a call of `priority` may draw on `purse`.
    pub(crate) fn decide(
        &mut self,
        purse: Purse,
        priority: Priority,
        now: Timestamp,
        spenders: Spenders,
    ) -> Decision {
        let (payer, bucket) = purse;
        let payers = self.joining.group(payer);
        let look_at = now.saturating_add(look_again(priority));
        if let Some(failure) = self.held(purse, now) {
            return Decision::Refused(failure);
        }
        if let Some(window) = self.last(&payers, bucket).filter(|window| window.reset > now) {
            let kept = self.reserves.kept_from(priority, window.limit);
            let left = window.remaining.saturating_sub(kept);
            if kept > 0 && left == 0 {
                self.prepare_return((payer, Some(bucket)), window.reset, spenders, now);
                return Decision::Refused(Failure::Reserved { priority, kept, seen: window });
            }
            if kept > 0 && self.under_way(&payers, bucket..=bucket) >= share(left, spenders) {
                return Decision::Wait(look_at);
            }
        }
        if self.pacing.is_to_wait(&payers, bucket, now) {
            return Decision::Return(look_at);
        }
        let every = Bucket(u8::MIN)..=Bucket(u8::MAX);
        if self.under_way(&payers, every) >= self.pacing.share(&payers, spenders, now) {
            return Decision::Wait(look_at);
        }
        Decision::Go
    }

    /// Whether a pause of this very payer is known, whatever is known of payers that are one with it.
    pub(crate) fn knows_pause(&self, (payer, bucket): Purse, now: Timestamp) -> bool {
        self.pauses.last(payer, bucket, now).is_some()
    }

    /// Until when calls that draw on `purse` are held back, and why; `None` if calls are free to go.
    pub(crate) fn held(&mut self, (payer, bucket): Purse, now: Timestamp) -> Option<Failure> {
        let payers = self.joining.group(payer);
        let pauses = payers.iter().filter_map(|payer| self.pauses.held(*payer, bucket, now));
        let Pause { until, shortage } = pauses.max_by_key(|pause| pause.until)?;
        Some(Failure::Throttled { until, shortage, seen: self.last(&payers, bucket) })
    }

    /// Holds calls back; see [`Pauses::hold`].
    pub(crate) fn hold(
        &mut self,
        (payer, bucket): Purse,
        (now, time): (Timestamp, Duration),
        shortage: Shortage,
        spenders: Spenders,
    ) {
        let (concerned, until) = self.pauses.hold(payer, bucket, now, time, shortage);
        self.prepare_return(concerned, until, spenders, now);
    }

    /// Calls that are `concerned` are not made before `until`, and return slowly then.
    fn prepare_return(&mut self, concerned: Concerned, until: Timestamp, spenders: Spenders, now: Timestamp) {
        let (payer, bucket) = concerned;
        let is_concerned = |it: &&Account| {
            it.allowance.payer == payer && (bucket.is_none() || it.allowance.bucket == bucket)
        };
        let per_hour = self.accounts.iter().filter(is_concerned).filter_map(|it| it.per_hour(now)).sum();
        self.pacing.hold(concerned, until, per_hour, spenders, now);
    }

    /// The payers that are one with `payer`, itself too.
    pub(crate) fn one_with(&self, payer: Payer) -> Vec<Payer> {
        self.joining.group(payer)
    }

    /// The pauses that go on, with the purse that each was asked for: a newcomer is told of them.
    pub(crate) fn pauses(&self, now: Timestamp) -> impl Iterator<Item = (Purse, Pause)> {
        self.pauses.all(now)
    }

    /// A call that draws on `purse` is made.
    pub(crate) fn begin(&mut self, purse: Purse, now: Timestamp) {
        self.pacing.begin(&self.joining.group(purse.0), purse.1, now);
        if !self.under_way.contains_key(&purse) {
            self.note_floors(purse, now);
        }
        *self.under_way.entry(purse).or_default() += 1;
    }

    /// What of others is used now is less than what a call that begins now will show, if they are counted together.
    fn note_floors(&mut self, (payer, bucket): Purse, now: Timestamp) {
        let of_purse = |it: &Account| it.allowance.payer == payer && it.allowance.bucket == Some(bucket);
        for at in 0..self.accounts.len() {
            let own = &self.accounts[at];
            if of_purse(own) && own.allowance.window.reset > now {
                let others = self.accounts.iter().filter(|other| own.is_like(other));
                let floors = others.map(|it| (it.allowance.payer, it.allowance.window.used)).collect();
                self.accounts[at].floors = floors;
            }
        }
    }

    /// A call that drew on `purse` has ended, well or not.
    pub(crate) fn end(&mut self, purse: Purse) {
        if let Entry::Occupied(mut under_way) = self.under_way.entry(purse) {
            *under_way.get_mut() -= 1;
            if *under_way.get() == 0 {
                under_way.remove();
            }
        }
    }

    /// How all accounts stand, those with the latest news last. Of payers that are one, there is the latest word alone.
    pub(crate) fn report(&self, now: Timestamp) -> Vec<AccountReport> {
        let report = |account: &Account| {
            let Allowance { payer, bucket, ref resource, .. } = account.allowance;
            let payers = self.joining.group(payer);
            let others = self.accounts.iter().filter(|it| {
                it.allowance.resource == *resource
                    && it.allowance.payer != payer
                    && payers.contains(&it.allowance.payer)
            });
            if others.clone().any(|other| is_later(other, account)) {
                return None;
            }
            // The row keeps its name whichever of them called last.
            let current = others.filter(|it| it.allowance.window.reset > now).chain([account]);
            let named = current.map(|it| it.allowance.payer);
            let mut names: Vec<_> = named.map(|payer| (payer, self.domain_of(payer))).collect();
            names.sort_unstable();
            let (payer, domain) = names.remove(0);
            let pauses = payers.iter().filter_map(|payer| self.pauses.last(*payer, bucket?, now));
            let paused = pauses.max_by_key(|pause| pause.until);
            Some(AccountReport {
                allowance: Allowance { payer, domain, ..account.allowance.clone() },
                also: names.into_iter().map(|(payer, domain)| (domain, payer)).collect(),
                noted: account.noted,
                per_hour: account.per_hour(now),
                spent_at: account.spent_at(now),
                paused: paused.map(|pause| (pause.until, pause.shortage)),
                writes: self.writing.report(&payers, now),
            })
        };
        self.accounts.iter().filter_map(report).collect()
    }

    /// The domain by which `payer` is called in all its rows: one that it shares with others, before its own.
    fn domain_of(&self, payer: Payer) -> Domain {
        let of_payer = self.accounts.iter().filter(|it| it.allowance.payer == payer);
        let domains = of_payer.map(|it| it.allowance.domain);
        let is_own = |domain: &Domain| Payer::from(*domain) == payer;
        domains.min_by_key(|domain| (is_own(domain), *domain)).unwrap_or(Domain::ANONYMOUS)
    }

    /// Enters the latest word. Beyond [`ACCOUNTS_MAX`], the account longest without news is forgotten.
    fn enter(&mut self, allowance: Allowance, now: Timestamp) -> &mut Account {
        let at = self.accounts.iter().position(|it| is_of(it, allowance.payer, &allowance.resource));
        let before = at.map(|at| self.accounts[at].allowance.window);
        if before.is_none_or(|mut before| before == allowance.window || before.join(allowance.window)) {
            self.joining.observe(&allowance, &self.accounts, now);
        }
        let account = match at {
            Some(at) => {
                let mut account = self.accounts.remove(at);
                account.join(allowance.window, now);
                account.allowance.bucket = allowance.bucket.or(account.allowance.bucket);
                account
            }
            None => {
                if self.accounts.len() >= ACCOUNTS_MAX {
                    self.accounts.remove(0);
                }
                Account::new(allowance, now)
            }
        };
        let at = self.accounts.len();
        self.accounts.push(account);
        &mut self.accounts[at]
    }

    /// The latest word on the allowance that calls of `payers`, which are one, draw on.
    fn last(&self, payers: &[Payer], bucket: Bucket) -> Option<Window> {
        let allowances = self.accounts.iter().map(Account::allowance);
        let found = allowances.filter(|it| it.bucket == Some(bucket) && payers.contains(&it.payer));
        found.map(|allowance| allowance.window).reduce(joining::later)
    }

    /// How many calls of `payers` this node makes now that draw on one of `buckets`.
    fn under_way(&self, payers: &[Payer], buckets: RangeInclusive<Bucket>) -> u64 {
        let of = |payer: &Payer| (*payer, *buckets.start())..=(*payer, *buckets.end());
        payers.iter().flat_map(|payer| self.under_way.range(of(payer))).map(|(_, count)| *count).sum()
    }

    fn find_mut(&mut self, payer: Payer, resource: &str) -> Option<&mut Account> {
        self.accounts.iter_mut().find(|account| payer != Payer::HOST && is_of(account, payer, resource))
    }

    fn find(&self, payer: Payer, resource: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| is_of(account, payer, resource))
    }
}

/// Whether the word on `one` is later than that on `other`; of the same word, that of the payer that comes first.
fn is_later(one: &Account, other: &Account) -> bool {
    let (one, other) = (&one.allowance, &other.allowance);
    if one.window == other.window {
        return one.payer < other.payer;
    }
    joining::later(other.window, one.window) == one.window
}

fn is_of(account: &Account, payer: Payer, resource: &str) -> bool {
    account.allowance.payer == payer && *account.allowance.resource == *resource
}

fn numbers_of(account: &Account) -> CallNumbers {
    let Allowance { payer, ref resource, window: Window { limit, reset, .. }, .. } = account.allowance;
    CallNumbers { payer, resource: resource.clone(), limit, reset, numbers: account.numbers }
}

/// What one of all `spenders` may leave unsaid, or have under way, of so many calls that are `left`: one at least, or none
/// could be made.
fn share(left: u64, spenders: Spenders) -> u64 {
    (left / (UNSAID_SHARE * spenders.members.max(1))).max(1)
}

/// Of what is left, all members together may leave this part unsaid, and have the same part under way: with a quarter each,
/// half of what is left is still there when all is heard of.
const UNSAID_SHARE: u64 = 4;

/// Most accounts that are kept: some dozens of credentials with three or four each.
pub(crate) const ACCOUNTS_MAX: usize = 256;

/// Neighbours hear after this time of calls of a payer that may be one with another.
const NUMBERS_TOLD_AFTER: Duration = Duration::from_secs(1);

/// What a call was shown that has ended before, members know by this time.
const HEARD_WITHIN: Duration = Duration::from_secs(2);

/// Longest window that a member is believed about. GitHub's are an hour; a minute is for clocks apart.
const WINDOW_MAX: Duration = Duration::from_secs(3660);

/// After what time a call that waits for others is considered again. Those that matter more come first.
fn look_again(priority: Priority) -> Duration {
    match priority {
        Priority::Critical => LOOK_AGAIN / 4,
        Priority::Batch | Priority::Normal => LOOK_AGAIN,
    }
}

/// About as long as a call takes.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;

#[cfg(test)]
mod worlds;
