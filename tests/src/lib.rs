//! What tests of more than one crate stand on: an origin to spare, clients to spare it, a daemon between.
//!
//! [`origin::ModelOrigin`] behaves like `api.github.com` in the respects that a cache cares about, and
//! counts. [`http::Client`] speaks to it and to any front door. [`daemon::Daemon`] runs the binary under
//! test. Nothing here knows how the cache works.

pub mod daemon;
pub mod dns;
pub mod isolation;
pub mod mcp;

pub use cache_conformance::{SOON, eventually, eventually_blocking, until};
pub use cache_model_origin::{self as origin, client as http};
