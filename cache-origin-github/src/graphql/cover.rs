//! Which resources of the REST API show that the answer to a query has not changed.
//!
//! The origin tells for nothing whether a REST resource is what it was; what a query costs it costs each time. So where
//! the fields of a query are all shown by REST resources that were the same before, its answer still holds. The fields and
//! their resources are in [`table`].

mod table;

use super::document::{Document, text_of};
use apollo_parser::cst::{self, CstNode as _};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use table::{CONDITIONS, Of, ROWS, Row};

/// What a query asks about, as far as it is told here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Reading {
    pub(crate) subject: Subject,
    /// Whether all of the answer is of the subject's repository, as far as a write may change it.
    pub(crate) is_within: bool,
    /// What covers the answer; `None` if something in it has no cover.
    pub(crate) cover: Option<Cover>,
    /// Where the answer tells ids.
    pub(crate) ids: Vec<IdAt>,
}

/// The REST resources that cover all that a query selects.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Cover {
    pub(crate) sources: BTreeSet<Source>,
    /// Whether something is selected that no resource covers, and that changes only when somebody changes a setting.
    pub(crate) has_settings: bool,
}

/// Where an answer tells the id of the issue or pull request with a number, or of the repository itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct IdAt {
    /// As a JSON pointer (RFC 6901).
    pub(crate) pointer: String,
    pub(crate) number: Option<u64>,
}

/// What a query is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Subject {
    /// A repository, as `owner/name`, and what the query names in it by number.
    Repository(Box<str>),
    /// The issue or pull request with an id.
    Id(Box<str>),
}

/// A REST resource of the repository that a query is about. A number is `None` for that of what an id stands for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Source {
    Checks(Option<u64>),
    Comments(Option<u64>),
    Issue(Option<u64>),
    Issues(State),
    Pull(Option<u64>),
    Pulls(State),
    Releases,
    Repository,
    Reviews(Option<u64>),
}

/// Which items of a list are meant.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum State {
    All,
    Closed,
    Open,
}

impl Document {
    /// What the operation by the `name` asks about with `variables`; `None` if it is not about one thing.
    pub(crate) fn reading(&self, name: Option<&str>, variables: &Map<String, Value>) -> Option<Reading> {
        let operation = self.operation(name)?;
        let mut walk = Walk {
            document: self,
            variables: with_defaults(operation, variables)?,
            selections: 0,
            depth: 0,
            subject: None,
            sources: BTreeSet::new(),
            has_settings: false,
            is_covered: true,
            is_within: true,
            pointer: String::from("/data"),
            ids: Vec::new(),
        };
        walk.set(&operation.selection_set()?, "Query", At::default())?;
        let cover = Cover { sources: walk.sources, has_settings: walk.has_settings };
        let checks = cover.sources.iter().filter(|source| matches!(source, Source::Checks(_))).count();
        let is_covered = walk.is_covered && checks <= 1 && (1..=SOURCES_MAX).contains(&cover.sources.len());
        Some(Reading {
            subject: walk.subject?,
            is_within: walk.is_within,
            cover: is_covered.then_some(cover),
            ids: walk.ids,
        })
    }
}

/// One walk through a document.
struct Walk<'a> {
    document: &'a Document,
    variables: Map<String, Value>,
    /// Selections of fields and fragments so far, and those that the walk is inside of.
    selections: usize,
    depth: usize,
    subject: Option<Subject>,
    sources: BTreeSet<Source>,
    has_settings: bool,
    is_covered: bool,
    is_within: bool,
    /// Where in the answer the walk is.
    pointer: String,
    ids: Vec<IdAt>,
}

/// Whither a field leads that no row of the table is about.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Leads {
    /// Perhaps to things that are of no repository, or of another.
    Elsewhere,
    /// It holds values of the object that it is of.
    Nowhere,
}

/// Where a walk is: what covers the object that it is in, and the number that it is under.
#[derive(Clone, Copy, Default)]
struct At {
    source: Option<Source>,
    number: Option<u64>,
    /// Whether it is the one object that the query names.
    is_single: bool,
}

