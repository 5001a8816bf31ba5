//! A GraphQL document: whether it can be read, its canonical form, and what it selects.

use super::{
    rule::{Rule, RuleSet},
    table::NEVER_KEPT,
};
use apollo_parser::{
    Lexer, Parser, TokenKind,
    cst::{self, CstNode as _},
};
use std::collections::{BTreeMap, BTreeSet};

/// A document that could be read.
pub(crate) struct Document {
    definitions: Vec<cst::Definition>,
    /// Where among those the fragments stand, by their names.
    fragments: BTreeMap<String, usize>,
    canonical: String,
    speaks_of_viewer: bool,
}

/// What an operation selects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Selected {
    pub(crate) rules: RuleSet,
    /// Whether the answer may depend on which credential asks, beyond what it may read.
    pub(crate) is_personal: bool,
}

impl Document {
    /// Reads `text`; `None` if it is not a document, or passes a bound.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (canonical, speaks_of_viewer) = canonical(text)?;
        // The parser takes a comma amiss in some places where it means nothing, so it is given none.
        let tree = Parser::new(&canonical).recursion_limit(DEPTH_MAX).token_limit(TOKENS_MAX).parse();
        let is_sound = tree.errors().next().is_none();
        let definitions: Vec<_> = tree.document().definitions().collect();
        let mut fragments = BTreeMap::new();
        for (place, definition) in definitions.iter().enumerate() {
            if let cst::Definition::FragmentDefinition(fragment) = definition
                && let Some(name) = fragment.fragment_name().and_then(|own| text_of(&own.name()?))
            {
                fragments.entry(name).or_insert(place);
            }
        }
        (is_sound && !definitions.is_empty()).then_some(Self {
            definitions,
            fragments,
            canonical,
            speaks_of_viewer,
        })
    }

    /// The document without white space, commas and comments, and all else as it is written.
    pub(crate) fn canonical(&self) -> &str {
        &self.canonical
    }

    /// Whether none of its operations changes anything.
    pub(crate) fn changes_nothing(&self) -> bool {
        self.definitions.iter().all(|definition| {
            if let cst::Definition::OperationDefinition(operation) = definition {
                !is_of(operation, Kind::Mutation)
            } else {
                matches!(definition, cst::Definition::FragmentDefinition(_))
            }
        })
    }

    /// What the operation by the `name` selects, or the only one if there is no name; else why its answer is not kept.
    pub(crate) fn selected(&self, name: Option<&str>) -> Result<Selected, &'static str> {
        let mut found = None;
        let mut count = 0_usize;
        for definition in &self.definitions {
            let cst::Definition::OperationDefinition(operation) = definition else {
                if matches!(definition, cst::Definition::FragmentDefinition(_)) {
                    continue;
                }
                return Err("graphql-schema");
            };
            if is_of(operation, Kind::Mutation) {
                return Err(super::MUTATION);
            }
            if is_of(operation, Kind::Subscription) {
                return Err("graphql-subscription");
            }
            count += 1;
            let own = operation.name().and_then(|own| text_of(&own));
            if name.is_none() || name == own.as_deref() {
                if found.is_some() {
                    return Err("graphql-operations");
                }
                found = Some(operation);
            }
        }
        let operation = found.filter(|_| count == 1 || name.is_some()).ok_or("graphql-operations")?;
        let mut rules = RuleSet::default();
        for definition in &self.definitions {
            self.gather(definition, &mut rules)?;
        }
        let roots = self.roots(operation)?;
        for root in &roots {
            rules.add(Rule::of_root(root));
        }
        Ok(Selected { rules, is_personal: self.speaks_of_viewer })
    }

    /// The operation by the `name`, or the only one if there is no name.
    pub(super) fn operation(&self, name: Option<&str>) -> Option<&cst::OperationDefinition> {
        let operations = self.definitions.iter().filter_map(|definition| {
            let cst::Definition::OperationDefinition(operation) = definition else { return None };
            Some(operation)
        });
        let mut named = operations.filter(|operation| {
            name.is_none() || operation.name().and_then(|own| text_of(&own)).as_deref() == name
        });
        named.next().filter(|_| named.next().is_none())
    }

    /// Gathers the rules of all that `definition` selects, at any depth.
    fn gather(&self, definition: &cst::Definition, rules: &mut RuleSet) -> Result<(), &'static str> {
        for node in definition.syntax().descendants() {
            if let Some(field) = cst::Field::cast(node.clone()) {
                let name = field.name().and_then(|name| text_of(&name)).ok_or(UNREADABLE)?;
                if let Some((_, reason)) = NEVER_KEPT.iter().find(|(never, _)| *never == name) {
                    return Err(reason);
                }
                if let Some(rule) = Rule::of_field(&name) {
                    rules.add(rule);
                }
            } else if let Some(directive) = cst::Directive::cast(node.clone()) {
                let name = directive.name().and_then(|name| text_of(&name)).ok_or(UNREADABLE)?;
                if !DIRECTIVES.contains(&&*name) {
                    return Err("graphql-directive");
                }
            } else if let Some(condition) = cst::TypeCondition::cast(node) {
                let name = condition.named_type().and_then(|named| named.name());
                if let Some(rule) = name.and_then(|name| Rule::of_type(&text_of(&name)?)) {
                    rules.add(rule);
                }
            }
        }
        Ok(())
    }

    /// The names of the fields that `operation` selects at its root, by fragments as well.
    fn roots(&self, operation: &cst::OperationDefinition) -> Result<BTreeSet<String>, &'static str> {
        let mut roots = BTreeSet::new();
        let mut spread = BTreeSet::new();
        let mut waiting = vec![operation.selection_set().ok_or(UNREADABLE)?];
        while let Some(set) = waiting.pop() {
            for selection in set.selections() {
                match selection {
                    cst::Selection::Field(field) => {
                        roots.insert(field.name().and_then(|name| text_of(&name)).ok_or(UNREADABLE)?);
                    }
                    cst::Selection::InlineFragment(fragment) => {
                        waiting.push(fragment.selection_set().ok_or(UNREADABLE)?);
                    }
                    cst::Selection::FragmentSpread(fragment) => {
                        let name = fragment.fragment_name().and_then(|name| text_of(&name.name()?));
                        let name = name.ok_or(UNREADABLE)?;
                        let definition = self.fragment(&name).ok_or("graphql-fragment")?;
                        if spread.insert(name) {
                            waiting.push(definition.selection_set().ok_or(UNREADABLE)?);
                        }
                    }
                }
            }
        }
        Ok(roots)
    }

    pub(super) fn fragment(&self, name: &str) -> Option<&cst::FragmentDefinition> {
        let cst::Definition::FragmentDefinition(fragment) = &self.definitions[*self.fragments.get(name)?]
        else {
            return None;
        };
        Some(fragment)
    }
}

