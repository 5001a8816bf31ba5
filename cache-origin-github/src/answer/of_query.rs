//! What becomes of a whole answer to a GraphQL query.
//!
//! It has no validators, so it is kept for a lifetime or not at all. What is not kept is told to all that wait for it, errors
//! and faults as well: the query is not put again for their sake.

use super::Answer;
use crate::{graphql, quota};
use cache_core::{Audience, Content, Draft, Fetched, Headers, Validators, freshness::Freshness};
use http::StatusCode;

impl Answer<'_> {
    /// What the engine is told of an answer that may be kept as `freshness` says, if at all.
    pub(crate) fn judge_query(self, freshness: Option<Freshness>) -> Fetched {
        let (status, headers) = (self.head.status, &self.head.headers);
        if quota::is_throttled(status, headers, &self.body) || graphql::is_throttled(status, &self.body) {
            return Fetched::Throttled {
                retry_after: quota::retry_after(headers, self.circumstances.now),
                shortage: quota::shortage(headers),
                content: self.content(),
            };
        }
        let terms = self.terms();
        let content = self.kept();
        if status.is_success() && self.circumstances.findings(&content).credential {
            return self.hand_on_to(Audience::Leader);
        }
        let respects = self.circumstances.respect_max_age;
        let forbids = terms.no_store || (respects && terms.no_cache);
        let freshness = freshness.filter(|_| status == StatusCode::OK && self.is_storable() && !forbids);
        let allowed = terms.lifetime.filter(|_| respects);
        let age = self.age(&terms);
        match freshness {
            Some(Freshness { lifetime, while_revalidating, if_error })
                if allowed.map_or(lifetime, |allowed| lifetime.min(allowed)) > age =>
            {
                let lifetime = allowed.map_or(lifetime, |allowed| lifetime.min(allowed));
                Fetched::Fresh(Draft {
                    age,
                    content: without_validators(content),
                    freshness: Freshness { lifetime, while_revalidating, if_error },
                    validators: Validators::default(),
                })
            }
            // What is refused to one of several credentials the next may be granted.
            Some(_) | None if self.circumstances.named && status.is_client_error() => {
                self.hand_on_to(Audience::Leader)
            }
            Some(_) | None => self.hand_on_to(Audience::Fleet),
        }
    }
}

/// The origin gives none to queries; a proxy on the way there may.
fn without_validators(content: Content) -> Content {
    let stay = content.headers.iter().filter(|(name, _)| !["etag", "last-modified"].contains(name));
    Content { headers: Headers::from_fields(stay), ..content }
}
