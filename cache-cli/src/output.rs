//! What commands print, and for whom.

use crate::exit::CommandError;
use serde_json::Value;
use std::io::{self, Write};

/// For whom output is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rendering {
    /// For programs.
    Json,
    /// For people.
    Text,
}

/// Writes `value` for programs.
///
/// # Errors
///
/// See [`print_bytes`].
pub(crate) fn print_json(out: &mut impl Write, value: &Value) -> Result<(), CommandError> {
    print(out, &format!("{value:#}\n"))
}

/// Writes `text`.
///
/// # Errors
///
/// See [`print_bytes`].
pub(crate) fn print(out: &mut impl Write, text: &str) -> Result<(), CommandError> {
    print_bytes(out, text.as_bytes())
}

/// Writes `bytes`, and takes a reader that has seen enough for a success.
///
/// # Errors
///
/// When they cannot be written.
pub(crate) fn print_bytes(out: &mut impl Write, bytes: &[u8]) -> Result<(), CommandError> {
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CommandError::failed("cannot write the output", error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
