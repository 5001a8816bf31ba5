//! The `fleet-cache` command: a daemon with HTTP doors in front of the cache, and the commands that talk to it.
//!
//! Owns settings, doors and what is printed. Everything about caching is the library's, `fleet_cache`;
//! everything about GitHub is `cache_origin_github`'s.
//!
//! [`run`] is the whole program.

#![forbid(unsafe_code)]

mod admin;
mod arguments;
mod ca;
mod command;
mod daemon;
mod door;
mod exit;
mod output;
mod settings;
mod socket;

use arguments::{Invocation, Order};
use daemon::{Hangups, Reading};
use exit::{CommandError, chain};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::{env, ffi::OsString, io, process::ExitCode, sync::Arc};
use tokio::runtime::{Builder, Runtime};
use tracing::warn;

/// Does what the command line says, and returns how it ended.
///
/// Takes over SIGTERM and SIGINT and the process's log when it serves, so a process calls it once.
pub fn run() -> ExitCode {
    match perform() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fleet-cache: {}", chain(&error));
            error.exit_code()
        }
    }
}

fn perform() -> Result<(), CommandError> {
    let variable = |name: &str| env::var_os(name);
    // Before anything else: from here on SIGHUP does not end a daemon, however long its start takes.
    let host =
        if env::args_os().nth(1).is_some_and(|name| name == "serve") { Some(Host::new()?) } else { None };
    let invocation = read_invocation()?;
    let Invocation { order, given, defaults } = invocation;
    match order {
        Order::Daemon(order) => {
            let cache_dir = settings::cache_dir(&given, &defaults)?;
            one_thread()?.block_on(order.perform(&cache_dir, &variable, &mut io::stdout()))
        }
        Order::Local(order) => {
            let runtime = if order.wants_threads() { threads() } else { one_thread() }?;
            let ended = runtime.block_on(order.perform(
                (&given, &defaults),
                &variable,
                &mut io::stdin(),
                &mut io::stdout(),
            ));
            // A thread may be reading standard input, which nothing ends: the process ends without it.
            runtime.shutdown_background();
            ended
        }
        Order::Serve => {
            refuse_key_log(&variable)?;
            serve(host.map_or_else(Host::new, Ok)?, Reading::of(&given, &defaults)?)
        }
    }
}

/// What a daemon runs on.
struct Host {
    runtime: Runtime,
    hangups: Hangups,
}

impl Host {
    fn new() -> Result<Self, CommandError> {
        let runtime = threads()?;
        let hangups = {
            let _entered = runtime.enter();
            Hangups::take_over().map_err(|error| CommandError::failed("cannot take over SIGHUP", error))?
        };
        Ok(Self { runtime, hangups })
    }
}

/// Refuses to serve where what members say to one another could be read from a file.
fn refuse_key_log(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<(), CommandError> {
    if variable(KEY_LOG_VARIABLE).is_none_or(|path| path.is_empty()) {
        return Ok(());
    }
    let text = "SSLKEYLOGFILE is set, so TLS libraries would write the keys of every session to that file; \
                unset it to start the daemon";
    Err(CommandError::Usage(text.into()))
}

fn serve(host: Host, reading: Reading) -> Result<(), CommandError> {
    let (logging, _written_when_dropped) = daemon::start_logging(&reading.settings.log)
        .map_err(|error| CommandError::failed("cannot start to log", error))?;
    raise_descriptor_limit();
    let read_again = Arc::new(|| {
        let Invocation { given, defaults, .. } = read_invocation()?;
        Reading::of(&given, &defaults)
    });
    let Host { runtime, hangups } = host;
    let ended = runtime.block_on(daemon::run(reading, hangups, (logging, read_again)));
    // A thread may be reading a settings file for ever: the process ends without it.
    runtime.shutdown_background();
    ended
}

/// Takes as many file descriptors as the system lets this process have. Many systems begin with 1,024 for programs that
/// use the oldest way to wait for them, and a door may have as many connections as that.
fn raise_descriptor_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_soft, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        warn!(%error, "cannot raise the limit of open files");
    }
}

fn read_invocation() -> Result<Invocation, CommandError> {
    let names = env::vars_os().map(|(name, _value)| name);
    Invocation::read(env::args_os(), &|name| env::var_os(name), names)
}

fn one_thread() -> Result<Runtime, CommandError> {
    runtime(Builder::new_current_thread())
}

fn threads() -> Result<Runtime, CommandError> {
    runtime(Builder::new_multi_thread())
}

fn runtime(mut builder: Builder) -> Result<Runtime, CommandError> {
    builder.enable_all().build().map_err(|error| CommandError::failed("cannot start the runtime", error))
}

/// Names a file to which TLS libraries write session keys when it is set.
const KEY_LOG_VARIABLE: &str = "SSLKEYLOGFILE";
