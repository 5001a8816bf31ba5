//! The built-in rules, from GitHub's documentation and the fleet's experience.
//!
//! Each list names its routes by name (`/repos/*/*`, `/orgs/*`, `/users/*`); what it says holds for the same
//! routes by number (`/repositories/17`), which is how GitHub links the pages behind the first.

use super::LIFETIME_DEFAULT;

/// What is never kept, sent to a peer or written to disk, whatever a rule of the operator says, and why: every
/// answer in GitHub's description that holds a credential, or an address that is one. The reason shows in
/// `Cache-Status`.
pub(super) const CREDENTIALS: &[(&str, &str)] = &[
    ("/admin/**", "it may hold a token"),
    ("/app-manifests/**", "it holds a secret"),
    ("/app/hook/deliveries/*", "it holds what a webhook was sent"),
    ("/app/installations/*/access_tokens", "it holds a token"),
    ("/applications/**", "it holds a token"),
    ("/authorizations**", "it holds a token"),
    ("/enterprises/*/actions/runners/downloads", "it holds a token"),
    ("/enterprises/*/actions/runners/generate-jitconfig", "it holds a token"),
    ("/enterprises/*/actions/runners/registration-token", "it holds a token"),
    ("/enterprises/*/actions/runners/remove-token", "it holds a token"),
    ("/enterprises/*/copilot/metrics/reports/**", "it holds signed addresses"),
    ("/enterprises/*/secret-scanning/alerts**", "it holds secrets"),
    ("/enterprises/*/settings/billing/reports**", "it holds signed addresses"),
    ("/feeds", "its addresses hold a token"),
    ("/login/**", "it is a sign-in"),
    ("/manage/**", "it may hold a secret"),
    ("/organizations/*/settings/billing/reports**", "it holds signed addresses"),
    ("/orgs/*/actions/runners/downloads", "it holds a token"),
    ("/orgs/*/actions/runners/generate-jitconfig", "it holds a token"),
    ("/orgs/*/actions/runners/registration-token", "it holds a token"),
    ("/orgs/*/actions/runners/remove-token", "it holds a token"),
    ("/orgs/*/attestations/*", "it holds signed addresses"),
    ("/orgs/*/copilot/metrics/reports/**", "it holds signed addresses"),
    ("/orgs/*/hooks/*/deliveries/*", "it holds what a webhook was sent"),
    ("/orgs/*/secret-scanning/alerts**", "it holds secrets"),
    ("/repos/*/*/actions/runners/downloads", "it holds a token"),
    ("/repos/*/*/actions/runners/generate-jitconfig", "it holds a token"),
    ("/repos/*/*/actions/runners/registration-token", "it holds a token"),
    ("/repos/*/*/actions/runners/remove-token", "it holds a token"),
    ("/repos/*/*/attestations/*", "it holds signed addresses"),
    ("/repos/*/*/code-scanning/codeql/variant-analyses/**", "it holds signed addresses"),
    ("/repos/*/*/hooks/*/deliveries/*", "it holds what a webhook was sent"),
    ("/repos/*/*/secret-scanning/alerts**", "it holds secrets"),
    ("/setup/**", "it may hold a secret"),
    ("/users/*/attestations/*", "it holds signed addresses"),
];

/// What else is never kept unless a rule of the operator says otherwise, and why.
pub(super) const NEVER_KEPT: &[(&str, &str)] = &[
    ("/rate_limit", "the quota is a live value"),
    ("/graphql", "GraphQL"),
    ("/orgs/*/codespaces", "it is a live value"),
    ("/orgs/*/members/*/codespaces", "it is a live value"),
    ("/orgs/*/migrations/*/archive", "it leads to a signed address"),
    ("/repos/*/*/actions/artifacts/*/*", "it leads to a signed address"),
    ("/repos/*/*/actions/jobs/*/logs", "it leads to a signed address"),
    ("/repos/*/*/actions/runs/*/attempts/*/logs", "it leads to a signed address"),
    ("/repos/*/*/actions/runs/*/logs", "it leads to a signed address"),
    ("/repos/*/*/codespaces**", "it is a live value"),
    ("/repos/*/*/dependency-graph/sbom/fetch-report/*", "it leads to a signed address"),
    ("/repos/*/*/dependency-graph/sbom/generate-report", "it starts something"),
    ("/repos/*/*/releases/assets/**", "it may lead to a signed address"),
    ("/repos/*/*/tarball**", "it leads to a signed address"),
    ("/repos/*/*/zipball**", "it leads to a signed address"),
    ("/user/codespaces**", "it is a live value"),
    ("/user/migrations/*/archive", "it leads to a signed address"),
];

/// Lifetimes in seconds. The specification's: 300 as the default, 60 for runs, 30 for runners.
///
/// The name of a branch may hold slashes, hence `commits/**/status`: GitHub takes `commits/feature/x/status` for
/// the status of `feature/x`.
pub(super) const LIFETIMES: &[(&str, u64)] = &[
    ("/repos/*/*/actions/runs**", 60),
    ("/repos/*/*/actions/workflows/*/runs", 60),
    ("/repos/*/*/actions/jobs/**", 60),
    ("/repos/*/*/actions/runners**", 30),
    ("/orgs/*/actions/runners**", 30),
    ("/enterprises/*/actions/runners**", 30),
    ("/repos/*/*/check-runs**", 30),
    ("/repos/*/*/check-suites**", 30),
    ("/repos/*/*/commits/**/check-runs", 30),
    ("/repos/*/*/commits/**/check-suites", 30),
    ("/repos/*/*/commits/**/status", 30),
    ("/repos/*/*/commits/**/statuses", 30),
    ("/repos/*/*/statuses/**", 30),
    ("/repos/*/*/deployments**", 30),
    // The address is the content's own digest: it cannot change. What can change is which credentials may read it.
    ("/repos/*/*/git/blobs/{sha}", 3600),
    ("/repos/*/*/git/commits/{sha}", 3600),
    ("/repos/*/*/git/tags/{sha}", 3600),
    ("/repos/*/*/git/trees/{sha}", 3600),
    ("/events", 60),
    ("/networks/*/*/events", 60),
    ("/orgs/*/events", 60),
    ("/repos/*/*/events", 60),
    ("/repos/*/*/issues/events", 60),
    ("/repos/*/*/issues/*/events", 60),
    ("/users/*/events**", 60),
    ("/users/*/received_events**", 60),
    ("/notifications**", 60),
    // Marking a thread as read changes the list of a repository that its path does not name: asked about each time.
    ("/repos/*/*/notifications", 0),
    ("**", LIFETIME_DEFAULT.as_secs()),
];
