//! Rules for the lifetimes of answers to queries: their names, their sets, and what an operator makes of them.

use super::table::{FIELDS, LIFETIMES, PREFIXES, ROOTS, TYPES};
use crate::{ConfigError, LIFETIME_MAX, parse_duration};
use cache_core::freshness::Freshness;
use std::{fmt, str::FromStr, time::Duration};

/// What answers to queries are about, as far as it decides how long they are fresh.
///
/// In the order in which keys name them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rule {
    Accounts,
    Checks,
    Decisions,
    Gate,
    Introspection,
    Issues,
    Lists,
    Others,
    Releases,
    Repositories,
    Search,
    Unsettled,
}

impl Rule {
    const ALL: [Self; 12] = [
        Self::Accounts,
        Self::Checks,
        Self::Decisions,
        Self::Gate,
        Self::Introspection,
        Self::Issues,
        Self::Lists,
        Self::Others,
        Self::Releases,
        Self::Repositories,
        Self::Search,
        Self::Unsettled,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Checks => "checks",
            Self::Decisions => "decisions",
            Self::Gate => "gate",
            Self::Introspection => "introspection",
            Self::Issues => "issues",
            Self::Lists => "lists",
            Self::Others => "others",
            Self::Releases => "releases",
            Self::Repositories => "repositories",
            Self::Search => "search",
            Self::Unsettled => "unsettled",
        }
    }

    /// The rule for a field that an operation selects at its root.
    pub(super) fn of_root(field: &str) -> Self {
        find(ROOTS, field).unwrap_or(Self::Others)
    }

    /// The rule for a field, wherever it is selected.
    pub(super) fn of_field(field: &str) -> Option<Self> {
        let begins = PREFIXES.iter().find(|(prefix, _)| field.starts_with(prefix));
        find(FIELDS, field).or(begins.map(|(_, rule)| *rule))
    }

    /// The rule for objects of a type.
    pub(super) fn of_type(name: &str) -> Option<Self> {
        find(TYPES, name)
    }
}

fn find(rows: &[(&str, Rule)], name: &str) -> Option<Rule> {
    rows.iter().find(|(named, _)| *named == name).map(|(_, rule)| *rule)
}

/// A set of rules.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct RuleSet(u16);

impl RuleSet {
    pub(super) fn add(&mut self, rule: Rule) {
        self.0 |= 1 << rule as u16;
    }

    pub(super) fn holds(self, rule: Rule) -> bool {
        self.0 & (1 << rule as u16) != 0
    }

    fn iter(self) -> impl Iterator<Item = Rule> {
        Rule::ALL.into_iter().filter(move |rule| self.holds(*rule))
    }

    /// Reads what [`Display`](fmt::Display) writes; `None` for anything else.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut set = Self::default();
        for name in text.split('+') {
            set.add(Rule::ALL.into_iter().find(|rule| rule.name() == name)?);
        }
        Some(set)
    }
}

impl fmt::Display for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, rule) in self.iter().enumerate() {
            if place > 0 {
                f.write_str("+")?;
            }
            f.write_str(rule.name())?;
        }
        Ok(())
    }
}

/// The lifetime of what one rule is for, or that it is never kept, as an operator sets it.
///
/// Read from text such as `checks = 5s` or `search = never`. The names of the rules, and what each is for, are in
/// `docs/graphql.md`.
///
/// ```
/// # use cache_origin_github::{GitHub, GraphqlRule};
/// let rule: GraphqlRule = "checks=5s".parse()?;
/// assert!("ponies=5s".parse::<GraphqlRule>().is_err());
/// # let _github = GitHub::builder().graphql_rule(rule).build()?;
/// # Ok::<(), cache_origin_github::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GraphqlRule {
    pub(super) rule: Rule,
    /// `None` for never.
    pub(super) lifetime: Option<Duration>,
}

impl FromStr for GraphqlRule {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let bad = |problem: String| ConfigError::GraphqlRule { rule: text.into(), problem: problem.into() };
        let (name, time) = text.split_once('=').ok_or_else(|| bad("it has no `=`".to_owned()))?;
        let (name, time) = (name.trim(), time.trim());
        let Some(rule) = Rule::ALL.into_iter().find(|rule| rule.name() == name) else {
            let names = Rule::ALL.map(Rule::name).join(", ");
            return Err(bad(format!("there is no rule `{name}`; the rules are {names}")));
        };
        if time == "never" {
            return Ok(Self { rule, lifetime: None });
        }
        let lifetime = parse_duration(time, Duration::ZERO..=LIFETIME_MAX);
        let lifetime = lifetime.map_err(|error| bad(format!("its lifetime `{time}` {error}")))?;
        Ok(Self { rule, lifetime: Some(lifetime) })
    }
}

/// The lifetimes of all rules, as an operator left them.
#[derive(Clone, Debug)]
pub(crate) struct Lifetimes {
    /// In the order of [`Rule::ALL`]; `None` for what is never kept.
    each: [Option<Duration>; Rule::ALL.len()],
    /// For how long an answer stands in for an origin that cannot be reached.
    if_error: Duration,
}

impl Lifetimes {
    /// The built-in ones with those of an operator in their place.
    pub(crate) fn new(rules: &[GraphqlRule], if_error: Duration) -> Self {
        let mut each = [Some(Duration::ZERO); Rule::ALL.len()];
        for (rule, seconds, _) in LIFETIMES {
            each[*rule as usize] = Some(Duration::from_secs(*seconds));
        }
        for set in rules {
            each[set.rule as usize] = set.lifetime;
        }
        Self { each, if_error }
    }

    /// For how long an answer may be renewed without putting the query; `None` if never.
    pub(super) fn gate(&self) -> Option<Duration> {
        self.each[Rule::Gate as usize]
    }

    /// For how long an answer about all that `rules` are for is fresh, and then stands in for an origin that cannot be
    /// reached; `None` if it is never kept.
    ///
    /// What decides a write never stands in: a program that finds out that it may merge does so.
    pub(crate) fn of(&self, rules: RuleSet) -> Option<Freshness> {
        let mut lifetime = Duration::MAX;
        for rule in rules.iter() {
            lifetime = lifetime.min(self.each[rule as usize]?);
        }
        let stands_in = !rules.holds(Rule::Decisions) && !rules.holds(Rule::Unsettled);
        let if_error = if stands_in { self.if_error } else { Duration::ZERO };
        (rules != RuleSet::default()).then_some(Freshness {
            lifetime,
            while_revalidating: Duration::ZERO,
            if_error,
        })
    }
}

const _: () = assert!(LIFETIMES.len() == Rule::ALL.len());
