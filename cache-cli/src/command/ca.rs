//! The command `ca`: the certificate authority by which clients trust an intercepting door.

use crate::{
    ca::{CaError, CaFiles, CertificateAuthority, HostNames, time_of_day},
    daemon::InstanceLock,
    exit::CommandError,
    output::{Rendering, print, print_json},
};
use serde_json::json;
use std::{
    io::Write,
    path::Path,
    time::{Duration, SystemTime},
};

/// What to do with the certificate authority of a cache directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CaOrder {
    /// Tell the path of its certificate.
    Path(Rendering),
    /// Delete its files, after which no client should trust it.
    Remove(Rendering),
    /// Make a new one in its place.
    Renew(Rendering),
    /// Tell what its certificate says.
    Show(Rendering),
}

/// Carries out `order` for the daemon of `cache_dir`.
///
/// # Errors
///
/// When there is none where one is needed, its files cannot be used, or a daemon uses it that would have to let go.
pub(crate) fn perform(order: CaOrder, cache_dir: &Path, out: &mut impl Write) -> Result<(), CommandError> {
    let files = CaFiles::of(cache_dir);
    match order {
        CaOrder::Path(rendering) => {
            let path = files.certificate();
            read(&files, cache_dir)?;
            match rendering {
                Rendering::Json => print_json(out, &json!({ "path": path })),
                Rendering::Text => print(out, &format!("{}\n", path.display())),
            }
        }
        CaOrder::Show(rendering) => show(&read(&files, cache_dir)?, &files, rendering, out),
        CaOrder::Renew(rendering) => {
            let _alone = InstanceLock::acquire(cache_dir, None)?;
            // A daemon that starts for other hosts makes another.
            let hosts = match files.read() {
                Ok(Some(authority)) => authority.facts().hosts().iter().cloned().collect(),
                // What cannot be read is replaced, or the failure to write says why not.
                Ok(None) | Err(_) => HostNames::from(["api.github.com".to_owned()]),
            };
            let authority = files.renew(&hosts, time_of_day()).map_err(failed)?;
            show(&authority, &files, rendering, out)
        }
        CaOrder::Remove(rendering) => {
            let _alone = InstanceLock::acquire(cache_dir, None)?;
            let was = files.remove().map_err(failed)?;
            let said = if was {
                "removed; take it out of every store of trusted certificates too"
            } else {
                "there was none"
            };
            match rendering {
                Rendering::Json => print_json(out, &json!({ "removed": was })),
                Rendering::Text => print(out, &format!("{said}\n")),
            }
        }
    }
}

/// The certificate authority of `cache_dir`.
///
/// # Errors
///
/// When there is none, or it cannot be used.
pub(super) fn read(files: &CaFiles, cache_dir: &Path) -> Result<CertificateAuthority, CommandError> {
    files.read().map_err(failed)?.ok_or_else(|| {
        let text = format!(
            "there is no certificate authority in {}: the first `fleet-cache serve --intercept` makes it",
            cache_dir.display()
        );
        CommandError::Usage(text.into())
    })
}

fn show(
    authority: &CertificateAuthority,
    files: &CaFiles,
    rendering: Rendering,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let (facts, path) = (authority.facts(), files.certificate());
    if rendering == Rendering::Json {
        return print_json(
            out,
            &json!({
                "path": path,
                "hosts": facts.hosts(),
                "from": facts.begins(),
                "until": facts.ends(),
                "sha256": facts.fingerprint(),
            }),
        );
    }
    let date = |seconds| httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    let text = format!(
        "certificate  {}\nhosts        {}\nfrom         {}\nuntil        {}\nsha256       {}\n",
        path.display(),
        facts.hosts().join(", "),
        date(facts.begins()),
        date(facts.ends()),
        facts.fingerprint()
    );
    print(out, &text)
}

fn failed(error: CaError) -> CommandError {
    CommandError::failed("the certificate authority cannot be used", error)
}
