//! The transport itself, as a node holds it.

use crate::{
    address::Libp2pAddress,
    identity,
    settings::{DIALS_MAX, Libp2pSettings},
    shared::Shared,
    swarm::{self, Order},
};
use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    PeerId,
    port::{Gate, Lane, PeerFigures, SendError, Transport, TransportEvent},
};
use cache_transport::{
    address::{Carrier, core_peer},
    ending::Ending,
};
use libp2p::{
    Multiaddr,
    swarm::dial_opts::{DialOpts, PeerCondition},
};
use std::{
    env,
    ffi::OsStr,
    io,
    net::{TcpListener, UdpSocket},
    sync::Arc,
    time::Duration,
};
use thiserror::Error;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep},
};
use zeroize::Zeroizing;

/// A transport over libp2p: TCP with noise and yamux, and QUIC, side by side.
///
/// One task drives it and one more each connection; dropping it ends them all, at once and without goodbye.
/// [`Transport::shutdown`] is the orderly way.
pub struct Libp2p {
    shared: Arc<Shared>,
    orders: mpsc::Sender<Order>,
    done: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

impl Libp2p {
    /// Listens on every address of `listen`; on none, it only dials. Within a tokio runtime.
    ///
    /// `seed` is the Ed25519 seed of the node's identity. `gate` is asked about every connection.
    ///
    /// # Errors
    ///
    /// [`ListenError`]; nothing listens then. In particular, as long as `SSLKEYLOGFILE` is set, since libp2p
    /// would write the keys of every QUIC connection to the file that the variable names, and has no switch.
    pub async fn listen(
        seed: Zeroizing<[u8; 32]>,
        listen: &[Libp2pAddress],
        gate: Arc<dyn Gate>,
        settings: Libp2pSettings,
    ) -> Result<Self, ListenError> {
        refuse_key_log(env::var_os("SSLKEYLOGFILE").as_deref())?;
        let keypair = identity::keypair(seed);
        let shared = Arc::new(Shared::new(identity::local_peer(&keypair), gate, settings));
        for address in listen {
            refuse_taken(address)?;
        }
        let mut swarm = swarm::build(keypair, &shared)?;
        let listeners = swarm::listen(&mut swarm, &shared, listen).await?;
        let (orders, ordered) = mpsc::channel(DIALS_MAX + 1);
        let (tell_done, done) = watch::channel(false);
        let task = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                let addresses = swarm::run(swarm, listeners, &shared, ordered).await;
                ports_free(&addresses).await;
                shared.book.inbox().end();
                tell_done.send_replace(true);
            }
        });
        Ok(Self { shared, orders, done, task })
    }

    fn try_dial(&self, text: &str) -> Result<(), Ending> {
        let bad = |reason: String| Ending::BadAddress(reason);
        let address: Libp2pAddress = text.parse().map_err(|error| bad(format!("{error}")))?;
        let carrier = address.carrier();
        let dial = match address.peer() {
            Some(peer) => {
                match core_peer(peer) {
                    None => return Err(bad(format!("{peer} is not a peer id of an Ed25519 key"))),
                    Some(known) if known == self.shared.book.local() => return Err(Ending::Itself),
                    Some(known) if self.shared.book.get(known).is_some() => {
                        return Err(Ending::AlreadyConnected(known));
                    }
                    Some(_unconnected) => {}
                }
                let dial = DialOpts::peer_id(peer)
                    .condition(PeerCondition::Always)
                    .addresses(vec![address.multiaddr().clone()]);
                // Two nodes that dial each other over TCP, each from the port it listens on, would meet in
                // one connection that both believe to have dialled.
                if carrier == Carrier::Tcp { dial.allocate_new_port().build() } else { dial.build() }
            }
            None => {
                let dial = DialOpts::unknown_peer_id().address(address.multiaddr().clone());
                if carrier == Carrier::Tcp { dial.allocate_new_port().build() } else { dial.build() }
            }
        };
        let id = dial.connection_id();
        self.shared.dialing(id, text, DIALS_MAX)?;
        if self.orders.try_send(Order::Dial(dial)).is_err() {
            self.shared.failed(id, &Ending::ByUs);
        }
        Ok(())
    }
}

