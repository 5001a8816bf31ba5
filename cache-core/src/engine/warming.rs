//! How a newcomer catches up: some other member sends it what is read most, in batches.

use super::Engine;
use crate::{Features, Message, Offence, PeerId, Timestamp, message::Announced};
use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

/// How far a newcomer has got in catching up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Warmth {
    /// Nobody was asked yet.
    Cold,
    /// `from` sends what is read most; `received` entries have come. At `until` we go on with what there is.
    Warming { from: PeerId, received: u32, until: Timestamp },
    /// Done.
    Warm,
}

impl Warmth {
    /// Whether members may have what this node should know.
    pub(super) fn is_cold(self, now: Timestamp) -> bool {
        match self {
            Self::Cold => true,
            Self::Warming { until, .. } => now < until,
            Self::Warm => false,
        }
    }
}

impl Engine {
    pub(super) fn warm_up_from(&mut self, peer: PeerId) {
        if let Some(fleet) = &mut self.fleet
            && fleet.warmth == Warmth::Cold
            && fleet.understands(peer, Features::WARM_UP)
        {
            let until = self.now.saturating_add(WARM_UP_TIMEOUT);
            fleet.warmth = Warmth::Warming { from: peer, received: 0, until };
            self.say(peer, Message::WarmUp { skip: 0 });
        }
    }

    pub(super) fn on_warm_up(&mut self, from: PeerId, skip: u32) {
        let Some(fleet) = &mut self.fleet else { return };
        let batches = fleet.warm_ups.entry(from).or_default();
        *batches += 1;
        if *batches > WARM_UPS_MAX {
            return self.on_offence(from, Offence::Flood);
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
        let Warmth::Warming { from, received, until } = fleet.warmth else { return };
        if from != peer {
            return;
        }
        let most = u32::try_from(fleet.sharing.limits.warm_up.entries_max).unwrap_or(u32::MAX);
        match next.filter(|next| *next > received && *next < most) {
            Some(next) => {
                fleet.warmth = Warmth::Warming { from, received: next, until };
                self.say(from, Message::WarmUp { skip: next });
            }
            None => fleet.warmth = Warmth::Warm,
        }
    }
}

/// Most batches that a peer is sent while it is connected: twice what the default limits come to.
const WARM_UPS_MAX: usize = 32;

/// Most entries in one batch of a warm-up, so that a newcomer with a short queue is not overrun.
const WARM_UP_BATCH_MAX: usize = 32;

/// Time for the whole of a warm-up: 8 MiB in 16 batches, on a slow line.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(10);
