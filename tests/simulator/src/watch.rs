//! What nodes owe one another, as it is seen from outside.
//!
//! Owns which node has asked which and was told to wait, which the origin wants to leave it alone, which are banned
//! where, and how often dials failed. Judges; [`crate::world`] tells it what happens.

use crate::ledger::Rule;
use cache_core::{AskId, Entry, Name, PeerId, SharingLimits, TrafficLimits, message::Answer};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
    time::Duration,
};

/// What there is to know of asks, pauses, bans and dials.
#[derive(Default)]
pub(crate) struct Watch {
    /// Asks that were heard, by the node that was asked, the one that asked, and the number.
    asks: BTreeMap<(usize, usize, AskId), Ask>,
    /// Asks that were made, by the node that asked, the one that was asked, and the number; and when.
    made: BTreeMap<(usize, usize, AskId), (Name, Duration)>,
    /// How many asks each node may still make for each key.
    allowances: BTreeMap<(usize, usize), u64>,
    /// Until when each node has to leave the origin alone for each domain.
    pauses: BTreeMap<(usize, usize), Duration>,
    /// The members that each node shared names out with, last time it was looked at.
    members: BTreeMap<usize, Vec<PeerId>>,
    /// Since when one node keeps another away.
    bans: BTreeMap<(usize, usize), Duration>,
    /// When a program last put a value under each key, at each node.
    puts: BTreeMap<(usize, usize), Duration>,
    /// What nodes serve without asking the origin, which failed a moment ago, and until when.
    held: BTreeMap<(usize, usize), (Arc<Entry>, Duration)>,
    /// What each liar may still say to each node.
    tokens: BTreeMap<(usize, usize), Tokens>,
    /// When dials of an address failed at a node, lately.
    dials: BTreeMap<(usize, usize), Vec<Duration>>,
    /// Offences of one node against another that are banned if they go on.
    offences: BTreeMap<(usize, usize), Vec<Duration>>,
    /// Batches of warm-ups that a node sent to another while they were connected.
    batches: BTreeMap<(usize, usize), usize>,
    /// How often a node sent another a fact unasked while they were connected.
    shared: BTreeMap<(usize, usize, u64), usize>,
    /// How often a node was asked by another to be warmed up while they were connected.
    warm_ups: BTreeMap<(usize, usize), usize>,
    /// Since when nodes have had no other to share with.
    alone: BTreeMap<usize, Duration>,
    /// Since when one node knows that it is connected with another.
    linked: BTreeMap<(usize, usize), Duration>,
    /// The members that nodes that are down must remember.
    remembered: BTreeMap<usize, Vec<usize>>,
    /// The numbers under which one node has yet to tell another that it has forgotten something.
    owed: BTreeMap<(usize, usize), BTreeSet<u64>>,
}

/// An allowance of messages, as peers have it.
#[derive(Default)]
struct Tokens {
    spent: u64,
    at: Duration,
    /// In how many seconds more was said than is allowed, and the last of them.
    seconds: usize,
    second: u64,
}

struct Ask {
    name: Name,
    waits: bool,
}

type Judged = Result<(), (Rule, String)>;

impl Watch {
    /// `asked` hears that `asker` wants something.
    pub(crate) fn on_asked(&mut self, asked: usize, asker: usize, ask: AskId, name: Name) {
        self.asks.insert((asked, asker, ask), Ask { name, waits: false });
    }

    /// `asked` answers an ask of `asker`.
    pub(crate) fn on_answered(
        &mut self,
        asked: usize,
        asker: usize,
        ask: AskId,
        answer: &Answer,
        limits: &SharingLimits,
    ) -> Judged {
        let Some(open) = self.asks.get_mut(&(asked, asker, ask)) else {
            let text = format!("n{asked} answers {ask:?} of n{asker}, who waits for no answer");
            return Err((Rule::AskAnswered, text));
        };
        if *answer != Answer::Wait {
            self.asks.remove(&(asked, asker, ask));
            return Ok(());
        }
        if open.waits {
            return Err((Rule::AskAnswered, format!("n{asked} tells n{asker} twice to wait for {ask:?}")));
        }
        open.waits = true;
        let name = open.name;
        let of_node = (asked, 0, AskId(0))..(asked + 1, 0, AskId(0));
        let waiting = self.asks.range(of_node).filter(|(_, open)| open.waits && open.name == name).count();
        // As many may wait for what is looked for as for what is fetched, and the holder of the lease while others
        // are asked on its behalf.
        if waiting > 2 * limits.lease_waiters_max + 1 {
            return Err((Rule::Bounds, format!("n{asked} lets {waiting} wait for one lease")));
        }
        Ok(())
    }

