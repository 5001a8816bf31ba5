//! GitHub's API as a node's origin: how to reach it, by which rules its answers are kept, and what it said.
//!
//! [`GitHub`](crate::GitHub) and its builder are at the root of the crate; the types that their methods take and
//! return are here. Methods by which a node drives the adapter (`plan`, `fetch`, `forward` and similar) take types of
//! `cache_core` and `cache_origin_github` that are not repeated here: they are for authors of a driver.

pub use cache_core::{SETTLE_MAX, UnknownPriority, Window};
pub use cache_origin_github::{
    ABSENCE_LIFETIME, Attribution, AttributionNames, BadPriority, CLIENT_BYTES_MAX, CLIENT_FIELD,
    ConfigError, Counts, Credential, CredentialMatch, DomainQuota, GRAPHQL_BYTES_MAX, GraphqlRule,
    IF_ERROR_DEFAULT, LIFETIME_DEFAULT, LIFETIME_MAX, MAX_STALE_DEFAULT, OriginBody, OriginStats, OriginUrl,
    Outcome, PRIORITY_FIELD, PayloadError, PriorityRule, Proxy, ProxyScope, Quota, RecipeState, RecipeStats,
    RouteRule, RouteTable, Rules, SETTLE_DEFAULT, SurrogateFault, SurrogateNews, SurrogateState, TIMEOUT_MAX,
    TIMEOUT_MIN, Timeouts, TokenDigest, Usage, UsageReport, UsageRow, WebhookSecret, WebhookSecretError,
};
