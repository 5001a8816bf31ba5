//! What a write touches besides its own family of resources: the review of every write in GitHub's description.
//!
//! A row names methods (empty for any), a path, and what a carried-out write there changes. `~` stands for
//! `/repos/{owner}/{repo}`; `**` for any number of segments, none included. In what is touched, `/a/b` means what
//! begins so; `=/a/b` that very path, with or without a query; `?/a/b` that what begins so is doubted rather than
//! forgotten, since the path does not tell which part of it is meant; `@group` all of a group.
//!
//! `tests/operations` walks all writes of the description, and `tests/operations/writes.txt` has their effects.

/// The methods, the path, and what is touched.
pub(super) type Row = (&'static str, &'static str, &'static [&'static str]);

/// Writes that touch only what is named. The first row that fits counts, before those of [`BESIDE`].
#[rustfmt::skip]
pub(super) const ALONE: &[Row] = &[
    // What changes nothing that can be read, or nothing that is kept.
    ("", "/app-manifests/**", &[]),
    ("", "/app/installations/{installation_id}/access_tokens", &[]),
    ("", "/applications/**", &[]),
    ("", "/authorizations/**", &[]),
    ("", "/credentials/**", &[]),
    ("", "/enterprises/{enterprise}/actions/runners/registration-token", &[]),
    ("", "/enterprises/{enterprise}/actions/runners/remove-token", &[]),
    ("", "/installation/token", &[]),
    ("", "/login/**", &[]),
    ("", "/markdown/**", &[]),
    ("", "/orgs/{org}/actions/runners/registration-token", &[]),
    ("", "/orgs/{org}/actions/runners/remove-token", &[]),
    ("", "/orgs/{org}/attestations/bulk-list", &[]),
    ("", "/users/{username}/attestations/bulk-list", &[]),
    ("", "~/actions/runners/registration-token", &[]),
    ("", "~/actions/runners/remove-token", &[]),
    ("", "~/releases/generate-notes", &[]),
    // What changes one thing that nothing else shows, and is written all day.
    ("", "/enterprises/{enterprise}/actions/runners/**", &[
        "/enterprises/{enterprise}/actions/runners", "/enterprises/{enterprise}/actions/runner-groups",
    ]),
    ("", "/orgs/{org}/actions/runners/**", &["/orgs/{org}/actions/runners", "/orgs/{org}/actions/runner-groups"]),
    ("", "/orgs/{org}/hooks/**", &["/orgs/{org}/hooks"]),
    ("", "~/actions/artifacts/**", &["~/actions/artifacts", "~/actions/runs"]),
    ("", "~/actions/cache/**", &["~/actions/cache"]),
    ("", "~/actions/caches/**", &["~/actions/cache"]),
    ("", "~/actions/oidc/**", &["~/actions/oidc"]),
    ("", "~/actions/permissions/**", &["~/actions/permissions"]),
    ("", "~/actions/runners/**", &["~/actions/runners"]),
    ("", "~/actions/secrets/**", &["~/actions/secrets"]),
    ("", "~/actions/variables/**", &["~/actions/variables"]),
    ("", "~/agents/**", &["~/agents"]),
    ("", "~/autolinks/**", &["~/autolinks"]),
    ("", "~/check-runs/**", &["@checks"]),
    ("", "~/check-suites/**", &["@checks"]),
    ("", "~/codespaces/**", &["~/codespaces", "/user/codespaces"]),
    ("", "~/dependabot/secrets/**", &["~/dependabot/secrets"]),
    ("", "~/dispatches", &["~/actions", "~/check-"]),
    ("", "~/environments/{environment}/secrets/**", &["~/environments"]),
    ("", "~/environments/{environment}/variables/**", &["~/environments"]),
    // Objects, which are nowhere to be seen until a ref points at them.
    ("", "~/git/blobs", &["~/git/blobs"]),
    ("", "~/git/commits", &["~/git/commits"]),
    ("", "~/git/tags", &["~/git/tags"]),
    ("", "~/git/trees", &["~/git/trees"]),
    ("", "~/hooks/**", &["~/hooks"]),
    ("", "~/keys/**", &["~/keys"]),
    ("", "~/notifications", &["~/notifications", "/notifications"]),
    ("", "~/pulls/{pull}/codespaces", &["~/codespaces", "/user/codespaces"]),
    ("", "~/statuses/**", &["@checks"]),
    // The star of a gist shows in lists alone; that of a repository is counted.
    ("", "/user/starred/{owner}/{repo}", &["/user/starred", "=~", "~/stargazers", "~/events", "?/users/"]),
];

