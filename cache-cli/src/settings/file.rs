//! The settings file: TOML whose keys are the names of the settings.

use super::{
    definition::{DEFINITIONS, Definition, Shape},
    given::{Given, Source},
};
use crate::exit::CommandError;
use std::{path::Path, sync::Arc};
use toml::de::{DeTable, DeValue};

/// Why a settings file was refused. Nothing of it was taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// It cannot be read.
    #[error(
        "cannot read the settings file {path} ({named_by}), so nothing was taken from it: {error}; name a file of text that \
         this user may read"
    )]
    Unreadable {
        /// The path of the file.
        path: String,
        /// The source that names it, in words.
        named_by: &'static str,
        /// What the system says.
        error: std::io::Error,
    },
    /// It is not TOML. Only the parser's own words are repeated, never the line, which may hold a secret.
    #[error("{path} line {line}: {problem}")]
    Malformed {
        /// The path of the file.
        path: String,
        /// The line, counted from one.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
}

impl From<FileError> for CommandError {
    fn from(error: FileError) -> Self {
        Self::Usage(error.into())
    }
}

/// Takes every setting of the file at `path`, which `named_by` names, into `given`, over what is there.
///
/// A line that names no setting, or gives one a value that it does not take, is noted in `given` as a fault beside
/// those of other sources.
///
/// # Errors
///
/// If the file cannot be read or is not TOML.
pub(crate) fn read(path: &Path, named_by: &'static str, given: &mut Given) -> Result<(), FileError> {
    let text = std::fs::read_to_string(path).map_err(|error| FileError::Unreadable {
        path: path.display().to_string(),
        named_by,
        error,
    })?;
    parse(path, &text, given)
}

fn parse(path: &Path, text: &str, given: &mut Given) -> Result<(), FileError> {
    let line_of = |offset: usize| text[..offset].bytes().filter(|byte| *byte == b'\n').count() + 1;
    let shared: Arc<Path> = path.into();
    let table = DeTable::parse(text).map_err(|error| FileError::Malformed {
        path: path.display().to_string(),
        line: line_of(error.span().map_or(0, |span| span.start)),
        problem: error.message().to_owned(),
    })?;
    for (key, value) in table.get_ref() {
        let line = line_of(key.span().start);
        let mut fault = |problem: String| given.fault(format!("{} line {line}: {problem}", path.display()));
        let Some(definition) = DEFINITIONS.iter().find(|known| known.name == key.get_ref()) else {
            let hint = hint(key.get_ref(), matches!(value.get_ref(), DeValue::Table(_)));
            fault(format!("unknown setting {:?}{hint}", key.get_ref()));
            continue;
        };
        match texts(definition, value.get_ref()) {
            Some(texts) => {
                given.put(definition, texts, Source::File { path: Arc::clone(&shared), line });
            }
            None => fault(format!("{} takes {}", definition.name, expected(definition))),
        }
    }
    Ok(())
}

fn texts(definition: &Definition, value: &DeValue<'_>) -> Option<Vec<String>> {
    match (definition.shape, value) {
        (Shape::Many(_), DeValue::Array(items)) => items.iter().map(|item| scalar(item.get_ref())).collect(),
        (Shape::Many(form), DeValue::Table(table)) if form.contains('=') => table
            .iter()
            .map(|(name, value)| {
                let parts = match value.get_ref() {
                    DeValue::Array(items) => {
                        items.iter().map(|item| scalar(item.get_ref())).collect::<Option<Vec<_>>>()?.join(",")
                    }
                    other => scalar(other)?,
                };
                Some(format!("{}={parts}", name.get_ref()))
            })
            .collect(),
        (_, value) => Some(vec![scalar(value)?]),
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string())
        }
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

fn expected(definition: &Definition) -> String {
    match definition.shape {
        Shape::Enabled | Shape::Disabled(_) => "true or false".to_owned(),
        Shape::One(form) => format!("one value: {form}"),
        Shape::Many(form) => format!("a list of values: {form}"),
    }
}

