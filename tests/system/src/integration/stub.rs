//! The stand-in for the GitHub API, and the figures it keeps.

use crate::{process::Background, web};
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The stand-in as a process; ended on drop.
#[derive(Debug)]
pub(super) struct Stub {
    process: Background,
    address: SocketAddr,
    script: PathBuf,
}

impl Stub {
    pub(super) fn start(script: &Path) -> Result<Self> {
        let mut command = Command::new("python3");
        command.arg(script).args(["--port", "0", "--print-port"]).stderr(Stdio::inherit());
        let (process, address) = Background::start_with_port("the stand-in", &mut command)?;
        Ok(Self { process, address, script: script.to_owned() })
    }

    /// A stub of its own at `address`, where nothing listens.
    pub(super) fn start_at(script: &Path, address: SocketAddr) -> Result<Self> {
        let mut command = Command::new("python3");
        command.arg(script).args(["--port", &address.port().to_string()]).stderr(Stdio::inherit());
        let mut process = Background::start("the stand-in", &mut command)?;
        process.wait_ready(address)?;
        Ok(Self { process, address, script: script.to_owned() })
    }

    /// The number by which the system knows it.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The program, to start another.
    pub(super) fn script(&self) -> &Path {
        &self.script
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Forgets everything, settings included.
    pub(super) fn reset(&self) -> Result<()> {
        self.control("reset").map(drop)
    }

    /// Forgets the counts, and nothing else.
    pub(super) fn reset_counts(&self) -> Result<()> {
        self.control("reset?what=counts").map(drop)
    }

    /// Gives `repository` a new revision, and returns its number.
    pub(super) fn mutate(&self, repository: &str) -> Result<u64> {
        let answer = self.control(&format!("mutate?repo={repository}"))?;
        answer["revision"].as_u64().context("a repository has a revision")
    }

    /// Replaces all faults to come by one for every call.
    pub(super) fn fault(&self, kind: &str) -> Result<()> {
        self.control(&format!("fault?clear=1&kind={kind}")).map(drop)
    }

    pub(super) fn clear_faults(&self) -> Result<()> {
        self.control("fault?clear=1").map(drop)
    }

    pub(super) fn configure(&self, setting: &str) -> Result<()> {
        self.control(&format!("config?{setting}")).map(drop)
    }

    /// How often paths that begin with `prefix` were called, and with which statuses.
    pub(super) fn calls(&self, prefix: &str) -> Result<Calls> {
        let counts = self.control(&format!("counts?prefix={prefix}"))?;
        let total = counts["total"].as_u64().context("counts have a total")?;
        Ok(Calls { total, by_status: counts["by_status"].clone() })
    }

    /// What `owner`, such as `user:alice`, has used of its `core` allowance.
    pub(super) fn used(&self, owner: &str) -> Result<u64> {
        let counts = self.control("counts?summary=1")?;
        Ok(counts["budget"][format!("{owner} core")]["used"].as_u64().unwrap_or(0))
    }

    fn control(&self, command: &str) -> Result<Value> {
        web::get_json(self.address, &format!("/_ctl/{command}"))
    }
}

/// Calls that arrived at the origin.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    pub(super) total: u64,
    by_status: Value,
}

impl Calls {
    pub(super) fn with_status(&self, status: u16) -> u64 {
        self.by_status[status.to_string()].as_u64().unwrap_or(0)
    }
}
