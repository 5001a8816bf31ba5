//! What can be chosen about a transport, and bounds that cannot.

use cache_core::port::{ADMISSION_TIMEOUT, DIAL_TIMEOUT, FRAME_BYTES_MAX};
use cache_transport::budget::CHARGE_BYTES_MAX;
use std::time::Duration;

/// How many connections are held at most, and how long they may take to come to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Libp2pSettings {
    /// Peers connected at once; further ones are closed once they have been let in.
    pub peers_max: usize,
    /// Incoming connections at once that have not been let in yet; further ones are closed unheard.
    pub unadmitted_max: usize,
    /// As [`Self::unadmitted_max`], from one IP address.
    pub unadmitted_per_address_max: usize,
    /// Time for an admission.
    pub admission_timeout: Duration,
    /// Time for a dial, its admission included.
    pub dial_timeout: Duration,
}

impl Default for Libp2pSettings {
    /// 256 peers. 96 newcomers from one address: eighty daemons of one host, or behind one translator of addresses,
    /// that start together; one that comes beyond is closed and dials again in a second or two. 128 newcomers in all.
    /// The times are the port's.
    fn default() -> Self {
        Self {
            peers_max: 256,
            unadmitted_max: 128,
            unadmitted_per_address_max: 96,
            admission_timeout: ADMISSION_TIMEOUT,
            dial_timeout: DIAL_TIMEOUT,
        }
    }
}

impl Libp2pSettings {
    /// Time for connecting and the transport's own handshake: what the admission leaves of a dial.
    pub(crate) fn handshake_timeout(&self) -> Duration {
        self.dial_timeout.saturating_sub(self.admission_timeout)
    }
}

/// Frames of the control lane that wait for one peer; one more is dropped.
pub(crate) const CONTROL_QUEUE_FRAMES_MAX: usize = 1024;
/// Bytes of the control lane that wait for one peer, unless a single frame is longer.
pub(crate) const CONTROL_QUEUE_BYTES_MAX: usize = 1024 * 1024;
/// Frames of the bulk lane that wait for one peer or are on their way; one more is dropped.
pub(crate) const BULK_QUEUE_FRAMES_MAX: usize = 256;
/// Bytes of the bulk lane that wait for one peer or are on their way.
pub(crate) const BULK_QUEUE_BYTES_MAX: usize = 4 * FRAME_BYTES_MAX;

/// Bytes of one peer on one lane that wait for the driver: as much as the longest frame.
pub(crate) const INBOX_BYTES_MAX: usize = CHARGE_BYTES_MAX;

/// Bulk frames on their way at once, in each direction of a connection. At 20 ms of delay, four bodies of
/// 64 KiB each round trip are 12 MiB/s; a peer that fills all and ends none pins four frames.
pub(crate) const BULK_STREAMS_MAX: usize = 4;
/// Streams of one connection. Ours: control, and identify each way, and the bulk frames; and some that
/// are ending. With yamux every stream may hold 256 KiB unread.
pub(crate) const STREAMS_MAX: usize = 2 * BULK_STREAMS_MAX + 5 + 7;
/// Most streams of one connection whose protocol is being agreed on.
pub(crate) const STREAMS_NEGOTIATING_MAX: usize = BULK_STREAMS_MAX + 4;
/// Bytes that a peer may send on one QUIC stream before we read: one round trip of 20 ms at 25 MiB/s.
pub(crate) const QUIC_STREAM_BYTES_MAX: u32 = 512 * 1024;
/// As [`QUIC_STREAM_BYTES_MAX`] for all streams, so that unread bodies leave room for the control stream.
pub(crate) const QUIC_CONNECTION_BYTES_MAX: u32 = 4 * 1024 * 1024;
/// Dials at once; further ones fail.
pub(crate) const DIALS_MAX: usize = 64;

const _: () = assert!(BULK_QUEUE_BYTES_MAX >= FRAME_BYTES_MAX);
const _: () =
    assert!(QUIC_CONNECTION_BYTES_MAX as usize > (BULK_STREAMS_MAX + 3) * QUIC_STREAM_BYTES_MAX as usize);
