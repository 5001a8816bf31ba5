//! A cache for GitHub API responses that a fleet of processes shares.
//!
//! A [`Node`] answers from memory, then from disk, then from its peers, and only then from GitHub; however many
//! clients ask for one thing at once, one of them calls. Revalidation costs no quota, and a stale answer stands in
//! while GitHub is down. Answers are kept apart by the credentials that may read them.
//!
//! ```no_run
//! use fleet_cache::{GitHub, Node};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let node = Node::builder(None, GitHub::with_token("ghp_...")?).start().await?;
//! let reply = node.get("/repos/rust-lang/rust").await?;
//! println!("{}", reply.status());
//! # Ok(()) }
//! ```
//!
//! Nodes that are given the same [`FleetSecret`] and a transport share what they fetch:
//!
//! ```no_run
//! # #[cfg(feature = "quic")]
//! # async fn share() -> Result<(), Box<dyn std::error::Error>> {
//! use fleet_cache::{FleetSecret, GitHub, Node, Quic};
//!
//! let secret = FleetSecret::parse(&std::env::var("CACHE_P2P_SHARED_SECRET")?)?;
//! let contact = "/ip4/192.0.2.2/udp/9100/quic-v1/p2p/12D3KooWCArDLtF2NpRdcgoZz2sFUDfpdGvzH8giUsTHkpkJvtZk";
//! let node = Node::builder(secret, GitHub::with_token("ghp_...")?)
//!     .transport(Quic::listen("0.0.0.0:9100"))
//!     .bootstrap([contact])
//!     .start()
//!     .await?;
//! # Ok(()) }
//! ```
//!
//! For values that are not GitHub's there is the classic call, [`Values::get_or_fetch`].
//!
//! # Features
//!
//! * `libp2p` and `quic`, both by default: the transports `Libp2p` and `Quic`. Daemons share over libp2p unless they are
//!   told otherwise, and a program that is to meet them needs it. Without either, a node keeps to itself, or shares over a
//!   transport of the program's own ([`OpenTransport`]).
//! * `tower`: a [`Node`] is a `tower_service::Service`, and `NodeLayer` puts one before another client.
//!
//! # Crates in its interface
//!
//! Requests and responses are those of `http` 1, bodies those of `http-body` 1 and `bytes` 1, services those of
//! `tower-service` 0.3 and `tower-layer` 0.3 with a body of `http-body-util` 0.1. A node runs on `tokio` 1. What a transport
//! needs besides is re-exported in [`transport`].

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::exhaustive_enums, reason = "what programs match on may gain a variant")]
#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]

mod addresses;
mod builder;
mod call;
mod command;
pub mod discovery;
mod driver;
pub mod entry;
pub mod environment;
mod error;
mod gate;
pub mod github;
mod global;
pub mod http_cache;
mod joining;
mod kept;
mod key_text;
mod links;
mod node;
mod notices;
mod pass;
mod peers;
mod recollection;
mod reply;
mod secrets;
mod shared;
mod stats;
mod surrogate;
#[cfg(feature = "tower")]
mod tower;
pub mod transport;
mod twins;
mod unread;
mod values;
mod webhooks;
mod withdrawal;
mod withheld;

pub use {
    builder::NodeBuilder,
    cache_core::{
        Disk, FetchError, Forward, ForwardReason, Guest, PeerId, PeerIdError, PeerSource, Priority, Reserves,
        Served, Settings, SharingLimits, Shortage, StaleReason, Timestamp, TrafficLimits, Way, WritePace,
        port::{Budget, Durability, StoreError},
    },
    cache_crypto::{
        FleetSecret, KeyFile, KeyFileError, KeyringFull, NodeIdentity, SECRETS_MAX, SecretError, SecretKind,
    },
    cache_origin_github::{ClientLabel, Coding, Form, GitHub, GitHubBuilder, PassReason},
    cache_store::{DISK_BUDGET, OpenError, WriteBehindSettings},
    call::{Call, Miss, Pass},
    discovery::{Discover, DiscoverError, DiscoveryReport},
    error::{
        AskPeerError, Closed, FlushError, GetValueError, InvalidateValueError, KeyTooLong, PingError,
        PutValueError, RelayError, RequestError, RotationError, StartError, ValueError,
    },
    global::{AlreadyStarted, configure, global},
    kept::{COPIES_TOLD_MAX, Kept, KeptCopy, KeptFrom},
    node::Node,
    peers::{Peer, PeerState, Pong},
    reply::{Provenance, READ_BYTES_MAX, ReadError, Reply, ReplyBody, StatusError},
    stats::{DiskStats, FleetTotals, GuestStats, OutageStats, Refusals, Stats},
    transport::{OpenTransport, TransportError},
    unread::Unread,
    values::{VALUE_KEY_BYTES_MAX, Values},
    webhooks::{
        DELIVERIES_MAX, Pushed, PushedError, Receipt, TurnedAway, WebhookDelivery, WebhookStats, Webhooks,
    },
    withdrawal::Withdrawal,
};

#[cfg(feature = "tower")]
pub use tower::{LayerError, LayerFuture, NodeLayer, NodeService, ServiceError};
#[cfg(feature = "libp2p")]
pub use transport::Libp2p;
#[cfg(feature = "quic")]
pub use transport::Quic;
