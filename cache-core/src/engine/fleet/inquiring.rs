//! Finding the coordinator of a name where members are not all connected.
//!
//! A member that is asked as coordinator and is connected with a heavier one asks that one in turn, and passes on
//! what it says. Each member on the way weighs more than the one before, so no ask goes round, and the last is the
//! heaviest among its own connections. Only that one, if it knows of a heavier member still, has a connection made
//! for the purpose. So most members find their coordinator without a connection with it, and few ask it however many
//! want a name.
//!
//! To its askers, a member on the way is the coordinator: it grants the lease that it was granted, and owes the entry
//! to the one that it has the lease from.

use super::{Fleet, surroundings::addresses};
use crate::{
    AskId, Deadline, Entry, Message, Name, Offence, PeerId, Timestamp,
    engine::Engine,
    message::{Answer, Invalidation, Notice, Parcel, Role, Verdict},
    sharing::Asker,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};
use core::{mem, time::Duration};

/// What is asked on behalf of others, and what waits for a connection.
#[derive(Debug, Default)]
pub(super) struct Inquiries {
    /// As many as leases at most, by the number of the ask.
    pending: BTreeMap<AskId, Inquiry>,
    names: BTreeMap<Name, AskId>,
    dates: BTreeSet<(Timestamp, AskId)>,
    /// Leases that are another's to grant, with the members that granted them; as many as leases at most.
    owed: BTreeMap<Name, PeerId>,
    /// Names that the fleet has failed to fetch just now, with the members that were the last to try, and until when that
    /// is remembered; as many as leases at most.
    failed: BTreeMap<Name, (PeerId, Timestamp)>,
    /// What is to be said as soon as a connection stands that is being made.
    unsent: BTreeMap<PeerId, Vec<Message>>,
}

/// An ask that was passed on.
#[derive(Clone, Copy, Debug)]
struct Inquiry {
    name: Name,
    superior: PeerId,
    /// The member that holds the lease here and waits to hear so.
    asker: Asker,
    until: Timestamp,
    has_answered: bool,
    tries_left: u8,
}

impl Inquiries {
    pub(super) fn next_deadline(&self) -> Option<(Timestamp, Deadline)> {
        self.dates.first().map(|(date, ask)| (*date, Deadline::Inquiry(*ask)))
    }

    /// The members that are asked on behalf of others, or were granted a lease that others hold.
    pub(super) fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.pending.values().map(|inquiry| inquiry.superior).chain(self.owed.values().copied())
    }

    /// Whether `holder` was the last to try to fetch `name`, just now, and has not asked for it since.
    pub(super) fn take_failure(&mut self, now: Timestamp, name: &Name, holder: PeerId) -> bool {
        let is_of_holder = |(last, until): &mut (PeerId, Timestamp)| *last == holder && *until > now;
        self.failed.get_mut(name).is_some_and(is_of_holder) && self.failed.remove(name).is_some()
    }

    fn begin(&mut self, ask: AskId, inquiry: Inquiry) {
        self.names.insert(inquiry.name, ask);
        self.dates.insert((inquiry.until, ask));
        self.pending.insert(ask, inquiry);
    }

    fn end(&mut self, ask: AskId) -> Option<Inquiry> {
        let inquiry = self.pending.remove(&ask)?;
        self.dates.remove(&(inquiry.until, ask));
        self.names.remove(&inquiry.name);
        Some(inquiry)
    }

    /// If `name` is being asked for, `asker` waits for the answer from now on. Returns the one that waited before.
    fn retarget(&mut self, name: &Name, asker: Asker) -> Option<Asker> {
        let inquiry = self.names.get(name).and_then(|ask| self.pending.get_mut(ask))?;
        Some(mem::replace(&mut inquiry.asker, asker))
    }

    fn postpone(&mut self, ask: AskId, until: Timestamp) {
        if let Some(inquiry) = self.pending.get_mut(&ask) {
            self.dates.remove(&(inquiry.until, ask));
            self.dates.insert((until, ask));
            (inquiry.until, inquiry.has_answered) = (until, true);
        }
    }
}

impl Fleet {
    /// The member that weighs more for `name` than we and all that we are connected with, and may be connected with.
    pub(super) fn superior_beyond(&self, name: &Name, now: Timestamp, except: &[PeerId]) -> Option<PeerId> {
        let may_be = |peer| !except.contains(&peer) && self.peers.is_within_reach(now, peer);
        self.ring.superior_beyond(name, may_be)
    }

