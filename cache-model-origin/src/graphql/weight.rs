//! What a query costs: GitHub's formula, before it is run.

use apollo_compiler::{
    ExecutableDocument,
    ast::Value,
    executable::{DirectiveList, Field, Operation, Selection},
    response::JsonMap,
};

/// How many requests and nodes a query may come to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Weight {
    /// Those that it takes to fulfil each connection once for each of its parents.
    pub(super) requests: u64,
    pub(super) nodes: u64,
}

impl Weight {
    /// That of `operation`, with every page full.
    pub(super) fn of(document: &ExecutableDocument, operation: &Operation, variables: &JsonMap) -> Self {
        let mut weight = Self::default();
        weight.add(&operation.selection_set.selections, 1, document, variables);
        weight
    }

    /// A hundredth of the requests, and at least one.
    pub(super) fn points(self) -> u64 {
        ((self.requests + 50) / 100).max(1)
    }

    fn add(
        &mut self,
        selections: &[Selection],
        parents: u64,
        document: &ExecutableDocument,
        variables: &JsonMap,
    ) {
        for selection in selections {
            if !is_included(selection.directives(), variables) {
                continue;
            }
            match selection {
                Selection::Field(field) => {
                    let page = page_of(field, variables);
                    if let Some(page) = page {
                        self.requests = self.requests.saturating_add(parents);
                        self.nodes = self.nodes.saturating_add(parents.saturating_mul(page));
                    }
                    let below = parents.saturating_mul(page.unwrap_or(1));
                    self.add(&field.selection_set.selections, below, document, variables);
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = spread.fragment_def(document) {
                        self.add(&fragment.selection_set.selections, parents, document, variables);
                    }
                }
                Selection::InlineFragment(fragment) => {
                    self.add(&fragment.selection_set.selections, parents, document, variables);
                }
            }
        }
    }
}

/// The size of the page that a connection is asked for.
fn page_of(field: &Field, variables: &JsonMap) -> Option<u64> {
    ["first", "last"].into_iter().find_map(|name| {
        let argument = field.arguments.iter().find(|argument| argument.name == name)?;
        match &*argument.value {
            Value::Int(size) => size.as_str().parse().ok(),
            Value::Variable(name) => variables.get(name.as_str())?.as_u64(),
            _other => None,
        }
    })
}

fn is_included(directives: &DirectiveList, variables: &JsonMap) -> bool {
    let holds = |directive: &str| {
        let condition = directives.get(directive)?.specified_argument_by_name("if")?;
        match &**condition {
            Value::Boolean(holds) => Some(*holds),
            Value::Variable(name) => variables.get(name.as_str())?.as_bool(),
            _other => None,
        }
    };
    !holds("skip").unwrap_or(false) && holds("include").unwrap_or(true)
}
