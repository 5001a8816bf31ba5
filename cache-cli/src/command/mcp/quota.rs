//! The tool `quota`.

use super::tool::{Asked, Refused, Tool, bounded, shown};
use crate::{
    admin::AllowanceLine,
    command::quota::{forecast, now},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Which rate limits to show; without both, all.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Quota {
    /// Show only rate limits with this name, such as core, search or graphql.
    #[serde(default, deserialize_with = "bounded::<_, NAME_BYTES_MAX>")]
    #[schemars(length(max = 100))]
    resource: Option<String>,
    /// Show only payers whose name contains this.
    #[serde(default, deserialize_with = "bounded::<_, NAME_BYTES_MAX>")]
    #[schemars(length(max = 100))]
    payer: Option<String>,
}

/// How rate limits stand, as far as any machine of the fleet has seen.
#[derive(JsonSchema, Serialize)]
pub(super) struct Quotas {
    /// Those with the latest news first, 50 at most.
    quotas: Vec<Allowance>,
    /// How many are left out.
    left_out: usize,
}

#[derive(JsonSchema, Serialize)]
struct Allowance {
    /// Whose it is: digits that stand for a credential, behind the operator's name for it if there is one; or anonymous.
    payer: String,
    /// Other credentials that draw on the same rate limit.
    shared_with: Vec<String>,
    /// Which rate limit it is, such as core, search or graphql.
    resource: String,
    /// Calls or points that a window allows.
    limit: u64,
    used: u64,
    remaining: u64,
    /// Seconds until the window ends and all is there again; 0 if it has ended.
    resets_in_seconds: u64,
    /// Calls an hour of late, of all that share it; null if that cannot be told yet.
    per_hour: Option<u64>,
    /// In how many seconds nothing will be left at that rate; null if the window ends before.
    gone_in_seconds: Option<u64>,
    /// For how many seconds no call is made; null if calls are made.
    paused_for_seconds: Option<u64>,
    /// Why: `window` if it is spent, `pace` if GitHub said that the payer calls too often.
    paused_by: Option<String>,
    /// The outlook in words.
    forecast: String,
}

/// What of the daemon's counts tells of rate limits.
#[derive(Deserialize)]
pub(super) struct Stats {
    pub(super) origin: Origin,
}

#[derive(Deserialize)]
pub(super) struct Origin {
    pub(super) quotas: Vec<AllowanceLine>,
}

impl Tool for Quota {
    const NAME: &'static str = "quota";
    const TITLE: &'static str = "How the quota stands";
    const DESCRIPTION: &'static str = "Shows how GitHub's rate limits stand for each payer over the whole fleet: used, \
        left, when the window ends, how fast it is being spent, when it will be gone, and whether calls are paused. Ask \
        it before many API calls. Costs no quota.";
    type Told = Quotas;

    async fn ask(self, cache_dir: &Path) -> Result<Asked, Refused> {
        let Stats { origin } = shown(cache_dir, "/stats").await?;
        let is_meant = |line: &&AllowanceLine| {
            self.resource.as_ref().is_none_or(|resource| line.resource == *resource)
                && self.payer.as_ref().is_none_or(|payer| line.domain.contains(payer.as_str()))
        };
        let now = now();
        let quotas = origin.quotas.iter().rev().filter(is_meant).map(|line| Allowance::of(line, now));
        let mut quotas: Vec<Allowance> = quotas.collect();
        let left_out = quotas.len().saturating_sub(SHOWN_MAX);
        quotas.truncate(SHOWN_MAX);
        let text = in_words(&quotas);
        Asked::new(&Quotas { quotas, left_out }, text)
    }
}

impl Allowance {
    fn of(line: &AllowanceLine, now: u64) -> Self {
        let left = |moment: u64| moment.saturating_sub(now);
        let pause = line.paused_until.filter(|until| *until > now);
        Self {
            payer: line.domain.clone(),
            shared_with: line.also.clone(),
            resource: line.resource.clone(),
            limit: line.limit,
            used: line.used,
            remaining: line.remaining,
            resets_in_seconds: left(line.reset),
            per_hour: line.per_hour,
            gone_in_seconds: line.spent_at.map(left),
            paused_for_seconds: pause.map(left),
            paused_by: pause.and(line.paused_by.clone()),
            forecast: forecast(line, now),
        }
    }
}

fn in_words(quotas: &[Allowance]) -> String {
    if quotas.is_empty() {
        return "no call to the API has shown such a rate limit yet, here or at any member".to_owned();
    }
    let line = |quota: &Allowance| {
        let Allowance { payer, resource, limit, remaining, forecast, .. } = quota;
        format!("{payer} {resource}: {remaining} of {limit} left; {forecast}")
    };
    quotas.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Most rate limits that are shown.
const SHOWN_MAX: usize = 50;
/// Longest name to look for, in bytes.
const NAME_BYTES_MAX: usize = 100;
