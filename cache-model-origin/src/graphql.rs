//! `POST /graphql`: a document is read, weighed, run, and answered as GitHub does.
//!
//! The schema, its validation and the execution are the library's; this module owns what the fields resolve to, what a
//! query costs, and how a failure is worded. What the objects are is for `subject.rs`, `checks.rs` and `repository.rs` to
//! say, so that REST shows the same.

mod commit;
mod connection;
mod mutation;
mod object;
mod query;
mod repository;
mod search;
mod subject;
#[cfg(test)]
mod tests;
mod weight;

use super::{
    access::Asker,
    answer::{Answer, Caching, Charge},
    asked::Asked,
    calls::Operation,
    world::World,
};
use apollo_compiler::{
    ExecutableDocument, Schema,
    executable::{self, OperationType},
    request::{RequestError, coerce_variable_values},
    resolvers::Execution,
    response::{GraphQLError, JsonMap},
    validation::{DiagnosticList, Valid},
};
use http::{Method, StatusCode};
use object::{KIND_END, Object, Scene, Seed};
use serde_json::{Value, json};
use std::sync::LazyLock;
use weight::Weight;

static SCHEMA: LazyLock<Valid<Schema>> = LazyLock::new(|| {
    let schema = Schema::parse_and_validate(include_str!("graphql/schema.graphql"), "schema.graphql");
    schema.expect("the model's schema is valid")
});

/// What a body asks for.
#[derive(Debug, Default)]
struct Request {
    document: String,
    operation: Option<String>,
    variables: JsonMap,
}

impl World {
    /// The answer to a call of `/graphql` by an account that has points left.
    pub(super) fn graphql(&mut self, asked: &Asked, asker: &Asker) -> Answer {
        if asker.account().is_none() {
            return problem(StatusCode::UNAUTHORIZED, "This endpoint requires you to be authenticated.");
        }
        let request = match asked.method {
            Method::POST => Request::read(&asked.body.start),
            // As GitHub's documentation says, the schema.
            Method::GET | Method::HEAD => {
                Ok(Request { document: INTROSPECTION.to_owned(), ..Request::default() })
            }
            _ => return problem(StatusCode::NOT_FOUND, "Not Found"),
        };
        let request = match request {
            Ok(request) => request,
            Err(message) => return problem(StatusCode::BAD_REQUEST, message),
        };
        let done = self.run(&request, asker);
        let (answer, points) = done.unwrap_or_else(|errors| (json!({ "errors": errors }), 1));
        Answer::json(&answer).cached(Caching::Unsaid).charged(Charge::Points(points))
    }

    /// Data and errors, and the points that they cost.
    fn run(&mut self, request: &Request, asker: &Asker) -> Result<(Value, u64), Vec<Value>> {
        let document = read_document(&request.document)?;
        let refused = |error: RequestError| vec![told(&error.to_graphql_error(&document.sources))];
        let operation = document.operations.get(request.operation.as_deref()).map_err(refused)?;
        let root = match operation.operation_type {
            OperationType::Query => Seed::Query,
            OperationType::Mutation => Seed::Mutation,
            OperationType::Subscription => {
                return Err(vec![json!({ "message": "There are no subscriptions" })]);
            }
        };
        let variables = coerce_variable_values(&SCHEMA, operation, &request.variables).map_err(refused)?;
        let weight = Weight::of(&document, operation, &variables);
        if weight.nodes > NODES_MAX {
            let message = format!(
                "This query requests up to {} possible nodes which exceeds the maximum limit of 500,000.",
                weight.nodes
            );
            return Err(vec![json!({ "type": "MAX_NODE_LIMIT_EXCEEDED", "message": message })]);
        }
        let scene = Scene::new(self, asker, weight);
        let root = Object::new(&scene, root).expect("a root is an object");
        let execution = Execution::new(&SCHEMA, &document).operation(operation);
        let execution = execution.coerced_variable_values(&variables).enable_schema_introspection(true);
        let done = execution.execute_sync(&root).map_err(refused)?;
        let mut answer = json!({ "data": done.data });
        if !done.errors.is_empty() {
            answer["errors"] = done.errors.iter().map(told).collect();
        }
        Ok((answer, weight.points()))
    }
}

impl Request {
    fn read(body: &[u8]) -> Result<Self, &'static str> {
        let Ok(Value::Object(mut body)) = serde_json::from_slice(body) else {
            return Err("Problems parsing JSON");
        };
        let Some(Value::String(document)) = body.remove("query") else {
            return Err("A query attribute must be specified and must be a string.");
        };
        let variables = match body.remove("variables") {
            Some(Value::Object(variables)) => {
                variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
            }
            None | Some(Value::Null) => JsonMap::default(),
            Some(_other) => return Err("Variables must be an object."),
        };
        let operation = match body.remove("operationName") {
            Some(Value::String(name)) if !name.is_empty() => Some(name),
            _unnamed => None,
        };
        Ok(Self { document, operation, variables })
    }
}

