//! The engine of Fleet Cache, without any input or output of its own.
//!
//! Everything that decides is here: which entry may be served, which request fetches and which waits, what is
//! evicted. Nothing that acts is here: time, bytes and results come in as [`Input`]s, every effect leaves as an
//! [`Output`], and the same inputs give the same outputs on every machine. The crate is `no_std`, so the compiler
//! keeps it so.
//!
//! Start at [`Engine`].

#![no_std]
#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]

extern crate alloc;

mod address;
mod allowance;
mod cache;
mod candidate;
pub mod codec;
mod counters;
mod deadline;
mod digest;
mod districts;
mod doubts;
mod engine;
mod entry;
mod flights;
pub mod freshness;
mod headers;
mod input;
mod invalidation;
pub mod key;
mod kin;
mod ledger;
mod membership;
pub mod message;
mod name;
mod outage;
mod outcome;
mod output;
mod peer;
mod peers;
pub mod port;
mod protocol;
mod settings;
mod settling;
mod sharing;
pub mod sieve;
mod time;
mod token_bucket;

pub use {
    address::{ADDRESS_BYTES_MAX, peer_of_address},
    allowance::{Allowance, RESOURCE_BYTES_MAX, Window},
    candidate::Candidate,
    counters::Counters,
    deadline::Deadline,
    digest::Salts,
    doubts::{Doubted, Doubts},
    engine::Engine,
    entry::{BODY_BYTES_MAX, Content, Draft, ENTRY_OVERHEAD_BYTES, Entry, Source, Validators},
    flights::FlightId,
    headers::{HEADERS_BYTES_MAX, Headers},
    input::{
        Audience, Bucket, FetchError, Fetched, Input, OrderId, PassKind, Reached, Reader, Refusal, RequestId,
    },
    key::{Domain, KEY_BYTES_MAX, Key},
    ledger::{
        AccountReport, CallNumbers, Numbers, Payer, Priority, RATE_OVER, Reserves, Shortage, UnknownPriority,
        WRITES_WAITING_MAX, WritePace, WritesReport,
    },
    membership::{MEMBER_ADDRESSES_MAX, Member},
    message::{AskId, Figures, Manner, Message, OriginWord, Reach, SETTLE_MAX, Scope},
    name::{Kinship, Name, Naming},
    outage::OutageReport,
    outcome::{Failure, Forward, ForwardReason, Outcome, Served, StaleReason},
    output::{FetchId, LoadId, Output},
    peer::{PeerId, PeerIdError},
    peers::{
        Ban, Contact, FOUND_MAX, Offence, PeerReport, PeerSettings, PeerSource, PeerState, TrafficLimits, Way,
    },
    protocol::{Features, Protocol},
    settings::{Disk, Settings},
    sharing::{
        Ceiling, Guest, GuestReport, HOSTS_MAX, Joining, REMEMBERED_MAX, SHELF_MAX, Sharing, SharingLimits,
    },
    time::Timestamp,
};
