//! The engine under arbitrary inputs: what must hold whatever happens.
//!
//! A world plays driver, disk, read index and origin to the engine and checks every output as it comes.

mod engine_support;

use cache_core::{
    Content, Domain, Draft, Engine, Input, Key, OrderId, Reach, Scope, Settings, Timestamp, Validators,
    freshness::Freshness,
};
use engine_support::{
    ops::{Plan, plan},
    world::World,
};
use proptest::{prelude::*, test_runner::FileFailurePersistence};
use std::time::Duration;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 800,
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/regressions/engine.txt"))),
        ..ProptestConfig::default()
    })]

    /// Budgets are kept; readers see what the engine holds; answers stay in their domain, fresh enough and newer than
    /// what was invalidated; there is one call per key. See the checks in `World`.
    #[test]
    fn every_output_is_allowed(plan in plan()) {
        play(&plan);
    }

    #[test]
    fn equal_inputs_give_equal_outputs(plan in plan()) {
        prop_assert_eq!(play(&plan), play(&plan));
    }

    /// Whatever was under way: once the origin and the disk have answered, or time has passed, each request
    /// was answered exactly once and nothing more comes.
    #[test]
    fn every_request_ends(plan in plan(), answered in any::<bool>()) {
        let mut world = World::new(&plan);
        world.play(&plan.ops);
        world.end(answered);
    }
}

/// A key's text is its resource, a line break and its domain; a prefix must not reach into the latter.
#[test]
fn a_prefix_that_runs_into_the_domain_names_nothing() {
    let mut engine = Engine::new(Settings::default());
    let (now, key) = (Timestamp::from_unix_millis(1_000), Key::new("a", Domain::ANONYMOUS));
    let content = Content::of_value("v");
    let freshness = Freshness { lifetime: Duration::from_secs(60), ..Freshness::default() };
    let draft = Draft { content, freshness, validators: Validators::default(), age: Duration::ZERO };
    engine.handle(now, Input::Put { order: OrderId(1), key: key.clone(), draft });
    let prefix = key.as_str()[..4].into();
    let reach = Reach::forget([Scope::Prefix { prefix, domain: None }]);
    engine.handle(now, Input::Invalidate { order: OrderId(2), reach });
    assert_eq!(engine.entries_count(), 1);
}

fn play(plan: &Plan) -> String {
    let mut world = World::new(plan);
    world.play(&plan.ops);
    world.compare_with_engine();
    world.transcript()
}
