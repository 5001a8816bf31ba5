//! Which nodes are in the fleet.
//!
//! Owns what is known of members and the protocol by which they find and lose one another: SWIM, as foca implements
//! it. Sends and dials nothing: it returns [`Decision`]s that the engine turns into outputs. Any member may have to
//! speak to any other, so [`Decision::Up`] should be a reason to dial. Where there are more members than connections,
//! `beyond.rs` says what becomes of messages to the others.
//!
//! A node that knows the fleet's secret can lie about members. At worst, members are thought down for a moment. What
//! is known stays bounded by [`MembershipSettings::members_max`], and what is sent by a few messages for each that
//! comes.

mod beyond;
mod district;
mod effects;
pub(crate) mod member;
mod settings;
mod timers;
mod twins;
mod wire;

#[cfg(test)]
mod tests;

use beyond::Beyond;
pub(crate) use effects::Decision;
use effects::Effects;
use foca::Codec as _;
pub use member::{MEMBER_ADDRESSES_MAX, Member};
use settings::DOWN_REMEMBERED;
pub(crate) use settings::MembershipSettings;

use crate::{PeerId, Timestamp, districts::Place};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use core::{fmt, time::Duration};
use member::{Identity, is_later};
use rand_pcg::{Pcg64Mcg, rand_core::SeedableRng as _};
use timers::{Timer, Timers};
use twins::Twins;
use wire::{MembershipCodec, Parsed, parse_message};

/// The nodes in the fleet, as far as this node knows, and what must be sent to keep knowing.
///
/// After every call that takes `now`, take all decisions: the queue is as long as one input makes it.
pub(crate) struct Membership {
    foca: foca::Foca<Identity, MembershipCodec, Pcg64Mcg, foca::NoCustomBroadcast>,
    effects: Effects,
    stage: Stage,
    /// How often this node, while it is new, may still ask for more members than it was told of.
    feeds_left: u8,
    twins: Twins,
    members_max: usize,
    config: foca::Config,
    seed: u64,
    place: Place,
    /// The depth of the district whose members these are.
    depth: u8,
}

impl Membership {
    /// Alone, as `local`. `seed` decides every random choice.
    ///
    /// The boot number of `local` should be later than at the node's last start. If it is not, other members say so,
    /// and it is raised.
    pub(crate) fn new(local: Member, seed: u64, settings: &MembershipSettings) -> Self {
        let effects = Effects {
            now: Timestamp::default(),
            local: local.peer(),
            timers: Timers::default(),
            decisions: VecDeque::new(),
            alive: BTreeMap::new(),
            connected: BTreeSet::new(),
            beyond: Beyond::new(settings.connections_wanted),
            decisions_max: 4 * settings.members_max,
            renewed_at: None,
        };
        let rng = Pcg64Mcg::seed_from_u64(seed);
        let (config, place) = (settings.config(), Place::of_peer(local.peer()));
        Self {
            foca: foca::Foca::new(Identity(local), config.clone(), rng, MembershipCodec),
            effects,
            stage: Stage::Present,
            feeds_left: 0,
            twins: Twins::default(),
            members_max: settings.members_max,
            config,
            seed,
            place,
            depth: 0,
        }
    }

    /// A connection with `peer` stands: unless it is a member already, introduce ourselves to it.
    pub(crate) fn on_connected(&mut self, now: Timestamp, peer: PeerId) {
        if self.enter(now) && peer != self.effects.local {
            self.effects.connected.insert(peer);
            self.twins.on_connected(peer);
            self.effects.beyond.on_found(peer);
            if self.effects.alive.is_empty() {
                self.feeds_left = FEEDS_MAX;
            }
            self.introduce(peer, INTRODUCTIONS_MAX);
        }
    }

    /// The connection with `peer` has ended. The protocol finds out whether the peer lives. If the connection gave
    /// way to another, that says nothing about the peer.
    pub(crate) fn on_disconnected(&mut self, now: Timestamp, peer: PeerId, end: End) {
        if self.enter(now) {
            if self.effects.connected.remove(&peer) && end == End::Lost {
                self.effects.beyond.on_lost(now, peer);
            }
            self.effects.timers.stop_introducing(peer);
        }
    }

