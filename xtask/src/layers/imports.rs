//! Paths in the sources that the table forbids.

use super::{LAYERS, Layer};
use crate::{
    rust_code::RustCode,
    sources::{Fault, Source},
};
use std::collections::BTreeSet;

/// Every use of something forbidden, in imports and in code, outside of tests.
pub(super) fn breaches(sources: &[Source]) -> Vec<Fault> {
    let mut faults = BTreeSet::new();
    for source in sources.iter().filter(|source| source.is_rust()) {
        let Some(layer) = LAYERS.iter().find(|layer| source.path.starts_with(layer.folder)) else {
            continue;
        };
        let code = RustCode::of(source);
        let mut paths = code.paths();
        paths.extend(code.imports.iter().cloned());
        for (line, path) in paths {
            if let Some(never) = forbidden(layer, &path)
                && !code.is_test(line)
            {
                let problem = format!("`{path}`: `{never}` is forbidden in {}", layer.name);
                faults.insert(source.fault(line, problem));
            }
        }
    }
    faults.into_iter().collect()
}

/// What `layer` must not touch and `path` begins with: an outside crate, or one of the workspace above it.
fn forbidden(layer: &Layer, path: &str) -> Option<String> {
    if let Some(never) = layer.forbids(path) {
        return Some(never.to_owned());
    }
    let first = path.split("::").next().unwrap_or(path);
    let is_above = |other: &&Layer| {
        other.name.replace('-', "_") == first
            && other.name != layer.name
            && !layer.may_use.contains(&other.name)
    };
    LAYERS.iter().find(is_above).map(|_| first.to_owned())
}
