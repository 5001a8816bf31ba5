//! The daemon's own door: a socket in its cache directory, by which its commands reach it.
//!
//! HTTP with JSON, for the socket's owner alone: `GET /stats`, `GET /config`, `GET /peers`, `GET /usage`, `GET /usage/node`,
//! `POST /ping`, `POST /kept`, `POST /doctor`, `POST /invalidate`, `POST /clear`, and `POST /get`, which answers as the API does.

mod allowance;
mod client;
mod examination;
mod ping;

pub(crate) use {
    allowance::{AllowanceLine, Urgency, WritesLine},
    client::Admin,
    examination::{Cause, Check, Examination},
    ping::{PingAnswer, PingOrder, Pinged},
};

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where the daemon of a cache directory listens for commands.
pub(crate) fn socket_path(cache_dir: &Path) -> PathBuf {
    cache_dir.join("admin.sock")
}

/// What `POST /get` takes.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct GetOrder {
    /// The path, with its query.
    pub(crate) path: String,
    /// The request's headers by name.
    pub(crate) headers: Vec<(String, String)>,
}

/// What `POST /kept` takes.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct KeptOrder {
    /// The path, with its query.
    pub(crate) path: String,
}

/// What `POST /invalidate` takes.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InvalidateOrder {
    /// Forget this path, its query included.
    Path(String),
    /// Forget every path that begins so.
    Prefix(String),
}

/// What `POST /invalidate` and `POST /clear` answer.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Removed {
    /// How many entries left memory.
    pub(crate) removed: usize,
}
