//! The built-in rules, from GitHub's documentation and the fleet's experience.

use super::LIFETIME_DEFAULT;

/// What is never kept, and why. The reason shows in `Cache-Status`.
pub(super) const NEVER_KEPT: &[(&str, &str)] = &[
    ("/rate_limit", "the quota is a live value"),
    ("/graphql", "GraphQL"),
    ("/app/installations/*/access_tokens", "it holds a token"),
    ("/app-manifests/**", "it holds a secret"),
    ("/applications/**", "it holds a token"),
    ("/login/**", "it is a sign-in"),
    ("**/registration-token", "it holds a token"),
    ("**/remove-token", "it holds a token"),
    ("**/generate-jitconfig", "it holds a token"),
    ("/repos/*/*/actions/artifacts/*/*", "it leads to a signed address"),
    ("/repos/*/*/actions/jobs/*/logs", "it leads to a signed address"),
    ("/repos/*/*/actions/runs/*/logs", "it leads to a signed address"),
    ("/repos/*/*/actions/runs/*/attempts/*/logs", "it leads to a signed address"),
    ("/repos/*/*/tarball**", "it leads to a signed address"),
    ("/repos/*/*/zipball**", "it leads to a signed address"),
    ("/repos/*/*/releases/assets/**", "it may lead to a signed address"),
    ("/orgs/*/migrations/*/archive", "it leads to a signed address"),
    ("/user/migrations/*/archive", "it leads to a signed address"),
    ("/repos/*/*/codespaces/**", "it is a live value"),
    ("/user/codespaces**", "it is a live value"),
];

/// Lifetimes in seconds. The specification's: 300 as the default, 60 for runs, 30 for runners.
pub(super) const LIFETIMES: &[(&str, u64)] = &[
    ("/repos/*/*/actions/runs**", 60),
    ("/repos/*/*/actions/workflows/*/runs", 60),
    ("/repos/*/*/actions/jobs/**", 60),
    ("/repos/*/*/actions/runners**", 30),
    ("/orgs/*/actions/runners**", 30),
    ("/enterprises/*/actions/runners**", 30),
    ("/repos/*/*/check-runs**", 30),
    ("/repos/*/*/check-suites**", 30),
    ("/repos/*/*/commits/*/check-runs", 30),
    ("/repos/*/*/commits/*/check-suites", 30),
    ("/repos/*/*/commits/*/status", 30),
    ("/repos/*/*/commits/*/statuses", 30),
    ("/repos/*/*/statuses/**", 30),
    ("/repos/*/*/deployments**", 30),
    // Pages through links name the repository by number.
    ("/repositories/*/actions/run**", 30),
    ("/repositories/*/check-**", 30),
    ("/repositories/*/commits/*/check-**", 30),
    ("/repositories/*/commits/*/status**", 30),
    ("/repositories/*/deployments**", 30),
    // The address is the content's own digest: it cannot change. What can is who may read it.
    ("/repos/*/*/git/blobs/{sha}", 3600),
    ("/repos/*/*/git/commits/{sha}", 3600),
    ("/repos/*/*/git/tags/{sha}", 3600),
    ("/repos/*/*/git/trees/{sha}", 3600),
    ("**/events", 60),
    ("/notifications**", 60),
    ("**", LIFETIME_DEFAULT.as_secs()),
];
