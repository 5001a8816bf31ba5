//! For how long answers to queries are fresh, by what they select; and what is never kept.
//!
//! An answer lives as long as the shortest-lived thing in it. What no row names lives as long as what it is part of.

use super::rule::Rule;

/// The rules, the lifetime of each in seconds unless an operator sets another, and what it is for.
pub(super) const LIFETIMES: &[(Rule, u64, &str)] = &[
    // What a program merges by: a human or a bot acts on it at once.
    (
        Rule::Decisions,
        5,
        "what decides a write: whether a pull request may be merged or needs a review, and what the credential may change",
    ),
    // `gh pr checks --watch` looks every 10 s.
    (Rule::Checks, 10, "checks, statuses, workflow runs and deployments"),
    (Rule::Issues, 30, "one issue, pull request or discussion, with its comments and reviews"),
    (Rule::Lists, 60, "lists of issues, pull requests, repositories, commits and the like"),
    (Rule::Releases, 300, "releases"),
    (Rule::Repositories, 300, "repositories as such"),
    (Rule::Accounts, 300, "users and organizations as such"),
    (Rule::Search, 30, "searches"),
    // The schema changes with GitHub's releases; a client that asks for it wants to know whether a field is there at all.
    (Rule::Introspection, 6 * 60 * 60, "the schema, and licenses"),
    // What an id or an address stands for, the query does not tell.
    (Rule::Others, 10, "what is asked for by its id or address, and all that no other rule is for"),
    // What the table of covers may have wrong is wrong for no longer.
    (Rule::Gate, 60 * 60, "how long an answer is renewed by what covers it, without putting the query again"),
    // A client that waits for the end asks again in seconds; a fleet that asks at once shares it.
    (
        Rule::Unsettled,
        2,
        "answers that say \"ask again\": GitHub is still working out whether a pull request can be merged, or expects a status",
    ),
];

/// What a field of the operation's own selection is, of which GitHub's schema has some fifty.
pub(super) const ROOTS: &[(&str, Rule)] = &[
    ("__schema", Rule::Introspection),
    ("__type", Rule::Introspection),
    ("__typename", Rule::Introspection),
    ("enterprise", Rule::Accounts),
    ("license", Rule::Introspection),
    ("licenses", Rule::Introspection),
    ("organization", Rule::Accounts),
    ("repository", Rule::Repositories),
    ("repositoryOwner", Rule::Accounts),
    ("search", Rule::Search),
    ("user", Rule::Accounts),
    ("viewer", Rule::Accounts),
];

