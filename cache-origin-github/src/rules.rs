//! The rules by which requests are judged and answers kept, as one value that changes while requests are in progress.
//!
//! Each request is planned by one [`Rules`], which its [`Planned`](crate::Planned) and its
//! [`Question`](crate::Question) hold on to: none sees a part of one and a part of another. What was kept under earlier
//! rules is served within what the present ones grant ([`Rules::grant`]).

use crate::{
    Credential, GitHub, PassReason, PriorityRule, RouteRule, RouteTable,
    domain::{Domains, Readers},
    forwarded::Forwarded,
    graphql::Lifetimes,
    lending::Lending,
    recipe::Recipes,
    route::Keeping,
    surrogate::Surrogate,
};
use arc_swap::{ArcSwap, Guard};
use cache_core::{
    Domain, Payer, Timestamp,
    freshness::{Freshness, Grant},
};
use http::HeaderValue;
use parking_lot::Mutex;
use std::{fmt, ops::Deref, sync::Arc, time::Duration};

/// What an operator may change while a node runs: routes and lifetimes, domains, and what else a request is judged by.
///
/// Made by [`GitHubBuilder::rules`](crate::GitHubBuilder::rules), put in force by [`GitHub::adopt`].
#[derive(Debug)]
pub struct Rules {
    pub(crate) routes: RouteTable,
    pub(crate) domains: Domains,
    pub(crate) default_readers: Readers,
    pub(crate) surrogate: Option<Arc<Surrogate>>,
    pub(crate) forwarded: Forwarded,
    pub(crate) recipes: Arc<Recipes>,
    pub(crate) lending: Arc<Lending>,
    pub(crate) body_bytes_max: usize,
    pub(crate) max_stale: Duration,
    /// For how long the origin is asked about what was written before each use.
    pub(crate) settle: Duration,
    pub(crate) respect_max_age: bool,
    pub(crate) pretty_print: bool,
    /// For how long answers to GraphQL queries are kept; `None` if they are not.
    pub(crate) graphql: Option<Lifetimes>,
    /// How much requests matter, by route; the first rule that is for one counts.
    pub(crate) priorities: Vec<PriorityRule>,
    /// The same, by client; these come first.
    pub(crate) client_priorities: Vec<PriorityRule>,
    /// The origin is asked about what was kept before, under rules that may have believed more.
    pub(crate) asked_from: Timestamp,
}

/// Whether another credential may ask for a client that sends none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "it either may or may not")]
pub enum Surrogacy {
    /// It may, if there is one that can be used.
    Allowed,
    /// It may not, since it was refused what the client asks for.
    Forbidden,
}

/// The rules in force, on loan: it costs no count that all threads share, and is for a moment.
pub(crate) struct Loan(Guard<Arc<Rules>>);

impl Loan {
    /// The same for as long as one likes.
    pub(crate) fn kept(self) -> Self {
        Self(Guard::from_inner(Guard::into_inner(self.0)))
    }

    pub(crate) fn shared(&self) -> Arc<Rules> {
        Arc::clone(&self.0)
    }
}

impl Clone for Loan {
    fn clone(&self) -> Self {
        Self(Guard::from_inner(self.shared()))
    }
}

impl Deref for Loan {
    type Target = Rules;

    fn deref(&self) -> &Rules {
        &self.0
    }
}

impl fmt::Debug for Loan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rules(..)")
    }
}

impl Rules {
    /// What entries under `rule` may be served, whenever they were kept; nothing where the rule keeps none.
    pub(crate) fn grant(&self, rule: &RouteRule) -> Grant {
        Grant { most: rule.freshness().unwrap_or_default(), born_from: self.asked_from }
    }

    /// What people call a payer.
    pub(crate) fn label(&self, domain: Domain, payer: Payer) -> String {
        let surrogate = self.surrogate.as_ref();
        if surrogate.is_some_and(|surrogate| surrogate.domain() == domain) {
            return "anonymous-as".to_owned();
        }
        self.domains.label(domain, payer)
    }

    /// The readers of a request with this `Authorization` whose answer is kept. `is_own` says whether that is about the asker.
    pub(crate) fn readers(
        &self,
        authorization: Option<&HeaderValue>,
        is_own: bool,
        surrogacy: Surrogacy,
    ) -> Result<Readers, PassReason> {
        let readers = match authorization {
            Some(value) => self.domains.of_field(value)?,
            None => self.readers_without(is_own, surrogacy),
        };
        Ok(if is_own { readers.alone() } else { readers })
    }

