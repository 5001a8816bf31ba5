//! How a newcomer catches up: some other member sends it what is read most, in batches.

use crate::{Features, Message, Offence, PeerId, engine::Engine, message::Announced};
use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

/// A newcomer's catching up.
#[derive(Debug, Default)]
pub(super) struct WarmingUp {
    warmth: Warmth,
    /// The members that were asked, at most [`WARM_UP_TRIES`].
    asked: Vec<PeerId>,
    /// Whether something that came was news.
    brings: bool,
}

/// How far it has got.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Warmth {
    /// No member is being asked.
    #[default]
    Cold,
    /// `from` sends what is read most; it has come to `received` entries.
    Warming { from: PeerId, received: u32 },
    /// It is over, whatever came.
    Warm,
}

impl Engine {
    pub(super) fn warm_up_from(&mut self, peer: PeerId) {
        if let Some(fleet) = &mut self.fleet
            && fleet.warming.warmth == Warmth::Cold
            && fleet.warming.asked.len() < WARM_UP_TRIES
            && fleet.understands(peer, Features::WARM_UP)
        {
            fleet.warming.asked.push(peer);
            fleet.warming.warmth = Warmth::Warming { from: peer, received: 0 };
            self.say(peer, Message::WarmUp { skip: 0 });
        }
    }

    /// Asks another member for what is read most, if `peer` was asked: that is gone, or new itself and had nothing.
    pub(super) fn warm_up_elsewhere(&mut self, peer: PeerId) {
        let Some(fleet) = &mut self.fleet else { return };
        let WarmingUp { warmth, asked, brings } = &mut fleet.warming;
        if !matches!(warmth, Warmth::Warming { from, .. } if *from == peer) {
            return;
        }
        *warmth = Warmth::Cold;
        let next = fleet.ring.others().find(|other| !asked.contains(other));
        match next.filter(|_| asked.len() < WARM_UP_TRIES) {
            Some(next) => self.warm_up_from(next),
            // No member has anything, so there is nothing to ask the former coordinators for.
            None if !*brings => fleet.new_until = None,
            None => {}
        }
    }

    /// Something that `peer` sent was news.
    pub(super) fn on_brought_by(&mut self, peer: PeerId) {
        let Some(fleet) = &mut self.fleet else { return };
        let WarmingUp { warmth, brings, .. } = &mut fleet.warming;
        if !*brings && matches!(warmth, Warmth::Warming { from, .. } if *from == peer) {
            *brings = true;
            let lifetime = fleet.sharing.limits.freshness_max.lifetime;
            fleet.new_until = Some(self.now.saturating_add(lifetime));
        }
    }

    pub(super) fn on_warm_up(&mut self, from: PeerId, skip: u32) {
        let Some(fleet) = &mut self.fleet else { return };
        let batches = fleet.warm_ups.entry(from).or_default();
        *batches += 1;
        if *batches > WARM_UPS_MAX {
            return self.on_offence(from, Offence::Flood);
        }
        if skip == 0 && *batches == 1 {
            self.tell_ledger(from);
        }
        let Some(fleet) = &self.fleet else { return };
        // One of another district is sent what is read there.
        if fleet.is_outsider(from) {
            return self.say(from, Message::WarmedUp { next: None });
        }
        let Some(fleet) = &self.fleet else { return };
        let most = fleet.sharing.limits.warm_up;
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let mut batch = Vec::new();
        let (mut seen, mut seen_bytes) = (0, 0);
        for entry in self.cache.hottest() {
            seen += 1;
            seen_bytes += entry.weight_bytes();
            if seen > most.entries_max || seen_bytes > most.bytes_max || batch.len() >= WARM_UP_BATCH_MAX {
                seen -= 1;
                break;
            }
            let is_short = entry.content().body.len() <= fleet.sharing.limits.attached_bytes_max;
            if seen > skip && is_short && !crate::freshness::remaining(entry, self.now).is_zero() {
                batch.push(self.parcel(entry));
            }
        }
        let has_more = seen < self.cache.len() && batch.len() >= WARM_UP_BATCH_MAX;
        for parcel in batch {
            self.say(from, Message::Announce(Announced::Whole(Box::new(parcel))));
        }
        let next = has_more.then(|| u32::try_from(seen).unwrap_or(u32::MAX));
        self.say(from, Message::WarmedUp { next });
    }

    pub(super) fn on_warmed_up(&mut self, peer: PeerId, next: Option<u32>) {
        let Some(fleet) = &mut self.fleet else { return };
        let Warmth::Warming { from, received } = fleet.warming.warmth else { return };
        if from != peer {
            return;
        }
        let most = u32::try_from(fleet.sharing.limits.warm_up.entries_max).unwrap_or(u32::MAX);
        match next.filter(|next| *next > received && *next < most) {
            Some(next) => {
                fleet.warming.warmth = Warmth::Warming { from, received: next };
                self.say(from, Message::WarmUp { skip: next });
            }
            None if fleet.warming.brings => fleet.warming.warmth = Warmth::Warm,
            None => self.warm_up_elsewhere(peer),
        }
    }
}

/// Most batches that a peer is sent while it is connected: twice what the default limits come to.
const WARM_UPS_MAX: usize = 32;

/// Most entries in one batch of a warm-up, so that a newcomer with a short queue is not overrun.
const WARM_UP_BATCH_MAX: usize = 32;

/// Most members that a newcomer asks until one has something: the first ones that it meets may be as new as itself.
const WARM_UP_TRIES: usize = 3;

/// Time for the whole of a warm-up: 8 MiB in 16 batches, on a slow line.
pub(super) const WARM_UP_TIMEOUT: Duration = Duration::from_secs(10);
