//! The transport as the driver sees it.

use crate::{
    ListenError, QuicAddress, QuicSettings,
    dial::{self, Failure},
    entrance,
    inbox::Inbox,
    link::{self, End},
    peers::Peers,
    shared::{Shared, Tasks},
    sockets::Sockets,
    tls,
};
use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    PeerId,
    port::{FRAME_BYTES_MAX, Gate, Lane, PeerFigures, SendError, Transport, TransportEvent},
};
use libp2p_identity::Keypair;
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
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
        let local = tls::core_peer(keypair.public().to_peer_id()).expect("an Ed25519 key has a peer id");
        let config = tls::server_config(&keypair, &settings).map_err(ListenError::Certificate)?;
        let inbox = Arc::new(Inbox::new(settings.peers_max));
        let shared = Arc::new(Shared {
            local,
            sockets: Sockets::listen(listen, local, &config)?,
            keypair,
            gate,
            peers: Peers::new(settings.peers_max, Arc::clone(&inbox)),
            settings,
            inbox,
            entrance: Arc::default(),
            tasks: Tasks::new(runtime),
            run: run(),
            link_ids: 0.into(),
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
        self.shared.local
    }

    fn addresses(&self) -> Vec<Box<str>> {
        self.shared.sockets.addresses(self.shared.local)
    }

    fn dial(&self, address: &str) {
        if self.shared.tasks.have_ended() {
            return dial::fail(&self.shared, address.into(), Failure::shut_down());
        }
        self.shared.tasks.spawn(dial::dial(Arc::clone(&self.shared), address.into()));
    }

    fn send(&self, peer: PeerId, lane: Lane, frame: Bytes) -> Result<(), SendError> {
        if frame.len() > FRAME_BYTES_MAX {
            return Err(SendError::TooLong);
        }
        tracing::trace!(?peer, ?lane, frame_bytes = frame.len(), "send");
        self.shared.peers.get(peer).ok_or(SendError::NotConnected)?.send(lane, frame)
    }

    fn disconnect(&self, peer: PeerId) {
        if let Some(link) = self.shared.peers.get(peer) {
            self.shared.peers.remove(&link, &End::ByUs);
        }
    }

    async fn next_event(&self) -> Option<TransportEvent> {
        self.shared.inbox.next().await
    }

    fn figures(&self, peer: PeerId) -> Option<PeerFigures> {
        self.shared.peers.get(peer).map(|link| link.figures())
    }

    async fn shutdown(&self) {
        let _one_at_a_time = self.shutdown.lock().await;
        let shared = &self.shared;
        shared.sockets.stop_listening();
        // What waits on the control lanes, such as that we leave, still goes out.
        let end = Instant::now() + FLUSH_TIMEOUT;
        let links = shared.peers.all();
        for link in &links {
            link.finish();
        }
        for link in links {
            if timeout_at(end, link.connection.closed()).await.is_err() {
                tracing::debug!(peer = ?link.peer, "frames that the peer did not take are dropped");
            }
        }
        let mut tasks = shared.tasks.end();
        for link in shared.peers.all() {
            shared.peers.remove(&link, &End::ShutDown);
        }
        tasks.shutdown().await;
        shared.sockets.close(link::CODE_ENDED);
        shared.sockets.release().await;
        shared.inbox.end();
    }
}

impl Drop for Quic {
    fn drop(&mut self) {
        // The tasks hold what they share, so that it does not end by itself.
        drop(self.shared.tasks.end());
        self.shared.sockets.close(link::CODE_ENDED);
        self.shared.inbox.end();
    }
}

/// When this run began, in nanoseconds: no two of one identity begin at once.
fn run() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Time for peers to take the last control frames.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);