#[async_trait]
impl Transport for Libp2p {
    fn local_peer(&self) -> PeerId {
        self.shared.book.local()
    }

    fn addresses(&self) -> Vec<Box<str>> {
        let local = identity::to_libp2p(self.shared.book.local());
        let with_peer = |address: Multiaddr| local.and_then(|local| address.with_p2p(local).ok());
        let addresses = self.shared.addresses().into_iter().filter_map(with_peer);
        addresses.map(|address| address.to_string().into()).collect()
    }

    fn dial(&self, address: &str) {
        if let Err(ending) = self.try_dial(address) {
            self.shared.book.inbox().dial_failed(address.into(), &ending);
        }
    }

    fn send(&self, peer: PeerId, lane: Lane, frame: Bytes) -> Result<(), SendError> {
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
        self.shared.book.get(peer).map(|link| link.figures(link.own.round_trip()))
    }

    async fn shutdown(&self) {
        // Refused only when the task has ended or is told already.
        let _is_first = self.orders.send(Order::Shutdown).await;
        // Fails only when the task was ended from outside, with the runtime.
        let mut done = self.done.clone();
        let _is_orderly = done.wait_for(|done| *done).await.is_ok();
    }
}

impl Drop for Libp2p {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.end();
        self.shared.book.inbox().end();
    }
}

/// Why a transport could not be opened. Nothing listens.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ListenError {
    /// It cannot listen on one of the addresses.
    #[error("cannot listen on {address}: {reason}")]
    Address {
        /// The address as it was given.
        address: String,
        /// Why it was refused.
        reason: String,
    },
    /// The identity cannot be used for a handshake.
    #[error("the identity cannot be used: {0}")]
    Identity(String),
    /// `SSLKEYLOGFILE` is set.
    #[error(
        "SSLKEYLOGFILE is set, so the keys of every connection would be written to a file; unset it and start again"
    )]
    KeyLog,
    /// The system's settings for name resolution cannot be read.
    #[error("the system's resolver settings cannot be read: {0}")]
    Resolver(#[source] io::Error),
}

fn refuse_key_log(variable: Option<&OsStr>) -> Result<(), ListenError> {
    if variable.is_some_and(|path| !path.is_empty()) { Err(ListenError::KeyLog) } else { Ok(()) }
}

/// Refuses a TCP port that is listened on already: libp2p shares ports, so it would not notice.
fn refuse_taken(address: &Libp2pAddress) -> Result<(), ListenError> {
    match address.socket() {
        Some(socket) if address.carrier() == Carrier::Tcp && socket.port() > 0 => {
            TcpListener::bind(socket).map(drop).map_err(|error| ListenError::Address {
                address: address.to_string(),
                reason: error.to_string(),
            })
        }
        _other => Ok(()),
    }
}

/// Returns once this transport no longer holds the ports of `addresses`. QUIC holds its socket until the other sides
/// have heard that its connections are closed, and does not tell when.
async fn ports_free(addresses: &[Multiaddr]) {
    let deadline = Instant::now() + PORTS_FREE_TIMEOUT;
    for address in addresses {
        let Ok(address) = address.to_string().parse::<Libp2pAddress>() else { continue };
        let Some(socket) = address.socket().filter(|_socket| address.carrier() == Carrier::Quic) else {
            continue;
        };
        while UdpSocket::bind(socket).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
            && Instant::now() < deadline
        {
            sleep(PORTS_FREE_INTERVAL).await;
        }
    }
}

/// Time for the ports to become free.
const PORTS_FREE_TIMEOUT: Duration = Duration::from_secs(3);
/// Time between two checks whether they are free.
const PORTS_FREE_INTERVAL: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_starts_while_keys_would_be_logged() {
        assert!(matches!(refuse_key_log(Some(OsStr::new("/tmp/keys"))), Err(ListenError::KeyLog)));
        assert!(refuse_key_log(Some(OsStr::new(""))).is_ok());
        assert!(refuse_key_log(None).is_ok());
    }
}
