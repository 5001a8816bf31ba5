//! Waiting for what cannot be awaited: the only place where tests let time pass.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Checks `condition` until it holds. Returns whether it did within `deadline`.
///
/// Looks at least twice, once at the end, so that a slow machine fails no test whose condition holds.
/// For tests that want to say `assert!(eventually(..).await)` about another process or thread.
pub async fn eventually(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + deadline;
    while !condition() {
        if Instant::now() >= end {
            return condition();
        }
        tokio::time::sleep(INTERVAL).await;
    }
    true
}

/// [`eventually`] for code outside of any async runtime.
pub fn eventually_blocking(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + deadline;
    while !condition() {
        if Instant::now() >= end {
            return condition();
        }
        thread::sleep(INTERVAL);
    }
    true
}

/// Checks until `condition`, which may itself wait for answers, holds.
///
/// # Panics
///
/// When it does not within [`SOON`], saying `what` did not come true.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !condition().await {
        assert!(Instant::now() < end, "in {SOON:?} it did not come true that {what}");
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Far beyond any machine's slowness, short of a hung test run.
pub const SOON: Duration = Duration::from_secs(60);

/// Short compared with anything a test waits for, long compared with one check.
const INTERVAL: Duration = Duration::from_millis(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_condition_that_comes_to_hold_ends_the_wait() {
        let mut looks = 0;
        assert!(
            eventually(Duration::from_secs(10), || {
                looks += 1;
                looks == 3
            })
            .await
        );
        assert_eq!(looks, 3);
    }

    #[test]
    fn a_condition_that_never_holds_is_looked_at_once_more_at_the_deadline() {
        let mut looks = 0;
        assert!(!eventually_blocking(Duration::ZERO, || {
            looks += 1;
            false
        }));
        assert_eq!(looks, 2);
    }
}
