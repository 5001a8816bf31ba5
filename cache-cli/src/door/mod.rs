//! Where clients connect: listening, serving connections with hyper, and closing without cutting anyone off.
//!
//! Owns the life of connections and every bound on them. What is answered is a [`Service`]'s business.

mod access_log;
mod body;
mod cache_status;
mod client;
mod connection;
mod crowd;
mod event_loops;
mod exchange;
mod host;
mod incoming;
mod intercept;
mod malformed;
mod meter;
mod policy;
mod problem;
mod refusals;
mod relay;
mod rendered;
mod reply;
mod rewrite;
mod scanner;
mod token;
mod vitals;
mod web;
mod wire;

pub(crate) use {
    access_log::AccessLog,
    body::DoorBody,
    client::Users,
    event_loops::EventLoops,
    exchange::{Exchange, Front, refuse},
    host::Hosts,
    intercept::{Interception, TunnelRules},
    policy::Door,
    problem::{CACHE_STATUS, DoorError},
    refusals::Refusals,
    rendered::RenderedReplies,
    rewrite::ApiUrls,
    scanner::encode_target,
    web::is_of_own_page,
};

use crate::{exit::CommandError, settings::Sources};
use client::PeerProcess;
use connection::{converse, let_in};
use crowd::Crowd;
use http::{Request, Response};
use hyper::{body::Incoming, service::Service};
use malformed::RefusedHeads;
use std::{convert::Infallible, future::Future, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream},
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tracing::{debug, warn};

/// Something on which clients connect. Called by one task; `accept` is cancelled when the daemon stops.
pub(crate) trait Listener: Send + 'static {
    /// A client's connection, not yet bound to an event loop.
    type Accepted: Send + 'static;
    /// A client's connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The client's process, where the system tells.
    fn peer(_accepted: &Self::Accepted) -> Option<PeerProcess> {
        None
    }

    /// Waits for the next connection.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Accepted>> + Send;

    /// Binds a connection to the event loop on which this is awaited, and does what comes before its first request,
    /// such as a handshake.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the connection.
    fn adopt(accepted: Self::Accepted) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Listener for TcpListener {
    type Accepted = std::net::TcpStream;
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<std::net::TcpStream> {
        let (stream, _address) = TcpListener::accept(self).await?;
        // An answer goes out in one piece; waiting to fill a segment would only delay it.
        stream.set_nodelay(true)?;
        stream.into_std()
    }

    async fn adopt(accepted: std::net::TcpStream) -> io::Result<TcpStream> {
        TcpStream::from_std(accepted)
    }
}

impl Listener for UnixListener {
    type Accepted = (std::os::unix::net::UnixStream, Option<PeerProcess>);
    type Stream = UnixStream;

    fn peer((_stream, peer): &Self::Accepted) -> Option<PeerProcess> {
        *peer
    }

    async fn accept(&self) -> io::Result<Self::Accepted> {
        let (stream, _address) = UnixListener::accept(self).await?;
        let peer = stream.peer_cred().ok();
        let peer = peer.map(|peer| PeerProcess { user: peer.uid(), process: peer.pid() });
        Ok((stream.into_std()?, peer))
    }

    async fn adopt((stream, _peer): Self::Accepted) -> io::Result<UnixStream> {
        UnixStream::from_std(stream)
    }
}

/// Listens on `address`, which the `setting` gives that came from one of the `sources`; port 0 lets the system choose.
///
/// # Errors
///
/// When the port is in use, or the address is not this machine's.
pub(crate) fn listen(
    address: SocketAddr,
    (setting, sources): (&'static str, &Sources),
) -> Result<TcpListener, CommandError> {
    let open = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    open().map_err(|error| sources.listen_fault(setting, address, &error))
}

/// The daemon's life as its parts see it: running, until it is told to stop.
#[derive(Clone)]
pub(crate) struct Running(watch::Receiver<bool>);

impl Running {
    /// A daemon that runs, and what stops it.
    pub(crate) fn new() -> (watch::Sender<bool>, Self) {
        let (stop, stopped) = watch::channel(false);
        (stop, Self(stopped))
    }

    /// Waits until the daemon is told to stop.
    ///
    /// # Cancellation
    ///
    /// Dropping the future changes nothing.
    pub(crate) async fn stopped(&mut self) {
        // The sender goes away only with the daemon, which is a stop as well.
        let _stopped = self.0.wait_for(|stopped| *stopped).await;
    }
}

/// How much a door takes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DoorLimits {
    /// Most connections at once; the longest idle gives way to a further one.
    pub(crate) connections_max: usize,
    /// How long connections may go on after a stop.
    pub(crate) drain_timeout: Duration,
}

