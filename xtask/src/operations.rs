//! The operations of GitHub's API, from its published description, as a list that tests walk.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Which descriptions to read.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// OpenAPI descriptions in JSON: `generated/api.github.com.json`, `ghec.json` and `ghes-*.json` of the npm package
    /// `@octokit/openapi`.
    #[arg(required = true)]
    descriptions: Vec<PathBuf>,
}

/// Writes the operations of all `descriptions` to [`LIST`], and tells how many there are.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let mut operations = BTreeSet::new();
    for description in &arguments.descriptions {
        let read = || -> Result<Value> { Ok(serde_json::from_slice(&fs::read(description)?)?) };
        let read = read().with_context(|| format!("cannot read {}", description.display()))?;
        operations
            .extend(listed(&read).with_context(|| format!("{} is no description", description.display()))?);
    }
    let lines = operations.iter().map(|(path, method)| format!("{method} {path}\n"));
    fs::write(root.join(LIST), format!("{HEAD}{}", lines.collect::<String>()))?;
    eprintln!("{LIST}: {} operations", operations.len());
    eprintln!("then: BLESS=1 cargo test -p cache-origin-github --test operations");
    Ok(())
}

/// Path and method of each operation.
fn listed(description: &Value) -> Result<BTreeSet<(String, String)>> {
    let paths = description["paths"].as_object().context("it has no `paths`")?;
    let mut operations = BTreeSet::new();
    for (path, item) in paths {
        let item = item.as_object().with_context(|| format!("{path} is no object"))?;
        let methods = item.keys().filter(|key| METHODS.contains(&key.as_str()));
        operations.extend(methods.map(|method| (path.clone(), method.to_uppercase())));
    }
    if operations.is_empty() {
        bail!("it has no operations");
    }
    Ok(operations)
}

const LIST: &str = "cache-origin-github/tests/operations/operations.txt";
const HEAD: &str = "\
# Every operation of GitHub's API, of Enterprise Cloud and of Enterprise Server, from GitHub's own descriptions.
# Made by `cargo xtask operations` from the npm package @octokit/openapi (MIT).
";
const METHODS: [&str; 5] = ["delete", "get", "patch", "post", "put"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_the_methods_of_all_paths() {
        let description =
            serde_json::json!({"paths": {"/b": {"get": {}, "parameters": []}, "/a": {"put": {}}}});
        let operation = |path: &str, method: &str| (path.to_owned(), method.to_owned());
        assert_eq!(
            listed(&description).unwrap(),
            BTreeSet::from([operation("/a", "PUT"), operation("/b", "GET")])
        );
        assert!(listed(&serde_json::json!({})).is_err());
        assert!(listed(&serde_json::json!({"paths": {}})).is_err());
    }
}
