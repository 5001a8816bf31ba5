//! How a node gets from a secret and a transport to a place in its fleet.

use crate::{
    Discover, OpenTransport, StartError,
    addresses::{outward, told},
    discovery::{Finder, FinderSite, WayStatus, sockets_of},
    links::FleetNaming,
    recollection::{self, Recollection},
    secrets::{Lock, keyring},
    shared::SharingState,
};
use cache_core::{
    Ceiling, Contact, Domain, Features, Guest, Key, Naming, PeerId, PeerSettings, Protocol, Salts, Sharing,
    SharingLimits, Timestamp,
    freshness::Freshness,
    port::{Gate, Transport},
};
use cache_crypto::{FleetGate, FleetSecret, NodeIdentity};
use cache_origin_github::GitHub;
use cache_store::MembersFile;
use parking_lot::Mutex;
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tracing::{info, warn};
use zeroize::Zeroizing;

/// What a program said about the fleet.
#[derive(Debug)]
pub(crate) struct Wishes {
    pub(crate) secret: Option<FleetSecret>,
    /// Secrets by which members are let in as well.
    pub(crate) accepted: Vec<FleetSecret>,
    pub(crate) transport: Option<Arc<dyn OpenTransport>>,
    pub(crate) bootstrap: Vec<String>,
    /// The ways to find others.
    pub(crate) discover: Vec<Discover>,
    pub(crate) limits: SharingLimits,
    /// How many peers there may be, and how much they may send.
    pub(crate) peers: PeerSettings,
    /// Where others reach this node, if not where it listens.
    pub(crate) advertised: Vec<String>,
    /// Where the identity is kept; without it, every run has one of its own.
    pub(crate) directory: Option<PathBuf>,
}

/// A place in the fleet.
pub(crate) struct Joined {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) sharing: Sharing,
    /// Keeps the members to look for after a restart, if there is a directory for them.
    pub(crate) recollection: Option<Recollection>,
    /// Finds others while the node runs.
    pub(crate) finder: Finder,
}

impl Wishes {
    /// Opens the transport, if there is one and a secret by which to let others in.
    pub(crate) async fn join(
        self,
        github: GitHub,
        now: Timestamp,
        members: Option<MembersFile>,
    ) -> Result<(SharingState, Option<Joined>), StartError> {
        let (transport, secret) = match (self.transport, self.secret) {
            (Some(transport), Some(secret)) => (transport, secret),
            (None, Some(_secret)) => return Ok((SharingState::NoTransport, None)),
            (transport, None) => {
                // Without a transport it is not expected to share.
                if transport.is_some() {
                    warn!("no fleet secret is set: this node keeps to itself; {REMEDY}");
                }
                return Ok((SharingState::NoSecret, None));
            }
        };
        if self.discover.len() > usize::from(WAYS_MAX) {
            return Err(StartError::Ways { count: self.discover.len() });
        }
        let kind = secret.kind();
        let (accepted, directory) = (self.accepted, self.directory);
        let file = members.clone();
        let is_guest = self.peers.guest != Guest::Never;
        let prepare = move || -> Result<_, StartError> {
            let secrets: Vec<_> = [secret].into_iter().chain(accepted).collect();
            let keyring = keyring(&secrets).map_err(StartError::Secrets)?;
            let naming = Arc::new(FleetNaming::new(keyring.names()));
            let lock = Lock { naming, gate: Arc::new(FleetGate::speaking(keyring, hello(is_guest))) };
            let remembered = file.as_ref().map(recollection::remembered).unwrap_or_default();
            Ok((lock, identity(directory)?, remembered))
        };
        // Stretching a passphrase takes tenths of a second.
        let prepared = tokio::task::spawn_blocking(prepare).await;
        let (lock, seed, remembered) = prepared??;
        let opener = transport;
        let transport = opener
            .open(
                seed,
                Arc::clone(&lock.gate) as Arc<dyn Gate>,
                self.peers.connections_max.saturating_add(PEERS_IN_DOUBT),
            )
            .await
            .map_err(StartError::Transport)?;
        let local = transport.local_peer();
        let addresses = told(&self.advertised, &transport.addresses(), &outward(), local);
        info!(peer = %local, ?addresses, "sharing with the fleet");
        let site = site(&opener, &transport, (&lock.naming, self.advertised, &addresses), local);
        let ways = self.discover;
        let statuses: Vec<_> = ways.iter().map(|way| Arc::new(WayStatus::new(way.to_string()))).collect();
        let opened = ways.iter().map(|way| way.open(&site));
        let finder = Finder::start(statuses.iter().cloned().zip(opened).collect());
        let sharing = Sharing {
            local,
            boot: now.as_unix_millis(),
            own_addresses: addresses.clone(),
            remembered,
            contacts: self.bootstrap.into_iter().map(Contact::new).collect(),
            peers: PeerSettings { ways: statuses.len() as u8, ..self.peers },
            ceiling: Arc::new(OwnRules(github)),
            naming: Arc::clone(&lock.naming) as Arc<dyn Naming>,
            seed: rand::random(),
            salts: Salts::new(rand::random()),
            limits: self.limits,
        };
        let state = SharingState::Shared { local, addresses, secret: Mutex::new(kind), lock, ways: statuses };
        let recollection = members.map(Recollection::start);
        Ok((state, Some(Joined { transport, sharing, recollection, finder })))
    }
}

