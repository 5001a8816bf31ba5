//! What each credential has shown that it may read, and what it was refused.
//!
//! Where an operator puts several credentials into one domain, they share what is kept, but not what they may read:
//! the origin alone knows that. So a credential may have an entry only if the origin gave it *that very answer*, or
//! said that it still holds, and only for a while. That it may read the repository is not enough: which parts of a
//! repository, and which items of a list, the origin shows differs from one credential to the next.
//!
//! Owns those admissions and refusals, by digests alone. Whether an entry is fresh is not its business.

mod scope;

use crate::{
    Asked, Fetch,
    graphql::ANSWERS_TO_QUERIES,
    remembered::{Age, Remembered},
};
use cache_core::{Content, Domain, Entry, Fetched, Key, Payer, Reader, Refusal, Timestamp};
use http::StatusCode;
use parking_lot::{Mutex, RwLock};
pub(crate) use scope::is_of_applications;
use scope::{is_whole_repository, path_of, scope_of, without_form};
use std::{
    hash::{BuildHasher as _, RandomState},
    num::NonZeroU64,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Which credentials may have which entries, as far as the origin has said so to this node.
#[derive(Debug)]
pub struct Admissions {
    grants: RwLock<Remembered<Grant>>,
    doubts: Mutex<Remembered<Doubted>>,
    /// How many refusals have been noted.
    refusals: AtomicU64,
}

/// How many refusals had been noted when a call began: what it is granted is from before any later one.
#[derive(Clone, Copy, Debug)]
pub struct Since(u64);

/// The origin gave a credential this answer.
#[derive(Clone, Copy, Debug)]
struct Grant {
    /// Which answer it was.
    fingerprint: NonZeroU64,
    /// The repository that it is of, or else the resource.
    scope: u64,
    until: Timestamp,
}

/// What a refusal means for what else is kept of the same scope.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Doubt {
    /// Nothing may be served before the origin has answered the credential again.
    Everything,
    /// What is stale may not be served because the client would take it (`max-stale`).
    Stale,
}

#[derive(Clone, Copy, Debug)]
struct Doubted {
    doubt: Doubt,
    /// The number of the last refusal that it comes from.
    refusal: u64,
}

/// How a request may be answered if nothing fresh in memory answers it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Standing {
    /// As what the engine is to see the reader.
    pub reader: Reader,
    /// Whether the client's `max-stale` counts.
    pub accepts_stale: bool,
}

impl Default for Admissions {
    fn default() -> Self {
        Self {
            grants: RwLock::new(Remembered::new(GRANTS_MAX)),
            doubts: Mutex::new(Remembered::new(DOUBTS_MAX)),
            refusals: AtomicU64::new(0),
        }
    }
}

impl Admissions {
    /// Where a call stands that begins now.
    pub fn now(&self) -> Since {
        Since(self.refusals.load(Ordering::Acquire))
    }

    /// Whether `reader` may be answered with `entry` at `now`, as far as rights go.
    ///
    /// Costs nothing for a reader that has its domain to itself.
    pub fn permit(&self, reader: Reader, entry: &Entry, now: Timestamp) -> bool {
        let Reader::Unproven(payer) = reader else { return true };
        let about = digest(entry.key().as_str());
        let found = self.grants.read().get(payer, about);
        let Some((grant, age)) = found else { return false };
        if grant.until <= now || grant.fingerprint != entry.fingerprint(fingerprint) {
            return false;
        }
        if age == Age::Old {
            self.grants.write().insert(payer, about, grant);
        }
        true
    }

    /// How the origin's earlier refusals to the credential of `payer` bear on its request for `key`, which would
    /// otherwise be seen as that of `reader`.
    pub fn standing(&self, (reader, payer): (Reader, Payer), key: &Key) -> Standing {
        let doubts = self.doubts.lock();
        if doubts.is_empty() {
            return Standing { reader, accepts_stale: true };
        }
        let resource = key.resource();
        let found =
            parts_of(resource).map(|about| doubts.get(payer, about).map(|(doubted, _)| doubted.doubt));
        if found.contains(&Some(Doubt::Everything)) {
            Standing { reader: Reader::Unproven(payer), accepts_stale: false }
        } else {
            Standing { reader, accepts_stale: !found.contains(&Some(Doubt::Stale)) }
        }
    }

