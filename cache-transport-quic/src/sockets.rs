//! The UDP sockets of one transport, and the QUIC endpoints on them.

use crate::QuicAddress;
use cache_core::PeerId;
use cache_transport::address::core_peer;
use parking_lot::Mutex;
use quinn::{AsyncUdpSocket, Endpoint, EndpointConfig, Runtime, TokioRuntime, VarInt};
use socket2::{Domain, Socket, Type};
use std::{
    error::Error,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout_at};

/// Sockets that listen, and those that were opened only to dial from.
#[derive(Debug)]
pub(crate) struct Sockets {
    open: Mutex<Vec<Open>>,
}

impl Sockets {
    /// Binds every address of `listen`, or none.
    pub(crate) fn listen(
        listen: &[QuicAddress],
        local: PeerId,
        config: &quinn::ServerConfig,
    ) -> Result<Self, ListenError> {
        let mut open = Vec::new();
        for address in listen {
            let refuse = |reason| ListenError::Address { address: address.to_string(), reason };
            if address.peer().is_some_and(|peer| core_peer(peer) != Some(local)) {
                return Err(refuse("it names another peer"));
            }
            let no_number = || refuse("listening takes a number such as /ip4/0.0.0.0, not a name");
            let bound = Open::bind(address.socket().ok_or_else(no_number)?, Some(config.clone()));
            open.push(bound.map_err(|source| ListenError::Bind { address: address.to_string(), source })?);
        }
        Ok(Self { open: Mutex::new(open) })
    }

    /// Endpoints that take connections.
    pub(crate) fn listening(&self) -> Vec<Endpoint> {
        let open = self.open.lock();
        open.iter().filter(|open| open.role == Role::Listening).map(|open| open.endpoint.clone()).collect()
    }

    /// An endpoint from which `remote` can be reached, opened if need be.
    pub(crate) fn endpoint_for(&self, remote: SocketAddr) -> io::Result<Endpoint> {
        let mut open = self.open.lock();
        let is_fit = |open: &&Open| {
            let local = open.address.ip();
            local.is_ipv4() == remote.is_ipv4()
                && (local.is_unspecified() || local.is_loopback() == remote.ip().is_loopback())
        };
        if let Some(fit) = open.iter().find(is_fit) {
            return Ok(fit.endpoint.clone());
        }
        let any: IpAddr =
            if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let bound = Open::bind(SocketAddr::new(any, 0), None)?;
        let endpoint = bound.endpoint.clone();
        open.push(bound);
        Ok(endpoint)
    }

    /// Where others can reach the sockets that listen. A socket on all interfaces is listed once for each of them.
    pub(crate) fn addresses(&self, local: PeerId) -> Vec<Box<str>> {
        let open = self.open.lock();
        let listening = open.iter().filter(|open| open.role == Role::Listening).map(|open| open.address);
        let told = listening.flat_map(|address| {
            let ips = if address.ip().is_unspecified() { interfaces(address) } else { vec![address.ip()] };
            ips.into_iter().map(move |ip| multiaddr(SocketAddr::new(ip, address.port()), local))
        });
        told.collect()
    }

    /// Accepts no more connections.
    pub(crate) fn stop_listening(&self) {
        for open in &*self.open.lock() {
            open.endpoint.set_server_config(None);
        }
    }

    /// Ends all connections at once.
    pub(crate) fn close(&self, code: VarInt) {
        for open in &*self.open.lock() {
            open.endpoint.close(code, b"");
        }
    }

    /// Waits until the others have been told that connections ended, and the ports are free.
    pub(crate) async fn release(&self) {
        let open = std::mem::take(&mut *self.open.lock());
        let end = Instant::now() + GOODBYE_TIMEOUT;
        let mut sockets = Vec::new();
        for Open { endpoint, socket, .. } in open {
            if timeout_at(end, endpoint.wait_idle()).await.is_err()
                && let Err(error) = abandon(&endpoint)
            {
                tracing::debug!(%error, "the port is free only once QUIC has said goodbye");
            }
            sockets.push(socket);
        }
        // QUIC's own tasks drop the socket when they run next, and do not tell.
        let end = Instant::now() + RELEASE_TIMEOUT;
        while sockets.iter().any(|socket| socket.strong_count() > 0) && Instant::now() < end {
            sleep(RELEASE_INTERVAL).await;
        }
    }
}