/// Writes that touch what is named besides their own family and the resource that it belongs to. All rows that fit
/// count.
///
/// A write that no row is for, GitHub's next invention, touches all of the repository, organisation or account.
#[rustfmt::skip]
pub(super) const BESIDE: &[Row] = &[
    // Repositories.
    ("PATCH DELETE", "~", &["@lists", "?/users/"]),
    ("DELETE", "~", &["?/repos/"]),
    ("", "~/transfer", &["=~", "~/", "@lists", "?/orgs/", "?/repos/", "?/users/"]),
    ("", "~/topics", &["@lists"]),
    ("", "~/forks", &["@made", "~/events", "?/networks/"]),
    ("", "~/generate", &["@made"]),
    ("", "~/import/**", &["@code"]),
    ("", "~/properties/**", &["/orgs/{owner}/properties", "~/rules"]),
    ("", "~/subscription", &["~/subscribers", "/user/subscriptions", "?/users/"]),
    ("", "~/interaction-limits/**", &[]),
    ("", "~/lfs", &[]),
    // Rights to change something.
    ("", "~/collaborators/**", &[
        "~/assignees", "~/invitations", "~/teams", "/orgs/{owner}/outside_collaborators", "/user/repos",
        "/user/repository_invitations", "/user/subscriptions",
    ]),
    ("", "~/invitations/**", &["~/collaborators", "/user/repository_invitations"]),
    // Whether a pull request may be merged depends on them.
    ("", "~/branches/**", &["~/pulls", "~/rules"]),
    ("", "~/rulesets/**", &["~/branches", "~/pulls", "~/rules"]),
    ("", "~/tags/**", &["~/rules"]),
    // What is in it.
    ("", "~/branches/**/rename", &["@code", "~/environments"]),
    ("", "~/contents/**", &["@code"]),
    ("", "~/git/refs/**", &["@code", "~/releases", "~/rules"]),
    ("", "~/merges", &["@code"]),
    ("", "~/merge-upstream", &["@code"]),
    ("", "~/comments/**", &["~/commits", "~/events"]),
    ("", "~/commits/**", &["~/comments", "~/events"]),
    ("", "~/releases/**", &["~/tags", "~/git", "~/events"]),
    ("", "~/immutable-releases", &["~/releases"]),
    ("", "~/attestations/**", &[]),
    // Issues and pull requests.
    ("", "~/issues/**", &["@issues"]),
    // The other issue may be in any repository.
    ("", "~/issues/{issue}/dependencies/**", &["?/repos/"]),
    ("", "~/issues/{issue}/sub_issue/**", &["?/repos/"]),
    ("", "~/issues/{issue}/sub_issues/**", &["?/repos/"]),
    ("", "~/assignees/**", &["@issues"]),
    ("", "~/labels/**", &["@issues"]),
    ("", "~/milestones/**", &["@issues"]),
    ("", "~/pulls/**", &["@issues", "@checks"]),
    ("", "~/pulls/{pull}/merge", &["@code"]),
    ("", "~/pulls/{pull}/merge-async", &["@code"]),
    ("", "~/pulls/{pull}/update-branch", &["@code"]),
    ("", "~/stacks/**", &["@issues", "@checks"]),
    // What runs.
    ("", "~/actions/**", &["@checks", "~/deployments", "~/environments", "~/events"]),
    ("", "~/deployments/**", &["~/actions", "~/commits", "~/environments", "~/events"]),
    ("", "~/environments/**", &["~/actions", "~/deployments", "~/events"]),
    ("", "~/pages/**", &["~/deployments", "~/environments"]),
    // Security.
    ("", "~/automated-security-fixes", &["~/dependabot"]),
    ("", "~/bypass-requests/**", &["/orgs/{owner}/bypass-requests", "?/enterprises/"]),
    ("", "~/bypass-responses/**", &["~/bypass-requests", "/orgs/{owner}/bypass-requests", "?/enterprises/"]),
    ("", "~/code-quality/**", &[]),
    ("", "~/code-scanning/**", &["/orgs/{owner}/code-scanning", "@checks"]),
    ("", "~/code-scanning/alerts/{alert}/autofix/commits", &["@code"]),
    ("", "~/dependabot/**", &["/orgs/{owner}/dependabot", "?/enterprises/"]),
    ("", "~/dependency-graph/**", &["~/dependabot", "/orgs/{owner}/dependabot"]),
    ("", "~/dismissal-requests/**", &[
        "/orgs/{owner}/dismissal-requests", "~/code-scanning", "~/dependabot", "~/secret-scanning",
    ]),
    ("", "~/pre-receive-hooks/**", &[]),
    ("", "~/private-vulnerability-reporting", &[]),
    ("", "~/secret-scanning/**", &["/orgs/{owner}/secret-scanning"]),
    ("", "~/security-advisories/**", &["/orgs/{owner}/security-advisories", "/user/repos"]),
    ("", "~/vulnerability-alerts", &["~/dependabot"]),
    // Organisations.
    ("", "/orgs/{org}", &[
        "/user/memberships", "/user/orgs", "/user/repos", "=/organizations", "=/users/{org}", "?/repos/{org}/", "?/users/",
    ]),
    ("", "/orgs/{org}/repos", &[
        "/installation/repositories", "/orgs/{org}/teams", "/user/repos", "/users/{org}/repos", "=/repositories",
        "=/users/{org}",
    ]),
    ("", "/orgs/{org}/blocks/**", &["@people"]),
    ("", "/orgs/{org}/invitations/**", &["@people"]),
    ("", "/orgs/{org}/members/**", &["@people"]),
    ("", "/orgs/{org}/memberships/**", &["@people"]),
    ("", "/orgs/{org}/outside_collaborators/**", &["@people"]),
    ("", "/orgs/{org}/public_members/**", &["@people"]),
    ("", "/orgs/{org}/organization-roles/**", &["@roles"]),
    ("", "/orgs/{org}/security-managers/**", &["@roles"]),
    ("", "/orgs/{org}/teams/**", &["@roles", "/orgs/{org}/invitations", "/teams/", "/user/teams", "/user/repos"]),
    ("", "/orgs/{org}/teams/{team}/memberships/**", &["@people"]),
    ("", "/orgs/{org}/teams/{team}/repos/{owner}/{repo}", &["@access"]),
    ("", "/orgs/{org}/packages/**", &["/user/packages", "/users/{org}/packages"]),
    ("", "/orgs/{org}/personal-access-token-requests/**", &["/orgs/{org}/personal-access-tokens"]),
    ("", "/orgs/{org}/personal-access-tokens/**", &["/orgs/{org}/personal-access-token-requests"]),
    // What an organisation sets shows in its repositories.
    ("", "/orgs/{org}/actions/**", &["?/repos/{org}/"]),
    ("", "/orgs/{org}/agents/**", &["?/repos/{org}/"]),
    ("", "/orgs/{org}/campaigns/**", &["?/repos/{org}/"]),
    ("", "/orgs/{org}/code-security/**", &["?/repos/{org}/"]),
    ("", "/orgs/{org}/codespaces/**", &["?/repos/{org}/"]),
    ("", "/orgs/{org}/copilot/**", &["?/repos/{org}/", "/orgs/{org}/members"]),
    ("", "/orgs/{org}/dependabot/**", &["?/repos/{org}/"]),
    ("", "/orgs/{org}/interaction-limits/**", &["?/repos/{org}/"]),
    ("", "/orgs/{org}/issue-fields/**", &["?/repos/{org}/"]),
    ("", "/orgs/{org}/issue-types/**", &["?/repos/{org}/"]),
    ("", "/orgs/{org}/migrations/**", &["?/repos/{org}/"]),
    ("", "/orgs/{org}/properties/**", &["?/repos/{org}/"]),
    ("", "/orgs/{org}/rulesets/**", &["?/repos/{org}/"]),
    ("", "/orgs/{org}/secret-scanning/**", &["?/repos/{org}/"]),
    ("", "/orgs/{org}/settings/**", &["?/repos/{org}/"]),
    ("", "/orgs/{org}/{security_product}/disable_all", &["?/repos/{org}/"]),
    ("", "/orgs/{org}/{security_product}/enable_all", &["?/repos/{org}/"]),
    ("", "/orgs/{org}/artifacts/**", &[]),
    ("", "/orgs/{org}/attestations/**", &[]),
    ("", "/orgs/{org}/copilot-spaces/**", &[]),
    ("", "/orgs/{org}/private-registries/**", &[]),
    ("", "/orgs/{org}/projectsV2/**", &[]),
    ("", "/teams/{team}", &["/user/teams", "?/orgs/", "?/repos/"]),
    ("", "/teams/{team}/members/**", &["/user/teams", "?/orgs/", "?/repos/", "?/users/"]),
    ("", "/teams/{team}/memberships/**", &["/user/teams", "?/orgs/", "?/repos/", "?/users/"]),
    ("", "/teams/{team}/repos/{owner}/{repo}", &["@access", "?/orgs/"]),
    // Enterprises.
    ("", "/enterprises/{enterprise}/**", &["?/orgs/"]),
    ("", "/enterprises/{enterprise}/code-security/**", &["?/repos/"]),
    ("", "/enterprises/{enterprise}/teams/**", &["?/repos/"]),
    // Users.
    ("", "/user", &["?/users/"]),
    ("", "/user/repos", &["/installation/repositories", "=/repositories", "?/users/"]),
    ("", "/user/following/{username}", &["/users/{username}/followers", "=/users/{username}", "?/users/"]),
    ("", "/user/email/**", &["/user/emails", "/user/public_emails", "?/users/"]),
    ("", "/user/emails/**", &["/user/public_emails", "?/users/"]),
    ("", "/user/gpg_keys/**", &["?/users/"]),
    ("", "/user/keys/**", &["?/users/"]),
    ("", "/user/social_accounts/**", &["?/users/"]),
    ("", "/user/ssh_signing_keys/**", &["?/users/"]),
    ("", "/user/packages/**", &["?/users/"]),
    ("", "/user/installations/**", &["/app/installations", "/installation/", "?/orgs/", "?/repos/", "?/users/"]),
    ("", "/user/memberships/orgs/{org}", &["@people", "=/orgs/{org}"]),
    ("", "/user/repository_invitations/**", &["/user/repos", "/user/subscriptions", "?/repos/"]),
    ("", "/user/interaction-limits", &["?/repos/"]),
    ("", "/user/blocks/**", &[]),
    ("", "/user/codespaces/**", &[]),
    ("", "/user/migrations/**", &[]),
    ("", "/users/{username}/attestations/**", &[]),
    ("", "/users/{username}/copilot-spaces/**", &[]),
    ("", "/users/{username}/packages/**", &["/user/packages"]),
    ("", "/users/{username}/projectsV2/**", &[]),
    // The rest.
    ("", "/admin/**", &["?/orgs/", "?/repos/", "?/users/"]),
    ("", "/agents/**", &[]),
    ("", "/app/**", &[]),
    ("", "/app/installations/**", &["/installation/", "/user/installations", "?/orgs/", "?/repos/", "?/users/"]),
    ("", "/enterprise/**", &[]),
    ("", "/gists/**", &["=/user", "?/users/"]),
    ("", "/manage/**", &[]),
    ("", "/notifications/**", &[]),
    ("", "/scim/**", &["?/orgs/", "?/repos/", "?/users/"]),
];

