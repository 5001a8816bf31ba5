//! Plans made of a trace: what a fleet did, or might do, in a text file.
//!
//! A trace has a line for each event, with fields between blanks:
//!
//! ```text
//! # seconds  node      event       resource
//! 0.000      runner-1  get         /repos/octo/app
//! 0.120      runner-2  get         /repos/octo/app
//! 4.5        runner-2  invalidate  /repos/octo/app
//! 9          runner-3  join
//! ```
//!
//! Seconds count from the beginning of the trace. Nodes and resources are any words. What happens is one of `get`,
//! `refresh` (a request that takes no answer without asking the origin), `put` and `invalidate`, with a resource, or
//! `join`, `leave` and `crash`, without. A node whose first event is `join` comes then; all others are there from
//! the beginning. Lines that are empty or begin with `#` say nothing.

use crate::plan::{Deed, Event, Plan, Victim};
use cache_core::freshness::Directives;
use std::{collections::BTreeMap, time::Duration};

impl Plan {
    /// The plan that `trace` is, with all chances from `seed`, on the network and in front of the origin of
    /// [`Plan::calm`].
    ///
    /// Events at the same moment happen in the order of their lines.
    ///
    /// # Errors
    ///
    /// Returns [`TraceError`] with the number of the first line that is not an event, or that is one too many.
    pub fn from_trace(seed: u64, trace: &str) -> Result<Self, TraceError> {
        let mut lines = Vec::new();
        for (text, number) in trace.lines().zip(1..) {
            if text.trim().is_empty() || text.trim_start().starts_with('#') {
                continue;
            }
            let fail = |fault| TraceError { line: number, fault };
            lines.push(Line::parse(text).map_err(fail)?);
            if lines.len() > EVENTS_MAX {
                return Err(fail(Fault::TooMany("events", EVENTS_MAX)));
            }
        }
        if lines.is_empty() {
            return Err(TraceError { line: 0, fault: Fault::Empty });
        }
        let (nodes, nodes_at_start) = nodes(&lines)?;
        let resources = resources(&lines)?;
        let mut plan = Self::calm(seed, nodes.len(), resources.len().max(1));
        plan.nodes_at_start = nodes_at_start;
        plan.events = lines.iter().map(|line| line.event(&nodes, &resources)).collect();
        plan.events.sort_by_key(|event| event.at);
        Ok(plan)
    }
}

/// A line of a trace that is not an event.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}{fault}", place(*line))]
pub struct TraceError {
    line: usize,
    fault: Fault,
}

/// How a message begins; nothing where the fault is in no single line.
fn place(line: usize) -> String {
    if line == 0 { String::new() } else { format!("line {line}: ") }
}

#[derive(Debug, Eq, PartialEq, thiserror::Error)]
enum Fault {
    #[error("the trace has no event")]
    Empty,
    #[error("{0:?} is no event; there are get, refresh, put, invalidate, join, leave and crash")]
    Event(String),
    #[error("expected {wanted}")]
    Fields { wanted: &'static str },
    #[error("{0:?} is no number of seconds from 0 to {most}", most = TIME_MAX.as_secs())]
    Seconds(String),
    #[error("more than {1} {0}")]
    TooMany(&'static str, usize),
}

/// A line, taken apart.
struct Line<'a> {
    at: Duration,
    node: &'a str,
    verb: Verb,
    /// Empty where the verb has none.
    resource: &'a str,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Verb {
    Crash,
    Get,
    Invalidate,
    Join,
    Leave,
    Put,
    Refresh,
}

impl<'a> Line<'a> {
    fn parse(text: &'a str) -> Result<Self, Fault> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [seconds, node, verb, resource @ ..] = fields.as_slice() else {
            return Err(Fault::Fields { wanted: "SECONDS NODE EVENT [RESOURCE]" });
        };
        let at = seconds.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let at = at.filter(|at| *at <= TIME_MAX).ok_or_else(|| Fault::Seconds((*seconds).into()))?;
        let verb = match *verb {
            "crash" => Verb::Crash,
            "get" => Verb::Get,
            "invalidate" => Verb::Invalidate,
            "join" => Verb::Join,
            "leave" => Verb::Leave,
            "put" => Verb::Put,
            "refresh" => Verb::Refresh,
            other => return Err(Fault::Event(other.into())),
        };
        let is_of_node = matches!(verb, Verb::Crash | Verb::Join | Verb::Leave);
        let resource = match (is_of_node, resource) {
            (true, []) => "",
            (false, [resource]) => resource,
            (true, _) => return Err(Fault::Fields { wanted: "nothing behind join, leave and crash" }),
            (false, _) => return Err(Fault::Fields { wanted: "one resource behind this event" }),
        };
        Ok(Self { at, node, verb, resource })
    }

