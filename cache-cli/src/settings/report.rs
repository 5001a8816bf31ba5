//! The effective settings and where each came from, fit to be shown.

use super::{
    Defaults,
    definition::{DEFINITIONS, Shown},
    given::{Given, Source},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Every setting as it holds, without the secrets.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Report {
    /// One line per setting, in the order of the table.
    pub(crate) settings: Vec<Line>,
}

/// One setting.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Line {
    /// Its name.
    pub(crate) name: String,
    /// Its values as they were written; empty when it has none. A secret is `(set)`.
    pub(crate) values: Vec<String>,
    /// Where they came from.
    pub(crate) source: String,
}

impl Report {
    /// What `given` amounts to.
    pub(crate) fn new(given: &Given, defaults: &Defaults) -> Self {
        let settings = DEFINITIONS
            .iter()
            .map(|definition| {
                let value = given.value(definition);
                let source = value.as_ref().map_or(Source::Default, |value| value.source.clone());
                let mut values = value.map_or_else(Vec::new, |value| value.texts);
                if definition.name == "cache-dir" && values.is_empty() {
                    values.extend(defaults.cache_dir.iter().map(|path| path.display().to_string()));
                }
                if definition.shown == Shown::Redacted {
                    values.iter_mut().for_each(|text| "(set)".clone_into(text));
                }
                Line { name: definition.name.to_owned(), values, source: source.to_string() }
            })
            .collect();
        Self { settings }
    }
}

impl fmt::Display for Report {
    /// A table for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wide = |text: fn(&Line) -> usize| self.settings.iter().map(text).max().unwrap_or(0);
        let name_width = wide(|line| line.name.len());
        let value_width = wide(|line| line.shown().len()).min(VALUE_WIDTH_MAX);
        for line in &self.settings {
            let Line { name, source, .. } = line;
            writeln!(f, "{name:name_width$}  {:value_width$}  {source}", line.shown())?;
        }
        Ok(())
    }
}

impl Line {
    fn shown(&self) -> String {
        match self.values.as_slice() {
            [] => "-".to_owned(),
            values => values.join(" "),
        }
    }
}

/// Widest column of values, in characters; a longer one pushes its source to the right.
const VALUE_WIDTH_MAX: usize = 40;
