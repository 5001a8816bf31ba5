//! Everything that the origin remembers, and the decision on each call.

use super::{
    EtagMode, Visibility,
    access::{Access, Asker, Kind},
    answer::{Answer, Caching, Charge, FIRST_VERSION},
    asked::Asked,
    calls::{Call, Calls, Operation},
    checks::Checks,
    fault::{Fault, FaultKind, cut_short, status_of},
    quota::{Quotas, Resource},
    repository::{API, Repository, View, user},
    subject::{Change, Subject},
};
use bytes::Bytes;
use http::{Method, Response, StatusCode, header};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The state behind one [`super::ModelOrigin`].
#[derive(Debug)]
pub(super) struct World {
    pub(super) access: Access,
    pub(super) answer_delay: Duration,
    pub(super) blob_url: String,
    pub(super) calls: Calls,
    /// Those of commits that have others than to begin with.
    pub(super) checks: BTreeMap<(Repository, String), Checks>,
    pub(super) etag_mode: EtagMode,
    pub(super) faults: Vec<Fault>,
    pub(super) public_url: String,
    pub(super) quotas: Quotas,
    /// The issues and pull requests that are not as they were to begin with.
    pub(super) subjects: BTreeMap<(Repository, u64), Subject>,
    /// What is given to those that name no version of the API; `None` if there is but one, which has no name.
    pub(super) usual_version: Option<String>,
    /// Paths whose statistics have been computed, on being asked once.
    computed: BTreeSet<String>,
    /// How many issues were added since the start.
    pub(super) created: BTreeMap<Repository, u64>,
    /// Calls that carried a credential to the host of signed addresses.
    leaks: u64,
    /// While reads lag behind writes: what they show of repositories that were changed meanwhile.
    lagging: Option<BTreeMap<Repository, u64>>,
    revisions: BTreeMap<Repository, u64>,
    serial: u64,
    visibilities: BTreeMap<Repository, Visibility>,
}

/// One call decided: the answer, and how it fails to arrive.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) response: Response<Bytes>,
    /// How long the answer takes, or the failure that stands in for it.
    pub(super) delay: Duration,
    pub(super) fault: Option<FaultKind>,
}

impl World {
    /// An origin that has not been called; signed addresses lead to `blob_url`.
    pub(super) fn new(blob_url: String) -> Self {
        Self {
            access: Access::new(),
            answer_delay: Duration::ZERO,
            blob_url,
            calls: Calls::default(),
            checks: BTreeMap::new(),
            etag_mode: EtagMode::Recipe,
            faults: Vec::new(),
            public_url: API.to_owned(),
            quotas: Quotas::default(),
            subjects: BTreeMap::new(),
            usual_version: Some(FIRST_VERSION.to_owned()),
            computed: BTreeSet::new(),
            created: BTreeMap::new(),
            leaks: 0,
            lagging: None,
            revisions: BTreeMap::new(),
            serial: 0,
            visibilities: BTreeMap::new(),
        }
    }

    /// Answers, charges and counts one call.
    pub(super) fn exchange(&mut self, asked: &Asked) -> Exchange {
        let asker = self.access.asker(&asked.headers);
        let operation = operation(asked);
        let fault = self.take_fault(&asked.target, operation.as_ref());
        let answer = match fault.as_ref().and_then(|kind| Some((kind, status_of(kind)?))) {
            Some((kind, status)) => failed(kind, status),
            None => self.decide(asked, &asker),
        };
        let answer = if fault == Some(FaultKind::GraphqlPartial) { cut_short(answer) } else { answer };
        let serial = self.next_serial();
        let (response, paid) = self.frame(answer, asked, &asker, serial);
        self.calls.record(Call {
            method: asked.method.clone(),
            path: asked.target.clone(),
            token: asker.label().to_owned(),
            status: response.status(),
            paid: paid > 0,
            points: if asked.path() == "/graphql" { paid } else { 0 },
            operation,
            headers: asked.headers.clone(),
        });
        Exchange { response, delay: self.answer_delay, fault }
    }

    /// The repository as `asker` sees it, if at all.
    pub(super) fn view(&self, repository: Repository, asker: &Asker) -> Option<View> {
        let view = self.owners_view(repository)?;
        let sees = || asker.account().is_some_and(|account| account.sees_private(repository.number()));
        (!view.private || sees()).then_some(view)
    }

    /// Lets reads lag behind writes from now on, or show them all.
    pub(super) fn set_lagging(&mut self, lags: bool) {
        self.lagging = lags.then(BTreeMap::new);
    }

    /// The repository as its owner sees it, unless it is deleted.
    fn owners_view(&self, repository: Repository) -> Option<View> {
        let private = match self.visibility(repository) {
            Visibility::Deleted => return None,
            Visibility::Private => true,
            Visibility::Public => false,
        };
        let current = || self.revisions.get(&repository).copied().unwrap_or(0);
        let shown = self.lagging.as_ref().and_then(|shown| shown.get(&repository).copied());
        let revision = shown.unwrap_or_else(current);
        Some(View { repository, revision, private })
    }

    /// Changes one issue or pull request; panics if there is none.
    pub(super) fn change(&mut self, repository: Repository, number: u64, change: Change) {
        let view = self.owners_view(repository);
        let changed = view.and_then(|view| self.change_subject(&view, number, change));
        assert!(changed.is_some(), "{} has no {number}", repository.full_name());
    }

    pub(super) fn set_visibility(&mut self, repository: Repository, visibility: Visibility) {
        self.visibilities.insert(repository, visibility);
        self.bump(repository);
    }

    /// Changes every body, and with it every ETag, of a repository.
    pub(super) fn bump(&mut self, repository: Repository) {
        let revision = self.revisions.entry(repository).or_default();
        if let Some(shown) = &mut self.lagging {
            shown.entry(repository).or_insert(*revision);
        }
        *revision += 1;
    }

