//! What Fleet Cache knows of GitHub's API.
//!
//! Decides which requests mean the same ([`GitHub::plan`]), which may read an answer, for how long it is fresh, how
//! to ask whether it still is ([`GitHub::fetch`]), what must never be kept, and how to pass everything else through
//! ([`GitHub::forward`]). Knows nothing of peers or storage, and decides nothing that the engine in `cache-core`
//! decides: it reports [`cache_core::Fetched`].
//!
//! Start at [`GitHub`].

#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]

mod account;
mod admission;
mod aftermath;
mod answer;
mod body;
mod canonical;
mod client;
mod condition;
mod credential;
mod directive;
mod domain;
mod duration;
mod error;
mod fetch;
mod field;
mod form;
mod forward;
mod forwarded;
mod framing;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod github;
mod graphql;
mod inspect;
mod json;
mod lending;
mod own;
mod page;
mod plan;
mod pretty;
mod priority;
mod proxy;
mod quota;
mod recipe;
mod refusal;
mod relay;
mod remembered;
mod reuse;
mod route;
mod rules;
mod stats;
mod surrogate;
mod terms;
mod touch;
mod url;
mod usage;
mod version;
mod via;
mod webhook;
mod wording;

pub use {
    admission::{ADMISSION_MAX, Admissions, Since, Standing},
    aftermath::{Delivered, Delivery},
    answer::ABSENCE_LIFETIME,
    body::OriginBody,
    client::Timeouts,
    credential::Credential,
    domain::{CredentialMatch, TokenDigest},
    duration::{DurationError, parse_duration},
    error::ConfigError,
    fetch::{Fetch, Question},
    form::{Coding, Form, fields},
    github::{GitHub, GitHubBuilder, MAX_STALE_DEFAULT, SETTLE_DEFAULT, TIMEOUT_MAX, TIMEOUT_MIN},
    graphql::{GRAPHQL_BYTES_MAX, Gate, GraphqlRule},
    lending::KIN_WAIT_DEFAULT,
    plan::{PassReason, Plan, Planned},
    priority::{BadPriority, PRIORITY_FIELD, PriorityRule},
    proxy::{Proxy, ProxyScope},
    quota::{Quota, RETRY_AFTER_MAX},
    recipe::{RecipeState, RecipeStats},
    refusal::{Asked, refusal_of},
    route::{
        CODE_SEARCH, CORE, GRAPHQL, IF_ERROR_DEFAULT, LIFETIME_DEFAULT, LIFETIME_MAX, RouteRule, RouteTable,
        SEARCH, UNSETTLED_LIFETIME, allowance, resource_name,
    },
    rules::{Rules, Surrogacy},
    stats::{DomainQuota, OriginStats, WritesSeen},
    surrogate::{SurrogateFault, SurrogateNews, SurrogateState},
    url::OriginUrl,
    usage::{
        Attribution, AttributionNames, CLIENT_BYTES_MAX, CLIENT_FIELD, ClientLabel, Counts, Outcome, Usage,
        UsageReport, UsageRow,
    },
    version::SELECTED as VERSION_SELECTED,
    webhook::{Event, PayloadError, SECRET_BYTES_MIN, WebhookSecret, WebhookSecretError},
};
