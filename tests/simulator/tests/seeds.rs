//! Plans made of seeds and of any bytes.

use cache_simulator::{Plan, Shrunk, Victim, run, shrink};
use proptest::prelude::*;

/// Runs one seed, which must break no rule.
fn assert_sound(seed: u64) {
    let report = run(&Plan::from_seed(seed), false);
    assert_eq!(report.violation, None, "cargo xtask sim --seed {seed}");
}

#[test]
fn no_seed_of_the_first_hundred_breaks_a_rule() {
    (0..100).for_each(assert_sound);
}

/// Seeds that broke a rule once, and what was wrong.
#[test]
fn seeds_that_found_faults_break_no_rule_any_more() {
    let found = [
        // What a member brought while the disk was asked was fetched again.
        295, 883, 2860, 2998,
        // What no memory had room for was fetched by one waiter after the other.
        2252, 2690,
        // Members forget invalidations at different moments, and refused what was new for ever.
        5373, 5985, 6016, 6246, 6650,
        // What was stale on arrival was fetched by one waiter after the other.
        9483,
        // After an invalidation the lease was passed to asks that nobody remembered, one round trip each.
        977, 2305, 2671, 2728,
    ];
    found.into_iter().for_each(assert_sound);
}

#[test]
fn the_same_seed_gives_the_same_digest() {
    for seed in 0..10 {
        let plan = Plan::from_seed(seed);
        assert_eq!(run(&plan, false).digest, run(&plan, false).digest, "seed {seed}");
    }
    assert_ne!(run(&Plan::from_seed(1), false).digest, run(&Plan::from_seed(2), false).digest);
}

#[test]
fn a_plan_that_fails_is_shrunk_to_what_it_fails_by() {
    let second = std::time::Duration::from_secs(1);
    let mut plan = Plan::calm(1, 6, 3);
    // Requests that must end before any call does fail, and a fleet that is at rest must not fail them.
    plan.origin.latency = 25 * second;
    plan.settings.fetch_timeout = 20 * second;
    plan.settings.request_timeout = 40 * second;
    assert!(shrink(&Plan { heals: false, ..plan.clone() }, 10).is_none());
    let crash = |node| cache_simulator::Deed::Crash {
        victim: Victim::Node(node),
        down_for: second,
        keeps_disk: false,
    };
    let failing = (0..6).fold(plan, |plan, node| plan.with(second, crash(node)));
    if let Some(Shrunk { plan, kept, .. }) = shrink(&failing, 50) {
        assert!(plan.events.len() == kept.len() && kept.len() <= 6);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_plan_that_breaks_no_rule(bytes in prop::collection::vec(any::<u8>(), 0..1200)) {
        prop_assert_eq!(run(&Plan::from_bytes(&bytes), false).violation, None);
    }
}
