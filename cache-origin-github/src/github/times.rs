//! For how long answers are kept and served: the settings that are times.

use super::GitHubBuilder;
use crate::route::LIFETIME_DEFAULT;
use std::time::Duration;

impl GitHubBuilder {
    /// The lifetime of what no rule is for. Default: [`LIFETIME_DEFAULT`].
    ///
    /// ```
    /// # use cache_origin_github::GitHub;
    /// use std::time::Duration;
    ///
    /// let github = GitHub::builder().default_lifetime(Duration::from_secs(60)).build()?;
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn default_lifetime(mut self, lifetime: Duration) -> Self {
        self.default_lifetime = Some(lifetime);
        self
    }

    /// For how long past its lifetime an answer stands in for an origin that does not answer.
    /// Default: [`IF_ERROR_DEFAULT`](crate::IF_ERROR_DEFAULT).
    ///
    /// ```
    /// # use cache_origin_github::GitHub;
    /// use std::time::Duration;
    ///
    /// let github = GitHub::builder().if_error(Duration::from_secs(24 * 3600)).build()?;
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn if_error(mut self, time: Duration) -> Self {
        self.if_error = Some(time);
        self
    }

    /// For how long past its lifetime an answer is served while it is renewed. Default: not at all.
    ///
    /// ```
    /// # use cache_origin_github::GitHub;
    /// use std::time::Duration;
    ///
    /// let github = GitHub::builder().while_revalidating(Duration::from_secs(30)).build()?;
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn while_revalidating(mut self, time: Duration) -> Self {
        self.while_revalidating = Some(time);
        self
    }

    /// For how long past its lifetime an answer is served to a request that accepts it (`max-stale`), within
    /// [`if_error`](Self::if_error). Default: [`MAX_STALE_DEFAULT`]. Zero for not at all.
    ///
    /// The origin is not asked then, so a credential that has lost the right to read the answer reads it for this
    /// time more.
    ///
    /// ```
    /// # use cache_origin_github::GitHub;
    /// use std::time::Duration;
    ///
    /// let github = GitHub::builder().max_stale(Duration::ZERO).build()?;
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn max_stale(mut self, time: Duration) -> Self {
        self.max_stale = time;
        self
    }

    /// Longest time for which a request waits for a call that is under way for another credential and the same resource:
    /// what that brings is what the origin would give to this one as well, at no quota. Default:
    /// [`KIN_WAIT_DEFAULT`](crate::KIN_WAIT_DEFAULT). Zero for not at all. A coordinator of a fleet lets nobody wait for more than a second.
    ///
    /// ```
    /// # use cache_origin_github::GitHub;
    /// use std::time::Duration;
    ///
    /// let github = GitHub::builder().kin_wait(Duration::from_millis(300)).build()?;
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn kin_wait(mut self, time: Duration) -> Self {
        self.kin_wait = time;
        self
    }

    /// For how long after a write the origin is asked about what it touched before each use, since the origin's reads lag
    /// behind its writes. Default: [`SETTLE_DEFAULT`]. Zero for not at all; at most [`SETTLE_MAX`](cache_core::SETTLE_MAX).
    ///
    /// ```
    /// # use cache_origin_github::GitHub;
    /// use std::time::Duration;
    ///
    /// let github = GitHub::builder().settle(Duration::from_secs(2)).build()?;
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn settle(mut self, time: Duration) -> Self {
        self.settle = time;
        self
    }
}

/// For how long past its lifetime an answer is served to a request that accepts it, unless set otherwise: as long
/// again as most answers are fresh.
pub const MAX_STALE_DEFAULT: Duration = LIFETIME_DEFAULT;
/// For how long after a write the origin is asked about what it touched before each use, unless set otherwise: GitHub shows
/// most writes within a second, and rarely takes several.
pub const SETTLE_DEFAULT: Duration = Duration::from_secs(5);
