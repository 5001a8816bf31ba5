//! Moves frames between peers over QUIC.
//!
//! [`Quic`] is a [`cache_core::port::Transport`]. It owns sockets, TLS with the certificates of libp2p (so that a
//! peer has the same id on either transport), the running of the admission, and streams. [`cache_transport`] has what
//! it shares with other transports: frames, queues and their bounds, the book of connections. Other crates decide
//! what frames mean, which peers to dial and when, and what an admission says.
//!
//! A connection's life, module by module: `dial` or `entrance` brings it about, `admission` lets its
//! other side in, `settle` and the book see to which of several is kept, `lanes` moves its frames from an
//! outbox and into the inbox, from where the driver takes them. `code` says how endings travel.

mod address;
mod admission;
mod code;
mod dial;
mod entrance;
mod lanes;
mod settings;
mod settle;
mod shared;
mod sockets;
mod tls;
mod transport;

pub use cache_transport::address::AddressError;
pub use {address::QuicAddress, settings::QuicSettings, sockets::ListenError, transport::Quic};
