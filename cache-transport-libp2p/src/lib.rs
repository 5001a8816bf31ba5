//! Moves frames between peers over libp2p: TCP with noise and yamux, or QUIC.
//!
//! [`Libp2p`] is a [`cache_core::port::Transport`]. It owns the swarm, the streams of each connection and their signs
//! of life. [`cache_transport`] has what it shares with other transports: frames, queues and their bounds, the book
//! of connections. Other crates decide what frames mean and which peers to dial. A [`cache_core::port::Gate`] decides
//! which peers are let in, before anything else.
//!
//! # On the wire
//!
//! The side that dialled opens one stream `/fleet-cache/1`. First the messages of the admission flow on it,
//! then frames, both ways, each behind its length as four bytes, most significant first. Between the two,
//! each side tells its [`cache_core::port::Stance`], which settles which of several connections stays. A side
//! that refuses ends the stream without a word; one that gives up waiting for the admission, or has no need
//! of it, sends an empty message and one byte of reason first. A frame of the bulk lane takes a stream
//! `/fleet-cache/bulk/1` of its own, opened by its sender: eight bytes of its number, counted from zero in
//! each direction, then length and frame. The receiver ends its side of that stream when the frame has been
//! handed over, and so lets the sender open another.

#![forbid(unsafe_code)]

mod address;
mod admission;
mod behaviour;
mod bulk;
mod control;
mod handler;
mod identity;
mod line;
mod settings;
mod shared;
mod sign;
mod swarm;
mod transport;
mod write;

pub use cache_transport::address::{AddressError, Carrier};
pub use {
    address::Libp2pAddress,
    settings::Libp2pSettings,
    transport::{Libp2p, ListenError},
};
