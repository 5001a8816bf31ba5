//! What every task of one transport shares.

use crate::{code, settings::QuicSettings, sockets::Sockets};
use cache_core::{PeerId, port::Gate};
use cache_transport::{book::Book, ending::Ending, entrance::Entrance};
use libp2p_identity::Keypair;
use parking_lot::Mutex;
use quinn::Connection;
use std::{fmt, sync::Arc};
use tokio::{runtime::Handle, task::JoinSet};

/// A connection that was admitted.
pub(crate) type Link = cache_transport::link::Link<Connection>;

pub(crate) struct Shared {
    pub(crate) keypair: Keypair,
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) settings: QuicSettings,
    pub(crate) book: Book<Connection>,
    pub(crate) entrance: Arc<Entrance>,
    pub(crate) sockets: Sockets,
    pub(crate) tasks: Tasks,
}

impl Shared {
    /// Ends `link` and its connection at once.
    pub(crate) fn end_link(&self, link: &Link, ending: &Ending) {
        self.book.remove(link, ending);
        link.own.close(code::of_ending(ending), b"");
    }

    /// Ends the link with `peer` whose connection has ended, though its task may not have noticed.
    pub(crate) fn forget_ended(&self, peer: PeerId) {
        if let Some(link) = self.book.get(peer)
            && let Some(reason) = link.own.close_reason()
        {
            self.end_link(&link, &code::ending(&reason));
        }
    }

    pub(crate) fn is_connected(&self, peer: PeerId) -> bool {
        self.book.get(peer).is_some_and(|link| link.own.close_reason().is_none())
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("local", &self.book.local()).finish_non_exhaustive()
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
