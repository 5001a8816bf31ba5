//! The command `config --check`: whether a daemon would start with what is given.

use crate::{
    daemon,
    exit::CommandError,
    output::{Rendering, print, print_json},
    settings::{Defaults, Given, Report, SecretReport, Settings},
};
use serde_json::json;
use std::io::Write;

/// Reads all settings as `serve` would, and writes them, where each came from, and what to know about them.
///
/// Opens no port, no socket and no cache directory, so what only the start can show, such as a port in use, stays to be
/// seen.
///
/// # Errors
///
/// [`CommandError::Usage`] with every fault, one a line.
pub(crate) async fn perform(
    rendering: Rendering,
    given: &Given,
    defaults: &Defaults,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let mut settings = Settings::resolve(given, defaults)?;
    daemon::check(&settings).await?;
    settings.find_secret().await;
    let secret = settings.fleet.secret.found().map(SecretReport::of);
    let report = Report::new(given, defaults).with_secret(secret);
    match rendering {
        Rendering::Json => print_json(out, &json!({ "settings": report, "warnings": settings.warnings })),
        Rendering::Text => {
            let warnings: String =
                settings.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
            print(out, &format!("{report}{warnings}the settings are good\n"))
        }
    }
}