impl Walk<'_> {
    fn set(&mut self, set: &cst::SelectionSet, of: &'static str, at: At) -> Option<()> {
        // Fragments that spread each other have no end, and those that spread others twice have none in practice.
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        for selection in set.selections() {
            self.selections += 1;
            if self.selections > SELECTIONS_MAX {
                return None;
            }
            match selection {
                cst::Selection::Field(field) => self.field(&field, of, at)?,
                cst::Selection::InlineFragment(fragment) => {
                    self.fragment(of, fragment.type_condition(), &fragment.selection_set()?, at)?;
                }
                cst::Selection::FragmentSpread(spread) => {
                    let name = text_of(&spread.fragment_name()?.name()?)?;
                    let fragment = self.document.fragment(&name)?.clone();
                    self.fragment(of, fragment.type_condition(), &fragment.selection_set()?, at)?;
                }
            }
        }
        self.depth -= 1;
        Some(())
    }

    fn fragment(
        &mut self,
        of: &'static str,
        condition: Option<cst::TypeCondition>,
        set: &cst::SelectionSet,
        at: At,
    ) -> Option<()> {
        match narrowed(of, condition) {
            Some(of) => self.set(set, of, at),
            None => self.leave_uncovered(Leads::Elsewhere),
        }
    }

    fn leave_uncovered(&mut self, leads: Leads) -> Option<()> {
        self.is_covered = false;
        self.is_within &= leads == Leads::Nowhere;
        // A query that asks for something else besides is about more than one thing.
        (self.pointer != "/data").then_some(())
    }

    fn field(&mut self, field: &cst::Field, of: &'static str, at: At) -> Option<()> {
        let name = text_of(&field.name()?)?;
        if name == "__typename" {
            return Some(());
        }
        let Some(row) = row(of, &name) else {
            let leads = if field.selection_set().is_some() { Leads::Elsewhere } else { Leads::Nowhere };
            return self.leave_uncovered(leads);
        };
        // A push to the repository that a pull request comes from changes its head.
        self.is_within &= row.of != "PullRequest" || !OF_HEAD.contains(&&*name);
        let arguments = self.arguments(field)?;
        let at = self.enter(&name, row, &arguments, at)?;
        let before = self.pointer.len();
        let key = field.alias().map_or(Some(name.clone()), |alias| text_of(&alias.name()?))?;
        self.pointer.extend(["/", &key]);
        if name == "id"
            && ["Repository", "PullRequest", "Issue"].contains(&of)
            && at.is_single
            && self.ids.len() < IDS_MAX
            && self.pointer.len() <= POINTER_BYTES_MAX
        {
            self.ids.push(IdAt { pointer: self.pointer.clone(), number: at.number });
        }
        match (row.holds, field.selection_set()) {
            (Some(of), Some(set)) => self.set(&set, of, at)?,
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => self.is_covered = false,
        }
        self.pointer.truncate(before);
        Some(())
    }

    /// Notes what covers field `name`, and returns where the walk is inside of it.
    fn enter(&mut self, name: &str, row: &Row, arguments: &Map<String, Value>, at: At) -> Option<At> {
        let mut at = at;
        match (row.of, name) {
            ("Query", "repository") => {
                let word = |name| arguments.get(name).and_then(Value::as_str).filter(|word| is_plain(word));
                let about = format!("{}/{}", word("owner")?, word("name")?).to_ascii_lowercase();
                self.be_about(Subject::Repository(about.into()))?;
                at.is_single = true;
            }
            ("Query", "node") => {
                let id = arguments.get("id").and_then(Value::as_str)?;
                self.be_about(Subject::Id(id.into()))?;
            }
            ("Repository", "pullRequest" | "issue" | "issueOrPullRequest") => {
                at.number = Some(arguments.get("number").and_then(Value::as_u64)?);
            }
            ("PullRequest", "commits") if !is_head(arguments) => self.is_covered = false,
            ("Repository", "pullRequests" | "issues") => at.is_single = false,
            _other => {}
        }
        let source = match row.covered {
            Of::Parent => at.source,
            Of::Settings => {
                self.has_settings = true;
                at.source
            }
            Of::Repository => Some(Source::Repository),
            Of::Pull => Some(Source::Pull(at.number)),
            Of::Issue => Some(Source::Issue(at.number)),
            Of::Checks => Some(Source::Checks(at.number)),
            Of::Comments => Some(Source::Comments(at.number)),
            Of::Reviews => Some(Source::Reviews(at.number)),
            Of::Pulls | Of::Issues if !chooses_by_what_is_shown(arguments) => {
                self.is_covered = false;
                at.source
            }
            Of::Pulls => Some(Source::Pulls(states(arguments)?)),
            Of::Issues => Some(Source::Issues(states(arguments)?)),
            Of::Releases => Some(Source::Releases),
        };
        self.sources.extend(source);
        Some(At { source, ..at })
    }

    /// A query about several things is about none.
    fn be_about(&mut self, subject: Subject) -> Option<()> {
        let is_same = self.subject.as_ref().is_none_or(|known| *known == subject);
        is_same.then(|| self.subject = Some(subject))
    }

    fn arguments(&self, field: &cst::Field) -> Option<Map<String, Value>> {
        let mut found = Map::new();
        for argument in field.arguments().into_iter().flat_map(|arguments| arguments.arguments()) {
            let value = value_of(&argument.value()?, &self.variables)?;
            found.insert(text_of(&argument.name()?)?, value);
        }
        Some(found)
    }
}

fn row(of: &str, field: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.of == of && row.fields.contains(&field))
}

