//! What a surrogate's credential can see, by calls that the origin answers.

use super::{Surrogate, SurrogateState};
use crate::{
    Attribution, Credential, GitHub, OriginBody, Rules, body::Whole, canonical::USUAL_ACCEPT,
    domain::Readers, quota::is_throttled,
};
use bytes::Bytes;
use cache_core::{Domain, FetchError};
use http::{HeaderMap, Request, StatusCode, header};
use std::time::Instant;

/// Why a credential does not ask for clients that send none. It never repeats the credential.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SurrogateFault {
    /// It reads what is its user's own.
    #[error("it reads the private addresses of its user")]
    Account,
    /// It is of an installation, which reads more than what anybody may.
    #[error("it is of an installation of an App, which reads more of its repositories than anybody may")]
    Installation,
    /// It is not of a user.
    #[error("it is of no user: GET /user was answered with {0}")]
    NoUser(StatusCode),
    /// It reads private repositories.
    #[error("it reads private repositories")]
    Private,
    /// It is a classic token, and has been given these.
    #[error("it has the scopes `{0}`, by which it may read or change what is not public")]
    Scopes(Box<str>),
    /// The origin says that it is busy, or has an error.
    #[error("the API answers GET {path} with {status}, which tells nothing of it")]
    Unclear {
        /// What was asked for.
        path: &'static str,
        /// The answer's, which refuses nothing.
        status: StatusCode,
    },
    /// The origin does not know it.
    #[error("the API does not know it")]
    Unknown,
    /// The origin gave no answer.
    #[error("the API gives no answer about it")]
    Unanswered(#[source] FetchError),
}

impl SurrogateFault {
    /// Whether the origin has said so, rather than nothing.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Account
            | Self::Installation
            | Self::NoUser(_)
            | Self::Private
            | Self::Scopes(_)
            | Self::Unknown => true,
            Self::Unclear { .. } | Self::Unanswered(_) => false,
        }
    }
}

/// What an examination of the credential in force has shown.
#[derive(Debug)]
pub struct SurrogateNews {
    /// Its state from now on.
    pub state: SurrogateState,
    /// Whether it was another before.
    pub is_news: bool,
    /// Why it is not used, or could not be examined.
    pub fault: Option<SurrogateFault>,
}

impl GitHub {
    /// Examines the credential by which `rules` ask for clients that send none, unless it is in use already. Where it
    /// passes, it is used as soon as the rules are in force. `forget` is called as by [`examine_if_due`](Self::examine_if_due).
    ///
    /// # Errors
    ///
    /// [`SurrogateFault`]; the credential is not used then.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the credential unexamined.
    pub async fn examine(&self, rules: &Rules, forget: impl FnOnce(Domain)) -> Result<(), SurrogateFault> {
        let Some(surrogate) = &rules.surrogate else { return Ok(()) };
        let in_force = self.rules().shared();
        let present = in_force.surrogate.as_ref().filter(|present| present.is_same(surrogate));
        let surrogate = present.unwrap_or(surrogate);
        if surrogate.readers().is_some() {
            return Ok(());
        }
        let outcome = self.look(surrogate).await;
        surrogate.conclude(&outcome, forget);
        outcome
    }

    /// Examines the credential in force, if there is one and it is time: soon if the origin gave no answer, else in longer
    /// pauses.
    ///
    /// `forget` is called with the domain of what was kept for a credential with a final fault, since that may have been given
    /// by rights that the credential was not to have.
    ///
    /// # Cancellation
    ///
    /// Dropping the future changes nothing.
    pub async fn examine_if_due(&self, forget: impl FnOnce(Domain)) -> Option<SurrogateNews> {
        let rules = self.rules().shared();
        let surrogate = rules.surrogate.as_ref().filter(|surrogate| surrogate.is_due(Instant::now()))?;
        let outcome = self.look(surrogate).await;
        let is_news = surrogate.conclude(&outcome, forget);
        Some(SurrogateNews { state: surrogate.state(), is_news, fault: outcome.err() })
    }

