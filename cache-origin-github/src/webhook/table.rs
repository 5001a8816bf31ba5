//! Which events end what: the review of every event that GitHub's documentation has.
//!
//! A row names an event, its actions (empty for any), the writes that change the same, and what it touches besides; the
//! words of both are those of `touch/table.rs`. The first row that fits counts. `tests.rs` walks the payloads of
//! `tests/webhooks/payloads.json` through it.

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    event: &'static str,
    actions: &'static str,
    /// `METHOD PATH` of writes that change the same.
    pub(super) writes: &'static [&'static str],
    /// What it touches besides.
    pub(super) touched: &'static [&'static str],
    /// Whether it ends answers to GraphQL queries, as all do that have an effect.
    ends_queries: bool,
}

/// Whether the table has rows for `event`.
pub(super) fn knows(event: &str) -> bool {
    ROWS.iter().any(|row| row.event == event)
}

/// The row for `event` with `action`.
pub(super) fn row(event: &str, action: &str) -> Option<&'static Row> {
    let fits = |row: &&Row| {
        row.event == event && (row.actions.is_empty() || row.actions.split(' ').any(|it| it == action))
    };
    ROWS.iter().find(fits)
}

impl Row {
    /// Whether it is about all repositories of an account.
    pub(super) fn is_of_account(&self) -> bool {
        self.touched.contains(&"@account")
    }

    /// Whether it takes the name of a repository or an account to tell what it touches.
    pub(super) fn needs_names(&self) -> bool {
        let is_named = |item: &&str| item.contains(['~', '{', '@']);
        !self.writes.is_empty() || self.touched.is_empty() || self.touched.iter().any(is_named)
    }

    /// Whether it changes nothing that is kept.
    pub(super) fn is_without_effect(&self) -> bool {
        !self.ends_queries
    }

    const fn changing(event: &'static str, writes: &'static [&'static str]) -> Self {
        Self { event, actions: "", writes, touched: &[], ends_queries: true }
    }

    const fn touching(self, touched: &'static [&'static str]) -> Self {
        Self { touched, ..self }
    }

    const fn by(self, actions: &'static str) -> Self {
        Self { actions, ..self }
    }

    /// An event that changes nothing that is kept.
    const fn without_effect(event: &'static str) -> Self {
        Self { ends_queries: false, ..Self::changing(event, &[]) }
    }
}