    /// Notes the outcome of a call that `payer` made for `key`. If it is the only credential of its domain, returns what
    /// the origin refused to it, if anything.
    ///
    /// `asked_about` is the entry that the origin was asked about, if there was one. What is granted to a call that began
    /// before a refusal counts for nothing, whichever of the two is noted first.
    pub fn note(
        &self,
        (payer, key, since): (Payer, &Key, Since),
        fetch: &Fetch,
        asked_about: Option<&Entry>,
        now: Timestamp,
    ) -> Option<(Domain, Refusal)> {
        let resource = key.resource();
        if let Some(status) = fetch.refused {
            if ends_credential(status, payer, resource) {
                return self.refuse(payer);
            }
            // What was there and is not any more may have been taken from this reader alone, and the rest with it.
            // What never was there says little: files that do not exist are asked for all the time.
            let was_there = asked_about.is_some_and(|entry| entry.content().status < 400);
            let is_taken = was_there || is_whole_repository(resource);
            self.suspect(payer, resource, if is_taken { Doubt::Everything } else { Doubt::Stale });
            if !matches!(fetch.fetched, Fetched::Fresh(_)) {
                // No absence is kept that would stand before what others bring.
                self.doubt(payer, digest(path_of(resource)), Doubt::Everything);
            }
            let refusal = if is_taken {
                Refusal::Read { prefixes: prefixes_of(resource) }
            } else {
                let representations: Box<str> = format!("{} ", without_form(resource)).into();
                Refusal::ReadOf {
                    forms: [representations.clone()].into(),
                    prefixes: [representations].into(),
                }
            };
            return of_own(payer, key.domain(), refusal);
        }
        if let Some((content, lifetime)) = granted(&fetch.fetched) {
            let scope = scope_of(resource);
            if !self.pardon(payer, resource, since) {
                return None;
            }
            if payer != Payer::from(key.domain()) {
                let until = now.saturating_add(lifetime);
                let grant = Grant { fingerprint: fingerprint(content), scope: digest(scope), until };
                self.grants.write().insert(payer, digest(key.as_str()), grant);
            }
        }
        None
    }

    /// Notes that the origin refused with `status` what was `asked` in a call that passed the cache by. Returns the
    /// same as [`note`](Self::note).
    ///
    /// What such a call is granted says nothing: it may not even be for something that is kept.
    pub fn note_passed(&self, asked: &Asked, status: StatusCode) -> Option<(Domain, Refusal)> {
        let payer = asked.readers.payer;
        let resource = asked.resource.as_deref().unwrap_or_default();
        if ends_credential(status, payer, resource) {
            return self.refuse(payer);
        }
        if !asked.is_read && payer == Payer::HOST {
            // Nothing can be changed without a credential, whatever can be read.
            return None;
        }
        let prefixes = prefixes_of(asked.resource.as_deref()?);
        let refusal = if !asked.is_read {
            // Many may read what they may not change.
            self.suspect(payer, resource, Doubt::Stale);
            Refusal::Change { prefixes }
        } else if is_whole_repository(resource) {
            self.suspect(payer, resource, Doubt::Everything);
            Refusal::Read { prefixes }
        } else {
            self.suspect(payer, resource, Doubt::Stale);
            self.doubt(payer, digest(resource), Doubt::Everything);
            Refusal::ReadOf { forms: [" ", "?"].map(|end| [resource, end].concat().into()).into(), prefixes }
        };
        of_own(payer, asked.readers.domain, refusal)
    }

    /// Notes that the origin does not know the credential of `payer`. What is kept for it alone is to be forgotten,
    /// in whatever domain others have it too.
    fn refuse(&self, payer: Payer) -> Option<(Domain, Refusal)> {
        self.doubt(payer, EVERYTHING, Doubt::Everything);
        self.grants.write().remove_all(payer);
        Some((Domain::from_bytes(*payer.as_bytes()), Refusal::Credential))
    }

    /// Marks everything of one scope with `resource`, so that the origin is asked about it before it is served to
    /// `payer`.
    fn suspect(&self, payer: Payer, resource: &str, doubt: Doubt) {
        let scope = digest(scope_of(resource));
        self.doubt(payer, scope, doubt);
        self.grants.write().retain(payer, |grant| grant.scope != scope);
    }

    fn doubt(&self, payer: Payer, about: u64, doubt: Doubt) {
        let mut doubts = self.doubts.lock();
        let refusal = self.refusals.fetch_add(1, Ordering::AcqRel) + 1;
        let before = doubts.get(payer, about).map(|(doubted, _)| doubted.doubt);
        let doubt = if before == Some(Doubt::Everything) { Doubt::Everything } else { doubt };
        doubts.insert(payer, about, Doubted { doubt, refusal });
    }

