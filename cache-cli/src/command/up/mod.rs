//! The commands `up`, `down` and `status`: a daemon for this user, with gh led to it, and everything back as it was.

mod background;
mod gh;
mod journal;

use crate::{
    daemon,
    exit::CommandError,
    output::{Rendering, print, print_json},
    settings::{Defaults, Given, Settings},
    socket,
};
use fleet_cache::FleetSecret;
use gh::{Gh, Undone};
use journal::Journal;
use serde_json::{Value, json};
use std::{
    ffi::OsString,
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// What `up` was asked for, besides settings.
#[derive(Clone, Debug)]
pub(crate) struct UpWishes {
    /// The settings file that was named.
    pub(crate) config: Option<String>,
    /// Whether gh's settings stay as they are.
    pub(crate) leaves_gh: bool,
    /// How to tell of it.
    pub(crate) rendering: Rendering,
}

/// The user, as far as these commands need it.
pub(crate) struct User<'a> {
    /// What the machine implies.
    pub(crate) defaults: &'a Defaults,
    /// What the environment holds under a name.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<OsString>,
}

impl User<'_> {
    fn gh(&self) -> Option<Gh> {
        Gh::new(self.defaults.github_cli.clone()?, self.variable)
    }
}

/// Starts a daemon unless one runs, and leads gh to it.
///
/// # Errors
///
/// When the settings do not fit, the daemon does not start, or gh cannot be led to it. What `down` undoes is noted by then.
pub(crate) async fn up(
    given: &Given,
    user: &User<'_>,
    wishes: &UpWishes,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let settings = Settings::resolve(given, user.defaults)?;
    daemon::check(&settings).await?;
    let cache_dir = settings.cache_dir.clone();
    make_private(&cache_dir)?;
    let mut journal = Journal::load(&cache_dir)?.unwrap_or_default();
    let running = background::told(&cache_dir).await;
    let is_new = running.is_none();
    let stats = match running {
        Some(stats) => stats,
        None => {
            let own_door = cache_dir.join("api.sock");
            let mut more = Vec::new();
            if settings.unix.is_none() {
                more.push(("unix", own_door.as_path()));
            }
            let own_secret = secret_path(&cache_dir);
            if settings.fleet.enabled && settings.fleet.secret.found().is_none() {
                keep_secret(&own_secret)?;
                more.push(("shared-secret-file", own_secret.as_path()));
            }
            journal.has_started = true;
            journal.save(&cache_dir)?;
            let call = background::call(given, wishes.config.as_deref(), &more);
            background::start(&cache_dir, &call).await?
        }
    };
    let door = door_of(&stats);
    let gh = match (user.gh().filter(|_| !wishes.leaves_gh), &door) {
        (Some(gh), Some(door)) => Some(lead(&gh, door, &cache_dir, &mut journal).await?),
        (_none, _door) => None,
    };
    let led = gh.is_some();
    let shown = json!({
        "pid": stats["pid"], "started": is_new, "doors": stats["doors"], "cache_dir": cache_dir, "gh": led,
        "secret_file": Some(secret_path(&cache_dir)).filter(|path| path.exists()),
        "addresses": stats["addresses"],
    });
    match wishes.rendering {
        Rendering::Json => print_json(out, &shown),
        Rendering::Text => {
            let note = if led {
                "gh asks it from now on"
            } else if wishes.leaves_gh {
                "gh was left as it is"
            } else if door.is_none() {
                "gh was left as it is: the daemon that runs has no unix socket; start it with --unix PATH"
            } else {
                "gh is not installed; run this again when it is"
            };
            print(out, &told(&stats, is_new, note, &cache_dir))
        }
    }
}

/// Puts everything back as it was before `up`.
///
/// # Errors
///
/// When gh's settings cannot be written, or the daemon does not stop. What is left to undo stays noted.
pub(crate) async fn down(
    cache_dir: &Path,
    user: &User<'_>,
    rendering: Rendering,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let Some(mut journal) = Journal::load(cache_dir)? else {
        let text = format!(
            "nothing to undo: `fleet-cache up` has not been run with the cache directory {}\n",
            cache_dir.display()
        );
        return match rendering {
            Rendering::Json => print_json(out, &json!({ "stopped": false, "gh": null })),
            Rendering::Text => print(out, &text),
        };
    };
    let mut lines = String::new();
    let mut gh = Value::Null;
    if let Some(change) = &journal.gh {
        let program = user.gh().ok_or_else(|| {
            let text = format!(
                "gh is not found any more, so {} stays; remove http_unix_socket from it",
                change.file.display()
            );
            CommandError::failed("cannot undo the change of gh's settings", text)
        })?;
        let (word, line) = match program.undo(change).await? {
            Undone::AsBefore => ("as-before", "gh's settings are as they were"),
            Undone::SettingAlone => {
                ("setting-alone", "gh's settings were changed since, so http_unix_socket alone was set back")
            }
            Undone::LeadsElsewhere => ("elsewhere", "gh is led elsewhere by now, and was left as it is"),
        };
        gh = word.into();
        lines.push_str(line);
        lines.push('\n');
        journal.gh = None;
        journal.save(cache_dir)?;
    }
    let has_stopped = journal.has_started && background::stop(cache_dir).await?;
    Journal::remove(cache_dir)?;
    lines.push_str(match (journal.has_started, has_stopped) {
        (true, true) => "the daemon has stopped\n",
        (true, false) => "the daemon had stopped already\n",
        (false, _) => "the daemon was not started by `up`, and runs on\n",
    });
    lines.push_str(&format!(
        "what was cached, the log and the secret stay in {}; remove that to forget them\n",
        cache_dir.display()
    ));
    match rendering {
        Rendering::Json => print_json(out, &json!({ "stopped": has_stopped, "gh": gh })),
        Rendering::Text => print(out, &lines),
    }
}

