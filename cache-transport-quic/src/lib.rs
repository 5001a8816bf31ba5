//! Moves frames between peers over QUIC.
//!
//! [`Quic`] is a [`cache_core::port::Transport`]. It owns sockets, TLS with the certificates of libp2p (so that a
//! peer has the same id on either transport), the running of the admission, streams, queues and their
//! bounds. What frames mean, whom to dial and when, and what an admission says is decided elsewhere.
//!
//! A connection's life, module by module: `dial` or `entrance` brings it about, `admission` lets its
//! other side in, `settle` and `peers` see to which of several is kept, `link` moves its frames from an
//! `outbox` and into the `inbox`, from where the driver takes them.

mod address;
mod admission;
mod denial;
mod dial;
mod entrance;
mod inbox;
mod link;
mod outbox;
mod peers;
mod settings;
mod settle;
mod shared;
mod sockets;
mod tls;
mod transport;

pub use {
    address::{AddressError, QuicAddress},
    settings::QuicSettings,
    sockets::ListenError,
    transport::Quic,
};
