//! Where a peer can be reached over QUIC.
//!
//! Owns the form of addresses that this transport dials and listens on. It moves no frames yet.

mod address;

pub use address::{AddressError, QuicAddress};