    /// `asker` asks.
    pub(crate) fn on_ask_sent(&mut self, asker: usize, asked: usize, ask: AskId, name: Name, now: Duration) {
        self.made.insert((asker, asked, ask), (name, now));
    }

    /// `asker` hears an answer of `asked`. Returns what the ask was for, if the answer comes in time.
    pub(crate) fn on_answer_heard(
        &mut self,
        asker: usize,
        asked: usize,
        ask: AskId,
        now: Duration,
    ) -> Option<Name> {
        let (name, at) = self.made.remove(&(asker, asked, ask))?;
        (now - at < IN_TIME).then_some(name)
    }

    /// An ask that was heard and is not answered.
    pub(crate) fn unanswered(&self) -> Option<String> {
        let ((asked, asker, ask), open) = self.asks.first_key_value()?;
        let waits = if open.waits { "told to wait and then" } else { "" };
        Some(format!("n{asker} is {waits} told nothing by n{asked} about {ask:?}"))
    }

    /// `node` may ask `count` times more for `key`.
    pub(crate) fn allow_asks(&mut self, node: usize, key: usize, count: usize) {
        *self.allowances.entry((node, key)).or_default() += count as u64;
    }

    /// `node` asks another node for `key`.
    pub(crate) fn on_ask(&mut self, node: usize, key: usize) -> Judged {
        let left = self.allowances.entry((node, key)).or_default();
        match left.checked_sub(1) {
            Some(less) => *left = less,
            None => return Err((Rule::Bounds, format!("n{node} asks for key {key} once more than it may"))),
        }
        Ok(())
    }

    /// `node` knows that calls for `domain` are pointless until then.
    pub(crate) fn on_pause(&mut self, node: usize, domain: usize, until: Duration) {
        let pause = self.pauses.entry((node, domain)).or_default();
        *pause = until.max(*pause);
    }

    /// `node` calls the origin for `domain`.
    pub(crate) fn on_call(&self, node: usize, domain: usize, now: Duration) -> Judged {
        let until = self.pauses.get(&(node, domain)).copied().unwrap_or_default();
        if now + CLOCKS_APART < until {
            return Err((
                Rule::Quota,
                format!("n{node} calls for domain {domain}, which is to wait until {until:?}"),
            ));
        }
        Ok(())
    }

    /// A request at `node` fails because of such a pause.
    pub(crate) fn on_throttled(&self, node: usize, domain: usize, now: Duration) -> Judged {
        let until = self.pauses.get(&(node, domain)).copied().unwrap_or_default();
        if until + CLOCKS_APART < now {
            return Err((Rule::Quota, format!("n{node} fails for domain {domain}, which may be called")));
        }
        Ok(())
    }

    /// A program puts a value at `node`.
    pub(crate) fn on_put(&mut self, node: usize, key: usize, now: Duration) {
        self.puts.insert((node, key), now);
    }

    /// When a program last put a value under `key` at `node`.
    pub(crate) fn put_at(&self, node: usize, key: usize) -> Option<Duration> {
        self.puts.get(&(node, key)).copied()
    }

    /// The origin failed `node`, which holds `entry` all the same.
    pub(crate) fn on_failed(&mut self, node: usize, key: usize, entry: Option<&Arc<Entry>>, until: Duration) {
        match entry {
            Some(entry) => drop(self.held.insert((node, key), (Arc::clone(entry), until))),
            None => drop(self.held.remove(&(node, key))),
        }
    }

    /// What `node` is to serve at `now` in place of calling the origin, if it still holds that.
    pub(crate) fn held(&self, node: usize, key: usize, now: Duration) -> Option<&Arc<Entry>> {
        let (entry, until) = self.held.get(&(node, key))?;
        (now + CLOCKS_APART < *until).then_some(entry)
    }

    /// `node` hears a liar. Returns whether it should have banned it by now.
    pub(crate) fn on_liar_heard(
        &mut self,
        node: usize,
        liar: usize,
        now: Duration,
        limits: &TrafficLimits,
    ) -> bool {
        let tokens = self.tokens.entry((node, liar)).or_default();
        let grown = (now - tokens.at).as_millis() as u64 * limits.messages_per_milli;
        tokens.spent = tokens.spent.saturating_sub(grown);
        tokens.at = now;
        if tokens.spent < limits.burst_messages {
            tokens.spent += 1;
            return false;
        }
        let second = now.as_secs();
        tokens.seconds = match second - tokens.second {
            0 => tokens.seconds,
            1 | 2 => tokens.seconds + 1,
            _long => 1,
        };
        tokens.second = second;
        tokens.seconds >= FLOODED_SECONDS_MAX && !self.bans.contains_key(&(node, liar))
    }

