//! Objects of the graph, and how their fields are found.

use super::{
    super::{access::Asker, repository::View, subject::Subject, world::World},
    weight::Weight,
};
use apollo_compiler::{
    executable::Selection,
    resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue},
};
use serde_json::{Map, Value};
use std::{cell::RefCell, collections::BTreeMap};

/// What one request is run against.
pub(super) struct Scene<'w> {
    pub(super) world: RefCell<&'w mut World>,
    pub(super) asker: &'w Asker,
    pub(super) weight: Weight,
}

/// Something that a field is, before it is asked for its own fields.
#[derive(Clone, Debug)]
pub(super) enum Seed {
    Account(String),
    Commit(View, String),
    List(Vec<Seed>),
    /// An object of this type with fields that are plain, and others.
    Made(String, Map<String, Value>, BTreeMap<&'static str, Seed>),
    Mutation,
    /// JSON; objects in it name their type.
    Plain(Value),
    Query,
    /// A branch by its name.
    Ref(View, String),
    Repository(View),
    /// The checks of a commit together.
    Rollup(View, String),
    Subject(View, Box<Subject>),
}

impl Seed {
    pub(super) const NULL: Self = Self::Plain(Value::Null);

    pub(super) fn or_null(seed: Option<Self>) -> Self {
        seed.unwrap_or(Self::NULL)
    }

    fn resolved<'s>(self, scene: &'s Scene<'_>) -> ResolvedValue<'s> {
        match self {
            Self::List(seeds) => ResolvedValue::list(seeds.into_iter().map(|seed| seed.resolved(scene))),
            Self::Plain(Value::Array(values)) => {
                ResolvedValue::list(values.into_iter().map(|value| Self::Plain(value).resolved(scene)))
            }
            Self::Plain(Value::Object(fields)) => {
                let object = Object { type_name: named(&fields), plain: fields, scene, seed: Self::NULL };
                ResolvedValue::object(object)
            }
            Self::Plain(leaf) => ResolvedValue::leaf(leaf),
            seed => match Object::new(scene, seed) {
                Some(object) => ResolvedValue::object(object),
                None => ResolvedValue::null(),
            },
        }
    }
}

/// The type that an object in JSON names.
fn named(fields: &Map<String, Value>) -> String {
    fields.get("__typename").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A seed whose plain fields are known.
pub(super) struct Object<'s, 'w> {
    scene: &'s Scene<'w>,
    type_name: String,
    plain: Map<String, Value>,
    seed: Seed,
}

impl<'s, 'w> Object<'s, 'w> {
    /// `None` for what is no object.
    pub(super) fn new(scene: &'s Scene<'w>, seed: Seed) -> Option<Self> {
        let plain = match &seed {
            Seed::Account(login) => scene.describe_account(login),
            Seed::Commit(view, sha) => scene.describe_commit(view, sha),
            Seed::Made(_, plain, _) => plain.clone(),
            Seed::Ref(view, name) => scene.describe_ref(view, name),
            Seed::Repository(view) => scene.describe_repository(view),
            Seed::Rollup(view, sha) => scene.describe_rollup(view, sha),
            Seed::Subject(view, subject) => scene.describe_subject(view, subject),
            Seed::Mutation | Seed::Query => Map::new(),
            Seed::List(_) | Seed::Plain(_) => return None,
        };
        let type_name = match &seed {
            Seed::Made(type_name, ..) => type_name.clone(),
            Seed::Mutation => "Mutation".to_owned(),
            Seed::Query => "Query".to_owned(),
            _described => named(&plain),
        };
        Some(Self { scene, type_name, plain, seed })
    }

    fn field(&self, name: &str, arguments: &Arguments) -> Result<Seed, Failure> {
        let scene = self.scene;
        match &self.seed {
            Seed::Account(login) => scene.account_field(login, name, arguments),
            Seed::Commit(view, sha) => scene.commit_field(view, sha, name, arguments),
            Seed::Made(_, _, seeds) => Ok(Seed::or_null(seeds.get(name).cloned())),
            Seed::Mutation => scene.mutate(name, arguments),
            Seed::Query => scene.root_field(name, arguments),
            Seed::Ref(view, branch) => Ok(scene.ref_field(view, branch, name)),
            Seed::Repository(view) => scene.repository_field(view, name, arguments),
            Seed::Rollup(view, sha) => scene.rollup_field(view, sha, name, arguments),
            Seed::Subject(view, subject) => scene.subject_field(view, subject, name, arguments),
            Seed::List(_) | Seed::Plain(_) => Ok(Seed::NULL),
        }
    }
}

impl ObjectValue for Object<'_, '_> {
    fn type_name(&self) -> &str {
        &self.type_name
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Result<ResolvedValue<'a>, FieldError> {
        let name = info.field_name();
        let seed = match self.plain.get(name) {
            Some(value) => Seed::Plain(value.clone()),
            None => self.field(name, &Arguments::of(info)).map_err(Failure::into_error)?,
        };
        Ok(seed.resolved(self.scene))
    }
}

/// The arguments of a field, after their coercion, and what of a connection is asked for.
pub(super) struct Arguments {
    values: Value,
    pub(super) field: String,
    /// Whether things of a connection are asked for, and not their number alone.
    pub(super) asks_for_nodes: bool,
}

impl Arguments {
    fn of(info: &ResolveInfo<'_>) -> Self {
        let is_of_nodes = |selection: &Selection| {
            selection.as_field().is_none_or(|field| matches!(field.name.as_str(), "nodes" | "edges"))
        };
        let mut selections = info.field_selections().iter().flat_map(|field| &field.selection_set.selections);
        Self {
            values: serde_json::to_value(info.arguments()).unwrap_or_default(),
            field: info.field_name().to_owned(),
            asks_for_nodes: selections.any(is_of_nodes),
        }
    }

    /// The argument with this name; null if it is not given.
    pub(super) fn get(&self, name: &str) -> &Value {
        &self.values[name]
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.get(name).as_str().unwrap_or_default()
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.get(name).as_i64()
    }
}

/// The texts in an argument that is a list or null.
pub(super) fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().chain(Some(value)).filter_map(Value::as_str)
}

/// Why a field has no value.
#[derive(Debug)]
pub(super) struct Failure {
    kind: &'static str,
    message: String,
}

impl Failure {
    pub(super) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new("NOT_FOUND", format!("Could not resolve to {what}."))
    }

    /// The library knows messages alone.
    fn into_error(self) -> FieldError {
        FieldError { message: format!("{}{KIND_END}{}", self.kind, self.message) }
    }
}

/// What stands between the type of an error and its message on the way through the library.
pub(super) const KIND_END: char = '\u{1f}';

impl<'w> Scene<'w> {
    pub(super) fn new(world: &'w mut World, asker: &'w Asker, weight: Weight) -> Self {
        Self { world: RefCell::new(world), asker, weight }
    }

    pub(super) fn is_asker(&self, login: &str) -> bool {
        self.asker.payer() == login
    }
}

/// The fields of an object that is given as JSON.
pub(super) fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _other => Map::new(),
    }
}
