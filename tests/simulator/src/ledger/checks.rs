//! Whether an answer may be what it is.

use super::{Asked, Fact, Ledger, Means, ROUNDING, Rule, Wanted};
use crate::{node::Node, origin::body_begins};
use cache_core::{
    Content, Entry, Outcome, RequestId, Served, Source, StaleReason,
    freshness::{Directives, Freshness},
};
use std::{fmt, time::Duration};

/// When and where a request is answered.
pub(crate) struct Circumstances<'a> {
    pub(crate) node: &'a Node,
    pub(crate) now: Duration,
    /// Time that the settings grant every request.
    pub(crate) request_timeout: Duration,
    /// What is granted to entries from peers.
    pub(crate) lifetime_max: Duration,
    /// Whose refusal the node is hearing at this moment.
    pub(crate) refused: Option<RequestId>,
}

type Checked<T> = Result<T, (Rule, String)>;

impl Ledger {
    /// Takes `request`, which ends with `ending`, off the books. Returns what it was.
    pub(crate) fn take(
        &mut self,
        (node, now, request_timeout): (&Node, Duration, Duration),
        request: RequestId,
        ending: &dyn fmt::Debug,
    ) -> Checked<Asked> {
        let asked = self.requests.remove(&request);
        let asked = asked
            .ok_or_else(|| (Rule::AnsweredOnce, format!("{request:?} waits for nothing: {ending:?}")))?;
        if asked.node != node.number {
            return Err((
                Rule::AnsweredOnce,
                format!("{request:?} of {} is answered by {}", asked.node, node.number),
            ));
        }
        let until = asked.at + request_timeout + (node.held_up - asked.held_up) + 2 * ROUNDING;
        if now > until {
            return Err((Rule::Deadline, format!("{request:?} took {:?}", now - asked.at)));
        }
        Ok(asked)
    }

    /// Notes how `request` ends. Returns what it was and how old the answer is.
    pub(crate) fn complete(
        &mut self,
        circumstances: &Circumstances<'_>,
        request: RequestId,
        outcome: &Outcome,
    ) -> Checked<(Asked, Option<Duration>)> {
        let Circumstances { node, now, request_timeout, .. } = *circumstances;
        let asked = self.take((node, now, request_timeout), request, outcome)?;
        if circumstances.refused == Some(request) && !matches!(outcome, Outcome::Relayed { .. }) {
            let text = format!("{request:?} was refused and is told {outcome:?}");
            return Err((Rule::WrongAudience, text));
        }
        let age = match (asked.wanted, outcome) {
            (Wanted::Entry { key, directives, .. }, Outcome::Answered { entry, served }) => {
                Some(self.check_answer(circumstances, &asked, key, &directives, entry, *served)?)
            }
            (Wanted::PeersEntry { key }, Outcome::Answered { entry, served }) => {
                Some(self.check_answer(circumstances, &asked, key, &Directives::default(), entry, *served)?)
            }
            (Wanted::Entry { key, directives, .. }, Outcome::Relayed { content, .. }) => {
                self.check_relayed(request, &asked, key, content)?;
                if directives.only_if_cached {
                    return Err((Rule::WrongOutcome, format!("{request:?} forbids asking the origin")));
                }
                None
            }
            (Wanted::Entry { directives, .. }, Outcome::Absent) if directives.only_if_cached => None,
            (Wanted::Entry { directives, .. }, Outcome::Pass) if !directives.only_if_cached => None,
            (Wanted::PeersEntry { .. }, Outcome::Absent)
            | (Wanted::Entry { .. } | Wanted::PeersEntry { .. }, Outcome::Failed(_)) => None,
            (wanted, outcome) => return Err((Rule::WrongOutcome, format!("{wanted:?} ends as {outcome:?}"))),
        };
        Ok((asked, age))
    }

