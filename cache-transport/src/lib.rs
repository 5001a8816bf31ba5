//! What the transports of Fleet Cache have in common, and what a transport of your own can be built from.
//!
//! Owns the [`book`] of connections, which says which of several with one peer stays; the [`inbox`] of what the driver is
//! told, and the [`outbox`] of what waits for a peer, with their bounds; [`frame`]s in a stream of bytes; [`ending`]s in
//! words; [`address`]es as people write them. A transport keeps what is its own: sockets, handshakes, how streams are
//! opened, signs of life, and the form of its admission on the wire.

#![forbid(unsafe_code)]

pub mod address;
pub mod book;
pub mod budget;
pub mod ending;
pub mod entrance;
pub mod frame;
pub mod inbox;
pub mod link;
pub mod outbox;
#[cfg(test)]
mod silent;