    /// The state of the credential that asks for clients that send none, if there is one.
    pub fn surrogate_state(&self) -> Option<SurrogateState> {
        self.rules().surrogate.as_ref().map(|surrogate| surrogate.state())
    }

    async fn look(&self, surrogate: &Surrogate) -> Result<(), SurrogateFault> {
        let credential = &surrogate.credential;
        let user = self.view(credential, USER, None).await?;
        match user.status {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => return Err(SurrogateFault::Unknown),
            other => return Err(SurrogateFault::NoUser(other)),
        }
        // Classic tokens name their scopes. Of the others, the answers below tell.
        let scopes =
            user.headers.get("x-oauth-scopes").map(|value| String::from_utf8_lossy(value.as_bytes()));
        if let Some(scopes) = scopes.filter(|scopes| !scopes.trim().is_empty()) {
            return Err(SurrogateFault::Scopes(scopes.into()));
        }
        let repositories = self.view(credential, REPOSITORIES, Some("visibility=private&per_page=1")).await?;
        match repositories.status {
            StatusCode::OK if repositories.body.trim_ascii() == b"[]" => {}
            StatusCode::OK => return Err(SurrogateFault::Private),
            status => return Err(SurrogateFault::Unclear { path: REPOSITORIES, status }),
        }
        let refused = [(INSTALLATION, SurrogateFault::Installation), (EMAILS, SurrogateFault::Account)];
        for (path, fault) in refused {
            let answer = self.view(credential, path, Some("per_page=1")).await?;
            match answer.status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {}
                status if status.is_success() => return Err(fault),
                status => return Err(SurrogateFault::Unclear { path, status }),
            }
        }
        Ok(())
    }

    /// What the origin shows of `path` to `credential`.
    async fn view(
        &self,
        credential: &Credential,
        path: &'static str,
        query: Option<&str>,
    ) -> Result<View, SurrogateFault> {
        let malformed = |_error| SurrogateFault::Unanswered(FetchError::Malformed);
        let uri = self.origin().uri(path, query).map_err(malformed)?;
        let mut request = Request::get(uri).body(()).map_err(malformed)?;
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, header::HeaderValue::from_static(USUAL_ACCEPT));
        headers.insert(header::AUTHORIZATION, credential.authorization());
        headers.insert(header::USER_AGENT, self.user_agent().clone());
        let attribution = Attribution::of_node(path, Readers::of_surrogate(credential));
        let count_call = || self.count_call(&attribution);
        let response = self.client().ask(request, count_call).await.map_err(SurrogateFault::Unanswered)?;
        let (mut head, incoming) = response.into_parts();
        let (body, _coding) =
            OriginBody::decoded(&mut head.headers, incoming, self.client().timeouts().body_idle);
        let body = match body.read_whole(BODY_BYTES_MAX).await.map_err(SurrogateFault::Unanswered)? {
            Whole::Read(body) => body,
            // Whatever it is, it is no empty list.
            Whole::TooLong(_unread) => Bytes::from_static(b"..."),
        };
        let status = head.status;
        if status.is_server_error() || is_throttled(status, &head.headers, &body) {
            return Err(SurrogateFault::Unclear { path, status });
        }
        Ok(View { status, headers: head.headers, body })
    }
}

impl Surrogate {
    /// Takes note of an examination, and has forgotten what was kept for the credential if it must not be used. Returns
    /// whether its state is another now.
    fn conclude(&self, outcome: &Result<(), SurrogateFault>, forget: impl FnOnce(Domain)) -> bool {
        let is_news = self.note(outcome, Instant::now());
        if outcome.as_ref().is_err_and(SurrogateFault::is_final) {
            forget(self.domain());
        }
        is_news
    }
}

struct View {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

const USER: &str = "/user";
const REPOSITORIES: &str = "/user/repos";
const INSTALLATION: &str = "/installation/repositories";
const EMAILS: &str = "/user/emails";

/// Most that is read of an answer, in bytes: one repository or user has some thousand.
const BODY_BYTES_MAX: usize = 64 * 1024;