    fn event(&self, nodes: &Numbers<'_>, resources: &Numbers<'_>) -> Event {
        let node = nodes[self.node];
        let key = resources.get(self.resource).copied().unwrap_or_default();
        let get =
            |no_cache| Deed::Get { node, key, directives: Directives { no_cache, ..Directives::default() } };
        let deed = match self.verb {
            Verb::Crash => Deed::Crash { victim: Victim::Node(node), down_for: DOWN_FOR, keeps_disk: false },
            Verb::Get => get(false),
            Verb::Invalidate => Deed::Invalidate { node, key },
            Verb::Join => Deed::Join { node },
            Verb::Leave => Deed::Leave { node },
            Verb::Put => Deed::Put { node, key },
            Verb::Refresh => get(true),
        };
        Event { at: self.at, deed }
    }
}

/// Words by their numbers, in order of their first lines.
type Numbers<'a> = BTreeMap<&'a str, usize>;

/// Numbers the nodes, those that are there from the beginning first. Returns how many these are, too.
fn nodes<'a>(lines: &[Line<'a>]) -> Result<(Numbers<'a>, usize), TraceError> {
    let mut firsts: BTreeMap<&str, &Line<'_>> = BTreeMap::new();
    for line in lines {
        let first = firsts.entry(line.node).or_insert(line);
        if line.at < first.at {
            *first = line;
        }
    }
    if firsts.len() > NODES_MAX {
        return Err(TraceError { line: 0, fault: Fault::TooMany("nodes", NODES_MAX) });
    }
    let comes = |line: &&Line<'_>| firsts[line.node].verb == Verb::Join;
    let mut numbers = Numbers::new();
    let mut number = |line: &Line<'a>| {
        let next = numbers.len();
        numbers.entry(line.node).or_insert(next);
    };
    lines.iter().filter(|line| !comes(line)).for_each(&mut number);
    lines.iter().filter(comes).for_each(&mut number);
    let at_start = firsts.values().filter(|line| line.verb != Verb::Join).count();
    Ok((numbers, at_start))
}

fn resources<'a>(lines: &[Line<'a>]) -> Result<Numbers<'a>, TraceError> {
    let mut numbers = Numbers::new();
    for line in lines.iter().filter(|line| !line.resource.is_empty()) {
        let next = numbers.len();
        numbers.entry(line.resource).or_insert(next);
    }
    if numbers.len() > RESOURCES_MAX {
        return Err(TraceError { line: 0, fault: Fault::TooMany("resources", RESOURCES_MAX) });
    }
    Ok(numbers)
}

/// Largest fleet of a trace: the largest that Fleet Cache is made for.
const NODES_MAX: usize = 1_000;
/// Most resources and events, which all are held in memory.
const RESOURCES_MAX: usize = 1_000_000;
const EVENTS_MAX: usize = 10_000_000;
/// Longest trace that is replayed.
const TIME_MAX: Duration = Duration::from_secs(31 * 24 * 3600);
/// How long a node that crashes is away, unless it joins before.
const DOWN_FOR: Duration = TIME_MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_a_plan_with_those_who_come_later_behind_the_others() {
        let trace = "# a comment\n\n1.5 late join\n0 first get /a\n2 late refresh /b\n 2 first put /a\n3 late leave\n";
        let plan = Plan::from_trace(7, trace).unwrap();
        assert_eq!((plan.seed, plan.nodes, plan.nodes_at_start, plan.resources), (7, 2, 1, 2));
        let events: Vec<String> =
            plan.events.iter().map(|event| format!("{:?} {:?}", event.at, event.deed)).collect();
        let directives = |no_cache| Directives { no_cache, ..Directives::default() };
        let get = |node, key, no_cache| Deed::Get { node, key, directives: directives(no_cache) };
        let wanted = [
            format!("0ns {:?}", get(0, 0, false)),
            "1.5s Join { node: 1 }".into(),
            format!("2s {:?}", get(1, 1, true)),
            "2s Put { node: 0, key: 0 }".into(),
            "3s Leave { node: 1 }".into(),
        ];
        assert_eq!(events, wanted);
    }

    #[test]
    fn what_is_no_trace_is_refused_with_its_line() {
        let refused = |trace: &str| Plan::from_trace(1, trace).unwrap_err().to_string();
        assert_eq!(refused(""), "the trace has no event");
        assert_eq!(refused("0 a get /x\n1 a"), "line 2: expected SECONDS NODE EVENT [RESOURCE]");
        assert_eq!(refused("0 a get"), "line 1: expected one resource behind this event");
        assert_eq!(refused("0 a join /x"), "line 1: expected nothing behind join, leave and crash");
        assert!(refused("0 a fetch /x").starts_with("line 1: \"fetch\" is no event; there are get,"));
        for seconds in ["-1", "NaN", "inf", "x", "1e300"] {
            assert!(refused(&format!("{seconds} a get /x")).contains("is no number of seconds"), "{seconds}");
        }
        let crowd: String = (0..=NODES_MAX).map(|node| format!("0 n{node} get /x\n")).collect();
        assert_eq!(refused(&crowd), "more than 1000 nodes");
    }
}
