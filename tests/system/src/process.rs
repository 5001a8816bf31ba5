//! Programs that run beside this one, and end with it.

use anyhow::{Context as _, Result, bail};
use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    thread,
    time::{Duration, Instant},
};

/// A program in the background; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Background {
    name: String,
    child: Child,
}

impl Background {
    /// Starts `command`, whose output is thrown away.
    pub(crate) fn start(name: &str, command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().with_context(|| format!("starting {name}"))?;
        Ok(Self { name: name.to_owned(), child })
    }

    /// Starts `command`, which prints the port it listens at as its first line.
    pub(crate) fn start_with_port(name: &str, command: &mut Command) -> Result<(Self, SocketAddr)> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
        let stdout = child.stdout.take().context("standard output was asked to be piped")?;
        let mut background = Self { name: name.to_owned(), child };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let Ok(port) = line.trim().parse::<u16>() else {
            background.kill();
            bail!("{name} printed {line:?} in place of a port");
        };
        Ok((background, (Ipv4Addr::LOCALHOST, port).into()))
    }

    /// Waits until `address` takes connections.
    pub(crate) fn wait_ready(&mut self, address: SocketAddr) -> Result<()> {
        let end = Instant::now() + START_MAX;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status} before it listened", self.name);
            }
            if Instant::now() >= end {
                bail!("{} does not listen at {address} after {START_MAX:?}", self.name);
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Ends it at once, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        // Refused only when it has ended already.
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }

    /// The number by which the system knows it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has ended by itself. Returns how it ended.
    pub(crate) fn wait_end(&mut self) -> Result<ExitStatus> {
        let end = Instant::now() + START_MAX;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= end {
                bail!("{} has not ended after {START_MAX:?}", self.name);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Memory in use, in KiB, as the system counts it.
    pub(crate) fn resident_kib(&self) -> Result<u64> {
        status_figure(self.id(), "VmRSS:").with_context(|| self.name.clone())
    }
}

/// A number of `/proc/ID/status`, such as `VmRSS:`, which is in KiB.
pub(crate) fn status_figure(id: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.with_context(|| format!("no {name} in the status of {id}"))
}

/// Descriptors that a process has open.
pub(crate) fn descriptors(id: u32) -> Result<u64> {
    Ok(fs::read_dir(format!("/proc/{id}/fd"))?.count() as u64)
}

/// Sends a signal, such as `STOP`.
pub(crate) fn signal(id: u32, name: &str) -> Result<()> {
    output(Command::new("kill").args([&format!("-{name}"), &id.to_string()])).map(drop)
}

impl Drop for Background {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs `command` to its end and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_owned();
    let output = any_output(command)?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{}: {}: {}", program.display(), output.status, stderr.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs `command` to its end, whichever that is.
pub(crate) fn any_output(command: &mut Command) -> Result<Output> {
    let program = command.get_program().to_owned();
    command.stdin(Stdio::null()).output().with_context(|| format!("running {}", program.display()))
}

/// An address of the loopback interface where nothing listens.
///
/// Its port is not one that the system gives to outgoing connections, one of which could take it before it is
/// listened at, or while a daemon that was killed starts again.
pub(crate) fn free_address() -> Result<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Another process that chooses at the same time begins elsewhere.
    let begin = u16::try_from(std::process::id() % u32::from(PORTS)).unwrap_or_default();
    for _ in 0..PORTS {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let address: SocketAddr = (Ipv4Addr::LOCALHOST, FIRST_PORT + begin.wrapping_add(next) % PORTS).into();
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port from {FIRST_PORT} on is free")
}

/// Ports below those that Linux gives to outgoing connections, which begin at 32,768.
const FIRST_PORT: u16 = 12_000;
const PORTS: u16 = 20_000;

/// Builds the binary `name` of `package` optimised, and returns where it is.
pub(crate) fn build_release(root: &Path, package: &str, name: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["build", "--release", "--package", package, "--bin", name];
    let status = Command::new(&cargo).args(arguments).current_dir(root).status()?;
    if !status.success() {
        bail!("{name} does not build");
    }
    Ok(target_directory(root, &cargo)?.join("release").join(name))
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory(root: &Path, cargo: &OsStr) -> Result<PathBuf> {
    let mut command = Command::new(cargo);
    command.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(root);
    let metadata: serde_json::Value = serde_json::from_str(&output(&mut command)?)?;
    let directory =
        metadata["target_directory"].as_str().context("cargo metadata names a target directory")?;
    Ok(directory.into())
}

/// Longest wait for a program to listen.
const START_MAX: Duration = Duration::from_secs(20);
