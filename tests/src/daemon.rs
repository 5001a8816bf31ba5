//! The daemon as its users run it: a process, a port, a socket, a directory.
//!
//! Knows the command line that is fixed for users and nothing of what is inside.

use crate::{eventually_blocking, http::Client};
use parking_lot::Mutex;
use std::{
    ffi::OsString,
    fmt::Write as _,
    fs::{self, DirBuilder},
    io::{self, BufRead as _, BufReader},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// How to start a daemon.
///
/// Everything a user's machine could lend it is kept away: the environment has only what [`Setup::env`] adds, and
/// home is a directory of its own.
#[derive(Debug)]
pub struct Setup {
    program: PathBuf,
    origin: String,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    p2p: P2p,
}

/// Whether the daemon may talk to others of its kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum P2p {
    Disabled,
    Enabled,
}

impl Setup {
    /// `program serve` in front of `origin`, without peers.
    ///
    /// An integration test names the program by `env!("CARGO_BIN_EXE_...")`.
    pub fn new(program: impl Into<PathBuf>, origin: &str) -> Self {
        Self {
            program: program.into(),
            origin: origin.to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            p2p: P2p::Disabled,
        }
    }

    /// Adds an argument of `serve`.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments of `serve`.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Leaves out `--no-p2p`.
    #[must_use]
    pub fn with_peers(self) -> Self {
        Self { p2p: P2p::Enabled, ..self }
    }

    /// Starts the daemon in a new directory, on a port that the system chooses, and waits until it says which.
    ///
    /// # Panics
    ///
    /// If it ends before, or takes longer than [`START_MAX`]; the message holds what it wrote.
    pub fn start(self) -> Daemon {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let process = self.spawn(directory.path());
        Daemon { setup: self, process, address: UNKNOWN, directory }.wait_ready()
    }

    /// As [`Self::start`], with the identity of `other`, as on a machine that was made from an image of another.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    pub fn start_from_image_of(self, other: &Daemon) -> Daemon {
        const IDENTITY: &str = "cache/identity.key";
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let cache = directory.path().join("cache");
        DirBuilder::new().mode(0o700).create(&cache).expect("a directory can be made");
        fs::copy(other.directory().join(IDENTITY), directory.path().join(IDENTITY))
            .expect("a node that shares keeps its identity");
        let process = self.spawn(directory.path());
        Daemon { setup: self, process, address: UNKNOWN, directory }.wait_ready()
    }

    fn spawn(&self, directory: &Path) -> Process {
        let mut command = Command::new(&self.program);
        command
            .arg("serve")
            .args(["--listen", "127.0.0.1:0", "--origin", &self.origin])
            .arg("--unix")
            .arg(directory.join(SOCKET))
            .arg("--cache-dir")
            .arg(directory.join("cache"))
            .args((self.p2p == P2p::Disabled).then_some("--no-p2p"))
            .args(&self.args)
            .env_clear()
            .env("HOME", directory)
            .envs(self.env.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program under test is there and may be run");
        let stdout = collect(child.stdout.take().expect("it was asked to be piped"));
        let stderr = collect(child.stderr.take().expect("it was asked to be piped"));
        Process { child, stdout, stderr }
    }
}

/// A running daemon; dropping it kills the process and removes its directory.
#[derive(Debug)]
pub struct Daemon {
    setup: Setup,
    process: Process,
    address: SocketAddr,
    directory: TempDir,
}

/// One run of the program, and what it has written.
#[derive(Debug)]
struct Process {
    child: Child,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
}

impl Daemon {
    /// Ends the process at once, as `kill -9` does, and waits until it is gone.
    pub fn kill(&mut self) {
        // Refused only when the process has ended already, which is what is wanted.
        let _ended_already = self.process.child.kill();
        self.process.child.wait().expect("a child can be waited for");
    }

    /// Asks the process to end, as an init system does. Returns how it ended.
    ///
    /// # Panics
    ///
    /// If it takes longer than `deadline`.
    pub fn terminate(&mut self, deadline: Duration) -> ExitStatus {
        self.ask_to_end();
        self.wait(deadline)
    }

