//! The command `env`: what `run` sets, for a shell or a file to set it.

use super::surroundings::Surroundings;
use crate::{
    exit::CommandError,
    output::{Rendering, print, print_json},
};
use serde_json::{Value, json};
use std::{io::Write, str::FromStr};

/// The language in which the variables are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Syntax {
    /// `fish`.
    Fish,
    /// The file that `GITHUB_ENV` names in a step of GitHub Actions.
    GitHub,
    /// That of PowerShell, on any system.
    PowerShell,
    /// `sh` and all that are like it.
    Sh,
}

impl Syntax {
    /// Their names on the command line.
    pub(crate) const NAMES: [&str; 4] = ["sh", "fish", "powershell", "github"];

    fn line(self, name: &str, value: &str) -> String {
        match self {
            Self::Fish => format!("set -gx {name} '{}'\n", value.replace('\\', "\\\\").replace('\'', "\\'")),
            Self::GitHub => format!("{name}={value}\n"),
            Self::PowerShell => format!("$env:{name} = '{}'\n", value.replace('\'', "''")),
            Self::Sh => format!("export {name}='{}'\n", value.replace('\'', "'\\''")),
        }
    }
}

impl FromStr for Syntax {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Sh, Self::Fish, Self::PowerShell, Self::GitHub];
        let found = Self::NAMES.iter().position(|name| *name == text);
        found.map(|at| all[at]).ok_or("write `sh`, `fish`, `powershell` or `github`")
    }
}

/// Writes what sets `surroundings`.
///
/// # Errors
///
/// When a value cannot be written for `shell`, or the output cannot be written.
pub(crate) fn show(
    surroundings: &Surroundings,
    shell: Syntax,
    rendering: Rendering,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let all = &surroundings.0;
    if let Some((name, _value)) = all.iter().find(|(_name, value)| value.contains(['\n', '\r'])) {
        let text = format!("{name} would hold a line break; use a --cache-dir without one in its path");
        return Err(CommandError::Usage(text.into()));
    }
    match rendering {
        Rendering::Json => {
            let all: serde_json::Map<String, Value> =
                all.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            print_json(out, &Value::Object(all))
        }
        Rendering::Text => {
            print(out, &all.iter().map(|(name, value)| shell.line(name, value)).collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_ends_its_quotes_early() {
        let lines = Syntax::NAMES.map(|name| name.parse::<Syntax>().unwrap().line("A", r"it's \x"));
        assert_eq!(
            lines,
            [
                "export A='it'\\''s \\x'\n",
                "set -gx A 'it\\'s \\\\x'\n",
                "$env:A = 'it''s \\x'\n",
                "A=it's \\x\n",
            ]
        );
    }

    #[test]
    fn a_line_break_is_refused() {
        let surroundings = Surroundings(vec![("SSL_CERT_FILE", "/a\nEVIL=1".to_owned())]);
        let shown = show(&surroundings, Syntax::GitHub, Rendering::Text, &mut Vec::new());
        assert!(shown.unwrap_err().to_string().contains("SSL_CERT_FILE"));
    }
}
