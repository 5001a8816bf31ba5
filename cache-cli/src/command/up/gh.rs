//! GitHub's own command line: led to the door, and back.
//!
//! gh itself writes the setting, since only it knows its file's form; this keeps what the file held before.

use super::journal::GhChange;
use crate::exit::CommandError;
use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{process::Command, time::timeout};

/// gh on this machine, for this user.
#[derive(Debug)]
pub(super) struct Gh {
    program: PathBuf,
    file: PathBuf,
}

/// What became of gh's settings when they were to be as before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Undone {
    /// They are as they were, byte for byte.
    AsBefore,
    /// They were changed since, so the setting alone was set back.
    SettingAlone,
    /// The setting leads elsewhere by now, and stays.
    LeadsElsewhere,
}

impl Gh {
    /// The gh that is at `program`, with the settings that `variable` leads to; `None` if no home is known.
    pub(super) fn new(program: PathBuf, variable: &dyn Fn(&str) -> Option<OsString>) -> Option<Self> {
        let set = |name: &str| variable(name).filter(|text| !text.is_empty()).map(PathBuf::from);
        // As gh looks for it: `gh help environment`.
        let directory = set("GH_CONFIG_DIR")
            .or_else(|| Some(set("XDG_CONFIG_HOME")?.join("gh")))
            .or_else(|| Some(set("HOME")?.join(".config/gh")))?;
        Some(Self { program, file: directory.join("config.yml") })
    }

    /// The socket to which gh is led; empty if it is led to none.
    ///
    /// # Errors
    ///
    /// When gh cannot be run.
    pub(super) async fn socket(&self) -> Result<String, CommandError> {
        let (is_done, text) = self.run(&["config", "get", SETTING]).await?;
        // An old gh fails where nothing is set.
        Ok(if is_done { text.trim_end_matches(['\r', '\n']).to_owned() } else { String::new() })
    }

    /// The change that leads gh to `door`, not made yet.
    ///
    /// # Errors
    ///
    /// When gh's settings cannot be read.
    pub(super) async fn change_to(&self, door: &str) -> Result<GhChange, CommandError> {
        Ok(GhChange {
            file: self.file.clone(),
            before: self.contents()?,
            made: missing_above(&self.file),
            former: self.socket().await?,
            door: door.to_owned(),
            after: None,
        })
    }

    /// Makes `change`, and notes what gh has made of its file.
    ///
    /// # Errors
    ///
    /// When gh refuses.
    pub(super) async fn make(&self, change: &mut GhChange) -> Result<(), CommandError> {
        self.set(&change.door).await?;
        change.after = self.contents()?;
        Ok(())
    }

    /// Undoes `change`.
    ///
    /// # Errors
    ///
    /// When the file cannot be written, or gh refuses.
    pub(super) async fn undo(&self, change: &GhChange) -> Result<Undone, CommandError> {
        let now = self.contents()?;
        if now == change.before {
            return Ok(Undone::AsBefore);
        }
        if self.socket().await? != change.door {
            return Ok(Undone::LeadsElsewhere);
        }
        // A change that was not seen to its end was made by nobody else.
        if now == change.after || change.after.is_none() {
            let attempt = || format!("cannot write {} as it was", change.file.display());
            restore(change).map_err(|error| CommandError::failed(attempt(), error))?;
            return Ok(Undone::AsBefore);
        }
        self.set(&change.former).await?;
        Ok(Undone::SettingAlone)
    }

    async fn set(&self, door: &str) -> Result<(), CommandError> {
        match self.run(&["config", "set", SETTING, door]).await? {
            (true, _said) => Ok(()),
            (false, said) => {
                let attempt = format!("`gh config set {SETTING} {door}` failed");
                Err(CommandError::failed(attempt, said.trim().to_owned()))
            }
        }
    }

    /// What gh's settings file holds; `None` if it is not there.
    fn contents(&self) -> Result<Option<String>, CommandError> {
        let unreadable = |error: Box<dyn std::error::Error + Send + Sync>| {
            CommandError::failed(format!("cannot read gh's settings, {}", self.file.display()), error)
        };
        match fs::metadata(&self.file) {
            Ok(found) if found.len() > CONTENTS_BYTES_MAX => Err(unreadable(
                format!("it has {} bytes, the most is {CONTENTS_BYTES_MAX}", found.len()).into(),
            )),
            Ok(_found) => fs::read_to_string(&self.file).map(Some).map_err(|error| unreadable(error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(error.into())),
        }
    }

    /// Runs gh, and returns whether it was content, and what it printed, to its standard error if it was not.
    async fn run(&self, arguments: &[&str]) -> Result<(bool, String), CommandError> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            CommandError::failed(format!("cannot run {}", self.program.display()), error)
        };
        let mut command = Command::new(&self.program);
        command.args(arguments).env("GH_PROMPT_DISABLED", "1").env("GH_NO_UPDATE_NOTIFIER", "1");
        command.stdin(Stdio::null()).kill_on_drop(true);
        let ended = timeout(TIME_MAX, command.output()).await;
        let ended = ended.map_err(|_elapsed| failed(format!("it took longer than {TIME_MAX:?}").into()))?;
        let ended = ended.map_err(|error| failed(error.into()))?;
        let said = if ended.status.success() { ended.stdout } else { ended.stderr };
        Ok((ended.status.success(), String::from_utf8_lossy(&said).into_owned()))
    }
}

/// Makes the file what it was. Its mode, and a link that leads to it, stay.
fn restore(change: &GhChange) -> io::Result<()> {
    let Some(before) = &change.before else {
        fs::remove_file(&change.file)?;
        for directory in &change.made {
            // It stays if somebody has put something else there.
            let _not_empty = fs::remove_dir(directory);
        }
        return Ok(());
    };
    fs::write(&change.file, before)
}

/// The directories above `file` that are not there, the innermost first.
fn missing_above(file: &Path) -> Vec<PathBuf> {
    let above = file.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty());
    above.take_while(|path| !path.exists()).map(Path::to_owned).collect()
}

/// The setting of gh's that leads it to a socket.
const SETTING: &str = "http_unix_socket";

/// Time for gh to read or write its settings.
const TIME_MAX: Duration = Duration::from_secs(10);

/// Longest settings file that is kept: a thousand times what is usual.
const CONTENTS_BYTES_MAX: u64 = 1024 * 1024;
