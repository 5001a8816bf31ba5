//! Looking for the first broken rule, wherever it is.

use crate::{Plan, Sort, run, scenarios};
use serde_json::{Value, json};

/// Runs every scenario, then some fleets of several districts, and then the first `seeds` seeds, until a rule is broken.
/// Prints which, where and how; null if none is.
pub fn hunt(seeds: u64) -> Value {
    let named = scenarios::ALL.iter().flat_map(|(name, make)| {
        (1..=SCENARIO_SEEDS).map(move |seed| (format!("{name}, seed {seed}"), make(seed, SCENARIO_NODES)))
    });
    let divided = (1..=DIVIDED_SEEDS).map(|seed| {
        let plan = Plan::from_seed_in(seed, Some(Sort::Districts));
        (format!("seed {seed} with districts"), plan)
    });
    let any = (1..=seeds).map(|seed| (format!("seed {seed}"), Plan::from_seed(seed)));
    for (place, plan) in named.chain(divided).chain(any) {
        if let Some(violation) = run(&plan, false).violation {
            let rule = format!("{:?}", violation.rule);
            return json!({ "rule": rule, "place": place, "text": violation.to_string() });
        }
    }
    Value::Null
}

/// How many seeds each scenario is run with: enough for every node to be what others depend on.
const SCENARIO_SEEDS: u64 = 4;

/// How many fleets of several districts are run.
const DIVIDED_SEEDS: u64 = 60;

/// Nodes in each scenario: few, and yet more than are asked one after the other.
const SCENARIO_NODES: usize = 6;
