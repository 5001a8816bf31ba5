//! Smaller plans that fail as well.

use crate::{Plan, Violation, run};

/// A plan from which little can be left out.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The plan that still fails.
    pub plan: Plan,
    /// Which events of the first plan are left.
    pub kept: Vec<usize>,
    /// How the plan fails.
    pub violation: Violation,
    /// How many runs it took.
    pub runs: usize,
}

/// Leaves out of `plan`, which fails, whatever it fails without: halves of its events first, then ever smaller
/// parts, then nodes. Stops after `runs_max` runs. `None` if it does not fail.
///
/// A smaller plan counts if it breaks the same rule in the same words, whatever the numbers in them.
pub fn shrink(plan: &Plan, runs_max: usize) -> Option<Shrunk> {
    shrink_by(plan, runs_max, |plan| run(plan, false).violation)
}

/// The same for any way to fail.
pub fn shrink_by(plan: &Plan, runs_max: usize, fails: impl Fn(&Plan) -> Option<Violation>) -> Option<Shrunk> {
    let violation = fails(plan)?;
    let kept = (0..plan.events.len()).collect();
    let mut shrinking = Shrinking { plan: plan.clone(), kept, violation, runs: 1, runs_max, fails };
    let mut part = shrinking.kept.len().div_ceil(2);
    while part > 0 {
        let before = shrinking.kept.len();
        shrinking.leave_out(plan, part);
        let is_done = part == 1 && shrinking.kept.len() == before;
        part = if part == 1 && !is_done { 1 } else { part / 2 };
    }
    shrinking.leave_out_nodes();
    let Shrinking { plan, kept, violation, runs, .. } = shrinking;
    Some(Shrunk { plan, kept, violation, runs })
}

struct Shrinking<F> {
    fails: F,
    plan: Plan,
    kept: Vec<usize>,
    violation: Violation,
    runs: usize,
    runs_max: usize,
}

impl<F: Fn(&Plan) -> Option<Violation>> Shrinking<F> {
    /// Tries to do without each `part` events that follow one another, from the last to the first.
    fn leave_out(&mut self, whole: &Plan, part: usize) {
        let mut end = self.kept.len();
        while end > 0 {
            let begin = end.saturating_sub(part);
            let mut kept = self.kept.clone();
            kept.drain(begin..end);
            let smaller = Plan { nodes: self.plan.nodes, ..whole.only(&kept) };
            if self.fails(smaller) {
                self.kept = kept;
            }
            end = begin.min(self.kept.len());
        }
    }

    fn leave_out_nodes(&mut self) {
        while self.plan.nodes > 1 {
            let nodes = self.plan.nodes - 1;
            let nodes_at_start = self.plan.nodes_at_start.min(nodes);
            if !self.fails(Plan { nodes, nodes_at_start, ..self.plan.clone() }) {
                return;
            }
        }
    }

    fn fails(&mut self, smaller: Plan) -> bool {
        if self.runs >= self.runs_max {
            return false;
        }
        self.runs += 1;
        let violation = (self.fails)(&smaller).filter(|violation| is_alike(violation, &self.violation));
        let Some(violation) = violation else { return false };
        (self.plan, self.violation) = (smaller, violation);
        true
    }
}

fn is_alike(one: &Violation, other: &Violation) -> bool {
    let words = |violation: &Violation| -> Vec<String> {
        let words = violation.text.split(|c: char| !c.is_alphabetic()).filter(|word| word.len() > 1);
        words.take(WORDS_ALIKE).map(str::to_owned).collect()
    };
    one.rule == other.rule && words(one) == words(other)
}

/// How many words two violations must share from the first on.
const WORDS_ALIKE: usize = 4;

impl Plan {
    /// The same, without the events that are not in `kept`.
    #[must_use]
    pub fn only(&self, kept: &[usize]) -> Self {
        let events = kept.iter().filter_map(|number| self.events.get(*number).cloned()).collect();
        Self { events, ..self.clone() }
    }
}
