//! The files of the workspace, and faults found in them.

use anyhow::{Context as _, Result};
use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// The root of the workspace that this program was built from.
pub(crate) fn workspace_root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask is a folder of the workspace").to_owned()
}

/// The name and the text of one file.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Relative to the root, with `/` between parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// A file that need not exist, for tests of rules.
    #[cfg(test)]
    pub(crate) fn new(path: &str, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), text: text.into() }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(crate) fn is_manifest(&self) -> bool {
        self.file_name() == "Cargo.toml"
    }

    pub(crate) fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Lines with their numbers, from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// A fault at a line of this file.
    pub(crate) fn fault(&self, line: usize, problem: impl Into<String>) -> Fault {
        Fault { path: self.path.clone(), line, problem: problem.into() }
    }
}

/// A place in the sources, and what is wrong there.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Fault {
    path: String,
    line: usize,
    problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.problem)
    }
}

/// Every text file below `root` that people write, ordered by path.
///
/// Leaves out what is built, hidden folders but `.ci` and `.cargo`, and files that are not UTF-8.
pub(crate) fn read_all(root: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    collect(root, root, &mut sources)?;
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            let hidden = name.starts_with('.') && !matches!(name.as_str(), ".ci" | ".cargo" | ".github");
            if !hidden && name != "target" {
                collect(root, &path, sources)?;
            }
            continue;
        }
        if !is_written_by_people(&name) {
            continue;
        }
        let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        if let Ok(text) = String::from_utf8(bytes) {
            let relative = path.strip_prefix(root).expect("it was found below the root");
            let path = relative.to_string_lossy().replace('\\', "/");
            sources.push(Source { path, text });
        }
    }
    Ok(())
}

fn is_written_by_people(name: &str) -> bool {
    let endings = [".rs", ".toml", ".md", ".sh", ".txt", ".yml", ".yaml", ".py"];
    matches!(name, "run" | ".gitignore") || endings.iter().any(|ending| name.ends_with(ending))
}