    /// The member to ask for `name` for ourselves, which may be this node.
    pub(in crate::engine) fn coordinator_for_us(
        &self,
        name: &Name,
        now: Timestamp,
        except: &[PeerId],
    ) -> PeerId {
        // A member that has the lease from us fetches for us too, wherever we have it from.
        if self.leases.holder(name).is_some_and(|holder| holder != self.local()) {
            return self.local();
        }
        let near = self.coordinator(name, now, except);
        if near == self.local() && !self.districts.is_undivided() {
            let elsewhere = self.gate(now, name, except);
            // A node that has just come knows neither its district nor the others.
            let guide = || self.ring.is_alone().then(|| self.guide(except)).flatten();
            return elsewhere.or_else(guide).unwrap_or(near);
        }
        let beyond = (near == self.local()).then(|| self.superior_beyond(name, now, except)).flatten();
        beyond.unwrap_or(near)
    }

    /// Whether members may ask this node for what another coordinates.
    pub(in crate::engine) fn is_on_the_way(&self) -> bool {
        self.ring.exceeds_connections() || !self.districts.is_undivided() || self.guests.is_concerned()
    }

    /// The member to ask in turn when `asker` asks us for `name`.
    fn superior(&self, name: &Name, now: Timestamp, asker: PeerId) -> Option<PeerId> {
        if !self.districts.is_home_of(name) {
            return self.gate(now, name, &[asker]);
        }
        let is_of_guest = self.is_guest() || self.guests.is_no_member(asker);
        if !self.ring.exceeds_connections() && !self.is_outsider(asker) && !is_of_guest {
            return None;
        }
        let near = self.coordinator(name, now, &[asker]);
        if near == self.local() { self.superior_beyond(name, now, &[asker]) } else { Some(near) }
    }
}

impl Engine {
    /// Asks the heaviest member for `name` on behalf of `asker`, which has the lease of it here. Returns whether
    /// there is such a member.
    pub(super) fn inquire(&mut self, name: Name, asker: Asker) -> bool {
        self.inquire_again(name, asker, INQUIRY_TRIES)
    }

    fn inquire_again(&mut self, name: Name, asker: Asker, tries: u8) -> bool {
        let now = self.now;
        if self.waits_for_inquiry(&name, asker) {
            return true;
        }
        let Some(fleet) = &mut self.fleet else { return false };
        let has_room = fleet.inquiries.pending.len() < fleet.sharing.limits.leases_max;
        if fleet.inquiries.owed.contains_key(&name) || !has_room || tries == 0 {
            return false;
        }
        let Some(superior) = fleet.superior(&name, now, asker.peer) else { return false };
        let until = now.saturating_add(fleet.time_for(superior));
        let kin_until = fleet.leases.kin_until(&name);
        let kin_wait = kin_until.map(|until| until.saturating_since(now));
        let ask = self.flights.ask_number();
        let inquiry = Inquiry { name, superior, asker, until, has_answered: false, tries_left: tries - 1 };
        if let Some(fleet) = &mut self.fleet {
            fleet.inquiries.begin(ask, inquiry);
        }
        self.counters.asks += 1;
        self.say_linked(superior, Message::Ask { ask, name, role: Role::Coordinator, kin_wait });
        true
    }

