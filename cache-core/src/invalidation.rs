//! What is to be forgotten or doubted, and how members speak of it.
//!
//! Owns what an invalidation means and how much it may say. [`crate::sharing`] decides which ones are remembered, and
//! what is demanded of entries from elsewhere; the engine draws the consequences.

use crate::{Domain, Entry, KEY_BYTES_MAX, Key};
use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

/// One event by which entries were forgotten or put in doubt: one write, or one order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Invalidation {
    /// The number of the invalidation.
    pub id: InvalidationId,
    /// The entries that it means.
    pub reach: Reach,
    /// How long ago it happened.
    pub age: Duration,
}

/// Numbers an invalidation; no two in a fleet are alike.
///
/// Ordered so that all members name the same ones as the latest.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct InvalidationId {
    /// One more than the highest that its issuer knew (Lamport's clock).
    pub count: u64,
    /// A digest of the node that issued it, and of the node's run.
    pub issuer: u64,
}

/// Invalidations as one member tells another of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notice {
    /// Comes back in the receiver's [`Message::Forgotten`](crate::Message::Forgotten).
    pub receipt: u64,
    /// How long ago the latest was issued that the sender knew and no longer remembers; `None` if there is none.
    pub mark: Option<Duration>,
    /// What was invalidated, at most [`INVALIDATIONS_MAX`](crate::message::INVALIDATIONS_MAX).
    pub invalidations: Vec<Invalidation>,
}

impl Notice {
    /// Whether any of it settles, of which a member must know what that is.
    pub(crate) fn settles(&self) -> bool {
        self.invalidations.iter().any(|invalidation| !invalidation.reach.settle.is_zero())
    }

    /// The same for a member that does not know what it is to settle.
    pub(crate) fn without_settling(mut self) -> Self {
        self.invalidations.iter_mut().for_each(|invalidation| invalidation.reach.settle = Duration::ZERO);
        self
    }
}

/// How far an invalidation reaches.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reach {
    /// What is forgotten: it is no longer served, and nothing is left of it.
    pub forgotten: Vec<Scope>,
    /// What is put in doubt: the origin is asked about each entry once before it is served again. It may stand in for
    /// an origin that fails.
    pub doubted: Vec<Scope>,
    /// For how long, since it happened, the origin is asked about all of it before each use, because it may yet show
    /// what was there before. At most [`SETTLE_MAX`] counts; zero for what shows at once.
    pub settle: Duration,
}

impl Reach {
    /// Forgets `scopes`, and doubts nothing.
    pub fn forget(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self { forgotten: scopes.into_iter().collect(), ..Self::default() }
    }

    /// Puts `scopes` in doubt.
    pub fn doubt(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self { doubted: scopes.into_iter().collect(), ..Self::default() }
    }

    /// The same, if it is unknown whether anything happened: all of it is in doubt, and nothing is forgotten.
    #[must_use]
    pub fn uncertain(mut self) -> Self {
        self.doubted.append(&mut self.forgotten);
        self
    }

    /// The same, of which the origin is asked before each use for so long.
    ///
    /// ```
    /// # use {cache_core::{Reach, Scope}, core::time::Duration};
    /// let written = Scope::Prefix { prefix: "api.github.com/repos/o/r/issues".into(), domain: None };
    /// let reach = Reach::forget([written]).settling(Duration::from_secs(5));
    /// assert_eq!(reach.settle, Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn settling(self, settle: Duration) -> Self {
        Self { settle: settle.min(SETTLE_MAX), ..self }
    }

    /// Adds what `other` means; both settle for as long as the one that takes longer.
    pub fn absorb(&mut self, other: Self) {
        self.forgotten.extend(other.forgotten);
        self.doubted.extend(other.doubted);
        self.settle = self.settle.max(other.settle);
    }

    /// Whether nothing is meant.
    pub fn is_empty(&self) -> bool {
        self.forgotten.is_empty() && self.doubted.is_empty()
    }

    /// What becomes of an entry under `key` with this `status`; `None` if it is not meant.
    pub fn manner(&self, key: &Key, status: u16) -> Option<Manner> {
        let covers = |scopes: &[Scope]| scopes.iter().any(|scope| scope.covers(key, status));
        if covers(&self.forgotten) {
            Some(Manner::Forget)
        } else {
            covers(&self.doubted).then_some(Manner::Doubt)
        }
    }

    /// Whether an entry under `key` with this `status` is meant.
    pub fn covers(&self, key: &Key, status: u16) -> bool {
        self.manner(key, status).is_some()
    }

    /// Bytes of text that it takes.
    pub(crate) fn text_bytes(&self) -> usize {
        self.forgotten.iter().chain(&self.doubted).map(Scope::text_bytes).sum()
    }

    /// The same or more, in no more than [`SCOPES_MAX`] scopes and [`REACH_BYTES_MAX`] bytes of each manner.
    ///
    /// Where there are more, neighbours become one scope that means both. Forgetting more than was asked costs calls;
    /// forgetting less would be wrong.
    #[must_use]
    pub fn bounded(self) -> Self {
        let settle = self.settle.min(SETTLE_MAX);
        Self { forgotten: bounded(self.forgotten), doubted: bounded(self.doubted), settle }
    }
}

