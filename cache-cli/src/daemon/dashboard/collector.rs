//! The one task that reads what the page shows, and puts it on the board.

use super::{
    board::{Board, Topic},
    departed::Departed,
    history::History,
    shapes::{AboutShape, FleetShape, NodeShape, QuotaShape, UsageShape},
    stream::Places,
};
use crate::{
    admin::{AllowanceLine, Examination},
    daemon::{about::Shown, examine::examine, pulse::pulse, usage::FleetUsage},
    door::Front,
};
use cache_core::Reserves;
use fleet_cache::{Closed, Peer, Stats};
use serde_json::json;
use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

/// Reads the node and keeps the board and the history.
pub(super) struct Collector {
    front: Arc<Front>,
    shown: watch::Receiver<Shown>,
    reserves: Reserves,
    board: watch::Sender<Board>,
    places: Places,
    history: History,
    departed: Departed,
    /// When the node started, once it was told.
    started: Option<u64>,
    usage: Errand,
    examination: Errand,
    found: JoinSet<Found>,
}

/// Something that takes seconds and is done now and then while somebody looks.
#[derive(Default)]
struct Errand {
    is_under_way: bool,
    last: Option<Instant>,
}

impl Errand {
    /// Whether to begin; if so, it has begun.
    fn begin(&mut self, every: Duration) -> bool {
        let is_due = self.last.is_none_or(|last| last.elapsed() >= every);
        let begins = is_due && !self.is_under_way;
        if begins {
            (self.is_under_way, self.last) = (true, Some(Instant::now()));
        }
        begins
    }
}

/// What an errand has found.
enum Found {
    Examined(Examination),
    Used(Result<FleetUsage, Closed>),
}

impl Collector {
    /// Reads the node behind `front`, whose requests leave `reserves`, for the pages on `places`.
    pub(super) fn new(
        front: Arc<Front>,
        shown: watch::Receiver<Shown>,
        reserves: Reserves,
        (board, places): (watch::Sender<Board>, Places),
    ) -> Self {
        Self {
            front,
            shown,
            reserves,
            board,
            places,
            history: History::default(),
            departed: Departed::default(),
            started: None,
            usage: Errand::default(),
            examination: Errand::default(),
            found: JoinSet::new(),
        }
    }

    /// Goes on for as long as it is awaited.
    pub(super) async fn keep(mut self) -> Infallible {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _tick = ticks.tick() => self.turn().await,
                // Only the first page has to be told at once: later ones find the board as of the last tick.
                () = self.places.taken() => if self.board.borrow().is_clear() { self.turn().await },
                Some(found) = self.found.join_next() => match found {
                    Ok(found) => self.take(found),
                    // Whichever it was, it can be done again.
                    Err(_panicked) => (self.usage.is_under_way, self.examination.is_under_way) = (false, false),
                },
            }
        }
    }

    async fn turn(&mut self) {
        let (is_watched, now) = (self.places.are_taken(), now());
        if !is_watched {
            self.rest();
        }
        let is_due = self.history.is_due(now);
        if !is_watched && !is_due {
            return;
        }
        let stats = match pulse(&self.front.node).await {
            Ok(stats) => stats,
            Err(error) => {
                let tick = json!({ "now": now, "trouble": error.to_string() });
                return self.board.send_modify(|board| board.put(Topic::Tick, &tick));
            }
        };
        let mut lines: Vec<AllowanceLine> = stats.origin.quotas.iter().map(AllowanceLine::from).collect();
        lines.sort_by_cached_key(|line| line.rank(now));
        if is_due {
            self.history.note(&lines, now);
        }
        let peers = self.front.node.peers().await.unwrap_or_default();
        self.departed.note(&peers, now);
        if is_watched {
            self.show(&stats, &lines, &peers, now);
            self.send_out(&stats);
        }
    }

    /// Forgets what was shown to pages that are gone.
    fn rest(&mut self) {
        if !self.board.borrow().is_clear() {
            self.board.send_modify(Board::clear);
            (self.usage.last, self.examination.last) = (None, None);
        }
    }

    fn show(&mut self, stats: &Stats, lines: &[AllowanceLine], peers: &[Peer], now: u64) {
        let refusals = self.front.refusals.report(self.front.node.github());
        let started = *self.started.get_or_insert(now.saturating_sub(stats.uptime_seconds));
        let shown = self.shown.borrow();
        self.board.send_modify(|board| {
            board.put(Topic::About, &AboutShape::of(&shown, started));
            board.put(Topic::History, &self.history.curves());
            board.put(Topic::Quota, &QuotaShape::of(lines, &self.reserves));
            board.put(Topic::Sample, &self.history.sample());
            board.put(Topic::Node, &NodeShape::of(stats));
            board.put(Topic::Fleet, &FleetShape::of(stats, (peers, &self.departed), &shown));
            board.put(Topic::Refusals, &refusals);
            board.put(Topic::Tick, &json!({ "now": now }));
        });
    }

    /// Sends out for what takes longer, if it is time to.
    fn send_out(&mut self, stats: &Stats) {
        let is_alone = stats.connected_peers == 0;
        if self.usage.begin(if is_alone { TICK } else { USAGE_EVERY }) {
            let front = Arc::clone(&self.front);
            self.found.spawn(async move { Found::Used(FleetUsage::of_fleet(&front.node).await) });
        }
        if self.examination.begin(EXAMINE_EVERY) {
            let (front, about) = (Arc::clone(&self.front), self.shown.borrow().about.clone());
            self.found.spawn(async move { Found::Examined(examine(&front.node, &about).await) });
        }
    }

    fn take(&mut self, found: Found) {
        let now = now();
        let is_watched = self.places.are_taken();
        match found {
            Found::Examined(examination) => {
                self.examination.is_under_way = false;
                let examined = json!({ "at": now, "checks": examination.briefly() });
                self.put(is_watched, Topic::Doctor, &examined);
            }
            Found::Used(usage) => {
                self.usage.is_under_way = false;
                if let Ok(usage) = usage {
                    self.put(is_watched, Topic::Usage, &UsageShape::of(&usage, now));
                }
            }
        }
    }

    fn put(&self, is_watched: bool, topic: Topic, content: &impl serde::Serialize) {
        if is_watched {
            self.board.send_modify(|board| board.put(topic, content));
        }
    }
}

/// In seconds since the Unix epoch.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// How often the node is read while somebody looks.
pub(super) const TICK: Duration = Duration::from_secs(2);
/// How often members are asked what they have counted while somebody looks; where there are none, it is every [`TICK`].
const USAGE_EVERY: Duration = Duration::from_secs(15);
/// How often the doctor looks while somebody does: each time it pings members and has one keep a value of some bytes.
const EXAMINE_EVERY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_errand_begins_when_it_is_due_and_not_twice_at_once() {
        let mut errand = Errand::default();
        assert!(errand.begin(TICK) && !errand.begin(TICK));
        errand.is_under_way = false;
        assert!(!errand.begin(TICK));
        tokio::time::advance(TICK).await;
        assert!(errand.begin(TICK));
    }
}
