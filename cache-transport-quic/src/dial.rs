//! Dials one address: finds the host, connects, is admitted.

use crate::{
    QuicAddress,
    code::CODE_REDUNDANT,
    lanes::{self, Running},
    settle::settle,
    shared::Shared,
    tls,
};
use cache_core::{PeerId, port::Side};
use cache_transport::{
    address::{Host, core_peer},
    ending::Ending,
};
use quinn::{Connection, ConnectionError};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout, timeout_at};

/// Dials `address` and stays for as long as the connection lasts.
pub(crate) async fn dial(shared: Arc<Shared>, address: Box<str>) {
    let within = shared.settings.dial_timeout;
    let dialled = timeout(within, connect(&shared, &address)).await;
    let timed_out = |_elapsed| Err(Ending::TimedOut(format!("not connected within {within:?}")));
    match dialled.unwrap_or_else(timed_out) {
        Ok(running) => lanes::run(&shared, running).await,
        Err(ending) => fail(&shared, address, &ending),
    }
}

/// Reports that the dial of `address` failed.
pub(crate) fn fail(shared: &Shared, address: Box<str>, ending: &Ending) {
    tracing::debug!(%address, reason = %ending, "dial failed");
    shared.book.inbox().dial_failed(address, ending);
}

async fn connect(shared: &Shared, address: &str) -> Result<Running, Ending> {
    let address: QuicAddress = address.parse().map_err(|error| Ending::BadAddress(format!("{error}")))?;
    let expected = address.peer();
    if let Some(expected) = expected {
        let foreign = || Ending::BadAddress(format!("{expected} is not a peer id of an Ed25519 key"));
        check(shared, core_peer(expected).ok_or_else(foreign)?)?;
    }
    let config = tls::client_config(&shared.keypair, expected, &shared.settings)
        .map_err(|error| Ending::Unreachable(format!("no certificate: {error}")))?;
    let connection = connect_to_any(shared, &address, config).await?;
    let foreign = || Ending::Unreachable("the other side's key is not Ed25519".into());
    let peer = tls::remote_peer(&connection).ok_or_else(foreign);
    let wanted = peer.and_then(|peer| check(shared, peer).map(|()| peer));
    let peer = wanted.inspect_err(|_ending| connection.close(CODE_REDUNDANT, b""))?;
    settle(shared, &connection, Side::Dialer, peer).await
}

/// Whether there is any point in connecting with `peer`.
fn check(shared: &Shared, peer: PeerId) -> Result<(), Ending> {
    if peer == shared.book.local() {
        return Err(Ending::Itself);
    }
    if shared.is_connected(peer) {
        return Err(Ending::AlreadyConnected(peer));
    }
    Ok(())
}

/// Connects to the first of the host's addresses that answers; each gets a fair share of the time.
async fn connect_to_any(
    shared: &Shared,
    address: &QuicAddress,
    config: quinn::ClientConfig,
) -> Result<Connection, Ending> {
    let end = Instant::now() + shared.settings.dial_timeout;
    let candidates = resolve(address).await?;
    let mut ending = Ending::Unreachable("the host has no address".into());
    for (index, candidate) in candidates.iter().enumerate() {
        let left = u32::try_from(candidates.len() - index).unwrap_or(u32::MAX);
        let share = end.saturating_duration_since(Instant::now()).saturating_sub(MARGIN) / left;
        let attempt = connect_to(shared, *candidate, config.clone());
        match timeout_at(Instant::now() + share, attempt).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(reason)) => ending = reason,
            Err(_elapsed) => ending = Ending::TimedOut(format!("{candidate} does not answer")),
        }
    }
    Err(ending)
}

async fn connect_to(
    shared: &Shared,
    remote: SocketAddr,
    config: quinn::ClientConfig,
) -> Result<Connection, Ending> {
    let endpoint = shared
        .sockets
        .endpoint_for(remote)
        .map_err(|error| Ending::Unreachable(format!("no socket: {error}")))?;
    let connecting = endpoint
        .connect_with(config, remote, SERVER_NAME)
        .map_err(|error| Ending::Unreachable(format!("{remote}: {error}")))?;
    connecting.await.map_err(|error| {
        let reason = format!("handshake with {remote}: {error}");
        match error {
            // Our own verdict on their certificate: the one that libp2p's verifier gives for another key.
            ConnectionError::TransportError(error) if error.code == tls::wrong_peer() => {
                Ending::WrongPeer(reason)
            }
            ConnectionError::TimedOut => Ending::TimedOut(reason),
            ConnectionError::ApplicationClosed(_)
            | ConnectionError::CidsExhausted
            | ConnectionError::ConnectionClosed(_)
            | ConnectionError::LocallyClosed
            | ConnectionError::Reset
            | ConnectionError::TransportError(_)
            | ConnectionError::VersionMismatch => Ending::Unreachable(reason),
        }
    })
}

async fn resolve(address: &QuicAddress) -> Result<Vec<SocketAddr>, Ending> {
    let port = address.port();
    let (name, is_wanted): (_, fn(&SocketAddr) -> bool) = match address.host() {
        Host::Dns4(name) => (name, SocketAddr::is_ipv4),
        Host::Dns6(name) => (name, SocketAddr::is_ipv6),
        Host::Ip(ip) => return Ok(vec![SocketAddr::new(*ip, port)]),
    };
    let found = tokio::net::lookup_host((name.as_str(), port)).await;
    let found = found.map_err(|error| Ending::Unreachable(format!("{name} is not found: {error}")))?;
    Ok(found.filter(is_wanted).take(CANDIDATES_MAX).collect())
}

/// Sent in the clear, and never looked at: libp2p's certificates name keys, not hosts.
const SERVER_NAME: &str = "fleet-cache";

/// Addresses of one name that are tried.
const CANDIDATES_MAX: usize = 4;

/// Time kept back, so that the last attempt's own reason is reported and not just that time ran out.
const MARGIN: Duration = Duration::from_millis(50);