/// What becomes of an entry that an invalidation means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Manner {
    /// The origin is asked about it once before it is served again.
    Doubt,
    /// Nothing is left of it.
    Forget,
}

/// What an invalidation means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Scope {
    /// The entry under one key.
    Key(Key),
    /// Every key whose resource begins with `prefix`.
    Prefix {
        /// How the resource begins.
        prefix: Box<str>,
        /// The one domain meant; `None` means all.
        domain: Option<Domain>,
    },
    /// Every kept answer that says that something is not there, or is elsewhere, and whose resource begins with
    /// `prefix`. Any write may end one, whatever path it goes to.
    Signposts {
        /// How the resource begins: the host.
        prefix: Box<str>,
    },
}

impl Scope {
    /// The reach that means every entry.
    pub fn everything() -> Self {
        Self::Prefix { prefix: "".into(), domain: None }
    }

    /// Whether an entry under `key` with this `status` is meant.
    pub fn covers(&self, key: &Key, status: u16) -> bool {
        match self {
            Self::Signposts { prefix } => is_signpost(status) && key.resource().starts_with(&**prefix),
            Self::Key(_) | Self::Prefix { .. } => self.covers_key(key),
        }
    }

    /// Whether whatever is kept under `key` is meant, with any status.
    pub fn covers_key(&self, key: &Key) -> bool {
        match self {
            Self::Key(meant) => meant == key,
            Self::Prefix { prefix, domain } => {
                key.resource().starts_with(&**prefix) && domain.is_none_or(|domain| domain == key.domain())
            }
            Self::Signposts { .. } => false,
        }
    }

    /// Bytes of text that it takes.
    pub(crate) fn text_bytes(&self) -> usize {
        match self {
            Self::Key(key) => key.as_str().len(),
            Self::Prefix { prefix, .. } | Self::Signposts { prefix } => prefix.len(),
        }
    }

    /// Whether all that `other` means is meant.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Key(key)) => self.covers_key(key),
            (Self::Key(_), Self::Prefix { .. } | Self::Signposts { .. })
            | (Self::Signposts { .. }, Self::Prefix { .. }) => false,
            (Self::Prefix { prefix, domain }, Self::Prefix { prefix: longer, domain: narrower }) => {
                longer.starts_with(&**prefix) && (domain.is_none() || domain == narrower)
            }
            (
                Self::Prefix { prefix, domain: None } | Self::Signposts { prefix },
                Self::Signposts { prefix: longer },
            ) => longer.starts_with(&**prefix),
            (Self::Prefix { domain: Some(_), .. }, Self::Signposts { .. }) => false,
        }
    }

    /// The narrowest scope that means all of both.
    fn merged(&self, other: &Self) -> Self {
        let (one, two) = (self.resource(), other.resource());
        let same = one.char_indices().zip(two.chars()).take_while(|((_, one), two)| one == two);
        let same = same.last().map_or(0, |((at, letter), _)| at + letter.len_utf8());
        let prefix = one[..same].into();
        if let (Self::Signposts { .. }, Self::Signposts { .. }) = (self, other) {
            return Self::Signposts { prefix };
        }
        let domain = self.domain().filter(|_| self.domain() == other.domain());
        Self::Prefix { prefix, domain }
    }

    /// Cuts what is longer than the resource of any key, and so means nothing.
    fn shorten(&mut self) {
        if let Self::Prefix { prefix, .. } | Self::Signposts { prefix } = self
            && prefix.len() > KEY_BYTES_MAX
        {
            *prefix = prefix[..prefix.floor_char_boundary(KEY_BYTES_MAX)].into();
        }
    }

    /// How the resources begin that are meant.
    fn resource(&self) -> &str {
        match self {
            Self::Key(key) => key.resource(),
            Self::Prefix { prefix, .. } | Self::Signposts { prefix } => prefix,
        }
    }

    fn domain(&self) -> Option<Domain> {
        match self {
            Self::Key(key) => Some(key.domain()),
            Self::Prefix { domain, .. } => *domain,
            Self::Signposts { .. } => None,
        }
    }

    /// Sorts a scope before those that it contains, and next to them.
    fn rank(&self) -> (&str, Option<[u8; 16]>, usize) {
        let domain = self.domain().map(|domain| *domain.as_bytes());
        let width = match self {
            Self::Prefix { .. } => 0,
            Self::Signposts { .. } => 1,
            Self::Key(_) => 2,
        };
        (self.resource(), domain, width)
    }
}

/// Whether an answer with `status` says that something is not there, or is elsewhere.
pub fn is_signpost(status: u16) -> bool {
    matches!(status, 300..=303 | 305..=308 | 404 | 410)
}

impl Entry {
    /// Whether it says that something is not there, to the reader at least.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self.content().status, 404 | 410)
    }

    /// Whether it says that something is not there, or is elsewhere.
    pub fn is_signpost(&self) -> bool {
        is_signpost(self.content().status)
    }
}

