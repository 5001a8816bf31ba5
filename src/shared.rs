//! What all handles to one node have in common, and how an order reaches its driver.

use crate::{
    Closed,
    command::{Command, Completion, FetchFn},
    discovery::WayStatus,
    secrets::{Lock, Secrets},
    webhooks::WebhookCounters,
    withheld::Withheld,
};
use cache_core::{Bucket, Entry, Key, PeerId, Priority, Reader, RequestId, Source, freshness};
use cache_crypto::SecretKind;
use cache_origin_github::{Admissions, GitHub};
use cache_store::{CoarseClock, ReadIndex, WriteBehind};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
    time::Instant,
};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc, oneshot, watch},
};

pub(crate) struct Shared {
    pub(crate) github: GitHub,
    pub(crate) access: Access,
    /// Where the driver runs, and with it every call to the origin.
    pub(crate) runtime: Handle,
    pub(crate) index: Arc<ReadIndex>,
    pub(crate) clock: Arc<CoarseClock>,
    pub(crate) disk: Option<WriteBehind>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) ended: watch::Receiver<()>,
    /// A permit for each call that may pass the cache by at once.
    pub(crate) passes: Arc<Semaphore>,
    pub(crate) request_next: AtomicU64,
    pub(crate) started: Instant,
    pub(crate) entries_max: usize,
    pub(crate) bytes_max: usize,
    pub(crate) sharing: SharingState,
    pub(crate) secrets: Secrets,
    pub(crate) webhooks: WebhookCounters,
}

/// What the origin allows each payer, as far as it has told this node.
#[derive(Default)]
pub(crate) struct Access {
    /// Which credentials may have which entries of the domains that several share.
    pub(crate) admissions: Arc<Admissions>,
    /// The payers whose calls wait.
    pub(crate) withheld: Withheld,
}

/// Whether a node shares, and if not, why.
pub(crate) enum SharingState {
    /// It was given no secret.
    NoSecret,
    /// It was given no transport.
    NoTransport,
    /// It shares as this peer, reachable at these addresses.
    Shared {
        local: PeerId,
        addresses: Vec<Box<str>>,
        secret: parking_lot::Mutex<SecretKind>,
        lock: Lock,
        /// The ways by which it finds others.
        ways: Vec<Arc<WayStatus>>,
    },
}

impl Shared {
    /// Counts a look-up that `entry` answered from memory.
    pub(crate) fn count_hit(&self, entry: &Entry) {
        match entry.source() {
            Source::Own => self.index.count_hit(),
            Source::Peer => self.index.count_peer_hit(),
        }
    }

    /// A number for a look-up.
    pub(crate) fn number(&self) -> RequestId {
        RequestId(self.request_next.fetch_add(1, Ordering::Relaxed))
    }

    /// Hands a look-up to the driver and waits for its end.
    pub(crate) async fn wait_for(
        &self,
        key: Key,
        directives: freshness::Directives,
        (bucket, priority, reader, kin_wait): (Bucket, Priority, Reader, Option<Duration>),
        fetch: FetchFn,
    ) -> Result<Completion, Closed> {
        let request = self.number();
        let cancel = CancelOnDrop { commands: &self.commands, request: Some(request) };
        let completion = self
            .order(|done| Command::Get {
                request,
                key,
                directives,
                bucket,
                priority,
                reader,
                kin_wait,
                fetch,
                done,
            })
            .await;
        cancel.defuse();
        completion
    }

    /// Sends an order to the driver and waits for its answer.
    pub(crate) async fn order<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Closed> {
        let (done, answer) = oneshot::channel();
        self.commands.send(command(done)).await.map_err(|_closed| Closed)?;
        answer.await.map_err(|_closed| Closed)
    }
}

/// Tells the driver that a request's future was dropped before its end.
struct CancelOnDrop<'a> {
    commands: &'a mpsc::Sender<Command>,
    request: Option<RequestId>,
}

impl CancelOnDrop<'_> {
    fn defuse(mut self) {
        self.request = None;
    }
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(request) = self.request {
            // With a full queue the request stays until its deadline, and its answer goes nowhere.
            let _full_or_closed = self.commands.try_send(Command::Cancel { request });
        }
    }
}