    /// Whether the statistics at `path` are there; asking once brings them about.
    pub(super) fn compute(&mut self, path: &str) -> bool {
        !self.computed.insert(path.to_owned())
    }

    /// A number that was not given before.
    pub(super) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(super) fn leaks(&self) -> u64 {
        self.leaks
    }

    fn visibility(&self, repository: Repository) -> Visibility {
        let born = if repository.is_born_private() { Visibility::Private } else { Visibility::Public };
        self.visibilities.get(&repository).copied().unwrap_or(born)
    }

    fn decide(&mut self, asked: &Asked, asker: &Asker) -> Answer {
        if asked.path().starts_with("/_blob/") {
            return self.read_blob(asked);
        }
        if asked.header(header::USER_AGENT).is_empty() {
            let message = "Request forbidden by administrative rules. \
                           Please make sure your request has a User-Agent header.";
            return Answer::error(StatusCode::FORBIDDEN, message).charged(Charge::Free);
        }
        if let Asker::Unknown { .. } = asker {
            return Answer::error(StatusCode::UNAUTHORIZED, "Bad credentials").charged(Charge::Free);
        }
        let resource = match asked.path() {
            "/rate_limit" => return self.read(asked, asker),
            "/graphql" => Resource::Graphql,
            path if path.starts_with("/search/") => Resource::Search,
            _ => Resource::Core,
        };
        if self.quotas.of(asker.payer(), resource).remaining() == 0 {
            let message = format!("API rate limit exceeded for user ID {}.", user(asker.payer())["id"]);
            let answer = match resource {
                // GraphQL says it with 200.
                Resource::Graphql => Answer::json(
                    &json!({ "errors": [{ "type": "RATE_LIMITED", "message": message.trim_end_matches('.') }] }),
                )
                .cached(Caching::Unsaid),
                Resource::Core | Resource::Search => Answer::error(StatusCode::FORBIDDEN, &message),
            };
            return answer.charged(Charge::Spent(resource));
        }
        match asked.method {
            #[cfg(feature = "graphql")]
            _ if resource == Resource::Graphql => self.graphql(asked, asker),
            #[cfg(not(feature = "graphql"))]
            _ if resource == Resource::Graphql => Answer::not_found(),
            Method::DELETE if asked.path() == "/installation/token" => self.end(asker),
            Method::GET | Method::HEAD => self.read(asked, asker),
            _ => self.write(asked, asker),
        }
    }

    /// Makes the token of an installation invalid, at the token's own request.
    fn end(&mut self, asker: &Asker) -> Answer {
        match asker {
            Asker::Known { token, account } if account.kind == Kind::Installation => {
                self.access.revoke(token);
                Answer::empty(StatusCode::NO_CONTENT)
            }
            Asker::Anonymous | Asker::Known { .. } | Asker::Unknown { .. } => Answer::not_found(),
        }
    }

    /// The host that signed addresses lead to. It takes a signature, and nothing else.
    fn read_blob(&mut self, asked: &Asked) -> Answer {
        let answer = if asked.headers.contains_key(header::AUTHORIZATION) {
            self.leaks += 1;
            Answer::error(StatusCode::BAD_REQUEST, "Authorization header given to a signed URL")
        } else {
            Answer::bytes(format!("bytes of {}", asked.path()), "application/zip").cached(Caching::Unsaid)
        };
        answer.charged(Charge::Free)
    }

    fn take_fault(&mut self, target: &str, operation: Option<&Operation>) -> Option<FaultKind> {
        let is_meant = |name: &str| operation.is_some_and(|operation| operation.name == name);
        let applies = |fault: &Fault| {
            fault.times > 0
                && target.contains(&fault.path_contains)
                && fault.operation.as_deref().is_none_or(is_meant)
        };
        let fault = self.faults.iter_mut().find(|fault| applies(fault))?;
        if fault.times != u32::MAX {
            fault.times -= 1;
        }
        Some(fault.kind.clone())
    }
}

/// The operation that a call of `/graphql` asks for, as far as can be told.
fn operation(asked: &Asked) -> Option<Operation> {
    let body =
        Some(&asked.body.start).filter(|_| asked.path() == "/graphql" && asked.method == Method::POST)?;
    #[cfg(feature = "graphql")]
    return super::graphql::operation(body);
    #[cfg(not(feature = "graphql"))]
    return body.is_empty().then(|| Operation { kind: String::new(), name: String::new() });
}

/// What a fault that is an answer says.
fn failed(kind: &FaultKind, status: StatusCode) -> Answer {
    if let FaultKind::SecondaryLimit { retry_after_seconds } = kind {
        let message =
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
        return Answer::error(status, message)
            .header(header::RETRY_AFTER, retry_after_seconds.to_string())
            .charged(Charge::Free);
    }
    if let FaultKind::GraphqlTimeout { points, .. } = kind {
        let message = "We couldn't respond to your request in time. Sorry about that. Please try resubmitting your \
                       request and contact us if the problem persists.";
        return Answer::error(status, message).charged(Charge::Points(*points));
    }
    if let FaultKind::GraphqlLimit { retry_after_seconds } = kind {
        let message =
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
        return Answer::json(&json!({ "errors": [{ "type": "RATE_LIMITED", "message": message }] }))
            .cached(Caching::Unsaid)
            .header(header::RETRY_AFTER, retry_after_seconds.to_string())
            .charged(Charge::Free);
    }
    let page = "<html><body><h1>Unicorn!</h1></body></html>";
    Answer { caching: Caching::Unsaid, ..Answer::bytes(page, "text/html; charset=utf-8") }
        .with_status(status)
        .charged(Charge::Free)
}
