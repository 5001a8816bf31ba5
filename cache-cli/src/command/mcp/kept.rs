//! The tool `cache_status`.

use super::tool::{Asked, Refused, Tool, ordered};
use crate::admin::KeptOrder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What the tool takes: the path to look at.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CacheStatus {
    /// A path of the API with its query, such as /repos/OWNER/REPO/pulls?state=open.
    #[schemars(length(min = 1, max = 8000))]
    path: String,
}

/// What this machine keeps of it, for whichever credential: counts and ages, no content.
#[derive(Deserialize, JsonSchema, Serialize)]
pub(super) struct Kept {
    /// Why answers to GET of this path are never kept; null if they may be.
    pub(super) passes: Option<String>,
    /// The rate limit that a call for it draws on, such as core; null if it is never kept.
    pub(super) resource: Option<String>,
    /// How many copies are in memory, one for each representation and each set of credentials.
    copies_count: usize,
    /// Whether there are more, which were not looked at.
    has_more: bool,
    /// For how many sets of credentials there are copies.
    domains_count: usize,
    /// Whether a copy is on disk, in memory or not; null if nothing is kept on disk.
    on_disk: Option<bool>,
    /// The youngest copies, 16 at most.
    copies: Vec<Copy>,
}

#[derive(Deserialize, JsonSchema, Serialize)]
struct Copy {
    /// How long ago GitHub gave or confirmed it.
    age_seconds: u64,
    /// For how long it is still fresh; 0 if it is stale.
    fresh_seconds: u64,
    /// Since when it has been stale; 0 if it is fresh.
    stale_seconds: u64,
    /// Whether a write put it in doubt, so that GitHub is asked before it is served again.
    is_doubted: bool,
    source: From,
}

/// Where a copy came from: from GitHub or the disk of this machine (own), or from another machine (peer).
#[derive(Clone, Copy, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
enum From {
    Own,
    Peer,
}

impl Tool for CacheStatus {
    const NAME: &'static str = "cache_status";
    const TITLE: &'static str = "What is kept of a path";
    const DESCRIPTION: &'static str = "Tells whether this machine's Fleet Cache keeps answers to GET of a GitHub API \
        path, how old they are, for how long they are fresh, and whether they came from another machine; or why such \
        answers are never kept. Shows counts and ages alone: no content, no status, and not for whom. A copy helps a \
        credential only if GitHub lets it read the same. Costs no quota and no look-up.";
    type Told = Kept;

    async fn ask(self, cache_dir: &Path) -> Result<Asked, Refused> {
        let kept = of_path(cache_dir, self.path).await?;
        let text = kept.in_words();
        Asked::new(&kept, text)
    }
}

/// What the daemon of `cache_dir` keeps of `path`.
pub(super) async fn of_path(cache_dir: &Path, path: String) -> Result<Kept, Refused> {
    if !path.starts_with('/') || path.len() > PATH_BYTES_MAX {
        let what = format!(
            "`path` is to begin with a slash and have at most {PATH_BYTES_MAX} bytes, as in /repos/OWNER/REPO"
        );
        return Err(Refused::Arguments { what });
    }
    ordered(cache_dir, "/kept", &KeptOrder { path }).await
}

impl Kept {
    fn in_words(&self) -> String {
        if let Some(reason) = &self.passes {
            return format!("never kept: {reason}");
        }
        let Some(youngest) = self.copies.first() else {
            return match self.on_disk {
                Some(true) => "not in memory, but on disk: the next request reads it from there".to_owned(),
                Some(false) | None => {
                    "not kept here: the next request asks the other machines, then GitHub".to_owned()
                }
            };
        };
        let from = match youngest.source {
            From::Own => "this machine",
            From::Peer => "another machine",
        };
        let state = match youngest {
            Copy { is_doubted: true, .. } => {
                "in doubt since a write: GitHub is asked first, for free if unchanged".to_owned()
            }
            Copy { fresh_seconds: 0, stale_seconds, .. } => {
                format!("stale for {stale_seconds} s: GitHub is asked first, for free if unchanged")
            }
            Copy { fresh_seconds, .. } => format!("fresh for another {fresh_seconds} s"),
        };
        let copies = match (self.copies_count, self.domains_count) {
            (1, _) => "one copy".to_owned(),
            (copies, 1) => format!("{copies} copies for one set of credentials"),
            (copies, domains) => format!("{copies} copies for {domains} sets of credentials"),
        };
        let age = youngest.age_seconds;
        format!("{copies}; the youngest, from {from}, is {age} s old and {state}")
    }
}

/// Longest path, in bytes: what GitHub and the doors take.
const PATH_BYTES_MAX: usize = 8_000;
