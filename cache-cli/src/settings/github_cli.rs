//! GitHub's own command line, asked for the credential of the user that is logged in.

use super::{Problem, Secret, value};
use std::{
    env,
    ffi::OsStr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{io::AsyncReadExt, process::Command, time::timeout};

/// Where `gh` is, if one of the directories of `search_path` has it. Relative ones are not looked at: what
/// they hold depends on where one stands.
pub(super) fn find(search_path: &OsStr) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| {
        path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let directories = env::split_paths(search_path).filter(|directory| directory.is_absolute());
    directories.map(|directory| directory.join(PROGRAM)).find(is_program)
}

/// What `program auth token` prints.
///
/// Nothing is asked of the user, and nothing of what it writes to standard error is repeated.
///
/// # Errors
///
/// When it fails, prints no token, or takes longer than [`TIME_MAX`].
///
/// # Cancellation
///
/// Dropping the future ends the process.
pub(super) async fn token(program: &Path) -> Result<Secret, Problem> {
    token_within(program, TIME_MAX).await
}

async fn token_within(program: &Path, time_max: Duration) -> Result<Secret, Problem> {
    let mut child = Command::new(program)
        .args(["auth", "token"])
        .env("GH_PROMPT_DISABLED", "1")
        .env("GH_NO_UPDATE_NOTIFIER", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("it cannot be run: {error}"))?;
    let stdout = child.stdout.take().expect("it was asked to be piped");
    let printed = async {
        let mut text = zeroize::Zeroizing::new(Vec::with_capacity(OUTPUT_BYTES_MAX));
        stdout.take(OUTPUT_BYTES_MAX as u64).read_to_end(&mut text).await?;
        let status = child.wait().await?;
        std::io::Result::Ok((text, status))
    };
    let (text, status) = timeout(time_max, printed)
        .await
        .map_err(|_elapsed| format!("it took longer than {time_max:?}"))?
        .map_err(|error| format!("it cannot be read: {error}"))?;
    if !status.success() {
        return Err(format!("it ended with {status}; `gh auth login` may be missing"));
    }
    let text = std::str::from_utf8(&text).map_err(|_error| "it printed no text".to_owned())?;
    value::secret(text).map_err(|_empty| "it printed nothing".to_owned())
}

const PROGRAM: &str = "gh";
/// Longest wait for the command line: it reads a file or asks the system's keyring, which may be locked.
const TIME_MAX: Duration = Duration::from_secs(5);
/// Most that is read of what it prints, in bytes: several times the longest token.
const OUTPUT_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, time::Instant};

    /// A directory with a `gh` that does what `script` says.
    fn directory(script: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(PROGRAM);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        directory
    }

    async fn printed(script: &str, time_max: Duration) -> Result<String, Problem> {
        let directory = directory(script);
        let program = find(directory.path().as_os_str()).unwrap();
        token_within(&program, time_max).await.map(|token| token.expose().to_owned())
    }

    #[tokio::test]
    async fn the_token_is_what_is_printed_for_auth_token() {
        let script = r#"[ "$1 $2" = "auth token" ] && [ -z "$(cat)" ] && echo gho_x"#;
        assert_eq!(printed(script, TIME_MAX).await.as_deref(), Ok("gho_x"));
    }

    #[tokio::test]
    async fn a_failure_is_told_without_what_was_printed() {
        let refused = printed("echo hunter2; echo hunter2 >&2; exit 4", TIME_MAX).await.unwrap_err();
        assert!(refused.contains("exit status: 4") && !refused.contains("hunter2"), "{refused}");
        assert!(printed("true", TIME_MAX).await.unwrap_err().contains("printed nothing"));
    }

    #[tokio::test]
    async fn one_that_hangs_is_given_up_and_ended() {
        let started = Instant::now();
        let pid_file = tempfile::NamedTempFile::new().unwrap();
        let script = format!("echo $$ > {}; exec cat /dev/zero > /dev/null", pid_file.path().display());
        let refused = printed(&script, Duration::from_millis(300)).await.unwrap_err();
        assert!(refused.contains("took longer"), "{refused}");
        assert!(started.elapsed() < Duration::from_secs(5));
        let pid = fs::read_to_string(pid_file.path()).unwrap();
        let process = PathBuf::from("/proc").join(pid.trim());
        let gone = async {
            while fs::read_to_string(process.join("stat")).is_ok_and(|stat| !stat.contains(") Z")) {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(5), gone).await.unwrap();
    }

    #[tokio::test]
    async fn one_that_prints_without_end_is_not_read_without_end() {
        let refused = printed("exec cat /dev/zero", TIME_MAX).await.unwrap_err();
        assert!(refused.contains("ended with") || refused.contains("took longer"), "{refused}");
    }

    #[test]
    fn only_programs_in_absolute_directories_are_found() {
        let directory = directory("true");
        let path = directory.path().as_os_str();
        assert_eq!(find(path), Some(directory.path().join(PROGRAM)));
        assert_eq!(find(OsStr::new("")), None);
        assert_eq!(find(OsStr::new(".:relative:/nonexistent")), None);
        fs::set_permissions(directory.path().join(PROGRAM), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(find(path), None);
    }
}