    /// How many members `node` was last seen to share names out with.
    pub(crate) fn members_count(&self, node: usize) -> usize {
        self.members.get(&node).map_or(0, Vec::len)
    }

    /// `node` shares names out with `members` now. Those that are no longer among them, though its district is theirs too,
    /// were forgotten, with all asks.
    pub(crate) fn on_members(
        &mut self,
        node: usize,
        members: Vec<PeerId>,
        numbers: &BTreeMap<PeerId, usize>,
        is_neighbour: impl Fn(PeerId) -> bool,
    ) {
        let before = self.members.get(&node).map(Vec::as_slice).unwrap_or_default();
        if before == members {
            return;
        }
        let gone: Vec<usize> = before
            .iter()
            .filter(|peer| !members.contains(peer) && is_neighbour(**peer))
            .filter_map(|peer| numbers.get(peer).copied())
            .collect();
        self.members.insert(node, members);
        for peer in gone {
            forget(&mut self.asks, (node, peer, AskId(0))..(node, peer + 1, AskId(0)));
        }
    }

    /// `node` has `members` to share with. Returns for how long it has had none.
    pub(crate) fn on_links(&mut self, node: usize, members: usize, now: Duration) -> Duration {
        if members > 0 {
            self.alone.remove(&node);
            return Duration::ZERO;
        }
        now - *self.alone.entry(node).or_insert(now)
    }

    /// `node` knows that it is connected with `peer`.
    pub(crate) fn on_linked(&mut self, node: usize, peer: usize, now: Duration) {
        self.linked.entry((node, peer)).or_insert(now);
    }

    /// The members that `node` remembers, now that it starts: those that it was connected with when it stopped, and
    /// had been for long enough.
    pub(crate) fn take_remembered(&mut self, node: usize) -> Vec<usize> {
        self.remembered.remove(&node).unwrap_or_default()
    }

    /// `node` lost its disk.
    pub(crate) fn on_disk_lost(&mut self, node: usize) {
        self.remembered.remove(&node);
    }

    /// `node` has lost its connection with `peer`.
    pub(crate) fn on_lost(&mut self, node: usize, peer: usize) {
        self.linked.remove(&(node, peer));
        let asks = (node, peer, AskId(0))..(node, peer + 1, AskId(0));
        forget(&mut self.asks, asks.clone());
        forget(&mut self.made, asks);
        self.batches.remove(&(node, peer));
        self.warm_ups.remove(&(node, peer));
        forget(&mut self.shared, (node, peer, 0)..(node, peer + 1, 0));
        self.owed.remove(&(node, peer));
        self.tokens.remove(&(node, peer));
    }

    /// A process ends, and forgets all but those that it has met. If they are more than it may remember, it is
    /// unknown which it remembers.
    pub(crate) fn on_stopped(&mut self, node: usize, now: Duration) {
        let met = self.linked.extract_if((node, 0)..(node + 1, 0), |_, _| true);
        let met: Vec<((usize, usize), Duration)> = met.collect();
        if met.len() <= REMEMBERED_MAX {
            let kept = met.into_iter().filter(|(_, since)| now - *since > KEPT_WITHIN);
            self.remembered.insert(node, kept.map(|((_, peer), _)| peer).collect());
        }
        self.alone.remove(&node);
        let asks = (node, 0, AskId(0))..(node + 1, 0, AskId(0));
        forget(&mut self.asks, asks.clone());
        forget(&mut self.made, asks);
        let of_node = (node, 0)..(node + 1, 0);
        forget(&mut self.allowances, of_node.clone());
        forget(&mut self.pauses, of_node.clone());
        forget(&mut self.bans, of_node.clone());
        forget(&mut self.dials, of_node.clone());
        forget(&mut self.offences, of_node.clone());
        forget(&mut self.batches, of_node.clone());
        forget(&mut self.warm_ups, of_node.clone());
        forget(&mut self.shared, (node, 0, 0)..(node + 1, 0, 0));
        forget(&mut self.puts, of_node.clone());
        forget(&mut self.held, of_node.clone());
        forget(&mut self.tokens, of_node.clone());
        forget(&mut self.owed, of_node);
        self.members.remove(&node);
    }

    /// `node` keeps exactly these away.
    pub(crate) fn on_banned(&mut self, node: usize, banned: &BTreeSet<usize>, now: Duration) {
        self.bans.retain(|(owner, peer), _| *owner != node || banned.contains(peer));
        for peer in banned {
            self.bans.entry((node, *peer)).or_insert(now);
        }
    }

