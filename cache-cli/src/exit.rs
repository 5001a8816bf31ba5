//! How a command ends: what it tells the shell, and the person before it.

use std::{error::Error, path::PathBuf, process::ExitCode};

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// A `get` was answered with an error, which was printed like any answer.
    #[error("{}", by.said(*status))]
    Answered {
        /// The status that the API answered.
        status: u16,
        /// Which side gave it.
        by: Answerer,
    },
    /// `doctor` found out why sharing does not work, and has said it.
    #[error("{cause}")]
    Diagnosed {
        /// The reason in one sentence.
        cause: String,
        /// What the shell is told.
        exit_code: u8,
    },
    /// Something went wrong along the way.
    #[error("{attempt}")]
    Failed {
        /// What the command was doing.
        attempt: String,
        /// What came in between.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Another process has the directory, the port or the socket.
    #[error(transparent)]
    InUse(Box<dyn Error + Send + Sync>),
    /// No daemon uses this cache directory.
    #[error(
        "no fleet-cache is running with the cache directory {directory}; start one with `fleet-cache serve`, \
         or name its directory with --cache-dir"
    )]
    NotRunning {
        /// The cache directory without a daemon.
        directory: PathBuf,
    },
    /// Another process listens where this node was to listen for others.
    #[error(
        "cannot listen for other nodes on {address}: another process has that port; stop it, or give another \
         with --p2p-port PORT or --p2p-listen ADDRESS, and tell the other nodes the new address"
    )]
    PeerAddressInUse {
        /// The address that is in use.
        address: String,
    },
    /// A peer did not answer a `ping`.
    #[error("{peer} did not answer: {reason}")]
    Unanswered {
        /// The peer that did not answer.
        peer: String,
        /// What is known of the reason.
        reason: String,
    },
    /// The program that `run` was to become cannot be started.
    #[error("cannot start {program}")]
    Unstarted {
        /// The program as it was named.
        program: String,
        /// What the shell is told.
        exit_code: u8,
        /// What the system says.
        #[source]
        error: std::io::Error,
    },
    /// The flags, the environment or the file ask for what cannot be.
    #[error(transparent)]
    Usage(Box<dyn Error + Send + Sync>),
}

/// Which side gave an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answerer {
    /// GitHub's API, now or when the answer was kept.
    Api,
    /// The daemon, without an answer of the API.
    Daemon,
}

impl Answerer {
    fn said(self, status: u16) -> String {
        match self {
            Self::Api => format!("the API answered {status}"),
            Self::Daemon => format!("the daemon answered {status} by itself; what it printed says why"),
        }
    }
}

impl CommandError {
    /// Says what was attempted and what came in between.
    pub(crate) fn failed(
        attempt: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Failed { attempt: attempt.into(), source: source.into() }
    }

    /// What the shell is told.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed { .. } => 1,
            Self::Usage(_) => 2,
            Self::NotRunning { .. } => 3,
            Self::InUse(_) => 4,
            Self::Answered { .. } => 5,
            Self::PeerAddressInUse { .. } => 6,
            Self::Unanswered { .. } => 7,
            Self::Diagnosed { exit_code, .. } | Self::Unstarted { exit_code, .. } => *exit_code,
        })
    }
}

/// An error with everything behind it, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// The exit codes as `--help` lists them; [`CommandError::exit_code`] gives them.
pub(crate) const EXIT_CODES_HELP: &str = "\
Exit codes:
  0  done; for `serve`, told to stop and everything in progress ended
  1  something went wrong along the way
  2  the flags, the environment or the settings file have a fault
  3  no daemon is running with this cache directory
  4  another process has the cache directory, the port or the socket
  5  `get`: the answer has an error status (400 or above), the API's or the daemon's own
  6  `serve`: another process has the port on which to listen for other nodes
  7  `ping`: the peer is not connected or did not answer
  10  `doctor`: sharing is off, because it was switched off or no secret was found
  11  `doctor`: other nodes use another secret
  12  `doctor`: there is no connection with any other node
  13  `doctor`: a connected node does not answer
  14  `doctor`: a value kept here was not given back by another node
  15  `doctor`: other nodes speak another major version of the protocol
  16  `doctor`: other nodes have no room for one more connection
  17  `status`: a daemon runs, but gh does not ask it
  126  `run`: the program cannot be started
  127  `run`: there is no such program
  130  `serve`: told to stop twice, ended at once";

/// The exit code of a daemon that was told to stop twice: what shells give for an interrupt.
pub(crate) const INTERRUPTED: i32 = 130;
