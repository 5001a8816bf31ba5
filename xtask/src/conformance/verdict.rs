//! What a result of the suite's client means, by the suite's own rules (`lib/display.mjs`).

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, fmt, str::FromStr};

/// A test as the suite lists it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Test {
    /// The chapter that it belongs to.
    suite: String,
    id: String,
    kind: Kind,
    /// The tests that must pass for this one to mean anything.
    depends_on: Vec<String>,
}

/// What a test asks of a cache.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// What the standards of HTTP demand of every cache.
    Required,
    /// What HTTP allows, and a good cache does.
    Optimal,
    /// What caches do differently, to be known.
    Check,
}

/// What came of a test.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// A test that it depends on did not pass.
    Depends,
    Fails,
    Passes,
    /// What the test stands on did not come about.
    Setup,
}

/// A test and what came of it.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) suite: String,
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) verdict: Verdict,
}

impl Verdict {
    pub(super) fn is_passed(self) -> bool {
        self == Self::Passes
    }
}

/// Judges `tests` by the `results` of the suite's client, in their order.
pub(super) fn judge(tests: &[Test], results: &BTreeMap<String, Value>) -> Result<Vec<Judged>> {
    let by_id: BTreeMap<&str, &Test> = tests.iter().map(|test| (test.id.as_str(), test)).collect();
    let judged = tests.iter().map(|test| {
        let verdict = verdict(test, &by_id, results, tests.len())?;
        Ok(Judged { suite: test.suite.clone(), id: test.id.clone(), kind: test.kind, verdict })
    });
    judged.collect()
}

fn verdict(
    test: &Test,
    tests: &BTreeMap<&str, &Test>,
    results: &BTreeMap<String, Value>,
    depth_left: usize,
) -> Result<Verdict> {
    let Some(depth_left) = depth_left.checked_sub(1) else { bail!("{} depends on itself", test.id) };
    for other in &test.depends_on {
        let other = tests.get(other.as_str()).with_context(|| format!("{} depends on {other}", test.id))?;
        if !verdict(other, tests, results, depth_left)?.is_passed() {
            return Ok(Verdict::Depends);
        }
    }
    match results.get(&test.id) {
        Some(Value::Bool(true)) => Ok(Verdict::Passes),
        Some(Value::Array(told)) if told.first().is_some_and(|kind| kind == "Setup") => Ok(Verdict::Setup),
        Some(_) => Ok(Verdict::Fails),
        None => bail!("the suite's client says nothing of {}", test.id),
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Check => "check",
            Self::Optimal => "optimal",
            Self::Required => "required",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Depends => "depends",
            Self::Fails => "fails",
            Self::Passes => "passes",
            Self::Setup => "setup",
        })
    }
}

impl FromStr for Verdict {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "depends" => Ok(Self::Depends),
            "fails" => Ok(Self::Fails),
            "passes" => Ok(Self::Passes),
            "setup" => Ok(Self::Setup),
            other => bail!("{other:?} is no verdict"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn test(id: &str, depends_on: &[&str]) -> Test {
        let depends_on = depends_on.iter().map(|&id| id.to_owned()).collect();
        Test { suite: "s".to_owned(), id: id.to_owned(), kind: Kind::Required, depends_on }
    }

    fn judged(tests: &[Test], results: Value) -> Result<Vec<Verdict>> {
        let judged = judge(tests, &serde_json::from_value(results)?)?;
        Ok(judged.iter().map(|judged| judged.verdict).collect())
    }

    #[test]
    fn a_test_passes_only_where_all_that_it_depends_on_passes() {
        let tests = [test("a", &[]), test("b", &["a"]), test("c", &["b"]), test("d", &[])];
        let results = json!({ "a": ["Assertion", "no"], "b": true, "c": true, "d": ["Setup", "retry"] });
        let expected = [Verdict::Fails, Verdict::Depends, Verdict::Depends, Verdict::Setup];
        assert_eq!(judged(&tests, results).unwrap(), expected);
        let results = json!({ "a": true, "b": true, "c": true, "d": true });
        assert_eq!(judged(&tests, results).unwrap(), [Verdict::Passes; 4]);
    }

    #[test]
    fn a_test_without_a_result_or_that_depends_on_itself_is_an_error() {
        assert!(judged(&[test("a", &[])], json!({})).is_err());
        assert!(judged(&[test("a", &["b"]), test("b", &["a"])], json!({ "a": true, "b": true })).is_err());
        assert!(judged(&[test("a", &["gone"])], json!({ "a": true })).is_err());
    }
}
