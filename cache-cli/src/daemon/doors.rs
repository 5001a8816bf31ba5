//! The doors of a daemon: opened one after another, served until it stops.

use super::admin::AdminService;
use crate::{
    admin,
    door::{self, Door, DoorLimits, EventLoops, Exchange, Front, Running},
    exit::CommandError,
    settings::Settings,
    socket::{self, Access, Socket},
};
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    net::{TcpListener, UnixListener},
    task::JoinSet,
};

/// Refuses settings that leave no door to connect to, or one that no client could name.
///
/// # Errors
///
/// [`CommandError::Usage`], saying what to give.
pub(super) fn has_a_door(settings: &Settings) -> Result<(), CommandError> {
    if settings.listen.is_none() && settings.unix.is_none() {
        let text = "there is nowhere to listen; give --listen ADDR:PORT or --unix PATH";
        return Err(CommandError::Usage(text.into()));
    }
    let Some(path) = &settings.unix else { return Ok(()) };
    if *path == admin::socket_path(&settings.cache_dir) {
        let problem =
            "is the daemon's own socket in cache-dir, by which commands reach it; give another --unix";
        let text = settings.sources.fault("unix", path.display(), problem);
        return Err(CommandError::Usage(text.into()));
    }
    socket::check_nameable(path).map_err(|error| settings.sources.socket_fault("unix", &error))
}

/// The doors, open but not yet served: connections wait in the system's backlog.
pub(super) struct Doors {
    admin: (Socket, UnixListener),
    unix: Option<(Socket, UnixListener)>,
    tcp: Option<TcpListener>,
}

impl Doors {
    /// Opens the unix sockets before the port, so that a client that sees the port finds the sockets too.
    ///
    /// # Errors
    ///
    /// When there is nowhere to listen, or another process listens there.
    pub(super) async fn open(settings: &Settings) -> Result<Self, CommandError> {
        has_a_door(settings)?;
        let admin = Socket::listen(&admin::socket_path(&settings.cache_dir), Access::OWNER).await;
        let admin = admin.map_err(|error| settings.sources.socket_fault("cache-dir", &error))?;
        let unix = match &settings.unix {
            Some(path) => {
                let opened = Socket::listen(path, settings.unix_access).await;
                Some(opened.map_err(|error| settings.sources.socket_fault("unix", &error))?)
            }
            None => None,
        };
        let tcp = settings
            .listen
            .map(|address| door::listen(address, ("listen", &settings.sources)))
            .transpose()?;
        Ok(Self { admin, unix, tcp })
    }

    /// The port on which the system has this daemon listen.
    pub(super) fn port(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().and_then(|tcp| tcp.local_addr().ok())
    }

    /// Where clients reach them.
    pub(super) fn addresses(&self, settings: &Settings) -> Result<Vec<String>, CommandError> {
        let mut addresses = Vec::new();
        if let Some(tcp) = &self.tcp {
            let address =
                tcp.local_addr().map_err(|error| CommandError::failed("cannot tell the port", error))?;
            addresses.push(format!("http://{address}"));
        }
        addresses.extend(settings.unix.iter().map(|path| format!("unix:{}", path.display())));
        Ok(addresses)
    }

    /// Begins to serve; the sockets are removed from the file system when the second value is dropped.
    pub(super) fn serve(
        self,
        settings: &Settings,
        front: &Arc<Front>,
        service: AdminService,
        running: &Running,
        loops: &Arc<EventLoops>,
    ) -> (JoinSet<()>, Vec<Socket>) {
        let limits =
            DoorLimits { connections_max: settings.connections_max, drain_timeout: settings.drain_timeout };
        let exchange = |door| {
            let front = Arc::clone(front);
            move |peer| Exchange::new(Arc::clone(&front), door).of_peer(peer)
        };
        let mut serving = JoinSet::new();
        let mut sockets = Vec::new();
        let (socket, listener) = self.admin;
        sockets.push(socket);
        serving.spawn(door::serve(
            listener,
            move |_peer| service.clone(),
            limits,
            Arc::clone(loops),
            running.clone(),
        ));
        if let Some((socket, listener)) = self.unix {
            sockets.push(socket);
            serving.spawn(door::serve(
                listener,
                exchange(Door::UNIX),
                limits,
                Arc::clone(loops),
                running.clone(),
            ));
        }
        if let Some(listener) = self.tcp {
            serving.spawn(door::serve(
                listener,
                exchange(Door::TCP),
                limits,
                Arc::clone(loops),
                running.clone(),
            ));
        }
        (serving, sockets)
    }
}
