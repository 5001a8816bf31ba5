//! What a query costs, before it is run: GitHub's formula, "Rate limits and query limits for the GraphQL API".
//!
//! The answer itself tells only what all queries of the payer have cost in this hour, those through other nodes among them.

use super::{
    cover::{value_of, with_defaults},
    document::{Document, text_of},
};
use apollo_parser::cst;
use serde_json::{Map, Value};

impl Document {
    /// The points for the operation by the `name` with `variables`: a hundredth of the requests that it takes to fulfil each
    /// connection once for each of its parents, and at least one. One as well for what cannot be read.
    pub(super) fn points(&self, name: Option<&str>, variables: &Map<String, Value>) -> u64 {
        let requests = || {
            let operation = self.operation(name)?;
            let variables = with_defaults(operation, variables)?;
            let mut weighing = Weighing { document: self, variables, selections: 0, requests: 0 };
            weighing.add(&operation.selection_set()?, 1, 0)?;
            Some(weighing.requests)
        };
        (requests().unwrap_or(0).saturating_add(50) / 100).max(1)
    }
}

struct Weighing<'a> {
    document: &'a Document,
    variables: Map<String, Value>,
    /// Selections that were looked at, those in fragments each time.
    selections: usize,
    requests: u64,
}

impl Weighing<'_> {
    /// Adds what is selected in each of `parents`; `None` if that is more than is looked into.
    fn add(&mut self, set: &cst::SelectionSet, parents: u64, depth: usize) -> Option<()> {
        // Fragments that spread each other have no end.
        if depth > DEPTH_MAX {
            return None;
        }
        for selection in set.selections() {
            self.selections += 1;
            if self.selections > SELECTIONS_MAX {
                return None;
            }
            match selection {
                cst::Selection::Field(field) => self.add_field(&field, parents, depth)?,
                cst::Selection::FragmentSpread(spread) => {
                    if self.is_included(spread.directives()) {
                        let name = text_of(&spread.fragment_name()?.name()?)?;
                        let fragment = self.document.fragment(&name)?.selection_set()?;
                        self.add(&fragment, parents, depth + 1)?;
                    }
                }
                cst::Selection::InlineFragment(fragment) => {
                    if self.is_included(fragment.directives()) {
                        self.add(&fragment.selection_set()?, parents, depth + 1)?;
                    }
                }
            }
        }
        Some(())
    }

    fn add_field(&mut self, field: &cst::Field, parents: u64, depth: usize) -> Option<()> {
        if !self.is_included(field.directives()) {
            return Some(());
        }
        let page = self.page(field);
        if page.is_some() {
            self.requests = self.requests.saturating_add(parents);
        }
        match field.selection_set() {
            Some(set) => self.add(&set, parents.saturating_mul(page.unwrap_or(1)), depth + 1),
            None => Some(()),
        }
    }

    /// The size of the page that a connection is asked for.
    fn page(&self, field: &cst::Field) -> Option<u64> {
        field.arguments()?.arguments().find_map(|argument| {
            let name = text_of(&argument.name()?)?;
            let is_size = name == "first" || name == "last";
            is_size.then(|| value_of(&argument.value()?, &self.variables)?.as_u64()).flatten()
        })
    }

    /// Whether `@skip` and `@include` let it be.
    fn is_included(&self, directives: Option<cst::Directives>) -> bool {
        directives.into_iter().flat_map(|all| all.directives()).all(|directive| {
            let holds = || {
                let argument = directive.arguments()?.arguments().next()?;
                value_of(&argument.value()?, &self.variables)?.as_bool()
            };
            let name = directive.name().and_then(|name| text_of(&name));
            match name.as_deref() {
                Some("skip") => !holds().unwrap_or(false),
                Some("include") => holds().unwrap_or(true),
                _other => true,
            }
        })
    }
}

/// Deepest nesting that is looked into, through fragments as well: a walk takes stack for each level.
const DEPTH_MAX: usize = 64;
/// Most selections that are looked into, those in fragments counted each time; `gh` sends some hundreds.
const SELECTIONS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn points(query: &str, variables: &str) -> u64 {
        Document::read(query).unwrap().points(None, &serde_json::from_str(variables).unwrap())
    }

    #[test]
    fn a_query_costs_a_hundredth_of_its_requests_and_at_least_a_point() {
        // The example of GitHub's documentation: 1 + 100 + 5,000 requests.
        let documented = "query { viewer { repositories(first: 100) { edges { node { issues(first: 50) { edges { node { \
                          labels(first: 60) { edges { node { name } } } } } } } } } } }";
        let by_variable = "query($n: Int = 20) { a(first: $n) { b(last: 100) { c(first: 1) { d } } } }";
        let spread = "query { a(first: 100) { ...F } } fragment F on A { b(first: 9) { c(first: 9) { d } } }";
        let skipped =
            "query($s: Boolean!) { a(first: 100) @skip(if: $s) { b(first: 9) { c(first: 1) { d } } } }";
        let table = [
            (documented, "{}", 51),
            ("{ a { b } }", "{}", 1),
            ("{ a(first: 100) { b } }", "{}", 1),
            // 1 + 20 + 2,000, and 1 + 2 + 200.
            (by_variable, "{}", 20),
            (by_variable, r#"{"n":2}"#, 2),
            (spread, "{}", 10),
            (skipped, r#"{"s":true}"#, 1),
            (skipped, r#"{"s":false}"#, 10),
            ("query { ...A } fragment A on Q { ...A }", "{}", 1),
        ];
        for (query, variables, expected) in table {
            assert_eq!(points(query, variables), expected, "{query} {variables}");
        }
    }
}
