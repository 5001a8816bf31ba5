//! The `fleet-cache` command: a daemon with HTTP doors in front of the cache, and the commands that talk to it.
//!
//! Owns settings, doors and what is printed. Everything about caching is the library's, `fleet_cache`;
//! everything about GitHub is `cache_origin_github`'s.
//!
//! [`run`] is the whole program.

#![forbid(unsafe_code)]

mod cache_status;
mod command;
mod error_body;
mod exit;
mod lock;
mod logging;
mod rewrite;
mod route;
mod settings;
mod socket;

use command::Invocation;
use std::process::ExitCode;

/// Does what the command line says and tells how it ended.
pub fn run() -> ExitCode {
    todo!()
}
