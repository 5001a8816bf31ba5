//! A tunnel to another host: bytes go through as they are.

use super::{
    Stream, TunnelRules,
    addresses::is_public,
    places::{Movement, Place, SILENT_MAX},
};
use crate::door::{
    Running,
    problem::DoorError,
    vitals::{Phase, Vitals},
};
use http::StatusCode;
use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional},
    net::TcpStream,
    sync::Semaphore,
    task::spawn_blocking,
    time::{interval, timeout},
};
use tracing::debug;

/// A connection to another host, and the place that it has among tunnels.
pub(in crate::door) struct Tunnel {
    host: TcpStream,
    place: Place,
}

/// Opens a tunnel to a host and port as `rules` permit: through the network's own proxy where that leads there.
///
/// # Errors
///
/// When no address is permitted, or none gives a connection within [`OPENED_WITHIN`].
pub(super) async fn open(
    (host, port): (&str, u16),
    rules: &TunnelRules,
    lookups: &Arc<Semaphore>,
    place: Place,
) -> Result<Tunnel, DoorError> {
    let named = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let proxy = rules.proxy.as_ref().filter(|proxy| proxy.leads_to(&named, port));
    let opening = async {
        let found = match timeout(RESOLVED_WITHIN, resolve(host, port, lookups)).await {
            Ok(Ok(found)) => found,
            // A network with a proxy may tell names to that alone.
            Ok(Err(_)) | Err(_) if proxy.is_some() => Vec::new(),
            Ok(Err(error)) => return Err(unreachable(&named, port, &error)),
            Err(_elapsed) => return Err(late(&named, port)),
        };
        let is_permitted = |address: &SocketAddr| rules.private || is_public(address.ip());
        // A proxy looks the name up by itself, and may take any of its addresses.
        let refused = found.iter().find(|address| !is_permitted(address));
        if let Some(refused) = refused.filter(|_| proxy.is_some() || !found.iter().any(is_permitted)) {
            return Err(not_public(host, refused.ip()));
        }
        // What was resolved is what is dialled: a second look at the name could find another address.
        let stream = match proxy {
            Some(proxy) => proxy.tunnel(&named, port).await,
            None => dial(found.into_iter().filter(is_permitted)).await,
        };
        stream.map_err(|error| unreachable(&named, port, &error))
    };
    let opened = timeout(OPENED_WITHIN, opening).await;
    opened.unwrap_or_else(|_elapsed| Err(late(&named, port))).map(|host| Tunnel { host, place })
}

/// Connects with the first of `addresses` that takes a connection.
async fn dial(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let mut failed = io::Error::other("its name has no address");
    for address in addresses.take(ADDRESSES_TRIED_MAX) {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // What cannot be set costs only time.
                drop(stream.set_nodelay(true));
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn late(named: &str, port: u16) -> DoorError {
    let text = format!("{named}:{port} gave no connection within {} s", OPENED_WITHIN.as_secs());
    DoorError::new(StatusCode::GATEWAY_TIMEOUT, "tunnel-timeout", text)
}

fn unreachable(named: &str, port: u16, error: &io::Error) -> DoorError {
    let text = format!("{named}:{port} gives no connection: {error}");
    DoorError::new(StatusCode::BAD_GATEWAY, "tunnel", text)
}

fn not_public(host: &str, address: IpAddr) -> DoorError {
    let text = format!("{host} leads to {address}, which is no public address; no tunnel was opened");
    DoorError::new(StatusCode::FORBIDDEN, "tunnel-private", text).with_remedy(
        "set NO_PROXY for hosts of your own network, or start the daemon with --tunnel-private if all its clients may reach \
         what this machine reaches",
    )
}

/// Looks a name up. The system may take its time: what is looked up counts until it is done, even if nobody waits any more.
async fn resolve(host: &str, port: u16, lookups: &Arc<Semaphore>) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let permit = Arc::clone(lookups).acquire_owned().await.map_err(io::Error::other)?;
    let host = host.to_owned();
    let lookup = move || {
        let _permit = permit;
        (host.as_str(), port).to_socket_addrs().map(Iterator::collect)
    };
    spawn_blocking(lookup).await.map_err(io::Error::other)?
}

impl Tunnel {
    /// Lets bytes through until one side ends, nothing moves for [`SILENT_MAX`], or the daemon stops and nothing moves for
    /// [`SILENT_AT_STOP_MAX`].
    pub(super) async fn carry(mut self, client: Stream, vitals: Arc<Vitals>, mut running: Running) {
        vitals.enter(Phase::Busy);
        let movement = self.place.movement();
        movement.note();
        let mut client = Watched { stream: client, movement: Arc::clone(&movement) };
        let mut copying = std::pin::pin!(copy_bidirectional(&mut client, &mut self.host));
        let mut ticks = interval(LOOKED_AT_EVERY);
        let mut silent_max = SILENT_MAX;
        loop {
            tokio::select! {
                ended = &mut copying => {
                    if let Err(error) = ended {
                        debug!(%error, "a tunnel broke off");
                    }
                    return;
                }
                _phase = vitals.close_ordered() => return,
                () = movement.gives_way() => return,
                () = running.stopped(), if silent_max == SILENT_MAX => silent_max = SILENT_AT_STOP_MAX,
                _tick = ticks.tick() => {
                    if movement.is_silent(silent_max) {
                        debug!("a tunnel is closed in which nothing moves");
                        return;
                    }
                }
            }
        }
    }
}

/// A client's connection that tells when bytes last moved on it, in either direction.
struct Watched {
    stream: Stream,
    movement: Arc<Movement>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            if buffer.filled().len() == before {
                self.movement.note_half_closed();
            }
            self.movement.note();
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_ready() {
            self.movement.note();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.movement.note_half_closed();
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// How long resolving a name and connecting may take together.
const OPENED_WITHIN: Duration = Duration::from_secs(10);
/// How long resolving a name may take of that; with a proxy it is not needed.
const RESOLVED_WITHIN: Duration = Duration::from_secs(5);
/// Most addresses of a name that are tried.
const ADDRESSES_TRIED_MAX: usize = 4;
/// Longest time in which nothing moves in a tunnel once the daemon is told to stop: a tunnel does not say when its request ends.
const SILENT_AT_STOP_MAX: Duration = Duration::from_secs(1);
/// How often that is looked at.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(500);