    fn check_answer(
        &self,
        circumstances: &Circumstances<'_>,
        asked: &Asked,
        key: usize,
        directives: &Directives,
        entry: &Entry,
        served: Served,
    ) -> Checked<Duration> {
        if *entry.key() != self.keys[key] {
            return Err((Rule::WrongKey, format!("{:?} for {:?}", entry.key(), self.keys[key])));
        }
        let (number, fact) = self.check_fact(asked, key, entry.content())?;
        if !matches!(fact.means, Means::Entry | Means::Put) {
            return Err((Rule::WrongAudience, format!("{fact:?} is no entry")));
        }
        let age = circumstances.now - fact.at;
        let error = self.error(circumstances.node.number, number) + self.misdated + 2 * ROUNDING;
        let most = longest_age(&fact.freshness, directives, served);
        if most.is_some_and(|most| age > most.saturating_add(error)) {
            let text = format!("{entry:?} is served {served:?} at the age of {age:?}, error {error:?}");
            return Err((Rule::TooOld, text));
        }
        if fact.at + self.misdated < asked.floor.doubted && !stands_in(served) {
            let text = format!("{fact:?} answers {asked:?} by {served:?}, though it was in doubt");
            return Err((Rule::Doubted, text));
        }
        if directives.no_cache && fact.at < asked.at {
            return Err((Rule::TooOld, format!("{fact:?} answers no-cache of {:?} by {served:?}", asked.at)));
        }
        let granted = entry.freshness();
        if entry.source() == Source::Peer && granted.lifetime > circumstances.lifetime_max {
            return Err((Rule::TooOld, format!("{entry:?} of a peer was granted {:?}", granted.lifetime)));
        }
        if granted.lifetime > fact.freshness.lifetime || granted.if_error > fact.freshness.if_error {
            return Err((Rule::TooOld, format!("{entry:?} was granted more than {fact:?}")));
        }
        Ok(age)
    }

    fn check_relayed(&self, request: RequestId, asked: &Asked, key: usize, content: &Content) -> Checked<()> {
        let (_, fact) = self.check_fact(asked, key, content)?;
        match fact.means {
            Means::RefusalFor(leader) if leader != request => {
                Err((Rule::WrongAudience, format!("{request:?} gets the refusal of {leader:?}")))
            }
            Means::Entry | Means::Put | Means::Refusal | Means::RefusalFor(_) | Means::Unstorable => Ok(()),
        }
    }

    /// What is stated about the right key, and since after the invalidations that the node knew when it was asked.
    fn check_fact(&self, asked: &Asked, key: usize, content: &Content) -> Checked<(u64, Fact)> {
        let stated = self.fact(content);
        let (number, fact) = stated.ok_or_else(|| (Rule::WrongKey, format!("{content:?} states nothing")))?;
        if fact.key != key
            || !is_true(content)
            || !content.body.starts_with(body_begins(fact.source, fact.version).as_bytes())
        {
            return Err((Rule::WrongKey, format!("{fact:?} answers for key {key}")));
        }
        if fact.at < asked.floor.forgotten {
            return Err((Rule::Invalidated, format!("{fact:?} answers {asked:?}")));
        }
        Ok((number, fact))
    }
}

/// Whether the body ends as all true ones do.
fn is_true(content: &Content) -> bool {
    !content.body.ends_with(b"f")
}

/// Whether what is served so takes the place of an origin that fails.
fn stands_in(served: Served) -> bool {
    match served {
        Served::Stale(
            StaleReason::Failed(_)
            | StaleReason::Fault { .. }
            | StaleReason::HeldOff
            | StaleReason::Reserved
            | StaleReason::Throttled,
        ) => true,
        Served::Forwarded(_)
        | Served::Hit
        | Served::Peer
        | Served::Stale(StaleReason::Accepted | StaleReason::WhileRevalidating) => false,
    }
}

/// How old an answer that is served so may be; `None` if the origin has just given it.
pub(crate) fn longest_age(
    freshness: &Freshness,
    directives: &Directives,
    served: Served,
) -> Option<Duration> {
    let grace = match served {
        Served::Forwarded(_) => return None,
        Served::Hit | Served::Peer => {
            return Some(directives.max_age.unwrap_or(Duration::MAX).min(freshness.lifetime));
        }
        Served::Stale(StaleReason::Accepted) if directives.max_stale == Duration::MAX => Duration::MAX,
        Served::Stale(StaleReason::Accepted) => directives.max_stale.min(freshness.if_error),
        Served::Stale(StaleReason::WhileRevalidating) => freshness.while_revalidating,
        Served::Stale(
            StaleReason::Failed(_)
            | StaleReason::Fault { .. }
            | StaleReason::HeldOff
            | StaleReason::Reserved
            | StaleReason::Throttled,
        ) => freshness.if_error,
    };
    Some(freshness.lifetime.saturating_add(grace))
}
