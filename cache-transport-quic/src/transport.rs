//! The transport as the driver sees it.

use crate::{
    ListenError, QuicAddress, QuicSettings,
    code::CODE_ENDED,
    dial,
    entrance::{self, NEWCOMERS_MAX, NEWCOMERS_PER_SOURCE_MAX},
    shared::{Shared, Tasks},
    sockets::Sockets,
    tls,
};
use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    PeerId,
    port::{Gate, Lane, PeerFigures, SendError, Transport, TransportEvent},
};
use cache_transport::{
    address::core_peer, book::Book, budget::CHARGE_BYTES_MAX, ending::Ending, entrance::Entrance,
    link::Queues, outbox::Limits,
};
use libp2p_identity::Keypair;
use std::{sync::Arc, time::Duration};
use tokio::{
    runtime::Handle,
    sync::Mutex,
    time::{Instant, timeout_at},
};
use zeroize::Zeroizing;

/// Frames over QUIC, between peers that know each other by the keys in libp2p's certificates.
///
/// Dropping it ends every connection without a goodbye to the driver; [`Transport::shutdown`] is the orderly way.
#[derive(Debug)]
pub struct Quic {
    shared: Arc<Shared>,
    /// Held while shutting down, so that a second caller waits for the first.
    shutdown: Mutex<()>,
}

impl Quic {
    /// Listens on every address of `listen`, which may be none: such a node only dials.
    ///
    /// `seed` is the Ed25519 secret key of the node's identity. Must be called within a Tokio runtime with
    /// its timer and I/O enabled; the transport runs there.
    ///
    /// # Errors
    ///
    /// [`ListenError`]. No socket is left open then.
    pub fn listen(
        mut seed: Zeroizing<[u8; 32]>,
        listen: &[QuicAddress],
        gate: Arc<dyn Gate>,
        settings: QuicSettings,
    ) -> Result<Self, ListenError> {
        let runtime = Handle::try_current().map_err(|_none| ListenError::NoRuntime)?;
        let keypair = Keypair::ed25519_from_bytes(&mut *seed).expect("any 32 bytes are an Ed25519 key");
        let local = core_peer(keypair.public().to_peer_id()).expect("an Ed25519 key has a peer id");
        let config = tls::server_config(&keypair, &settings).map_err(ListenError::Certificate)?;
        let limits = Limits { frames_max: settings.queue_frames_max, bytes_max: settings.queue_bytes_max };
        let queues = Queues {
            bulk: limits,
            bulk_budget_bytes: BULK_BUDGET_BYTES,
            control: limits,
            control_budget_bytes: CONTROL_BUDGET_BYTES,
        };
        let shared = Arc::new(Shared {
            sockets: Sockets::listen(listen, local, &config)?,
            keypair,
            gate,
            book: Book::new(local, settings.peers_max, queues),
            settings,
            entrance: Arc::new(Entrance::new(NEWCOMERS_MAX, NEWCOMERS_PER_SOURCE_MAX)),
            tasks: Tasks::new(runtime),
        });
        for endpoint in shared.sockets.listening() {
            shared.tasks.spawn(entrance::accept(Arc::clone(&shared), endpoint));
        }
        Ok(Self { shared, shutdown: Mutex::default() })
    }
}

#[async_trait]
impl Transport for Quic {
    fn local_peer(&self) -> PeerId {
        self.shared.book.local()
    }

    fn addresses(&self) -> Vec<Box<str>> {
        self.shared.sockets.addresses(self.shared.book.local())
    }

    fn dial(&self, address: &str) {
        if self.shared.tasks.have_ended() {
            return dial::fail(&self.shared, address.into(), &Ending::ShutDown);
        }
        self.shared.tasks.spawn(dial::dial(Arc::clone(&self.shared), address.into()));
    }

    fn send(&self, peer: PeerId, lane: Lane, frame: Bytes) -> Result<(), SendError> {
        tracing::trace!(?peer, ?lane, frame_bytes = frame.len(), "send");
        self.shared.book.get(peer).ok_or(SendError::NotConnected)?.send(lane, frame)
    }

    fn disconnect(&self, peer: PeerId) {
        if let Some(link) = self.shared.book.get(peer) {
            self.shared.end_link(&link, &Ending::ByUs);
        }
    }

    async fn next_event(&self) -> Option<TransportEvent> {
        self.shared.book.inbox().next().await
    }

    fn figures(&self, peer: PeerId) -> Option<PeerFigures> {
        self.shared.book.get(peer).map(|link| link.figures(Some(link.own.rtt())))
    }

    async fn shutdown(&self) {
        let _one_at_a_time = self.shutdown.lock().await;
        let shared = &self.shared;
        shared.sockets.stop_listening();
        // What waits on the control lanes, such as that we leave, still goes out.
        let end = Instant::now() + FLUSH_TIMEOUT;
        let links = shared.book.all();
        for link in &links {
            link.finish();
        }
        for link in links {
            if timeout_at(end, link.own.closed()).await.is_err() {
                tracing::debug!(peer = ?link.peer, "frames that the peer did not take are dropped");
            }
        }
        let mut tasks = shared.tasks.end();
        shared.book.end();
        for link in shared.book.all() {
            shared.end_link(&link, &Ending::ShutDown);
        }
        tasks.shutdown().await;
        shared.sockets.close(CODE_ENDED);
        shared.sockets.release().await;
        shared.book.inbox().end();
    }
}

impl Drop for Quic {
    fn drop(&mut self) {
        // The tasks hold what they share, so that it does not end by itself.
        drop(self.shared.tasks.end());
        self.shared.sockets.close(CODE_ENDED);
        self.shared.book.inbox().end();
    }
}

/// Bytes of control frames that are being read or wait for the driver, per connection.
const CONTROL_BUDGET_BYTES: usize = CHARGE_BYTES_MAX + 1024 * 1024;

/// Bytes of bulk frames that are being read or wait for the driver, per connection: one while another is heard.
const BULK_BUDGET_BYTES: usize = 2 * CHARGE_BYTES_MAX;

/// Time for peers to take the last control frames.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);
