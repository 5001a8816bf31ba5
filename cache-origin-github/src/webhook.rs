//! What GitHub says by a webhook, and which answers that ends.
//!
//! Of a payload only the names of what it is about are read: what changed is the origin's to say. So a delivery that is
//! late, or comes twice, can cost calls and never makes an answer wrong.

mod payload;
mod secret;
mod table;
#[cfg(test)]
mod tests;

pub use secret::{SECRET_BYTES_MIN, WebhookSecret, WebhookSecretError};

use crate::{
    GitHub,
    touch::{Subject, effect_of_event},
};
use cache_core::{Reach, Scope};
use payload::{Payload, Repository};
use std::collections::BTreeSet;

/// What an event ends.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "an event is either known or not")]
pub enum Event {
    /// The event is in the table: this is to be forgotten, doubted and settled. Nothing, if it changes nothing that is kept.
    Known(Reach),
    /// It is not, or this node needs nothing of it: GitHub has more events than a cache has use for.
    Unknown,
}

/// The payload is not JSON, or does not name what it is about as GitHub does. Nothing was changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the payload is not that of an event of GitHub's")]
#[non_exhaustive]
pub struct PayloadError;

impl GitHub {
    /// What `event` (`X-GitHub-Event`) with this `payload` ends, in every domain, as a write of the same kind would; after
    /// one that changes what somebody may read, all of the repositories or accounts concerned.
    ///
    /// Whether the payload is genuine is not looked at: [`WebhookSecret::signed`] tells.
    ///
    /// ```
    /// # use {cache_core::{Domain, Key, Manner}, cache_origin_github::{Event, GitHub}};
    /// let github = GitHub::builder().build()?;
    /// let payload = br#"{"ref": "refs/heads/main", "repository": {"id": 17, "full_name": "acme/site"}}"#;
    /// let Event::Known(reach) = github.ended_by_event("push", payload)? else { panic!() };
    /// let commits = Key::new("api.github.com/repos/acme/site/commits json", Domain::ANONYMOUS);
    /// assert_eq!(reach.manner(&commits, 200), Some(Manner::Forget));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`PayloadError`] if the payload of a known event cannot be read.
    pub fn ended_by_event(&self, event: &str, payload: &[u8]) -> Result<Event, PayloadError> {
        if !table::knows(event) {
            return Ok(Event::Unknown);
        }
        let payload = Payload::read(payload)?;
        let Some(row) = table::row(event, payload.action()) else { return Ok(Event::Unknown) };
        if row.is_without_effect() {
            return Ok(Event::Known(Reach::default()));
        }
        let is_of_account = row.is_of_account() || payload.is_of_many();
        let mut subjects = subjects(&payload, is_of_account)?;
        if subjects.is_empty() {
            if row.needs_names() {
                return Err(PayloadError);
            }
            subjects.push(Subject::default());
        }
        let mut effects = Reach::default();
        for subject in &subjects {
            let all_of_account = is_of_account.then_some(&"@account");
            let touched = row.touched.iter().chain(all_of_account);
            effects.absorb(self.reach_of(effect_of_event(row.writes, touched, subject)));
        }
        let named: BTreeSet<Box<str>> = subjects.iter().filter_map(Subject::repository).collect();
        let repositories = (!is_of_account && !named.is_empty()).then_some(named);
        let answers = self.answers_of(repositories.as_ref().map(|all| all.iter().map(|name| &**name)));
        effects.forgotten.extend(answers);
        effects.forgotten.push(Scope::Signposts { prefix: format!("{}/", self.origin().host()).into() });
        Ok(Event::Known(effects.settling(self.rules().settle)))
    }
}

/// What the event is about: each repository that `payload` names, under its old name as well, or the account.
fn subjects(payload: &Payload, is_of_account: bool) -> Result<Vec<Subject>, PayloadError> {
    let account = payload.account();
    let of_repository = |repository: &Repository| {
        let (owner, name) = repository.names().ok_or(PayloadError)?;
        Subject::of_repository((owner, name), repository.id, account.unwrap_or(owner)).ok_or(PayloadError)
    };
    let repositories = if is_of_account { Vec::new() } else { payload.repositories() };
    let mut subjects: Vec<Subject> = repositories.iter().map(of_repository).collect::<Result<_, _>>()?;
    let former = payload.former_account();
    for account in former.as_deref().into_iter().chain(account.filter(|_| subjects.is_empty())) {
        subjects.push(Subject::of_account(account).ok_or(PayloadError)?);
    }
    Ok(subjects)
}