/// What the author of `key` may have meant, for the end of an error.
fn hint(key: &str, is_table: bool) -> String {
    let key = key.to_ascii_lowercase().replace('_', "-");
    if is_table {
        return "; the file has no sections but [route], [graphql] and [domain]: settings stand at its top, under the names of the flags"
            .to_owned();
    }
    let negated =
        DEFINITIONS.iter().find(|known| matches!(known.shape, Shape::Disabled(flag) if flag == key));
    if let Some(known) = negated {
        return format!("; write `{} = false`", known.name);
    }
    nearest(&key).map_or_else(
        || "; `fleet-cache serve --help` lists all of them".to_owned(),
        |name| format!("; did you mean {name:?}?"),
    )
}

/// The known name that takes the fewest edits to reach from `key`, if it is like it at all.
fn nearest(key: &str) -> Option<&'static str> {
    let names = DEFINITIONS.iter().map(|definition| definition.name);
    super::spelling::nearest(key, names)
}

#[cfg(test)]
mod tests {
    use super::{super::definition::definition, *};

    fn parsed(text: &str) -> Result<Given, String> {
        let mut given = Given::default();
        parse(Path::new("f.toml"), text, &mut given).map_err(|error| error.to_string())?;
        Ok(given)
    }

    fn refusal(text: &str) -> String {
        match parsed(text) {
            Ok(given) => given.faults().join("\n"),
            Err(malformed) => malformed,
        }
    }

    #[test]
    fn numbers_texts_and_truths_are_all_taken_as_written() {
        let given = parsed("default-ttl = 60\nmax-bytes = \"1GiB\"\np2p = false\n").unwrap();
        let texts = |name| given.value(definition(name)).unwrap().texts;
        assert_eq!(texts("default-ttl"), ["60"]);
        assert_eq!(texts("max-bytes"), ["1GiB"]);
        assert_eq!(texts("p2p"), ["false"]);
    }

    #[test]
    fn a_value_remembers_its_line() {
        let given = parsed("\n# why\ndefault-ttl = 60\n").unwrap();
        let value = given.value(definition("default-ttl")).unwrap();
        assert_eq!(value.source.to_string(), "f.toml line 3");
    }

    #[test]
    fn routes_and_domains_are_lists_or_tables() {
        let given = parsed("route = [\"/a=1\", \"/b=2\"]\n[domain]\nci = [\"ghs_*\", \"gho_*\"]\n").unwrap();
        let texts = |name| given.value(definition(name)).unwrap().texts;
        assert_eq!(texts("route"), ["/a=1", "/b=2"]);
        assert_eq!(texts("domain"), ["ci=ghs_*,gho_*"]);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_nearest_name() {
        assert_eq!(
            refusal("listen = \"x\"\ndefualt_ttl = 3\n"),
            "f.toml line 2: unknown setting \"defualt_ttl\"; did you mean \"default-ttl\"?"
        );
    }

    #[test]
    fn a_flag_that_turns_off_and_a_section_are_refused_with_what_to_write() {
        assert_eq!(
            refusal("no-p2p = true\n"),
            "f.toml line 1: unknown setting \"no-p2p\"; write `p2p = false`"
        );
        assert!(refusal("[serve]\nlisten = \"none\"\n").contains("no sections but"));
        assert!(refusal("zzzzzzzzzz = 1\n").ends_with("lists all of them"));
    }

    #[test]
    fn every_line_that_does_not_fit_is_told_of_and_the_others_are_taken() {
        let given = parsed("lisen = 1\ndefault-ttl = [1]\nmax-entries = 5\n").unwrap();
        assert_eq!(given.faults().len(), 2, "{:?}", given.faults());
        assert_eq!(given.value(definition("max-entries")).unwrap().texts, ["5"]);
    }

    #[test]
    fn a_value_of_the_wrong_shape_is_refused_with_what_is_expected() {
        assert_eq!(refusal("default-ttl = [1, 2]\n"), "f.toml line 1: default-ttl takes one value: SECONDS");
    }

    #[test]
    fn what_is_no_toml_is_refused_without_repeating_it() {
        let text = refusal("default-ttl = 3\nshared-secret = hunter2 hunter2\n");
        assert!(text.starts_with("f.toml line 2: "), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