    /// `peer` could not be reached.
    pub(crate) fn on_unreachable(&mut self, now: Timestamp, peer: PeerId) {
        if self.effects.alive.contains_key(&peer) && !self.effects.connected.contains(&peer) {
            self.effects.beyond.on_lost(now, peer);
        }
    }

    /// Whether `peer` lives, as far as we know.
    pub(crate) fn is_alive(&self, peer: PeerId) -> bool {
        self.effects.alive.contains_key(&peer)
    }

    /// A message came from `from`, whose seal was opened.
    ///
    /// # Errors
    ///
    /// Returns [`Malformed`] if no working member sends such a message to us. Nothing was changed, except for what an
    /// indirect probe that names this node brought along.
    pub(crate) fn on_message(&mut self, now: Timestamp, from: PeerId, bytes: &[u8]) -> Result<(), Malformed> {
        if !self.enter(now) {
            return Ok(());
        }
        let message = parse_message(bytes)?;
        let is_ours = message.header.src.0.peer() == from
            && message.header.dst.0.peer() == self.effects.local
            && from != self.effects.local;
        if !is_ours {
            return Err(Malformed);
        }
        if !self.is_of_district(from) {
            return Ok(());
        }
        self.watch_for_a_twin(&message.header.src.0);
        self.take_the_latest_boot(&message);
        if !self.is_acceptable(&message) {
            return Ok(());
        }
        self.correct_an_outdated_sender(&message.header.src);
        let bytes_kept = self.keep_what_is_believed(&message, bytes);
        let known_before = self.known_count();
        let handled = self.hand_to_foca(&message, bytes_kept.as_deref().unwrap_or(bytes));
        self.stay_connected();
        handled?;
        self.believe_addresses(&message.header.src.0);
        if message.header.message == foca::Message::Feed {
            self.doubt(&message);
            self.ask_for_more(from, self.known_count() > known_before);
        }
        Ok(())
    }

    /// Time has passed; due whenever [`Self::next_deadline`] has come.
    pub(crate) fn on_due(&mut self, now: Timestamp) {
        if !self.enter(now) {
            return;
        }
        while let Some(timer) = self.effects.timers.pop_due(now) {
            match timer {
                Timer::Foca(timer) if self.is_refuted(&timer) => {}
                Timer::Foca(foca::Timer::RemoveDown(identity)) => self.forget(identity),
                // foca's errors here say that timers came late or in a strange order, and that it goes on.
                Timer::Foca(timer) => drop(self.foca.handle_timer(timer, &mut self.effects)),
                Timer::Introduce { peer, tries_left } => self.introduce(peer, tries_left),
            }
            self.vouch();
        }
    }

    /// Tells others that we go. Nothing else is said or heard from then on.
    pub(crate) fn leave(&mut self, now: Timestamp) {
        if !self.enter(now) {
            return;
        }
        // Errors could only come from encoding what has been encoded many times; we go in any case.
        drop(self.foca.leave_cluster(&mut self.effects));
        for _round in 1..FAREWELLS {
            drop(self.foca.gossip(&mut self.effects));
        }
        self.stage = Stage::Gone;
        self.effects.timers.clear();
        self.effects.alive.clear();
    }

    /// What the engine is to do or to know next, in order.
    pub(crate) fn poll_decision(&mut self) -> Option<Decision> {
        self.effects.decisions.pop_front()
    }