fn bounded(mut scopes: Vec<Scope>) -> Vec<Scope> {
    for scope in &mut scopes {
        scope.shorten();
    }
    while !is_within(&scopes) {
        // In this order, scopes that have most in common are neighbours.
        scopes.sort_by(|one, two| one.rank().cmp(&two.rank()));
        scopes.dedup_by(|next, kept| kept.contains(next));
        if !is_within(&scopes) {
            scopes = merged_in_pairs(&scopes);
        }
    }
    scopes
}

fn is_within(scopes: &[Scope]) -> bool {
    scopes.len() <= SCOPES_MAX && scopes.iter().map(Scope::text_bytes).sum::<usize>() <= REACH_BYTES_MAX
}

/// Half as many scopes that mean at least as much. Signposts stay among themselves: all else under a host is far
/// more.
fn merged_in_pairs(scopes: &[Scope]) -> Vec<Scope> {
    let (signposts, others): (Vec<&Scope>, Vec<&Scope>) =
        scopes.iter().partition(|scope| matches!(scope, Scope::Signposts { .. }));
    let merged = |pair: &[&Scope]| match pair {
        [one, two] => one.merged(two),
        _ => pair[0].clone(),
    };
    others.chunks(2).chain(signposts.chunks(2)).map(merged).collect()
}

/// Longest time for which the origin is asked about what was written before each use: twelve times what is usual, and so
/// what a member that lies can cost with one invalidation.
pub const SETTLE_MAX: Duration = Duration::from_secs(60);

/// Most scopes that one invalidation names of each manner: a write to a busy route of GitHub's API touches some
/// twenty families of resources.
pub const SCOPES_MAX: usize = 64;

/// Most bytes of text in the scopes of one manner of one invalidation: three of the longest keys, and far more than a
/// write's paths come to.
pub const REACH_BYTES_MAX: usize = 26 * 1024;

const _: () = assert!(KEY_BYTES_MAX <= REACH_BYTES_MAX, "one scope must fit");

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::String, vec};

    fn prefix(text: &str) -> Scope {
        Scope::Prefix { prefix: text.into(), domain: None }
    }

    #[test]
    fn too_many_scopes_become_fewer_that_mean_as_much() {
        let texts: Vec<String> =
            (0..1000).map(|number| format!("api.github.com/repos/o/r{number}/")).collect();
        let bounded = Reach::forget(texts.iter().map(|text| prefix(text))).bounded();
        assert!(bounded.forgotten.len() <= SCOPES_MAX);
        for text in &texts {
            let key = Key::new(&format!("{text}issues"), Domain::ANONYMOUS);
            assert!(bounded.covers(&key, 200), "{text} got lost");
        }
        let other = Key::new("api.github.com/user", Domain::ANONYMOUS);
        assert!(!bounded.covers(&other, 200), "what has nothing in common is left alone");
    }

    #[test]
    fn too_long_scopes_become_shorter_ones() {
        let long = |letter: &str| format!("api.github.com/{letter}/{}", "x".repeat(8000));
        let reach = Reach::doubt(["a", "b", "c", "d", "e"].map(|letter| prefix(&long(letter)))).bounded();
        let bytes: usize = reach.doubted.iter().map(Scope::text_bytes).sum();
        assert!(bytes <= REACH_BYTES_MAX);
        for letter in ["a", "b", "c", "d", "e"] {
            let key = Key::new(&long(letter), Domain::ANONYMOUS);
            assert_eq!(reach.manner(&key, 200), Some(Manner::Doubt));
        }
    }

    #[test]
    fn scopes_of_two_domains_merge_into_one_of_all() {
        let of = |byte| Scope::Prefix { prefix: "a/b".into(), domain: Some(Domain::from_bytes([byte; 16])) };
        let merged = of(1).merged(&of(2));
        assert_eq!(merged, prefix("a/b"));
        assert_eq!(of(1).merged(&Scope::Key(Key::new("a/c", Domain::from_bytes([1; 16])))), {
            Scope::Prefix { prefix: "a/".into(), domain: Some(Domain::from_bytes([1; 16])) }
        });
    }

    #[test]
    fn signposts_are_what_says_that_something_is_elsewhere_or_nowhere() {
        let scope = Scope::Signposts { prefix: "api.github.com/".into() };
        let key = Key::new("api.github.com/repos/o/r json", Domain::ANONYMOUS);
        for (status, expected) in [
            (200, false),
            (301, true),
            (302, true),
            (304, false),
            (307, true),
            (308, true),
            (403, false),
            (404, true),
            (410, true),
            (451, false),
        ] {
            assert_eq!(scope.covers(&key, status), expected, "{status}");
        }
        assert!(!scope.covers(&Key::new("other.test/x", Domain::ANONYMOUS), 404));
        assert_eq!(vec![prefix("api.github.com/")], bounded(vec![prefix("api.github.com/")]));
    }
}