/// What a field is, wherever it is selected.
pub(super) const FIELDS: &[(&str, Rule)] = &[
    ("autoMergeRequest", Rule::Decisions),
    ("branchProtectionRule", Rule::Decisions),
    ("branchProtectionRules", Rule::Decisions),
    ("canBeRebased", Rule::Decisions),
    ("isInMergeQueue", Rule::Decisions),
    ("isMergeQueueEnabled", Rule::Decisions),
    ("mergeQueue", Rule::Decisions),
    ("mergeQueueEntry", Rule::Decisions),
    ("mergeStateStatus", Rule::Decisions),
    ("mergeable", Rule::Decisions),
    ("potentialMergeCommit", Rule::Decisions),
    ("refUpdateRule", Rule::Decisions),
    ("requiredStatusChecks", Rule::Decisions),
    ("reviewDecision", Rule::Decisions),
    ("rules", Rule::Decisions),
    ("ruleset", Rule::Decisions),
    ("rulesets", Rule::Decisions),
    ("annotations", Rule::Checks),
    ("checkRun", Rule::Checks),
    ("checkRuns", Rule::Checks),
    ("checkSuite", Rule::Checks),
    ("checkSuites", Rule::Checks),
    ("contexts", Rule::Checks),
    ("deployment", Rule::Checks),
    ("deploymentRequests", Rule::Checks),
    ("deploymentReviews", Rule::Checks),
    ("deployments", Rule::Checks),
    ("environment", Rule::Checks),
    ("environments", Rule::Checks),
    ("latestStatus", Rule::Checks),
    ("pendingDeploymentRequests", Rule::Checks),
    ("runs", Rule::Checks),
    ("status", Rule::Checks),
    ("statusCheckRollup", Rule::Checks),
    ("statuses", Rule::Checks),
    ("workflow", Rule::Checks),
    ("workflowRun", Rule::Checks),
    ("workflowRuns", Rule::Checks),
    ("comments", Rule::Issues),
    ("discussion", Rule::Issues),
    ("issue", Rule::Issues),
    ("issueOrPullRequest", Rule::Issues),
    ("latestOpinionatedReviews", Rule::Issues),
    ("latestReviews", Rule::Issues),
    ("pullRequest", Rule::Issues),
    ("reviewRequests", Rule::Issues),
    ("reviewThreads", Rule::Issues),
    ("reviews", Rule::Issues),
    ("timeline", Rule::Issues),
    ("timelineItems", Rule::Issues),
    ("assignableUsers", Rule::Lists),
    ("associatedPullRequests", Rule::Lists),
    ("closingIssuesReferences", Rule::Lists),
    ("commitComments", Rule::Lists),
    ("commits", Rule::Lists),
    ("defaultBranchRef", Rule::Lists),
    ("discussions", Rule::Lists),
    ("forks", Rule::Lists),
    ("gists", Rule::Lists),
    ("history", Rule::Lists),
    ("issues", Rule::Lists),
    ("items", Rule::Lists),
    ("matchingPullRequests", Rule::Lists),
    ("members", Rule::Lists),
    ("milestones", Rule::Lists),
    ("object", Rule::Lists),
    ("pinnedIssues", Rule::Lists),
    ("projectItems", Rule::Lists),
    ("projectV2", Rule::Lists),
    ("projects", Rule::Lists),
    ("projectsV2", Rule::Lists),
    ("pullRequests", Rule::Lists),
    ("ref", Rule::Lists),
    ("refs", Rule::Lists),
    ("repositories", Rule::Lists),
    ("teams", Rule::Lists),
    ("vulnerabilityAlerts", Rule::Lists),
    ("latestRelease", Rule::Releases),
    ("release", Rule::Releases),
    ("releases", Rule::Releases),
];

/// How fields begin that say what the credential itself may do.
pub(super) const PREFIXES: &[(&str, Rule)] = &[("viewerCan", Rule::Decisions)];

/// What an object is by its type, where a fragment names it.
pub(super) const TYPES: &[(&str, Rule)] = &[
    ("CheckRun", Rule::Checks),
    ("CheckSuite", Rule::Checks),
    ("Deployment", Rule::Checks),
    ("DeploymentStatus", Rule::Checks),
    ("Discussion", Rule::Issues),
    ("Issue", Rule::Issues),
    ("MergeQueue", Rule::Decisions),
    ("MergeQueueEntry", Rule::Decisions),
    ("PullRequest", Rule::Issues),
    ("Status", Rule::Checks),
    ("StatusCheckRollup", Rule::Checks),
    ("StatusContext", Rule::Checks),
    ("Workflow", Rule::Checks),
    ("WorkflowRun", Rule::Checks),
];

/// Fields whose answers are never kept, wherever they are selected, and why. The reason shows in `Cache-Status`.
pub(super) const NEVER_KEPT: &[(&str, &str)] = &[
    ("archiveUrl", "it may hold a signed address"),
    ("auditLog", "it is a live value"),
    ("bodyHTML", "it may hold a signed address"),
    ("descriptionHTML", "it may hold a signed address"),
    ("migrationLogUrl", "it may hold a signed address"),
    ("rateLimit", "the quota is a live value"),
    ("recoveryCodes", "it holds secrets"),
    ("sponsorsActivities", "it is a live value"),
    ("tarballUrl", "it may hold a signed address"),
    ("zipballUrl", "it may hold a signed address"),
];

/// Values by which an answer says that GitHub is still working something out, and the rules of what can have them.
pub(super) const UNSETTLED: &[(Rule, &str)] = &[(Rule::Checks, "EXPECTED"), (Rule::Decisions, "UNKNOWN")];