/// All rows, by what they are about.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    // What is in a repository.
    Row::changing("push", &["PUT ~/contents/-", "POST ~/git/refs"]).touching(&["~/events"]),
    Row::changing("create", &["POST ~/git/refs"]).touching(&["~/events"]),
    Row::changing("delete", &["DELETE ~/git/refs/-"]).touching(&["~/events"]),
    Row::changing("commit_comment", &["POST ~/commits/-/comments", "PATCH ~/comments/-"]),
    Row::changing("release", &["PATCH ~/releases/-"]),
    Row::changing("page_build", &["POST ~/pages/builds"]),
    Row::changing("gollum", &[]).touching(&["~/events"]),
    Row::changing("merge_group", &["PUT ~/pulls/-/merge"]),
    // Issues and pull requests.
    Row::changing("pull_request", &["PUT ~/pulls/-/merge"]).by("closed"),
    Row::changing("pull_request", &["PUT ~/pulls/-/update-branch"]).by("synchronize"),
    Row::changing("pull_request", &["PATCH ~/pulls/-"]),
    Row::changing("pull_request_review", &["POST ~/pulls/-/reviews"]),
    Row::changing("pull_request_review_comment", &["POST ~/pulls/-/comments"]),
    Row::changing("pull_request_review_thread", &["POST ~/pulls/-/comments"]),
    Row::changing("issues", &["PATCH ~/issues/-"]),
    Row::changing("issue_comment", &["POST ~/issues/-/comments"]),
    Row::changing("issue_dependencies", &["POST ~/issues/-/dependencies/blocked_by"]),
    Row::changing("sub_issues", &["POST ~/issues/-/sub_issues"]),
    Row::changing("label", &["PATCH ~/labels/-"]),
    Row::changing("milestone", &["PATCH ~/milestones/-"]),
    // Shown by GraphQL alone.
    Row::changing("discussion", &[]),
    Row::changing("discussion_comment", &[]),
    // What runs.
    Row::changing("workflow_run", &["POST ~/actions/runs/-/rerun"]),
    Row::changing("workflow_job", &["POST ~/actions/jobs/-/rerun"]),
    Row::changing("workflow_dispatch", &["POST ~/actions/workflows/-/dispatches"]),
    Row::changing("repository_dispatch", &["POST ~/dispatches"]),
    Row::changing("check_run", &["POST ~/check-runs"]),
    Row::changing("check_suite", &["POST ~/check-suites"]),
    Row::changing("status", &["POST ~/statuses/-"]),
    Row::changing("deployment", &["POST ~/deployments"]),
    Row::changing("deployment_protection_rule", &["POST ~/deployments"]),
    Row::changing("deployment_review", &["POST ~/deployments"]),
    Row::changing("deployment_status", &["POST ~/deployments/-/statuses"]),
    // What people think of it.
    Row::changing("star", &["PUT /user/starred/{owner}/{repo}"]),
    Row::changing("watch", &["PUT ~/subscription"]).touching(&["=~"]),
    Row::changing("fork", &["POST ~/forks"]),
    // Rules and security.
    Row::changing("branch_protection_configuration", &["PUT ~/branches/-/protection"]),
    Row::changing("branch_protection_rule", &["PUT ~/branches/-/protection"]),
    Row::changing("repository_ruleset", &["PUT ~/rulesets/-", "PUT /orgs/{org}/rulesets/-"]),
    Row::changing("code_scanning_alert", &["PATCH ~/code-scanning/alerts/-"]),
    Row::changing("dependabot_alert", &["PATCH ~/dependabot/alerts/-"]),
    Row::changing("repository_vulnerability_alert", &["PATCH ~/dependabot/alerts/-"]),
    Row::changing("repository_advisory", &["PATCH ~/security-advisories/-"]),
    Row::changing("secret_scanning_alert", &["PATCH ~/secret-scanning/alerts/-"]),
    Row::changing("secret_scanning_alert_location", &["PATCH ~/secret-scanning/alerts/-"]),
    Row::changing("secret_scanning_scan", &["PATCH ~/secret-scanning/alerts/-"]),
    Row::changing("security_and_analysis", &["PATCH ~"]),
    Row::changing("deploy_key", &["POST ~/keys"]),
    Row::changing("custom_property_values", &["PATCH ~/properties/values"]),
    Row::changing("custom_property", &[]).touching(&["?/orgs/", "?/repos/"]),
    // Packages and projects.
    Row::changing("package", &["DELETE /orgs/{org}/packages/-"]).touching(&["?/users/"]),
    Row::changing("registry_package", &["DELETE /orgs/{org}/packages/-"]).touching(&["?/users/"]),
    Row::changing("projects_v2", &["PATCH /orgs/{org}/projectsV2/-"]),
    Row::changing("projects_v2_item", &["PATCH /orgs/{org}/projectsV2/-"]),
    Row::changing("projects_v2_status_update", &["PATCH /orgs/{org}/projectsV2/-"]),
    // What people may read. All that was kept of what it is about goes, in every domain.
    Row::changing("public", &["PATCH ~"]).touching(&["@whole", "@mine"]),
    Row::changing("repository", &["POST /orgs/{org}/repos"]).touching(&["@lists", "@whole"]).by("created"),
    Row::changing("repository", &["DELETE ~"]).touching(&["@whole", "@mine"]).by("deleted"),
    Row::changing("repository", &["PATCH ~", "POST ~/transfer"]).touching(&["@whole", "@mine"])
        .by("renamed transferred"),
    Row::changing("repository", &["PATCH ~"]).touching(&["@whole", "@mine"]).by("privatized publicized"),
    Row::changing("repository", &["PATCH ~"]),
    Row::changing("repository_import", &["PUT ~/import"]).touching(&["@whole"]),
    Row::changing("member", &["PUT ~/collaborators/-"]).touching(&["@whole", "@mine"]),
    Row::changing("team_add", &["PUT /orgs/{org}/teams/-/repos/{owner}/{repo}"]).touching(&["@whole", "@mine"]),
    Row::changing("team", &["PUT /orgs/{org}/teams/-/repos/{owner}/{repo}"]).touching(&["@whole", "@mine"])
        .by("added_to_repository removed_from_repository"),
    Row::changing("team", &["PATCH /orgs/{org}/teams/-"]).touching(&["@mine"]).by("created"),
    Row::changing("team", &["PATCH /orgs/{org}/teams/-"]).touching(&["@account", "@mine"]),
    Row::changing("membership", &["PUT /orgs/{org}/teams/-/memberships/-"]).touching(&["@account", "@mine"]),
    Row::changing("organization", &["PUT /orgs/{org}/invitations/-"]).by("member_invited"),
    Row::changing("organization", &["PATCH /orgs/{org}", "PUT /orgs/{org}/memberships/-"])
        .touching(&["@account", "@mine"]),
    Row::changing("org_block", &["PUT /orgs/{org}/blocks/-"]).touching(&["@account"]),
    Row::changing("personal_access_token_request", &["POST /orgs/{org}/personal-access-token-requests/-"])
        .touching(&["@account"]),
    Row::changing("installation", &["PUT /user/installations/-/repositories/-"]).touching(&["@account", "@mine"]),
    Row::changing("installation_repositories", &["PUT /user/installations/-/repositories/-"])
        .touching(&["@whole", "@mine"]),
    Row::changing("installation_target", &["PATCH /orgs/{org}"]).touching(&["@account", "@mine"]),
    // What is about the webhook, the app or money.
    Row::without_effect("github_app_authorization"),
    Row::without_effect("marketplace_purchase"),
    Row::without_effect("meta"),
    Row::without_effect("ping"),
    Row::without_effect("security_advisory"),
    Row::without_effect("sponsorship"),
];