/// Tells whether the next call that was made before would be saved.
///
/// # Errors
///
/// [`CommandError::NotRunning`] if no daemon answers; [`CommandError::Diagnosed`] if its door does not, or gh is not led to it.
pub(crate) async fn status(
    cache_dir: &Path,
    user: &User<'_>,
    rendering: Rendering,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let Some(stats) = background::told(cache_dir).await else {
        if rendering == Rendering::Json {
            print_json(out, &json!({ "saves": false, "daemon": null }))?;
        }
        return Err(CommandError::NotRunning { directory: cache_dir.to_owned() });
    };
    let door = door_of(&stats);
    let answers = match &door {
        Some(door) => socket::connect(Path::new(door)).await.is_ok(),
        None => true,
    };
    let socket = match user.gh() {
        Some(gh) => Some(gh.socket().await?),
        None => None,
    };
    let cause = if !answers {
        Some(format!("the daemon runs, and its socket {} does not answer", door.as_deref().unwrap_or("-")))
    } else {
        socket.as_deref().filter(|socket| door.as_deref() != Some(*socket)).map(|socket| {
            let where_to = if socket.is_empty() { "to GitHub itself" } else { socket };
            format!("the daemon runs, but gh is led {where_to}; `fleet-cache up` leads it to the daemon")
        })
    };
    match rendering {
        Rendering::Json => print_json(
            out,
            &json!({
                "saves": cause.is_none(), "gh_socket": socket,
                "daemon": { "pid": stats["pid"], "doors": stats["doors"], "peers": stats["connected_peers"] },
            }),
        )?,
        Rendering::Text => print(out, &state(&stats, socket.as_deref(), cause.is_none()))?,
    }
    match cause {
        Some(cause) => Err(CommandError::Diagnosed { cause, exit_code: NOT_LED }),
        None => Ok(()),
    }
}

/// Leads gh to `door`, and notes how to undo that, before and after.
async fn lead(gh: &Gh, door: &str, cache_dir: &Path, journal: &mut Journal) -> Result<(), CommandError> {
    if gh.socket().await? == door {
        return Ok(());
    }
    let mut change = gh.change_to(door).await?;
    journal.gh = Some(change.clone());
    journal.save(cache_dir)?;
    gh.make(&mut change).await?;
    journal.gh = Some(change);
    journal.save(cache_dir)
}

/// Where the daemon's unix socket is, if it has one.
fn door_of(stats: &Value) -> Option<String> {
    let doors = stats["doors"].as_array()?;
    doors.iter().filter_map(Value::as_str).find_map(|door| door.strip_prefix("unix:")).map(str::to_owned)
}

fn http_door_of(stats: &Value) -> Option<&str> {
    let doors = stats["doors"].as_array()?;
    doors.iter().filter_map(Value::as_str).find(|door| door.starts_with("http://"))
}

fn told(stats: &Value, is_new: bool, gh: &str, cache_dir: &Path) -> String {
    let begun = if is_new { "started" } else { "runs already, with the settings that it was started with" };
    let mut text = format!("the daemon {begun}: pid {}\n{gh}\n", stats["pid"]);
    if let Some(door) = http_door_of(stats) {
        text.push_str(&format!(
            "elsewhere: GITHUB_API_URL={door}, or this as the base address of an SDK, or `curl {door}/user`\n"
        ));
    }
    let secret = secret_path(cache_dir);
    if let Some(address) = stats["addresses"].as_array().and_then(|all| all.first()).and_then(Value::as_str)
        && secret.exists()
    {
        text.push_str(&format!(
            "another machine joins with a copy of {}, by --shared-secret-file, and --bootstrap {address}\n",
            secret.display()
        ));
    }
    text.push_str("`fleet-cache status` says how it does, `fleet-cache down` undoes all this\n");
    text
}

fn state(stats: &Value, socket: Option<&str>, saves: bool) -> String {
    let gh = match socket {
        None => "not installed".to_owned(),
        Some("") => "asks GitHub itself".to_owned(),
        Some(socket) => format!("asks {socket}"),
    };
    let doors: Vec<&str> =
        stats["doors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let peers = stats["connected_peers"].as_u64().unwrap_or_default();
    let saved = if saves { "a call that was made before is saved" } else { "no call of gh's is saved" };
    format!("daemon: pid {}, at {}, {peers} peers\ngh:     {gh}\n{saved}\n", stats["pid"], doors.join(" "))
}

/// The secret that `up` makes where the settings give none.
fn secret_path(cache_dir: &Path) -> PathBuf {
    cache_dir.join("fleet-secret")
}

/// Makes a secret at `path` unless one is there.
fn keep_secret(path: &Path) -> Result<(), CommandError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        CommandError::failed(format!("cannot make a fleet secret at {}", path.display()), error)
    };
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(failed(error.into())),
    };
    let secret = FleetSecret::generate().map_err(|error| failed(error.into()))?;
    let text = secret.to_text().expect("a generated secret has a text");
    let written =
        file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // Half a secret would be taken for a damaged one by the next start.
        let _gone = fs::remove_file(path);
        failed(error.into())
    })
}

fn make_private(cache_dir: &Path) -> Result<(), CommandError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(cache_dir);
    made.map_err(|error| CommandError::failed(format!("cannot make {}", cache_dir.display()), error))
}

/// What the shell is told when a daemon runs and gh does not ask it.
const NOT_LED: u8 = 17;