    /// When [`Self::on_due`] is due.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.effects.timers.next_due()
    }

    /// The members that live, without this node, ordered by [`PeerId`].
    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.effects.alive.values()
    }

    /// What is known of `peer`, if it lives and is another.
    pub(crate) fn member(&self, peer: PeerId) -> Option<&Member> {
        self.effects.alive.get(&peer)
    }

    /// Ourselves, under the present boot number.
    pub(crate) fn local(&self) -> &Member {
        &self.foca.identity().0
    }

    /// Notes the time of an input; `false` if it comes too late to matter.
    fn enter(&mut self, now: Timestamp) -> bool {
        self.effects.now = now;
        match self.stage {
            Stage::Present => true,
            Stage::Gone => false,
        }
    }

    /// Says hello to `peer` and comes back to it, until it is a member or the tries are used up.
    fn introduce(&mut self, peer: PeerId, tries_left: u8) {
        if self.effects.alive.contains_key(&peer) {
            return;
        }
        // If it is known to be down, the boot number says which run of it.
        let known = self.known(peer).map(|known| known.id().clone());
        self.announce_to(known.unwrap_or_else(|| Identity::bare(peer, 0)));
        if let Some(tries_left) = tries_left.checked_sub(1) {
            let due = self.effects.now.saturating_add(INTRODUCTION_PERIOD);
            self.effects.timers.set(due, Timer::Introduce { peer, tries_left });
        }
    }

    fn watch_for_a_twin(&mut self, sender: &Member) {
        let (peer, connected) = (sender.peer(), &self.effects.connected);
        if self.twins.on_heard(peer, sender.boot(), connected, self.members_max) {
            self.effects.decide(Decision::Twins { peer });
        }
    }

    /// Outbids what the sender takes for this node: its former run, if its clock was set back, another node with its
    /// key, or a forgery.
    fn take_the_latest_boot(&mut self, message: &Parsed) {
        let ours = self.foca.identity().0.boot();
        let about_us =
            message.updates.iter().filter(|(update, _)| update.id().0.peer() == self.effects.local);
        let rumoured = about_us.map(|(update, _)| update.id().0.boot());
        let latest = rumoured
            .chain([message.header.dst.0.boot()])
            .fold(ours, |latest, boot| if is_later(boot, latest) { boot } else { latest });
        // These two are sent to nodes that are not members, too.
        if !matches!(message.header.message, foca::Message::TurnUndead | foca::Message::Announce) {
            self.twins.on_addressed(ours, message.header.dst.0.boot());
        }
        if latest != ours && !self.renewed_lately() {
            if self.twins.is_outbid(ours) {
                self.effects.decide(Decision::Twins { peer: self.effects.local });
            }
            self.effects.renewed_at = Some(self.effects.now);
            let renewed = self.foca.identity().after(latest);
            // Fails only for the identity that we have, which this is not.
            drop(self.foca.change_identity(renewed, &mut self.effects));
            self.stay_connected();
        }
    }

    /// Whether there is anything to do with a message other than to drop it.
    fn is_acceptable(&self, message: &Parsed) -> bool {
        use foca::Message as Foca;
        match &message.header.message {
            // We pass nothing on to strangers, or back to ourselves.
            Foca::PingReq { target, .. } | Foca::IndirectAck { target, .. } => {
                self.known(target.0.peer()).is_some()
            }
            // The sender repeats it, as long as it does not know that we renewed ourselves.
            Foca::TurnUndead => !self.renewed_lately(),
            Foca::Ack(_)
            | Foca::Announce
            | Foca::Broadcast
            | Foca::Feed
            | Foca::ForwardedAck { .. }
            | Foca::Gossip
            | Foca::IndirectPing { .. }
            | Foca::Ping(_) => true,
        }
    }

    /// Tells a sender that is known under a later boot number which one that is, so that it can outbid it.
    fn correct_an_outdated_sender(&mut self, sender: &Identity) {
        let known = self.known(sender.0.peer()).map(|known| known.id().clone());
        if let Some(known) = known.filter(|known| is_later(known.0.boot(), sender.0.boot())) {
            self.announce_to(known);
        }
    }

    /// The message without the parts that we do not believe or have no room for; `None` if nothing is left.
    fn keep_what_is_believed(&mut self, message: &Parsed, bytes: &[u8]) -> Option<Vec<u8>> {
        let sender = &message.header.src;
        let about_us_matters = !self.renewed_lately();
        let strangers_left = self.make_room_for(message);
        let believed = |update: &foca::Member<Identity>| {
            let peer = update.id().0.peer();
            if peer == self.effects.local {
                update.id() == self.foca.identity() && about_us_matters
            } else if peer == sender.0.peer() {
                update.id() == sender
            } else if !self.is_of_district(peer) {
                false
            } else {
                strangers_left.as_ref().is_none_or(|left| left.binary_search(&peer).is_err())
            }
        };
        if message.updates.iter().all(|(update, _)| believed(update)) {
            return None;
        }
        Some(message.retain(bytes, believed))
    }

    /// Forgets members that are down, the first first, until all that `message` brings fit within
    /// [`MembershipSettings::members_max`]. Tells, in order, which of them still do not, or are more than [`NEWS_PER_MEMBER`] leaves to
    /// pass on.
    fn make_room_for(&mut self, message: &Parsed) -> Option<Vec<PeerId>> {
        // One more for the sender itself.
        let brought = message.updates.len() + 1;
        if self.known_count() + brought <= self.members_max && brought <= self.news_left() {
            return None;
        }
        let mut known: Vec<PeerId> = self.foca.iter_membership_state().map(|it| it.id().0.peer()).collect();
        known.sort_unstable();
        let updated = message.updates.iter().map(|(update, _)| update.id().0.peer());
        let sender = message.header.src.0.peer();
        let is_stranger = |peer: &PeerId| *peer != self.effects.local && known.binary_search(peer).is_err();
        let mut strangers: Vec<PeerId> = core::iter::once(sender)
            .chain(updated.filter(|peer| *peer != sender))
            .filter(is_stranger)
            .collect();
        let mut refused = strangers.split_off(strangers.len().min(self.news_left()));
        while self.known_count() + strangers.len() > self.members_max
            && let Some(oldest) = self.effects.timers.pop_oldest_down()
        {
            self.forget(oldest);
        }
        let room = self.members_max.saturating_sub(self.known_count());
        refused.extend(strangers.split_off(strangers.len().min(room)));
        refused.sort_unstable();
        Some(refused)
    }

    /// Remembers a member that is down no longer, unless it is back.
    fn forget(&mut self, identity: Identity) {
        let peer = identity.0.peer();
        // Removes it and does nothing else.
        drop(self.foca.handle_timer(foca::Timer::RemoveDown(identity), &mut self.effects));
        if !self.effects.alive.contains_key(&peer) {
            self.effects.decide(Decision::Forgotten { peer });
        }
    }

    /// Lets the protocol react to a message.
    fn hand_to_foca(&mut self, message: &Parsed, bytes: &[u8]) -> Result<(), Malformed> {
        let is_full = self.known_count() >= self.members_max || self.news_left() == 0;
        if is_full && self.known(message.header.src.0.peer()).is_none() {
            return Ok(());
        }
        // A newcomer passes on nothing of what it is told to begin with: the others know it already.
        let is_welcome = message.header.message == foca::Message::Feed && self.feeds_left > 0;
        if !is_welcome {
            return self.foca.handle_data(bytes, &mut self.effects).map_err(|_refused| Malformed);
        }
        let header = &bytes[..message.header_bytes];
        self.foca.handle_data(header, &mut self.effects).map_err(|_refused| Malformed)?;
        // Nothing is believed of a member that was down and still is.
        if self.effects.alive.contains_key(&message.header.src.0.peer()) {
            let updates = parse_message(bytes)?.updates.into_iter().map(|(update, _)| update);
            self.foca.apply_many(updates, false, &mut self.effects).map_err(|_refused| Malformed)?;
        }
        Ok(())
    }

    /// Lets foca, which takes itself for disconnected after every renewal, see that members are still there.
    /// Otherwise it would wait for a message before it probes again, perhaps for ever.
    fn stay_connected(&mut self) {
        // No update, no error.
        drop(self.foca.apply_many(core::iter::empty(), false, &mut self.effects));
    }

    /// Whether `timer` ends a suspicion that the suspect has refuted. foca 2.0 leaves the suspect alone then,
    /// but tells it that it is down all the same, at which it would renew itself.
    fn is_refuted(&self, timer: &foca::Timer<Identity>) -> bool {
        let foca::Timer::ChangeSuspectToDown { member_id, incarnation, .. } = timer else { return false };
        let suspect = foca::Member::new(member_id.clone(), *incarnation, foca::State::Suspect);
        self.known(member_id.0.peer()) != Some(&suspect)
    }

    /// Makes foca take members for alive that others are to probe.
    fn vouch(&mut self) {
        for (probed, number) in self.effects.beyond.take_vouched() {
            let Some(incarnation) = self.known(probed.0.peer()).map(foca::Member::incarnation) else {
                continue;
            };
            let dst = self.foca.identity().clone();
            let message = foca::Message::Ack(number);
            let header = foca::Header { src: probed, src_incarnation: incarnation, dst, message };
            let mut bytes = Vec::new();
            if MembershipCodec.encode_header(&header, &mut bytes).is_ok() {
                // As with timers: what foca says against it is that it came too late.
                drop(self.foca.handle_data(&bytes, &mut self.effects));
            }
        }
    }

    /// A member knows best where it can be reached, so what it says itself replaces hearsay.
    fn believe_addresses(&mut self, sender: &Member) {
        if let Some(known) = self.effects.alive.get_mut(&sender.peer())
            && known.boot() == sender.boot()
            && known != sender
        {
            *known = sender.clone();
            self.effects.decide(Decision::Renewed(sender.clone()));
        }
    }

    /// One message holds only so many members, so this asks for others while each message brings new ones.
    fn ask_for_more(&mut self, from: PeerId, was_news: bool) {
        self.feeds_left = if was_news { self.feeds_left.saturating_sub(1) } else { 0 };
        let source = self.effects.alive.get(&from).filter(|_| self.feeds_left > 0);
        if let Some(source) = source.cloned() {
            self.announce_to(Identity(source));
        }
    }

    /// Contacts members that the sender of a feed takes for alive and that this node has taken for gone for longer
    /// than a moment.
    ///
    /// No other news would bring them back. Our news has long been told to every member that could have told them,
    /// while the line between us and them was cut; and what others say of them is no later than what we know.
    fn doubt(&mut self, feed: &Parsed) {
        let forgotten_at = self.effects.now.saturating_add(DOWN_REMEMBERED - DOUBT_AFTER);
        for (update, _) in feed.updates.iter().filter(|(update, _)| update.state() != foca::State::Down) {
            let Identity(member) = update.id();
            let down = self.effects.timers.oblivion(member.peer());
            let is_doubtful = down.is_some_and(|(at, known)| at <= forgotten_at && known == update.id());
            let is_met = self.effects.connected.contains(&member.peer());
            if is_doubtful && !is_met && !self.effects.alive.contains_key(&member.peer()) {
                self.effects.decide(Decision::Doubted(member.clone()));
            }
        }
    }

    /// foca's word for introducing oneself, which is answered with a feed of members.
    fn announce_to(&mut self, identity: Identity) {
        // Errors could only come from encoding, and a member that fits one message fits this.
        drop(self.foca.announce(identity, &mut self.effects));
    }

    fn known(&self, peer: PeerId) -> Option<&foca::Member<Identity>> {
        self.foca.iter_membership_state().find(|known| known.id().0.peer() == peer)
    }

    fn known_count(&self) -> usize {
        self.foca.iter_membership_state().len()
    }

    /// How much news of strangers may still be added. At least one while there is no member to tell: the next one
    /// that comes ends that.
    fn news_left(&self) -> usize {
        let left = (NEWS_PER_MEMBER * self.members_max).saturating_sub(self.foca.updates_backlog());
        if self.effects.alive.is_empty() { left.max(1) } else { left }
    }

    fn renewed_lately(&self) -> bool {
        let since = |at| self.effects.now.saturating_since(at);
        self.effects.renewed_at.is_some_and(|at| since(at) < RENEWAL_PERIOD)
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership").field("local", self.local()).finish_non_exhaustive()
    }
}

