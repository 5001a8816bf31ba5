//! Whether it pays to ask the origin about what another credential was given.
//!
//! Of many routes every credential that may read them is given the same body. Of some it is not: a repository, for one, says
//! what its reader may do with it. Which is which is learned, for each shape of a path and kind of credential. So is how
//! long the origin takes, since a call for another credential is worth waiting for only if it ends soon.

use crate::Credential;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    time::{Duration, Instant},
};

/// What was learned. Holds no path, only digests of their shapes.
#[derive(Debug)]
pub(crate) struct Lending {
    /// Longest time to wait for a call for another credential.
    kin_wait_max: Duration,
    digests: RandomState,
    trials: Mutex<HashMap<(u64, usize), Trial>>,
    /// How long calls take, by the shape of their path.
    times: Mutex<HashMap<u64, Duration>>,
}

/// How the last attempts ended.
#[derive(Clone, Copy, Debug)]
struct Trial {
    /// Attempts in a row that proved nothing, at most [`MISSES_MAX`].
    misses: u32,
    missed_at: Instant,
}

impl Lending {
    /// Nothing is known. No call for another credential is waited for longer than `kin_wait_max`.
    pub(crate) fn new(kin_wait_max: Duration) -> Self {
        Self { kin_wait_max, digests: RandomState::new(), trials: Mutex::default(), times: Mutex::default() }
    }

    /// Whether `credential` is likely to be given what others were under `path`.
    pub(crate) fn pays(&self, path: &str, credential: &Credential, now: Instant) -> bool {
        let trials = self.trials.lock();
        let trial = trials.get(&self.class(path, credential));
        trial.is_none_or(|it| it.misses < MISSES_MAX || now.duration_since(it.missed_at) >= RETRY_AFTER)
    }

    /// Takes note of an attempt: whether `credential` was given what another was.
    ///
    /// Beyond [`CLASSES_MAX`] classes, all that was learned is forgotten: it is learned anew within some calls.
    pub(crate) fn note(&self, path: &str, credential: &Credential, is_proven: bool, now: Instant) {
        let class = self.class(path, credential);
        let mut trials = self.trials.lock();
        if is_proven {
            trials.remove(&class);
            return;
        }
        if trials.len() >= CLASSES_MAX && !trials.contains_key(&class) {
            trials.clear();
        }
        let trial = trials.entry(class).or_insert(Trial { misses: 0, missed_at: now });
        *trial = Trial { misses: (trial.misses + 1).min(MISSES_MAX), missed_at: now };
    }

    /// For how long to wait for a call under `path` that is under way for another credential: four times what they take,
    /// and not at all where that is too long.
    pub(crate) fn patience(&self, path: &str) -> Duration {
        let taken = self.times.lock().get(&self.digests.hash_one(shape(path))).copied();
        match taken {
            Some(taken) if taken >= self.kin_wait_max => Duration::ZERO,
            Some(taken) => (4 * taken).max(KIN_WAIT_MIN).min(self.kin_wait_max),
            None => self.kin_wait_max,
        }
    }

    /// Takes note that a call under `path` took so long.
    ///
    /// Beyond [`CLASSES_MAX`] shapes, all that was learned is forgotten.
    pub(crate) fn note_time(&self, path: &str, took: Duration) {
        let shape = self.digests.hash_one(shape(path));
        let mut times = self.times.lock();
        if times.len() >= CLASSES_MAX && !times.contains_key(&shape) {
            times.clear();
        }
        let mean = times.entry(shape).or_insert(took);
        *mean = (3 * *mean + took) / 4;
    }

    fn class(&self, path: &str, credential: &Credential) -> (u64, usize) {
        (self.digests.hash_one(shape(path)), credential.kind())
    }
}

/// What paths of one kind have in common: the first segment, the one behind the names of an owner and a repository, and how
/// many there are.
fn shape(path: &str) -> (&str, &str, usize) {
    let mut segments = path.split('/').skip(1);
    let first = segments.next().unwrap_or_default();
    let names = if first == "repos" { 2 } else { 1 };
    let family = segments.clone().nth(names).unwrap_or_default();
    (first, family, segments.count())
}

