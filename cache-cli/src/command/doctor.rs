//! `fleet-cache doctor`: whether sharing works, and if not, what is in the way and what to do.
//!
//! The daemon examines itself, since only it has the connections; this shows what it found.

use crate::{
    admin::{Admin, Cause, Check, Examination},
    exit::CommandError,
    output::{Rendering, print, print_json},
};
use serde_json::json;
use std::{io::Write, path::Path};

/// Has the daemon of `cache_dir` examined, and writes what was found to `out`.
///
/// # Errors
///
/// [`CommandError::Diagnosed`] with the first cause that was found, such as [`CommandError::NotRunning`] if there is
/// no daemon; what was found is written all the same.
pub(crate) async fn run(
    rendering: Rendering,
    cache_dir: &Path,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let answer = match Admin::connect(cache_dir).await {
        Ok(mut admin) => admin.order("/doctor", &json!({})).await,
        Err(error) => Err(error),
    };
    let (examination, unreached) = match answer {
        Ok(examination) => (examination, None),
        Err(error) => {
            let check = Check::failed("daemon", Cause::NotRunning, error.to_string(), START_REMEDY);
            (Examination::of(vec![check]), Some(error))
        }
    };
    match rendering {
        Rendering::Json => print_json(out, &json!(examination))?,
        Rendering::Text => print(out, &examination.to_string())?,
    }
    match (unreached, examination.cause()) {
        (Some(error), _) => Err(error),
        (None, Some(cause)) => Err(cause.into()),
        (None, None) => Ok(()),
    }
}

const START_REMEDY: &str =
    "start it with `fleet-cache serve`, or name the directory of the one that runs with --cache-dir";