/// Serves connections of `listener` until the daemon stops, then lets those in progress end.
///
/// `service` is called once per connection, with the client's process where that is known, so that each has a service of its
/// own, which `loops` serve. When there are as many as `limits` allow, the one that has been idle longest gives way to a new
/// one. When all are being answered, the new one waits, and later ones wait in the system's backlog.
pub(crate) async fn serve<L, S>(
    listener: L,
    service: impl Fn(Option<PeerProcess>) -> S + Send,
    limits: DoorLimits,
    loops: Arc<EventLoops>,
    mut running: Running,
) where
    L: Listener,
    S: Service<Request<Incoming>, Response = Response<DoorBody>, Error = Infallible> + Send + Unpin + 'static,
    S::Future: Send + Unpin,
{
    let mut connections = JoinSet::new();
    let mut crowd = Crowd::new();
    let refused = Arc::new(RefusedHeads::default());
    let mut newcomer = None;
    let mut ticks = interval(vitals::TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let count = connections.len();
        let has_room = |_newcomer: &mut L::Accepted| {
            count < limits.connections_max
                || count < limits.connections_max + LEAVING_MAX
                    && (crowd.staying() < limits.connections_max || crowd.give_way())
        };
        if let Some(accepted) = newcomer.take_if(has_room) {
            let (number, vitals) = crowd.admit();
            let service = service(L::peer(&accepted));
            let (mut running, refused) = (running.clone(), Arc::clone(&refused));
            let serving = async move {
                if let Some(stream) = let_in(L::adopt(accepted), &vitals, &mut running).await {
                    converse(stream, service, vitals, refused, running).await;
                }
                number
            };
            connections.spawn_on(serving, loops.next());
        }
        tokio::select! {
            () = running.stopped() => break,
            Some(ended) = connections.join_next() => match ended {
                Ok(number) => crowd.leave(number),
                Err(_panicked) => crowd.leave_lost(),
            },
            _tick = ticks.tick(), if !connections.is_empty() => crowd.close_overdue(),
            accepted = listener.accept(), if newcomer.is_none() => match accepted {
                Ok(accepted) => newcomer = Some(accepted),
                Err(error) => {
                    // A connection that waits without being answered is in the way of those that the system has no
                    // room for.
                    if !is_hung_up(&error) && crowd.give_way() {
                        debug!(%error, "the longest idle connection gives way");
                    }
                    refrain(&error).await;
                }
            },
        }
    }
    drop((listener, newcomer));
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain_timeout, ended).await.is_err() {
        warn!(connections = connections.len(), "requests still in progress are cut off");
        connections.shutdown().await;
    }
}

/// Waits when the system has no connection to give, so that its troubles are not doubled by haste.
async fn refrain(error: &io::Error) {
    if !is_hung_up(error) {
        warn!(%error, "cannot accept connections");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

/// Whether a newcomer was gone before it was let in.
fn is_hung_up(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, InvalidInput};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | InvalidInput)
}

/// Connections that the system holds until they are accepted: a burst of a whole CI matrix.
const BACKLOG: u32 = 1024;
/// Most connections beyond the limit that are on their way out while newcomers have their places.
const LEAVING_MAX: usize = 64;
/// Most header fields of a request; clients send about a dozen.
const HEADER_FIELDS_MAX: usize = 128;
/// Largest head of a request, and most that is read ahead of one, in bytes: targets up to 8,000 bytes
/// (RFC 9112, section 3) and generous headers.
const READ_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// How long to wait after the system refused a connection, for example because it has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod judged_once;
#[cfg(test)]
mod tests;
