//! The body of a GraphQL request, read as far as it takes to look an answer up.

use super::{
    cover::Reading,
    document::{Document, is_about_viewer},
    rule::RuleSet,
};
use crate::remembered::Remembered;
use bytes::Bytes;
use cache_core::Payer;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use parking_lot::Mutex;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
};

/// A query whose answer may be kept: what is sent to the origin for it, and what the answer is about.
#[derive(Clone)]
pub(crate) struct Query {
    pub(crate) rules: RuleSet,
    /// Whether the answer may depend on which credential asks, beyond what it may read.
    pub(crate) is_personal: bool,
    /// What tells it from all other queries.
    pub(crate) digest: [u8; 32],
    /// The body, as the client wrote it.
    pub(crate) body: Bytes,
    /// The fields of the request on which an answer may depend.
    pub(crate) fields: Vec<(HeaderName, HeaderValue)>,
    /// What it asks about, if that is one thing.
    pub(super) reading: Option<Reading>,
    /// What it costs by GitHub's formula.
    pub(super) points: u64,
    /// A digest of its document, without what is given for its variables.
    pub(super) shape: u64,
}

impl fmt::Debug for Query {
    /// Which one it is: what it asks may be private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Query({:016x}, {} bytes)", self.short_digest(), self.body.len())
    }
}

impl Query {
    /// Reads a request with `headers` and `body`; else says why its answer is not kept.
    pub(crate) fn read(headers: &HeaderMap, body: &Bytes) -> Result<Self, &'static str> {
        if headers.contains_key(header::CONTENT_ENCODING) {
            return Err(UNREADABLE);
        }
        let asked: Asked = serde_json::from_slice(body).map_err(|_unreadable| UNREADABLE)?;
        let document = Document::read(&asked.query).ok_or(UNREADABLE)?;
        let selected = document.selected(asked.operation.as_deref())?;
        let mut variables = Canonical::default();
        if let Some(given) = asked.variables {
            variables.write(given, VARIABLES_DEPTH_MAX).ok_or(UNREADABLE)?;
        }
        // No variables are as good as none that are given.
        let given = if variables.text == "{}" { "" } else { &variables.text };
        let fields = telling(headers);
        let digest = digest_of(document.canonical(), asked.operation.as_deref(), given, &fields);
        let is_personal = selected.is_personal || variables.is_about_viewer;
        let shape = beginning(&digest_of(document.canonical(), asked.operation.as_deref(), "", &[]));
        let values = asked.variables.map_or("{}", RawValue::get);
        let values = serde_json::from_str(values).map_err(|_unreadable| UNREADABLE)?;
        let reading = document.reading(asked.operation.as_deref(), &values);
        let points = document.points(asked.operation.as_deref(), &values);
        let rules = selected.rules;
        Ok(Self { rules, is_personal, digest, fields, reading, points, shape, body: body.clone() })
    }
}

/// The fields among `headers` on which an answer may depend.
fn telling(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let told = headers.iter().filter(|(name, _)| tells(name));
    told.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Queries that were read lately. Clients that poll send the same bytes again and again, and reading them takes longer than
/// all else that a hit does.
#[derive(Debug)]
pub(crate) struct LatelyRead {
    queries: Mutex<Remembered<Arc<Query>>>,
    hasher: RandomState,
}

impl Default for LatelyRead {
    fn default() -> Self {
        Self { queries: Mutex::new(Remembered::new(LATELY_READ_MAX)), hasher: RandomState::new() }
    }
}

impl LatelyRead {
    /// The same as [`Query::read`].
    pub(super) fn read(&self, headers: &HeaderMap, body: &Bytes) -> Result<Arc<Query>, &'static str> {
        if body.len() > LATELY_READ_BYTES_MAX || headers.contains_key(header::CONTENT_ENCODING) {
            return Query::read(headers, body).map(Arc::new);
        }
        let fields = telling(headers);
        if fields.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>()
            > LATELY_READ_BYTES_MAX
        {
            return Query::read(headers, body).map(Arc::new);
        }
        let about = self.hasher.hash_one((body, &fields));
        let found = self.queries.lock().get(Payer::HOST, about).map(|(query, _)| query);
        if let Some(query) = found.filter(|query| query.body == *body && query.fields == fields) {
            return Ok(query);
        }
        let query = Arc::new(Query::read(headers, body)?);
        self.queries.lock().insert(Payer::HOST, about, Arc::clone(&query));
        Ok(query)
    }
}

impl Query {
    /// The beginning of its digest.
    pub(super) fn short_digest(&self) -> u64 {
        beginning(&self.digest)
    }
}

/// The first digits of `digest`, as a number.
pub(super) fn beginning(digest: &[u8; 32]) -> u64 {
    digest[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Whether an answer to a query may depend on the field `name` of a request: GitHub's own, the representation that is
/// asked for, and the time zone.
pub(crate) fn tells(name: &HeaderName) -> bool {
    let name = name.as_str();
    TELLING.contains(&name) || TELLING_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Every part is told with its length, so that no two queries write the same.
fn digest_of(
    document: &str,
    operation: Option<&str>,
    variables: &str,
    fields: &[(HeaderName, HeaderValue)],
) -> [u8; 32] {
    let mut hasher = Sha256::new_with_prefix(b"fleet-cache graphql\0");
    let mut part = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(document.as_bytes());
    part(&[u8::from(operation.is_some())]);
    part(operation.unwrap_or_default().as_bytes());
    part(variables.as_bytes());
    let mut lines: Vec<_> = fields.iter().collect();
    // Fields of one name keep their order.
    lines.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
    for (name, value) in lines {
        part(name.as_str().as_bytes());
        part(value.as_bytes());
    }
    hasher.finalize().into()
}

/// What a request for GraphQL is made of.
pub(super) struct Asked<'a> {
    pub(super) query: String,
    operation: Option<String>,
    pub(super) variables: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Asked<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AskedVisitor)
    }
}

