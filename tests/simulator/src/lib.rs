//! A whole fleet in one thread, on virtual time.
//!
//! Real engines ([`cache_core::Engine`]) exchange real messages over a modelled network, in front of a
//! modelled origin, while everything that can go wrong does. A [`Plan`] decides all of it, so the same plan
//! gives the same transcript, byte for byte, on every machine. A model that is simple enough to believe
//! watches every output; see [`Rule`] for what it demands.
//!
//! Start at [`World::run`].

mod decode;
mod desk;
pub mod document;
pub mod economy;
mod figures;
mod hunt;
mod ledger;
mod meter;
mod network;
mod node;
mod origin;
mod plan;
mod plot;
pub mod policies;
pub mod ramp;
mod random;
mod replay;
mod rights;
pub mod scale;
pub mod scenarios;
mod secondary;
mod service;
mod shrink;
pub mod spent;
mod transcript;
mod watch;
mod world;

pub use {
    decode::Sort,
    figures::Figures,
    hunt::hunt,
    ledger::{Rule, Violation},
    plan::{
        Deed, Demands, Dialing, Event, Lie, NetworkPlan, OriginPlan, OutageKind, Plan, SecondaryPlan, Victim,
    },
    replay::TraceError,
    service::Service,
    shrink::{Shrunk, shrink, shrink_by},
    world::{Report, World, run},
};