/// The kinds of operations that are no queries.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Mutation,
    Subscription,
}

fn is_of(operation: &cst::OperationDefinition, kind: Kind) -> bool {
    operation.operation_type().is_some_and(|named| match kind {
        Kind::Mutation => named.mutation_token().is_some(),
        Kind::Subscription => named.subscription_token().is_some(),
    })
}

pub(super) fn text_of(name: &cst::Name) -> Option<String> {
    Some(name.syntax().first_token()?.text().to_owned())
}

/// The canonical form of a document, and whether it speaks of the credential that asks.
///
/// White space, commas and comments mean nothing. Everything else stays, in its order and as it is written, with a
/// space between any two tokens; so documents of one form are the same tokens. `None` if it cannot be read.
fn canonical(text: &str) -> Option<(String, bool)> {
    let mut canonical = String::with_capacity(text.len());
    let mut speaks_of_viewer = false;
    for token in Lexer::new(text).with_limit(TOKENS_MAX) {
        let token = token.ok()?;
        let (kind, data) = (token.kind(), token.data());
        if [TokenKind::Whitespace, TokenKind::Comma, TokenKind::Comment, TokenKind::Eof].contains(&kind) {
            continue;
        }
        // What an escape stands for is not looked into.
        speaks_of_viewer |= is_about_viewer(data) || data.contains('\\');
        if !canonical.is_empty() {
            canonical.push(' ');
        }
        canonical.push_str(data);
    }
    Some((canonical, speaks_of_viewer))
}

/// Whether `text`, a name or a value, may make an answer depend on which credential asks: GitHub's schema calls that the
/// viewer, searches call it `@me`, and lists of repositories are cut to the viewer's affiliations.
pub(super) fn is_about_viewer(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ABOUT_VIEWER.iter().any(|word| text.contains(word))
}

const ABOUT_VIEWER: [&str; 5] = ["viewer", "@me", "affiliations", "notificationthreads", "savedreplies"];
/// The directives that every server has. What others do to an answer is unknown.
const DIRECTIVES: [&str; 2] = ["include", "skip"];
/// Deepest nesting of a document that is looked into. GitHub's own examples have less than twenty levels.
const DEPTH_MAX: usize = 64;
/// Most tokens of a document that is looked into; `gh` sends some hundreds.
const TOKENS_MAX: usize = 20_000;
const UNREADABLE: &str = "graphql-unreadable";
