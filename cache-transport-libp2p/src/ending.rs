//! Why a connection ends.

use std::io;
use thiserror::Error;

/// Why a connection ends, or never began. The connection is of no use afterwards; others are not affected.
#[derive(Debug, Error)]
pub(crate) enum Ending {
    /// Another connection with the same peer was kept instead.
    #[error("already connected")]
    AlreadyConnected,
    /// The other side ended the connection.
    #[error("closed by the peer")]
    ByPeer,
    /// We ended the connection.
    #[error("closed by this node")]
    ByUs,
    /// The gate let the other side's proof fail.
    #[error("not let in")]
    NotLetIn,
    /// The other side broke the rules of the wire.
    #[error("broke the protocol: {0}")]
    Protocol(&'static str),
    /// A newer connection with the same peer took over.
    #[error("replaced by a newer connection")]
    Replaced,
    /// The stream broke.
    #[error("broken: {0}")]
    Stream(#[from] io::Error),
    /// The peer answered no ping for a while.
    #[error("silent: {0} pings in a row unanswered")]
    Silent(u32),
    /// The admission took too long.
    #[error("not let in within {0:?}")]
    TimedOut(std::time::Duration),
    /// A frame claims to be longer than what is taken.
    #[error("a frame of {frame_bytes} bytes, the limit is {frame_bytes_max}")]
    TooLong {
        /// What the frame claims.
        frame_bytes: usize,
        /// What is taken.
        frame_bytes_max: usize,
    },
    /// There are as many peers, dials or newcomers as can be held.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// The other side does not speak our protocol, or gave no stream for it.
    #[error("no stream for {0}")]
    Unsupported(&'static str),
}