    /// Takes an answer to what was asked for others; gives it back if it answers no such ask.
    pub(in crate::engine) fn on_inquiry_answered(
        &mut self,
        from: PeerId,
        ask: AskId,
        answer: Answer,
    ) -> Option<Answer> {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return Some(answer) };
        let Some(inquiry) =
            fleet.inquiries.pending.get(&ask).copied().filter(|inquiry| inquiry.superior == from)
        else {
            return Some(answer);
        };
        match answer {
            Answer::Wait => {
                let until = now.saturating_add(fleet.sharing.limits.wait_timeout);
                fleet.inquiries.postpone(ask, until);
            }
            Answer::Hit(parcel) => self.on_inquiry_hit(ask, inquiry, *parcel),
            Answer::Lease { name, stale } => {
                if name != inquiry.name || !fleet.leases.contains(&inquiry.name) {
                    self.say(from, Message::Release { name, verdict: Verdict::Unused });
                    self.give_up_inquiry(ask);
                    return None;
                }
                fleet.inquiries.end(ask);
                fleet.inquiries.owed.insert(name, from);
                self.grant_with(name, inquiry.asker, stale);
            }
            Answer::Miss => self.give_up_inquiry(ask),
            Answer::Failed => {
                fleet.inquiries.end(ask);
                let waiting = fleet.leases.conclude(&inquiry.name);
                for asker in waiting.into_iter().chain([inquiry.asker]) {
                    self.dismiss(asker, Verdict::Failed);
                }
            }
        }
        None
    }

    fn on_inquiry_hit(&mut self, ask: AskId, inquiry: Inquiry, parcel: Parcel) {
        let Some(fleet) = &self.fleet else { return };
        if fleet.sharing.naming.names(&parcel.key).contains(&inquiry.name) {
            // All that wait for the name are sent what comes of this, and the one that we asked for among them.
            self.on_announced(inquiry.superior, parcel);
        } else {
            self.on_offence(inquiry.superior, Offence::BadEntry);
        }
        self.give_up_inquiry(ask);
    }

    /// Lets the member that we asked for fetch, on our own authority.
    fn give_up_inquiry(&mut self, ask: AskId) {
        let Some(fleet) = &mut self.fleet else { return };
        let Some(inquiry) = fleet.inquiries.end(ask) else { return };
        if fleet.leases.contains(&inquiry.name) {
            self.grant(inquiry.name, inquiry.asker);
        } else {
            self.turn_away(inquiry.asker);
        }
    }

    /// Tells `asker`, whose lease has passed to another or ended by now, to fetch for itself, unless it is gone.
    fn turn_away(&mut self, asker: Asker) {
        let Some(fleet) = &self.fleet else { return };
        if asker.peer == fleet.local() || fleet.peers.connected().contains_key(&asker.peer) {
            self.dismiss(asker, Verdict::Unused);
        }
    }

    pub(in crate::engine) fn on_inquiry_timed_out(&mut self, ask: AskId) {
        let Some(inquiry) = self.fleet.as_ref().and_then(|fleet| fleet.inquiries.pending.get(&ask).copied())
        else {
            return;
        };
        if !inquiry.has_answered {
            self.blame_silence(inquiry.superior);
        }
        self.give_up_inquiry(ask);
    }

    /// Counts it against `peer` that it left an ask unanswered, if it can have heard it.
    pub(in crate::engine) fn blame_silence(&mut self, peer: PeerId) {
        self.counters.asks_unanswered += 1;
        let fleet = self.fleet.as_mut().filter(|fleet| fleet.peers.connected().contains_key(&peer));
        if let Some(fleet) = fleet {
            fleet.patience.entry(peer).or_default().on_silence();
            self.on_offence(peer, Offence::Silent);
        }
    }

    /// If `name` is being asked for on behalf of another, that is now `asker`, which hears what comes of it.
    pub(super) fn waits_for_inquiry(&mut self, name: &Name, asker: Asker) -> bool {
        let before = self.fleet.as_mut().and_then(|fleet| fleet.inquiries.retarget(name, asker));
        if let Some(before) = before.filter(|before| *before != asker) {
            self.turn_away(before);
        }
        before.is_some()
    }

    /// The entry of `name` has come: returns the members that wait for an inquiry of it, which are to be sent the
    /// entry.
    pub(super) fn conclude_inquiry(&mut self, name: &Name) -> Option<Asker> {
        let fleet = self.fleet.as_mut()?;
        let ask = fleet.inquiries.names.get(name).copied()?;
        fleet.inquiries.end(ask).map(|inquiry| inquiry.asker)
    }

    /// Sends `entry` to the member that it is owed to. Returns which that is.
    pub(super) fn pay_owed(&mut self, name: &Name, entry: &Arc<Entry>) -> Option<PeerId> {
        let fleet = self.fleet.as_mut()?;
        let superior = fleet.inquiries.owed.remove(name)?;
        if !fleet.peers.connected().contains_key(&superior) {
            return None;
        }
        self.say_to_owners(Vec::from([superior]), entry);
        Some(superior)
    }

    /// Gives back the leases that are others' to grant and that no member holds here any more.
    pub(super) fn give_back_owed(&mut self, verdict: Verdict) {
        let Some(fleet) = &mut self.fleet else { return };
        let leases = &fleet.leases;
        let ended: Vec<(Name, PeerId)> =
            fleet.inquiries.owed.extract_if(.., |name, _superior| !leases.contains(name)).collect();
        for (name, superior) in ended {
            self.say_linked(superior, Message::Release { name, verdict });
        }
    }

    /// Asks once more on behalf of `asker`, after the call for `name` of another that waited here has failed: the next call is
    /// the heaviest member's to grant, or else one would fail in each district. Returns whether there is such a member.
    pub(super) fn inquire_after_failure(&mut self, name: Name, asker: Asker) -> bool {
        let owed = self.fleet.as_mut().and_then(|fleet| fleet.inquiries.owed.remove(&name));
        if let Some(superior) = owed {
            self.say_linked(superior, Message::Release { name, verdict: Verdict::Failed });
        }
        self.inquire(name, asker)
    }

    /// The last call that the fleet makes for `name` has failed, and `holder` made it. It may have to ask for others that
    /// wait for it, and is to hear what all others heard.
    pub(super) fn note_failure(&mut self, name: Name, holder: PeerId) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        if !fleet.is_on_the_way() || holder == fleet.local() {
            return;
        }
        let failed = &mut fleet.inquiries.failed;
        failed.retain(|_name, (_holder, until)| *until > now);
        if failed.len() < fleet.sharing.limits.leases_max {
            failed.insert(name, (holder, now.saturating_add(FAILURE_KEPT)));
        }
    }

    /// `asker` is gone, and no other has its lease: nothing waits for what was asked on its behalf.
    pub(super) fn lose_asker(&mut self, asker: PeerId) {
        let Some(fleet) = &mut self.fleet else { return };
        let lost = fleet.inquiries.pending.iter().filter(|(_ask, inquiry)| inquiry.asker.peer == asker);
        let lost: Vec<AskId> = lost.map(|(ask, _inquiry)| *ask).collect();
        for ask in lost {
            fleet.inquiries.end(ask);
        }
    }

    /// `peer` is gone: what was asked of it is asked of the next.
    pub(super) fn lose_superior(&mut self, peer: PeerId) {
        let Some(fleet) = &mut self.fleet else { return };
        fleet.inquiries.unsent.remove(&peer);
        fleet.inquiries.owed.retain(|_name, superior| *superior != peer);
        let lost = fleet.inquiries.pending.iter().filter(|(_ask, inquiry)| inquiry.superior == peer);
        let lost: Vec<AskId> = lost.map(|(ask, _inquiry)| *ask).collect();
        for ask in lost {
            let Some(fleet) = &mut self.fleet else { return };
            let Some(Inquiry { name, asker, tries_left, .. }) = fleet.inquiries.end(ask) else { continue };
            if !fleet.leases.contains(&name) {
                self.turn_away(asker);
            } else if !self.inquire_again(name, asker, tries_left) {
                self.grant(name, asker);
            }
        }
    }

    /// Says `message` to `to`, over a connection that is made for the purpose if none stands.
    pub(in crate::engine) fn say_linked(&mut self, to: PeerId, message: Message) {
        let Some(fleet) = &mut self.fleet else { return };
        if fleet.peers.connected().contains_key(&to) {
            return self.say(to, message);
        }
        let unsent = fleet.inquiries.unsent.entry(to).or_default();
        if unsent.len() < UNSENT_MAX {
            unsent.push(message);
        }
        self.link(to);
    }

    /// Makes a connection with `to`, in which something is to be said.
    pub(super) fn link(&mut self, to: PeerId) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        match fleet.districts.outsiders.get(to).map(|outsider| addresses(&outsider.member)) {
            Some(addresses) => fleet.peers.want_outsider(now, to, &addresses),
            None => drop(fleet.peers.want(now, to)),
        }
    }

    /// A connection stands for which something may wait.
    pub(super) fn say_unsent(&mut self, to: PeerId) {
        let unsent = self.fleet.as_mut().and_then(|fleet| fleet.inquiries.unsent.remove(&to));
        for message in unsent.into_iter().flatten() {
            self.say(to, message);
        }
    }

    /// Dials have failed, perhaps of members that something waits for: they are asked no longer.
    pub(super) fn drop_unsent(&mut self) {
        let Some(fleet) = &mut self.fleet else { return };
        let peers = &fleet.peers;
        let is_lost = |peer: &PeerId| !peers.is_dialing(*peer) && !peers.connected().contains_key(peer);
        let lost: Vec<PeerId> = fleet.inquiries.unsent.keys().copied().filter(is_lost).collect();
        for peer in lost {
            self.lose_superior(peer);
            self.lose_overtaken(peer);
            for ask in self.flights.asking(peer) {
                if let Some(id) = self.flights.end_ask(ask, peer) {
                    self.flights.flight_mut(id).note_silent(peer);
                    self.go_on(id);
                }
            }
        }
    }

    /// Where members are not all connected, tells some others what was news to us.
    pub(in crate::engine) fn pass_on(&mut self, news: Vec<Invalidation>) {
        let Some(fleet) = &self.fleet else { return };
        if news.is_empty() || !fleet.ring.exceeds_connections() {
            return;
        }
        let to: Vec<PeerId> = fleet.ring.next_others().take(PASSED_ON_TO).collect();
        self.say_to(to, Message::Invalidate(Notice { receipt: 0, mark: None, invalidations: news }));
    }
}

/// How long it is remembered that the fleet has failed to fetch a name: the ask that is to hear of it comes right behind the
/// word that the call failed.
const FAILURE_KEPT: Duration = Duration::from_millis(50);

/// How often an ask is passed on anew because the member that was asked is gone.
const INQUIRY_TRIES: u8 = 3;

/// Most messages that wait for one connection; of what is beyond, the ask runs out of time.
const UNSENT_MAX: usize = 64;

/// How many members are told of a write that they may not have heard of: those that come next in the order of ids. A
/// member is missed if none of the sixteen before it, as far as they are connected with it, was told.
const PASSED_ON_TO: usize = 16;
