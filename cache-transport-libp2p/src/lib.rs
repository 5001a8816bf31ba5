//! Moves frames between peers over libp2p: TCP with noise and yamux, or QUIC.
//!
//! Owns the form of addresses that can be dialled and listened on ([`Libp2pAddress`]), the connections, their
//! streams and queues ([`Libp2p`], a [`cache_core::port::Transport`]). Whom to dial, what frames mean and who
//! is let in are others' affairs: the last one is asked of a [`cache_core::port::Gate`] before anything else.
//!
//! # On the wire
//!
//! Whoever dialled opens one stream `/fleet-cache/1`. First the messages of the admission flow on it, then
//! frames, both ways, each behind its length as four bytes, most significant first. Between the two, each
//! side tells its [`cache_core::port::Stance`], which settles which of several connections stays. Whoever
//! refuses ends the stream without a word; whoever gives up waiting for the admission, or has no need of it,
//! sends an empty message and one byte of reason first. A frame of the bulk lane
//! takes a stream `/fleet-cache/bulk/1` of its own, opened by its sender: eight bytes of its number, counted
//! from zero in each direction, then length and frame. The receiver ends its side of that stream when the
//! frame has been handed over, and so lets the sender open another.

#![forbid(unsafe_code)]

mod address;
mod admission;
mod behaviour;
mod bulk;
mod control;
mod ending;
mod handler;
mod identity;
mod inbox;
mod link;
mod outbox;
mod settings;
mod shared;
mod sign;
mod swarm;
mod transport;
mod write;

pub use {
    address::{AddressError, Carrier, Libp2pAddress},
    settings::Libp2pSettings,
    transport::{Libp2p, ListenError},
};
