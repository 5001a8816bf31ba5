//! The crates as a registry has them, under names of their own.
//!
//! In this workspace they are called `cache-core` and the like, by which every command names them; for a registry that
//! all of Rust shares such names are too common. There each has `fleet-` before its name. What is packaged is a copy of
//! the workspace in which they are called so. The libraries keep their names, so that no line of code differs.

use crate::cargo;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What is done with the copy.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Only put the packages together; without this, each is also built from nothing but its package.
    #[arg(long)]
    no_verify: bool,
}

/// Puts the packages together without a build of each, which takes minutes.
pub(crate) fn put_together(root: &Path) -> Result<bool> {
    run(root, &Arguments { no_verify: true })
}

/// Packages every crate that is published, and returns whether all went well.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<bool> {
    let published = published(root)?;
    let copy = copy(root)?;
    for member in &published {
        rename(&copy, member, &published)?;
    }
    rename_dependencies(&copy, &published)?;
    let mut package = cargo::cargo(&copy);
    package.args(["package", "--quiet", "--allow-dirty"]);
    if arguments.no_verify {
        // What was built before is there, and with it all that this needs.
        package.args(["--no-verify", "--offline"]);
    }
    for member in &published {
        package.args(["--package", &member.registry_name()]);
    }
    let has_passed = package.status()?.success();
    let packages = cargo::target_directory(&copy)?.join("package");
    println!("{} packages, in {}", published.len(), packages.display());
    Ok(has_passed)
}

/// A crate of this workspace.
#[derive(Clone, Debug)]
struct Member {
    name: String,
    /// Its manifest, relative to the root.
    manifest: PathBuf,
    is_library: bool,
}

impl Member {
    fn registry_name(&self) -> String {
        if self.name.starts_with(PREFIX) { self.name.clone() } else { format!("{PREFIX}{}", self.name) }
    }
}

/// Those that are for the registry.
fn published(root: &Path) -> Result<Vec<Member>> {
    let metadata: Value = serde_json::from_str(&cargo::metadata(root)?)?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists packages")?;
    let published = packages.iter().filter(|package| package["publish"].is_null());
    published
        .map(|package| {
            let text = |key: &str| package[key].as_str().with_context(|| format!("a package without {key}"));
            let manifest = Path::new(text("manifest_path")?).strip_prefix(root)?.to_owned();
            let is_library = root.join(&manifest).with_file_name("src/lib.rs").exists();
            Ok(Member { name: text("name")?.to_owned(), manifest, is_library })
        })
        .collect()
}

/// Copies what git knows of, and links as what they lead to.
fn copy(root: &Path) -> Result<PathBuf> {
    let copy = cargo::target_directory(root)?.join("registry");
    clear(&copy)?;
    let mut list = Command::new("git");
    list.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    for path in cargo::output(&mut list)?.split_terminator('\0') {
        let (from, to) = (root.join(path), copy.join(path));
        fs::create_dir_all(to.parent().context("a file is in a folder")?)?;
        // Deleted, but not yet committed.
        if from.exists() {
            fs::copy(&from, &to).with_context(|| format!("copying {path}"))?;
        }
    }
    Ok(copy)
}

/// Removes what an earlier copy left, but for what was built from it.
fn clear(copy: &Path) -> Result<()> {
    fs::create_dir_all(copy)?;
    for entry in fs::read_dir(copy)? {
        let entry = entry?;
        if entry.file_name() == "target" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn rename(copy: &Path, member: &Member, all: &[Member]) -> Result<()> {
    let path = copy.join(&member.manifest);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    fs::write(&path, renamed(&text, member, all)).with_context(|| format!("writing {}", path.display()))
}

/// The manifest of `member` by its name in the registry, and with the name that its library has here.
fn renamed(manifest: &str, member: &Member, all: &[Member]) -> String {
    let (name, new) = (&member.name, member.registry_name());
    let mut text = manifest.replacen(&format!("\nname = \"{name}\""), &format!("\nname = \"{new}\""), 1);
    for other in all {
        let (name, new) = (&other.name, other.registry_name());
        text = text
            .replace(&format!("\n{name} = {{ path ="), &format!("\n{name} = {{ package = \"{new}\", path ="));
    }
    if member.is_library && !text.contains("\n[lib]") {
        text.push_str(&format!("\n[lib]\nname = \"{}\"\n", name.replace('-', "_")));
    }
    text
}

/// Has the lock file speak of the members by their new names.
fn rename_dependencies(copy: &Path, all: &[Member]) -> Result<()> {
    let path = copy.join("Cargo.lock");
    let mut lock = fs::read_to_string(&path)?;
    for member in all {
        lock = lock.replace(&format!("\"{}\"", member.name), &format!("\"{}\"", member.registry_name()));
    }
    Ok(fs::write(&path, lock)?)
}

/// What stands before a name in the registry.
const PREFIX: &str = "fleet-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_has_another_name_in_the_registry_and_its_library_the_same() {
        let member = |name: &str| Member { name: name.into(), manifest: PathBuf::new(), is_library: true };
        let all = [member("cache-core"), member("fleet-cache")];
        let core = "[package]\nname = \"cache-core\"\n";
        let wanted = "[package]\nname = \"fleet-cache-core\"\n\n[lib]\nname = \"cache_core\"\n";
        assert_eq!(renamed(core, &all[0], &all), wanted);
        let root =
            "[dependencies]\ncache-core = { path = \"c\" }\n[package]\nname = \"fleet-cache\"\n[lib]\n";
        let wanted = root.replace("{ path", "{ package = \"fleet-cache-core\", path");
        assert_eq!(renamed(root, &all[1], &all), wanted);
    }
}
