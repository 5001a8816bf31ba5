//! GitHub's entity tags: how they are made, and whether that is still so.
//!
//! A tag is SHA-256, in hexadecimal, over the request's `Accept`, `Authorization` and `Cookie` as far as they are
//! present, each followed by a colon, and then the uncompressed body. GitHub does not promise this; it was found by
//! observation. It is worth knowing because it gives the tag that GitHub would give to *this* credential for a body
//! that came from another one. A 304 to that tag costs nothing, and proves at once that this credential may read the
//! body, that it is current, and that it was not forged.
//!
//! Every answer with a tag is a test. Where the recipe fails, tags are kept per credential as HTTP has it.

use parking_lot::Mutex;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The tag that the recipe gives, in quotes.
pub(crate) fn tag(accept: Option<&[u8]>, authorization: Option<&[u8]>, body: &[u8]) -> String {
    let mut hasher = Sha256::new();
    for value in [accept, authorization].into_iter().flatten() {
        hasher.update(value);
        hasher.update(b":");
    }
    hasher.update(body);
    let mut tag = String::with_capacity(66);
    tag.push('"');
    for byte in hasher.finalize() {
        write!(tag, "{byte:02x}").expect("a string takes whatever is written");
    }
    tag.push('"');
    tag
}

/// A fingerprint of what a tag depends on besides the body.
pub(crate) fn scope(accept: Option<&[u8]>, authorization: Option<&[u8]>) -> [u8; 8] {
    let mut hasher = Sha256::new();
    hasher.update(b"fleet-cache tag scope\0");
    for value in [accept, authorization] {
        // The first byte tells an empty value from none; none holds the last.
        hasher.update([u8::from(value.is_some())]);
        hasher.update(value.unwrap_or_default());
        hasher.update(b"\0");
    }
    let whole = hasher.finalize();
    std::array::from_fn(|at| whole[at])
}

/// How far the recipe is believed for one class of answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecipeState {
    /// No answer told yet. A computed tag may be tried: if it is wrong, the answer is an ordinary 200.
    Untested,
    /// The last answers agreed with the recipe.
    Trusted,
    /// An answer disagreed; it is tested again after a while.
    Distrusted,
}

/// The tests of the recipe, apart for every class of answers: one route of GitHub's with tags of another make must
/// not spoil it for the rest.
#[derive(Debug)]
pub(crate) struct Recipes {
    classes: Box<[Mutex<Trial>]>,
    seen: Arc<Seen>,
}

/// What was seen of all classes, whatever the routes were at the time.
#[derive(Debug, Default)]
struct Seen {
    matches: AtomicU64,
    mismatches: AtomicU64,
    /// Whether the tags that clients bring were, as far as seen, given in this node's own words. A client's first tag
    /// comes from elsewhere.
    brought_in_our_words: AtomicBool,
}

#[derive(Clone, Copy, Debug, Default)]
enum Trial {
    #[default]
    Untested,
    /// Agreed this many times in a row, at most [`MATCHES_WANTED`].
    Passing(u32),
    FailedAt(Instant),
}

impl Recipes {
    pub(crate) fn new(classes: usize) -> Self {
        Self { classes: (0..classes).map(|_| Mutex::default()).collect(), seen: Arc::default() }
    }

    /// The same for other routes, whose classes are tested anew.
    pub(crate) fn succeeded_by(&self, classes: usize) -> Self {
        Self { seen: Arc::clone(&self.seen), ..Self::new(classes) }
    }

    /// How many classes of answers were tested.
    pub(crate) fn len(&self) -> usize {
        self.classes.len()
    }

    /// In whose words a client's tag is likely to be known to the origin.
    pub(crate) fn are_brought_in_our_words(&self) -> bool {
        self.seen.brought_in_our_words.load(Ordering::Relaxed)
    }

    /// Notes in whose words a tag that a client brought was given.
    pub(crate) fn note_brought(&self, in_our_words: bool) {
        self.seen.brought_in_our_words.store(in_our_words, Ordering::Relaxed);
    }

    /// Notes whether an answer's tag was as computed.
    pub(crate) fn observe(&self, class: usize, agrees: bool, now: Instant) {
        let mut trial = self.classes[class].lock();
        if agrees {
            self.seen.matches.fetch_add(1, Ordering::Relaxed);
            *trial = match *trial {
                Trial::Passing(times) => Trial::Passing((times + 1).min(MATCHES_WANTED)),
                Trial::Untested => Trial::Passing(1),
                Trial::FailedAt(at) if now.duration_since(at) >= DISTRUST_TIME => Trial::Passing(1),
                Trial::FailedAt(at) => Trial::FailedAt(at),
            };
        } else {
            self.seen.mismatches.fetch_add(1, Ordering::Relaxed);
            if !matches!(*trial, Trial::FailedAt(_)) {
                tracing::info!(class, "entity tags are not made as expected; keeping them per credential");
            }
            *trial = Trial::FailedAt(now);
        }
    }