/// `text` with a space for each comma that means nothing, since the library takes some amiss: behind an alias, for one.
fn without_commas(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find([',', '"', '#']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = match rest.as_bytes()[0] {
            b',' => {
                out.push(' ');
                rest = &rest[1..];
                continue;
            }
            b'#' => rest.find(['\n', '\r']),
            _quotation if rest.starts_with(BLOCK) => end_of_string(rest, BLOCK, "\\\"\"\""),
            _quotation => end_of_string(rest, "\"", "\\\""),
        };
        let (whole, behind) = rest.split_at(end.unwrap_or(rest.len()));
        out.push_str(whole);
        rest = behind;
    }
    out + rest
}

/// Where the string ends that `text` begins with, between two `marks`. `escaped` is one that does not end it.
fn end_of_string(text: &str, mark: &str, escaped: &str) -> Option<usize> {
    let mut at = mark.len();
    loop {
        let rest = text.get(at..)?;
        if rest.starts_with(mark) {
            return Some(at + mark.len());
        }
        at += match rest.chars().next()? {
            _any if rest.starts_with(escaped) => escaped.len(),
            '\\' if mark != BLOCK => 1 + rest.chars().nth(1)?.len_utf8(),
            other => other.len_utf8(),
        };
    }
}

const BLOCK: &str = "\"\"\"";

/// The document, or what is wrong with it.
fn read_document(text: &str) -> Result<Valid<ExecutableDocument>, Vec<Value>> {
    let all = |errors: &DiagnosticList| errors.iter().map(|error| error.to_json()).collect::<Vec<_>>();
    let (document, errors) = match ExecutableDocument::parse(&SCHEMA, without_commas(text), "document") {
        Ok(document) => match document.validate(&SCHEMA) {
            Ok(valid) => return Ok(valid),
            Err(invalid) => (invalid.partial, all(&invalid.errors)),
        },
        Err(invalid) => return Err(all(&invalid.errors).iter().map(told).collect()),
    };
    // GitHub takes two kinds of states under one name in fragments that exclude each other; `gh issue view` relies on it.
    let (_taken, refused): (Vec<_>, Vec<_>) =
        errors.into_iter().partition(|error| error.message.contains(CONFLICT_OF_TYPES));
    if refused.is_empty() {
        Ok(Valid::assume_valid(document))
    } else {
        Err(refused.iter().map(told).collect())
    }
}

/// What a body of a request to `/graphql` asks for, as far as can be told.
pub(super) fn operation(body: &[u8]) -> Option<Operation> {
    let request = Request::read(body).ok()?;
    let document = ExecutableDocument::parse(&SCHEMA, without_commas(&request.document), "document");
    let document = document.unwrap_or_else(|invalid| invalid.partial);
    let operation: &executable::Operation = document.operations.get(request.operation.as_deref()).ok()?;
    let name = operation.name.as_ref().map_or_else(String::new, ToString::to_string);
    Some(Operation { kind: operation.operation_type.to_string(), name })
}

/// An error as GitHub gives it: with a type of its own, if it has one.
fn told(error: &GraphQLError) -> Value {
    let mut told = json!(error);
    let message = error.message.strip_prefix("resolver error: ").unwrap_or(&error.message);
    if let Some((type_name, field)) = unknown_field(message) {
        told["message"] = format!("Field '{field}' doesn't exist on type '{type_name}'").into();
        told["extensions"] = json!({ "code": "undefinedField", "typeName": type_name, "fieldName": field });
        return told;
    }
    match message.split_once(KIND_END) {
        Some((kind, message)) => {
            told["type"] = kind.into();
            told["message"] = message.into();
        }
        None => told["message"] = message.into(),
    }
    told
}

/// The type and the field that it does not have, if the library says that.
fn unknown_field(message: &str) -> Option<(&str, &str)> {
    let (type_name, field) = message.strip_prefix("type `")?.split_once("` does not have a field `")?;
    Some((type_name, field.strip_suffix('`')?))
}

/// A failure that is no answer to a query.
fn problem(status: StatusCode, message: &str) -> Answer {
    let documentation = "https://docs.github.com/graphql";
    let problem =
        json!({ "message": message, "documentation_url": documentation, "status": status.as_str() });
    Answer::json(&problem).with_status(status).cached(Caching::Unsaid).charged(Charge::Free)
}

/// How the library words that the specification allows one type alone.
const CONFLICT_OF_TYPES: &str = "must not select different types using the same name";

/// Most nodes that a query may ask for.
const NODES_MAX: u64 = 500_000;

/// What GET is answered: the names of the types, and of their fields.
const INTROSPECTION: &str = "{ __schema { queryType { name } mutationType { name } \
                             types { kind name fields(includeDeprecated: true) { name } } } }";
