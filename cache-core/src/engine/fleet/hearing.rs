//! What members say, handed to the parts that it concerns.

use super::saying::is_of_lookup;
use crate::{
    AskId, Message, Offence, Payer, PeerId,
    engine::Engine,
    message::Announced,
    peers::Traffic,
    sharing::{Asker, Query},
};

impl Engine {
    /// Whether what `from` said in so many `bytes` is accepted: it must be connected, and say no more than it may.
    pub(in crate::engine) fn admits(&mut self, from: PeerId, bytes: usize) -> bool {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return false };
        if !fleet.peers.connected().contains_key(&from) {
            return false;
        }
        match fleet.peers.on_traffic(now, from, bytes) {
            Traffic::Within => true,
            Traffic::Over { ban } => {
                self.counters.bans += u64::from(ban.is_some());
                false
            }
        }
    }

    pub(in crate::engine) fn on_received(&mut self, from: PeerId, message: Message, bytes: usize) {
        let now = self.now;
        if !self.admits(from, bytes) {
            self.counters.messages_dropped += 1;
            return;
        }
        let Some(fleet) = &mut self.fleet else { return };
        if is_of_lookup(&message) {
            fleet.peers.on_used(now, from);
        }
        match message {
            Message::Allowances(told) => self.on_allowances(from, told),
            Message::Announce(Announced::Named { name, remaining, age, edition }) => {
                self.on_announced_elsewhere(from, name, remaining, age, edition);
            }
            Message::Announce(Announced::ToPassOn(parcel)) => self.on_announced_to_pass_on(from, *parcel),
            Message::Announce(Announced::Whole(parcel)) => self.on_announced(from, *parcel),
            Message::Answer { ask, answer } => self.on_answer(from, ask, answer),
            Message::Ask { ask, name, role, kin_wait } => {
                let wait = kin_wait.map(|wait| wait.min(fleet.sharing.limits.kin_wait_max));
                let kin_until = wait.map(|wait| now.saturating_add(wait));
                self.on_ask(Query { asker: Asker { peer: from, ask }, role, kin_until }, name);
            }
            Message::CallNumbers(told) => self.on_call_numbers(from, told),
            Message::Claim { name } => {
                fleet.leases.claim(self.now, name, from, &fleet.sharing.limits);
            }
            Message::Digest(digest) => self.on_digest(from, &digest),
            Message::District(surroundings) => self.on_surroundings(from, &surroundings),
            Message::Guest(word) => self.on_guest_word(from, word),
            Message::Figures(figures) => {
                fleet.figures.insert(from, figures);
            }
            Message::Forgotten { receipt } => self.on_forgotten(from, receipt),
            Message::Invalidate(notice) => self.on_invalidated(from, &notice),
            Message::Membership(bytes) => {
                let is_of_members = !fleet.is_guest() && !fleet.guests.is_no_member(from);
                if is_of_members && fleet.membership.on_message(now, from, &bytes).is_err() {
                    self.on_offence(from, Offence::Malformed);
                }
            }
            Message::Origin { host, word } => self.on_origin_told(from, &host, word),
            Message::Ping { token } => self.say(from, Message::Pong { token, clock: self.now }),
            Message::Pong { token, clock } => self.on_pong(from, AskId(token), clock),
            Message::Quota { payer, bucket, pause, shortage } if payer != Payer::HOST => {
                self.on_quota(from, (payer, bucket), pause, shortage);
            }
            Message::Quota { .. } => {}
            Message::Release { name, verdict } => self.on_release(from, name, verdict),
            Message::WarmUp { skip } => self.on_warm_up(from, skip),
            Message::WarmedUp { next } => self.on_warmed_up(from, next),
            Message::Writes(told) => self.on_writes(from, told),
        }
    }
}
