//! The command `secret`: make what a fleet has in common, and compare it without showing it.

use crate::{
    exit::CommandError,
    output::{Rendering, print, print_json},
    settings::{self, Defaults, Given, REMEDY, SecretReport},
};
use fleet_cache::FleetSecret;
use serde_json::json;
use std::io::{Read, Write};

/// What to do about secrets.
pub(crate) enum SecretOrder {
    /// Tell how to recognise the secret that the settings find.
    Fingerprint(Rendering),
    /// Tell how to recognise the secret on standard input.
    FingerprintOfInput(Rendering),
    /// Make a new one.
    Generate(Rendering),
}

/// Carries out `order` and writes the result to `out`; warnings go to standard error.
///
/// # Errors
///
/// When there is no secret to show, it cannot be used, or the system gives no entropy for a new one.
pub(crate) async fn perform(
    order: SecretOrder,
    given: &Given,
    defaults: &Defaults,
    input: &mut impl Read,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    match order {
        SecretOrder::Fingerprint(rendering) => {
            let mut search = settings::fleet_secret(given, defaults)?;
            for warning in search.finish().await {
                eprintln!("fleet-cache: {warning}");
            }
            let found = search
                .found()
                .ok_or_else(|| CommandError::Usage(format!("there is no fleet secret; {REMEDY}").into()))?;
            tell(&SecretReport::of(found), rendering, out)
        }
        SecretOrder::FingerprintOfInput(rendering) => {
            let secret = settings::from_input(input).map_err(|problem| {
                CommandError::Usage(format!("the secret on standard input {problem}").into())
            })?;
            tell(&SecretReport::of(&secret), rendering, out)
        }
        SecretOrder::Generate(rendering) => generate(rendering, out),
    }
}

fn tell(report: &SecretReport, rendering: Rendering, out: &mut impl Write) -> Result<(), CommandError> {
    match rendering {
        Rendering::Json => print_json(out, &json!(report)),
        Rendering::Text => print(out, &format!("{report}\n")),
    }
}

fn generate(rendering: Rendering, out: &mut impl Write) -> Result<(), CommandError> {
    let failed = |error| CommandError::failed("the operating system gives no entropy", error);
    let secret = FleetSecret::generate().map_err(failed)?;
    let text = secret.to_text().expect("a generated secret has a text form");
    match rendering {
        Rendering::Json => print_json(out, &json!({ "secret": *text, "fingerprint": secret.fingerprint() })),
        Rendering::Text => print(out, &format!("{}\n", *text)),
    }
}
