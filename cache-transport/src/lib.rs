//! What the transports of Fleet Cache have in common, and what a transport of your own can be built from.
//!
//! Owns the [`book`] of connections, which says which of several with one peer stays; the [`inbox`] of events for the
//! driver, and the [`outbox`] of frames for a peer, with their bounds; [`frame`]s in a stream of bytes; [`ending`]s
//! in words; [`address`]es as people write them. A transport keeps what is its own: sockets, handshakes, and how
//! streams are opened. Three more things differ and are left to the transports: the admission, which ends with a code
//! over QUIC and with a last word over libp2p; signs of life, which QUIC gives by itself; and the order of bulk
//! frames, which are numbered over libp2p, whose streams come in no order.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]

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