/// What an object that is `of` a type is called under `condition`.
fn narrowed(of: &'static str, condition: Option<cst::TypeCondition>) -> Option<&'static str> {
    let Some(condition) = condition else { return Some(of) };
    let name = text_of(&condition.named_type()?.name()?)?;
    if name == of {
        return Some(of);
    }
    let found = CONDITIONS.iter().find(|(general, special, _)| *general == of && *special == name);
    found.map(|(_, _, narrow)| *narrow)
}

/// Whether of the commits of a pull request the last one is meant, or merely their number.
fn is_head(arguments: &Map<String, Value>) -> bool {
    arguments.is_empty() || (arguments.len() == 1 && arguments.get("last") == Some(&Value::from(1)))
}

/// Whether a list is of items that are chosen by what the REST API's list shows of them. It shows neither subscriptions nor
/// mentions.
fn chooses_by_what_is_shown(arguments: &Map<String, Value>) -> bool {
    let is_shown =
        |(name, value): (&String, &Value), shown: &[&str]| value.is_null() || shown.contains(&name.as_str());
    let is_filter_shown = |filter: &Value| {
        let members = filter.as_object();
        filter.is_null()
            || members.is_some_and(|all| all.iter().all(|member| is_shown(member, &SHOWN_BY_FILTERS)))
    };
    arguments.iter().all(|(name, value)| match name.as_str() {
        "filterBy" => is_filter_shown(value),
        _other => is_shown((name, value), &SHOWN_BY_LISTS),
    })
}

/// Arguments of lists, and members of their filters, of which the items of a REST list show enough.
const SHOWN_BY_LISTS: [&str; 9] =
    ["after", "baseRefName", "before", "first", "headRefName", "labels", "last", "orderBy", "states"];
const SHOWN_BY_FILTERS: [&str; 3] = ["assignee", "createdBy", "labels"];

/// The states that a list is asked for. Other filters choose from those.
fn states(arguments: &Map<String, Value>) -> Option<State> {
    let states: Vec<&str> = match arguments.get("states") {
        None | Some(Value::Null) => return Some(State::All),
        Some(Value::Array(states)) => states.iter().map(Value::as_str).collect::<Option<_>>()?,
        Some(state) => vec![state.as_str()?],
    };
    Some(match states[..] {
        ["OPEN"] => State::Open,
        ["CLOSED" | "MERGED"] => State::Closed,
        _ => State::All,
    })
}

/// Whether `word` can be a segment of a path.
fn is_plain(word: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !word.is_empty() && word != "." && word != ".." && word.bytes().all(is_plain)
}

/// `given`, and the defaults of what is not given.
pub(super) fn with_defaults(
    operation: &cst::OperationDefinition,
    given: &Map<String, Value>,
) -> Option<Map<String, Value>> {
    let mut variables = given.clone();
    for definition in operation.variable_definitions().into_iter().flat_map(|all| all.variable_definitions())
    {
        let name = text_of(&definition.variable()?.name()?)?;
        if let Some(default) = definition.default_value().filter(|_| !variables.contains_key(&name)) {
            variables.insert(name, value_of(&default.value()?, &Map::new())?);
        }
    }
    Some(variables)
}

/// What `value` stands for; a variable that is not given for nothing.
pub(super) fn value_of(value: &cst::Value, variables: &Map<String, Value>) -> Option<Value> {
    Some(match value {
        cst::Value::Variable(variable) => {
            variables.get(&text_of(&variable.name()?)?).cloned().unwrap_or_default()
        }
        cst::Value::StringValue(text) => String::from(text).into(),
        cst::Value::IntValue(number) => {
            serde_json::from_str(number.syntax().text().to_string().trim()).ok()?
        }
        cst::Value::FloatValue(number) => {
            serde_json::from_str(number.syntax().text().to_string().trim()).ok()?
        }
        cst::Value::BooleanValue(truth) => truth.true_token().is_some().into(),
        cst::Value::NullValue(_) => Value::Null,
        cst::Value::EnumValue(word) => text_of(&word.name()?)?.into(),
        cst::Value::ListValue(list) => {
            Value::Array(list.values().map(|item| value_of(&item, variables)).collect::<Option<_>>()?)
        }
        cst::Value::ObjectValue(object) => {
            let mut members = Map::new();
            for field in object.object_fields() {
                members.insert(text_of(&field.name()?)?, value_of(&field.value()?, variables)?);
            }
            Value::Object(members)
        }
    })
}

/// Fields of a pull request that show the state of the repository that it comes from.
const OF_HEAD: [&str; 3] = ["commits", "headRefOid", "statusCheckRollup"];
/// Deepest nesting of selections that is looked into, through fragments as well: a walk takes stack for each level.
const DEPTH_MAX: usize = 32;
/// Most selections that are looked into, those in fragments counted each time; `gh` sends some hundreds.
const SELECTIONS_MAX: usize = 2_000;
/// Most places of ids that are noted of one query; `gh` asks for one or two.
const IDS_MAX: usize = 64;
/// Longest place that is noted: an alias may be as long as a document.
const POINTER_BYTES_MAX: usize = 256;
/// Most resources that are looked at in place of one query, which may cost a single point.
const SOURCES_MAX: usize = 8;

#[cfg(test)]
mod tests;
