//! What can be chosen about a transport.

use cache_core::port::{ADMISSION_TIMEOUT, DIAL_TIMEOUT, FRAME_BYTES_MAX, SILENCE_TIMEOUT};
use std::time::Duration;

/// Times and sizes of a [`crate::Quic`]; the defaults suit every fleet we know of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QuicSettings {
    /// Time for the whole admission, from the end of the TLS handshake.
    pub admission_timeout: Duration,
    /// Time for one dial, from the address to an admitted peer.
    pub dial_timeout: Duration,
    /// Peers connected at once; further ones are told so once they have been let in, and closed.
    pub peers_max: usize,
    /// Most bytes that wait for one peer on one lane. A single longer frame may wait alone.
    pub queue_bytes_max: usize,
    /// Most frames that wait for one peer on one lane.
    pub queue_frames_max: usize,
    /// Silence after which a connection counts as lost. A quarter of it passes between signs of life.
    pub silence_timeout: Duration,
}

impl Default for QuicSettings {
    fn default() -> Self {
        Self {
            admission_timeout: ADMISSION_TIMEOUT,
            dial_timeout: DIAL_TIMEOUT,
            peers_max: PEERS_MAX,
            queue_bytes_max: QUEUE_BYTES_MAX,
            queue_frames_max: QUEUE_FRAMES_MAX,
            silence_timeout: SILENCE_TIMEOUT,
        }
    }
}

/// More than a full membership view needs.
const PEERS_MAX: usize = 256;

/// Two of the longest frames: one on its way, one to follow.
const QUEUE_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;

/// What a burst of announcements to one peer may hold: four times the default number of entries.
const QUEUE_FRAMES_MAX: usize = 4096;
