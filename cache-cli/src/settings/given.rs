//! What was given for each setting, and where: flags over environment over file over defaults.
//!
//! Owns the order of precedence. Values are still text here; [`super::Settings`] gives them types.

use super::{
    definition::{DEFINITIONS, Definition, Shape},
    spelling,
};
use crate::exit::CommandError;
use fleet_cache::environment;
use std::{collections::BTreeMap, ffi::OsString, fmt, path::Path, sync::Arc};

/// For every setting that was given, the value of the strongest source.
#[derive(Default)]
pub(crate) struct Given {
    values: BTreeMap<&'static str, Value>,
    faults: Vec<String>,
    warnings: Vec<String>,
}

/// What was given for one setting. Has no `Debug`: it may be a secret.
#[derive(Clone)]
pub(crate) struct Value {
    /// The texts; exactly one unless the setting takes many.
    pub(crate) texts: Vec<String>,
    /// The source that gave them.
    pub(crate) source: Source,
}

/// Where a value came from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    /// No source gave one.
    Default,
    /// An environment variable, by its name.
    Environment(&'static str),
    /// A line of the settings file.
    File {
        /// The path of the file.
        path: Arc<Path>,
        /// The line, counted from one.
        line: usize,
    },
    /// A flag on the command line.
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::File { path, line } => write!(f, "{} line {line}", path.display()),
            Self::Flag(flag) => write!(f, "flag --{flag}"),
        }
    }
}