    /// `peer` hears what `node` said at `sent`.
    pub(crate) fn on_told(&self, node: usize, peer: usize, sent: Duration) -> Judged {
        match self.bans.get(&(node, peer)) {
            Some(since) if *since < sent => Err((
                Rule::Banned,
                format!("n{node} banned n{peer} at {since:?} and speaks to it at {sent:?}"),
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// `peer` offended against `node`. Returns whether it has to be banned by now.
    pub(crate) fn on_offence(&mut self, node: usize, peer: usize, now: Duration) -> bool {
        let offences = self.offences.entry((node, peer)).or_default();
        offences.retain(|at| now - *at < OFFENCES_FORGOTTEN);
        offences.push(now);
        offences.len() >= OFFENCES_MAX && !self.bans.contains_key(&(node, peer))
    }

    /// `node` hears from `peer` what it is to forget, and to confirm under `receipt`.
    pub(crate) fn on_owing(&mut self, node: usize, peer: usize, receipt: u64) {
        self.owed.entry((node, peer)).or_default().insert(receipt);
    }

    /// `node` confirms to `peer` what that told it under `receipt`.
    pub(crate) fn on_confirmed(&mut self, node: usize, peer: usize, receipt: u64) {
        if let Some(receipts) = self.owed.get_mut(&(node, peer)) {
            receipts.remove(&receipt);
        }
    }

    /// How much `node` has yet to confirm to all others: one report of its disk may let it confirm all.
    pub(crate) fn owed_count(&self, node: usize) -> usize {
        self.owed.range((node, 0)..(node + 1, 0)).map(|(_, receipts)| receipts.len()).sum()
    }

    /// `node` has sent `peer` a batch of a warm-up.
    pub(crate) fn on_batch(&mut self, node: usize, peer: usize) -> Judged {
        let batches = self.batches.entry((node, peer)).or_default();
        *batches += 1;
        if *batches > BATCHES_MAX {
            return Err((Rule::Bounds, format!("n{node} warms n{peer} up {batches} times")));
        }
        Ok(())
    }

    /// `peer` asks `node` to warm it up.
    pub(crate) fn on_warm_up_asked(&mut self, node: usize, peer: usize) {
        *self.warm_ups.entry((node, peer)).or_default() += 1;
    }

    /// `node` sends `peer` a fact unasked. Returns how often it did so, and how often it may.
    pub(crate) fn on_shared(&mut self, node: usize, peer: usize, fact: u64) -> (usize, usize) {
        let sent = self.shared.entry((node, peer, fact)).or_default();
        *sent += 1;
        (*sent, 1 + self.warm_ups.get(&(node, peer)).copied().unwrap_or_default())
    }

    /// A dial of `peer` by `node` failed.
    pub(crate) fn on_dial_failed(&mut self, node: usize, peer: usize, now: Duration) -> Judged {
        let dials = self.dials.entry((node, peer)).or_default();
        dials.retain(|at| now - *at < Duration::from_secs(60));
        dials.push(now);
        if dials.len() > DIALS_A_MINUTE_MAX {
            return Err((
                Rule::Dialing,
                format!("n{node} dialled n{peer} {} times in a minute", dials.len()),
            ));
        }
        Ok(())
    }
}

/// Forgets what stands under the keys of `range`, and looks at nothing else: a large fleet has many.
fn forget<K: Ord, V>(of: &mut BTreeMap<K, V>, range: Range<K>) {
    of.extract_if(range, |_, _| true).for_each(drop);
}

/// Members that a node remembers over a restart, and the longest time until it does, as the core has it.
const REMEMBERED_MAX: usize = 16;
const KEPT_WITHIN: Duration = Duration::from_secs(12);

/// Time after an ask in which the asker certainly still waits.
const IN_TIME: Duration = Duration::from_millis(900);

/// Clocks show whole milliseconds.
const CLOCKS_APART: Duration = Duration::from_millis(3);

/// How often a node may send what is not a message, or a wrong entry, within a while; and how long that is. More than
/// a ban takes, since some of it may come too late to matter.
const OFFENCES_MAX: usize = 10;
const OFFENCES_FORGOTTEN: Duration = Duration::from_secs(20);

/// Seconds in which a peer says more than it may, one after the other, until it is banned: twice the five that it takes,
/// four and one for what is forgiven meanwhile. Two that count are more than a second apart, and may have another between.
const FLOODED_SECONDS_MAX: usize = 10;

/// Batches that one peer is sent of a warm-up, as the core has it.
const BATCHES_MAX: usize = 32;

/// How often one node is dialed in a minute if it never answers: more than back-off from a second on allows, twice
/// over, since news of a member lets it begin anew.
const DIALS_A_MINUTE_MAX: usize = 20;
