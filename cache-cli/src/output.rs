//! What commands print, and in which form.

use crate::exit::CommandError;
use serde_json::Value;
use std::io::{self, Write};

/// The reader that output is meant for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rendering {
    /// Output for programs, as JSON.
    Json,
    /// Output for people, as text or a table.
    Text,
}

/// Whether the output still has a reader.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reader {
    /// The reader has gone: it has seen enough.
    Gone,
    /// The reader is there, as far as is known.
    There,
}

/// Writes `value` for programs.
///
/// # Errors
///
/// See [`write`].
pub(crate) fn print_json(out: &mut impl Write, value: &Value) -> Result<(), CommandError> {
    print(out, &format!("{value:#}\n"))
}

/// Writes `text`, and takes a reader that has seen enough for a success.
///
/// # Errors
///
/// See [`write`].
pub(crate) fn print(out: &mut impl Write, text: &str) -> Result<(), CommandError> {
    write(out, text.as_bytes()).map(|_reader| ())
}

/// Writes `bytes`, and tells whether more is wanted.
///
/// # Errors
///
/// When they cannot be written.
pub(crate) fn write(out: &mut impl Write, bytes: &[u8]) -> Result<Reader, CommandError> {
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(CommandError::failed("cannot write the output", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct GoneReader;

    impl Write for GoneReader {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_error() {
        assert_eq!(write(&mut GoneReader, b"page").unwrap(), Reader::Gone);
        let mut page = Vec::new();
        assert_eq!(write(&mut page, b"page").unwrap(), Reader::There);
        assert_eq!(page, b"page");
    }
}