/// Takes the socket away from an endpoint that has sent its goodbyes and waits for stragglers.
///
/// It waits for three times the time in which it would send again, which can be seconds. The endpoint
/// keeps the socket before the present one, so it is given two.
fn abandon(endpoint: &Endpoint) -> io::Result<()> {
    for _socket in 0..2 {
        endpoint.rebind(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?)?;
    }
    Ok(())
}

#[derive(Debug)]
struct Open {
    address: SocketAddr,
    endpoint: Endpoint,
    role: Role,
    socket: Weak<dyn AsyncUdpSocket>,
}

impl Open {
    fn bind(address: SocketAddr, config: Option<quinn::ServerConfig>) -> io::Result<Self> {
        let role = if config.is_some() { Role::Listening } else { Role::Dialling };
        let socket = TokioRuntime.wrap_udp_socket(udp_socket(address)?)?;
        let address = socket.local_addr()?;
        let weak = Arc::downgrade(&socket);
        let endpoint = Endpoint::new_with_abstract_socket(
            EndpointConfig::default(),
            config,
            socket,
            Arc::new(TokioRuntime),
        )?;
        Ok(Self { address, endpoint, role, socket: weak })
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Role {
    Dialling,
    Listening,
}

/// The address as libp2p writes it.
pub(crate) fn multiaddr(address: SocketAddr, peer: PeerId) -> Box<str> {
    format!("{}/p2p/{peer}", anonymous(address)).into()
}

/// The same for a stranger, whose key is not known.
pub(crate) fn anonymous(address: SocketAddr) -> Box<str> {
    let port = address.port();
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => format!("/ip4/{ip}/udp/{port}/quic-v1").into(),
        IpAddr::V6(ip) => format!("/ip6/{ip}/udp/{port}/quic-v1").into(),
    }
}

fn udp_socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    if address.is_ipv6() {
        // So that the same port can be had on IPv4 too.
        socket.set_only_v6(true)?;
    }
    // As much as the system allows: too little loses packets under load, and does no other harm.
    let _smaller = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _smaller = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Addresses of this host's interfaces, of the family of `like`; the loopback's only if there is no other.
fn interfaces(like: SocketAddr) -> Vec<IpAddr> {
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    let told: Vec<IpAddr> = all
        .into_iter()
        // A link-local address means nothing without an interface of the reader's.
        .filter(|interface| !interface.is_loopback() && !interface.is_link_local())
        .map(|interface| interface.ip())
        .filter(|ip| ip.is_ipv4() == like.is_ipv4())
        .collect();
    if told.is_empty() {
        return vec![if like.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() }];
    }
    told
}

/// Why a transport does not listen. No socket is left open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The text is not an address to listen on.
    #[error("cannot listen on {address}: {reason}")]
    Address {
        /// The address that cannot be used.
        address: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The system does not give us the address.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address to listen on.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// No certificate could be made for the identity.
    #[error("no certificate for this identity")]
    Certificate(#[source] Box<dyn Error + Send + Sync>),
    /// There is no Tokio runtime to run in.
    #[error("no Tokio runtime is running here")]
    NoRuntime,
}

/// A burst of eight of the longest frames' share of one link, as most systems allow.
const SOCKET_BUFFER_BYTES: usize = 2 * 1024 * 1024;

/// Time for the last goodbyes when a transport ends. They leave at once; on a short way they are done with.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(250);

/// Time for QUIC's tasks to drop a socket, on a machine that has much else to do.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

const RELEASE_INTERVAL: Duration = Duration::from_millis(1);
