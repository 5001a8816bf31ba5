//! The gate: whether the kept answer to a query still holds, as REST resources tell that cover it.
//!
//! The origin is asked about those resources as any client would be, through the cache: what is unchanged costs no quota,
//! and whatever asks about the same resource within one lifetime shares the answer. If they show what they showed when the
//! query was put, its answer still holds, and costs no points.
//!
//! A change reaches the two APIs of an origin at different moments. So the first answer after a change is not believed
//! alone: the query is put once more when its lifetime is over. And no shape of query is believed before its answers were
//! the same twice where the resources were; if they were not for the second time, it never is again.

mod learnt;
mod mark;

use super::cover::{Cover, Source, State};
use crate::{GitHub, Planned, Question};
use cache_core::{Draft, Entry, Fetched, Timestamp, Validators, freshness};
use learnt::Trust;
pub(crate) use learnt::{Gates, Place};
use mark::Mark;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::{collections::VecDeque, time::Duration};
use tracing::warn;

/// One time of asking whether an answer holds. [`Gate::name_next`] says what to ask for, and [`Gate::see`] is told what it
/// shows.
#[derive(Debug)]
pub struct Gate {
    place: Place,
    shape: u64,
    has_settings: bool,
    left: VecDeque<Wanted>,
    asked: Option<Wanted>,
    head: Option<String>,
    shown: Sha256,
    lifetime: Duration,
    /// How long ago the query may have been put last.
    held_max: Duration,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wanted {
    CheckRuns,
    Source(Source),
    Statuses,
}

impl GitHub {
    /// The gate before asking the origin `question` again, of which `own` is the last answer; `None` if there is none: it
    /// is no query, not all of it is covered, the origin is still working something out, or nobody has asked for it lately.
    pub fn gate(&self, question: &Question, own: &Entry, now: Timestamp) -> Option<Gate> {
        let query = question.graphql()?;
        if freshness::age(own, now) > IDLE_MAX {
            return None;
        }
        let (reading, shape) = (query.reading.as_ref()?, query.shape);
        let cover = reading.cover.as_ref()?;
        let lifetimes = question.rules.lifetimes_of_queries()?;
        let held_max = lifetimes.gate()?;
        if self.gates().trust(shape) == Trust::Dropped
            || self.gates().is_paused(question.payer(), query.short_digest(), now)
        {
            return None;
        }
        let place = self.gates().place(&reading.subject)?;
        let lifetime = query.settled_lifetime(lifetimes, &own.content().body)?;
        let held_max = if cover.has_settings { held_max.min(SETTINGS_MAX) } else { held_max };
        let gate = Gate::new(place, cover, shape, (lifetime, held_max));
        self.gates().may_look(question.payer(), gate.left.len(), now).then_some(gate)
    }

    /// Notes that what covers the answer to `question` could not be looked at, so that it is not tried again at once: it may
    /// have cost a call each time.
    pub fn pause_gate(&self, question: &Question, now: Timestamp) {
        if let Some(query) = question.graphql() {
            let until = now.saturating_add(PAUSE);
            self.gates().pause(question.payer(), query.short_digest(), until);
        }
    }

    /// What becomes of `own`, which was put through `gate` by looking at resources of up to the `age`: it holds, and here
    /// it is renewed; or `None`, and the origin is to be asked.
    pub fn holds(&self, gate: &Gate, own: &Entry, age: Duration, now: Timestamp) -> Option<Fetched> {
        let mark = Mark::of(own)?;
        let holds = mark.is_settled
            && mark.shown == gate.shown()
            && self.gates().is_believed(gate.shape)
            // After the clock was set back nobody knows how long ago that was.
            && mark.asked <= now
            && now.saturating_since(mark.asked) <= gate.held_max;
        holds.then(|| {
            self.counters().count_held();
            Fetched::NotModified(Draft {
                content: own.content().clone(),
                freshness: freshness::Freshness { lifetime: gate.lifetime, ..own.freshness() },
                validators: own.validators().clone(),
                age,
            })
        })
    }

    /// Notes what the origin has answered after `own` was put through `gate` by looking at resources of up to the `age`, and did
    /// not hold; and marks what is kept of it with what the gate was shown.
    pub fn answered_behind(
        &self,
        gate: &Gate,
        own: &Entry,
        fetched: &mut Fetched,
        (age, now): (Duration, Timestamp),
    ) {
        let Fetched::Fresh(draft) = fetched else { return };
        let shown = gate.shown();
        let same = draft.content.body == own.content().body;
        let before = Mark::of(own).filter(|mark| mark.shown == shown);
        // Two answers of one moment agree though both may lag behind the resources.
        let apart = gate.lifetime.min(APART);
        let is_apart = |before: &Mark| before.asked <= now && now.saturating_since(before.asked) >= apart;
        let mut mark = Mark { is_settled: false, shown, asked: now };
        match before {
            Some(before) if same && is_apart(&before) => {
                self.gates().agree(gate.shape);
                mark.is_settled = true;
            }
            Some(before) if same => mark = before,
            Some(before) if before.is_settled && !gate.has_settings && age <= LOOKED_NOW => {
                if self.gates().differ(gate.shape) {
                    self.counters().count_dropped_shape();
                    warn!(
                        shape = format_args!("{:016x}", gate.shape),
                        "answers to GraphQL changed that the REST resources did not show; their like is asked for each time"
                    );
                    return;
                }
            }
            Some(_) | None => {}
        }
        draft.validators = Validators { etag: Some(mark.to_string().into()), ..Validators::default() };
    }