    /// Ends what is doubted of `resource` and by what it is a part of, since the origin has granted it to a call that
    /// began at `since`; unless some was refused later. Returns whether the grant counts.
    fn pardon(&self, payer: Payer, resource: &str, since: Since) -> bool {
        let mut doubts = self.doubts.lock();
        if doubts.is_empty() {
            return true;
        }
        let parts = parts_of(resource);
        let is_from_before =
            |about| doubts.get(payer, about).is_some_and(|(doubted, _)| doubted.refusal > since.0);
        if parts.into_iter().any(is_from_before) {
            return false;
        }
        parts.into_iter().for_each(|about| doubts.remove(payer, about));
        true
    }
}

/// The answer by which the origin lets a credential read, and for how long it is fresh from now on.
fn granted(fetched: &Fetched) -> Option<(&Content, Duration)> {
    let (content, lifetime) = match fetched {
        Fetched::Fresh(draft) | Fetched::NotModified(draft) | Fetched::Proven(draft) => {
            let lifetime = draft.freshness.lifetime.min(ADMISSION_MAX);
            // The call has taken some of it.
            (&draft.content, lifetime.saturating_sub(draft.age))
        }
        Fetched::Unstorable { content, .. } => (content, Duration::ZERO),
        Fetched::Failed(_)
        | Fetched::Fault { .. }
        | Fetched::Oversize
        | Fetched::Spent(..)
        | Fetched::Throttled { .. } => return None,
    };
    matches!(content.status, 200..=299 | 301 | 302 | 307 | 308).then_some((content, lifetime))
}

/// Whether a refusal by `status` means whatever its credential asks for. Some routes want another kind of credential, and
/// say so to a valid one in the same words.
fn ends_credential(status: StatusCode, payer: Payer, resource: &str) -> bool {
    status == StatusCode::UNAUTHORIZED && payer != Payer::HOST && !is_of_applications(resource)
}

/// `refusal`, where `domain` is of one credential: what others may read stays theirs.
fn of_own(payer: Payer, domain: Domain, refusal: Refusal) -> Option<(Domain, Refusal)> {
    (payer == Payer::from(domain)).then_some((domain, refusal))
}

/// How whatever is of one scope with `resource` begins. Answers to queries may be of any.
fn prefixes_of(resource: &str) -> Vec<Box<str>> {
    let scope = scope_of(resource);
    let host = scope.split('/').next().unwrap_or_default();
    let own = [" ", "?", "/"].map(|end| format!("{scope}{end}").into());
    own.into_iter().chain([format!("{host}{ANSWERS_TO_QUERIES}").into()]).collect()
}

/// Which answer this is, among all that one resource may have: by the body, and the fields that speak of more.
fn fingerprint(content: &Content) -> NonZeroU64 {
    let fields = ["link", "location"].map(|name| content.headers.get_str(name));
    let hash = KEY.hash_one((content.status, fields, &content.body[..]));
    NonZeroU64::new(hash).unwrap_or(NonZeroU64::MIN)
}

/// What may be refused together with `resource`: everything, what is of one scope with it, and itself.
fn parts_of(resource: &str) -> [u64; 3] {
    [EVERYTHING, digest(scope_of(resource)), digest(path_of(resource))]
}

fn digest(text: &str) -> u64 {
    KEY.hash_one(text)
}

/// Drawn anew in every process, so that an attacker cannot look for texts of one digest.
static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Stands for everything that a credential may read, among digests of scopes. A scope may have the same digest by a
/// chance of one in 2^64, and is then refused or pardoned together with all others.
const EVERYTHING: u64 = 0;

/// Longest time for which an answer that the origin gave to a credential of a named domain is served to it again, and so
/// the longest that one reads on after it was revoked. No shorter lifetime is ever exceeded.
pub const ADMISSION_MAX: Duration = Duration::from_secs(5 * 60);

/// Most answers whose readers are remembered. If one is forgotten, the origin is asked about it again, which costs no
/// quota. 16 Ki are a thousand resources for each of 16 credentials, in about two MiB.
const GRANTS_MAX: usize = 16 * 1024;

/// Most refusals that are remembered. What one of them forbids was dropped when it came, so forgetting it matters only
/// for what was dropped nowhere: an entry that this node had evicted to its disk.
const DOUBTS_MAX: usize = 4 * 1024;

#[cfg(test)]
mod tests;
