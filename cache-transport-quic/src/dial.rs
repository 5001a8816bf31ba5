//! Dials one address: finds the host, connects, is admitted.

use crate::{QuicAddress, denial::Denial, link, settle::settle, shared::Shared, tls};
use cache_core::{
    PeerId,
    port::{DialError, Side, TransportEvent},
};
use multiaddr::Protocol;
use quinn::{Connection, ConnectionError};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout, timeout_at};

/// Dials `address` and stays for as long as the connection lasts.
pub(crate) async fn dial(shared: Arc<Shared>, address: Box<str>) {
    let within = shared.settings.dial_timeout;
    let dialled = timeout(within, connect(&shared, &address)).await;
    let timed_out = || Failure::new(DialError::TimedOut, format!("not connected within {within:?}"));
    match dialled.unwrap_or_else(|_elapsed| Err(timed_out())) {
        Ok(running) => link::run(&shared, running).await,
        Err(failure) => fail(&shared, address, failure),
    }
}

/// Says that the dial of `address` came to nothing.
pub(crate) fn fail(shared: &Shared, address: Box<str>, Failure { error, reason }: Failure) {
    tracing::debug!(%address, %error, %reason, "dial failed");
    shared.inbox.push_node(TransportEvent::DialFailed { address, error, reason: reason.into() });
}

/// Why a dial came to nothing, for the engine and for people.
#[derive(Debug)]
pub(crate) struct Failure {
    error: DialError,
    reason: String,
}

impl Failure {
    fn new(error: DialError, reason: impl Into<String>) -> Self {
        Self { error, reason: reason.into() }
    }

    pub(crate) fn shut_down() -> Self {
        DialError::ShutDown.into()
    }
}

impl From<DialError> for Failure {
    fn from(error: DialError) -> Self {
        Self { error, reason: error.to_string() }
    }
}

async fn connect(shared: &Shared, address: &str) -> Result<link::Running, Failure> {
    let bad = |reason: String| Failure::new(DialError::BadAddress, reason);
    let address: QuicAddress = address.parse().map_err(|error| bad(format!("{error}")))?;
    let expected = address.peer();
    if let Some(expected) = expected {
        let Some(peer) = tls::core_peer(expected) else {
            return Err(bad(format!("{expected} is no peer id of an Ed25519 key")));
        };
        check(shared, peer)?;
    }
    let config = tls::client_config(&shared.keypair, expected, &shared.settings)
        .map_err(|error| Failure::new(DialError::Unreachable, format!("no certificate: {error}")))?;
    let connection = connect_to_any(shared, &address, config).await?;
    let foreign = || Failure::new(DialError::Unreachable, "the other side's key is not Ed25519");
    let peer = tls::remote_peer(&connection).ok_or_else(foreign);
    let wanted = peer.and_then(|peer| Ok(check(shared, peer).map(|()| peer)?));
    let peer = wanted.inspect_err(|_failure| Denial::AlreadyConnected.close(&connection))?;
    let settled = settle(shared, &connection, Side::Dialer, peer).await;
    settled.map_err(|denial| Failure::new(denial.dial_error(peer), denial.to_string()))
}

/// Whether there is any point in connecting with `peer`.
fn check(shared: &Shared, peer: PeerId) -> Result<(), DialError> {
    if peer == shared.local {
        return Err(DialError::Itself);
    }
    if shared.peers.is_connected(peer) {
        return Err(DialError::AlreadyConnected { peer });
    }
    Ok(())
}

/// Connects to the first of the host's addresses that answers; each gets a fair share of the time.
async fn connect_to_any(
    shared: &Shared,
    address: &QuicAddress,
    config: quinn::ClientConfig,
) -> Result<Connection, Failure> {
    let end = Instant::now() + shared.settings.dial_timeout;
    let candidates = resolve(address).await?;
    let mut failure = Failure::new(DialError::Unreachable, "the host has no address");
    for (index, candidate) in candidates.iter().enumerate() {
        let left = u32::try_from(candidates.len() - index).unwrap_or(u32::MAX);
        let share = end.saturating_duration_since(Instant::now()).saturating_sub(MARGIN) / left;
        let attempt = connect_to(shared, *candidate, config.clone());
        match timeout_at(Instant::now() + share, attempt).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(reason)) => failure = reason,
            Err(_elapsed) => {
                failure = Failure::new(DialError::TimedOut, format!("{candidate} does not answer"));
            }
        }
    }
    Err(failure)
}

async fn connect_to(
    shared: &Shared,
    remote: SocketAddr,
    config: quinn::ClientConfig,
) -> Result<Connection, Failure> {
    let unreachable = |reason| Failure::new(DialError::Unreachable, reason);
    let endpoint =
        shared.sockets.endpoint_for(remote).map_err(|error| unreachable(format!("no socket: {error}")))?;
    let connecting = endpoint
        .connect_with(config, remote, SERVER_NAME)
        .map_err(|error| unreachable(format!("{remote}: {error}")))?;
    connecting.await.map_err(|error| {
        let reason = format!("handshake with {remote}: {error}");
        match error {
            // Our own verdict on their certificate: the one that libp2p's verifier gives for another key.
            ConnectionError::TransportError(error) if error.code == tls::wrong_peer() => {
                Failure::new(DialError::WrongPeer, reason)
            }
            ConnectionError::TimedOut => Failure::new(DialError::TimedOut, reason),
            ConnectionError::ApplicationClosed(_)
            | ConnectionError::CidsExhausted
            | ConnectionError::ConnectionClosed(_)
            | ConnectionError::LocallyClosed
            | ConnectionError::Reset
            | ConnectionError::TransportError(_)
            | ConnectionError::VersionMismatch => unreachable(reason),
        }
    })
}

async fn resolve(address: &QuicAddress) -> Result<Vec<SocketAddr>, Failure> {
    let port = address.port();
    let (name, is_wanted): (_, fn(&SocketAddr) -> bool) = match address.multiaddr().iter().next() {
        Some(Protocol::Ip4(ip)) => return Ok(vec![SocketAddr::new(ip.into(), port)]),
        Some(Protocol::Ip6(ip)) => return Ok(vec![SocketAddr::new(ip.into(), port)]),
        Some(Protocol::Dns4(name)) => (name.into_owned(), SocketAddr::is_ipv4),
        Some(Protocol::Dns6(name)) => (name.into_owned(), SocketAddr::is_ipv6),
        _other => unreachable!("an address begins with one of these"),
    };
    let found = tokio::net::lookup_host((name.as_str(), port)).await;
    let found = found
        .map_err(|error| Failure::new(DialError::Unreachable, format!("{name} is not found: {error}")))?;
    Ok(found.filter(is_wanted).take(CANDIDATES_MAX).collect())
}

/// Sent in the clear, and looked at by nobody: libp2p's certificates name keys, not hosts.
const SERVER_NAME: &str = "fleet-cache";

/// Addresses of one name that are tried.
const CANDIDATES_MAX: usize = 4;

/// Kept back, so that the last attempt's own reason is told and not just that time ran out.
const MARGIN: Duration = Duration::from_millis(50);