impl Asked<'_> {
    /// The name of the operation that is to be run.
    pub(super) fn operation(&self) -> Option<&str> {
        self.operation.as_deref()
    }
}

struct AskedVisitor;

impl<'de> Visitor<'de> for AskedVisitor {
    type Value = Asked<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request for GraphQL")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Asked<'de>, A::Error> {
        let (mut query, mut operation, mut variables) = (None, None, None);
        while let Some(name) = members.next_key::<String>()? {
            let is_again = match name.as_str() {
                "query" => query.replace(members.next_value::<String>()?).is_some(),
                "operationName" => operation.replace(members.next_value::<Option<String>>()?).is_some(),
                "variables" => variables.replace(members.next_value::<&RawValue>()?).is_some(),
                _other => return Err(A::Error::custom("an unknown member")),
            };
            if is_again {
                return Err(A::Error::custom("a member comes twice"));
            }
        }
        let query = query.ok_or_else(|| A::Error::missing_field("query"))?;
        let variables = variables.filter(|given| given.get() != "null");
        if variables.is_some_and(|given| !given.get().starts_with('{')) {
            return Err(A::Error::custom("variables are an object"));
        }
        Ok(Asked { query, operation: operation.flatten(), variables })
    }
}

/// JSON in canonical form: members in the order of their names, no white space, strings by their value, and numbers as they
/// are written, since a number that is read as one of the machine's is not what it was.
#[derive(Default)]
struct Canonical {
    text: String,
    is_about_viewer: bool,
}

impl Canonical {
    /// Adds `value`; `None` if it is nested too deeply, or a member comes twice.
    fn write(&mut self, value: &RawValue, depth: usize) -> Option<()> {
        let (text, depth) = (value.get(), depth.checked_sub(1)?);
        match text.as_bytes().first()? {
            b'{' => {
                let Members(members) = serde_json::from_str(text).ok()?;
                self.text.push('{');
                for (name, value) in &members {
                    self.write_string(name)?;
                    self.text.push(':');
                    self.write(value, depth)?;
                    self.text.push(',');
                }
                self.text.push('}');
            }
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                self.text.push('[');
                for item in items {
                    self.write(item, depth)?;
                    self.text.push(',');
                }
                self.text.push(']');
            }
            b'"' => {
                let value: String = serde_json::from_str(text).ok()?;
                self.write_string(&value)?;
            }
            _number_or_word => self.text.push_str(text),
        }
        Some(())
    }

    fn write_string(&mut self, value: &str) -> Option<()> {
        self.is_about_viewer |= is_about_viewer(value);
        self.text.push_str(&serde_json::to_string(value).ok()?);
        Some(())
    }
}

/// The members of an object, each of which comes once.
struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Members<'de>, A::Error> {
                let mut found = BTreeMap::new();
                while let Some((name, value)) = members.next_entry::<String, &RawValue>()? {
                    if found.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member comes twice"));
                    }
                }
                Ok(Members(found))
            }
        }
        deserializer.deserialize_map(Reading)
    }
}

/// What the body of an answer to a query turned out to be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Told {
    /// There is an object behind `data`.
    pub(crate) has_data: bool,
    /// It tells of errors: what data there is may be a part.
    pub(crate) has_errors: bool,
    /// One of the errors is that the allowance is spent.
    pub(crate) is_throttled: bool,
}

impl Told {
    /// Reads `body`; `None` if it is not one whole JSON object.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Told;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an answer to a query")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Told, A::Error> {
                let mut told = Told::default();
                while let Some(name) = members.next_key::<String>()? {
                    match name.as_str() {
                        "data" => told.has_data = members.next_value::<&RawValue>()?.get().starts_with('{'),
                        "errors" => {
                            told.has_errors = true;
                            let errors = members.next_value::<&RawValue>()?.get();
                            told.is_throttled |= says_throttled(errors);
                        }
                        _other => {
                            members.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(told)
            }
        }
        deserializer.deserialize_map(Reading)
    }
}

/// Whether one of `errors` is of the type by which GitHub says that an allowance is spent.
fn says_throttled(errors: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Problem {
        #[serde(rename = "type")]
        kind: Option<String>,
        message: Option<String>,
    }
    let says = |problem: &Problem| {
        let message = problem.message.as_deref().unwrap_or_default();
        problem.kind.as_deref() == Some(THROTTLED) || message.contains(SECONDARY)
    };
    serde_json::from_str::<Vec<Problem>>(errors).is_ok_and(|problems| problems.iter().any(says))
}

/// The type of the error, in an answer of status 200.
const THROTTLED: &str = "RATE_LIMITED";

/// What the error says that has no type, when there were too many calls at once or in a short time.
const SECONDARY: &str = "secondary rate limit";

/// Most queries that are kept as they were read, and the longest body of one: 4 MiB at most.
const LATELY_READ_MAX: usize = 512;
const LATELY_READ_BYTES_MAX: usize = 8 * 1024;
/// Deepest nesting of variables that is looked into; GitHub's inputs have less than ten levels.
const VARIABLES_DEPTH_MAX: usize = 32;
const UNREADABLE: &str = "graphql-unreadable";
/// Fields of a request on which an answer may depend.
const TELLING: [&str; 3] = ["accept", "content-type", "time-zone"];
/// How the other ones begin, such as `GraphQL-Features` and `X-Github-Next-Global-ID`.
const TELLING_PREFIXES: [&str; 2] = ["graphql-", "x-github-"];
