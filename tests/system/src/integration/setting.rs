//! What every check finds: the stand-in, a daemon of its own, and clients pointed at it.

use super::{
    clients::{Curl, Gh},
    stub::Stub,
};
use crate::process::{Background, free_address};
use anyhow::Result;
use std::{
    cell::RefCell,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// The world of one check.
#[derive(Debug)]
pub(super) struct Setting<'a> {
    pub(super) stub: &'a Stub,
    program: PathBuf,
    directory: TempDir,
    address: SocketAddr,
    /// Started when a check first asks for it, so that the check chooses the arguments.
    daemon: RefCell<Option<Background>>,
}

impl<'a> Setting<'a> {
    pub(super) fn new(stub: &'a Stub, program: &Path) -> Result<Self> {
        Ok(Self {
            stub,
            program: program.to_owned(),
            directory: tempfile::tempdir()?,
            address: free_address()?,
            daemon: RefCell::new(None),
        })
    }

    /// Starts the daemon with further arguments of `serve`; kills the one that runs, if any.
    pub(super) fn start(&self, arguments: &[&str]) -> Result<()> {
        self.kill();
        let mut command = Command::new(&self.program);
        command
            .args(["serve", "--no-p2p"])
            .args(["--listen", &self.address.to_string(), "--origin", &self.stub.url()])
            .arg("--unix")
            .arg(self.socket())
            .arg("--cache-dir")
            .arg(self.cache_dir())
            .args(arguments)
            .env_clear()
            .env("HOME", self.directory.path())
            .stderr(Stdio::null());
        let mut daemon = Background::start("fleet-cache", &mut command)?;
        daemon.wait_ready(self.address)?;
        self.daemon.replace(Some(daemon));
        Ok(())
    }

    /// Ends the daemon as `kill -9` does.
    pub(super) fn kill(&self) {
        drop(self.daemon.take());
    }

    /// Lets a lifetime of `seconds` pass.
    pub(super) fn outlive(&self, seconds: u64) {
        thread::sleep(Duration::from_millis(seconds * 1000 + 300));
    }

    /// `curl` to the TCP door with a token.
    pub(super) fn curl(&self, token: &str) -> Curl {
        Curl::new(self.address, token, self.directory.path())
    }

    /// `gh` through the unix socket, as alice.
    pub(super) fn gh(&self) -> Result<Gh> {
        Gh::new(&self.socket(), self.directory.path())
    }

    /// The program under check.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    /// By which its commands find the daemon.
    pub(super) fn cache_dir(&self) -> PathBuf {
        self.directory.path().join("cache")
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("door.sock")
    }
}
