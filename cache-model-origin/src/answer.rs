//! What the origin has to say, before it is framed: status, body, and how it may be cached.

use super::{asked::Asked, quota::Resource, repository::API};
use bytes::Bytes;
use http::{HeaderName, StatusCode, header};
use serde_json::{Value, json};

/// An answer without its validators, encoding and quota headers.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
    pub(super) content_type: &'static str,
    /// Addresses in these begin with [`API`], as in the body.
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) caching: Caching,
    pub(super) charge: Charge,
}

/// The version of the API that is given to those that name none, to begin with.
pub(super) const FIRST_VERSION: &str = "2022-11-28";

/// What is said about keeping the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Caching {
    /// A lifetime and an ETag.
    Allowed,
    /// `no-cache`, and no ETag.
    Forbidden,
    /// The answer does not say.
    Unsaid,
}

/// What the call costs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Charge {
    /// Nothing, and no quota is shown.
    Free,
    /// One call of this allowance.
    One(Resource),
    /// So many points of the one for GraphQL.
    Points(u64),
    /// Nothing, since this allowance is spent; it is shown.
    Spent(Resource),
}

impl Answer {
    /// 200 with JSON that may be kept.
    pub(super) fn json(value: &Value) -> Self {
        Self {
            status: StatusCode::OK,
            body: value.to_string().into(),
            content_type: "application/json; charset=utf-8",
            headers: Vec::new(),
            caching: Caching::Allowed,
            charge: Charge::One(Resource::Core),
        }
    }

    /// 200 with something else that may be kept.
    pub(super) fn bytes(body: impl Into<Bytes>, content_type: &'static str) -> Self {
        Self { body: body.into(), content_type, ..Self::json(&Value::Null) }
    }

    /// A failure as GitHub words it; never with validators.
    pub(super) fn error(status: StatusCode, message: &str) -> Self {
        let documentation = "https://docs.github.com/rest";
        Self::json(
            &json!({ "message": message, "documentation_url": documentation, "status": status.as_str() }),
        )
        .with_status(status)
        .cached(Caching::Unsaid)
    }

    /// Nothing but a status.
    pub(super) fn empty(status: StatusCode) -> Self {
        Self::bytes(Bytes::new(), "text/html;charset=utf-8").with_status(status).cached(Caching::Unsaid)
    }

    pub(super) fn not_found() -> Self {
        Self::error(StatusCode::NOT_FOUND, "Not Found")
    }

    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    pub(super) fn cached(self, caching: Caching) -> Self {
        Self { caching, ..self }
    }

    pub(super) fn charged(self, charge: Charge) -> Self {
        Self { charge, ..self }
    }

    /// The same in `version` of the API. An object tells of which it is, except of the first.
    pub(super) fn of_version(mut self, version: Option<&str>) -> Self {
        let later = version.filter(|version| *version != FIRST_VERSION && self.status == StatusCode::OK);
        if let Some(version) = later
            && let Ok(Value::Object(mut object)) = serde_json::from_slice(&self.body)
        {
            object.insert("api_version".to_owned(), version.into());
            self.body = Value::Object(object).to_string().into();
        }
        self
    }

    pub(super) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// One page of `total` things, newest first, with the links that GitHub gives along.
///
/// `base` is the path that the links name, which is not the path that was requested. `wrap` puts the page into an
/// object under this name, together with the total.
pub(super) fn page(
    asked: &Asked,
    base: &str,
    total: u64,
    wrap: Option<&str>,
    thing: impl Fn(u64) -> Value,
) -> Answer {
    let number = |name, default| asked.parameter(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let per_page: u64 = number("per_page", 30).clamp(1, 100);
    let current: u64 = number("page", 1).max(1);
    let last = total.div_ceil(per_page).max(1);
    let newest = total.saturating_sub((current - 1).saturating_mul(per_page));
    let oldest = newest.saturating_sub(per_page);
    let things: Vec<Value> = (oldest + 1..=newest).rev().map(thing).collect();
    let answer = match wrap {
        None => Answer::json(&Value::Array(things)),
        Some(name) => Answer::json(&json!({ "total_count": total, name: things })),
    };
    let links = links(asked, base, current, last);
    if links.is_empty() {
        return answer;
    }
    answer.header(header::LINK, links)
}

fn links(asked: &Asked, base: &str, current: u64, last: u64) -> String {
    let others: String = asked
        .query()
        .filter(|(name, _)| *name != "page")
        .map(|(name, value)| format!("{name}={value}&"))
        .collect();
    let mut relations = Vec::new();
    if current > 1 {
        relations.push((current - 1, "prev"));
    }
    if current < last {
        relations.push((current + 1, "next"));
        relations.push((last, "last"));
    }
    if current > 1 {
        relations.push((1, "first"));
    }
    let link = |(page, relation)| format!("<{API}{base}?{others}page={page}>; rel=\"{relation}\"");
    relations.into_iter().map(link).collect::<Vec<_>>().join(", ")
}