    fn readers_without(&self, is_own: bool, surrogacy: Surrogacy) -> Readers {
        let surrogate = self.surrogate.as_ref().filter(|_| surrogacy == Surrogacy::Allowed);
        let readers = surrogate.and_then(|surrogate| surrogate.readers());
        readers.filter(|_| !is_own).unwrap_or(self.default_readers)
    }

    /// The readers of requests that bring no credential.
    pub(crate) fn default_readers(domains: &Domains, credential: Option<&Credential>) -> Readers {
        credential.map_or(Readers::ANONYMOUS, |credential| domains.of_credential(credential))
    }

    /// Whether something that `before` let be kept might not be kept like this by these rules, beyond what a shorter
    /// lifetime sees to: it was kept in spite of the origin's `no-cache`, or of its `max-age`.
    fn believes_less_than(&self, before: &Self) -> bool {
        let (now, then) = (self.routes.by_operator(), before.routes.by_operator());
        let is_continued =
            then.len() <= now.len() && then.iter().zip(now).all(|(then, now)| now.continues(then));
        !is_continued || (self.respect_max_age && !before.respect_max_age)
    }
}

impl RouteRule {
    /// For how long an answer may be fresh, and then stale; `None` when it is never kept.
    pub(crate) fn freshness(&self) -> Option<Freshness> {
        match self.keeping() {
            Keeping::For { lifetime, if_error, while_revalidating, .. } => {
                Some(Freshness { lifetime, while_revalidating, if_error })
            }
            Keeping::Never(_) => None,
        }
    }
}

/// The rules in force. They change as a whole, and no reader waits for it.
#[derive(Debug)]
pub(crate) struct InForce {
    rules: ArcSwap<Rules>,
    /// Held while they change, so that each set of rules follows the one before it.
    changing: Mutex<()>,
}

impl InForce {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules: ArcSwap::from_pointee(rules), changing: Mutex::new(()) }
    }

    pub(crate) fn loan(&self) -> Loan {
        Loan(self.rules.load())
    }
}

impl GitHub {
    /// Judges requests that come from now on by `rules`, in one step: none sees a part of the old rules and a part of
    /// the new ones, and those in progress end under the old ones.
    ///
    /// Shorter lifetimes hold at once for what is kept already, longer ones for what is fetched from now on. Where the
    /// old rules kept something in spite of the origin's `no-cache` or `max-age` and the new ones may not, the origin is
    /// asked about what is older than `now`, the node's own time, before it is served again.
    ///
    /// ```
    /// # use {cache_origin_github::GitHub, cache_core::Timestamp, std::time::Duration};
    /// let github = GitHub::builder().build()?;
    /// github.adopt(GitHub::builder().route("/repos/** = 5s").rules()?, Timestamp::from_unix_millis(1_000));
    /// let most = github.freshness_max("api.github.com/repos/acme/site json");
    /// assert_eq!(most.map(|most| most.lifetime), Some(Duration::from_secs(5)));
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn adopt(&self, mut rules: Rules, now: Timestamp) {
        let in_force = self.in_force();
        let _changing = in_force.changing.lock();
        let before = in_force.loan();
        rules.default_readers = Rules::default_readers(&rules.domains, self.default_credential());
        if rules.routes.has_the_rules_of(&before.routes) {
            rules.recipes = Arc::clone(&before.recipes);
        } else {
            rules.recipes = Arc::new(before.recipes.succeeded_by(rules.recipes.len()));
        }
        rules.lending = Arc::clone(&before.lending);
        if let (Some(now), Some(before)) = (&mut rules.surrogate, &before.surrogate)
            && now.is_same(before)
        {
            *now = Arc::clone(before);
        }
        rules.asked_from = if rules.believes_less_than(&before) {
            now.saturating_add(LANDING_TIME)
        } else {
            before.asked_from
        };
        in_force.rules.store(Arc::new(rules));
    }
}

/// Time after a change of rules in which an answer may still be kept that was judged by the old ones. An answer counts
/// as old as the call for it, so that this is the way from the adapter to the engine alone.
const LANDING_TIME: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
