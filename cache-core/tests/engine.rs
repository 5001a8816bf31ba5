//! The engine under arbitrary inputs: what must hold whatever happens.
//!
//! A world plays driver, disk, read index and origin to the engine and checks every output as it comes.

mod engine_support;

use engine_support::{
    ops::{Plan, plan},
    world::World,
};
use proptest::{prelude::*, test_runner::FileFailurePersistence};

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1500,
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/regressions/engine.txt"))),
        ..ProptestConfig::default()
    })]

    /// Budgets are kept; readers see what the engine holds; answers stay in their domain, fresh enough and
    /// newer than what was invalidated; there is one call per key. See the checks in `World`.
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

fn play(plan: &Plan) -> String {
    let mut world = World::new(plan);
    world.play(&plan.ops);
    world.compare_with_engine();
    world.transcript()
}
