//! What every task of one transport shares.

use crate::{entrance::Entrance, inbox::Inbox, peers::Peers, settings::QuicSettings, sockets::Sockets};
use cache_core::{PeerId, port::Gate};
use libp2p_identity::Keypair;
use parking_lot::Mutex;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{runtime::Handle, task::JoinSet};

pub(crate) struct Shared {
    pub(crate) local: PeerId,
    pub(crate) keypair: Keypair,
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) settings: QuicSettings,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) peers: Peers,
    pub(crate) entrance: Arc<Entrance>,
    pub(crate) sockets: Sockets,
    pub(crate) tasks: Tasks,
    /// Tells this run of the process from others with the same identity.
    pub(crate) run: u64,
    pub(crate) link_ids: AtomicU64,
}

impl Shared {
    pub(crate) fn next_link_id(&self) -> u64 {
        self.link_ids.fetch_add(1, Ordering::Relaxed)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("local", &self.local).finish_non_exhaustive()
    }
}

/// Every task of the transport, so that none outlives it.
#[derive(Debug)]
pub(crate) struct Tasks {
    runtime: Handle,
    /// `None` once ended.
    running: Mutex<Option<JoinSet<()>>>,
}

impl Tasks {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self { runtime, running: Mutex::new(Some(JoinSet::new())) }
    }

    /// Runs `task`, unless the transport has ended.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(running) = &mut *self.running.lock() {
            while running.try_join_next().is_some() {}
            running.spawn_on(task, &self.runtime);
        }
    }

    /// Takes all tasks, to be aborted; none is run from now on.
    pub(crate) fn end(&self) -> JoinSet<()> {
        self.running.lock().take().unwrap_or_default()
    }

    /// Whether [`Self::end`] was called.
    pub(crate) fn have_ended(&self) -> bool {
        self.running.lock().is_none()
    }
}