    pub(crate) fn state(&self, class: usize, now: Instant) -> RecipeState {
        self.classes[class].lock().state(now)
    }

    pub(crate) fn stats(&self, now: Instant) -> RecipeStats {
        let count = |wanted| {
            let states = self.classes.iter().map(|trial| trial.lock().state(now));
            states.filter(|state| *state == wanted).count()
        };
        let (trusted, distrusted) = (count(RecipeState::Trusted), count(RecipeState::Distrusted));
        RecipeStats {
            state: match (trusted, distrusted) {
                (_, 1..) => RecipeState::Distrusted,
                (1.., 0) => RecipeState::Trusted,
                (0, 0) => RecipeState::Untested,
            },
            matches: self.seen.matches.load(Ordering::Relaxed),
            mismatches: self.seen.mismatches.load(Ordering::Relaxed),
            classes_trusted: trusted,
            classes_distrusted: distrusted,
        }
    }
}

impl Trial {
    fn state(self, now: Instant) -> RecipeState {
        match self {
            Self::Passing(times) if times >= MATCHES_WANTED => RecipeState::Trusted,
            Self::FailedAt(at) if now.duration_since(at) < DISTRUST_TIME => RecipeState::Distrusted,
            Self::Untested | Self::Passing(_) | Self::FailedAt(_) => RecipeState::Untested,
        }
    }
}

/// What the tests of the entity-tag recipe have shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct RecipeStats {
    /// The worst state of any class of answers that was tested.
    pub state: RecipeState,
    /// Tags that were as computed.
    pub matches: u64,
    /// Tags that were not.
    pub mismatches: u64,
    /// Classes of answers for which the recipe is trusted.
    pub classes_trusted: usize,
    /// Classes of answers for which it is distrusted.
    pub classes_distrusted: usize,
}

/// Agreeing answers in a row that make the recipe trusted. One could be luck of an origin that hashes the body alone
/// for anonymous requests; three with tokens could not.
const MATCHES_WANTED: u32 = 3;
/// Time for which the recipe is not tried after a disagreement. Revalidation works without it meanwhile.
const DISTRUST_TIME: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_the_digest_of_accept_credential_and_body() {
        // Of `*/*:` and `hello`, as `printf '*/*:hello' | sha256sum` prints it.
        let expected = Sha256::digest(b"*/*:hello");
        let hex: String = expected.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(tag(Some(b"*/*"), None, b"hello"), format!("\"{hex}\""));
        let of = |credential| tag(Some(b"*/*"), Some(credential), b"hello");
        assert_ne!(of(b"Bearer a"), of(b"token a"));
    }

    #[test]
    fn another_credential_is_another_scope() {
        let a = Some(&b"a"[..]);
        assert_ne!(scope(a, None), scope(a, Some(b"")));
        assert_ne!(scope(a, Some(b"x")), scope(a, Some(b"y")));
        assert_ne!(scope(None, Some(b"x")), scope(Some(b""), Some(b"x")));
        assert_eq!(scope(a, Some(b"x")), scope(a, Some(b"x")));
    }

    #[test]
    fn three_agreements_make_trust_and_one_disagreement_ends_it_for_a_while() {
        let recipes = Recipes::new(2);
        let start = Instant::now();
        for _ in 0..MATCHES_WANTED {
            assert_eq!(recipes.state(0, start), RecipeState::Untested);
            recipes.observe(0, true, start);
        }
        assert_eq!(recipes.state(0, start), RecipeState::Trusted);
        recipes.observe(0, false, start);
        assert_eq!(recipes.state(0, start), RecipeState::Distrusted);
        recipes.observe(0, true, start);
        assert_eq!(recipes.state(0, start), RecipeState::Distrusted);
        assert_eq!(recipes.state(1, start), RecipeState::Untested);
        assert_eq!(recipes.state(0, start + DISTRUST_TIME), RecipeState::Untested);
        let stats = recipes.stats(start);
        assert_eq!((stats.matches, stats.mismatches, stats.classes_distrusted), (4, 1, 1));
    }
}
