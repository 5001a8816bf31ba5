//! The command `run`: any program, with its HTTPS requests sent through a running daemon.

use super::surroundings::Surroundings;
use crate::exit::CommandError;
use std::{convert::Infallible, ffi::OsString, io, os::unix::process::CommandExt as _, process::Command};

/// Becomes `command`, in `surroundings`: its process is this one, so signals, the terminal and the exit code are its own.
///
/// # Errors
///
/// When the program cannot be started: [`CommandError::Unstarted`], by which shells tell why.
pub(crate) fn become_it(
    command: &[OsString],
    surroundings: Surroundings,
) -> Result<Infallible, CommandError> {
    let (program, arguments) = command.split_first().expect("the command line has one");
    let error = Command::new(program).args(arguments).envs(surroundings.0).exec();
    Err(CommandError::Unstarted {
        program: program.to_string_lossy().into_owned(),
        exit_code: if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE },
        error,
    })
}

/// What shells end with where there is no such program.
const NOT_FOUND: u8 = 127;
/// What shells end with where a program cannot be started.
const NOT_EXECUTABLE: u8 = 126;
