//! The origin behind what is measured, and the daemon in front of it.

use super::Arguments;
use crate::process::{Background, build_release, free_address};
use anyhow::Result;
use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};

/// Starts the origin that `arguments` ask for.
pub(super) fn start(root: &Path, arguments: &Arguments) -> Result<(Background, SocketAddr)> {
    let mut command = match &arguments.stub {
        Some(script) => {
            let mut command = Command::new("python3");
            command.arg(script);
            command
        }
        None => Command::new(build_release(root, "cache-model-origin", "model-origin")?),
    };
    command.args(["--port", "0", "--print-port"]);
    Background::start_with_port("the origin", &mut command)
}

/// Starts `daemon` in front of `origin` with everything it keeps below `directory`, without waiting.
pub(super) fn start_daemon(
    daemon: &Path,
    origin: SocketAddr,
    directory: &Path,
) -> Result<(Background, SocketAddr)> {
    let address = free_address()?;
    let mut command = Command::new(daemon);
    command
        .args(["serve", "--no-p2p", "--default-ttl", "3600"])
        .args(["--listen", &address.to_string(), "--origin", &format!("http://{origin}")])
        .arg("--cache-dir")
        .arg(directory.join("cache"))
        .env_clear()
        .env("HOME", directory)
        .stderr(Stdio::null());
    Ok((Background::start("fleet-cache", &mut command)?, address))
}

/// The user agent of the benchmarks; GitHub answers no call without a `User-Agent`.
pub(super) const HEADERS: &[(&str, &str)] = &[("Authorization", "token ghp_alice"), ("User-Agent", "xtask")];