    /// Asks the process to end and returns at once.
    ///
    /// # Panics
    ///
    /// If it has ended already.
    pub fn ask_to_end(&self) {
        self.signal("-TERM");
    }

    /// Sends `signal`, such as `-HUP`, as `kill` knows it.
    ///
    /// # Panics
    ///
    /// If it has ended already.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid().to_string()]).status();
        assert!(sent.expect("kill can be run").success(), "the daemon had ended: {}", self.stderr());
    }

    /// Waits until the process ends. Returns how it ended.
    ///
    /// # Panics
    ///
    /// If it takes longer than `deadline`.
    pub fn wait(&mut self, deadline: Duration) -> ExitStatus {
        let mut status = None;
        eventually_blocking(deadline, || {
            status = self.try_wait();
            status.is_some()
        });
        status.unwrap_or_else(|| panic!("still running after {deadline:?}: {}", self.stderr()))
    }

    /// Starts again on the same directory, with the same settings, killing what still runs. The port may be
    /// another.
    ///
    /// # Panics
    ///
    /// As [`Setup::start`] does.
    #[must_use]
    pub fn restart(mut self) -> Self {
        self.kill();
        self.process = self.setup.spawn(self.directory.path());
        self.wait_ready()
    }

    /// As [`Self::restart`], as another `program`, such as that of a later release.
    ///
    /// # Panics
    ///
    /// As [`Setup::start`] does.
    #[must_use]
    pub fn restart_as(mut self, program: impl Into<PathBuf>) -> Self {
        self.setup.program = program.into();
        self.restart()
    }

    /// A client of its TCP door.
    pub fn client(&self) -> Client {
        Client::tcp(self.address)
    }

    /// A client of its unix socket.
    pub fn unix_client(&self) -> Client {
        Client::unix(&self.socket())
    }

    /// Where its TCP door is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its unix socket is.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join(SOCKET)
    }

    /// The directory that holds its home, its socket and, in `cache`, what it keeps.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// What it wrote to standard error since it was started last.
    pub fn stderr(&self) -> String {
        self.process.stderr.lock().clone()
    }

    /// Leaves unread what the daemon writes to its standard error, until the guard is dropped; `stderr` waits for that.
    pub fn hold_stderr(&self) -> impl Drop + '_ {
        self.process.stderr.lock()
    }

    fn try_wait(&mut self) -> Option<ExitStatus> {
        self.process.child.try_wait().expect("a child can be waited for")
    }

    fn wait_ready(mut self) -> Self {
        let mut ended = None;
        let mut address = None;
        let ready = eventually_blocking(START_MAX, || {
            ended = self.try_wait();
            address = announced(&self.process.stdout.lock());
            ended.is_some() || address.is_some()
        });
        if let Some(status) = ended {
            panic!("the daemon ended with {status}: {}", self.stderr());
        }
        assert!(ready, "no word of a port after {START_MAX:?}: {}", self.stderr());
        self.address = address.unwrap_or(UNKNOWN);
        self
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The address of the TCP door, once the daemon has told it.
fn announced(stdout: &str) -> Option<SocketAddr> {
    stdout.lines().find_map(|line| line.strip_prefix("listening on http://")?.parse().ok())
}

/// Reads on a thread of its own, so that a daemon that writes much is never held up.
fn collect(stream: impl io::Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let written = Arc::clone(&text);
    thread::spawn(move || {
        let lines = BufReader::new(stream).lines().map_while(io::Result::ok);
        for line in lines {
            let mut text = written.lock();
            if text.len() < WRITTEN_BYTES_MAX {
                writeln!(text, "{line}").expect("writing to a string cannot fail");
            }
        }
    });
    text
}

/// Longest wait for a start: an unoptimised build that derives a key on a busy machine.
pub const START_MAX: Duration = Duration::from_secs(30);

/// Most that is kept of what it writes to one stream, in bytes.
const WRITTEN_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Where a daemon is that has not told yet.
const UNKNOWN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

const SOCKET: &str = "door.sock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "the daemon ended with")]
    fn a_program_that_ends_at_once_is_reported_and_not_waited_for() {
        let _never = Setup::new("/bin/false", "http://127.0.0.1:1").start();
    }
}
