//! Where the access log goes.

use super::Problem;
use std::{fmt, path::PathBuf, str::FromStr};

/// The place where lines go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum AccessLogTarget {
    /// To the end of a file, which is made if need be, readable to its owner alone.
    File(PathBuf),
    /// Lines go to standard output.
    Output,
}

impl FromStr for AccessLogTarget {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        match text {
            "-" => Ok(Self::Output),
            path => super::path(path).map(Self::File),
        }
    }
}

impl fmt::Display for AccessLogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{path:?}"),
            Self::Output => f.write_str("-"),
        }
    }
}
