//! Where the fleet's secrets come from, which of several counts, and what is said of it.

use super::{Defaults, Given, Problem, Reader, Secret, github_cli, value};
use fleet_cache::{FleetSecret, SECRETS_MAX, SecretKind, environment};
use std::{
    fmt,
    fs::File,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The fleet's secret, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct SourcedSecret {
    /// The secret that was found.
    pub(crate) secret: FleetSecret,
    /// Where it came from.
    pub(crate) source: SecretSource,
}

/// Where a secret came from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum SecretSource {
    /// A file that a setting names.
    File {
        /// The path of the file.
        path: PathBuf,
        /// Where the setting stands.
        setting: super::Source,
    },
    /// What `gh auth token` prints.
    GitHubCli,
    /// It was read from standard input.
    Input,
    /// It was given by a setting.
    Setting(super::Source),
    /// A variable that holds a credential for the API, which stands in for a secret.
    Token(&'static str),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, setting } => write!(f, "{} ({setting})", path.display()),
            Self::GitHubCli => f.write_str("gh auth token"),
            Self::Input => f.write_str("standard input"),
            Self::Setting(source) => source.fmt(f),
            Self::Token(variable) => write!(f, "environment {variable}"),
        }
    }
}

impl SourcedSecret {
    /// What to tell a user whose fleet uses a token as its secret.
    fn warning(&self) -> Option<String> {
        let source = &self.source;
        match self.secret.kind() {
            SecretKind::Token => Some(format!(
                "the fleet secret is a GitHub token, from {source}: a convenience that splits the fleet whenever \
                 tokens are rotated or differ between nodes; {REMEDY}"
            )),
            SecretKind::Generated | SecretKind::Passphrase => None,
        }
    }
}

/// The settings that say where the fleet's secret is, and where to look when they do not.
#[derive(Clone, Debug)]
pub(crate) struct SecretSearch {
    found: Option<SourcedSecret>,
    github_cli: Option<PathBuf>,
    warnings: Vec<String>,
}

impl SecretSearch {
    /// Asks `gh` if nothing else gave a secret. Returns what the user should know about what was found.
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends `gh`; nothing is found then.
    pub(crate) async fn finish(&mut self) -> Vec<String> {
        let mut warnings = std::mem::take(&mut self.warnings);
        if let (None, Some(program)) = (&self.found, self.github_cli.take()) {
            match github_cli::token(&program).await.and_then(|token| parse(token.expose())) {
                Ok(secret) => self.found = Some(SourcedSecret { secret, source: SecretSource::GitHubCli }),
                Err(problem) => warnings.push(format!("`gh auth token` gives no fleet secret: {problem}")),
            }
        }
        warnings.extend(self.found.as_ref().and_then(SourcedSecret::warning));
        warnings
    }

    /// The same, with a word on the token in `variable` where no secret was found and it was left alone.
    pub(super) fn leaving(mut self, variable: Option<&'static str>) -> Self {
        if let Some(variable) = variable.filter(|_variable| self.found.is_none()) {
            self.warnings.push(format!(
                "{variable} is not taken for a fleet secret, since nothing says that this node is to share; give \
                 --p2p-port 9100 or --bootstrap to say so"
            ));
        }
        self
    }

    /// The secret that was found.
    pub(crate) fn found(&self) -> Option<&SourcedSecret> {
        self.found.as_ref()
    }
}

impl Reader<'_> {
    /// What the settings say of the fleet's secret; else the machine's token; else that `gh` is to be asked.
    pub(super) fn shared_secret(&mut self, defaults: &Defaults) -> SecretSearch {
        let faults_before = self.faults.len();
        let mut warnings = Vec::new();
        let mut given = self.sourced("shared-secret", "shared-secret-file");
        if given.len() > 1 {
            let problem = "is given beside shared-secret; give one of them";
            self.refuse("shared-secret-file", problem);
        }
        let mut found = given.pop();
        let refused = self.faults.len() > faults_before;
        let token = defaults.token.as_ref().filter(|_token| found.is_none() && !refused);
        if let Some((variable, token)) = token {
            match parse(token.expose()) {
                Ok(secret) => found = Some(SourcedSecret { secret, source: SecretSource::Token(variable) }),
                // It was not given for this, so it does not prevent the start.
                Err(problem) => {
                    warnings.push(format!("{variable} cannot serve as the fleet secret: {problem}"));
                }
            }
        }
        let github_cli = defaults.github_cli.clone().filter(|_program| token.is_none() && !refused);
        SecretSearch { found, github_cli, warnings }
    }

    /// Secrets by which others are let in as well.
    pub(super) fn accepted_secrets(&mut self) -> Vec<FleetSecret> {
        let accepted = self.sourced("accept-secret", "accept-secret-file");
        let count = accepted.len();
        if count >= SECRETS_MAX {
            let limit = SECRETS_MAX - 1;
            self.refuse(
                "accept-secret",
                &format!("and accept-secret-file name {count} secrets, the limit is {limit}"),
            );
        }
        accepted.into_iter().map(|accepted| accepted.secret).collect()
    }

    /// The secrets that a setting holds, then those in files that another names.
    fn sourced(&mut self, direct: &'static str, in_file: &'static str) -> Vec<SourcedSecret> {
        let setting = |given: &Given, name| given.value(super::definition(name)).map(|value| value.source);
        let secrets = self.many(direct, parse);
        let source = setting(self.given, direct).unwrap_or(super::Source::Default);
        let direct = secrets
            .into_iter()
            .map(|secret| SourcedSecret { secret, source: SecretSource::Setting(source.clone()) });
        let mut all: Vec<_> = direct.collect();
        let files = self.many(in_file, |text| {
            let path = super::path(text)?;
            let (text, warning) = read(&path, "a fleet secret")?;
            Ok((parse(&text)?, path, warning))
        });
        let source = setting(self.given, in_file).unwrap_or(super::Source::Default);
        for (secret, path, warning) in files {
            self.warnings.extend(warning);
            all.push(SourcedSecret { secret, source: SecretSource::File { path, setting: source.clone() } });
        }
        all
    }
}

