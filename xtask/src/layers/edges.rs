//! Dependencies as the manifests state them.

use super::Layer;
use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::{collections::BTreeSet, path::Path};

/// A member of the workspace.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// `None` for ordinary ones, else `dev` or `build`.
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// The members of the workspace at `root`, as cargo reads their manifests. Needs no network.
pub(super) fn packages(root: &Path) -> Result<Vec<Package>> {
    let metadata: Metadata =
        serde_json::from_str(&crate::cargo::metadata(root)?).context("reading cargo metadata")?;
    Ok(metadata.packages)
}

/// Every dependency that the table forbids, and every package that it does not know.
pub(super) fn breaches(packages: &[Package]) -> Vec<String> {
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut breaches = Vec::new();
    for package in packages {
        let name = &package.name;
        let Some(layer) = Layer::named(name) else {
            breaches.push(format!("{name}: has no place in the table of layers"));
            continue;
        };
        for Dependency { name: used, kind } in &package.dependencies {
            let is_allowed = layer.may_use.contains(&used.as_str());
            if kind.as_deref() == Some("dev") {
                if WHOLE.contains(&used.as_str()) && !is_allowed {
                    breaches.push(format!("{name}: its tests must not build the whole product by `{used}`"));
                }
                continue;
            }
            let forbidden = match ours.contains(used.as_str()) {
                true => !is_allowed,
                false => layer.forbids(&used.replace('-', "_")).is_some(),
            };
            if forbidden {
                breaches.push(format!("{name}: must not depend on `{used}`"));
            }
        }
    }
    breaches
}

/// Crates that need all others, so that the test of one crate would wait for every crate.
const WHOLE: &[&str] = &["cache-cli", "cache-tests"];
