//! Whole fleets by plans from bytes: whatever happens to them, no rule is broken.

use cache_simulator::{Plan, run};

/// Runs the plan that the bytes are, cut to a short one.
///
/// # Panics
///
/// When a rule of the simulator is broken.
pub fn check(data: &[u8]) {
    let plan = Plan::from_bytes(&data[..data.len().min(PLAN_BYTES_MAX)]);
    let report = run(&plan, false);
    assert!(report.violation.is_none(), "{:?}", report.violation);
}

/// Plans of few events, calm and not.
pub fn seeds() -> Vec<Vec<u8>> {
    let plan = |step: u8, length: u8| (0..length).map(|at| at.wrapping_mul(step)).collect();
    vec![Vec::new(), vec![0; 60], plan(7, 90), plan(31, 120), plan(101, 160)]
}

/// Enough for some thirty events.
const PLAN_BYTES_MAX: usize = 200;