/// Attempts in a row that may prove nothing before it is given up: bodies change between two calls now and then, but not
/// three times in a row.
const MISSES_MAX: u32 = 3;
/// Time after which it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(600);
/// Longest time for which a request waits for another credential's call unless [`GitHubBuilder::kin_wait`] is set: most of
/// GitHub's answers take less, and a request that waits in vain has lost no more than that.
///
/// [`GitHubBuilder::kin_wait`]: crate::GitHubBuilder::kin_wait
pub const KIN_WAIT_DEFAULT: Duration = Duration::from_secs(1);
/// Least that is worth setting aside, so that a few fast answers do not make an ordinary one seem late.
const KIN_WAIT_MIN: Duration = Duration::from_millis(250);
/// Most classes of which is known that an attempt has failed: more than GitHub has shapes of paths.
const CLASSES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const REPOSITORY: &str = "/repos/acme/site";

    fn credential(token: &str) -> Credential {
        Credential::from_token(token).unwrap()
    }

    #[test]
    fn what_never_proves_anything_is_given_up_for_a_while_for_that_shape_and_kind_alone() {
        let lending = Lending::new(KIN_WAIT_DEFAULT);
        let (user, installation, now) = (credential("ghp_1"), credential("ghs_1"), Instant::now());
        for _ in 0..MISSES_MAX {
            assert!(lending.pays(REPOSITORY, &user, now));
            lending.note(REPOSITORY, &credential("ghp_2"), false, now);
        }
        assert!(!lending.pays("/repos/other/name", &user, now));
        assert!(lending.pays(REPOSITORY, &installation, now));
        for other in ["/repos/acme/site/readme", "/repos/acme/site/issues", "/orgs/acme", "/users/acme"] {
            assert!(lending.pays(other, &user, now), "{other}");
        }
        assert!(lending.pays(REPOSITORY, &user, now + RETRY_AFTER));
    }

    #[test]
    fn one_proof_makes_up_for_the_attempts_before_it() {
        let lending = Lending::new(KIN_WAIT_DEFAULT);
        let (user, now) = (credential("ghp_1"), Instant::now());
        for is_proven in [false, false, true, false, false] {
            lending.note(REPOSITORY, &user, is_proven, now);
        }
        assert!(lending.pays(REPOSITORY, &user, now));
    }

    #[test]
    fn a_call_is_waited_for_as_long_as_its_like_take_and_not_at_all_if_they_take_long() {
        let lending = Lending::new(KIN_WAIT_DEFAULT);
        assert_eq!(lending.patience(REPOSITORY), KIN_WAIT_DEFAULT);
        lending.note_time(REPOSITORY, Duration::from_millis(100));
        assert_eq!(lending.patience("/repos/other/name"), Duration::from_millis(400));
        (0..20).for_each(|_| lending.note_time(REPOSITORY, Duration::from_secs(2)));
        assert_eq!(lending.patience(REPOSITORY), Duration::ZERO);
        (0..20).for_each(|_| lending.note_time(REPOSITORY, Duration::from_millis(1)));
        assert_eq!(lending.patience(REPOSITORY), KIN_WAIT_MIN);
        assert_eq!(lending.patience("/orgs/acme"), KIN_WAIT_DEFAULT);
    }

    #[test]
    fn what_is_learned_is_bounded() {
        let lending = Lending::new(KIN_WAIT_DEFAULT);
        let (user, now) = (credential("ghp_1"), Instant::now());
        for number in 0..=CLASSES_MAX {
            let path = format!("/kind-{number}/acme");
            lending.note(&path, &user, false, now);
            lending.note_time(&path, Duration::ZERO);
        }
        assert!(lending.times.lock().len() <= CLASSES_MAX);
        assert!(lending.trials.lock().len() <= CLASSES_MAX);
    }
}
