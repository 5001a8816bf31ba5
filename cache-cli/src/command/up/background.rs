//! The daemon as a process of its own, which outlives the command and its terminal.

use crate::{
    admin::Admin,
    exit::CommandError,
    settings::{DEFINITIONS, Given, Shape, Shown, Source},
};
use serde_json::Value;
use std::{
    env,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::{fs::OpenOptionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How `serve` is called: with the flags that were `given`, and `more`; the environment and the file it reads by itself.
#[derive(Debug)]
pub(super) struct Call {
    arguments: Vec<OsString>,
    /// What grants access. Every user of the machine can read the arguments of a process, for as long as that runs.
    variables: Vec<(&'static str, String)>,
}

pub(super) fn call(given: &Given, config: Option<&str>, more: &[(&str, &Path)]) -> Call {
    let mut variables = Vec::new();
    let mut arguments = vec![OsString::from("serve")];
    arguments.extend(config.map(|path| format!("--config={path}").into()));
    for definition in DEFINITIONS {
        let Some(value) = given.value(definition).filter(|value| matches!(value.source, Source::Flag(_)))
        else {
            continue;
        };
        // Several are told apart by commas in a variable, so one of several with a comma cannot stand there.
        let is_told_apart =
            matches!(definition.shape, Shape::One(_)) || value.texts.iter().all(|text| !text.contains(','));
        if let (Shown::Redacted, [variable, ..], true) =
            (definition.shown, definition.variables, is_told_apart)
        {
            variables.push((*variable, value.texts.join(",")));
            continue;
        }
        let flag = definition.flag();
        match definition.shape {
            Shape::Enabled | Shape::Disabled(_) => arguments.push(format!("--{flag}").into()),
            Shape::Many(_) | Shape::One(_) => {
                arguments.extend(value.texts.iter().map(|text| format!("--{flag}={text}").into()));
            }
        }
    }
    for (name, path) in more {
        let mut argument = OsString::from(format!("--{name}="));
        argument.push(path);
        arguments.push(argument);
    }
    Call { arguments, variables }
}

/// Starts the daemon, and waits until it answers. Returns what it tells of itself.
///
/// # Errors
///
/// When it ends before that, with its own exit code, or takes longer than [`READY_MAX`]; it is ended then.
pub(super) async fn start(cache_dir: &Path, call: &Call) -> Result<Value, CommandError> {
    let failed = |error: io::Error| CommandError::failed("cannot start the daemon", error);
    let log = log_path(cache_dir);
    let output = open_log(&log).map_err(failed)?;
    let mut command = Command::new(env::current_exe().map_err(failed)?);
    command.args(&call.arguments).envs(call.variables.iter().cloned()).stdin(Stdio::null());
    command.stdout(output.try_clone().map_err(failed)?).stderr(output);
    // Not of the terminal's foreground, so that neither Ctrl-C nor its end reaches the daemon.
    let mut daemon = command.process_group(0).spawn().map_err(failed)?;
    let ready = until_ready(cache_dir, &mut daemon).await;
    if ready.is_err() {
        // It has ended already, or is to.
        let _ended = daemon.kill();
        let _reaped = daemon.wait();
    }
    ready
}

async fn until_ready(cache_dir: &Path, daemon: &mut Child) -> Result<Value, CommandError> {
    let end = Instant::now() + READY_MAX;
    loop {
        if let Ok(Some(status)) = daemon.try_wait() {
            let said = last_words(&log_path(cache_dir));
            let cause = format!("the daemon ended at its start with {status}; it said:\n{said}");
            let exit_code = status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0);
            return Err(CommandError::Diagnosed { cause, exit_code: exit_code.unwrap_or(1) });
        }
        // Another daemon may answer, while this one is about to find that the directory is in use.
        if let Some(stats) = told(cache_dir).await
            && stats["pid"] == daemon.id()
        {
            return Ok(stats);
        }
        if Instant::now() >= end {
            let log = log_path(cache_dir);
            let cause = format!("the daemon does not answer after {READY_MAX:?}; see {}", log.display());
            return Err(CommandError::Diagnosed { cause, exit_code: 1 });
        }
        sleep(LOOK_INTERVAL).await;
    }
}

/// What a daemon that runs with `cache_dir` tells of itself; `None` if none answers.
pub(super) async fn told(cache_dir: &Path) -> Option<Value> {
    Admin::connect(cache_dir).await.ok()?.show("/stats").await.ok()
}

/// Tells the daemon of `cache_dir` to stop, and waits until it has. Returns whether one ran.
///
/// # Errors
///
/// When it cannot be told, or runs on for longer than [`STOP_MAX`].
pub(super) async fn stop(cache_dir: &Path) -> Result<bool, CommandError> {
    use nix::{
        sys::signal::{Signal, kill},
        unistd::Pid,
    };
    let Some(pid) = told(cache_dir).await.and_then(|stats| stats["pid"].as_i64()) else { return Ok(false) };
    let pid = i32::try_from(pid).map(Pid::from_raw).expect("a process has a number that fits");
    let failed = |reason: String| CommandError::failed(format!("cannot stop the daemon, pid {pid}"), reason);
    kill(pid, Signal::SIGTERM).map_err(|error| failed(error.to_string()))?;
    let end = Instant::now() + STOP_MAX;
    while kill(pid, None).is_ok() {
        if Instant::now() >= end {
            return Err(failed(format!("it was told to, and runs on after {STOP_MAX:?}")));
        }
        sleep(LOOK_INTERVAL).await;
    }
    Ok(true)
}

pub(super) fn log_path(cache_dir: &Path) -> PathBuf {
    cache_dir.join("daemon.log")
}

/// The log, for its owner alone. What earlier daemons wrote is kept, unless it has become too much.
fn open_log(path: &Path) -> io::Result<File> {
    let is_long = fs::metadata(path).is_ok_and(|found| found.len() > LOG_BYTES_MAX);
    if is_long {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// The end of what is in the log.
fn last_words(log: &Path) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LAST_WORDS_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(LAST_WORDS_BYTES).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        Ok(lines[lines.len().saturating_sub(LAST_LINES)..].join("\n"))
    };
    read().unwrap_or_else(|error| format!("({} cannot be read: {error})", log.display()))
}

/// Time for a daemon to start: it may have a large store to look through.
const READY_MAX: Duration = Duration::from_secs(60);

/// Time for a daemon to stop: the longest `drain` that is sensible, and its last writes.
const STOP_MAX: Duration = Duration::from_secs(60);

const LOOK_INTERVAL: Duration = Duration::from_millis(25);

/// Longest log before a new one begins; one old one is kept.
const LOG_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How much of the log is shown when a daemon does not start.
const LAST_WORDS_BYTES: u64 = 4096;
const LAST_LINES: usize = 5;