/// Reads a secret from `input`, which a person or a program writes.
///
/// # Errors
///
/// If it cannot be read or is not a secret; the text is not repeated.
pub(crate) fn from_input(input: impl Read) -> Result<SourcedSecret, Problem> {
    let secret = parse(&bounded(input).map_err(|error| format!("cannot be read: {error}"))?)?;
    Ok(SourcedSecret { secret, source: SecretSource::Input })
}

/// Takes a secret of whatever kind.
fn parse(text: &str) -> Result<FleetSecret, Problem> {
    FleetSecret::parse(text).map_err(|error| format!("cannot be used: {error}; {REMEDY}"))
}

/// The text of the file at `path`, which holds `what`, and a warning if too many can read it.
pub(super) fn read(path: &Path, what: &str) -> Result<(Zeroizing<String>, Option<String>), Problem> {
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let found = file.metadata().map_err(|error| unreadable(&error))?;
    let mode = found.permissions().mode() & 0o777;
    let warning = (found.is_file() && mode & !FILE_MODE_WIDEST != 0).then(|| {
        let path = path.display();
        format!("{path} holds {what} and has mode {mode:04o}, which lets others in; run `chmod 600 {path}`")
    });
    Ok((bounded(file).map_err(|error| unreadable(&error))?, warning))
}

/// What is said of a file that a setting names and that gives no text, for the reason in `error`.
pub(super) fn unreadable(error: &io::Error) -> Problem {
    format!("cannot be read: {error}; name a file of text that the daemon's user may read")
}

fn bounded(input: impl Read) -> io::Result<Zeroizing<String>> {
    // Of full size from the start: growing would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(INPUT_BYTES_MAX));
    input.take(INPUT_BYTES_MAX as u64).read_to_string(&mut text)?;
    Ok(text)
}

/// The machine's credential for the API, if it has one, which stands in for a secret.
pub(super) fn ambient_token(
    variable: &dyn Fn(&str) -> Option<std::ffi::OsString>,
) -> Option<(&'static str, Secret)> {
    TOKEN_VARIABLES.into_iter().find_map(|name| {
        let text = environment::text(variable, name).ok()??;
        Some((name, value::secret(&text).ok()?))
    })
}

/// Whether `text` holds what looks like a whole token for the API, which must not be shown.
pub(super) fn holds_token(text: &str) -> bool {
    TOKEN_PREFIXES.iter().flat_map(|prefix| text.match_indices(prefix)).any(|(at, prefix)| {
        let rest = text[at + prefix.len()..].bytes();
        rest.take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count() >= TOKEN_REST_BYTES_MIN
    })
}

/// What to do about a secret that is missing or not what it should be.
pub(crate) const REMEDY: &str =
    "make one with `fleet-cache secret generate` and give it to every node as CACHE_P2P_SHARED_SECRET";

/// Where a credential for the API is looked for, the first first, as GitHub's own command line does.
const TOKEN_VARIABLES: [&str; 2] = [environment::GH_TOKEN, environment::GITHUB_TOKEN];
/// How GitHub's tokens begin (GitHub, "About authentication to GitHub", token formats).
pub(super) const TOKEN_PREFIXES: [&str; 6] = ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"];
/// Characters that follow in the shortest text that could be of use to a thief: half of what GitHub gives out.
const TOKEN_REST_BYTES_MIN: usize = 18;
/// Most that the owner and the group of a secret's file may do with it.
const FILE_MODE_WIDEST: u32 = 0o640;
/// Most that is read of a secret, in bytes: more than the longest, so that a longer one is noticed.
const INPUT_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_token_is_seen_wherever_it_stands_and_the_beginning_of_one_is_not() {
        let rest = "0123456789abcdefghijklmnopqrstuvwxyz";
        for prefix in TOKEN_PREFIXES {
            assert!(holds_token(&format!("ci={prefix}{rest}")) && !holds_token(&format!("ci={prefix}*")));
        }
        assert!(holds_token(&format!("ci=ghs_*,ghp_{rest},gho_*")) && !holds_token("/repos/*/ghp_x/** = 5s"));
    }

    #[test]
    fn a_secret_from_input_may_end_in_a_line_break_and_may_not_be_endless() {
        let read = from_input(&b"correct horse battery staple\n"[..]).unwrap();
        assert_eq!((read.secret.kind(), read.source), (SecretKind::Passphrase, SecretSource::Input));
        let refused = from_input(io::repeat(b'x')).unwrap_err();
        assert!(refused.contains("the limit is"), "{refused}");
        assert!(from_input(&b"hunter2"[..]).unwrap_err().contains("fleet-cache secret generate"));
        assert!(!from_input(&b"hunter2"[..]).unwrap_err().contains("hunter2"));
    }
}