/// What ways to find others have to know of this node.
fn site(
    opener: &Arc<dyn OpenTransport>,
    transport: &Arc<dyn Transport>,
    (naming, advertised, addresses): (&Arc<FleetNaming>, Vec<String>, &[Box<str>]),
    local: PeerId,
) -> FinderSite {
    let (opener, transport, naming) = (Arc::clone(opener), Arc::clone(transport), Arc::clone(naming));
    let address_of: Arc<dyn Fn(SocketAddr) -> Box<str> + Send + Sync> =
        Arc::new(move |socket| opener.address_of(socket).into());
    let port = sockets_of(addresses, &*address_of).first().map_or(DEFAULT_PORT, SocketAddr::port);
    let form = Arc::clone(&address_of);
    let own = move || sockets_of(&told(&advertised, &transport.addresses(), &outward(), local), &*form);
    FinderSite { address_of, port, beacons: Arc::new(move |day| naming.beacons(day)), own: Arc::new(own) }
}

/// What this node says of itself to each peer.
fn hello(is_guest: bool) -> Protocol {
    let mark = if is_guest { Features::GUEST } else { Features::NONE };
    Protocol { features: Protocol::OURS.features.union(mark), ..Protocol::OURS }
}

/// What this node's routes grant an answer. The application's own values are the application's to limit, and answers of other
/// origins are the origin's.
#[derive(Debug)]
struct OwnRules(GitHub);

impl Ceiling for OwnRules {
    fn most(&self, key: &Key) -> Option<Freshness> {
        // What an origin says by the rules of HTTP is in the entry itself.
        if key.domain() == Domain::APPLICATION || cache_origin_http::is_of_http(key) {
            Some(UNLIMITED)
        } else {
            self.0.freshness_max(key.resource())
        }
    }
}

/// Newcomers that a transport lets in while the node has as many peers as it may; the node decides which of them
/// stay.
const PEERS_IN_DOUBT: usize = 32;

/// Most ways to find others. [`StartError::Ways`] names the number.
const WAYS_MAX: u8 = 16;

/// The port of other nodes if this one listens nowhere and nothing says another.
const DEFAULT_PORT: u16 = 9100;

const REMEDY: &str = "make one with `fleet-cache secret generate`";

const UNLIMITED: Freshness =
    Freshness { lifetime: Duration::MAX, while_revalidating: Duration::MAX, if_error: Duration::MAX };

fn identity(directory: Option<PathBuf>) -> Result<Zeroizing<[u8; 32]>, StartError> {
    match directory {
        Some(directory) => {
            NodeIdentity::load_or_create(&directory).map(|kept| kept.seed()).map_err(StartError::NodeKey)
        }
        None => Ok(Zeroizing::new(rand::random())),
    }
}