impl Given {
    /// Takes what the environment says, asking `variable` for each name; empty means unset.
    ///
    /// # Errors
    ///
    /// Names the variable that is not text.
    pub(crate) fn with_environment(
        mut self,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, EnvironmentError> {
        for definition in DEFINITIONS {
            let mut winner: Option<(&'static str, String)> = None;
            for name in definition.variables {
                let text = environment::text(variable, name);
                let Some(text) = text.map_err(|misspelt| EnvironmentError(name, misspelt))? else { continue };
                match &winner {
                    None => winner = Some((name, text)),
                    Some((strong, other)) if *other != text => self
                        .warnings
                        .push(format!("{strong} and {name} are both set and differ; {strong} is used")),
                    Some(_same) => {}
                }
            }
            if let Some((name, text)) = winner {
                let texts = split_if_many(definition, text);
                self.put(definition, texts, Source::Environment(name));
            }
        }
        Ok(self)
    }

    /// Warns about each of `names`, variables of the environment, that looks like a setting and is not one.
    pub(crate) fn warn_of_unknown(&mut self, names: impl Iterator<Item = OsString>) {
        let known = || DEFINITIONS.iter().flat_map(|definition| definition.variables).copied();
        let names = names.filter_map(|name| name.into_string().ok());
        let unknown = names.filter(|name| name.starts_with(OUR_PREFIX) && known().all(|known| known != name));
        let mut unknown: Vec<String> = unknown.filter(|name| name != CONFIG_VARIABLE).collect();
        unknown.sort_unstable();
        for name in unknown {
            let hint = spelling::nearest(&name, known().chain([CONFIG_VARIABLE]))
                .map_or_else(String::new, |known| format!("; did you mean {known}?"));
            self.warn(format!("environment {name} is not a setting of fleet-cache and has no effect{hint}"));
        }
    }

    /// Sets a value over whatever weaker sources said.
    pub(crate) fn put(&mut self, definition: &'static Definition, texts: Vec<String>, source: Source) {
        self.values.insert(definition.name, Value { texts, source });
    }

    /// What holds for a setting: the strongest given, else the default; `None` when it has neither.
    pub(crate) fn value(&self, definition: &Definition) -> Option<Value> {
        self.values.get(definition.name).cloned().or_else(|| {
            definition.default.map(|text| Value { texts: vec![text.to_owned()], source: Source::Default })
        })
    }

    /// What the user should know although it is not an error.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What was given and is not understood, each with where it stands.
    pub(crate) fn faults(&self) -> &[String] {
        &self.faults
    }

    /// Notes what is not understood, for the readers of the settings.
    pub(crate) fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    /// Notes something that the user should know.
    pub(crate) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }
}

/// An environment variable that is not text; names it.
#[derive(Debug, thiserror::Error)]
#[error("environment {0}: {1}")]
pub(crate) struct EnvironmentError(&'static str, environment::Misspelt);

impl From<EnvironmentError> for CommandError {
    fn from(error: EnvironmentError) -> Self {
        Self::Usage(error.into())
    }
}

/// Names the settings file.
pub(crate) const CONFIG_VARIABLE: &str = "CACHE_CONFIG";
/// How the names of our variables begin, apart from some that other programs read as well.
const OUR_PREFIX: &str = "CACHE_";

/// Lists come as one text with commas where there is no other way to repeat a value.
///
/// A domain may itself list several prefixes (`ci=ghs_*,gho_*`), so a part without `=` continues the
/// one before it wherever values have that form.
fn split_if_many(definition: &Definition, text: String) -> Vec<String> {
    let Shape::Many(form) = definition.shape else {
        return vec![text];
    };
    let mut parts: Vec<String> = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match parts.last_mut() {
            Some(last) if form.contains('=') && !part.contains('=') => {
                last.push(',');
                last.push_str(part);
            }
            _other => parts.push(part.to_owned()),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::{super::definition::definition, *};

    fn environment(pairs: &'static [(&str, &str)]) -> Given {
        Given::default()
            .with_environment(&|name| {
                let (_name, text) = pairs.iter().find(|(known, _text)| *known == name)?;
                Some(OsString::from(text))
            })
            .unwrap()
    }

    fn texts(given: &Given, name: &str) -> Vec<String> {
        given.value(definition(name)).unwrap().texts
    }

    #[test]
    fn the_library_knows_each_variable_of_its_own_by_the_names_that_the_daemon_knows() {
        for aliases in environment::ALIASES.iter().filter(|aliases| aliases[0] != environment::GH_TOKEN) {
            let definition = DEFINITIONS.iter().find(|definition| definition.variables[0] == aliases[0]);
            assert_eq!(definition.unwrap().variables, *aliases);
        }
    }

    #[test]
    fn an_alias_is_taken_when_it_is_alone() {
        let given = environment(&[("P2P_LISTEN_PORT", "9000")]);
        let value = given.value(definition("p2p-port")).unwrap();
        assert_eq!(value.texts, ["9000"]);
        assert_eq!(value.source, Source::Environment("P2P_LISTEN_PORT"));
        assert!(given.warnings().is_empty());
    }

    #[test]
    fn aliases_that_differ_are_warned_about_and_the_first_wins() {
        let given = environment(&[("P2P_LISTEN_PORT", "9000"), ("CACHE_LISTEN_PORT", "9100")]);
        let value = given.value(definition("p2p-port")).unwrap();
        assert_eq!(value.source, Source::Environment("CACHE_LISTEN_PORT"));
        assert_eq!(given.warnings().len(), 1);
        let same = environment(&[("P2P_LISTEN_PORT", "9100"), ("CACHE_LISTEN_PORT", "9100")]);
        assert!(same.warnings().is_empty());
    }

    #[test]
    fn a_variable_that_looks_like_a_setting_and_is_none_is_warned_about() {
        let mut given = Given::default();
        let names =
            ["CACHE_DEFUALT_TTL", "CACHE_LISTEN", "CACHE_CONFIG", "CACHE_ZZZZZZZZ", "PATH", "XCACHE_A"];
        given.warn_of_unknown(names.into_iter().map(OsString::from));
        assert_eq!(
            given.warnings(),
            [
                "environment CACHE_DEFUALT_TTL is not a setting of fleet-cache and has no effect; did you mean \
                 CACHE_DEFAULT_TTL?",
                "environment CACHE_ZZZZZZZZ is not a setting of fleet-cache and has no effect",
            ]
        );
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let given = environment(&[("CACHE_DEFAULT_TTL", "")]);
        assert_eq!(texts(&given, "default-ttl"), ["300"]);
    }

    #[test]
    fn lists_are_split_at_commas_but_a_domain_keeps_its_own() {
        let given = environment(&[
            ("CACHE_HOSTS", "cache.internal, proxy,"),
            ("CACHE_DOMAINS", "ci=ghs_*,gho_*,bots=ghp_*"),
        ]);
        assert_eq!(texts(&given, "host"), ["cache.internal", "proxy"]);
        assert_eq!(texts(&given, "domain"), ["ci=ghs_*,gho_*", "bots=ghp_*"]);
    }
}