/// A message that no working member sends to us.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("membership message is malformed")]
pub(crate) struct Malformed;

#[derive(Clone, Copy, Debug)]
enum Stage {
    Present,
    Gone,
}

/// How a connection with a peer came to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// We ended it in favour of another.
    GaveWay,
    /// The connection was lost, not ended by us: the peer may be dead.
    Lost,
}

/// How often a newcomer asks for members. One feed holds a thousand with two addresses each, half of them
/// with four; the third time is for those that another feed left out by chance.
const FEEDS_MAX: u8 = 4;

/// How often we introduce ourselves on one connection, and how long we wait for an answer each time. A message is
/// lost only while the connection is overloaded; that passes, or ends the connection.
const INTRODUCTIONS_MAX: u8 = 10;
const INTRODUCTION_PERIOD: Duration = Duration::from_millis(500);

/// Time after which a member that is down should be down everywhere: twice what the news of a crash takes.
const DOUBT_AFTER: Duration = Duration::from_secs(10);

/// Time for which accusations do not move us again after we took a new boot number: those sent before are still on
/// their way, and a liar must not keep us from everything else.
const RENEWAL_PERIOD: Duration = Duration::from_millis(500);

/// Most news that wait to be passed on when a stranger may add to them, for each member that may be known. Members
/// known already can each add one more. A fleet that starts all at once needs one for each member.
const NEWS_PER_MEMBER: usize = 2;

/// How often the farewell is said, to a few members each time, so that a lost message or two do no harm.
const FAREWELLS: usize = 3;
