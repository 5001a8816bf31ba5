//! Follows the ways by which a node finds others: one task for each, which looks when the engine asks, or when there is news.

use cache_core::{
    Contact, Input, Way,
    port::{Discovery, Finding, LOOK_TIMEOUT, LookFault},
};
use parking_lot::Mutex;
use serde::Serialize;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{info, warn};

/// The ways that are followed, until this is dropped.
pub(crate) struct Finder {
    seek: watch::Sender<u64>,
    found: mpsc::Receiver<Found>,
    _following: JoinSet<()>,
}

/// What a look has brought, for the engine.
#[derive(Debug)]
pub(crate) struct Found {
    way: Way,
    contacts: Vec<Contact>,
}

impl From<Found> for Input {
    fn from(Found { way, contacts }: Found) -> Self {
        Self::Found { way, contacts }
    }
}

impl Finder {
    /// Follows `ways`, at most 256 of them. Nothing is looked for before the first [`seek`](Self::seek).
    pub(crate) fn start(ways: Vec<(Arc<WayStatus>, Arc<dyn Discovery>)>) -> Self {
        let (seek, sought) = watch::channel(0);
        let (reports, found) = mpsc::channel(REPORTS_MAX);
        let mut following = JoinSet::new();
        for (number, (status, discovery)) in (0..=u8::MAX).zip(ways) {
            let (sought, reports) = (sought.clone(), reports.clone());
            following.spawn(follow((Way(number), status), discovery, sought, reports));
        }
        Self { seek, found, _following: following }
    }

    /// Has all ways look that are not looking already.
    pub(crate) fn seek(&self) {
        self.seek.send_modify(|count| *count += 1);
    }

    /// What was found next; never anything where there is no way.
    pub(crate) async fn next(&mut self) -> Found {
        match self.found.recv().await {
            Some(found) => found,
            None => std::future::pending().await,
        }
    }
}

async fn follow(
    (way, status): (Way, Arc<WayStatus>),
    discovery: Arc<dyn Discovery>,
    mut sought: watch::Receiver<u64>,
    reports: mpsc::Sender<Found>,
) {
    if sought.changed().await.is_err() {
        return;
    }
    loop {
        let finding = timeout(LOOK_TIMEOUT, discovery.look()).await;
        let finding = finding.unwrap_or_else(|_elapsed| too_slow().into());
        sought.mark_unchanged();
        status.note(&finding);
        if reports.send(Found { way, contacts: finding.contacts }).await.is_err() {
            return;
        }
        sleep(LOOK_PAUSE).await;
        tokio::select! {
            wish = sought.changed() => if wish.is_err() { return },
            () = discovery.changed() => {}
        }
    }
}

fn too_slow() -> LookFault {
    LookFault {
        reason: format!("no answer within {} s", LOOK_TIMEOUT.as_secs()).into(),
        remedy: "see whether what is asked can be reached; it is asked again".into(),
    }
}

/// How a way does.
pub(crate) struct WayStatus {
    /// What people call it.
    pub(crate) name: Box<str>,
    last: Mutex<Option<Last>>,
}

struct Last {
    at: Instant,
    found_count: usize,
    fault: Option<LookFault>,
}

impl WayStatus {
    pub(crate) fn new(name: impl Into<Box<str>>) -> Self {
        Self { name: name.into(), last: Mutex::new(None) }
    }

    /// Takes what the last look brought, and says in the log what has changed.
    fn note(&self, finding: &Finding) {
        let found_count = finding.contacts.len();
        let mut last = self.last.lock();
        let former = last.replace(Last { at: Instant::now(), found_count, fault: finding.fault.clone() });
        let (count_before, fault_before) =
            former.map_or((None, None), |former| (Some(former.found_count), former.fault));
        let way = &*self.name;
        if let Some(fault) = finding.fault.as_ref().filter(|fault| fault_before.as_ref() != Some(*fault)) {
            warn!(way, "cannot find all nodes: {fault}");
        }
        if count_before != Some(found_count) && (found_count > 0 || count_before.is_some()) {
            info!(way, addresses = found_count, "found where nodes may be");
        }
    }

    pub(crate) fn report(&self) -> DiscoveryReport {
        let last = self.last.lock();
        let last = last.as_ref();
        DiscoveryReport {
            way: self.name.to_string(),
            seconds: last.map(|last| last.at.elapsed().as_secs()),
            found: last.map_or(0, |last| last.found_count),
            fault: last.and_then(|last| last.fault.as_ref()).map(|fault| fault.reason.to_string()),
            remedy: last.and_then(|last| last.fault.as_ref()).map(|fault| fault.remedy.to_string()),
        }
    }
}

/// How a way to find other nodes does.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DiscoveryReport {
    /// The way, as [`Peer::found_by`](crate::Peer::found_by) names it.
    pub way: String,
    /// Seconds since the last look ended; `None` before the first has.
    pub seconds: Option<u64>,
    /// How many addresses that look found, this node's own among them if it is there.
    pub found: usize,
    /// What kept that look from finding all that is there.
    pub fault: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// Shortest time between two looks by one way, whatever the engine asks for and however often there is news.
const LOOK_PAUSE: Duration = Duration::from_millis(500);

/// Most reports that wait for the engine; a way that has one more waits with it.
const REPORTS_MAX: usize = 16;
