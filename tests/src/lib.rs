//! What tests of more than one crate stand on: an origin to spare, clients to spare it, a daemon between.
//!
//! [`origin::ModelOrigin`] behaves like `api.github.com` in the respects that a cache cares about, and
//! counts. [`http::Client`] speaks to it and to any front door. [`daemon::Daemon`] runs the binary under
//! test. Nothing here knows how the cache works.

pub mod conformance;
pub mod daemon;
mod eventually;
pub mod http;

pub use cache_model_origin as origin;
pub use eventually::{SOON, eventually, eventually_blocking, until};