    /// Notes what the ids stand for that `entry` tells, with which a request was answered that was `planned`, each entry
    /// once.
    pub fn learn_ids(&self, planned: &Planned, entry: &Entry) {
        let Some(query) = &planned.graphql else { return };
        let about = format!("{}@{}", entry.key().as_str(), entry.born().as_unix_millis());
        if !self.gates().is_new(&about) {
            return;
        }
        if let Some(reading) = &query.reading {
            self.gates().learn(reading, &entry.content().body);
        }
    }
}

impl Gate {
    fn new(place: Place, cover: &Cover, shape: u64, (lifetime, held_max): (Duration, Duration)) -> Self {
        let mut left = VecDeque::new();
        for source in &cover.sources {
            if let Source::Checks(number) = *source {
                // What the head is, the pull request tells.
                left.push_front(Wanted::Source(Source::Pull(number)));
                left.extend([Wanted::CheckRuns, Wanted::Statuses]);
            } else if !left.contains(&Wanted::Source(*source)) {
                left.push_back(Wanted::Source(*source));
            }
        }
        Self {
            place,
            shape,
            has_settings: cover.has_settings,
            left,
            asked: None,
            head: None,
            shown: Sha256::new(),
            lifetime,
            held_max,
        }
    }

    /// The resource to ask for next, as path and query; `None` when all were.
    pub fn name_next(&mut self) -> Option<String> {
        let wanted = self.left.pop_front()?;
        self.asked = Some(wanted);
        let Place { repository, number } = &self.place;
        let of = |given: Option<u64>| given.or(*number).map(|number| number.to_string());
        let (part, query) = match wanted {
            Wanted::CheckRuns => (format!("/commits/{}/check-runs", self.head.as_deref()?), A_HUNDRED_OF_ALL),
            Wanted::Statuses => (format!("/commits/{}/status", self.head.as_deref()?), A_HUNDRED),
            Wanted::Source(source) => match source {
                Source::Checks(_) => return None,
                Source::Comments(given) => (format!("/issues/{}/comments", of(given)?), A_HUNDRED),
                Source::Issue(given) => (format!("/issues/{}", of(given)?), ""),
                Source::Issues(state) => (format!("/issues?state={}&per_page=100", state.name()), ""),
                Source::Pull(given) => (format!("/pulls/{}", of(given)?), ""),
                Source::Pulls(state) => (format!("/pulls?state={}&per_page=100", state.name()), ""),
                Source::Releases => ("/releases".to_owned(), A_HUNDRED),
                Source::Repository => (String::new(), ""),
                Source::Reviews(given) => (format!("/pulls/{}/reviews", of(given)?), A_HUNDRED),
            },
        };
        Some(format!("/repos/{repository}{part}{query}"))
    }

    /// Whether [`Self::name_next`] has named all that is to be asked for.
    pub fn is_through(&self) -> bool {
        self.left.is_empty()
    }

    /// For how long what it looks at may be served without asking the origin.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Looks at a whole answer of status 200 to what was named last. Returns whether it shows all that it is asked for.
    pub fn see(&mut self, body: &[u8]) -> bool {
        let Some(asked) = self.asked.take() else { return false };
        self.shown.update((body.len() as u64).to_le_bytes());
        self.shown.update(body);
        match asked {
            Wanted::CheckRuns | Wanted::Statuses => counted(body).is_some_and(|count| count <= PAGE),
            Wanted::Source(Source::Pull(_)) => {
                self.head = head_of(body);
                self.head.is_some()
            }
            Wanted::Source(Source::Issue(_) | Source::Repository) => true,
            Wanted::Source(
                Source::Checks(_)
                | Source::Comments(_)
                | Source::Issues(_)
                | Source::Pulls(_)
                | Source::Releases
                | Source::Reviews(_),
            ) => {
                serde_json::from_slice::<Vec<&RawValue>>(body).is_ok_and(|items| (items.len() as u64) < PAGE)
            }
        }
    }

    fn shown(&self) -> [u8; 16] {
        let mut shown = [0; 16];
        shown.copy_from_slice(&self.shown.clone().finalize()[..16]);
        shown
    }
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }
}

/// The commit that a pull request ends in.
fn head_of(pull: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Pull {
        head: Head,
    }
    #[derive(Deserialize)]
    struct Head {
        sha: String,
    }
    let sha = serde_json::from_slice::<Pull>(pull).ok()?.head.sha;
    sha.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(sha)
}

/// How many items there are of which `page` shows the first.
fn counted(page: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Page {
        total_count: u64,
    }
    Some(serde_json::from_slice::<Page>(page).ok()?.total_count)
}

/// The most items that a page of a REST list has.
const PAGE: u64 = 100;
const A_HUNDRED: &str = "?per_page=100";
/// Without it the list leaves out runs of a check that were repeated, which GraphQL shows.
const A_HUNDRED_OF_ALL: &str = "?filter=all&per_page=100";
/// How far apart two answers must be that are to agree, if their lifetime is not shorter: GitHub's replicas are seldom
/// further apart.
const APART: Duration = Duration::from_secs(10);
/// What was looked at within so long was looked at now, as far as it matters for what the origin answers next.
const LOOKED_NOW: Duration = Duration::from_millis(1500);
/// An answer that nobody has asked for in so long is asked for again without a gate: its resources would cost calls of
/// their own, and nothing says that anybody will ask a third time.
const IDLE_MAX: Duration = Duration::from_secs(600);
/// Longest time for which an answer holds that depends on settings that no resource shows.
const SETTINGS_MAX: Duration = Duration::from_secs(300);
/// For how long a query is put without a gate once what covers it could not be looked at: it is not kept, its list is too
/// long, or it was not there in time.
const PAUSE: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests;