/// What often goes together.
#[rustfmt::skip]
pub(super) const GROUPS: &[(&str, &[&str])] = &[
    // Rights to see or change something in one repository.
    ("@access", &["=~", "~/assignees", "~/collaborators", "~/invitations", "~/teams", "/user/repos", "/user/subscriptions"]),
    // All of an organisation and of its repositories, when it changes what people may read.
    ("@account", &["=/orgs/{org}", "/orgs/{org}/", "/repos/{org}/", "/users/{org}/repos"]),
    // What runs for a commit, and what waits for that.
    ("@checks", &["~/actions", "~/check-", "~/commits", "~/pulls", "~/status"]),
    // What a push changes, which may close issues by its message and start whatever waits for pushes. Lists of
    // repositories show when the last one was.
    ("@code", &[
        "@checks", "@issues", "~/activity", "~/branches", "~/code-scanning", "~/codeowners", "~/community", "~/compare",
        "~/contents", "~/contributors", "~/dependency-graph", "~/deployments", "~/git", "~/languages", "~/license",
        "~/pages", "~/readme", "~/stats", "~/tags", "?/orgs/{owner}/repos", "?/user/repos", "?/users/{owner}/repos",
    ]),
    ("@issues", &[
        "~/assignees", "~/events", "~/issues", "~/labels", "~/milestones", "~/pulls", "/issues", "/orgs/{owner}/issues",
        "/user/issues", "?/orgs/{owner}/projectsV2",
    ]),
    // Where a repository is listed.
    ("@lists", &[
        "/installation/repositories", "/orgs/{owner}/repos", "/orgs/{owner}/teams", "/teams/", "/user/installations",
        "/user/repos", "/user/starred", "/user/subscriptions", "/users/{owner}/repos", "=/orgs/{owner}", "=/repositories",
        "=/user", "=/users/{owner}",
    ]),
    // Where a new repository shows whose owner is not in the path.
    ("@made", &["/installation/repositories", "/user/repos", "=/repositories", "=/user", "?/orgs/", "?/users/"]),
    // What lists the repositories, organisations and issues that the asker may read.
    ("@mine", &[
        "/installation/", "/issues", "/notifications", "/user/installations", "/user/issues", "/user/memberships",
        "/user/orgs", "/user/repos", "/user/starred", "/user/subscriptions", "/user/teams",
    ]),
    // Membership of an organisation.
    ("@people", &[
        "@roles", "/orgs/{org}/blocks", "/orgs/{org}/failed_invitations", "/orgs/{org}/invitations", "/orgs/{org}/members",
        "/orgs/{org}/memberships", "/orgs/{org}/outside_collaborators", "/orgs/{org}/public_members", "/user/memberships",
        "/user/orgs", "/user/repos", "/user/teams", "?/teams/", "?/users/",
    ]),
    ("@roles", &[
        "/orgs/{org}/organization-roles", "/orgs/{org}/security-managers", "/orgs/{org}/teams", "?/repos/{org}/",
    ]),
    // All of a repository, when it changes whether people may read it.
    ("@whole", &["=~", "~/"]),
];
