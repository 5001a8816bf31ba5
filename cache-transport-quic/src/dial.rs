//! Dials one address: finds the host, connects, is admitted.

use crate::{QuicAddress, admission, link, shared::Shared, tls};
use cache_core::{
    PeerId,
    port::{Side, TransportEvent},
};
use multiaddr::Protocol;
use quinn::{Connection, ConnectionError};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout, timeout_at};

/// Dials `address` and stays for as long as the connection lasts.
pub(crate) async fn dial(shared: Arc<Shared>, address: Box<str>) {
    let within = shared.settings.dial_timeout;
    let dialled = timeout(within, connect(&shared, &address)).await;
    match dialled.unwrap_or_else(|_elapsed| Err(format!("not connected within {within:?}"))) {
        Ok(running) => link::run(&shared, running).await,
        Err(reason) => fail(&shared, address, reason),
    }
}

/// Says that the dial of `address` came to nothing.
pub(crate) fn fail(shared: &Shared, address: Box<str>, reason: String) {
    tracing::debug!(%address, %reason, "dial failed");
    shared.inbox.push_node(TransportEvent::DialFailed { address, reason: reason.into() });
}

async fn connect(shared: &Arc<Shared>, address: &str) -> Result<link::Running, String> {
    let address: QuicAddress = address.parse().map_err(|error| format!("{error}"))?;
    let expected = address.peer();
    if let Some(expected) = expected {
        let Some(peer) = tls::core_peer(expected) else {
            return Err(format!("{expected} is no peer id of an Ed25519 key"));
        };
        check(shared, peer)?;
    }
    let config = tls::client_config(&shared.keypair, expected, &shared.settings)
        .map_err(|error| format!("no certificate: {error}"))?;
    let connection = connect_to_any(shared, &address, config).await?;
    let Some(peer) = tls::remote_peer(&connection) else {
        return Err("the other side's key is not Ed25519".to_owned());
    };
    let begun = begin(shared, &connection, peer).await;
    if begun.is_err() {
        connection.close(link::CODE_DENIED, b"");
    }
    begun
}

/// Admission of a connection that we have dialled, at most one with each peer at a time.
///
/// The two sides could finish two of them in different orders, and each keep what the other closes.
async fn begin(shared: &Arc<Shared>, connection: &Connection, peer: PeerId) -> Result<link::Running, String> {
    check(shared, peer)?;
    let _turn = Turn::take(shared, peer).ok_or("another dial reached that peer just before")?;
    let within = shared.settings.admission_timeout;
    let admission = admission::admit(connection, &*shared.gate, Side::Dialer, shared.local, peer);
    let admitted = match timeout(within, admission).await {
        Ok(Ok(admitted)) => admitted,
        Ok(Err(denial)) => return Err(denial.to_string()),
        Err(_elapsed) => return Err(format!("no admission within {within:?}")),
    };
    link::begin(shared, connection.clone(), peer, Side::Dialer, admitted).map_err(str::to_owned)
}

fn check(shared: &Shared, peer: PeerId) -> Result<(), String> {
    if peer == shared.local {
        return Err("that is this node itself".to_owned());
    }
    shared.peers.allows_dial(peer).map_err(str::to_owned)
}

/// Connects to the first of the host's addresses that answers; each gets a fair share of the time.
async fn connect_to_any(
    shared: &Shared,
    address: &QuicAddress,
    config: quinn::ClientConfig,
) -> Result<Connection, String> {
    let end = Instant::now() + shared.settings.dial_timeout;
    let candidates = resolve(address).await?;
    let mut failure = "the host has no address".to_owned();
    for (index, candidate) in candidates.iter().enumerate() {
        let left = u32::try_from(candidates.len() - index).unwrap_or(u32::MAX);
        let share = end.saturating_duration_since(Instant::now()).saturating_sub(MARGIN) / left;
        let attempt = connect_to(shared, *candidate, config.clone());
        match timeout_at(Instant::now() + share, attempt).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(reason)) => failure = reason,
            Err(_elapsed) => failure = format!("{candidate} does not answer"),
        }
    }
    Err(failure)
}

async fn connect_to(
    shared: &Shared,
    remote: SocketAddr,
    config: quinn::ClientConfig,
) -> Result<Connection, String> {
    let endpoint = shared.sockets.endpoint_for(remote).map_err(|error| format!("no socket: {error}"))?;
    let connecting = endpoint.connect_with(config, remote, SERVER_NAME).map_err(|error| error.to_string())?;
    connecting.await.map_err(|error| match error {
        // What the verifier of libp2p's certificates says for every reason.
        ConnectionError::TransportError(error) => format!("handshake with {remote}: {error}"),
        other => format!("{remote}: {other}"),
    })
}

async fn resolve(address: &QuicAddress) -> Result<Vec<SocketAddr>, String> {
    let port = address.port();
    let (name, is_wanted): (_, fn(&SocketAddr) -> bool) = match address.multiaddr().iter().next() {
        Some(Protocol::Ip4(ip)) => return Ok(vec![SocketAddr::new(ip.into(), port)]),
        Some(Protocol::Ip6(ip)) => return Ok(vec![SocketAddr::new(ip.into(), port)]),
        Some(Protocol::Dns4(name)) => (name.into_owned(), SocketAddr::is_ipv4),
        Some(Protocol::Dns6(name)) => (name.into_owned(), SocketAddr::is_ipv6),
        _other => unreachable!("an address begins with one of these"),
    };
    let found = tokio::net::lookup_host((name.as_str(), port)).await;
    let found = found.map_err(|error| format!("{name} is not found: {error}"))?;
    Ok(found.filter(is_wanted).take(CANDIDATES_MAX).collect())
}

/// The right to be the one dial that is being admitted by a peer; given back when dropped.
struct Turn<'a> {
    shared: &'a Shared,
    peer: PeerId,
}

impl<'a> Turn<'a> {
    fn take(shared: &'a Shared, peer: PeerId) -> Option<Self> {
        shared.dialled.lock().insert(peer).then_some(Self { shared, peer })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.shared.dialled.lock().remove(&self.peer);
    }
}

/// Sent in the clear, and looked at by nobody: libp2p's certificates name keys, not hosts.
const SERVER_NAME: &str = "fleet-cache";

/// Addresses of one name that are tried.
const CANDIDATES_MAX: usize = 4;

/// Kept back, so that the last attempt's own reason is told and not just that time ran out.
const MARGIN: Duration = Duration::from_millis(50);
