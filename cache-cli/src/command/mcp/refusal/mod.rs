//! The tool `why_refused`: what an answer says of itself, beside what the daemon knows.

mod answer;
mod holds;
mod verdict;

use super::{
    kept,
    quota::Stats,
    tool::{Asked, Refused, Tool, bounded, shown},
};
use crate::{command::quota::now, settings::Report};
use answer::Answer;
use holds::{Class, Hold, holds, reserves};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path};
use verdict::{Situation, Verdict};

/// Its arguments; at least one of them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WhyRefused {
    /// The status of the answer, such as 403.
    #[serde(default)]
    #[schemars(range(min = 100, max = 599))]
    status: Option<u16>,
    /// Headers of the answer. Only Cache-Status, Retry-After and X-RateLimit-* are looked at.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The path that was asked for, such as /search/issues?q=x.
    #[serde(default, deserialize_with = "bounded::<_, 8000>")]
    #[schemars(length(max = 8000))]
    path: Option<String>,
    /// The X-Fleet-Priority of the request; normal if it had none and no rule gives its path another.
    #[serde(default)]
    priority: Option<Class>,
}

/// Why the request was refused, and what to do.
#[derive(JsonSchema, Serialize)]
pub(super) struct Explanation {
    verdict: Verdict,
    /// What happened, in a sentence or two.
    explanation: String,
    /// How many seconds to wait before the request can succeed; null if waiting does not help, or nobody knows.
    wait_seconds: Option<u64>,
    /// When that is, in seconds since 1970.
    until: Option<u64>,
    /// The rate limit in question, such as core.
    resource: Option<String>,
    /// What to do, the best first.
    remedies: Vec<String>,
    /// What holds calls back now that may concern the request, 16 at most. Payers are digits that stand for credentials.
    holds: Vec<Hold>,
}

impl Tool for WhyRefused {
    const NAME: &'static str = "why_refused";
    const TITLE: &'static str = "Why a request was refused";
    const DESCRIPTION: &'static str = "Explains why a GitHub API request through Fleet Cache was refused or answered \
        stale: which rate limit, reserve or pause holds it, until when, and what to do. Give the status and the headers \
        of the answer (Cache-Status, Retry-After, X-RateLimit-*), or the path alone to learn what would hold it now. \
        Never give an Authorization header. Costs no quota.";
    type Told = Explanation;

    async fn ask(self, cache_dir: &Path) -> Result<Asked, Refused> {
        let answer = self.answer()?;
        let resource = match (&answer.resource, self.path) {
            (Some(resource), _) => Some(resource.clone()),
            (None, Some(path)) => kept::of_path(cache_dir, path).await?.resource,
            (None, None) => None,
        };
        let (stats, report): (Stats, Report) =
            (shown(cache_dir, "/stats").await?, shown(cache_dir, "/config").await?);
        let now = now();
        let reserves = reserves(&report);
        let holds = holds(&stats.origin.quotas, reserves, (resource.as_deref(), answer.reset), now);
        let situation = Situation { answer, class: self.priority, resource, holds, now };
        let told = situation.explained();
        let wait = told.wait_seconds.map(|wait| format!(" Wait {wait} s.")).unwrap_or_default();
        let text = format!("{}{wait} {}", told.explanation, told.remedies.join(" "));
        Asked::new(&told, text.trim_end())
    }
}

impl WhyRefused {
    fn answer(&self) -> Result<Answer, Refused> {
        let refused = |what: String| Err(Refused::Arguments { what });
        if self.status.is_none() && self.headers.is_empty() && self.path.is_none() {
            return refused("give at least one of `status`, `headers` and `path`".to_owned());
        }
        if self.status.is_some_and(|status| !(100..=599).contains(&status)) {
            return refused("`status` is from 100 to 599".to_owned());
        }
        if self.headers.len() > HEADERS_MAX {
            return refused(format!("`headers` has more than {HEADERS_MAX} fields"));
        }
        Ok(Answer::read(self.status, &self.headers))
    }
}

/// Most headers of an answer: GitHub's have some thirty.
const HEADERS_MAX: usize = 100;
