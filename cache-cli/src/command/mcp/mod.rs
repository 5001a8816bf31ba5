//! `fleet-cache mcp`: what agents may ask of a running daemon, by the Model Context Protocol on standard streams.
//!
//! Every tool reads: none changes a setting, forgets an entry or calls the API. Each call connects to the daemon anew, so
//! the server outlives daemons, and says so while there is none. It holds no credential and asks with none. Nothing but the
//! protocol goes to standard output, and nothing is logged.

mod doctor;
mod kept;
mod quota;
mod refusal;
mod server;
mod spenders;
mod tool;

use crate::exit::CommandError;
use rmcp::{
    ServiceExt as _,
    service::{QuitReason, ServerInitializeError},
    transport::{async_rw::AsyncRwTransport, io::stdio_pipes},
};
use server::Server;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

/// Serves one client on standard input and output, until the input ends or a signal comes.
///
/// # Errors
///
/// When the input is not the protocol, or the streams fail.
pub(super) async fn run(cache_dir: PathBuf) -> Result<(), CommandError> {
    let no_signals = |error| CommandError::failed("cannot take over signals", error);
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    tokio::select! {
        ended = serve(cache_dir) => ended,
        _told = terminate.recv() => Ok(()),
        _told = interrupt.recv() => Ok(()),
    }
}

async fn serve(cache_dir: PathBuf) -> Result<(), CommandError> {
    let (input, output) = stdio_pipes();
    let transport = AsyncRwTransport::new_server(input, output).with_max_line_length(MESSAGE_BYTES_MAX);
    // What the client wrote is not repeated: it may be anything.
    let no_start = |why: &str| CommandError::failed("cannot speak the Model Context Protocol", why);
    let running = match Server::new(cache_dir).serve(transport).await {
        Ok(running) => running,
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => return Ok(()),
        Err(ServerInitializeError::ExpectedInitializeRequest(_)) => {
            return Err(no_start("the client's first message is no `initialize`"));
        }
        Err(_other) => {
            return Err(no_start("the client went away, or asks for what this server cannot give"));
        }
    };
    match running.waiting().await {
        Ok(QuitReason::JoinError(error)) | Err(error) => {
            Err(CommandError::failed("the server ended by a fault of its own", error))
        }
        Ok(_input_ended) => Ok(()),
    }
}

/// Longest message of the client, in bytes, with the headers of an answer in it. A longer one is not read, so it has no
/// answer, and the next one is.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
