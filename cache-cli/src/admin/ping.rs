//! The request and the answer of `POST /ping`.

use serde::{Deserialize, Serialize};

/// What `POST /ping` takes.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct PingOrder {
    /// A peer's id, or the end of it.
    pub(crate) peer: String,
}

/// What `POST /ping` answers.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Pinged {
    /// The peer's id.
    pub(crate) peer: String,
    /// What came of it.
    #[serde(flatten)]
    pub(crate) answer: PingAnswer,
}

/// What came of a ping.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum PingAnswer {
    /// The peer answered in time.
    Answered {
        /// Time to the answer, in microseconds.
        round_trip_micros: u64,
        /// How far its clock is ahead of the daemon's.
        skew_millis: i64,
    },
    /// The peer did not answer, or cannot be asked.
    Failed {
        /// Why, as far as is known.
        reason: String,
    },
}
