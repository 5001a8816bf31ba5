//! Where the API puts URLs of its own.
//!
//! Derived from the response schemas of GitHub's published description (npm `@octokit/openapi` 23.0.2, MIT) and
//! reviewed: keys whose values name the API by schema or example, and keys of objects in which such keys lie. Left out
//! are keys whose values users choose (`target_url`, `details_url`, `environment_url`, `log_url`, `external_url` …),
//! addresses of pages and files, and objects that hold what users wrote, or may: `config` of a hook, `payload` of a
//! deployment or a delivery, `client_payload`, `inputs`, `metadata`, `references`. With `payload` go the objects in
//! `/events`: what `payload` means only its route tells.

/// What a key of an object stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Meaning {
    /// A value that leads to the API.
    Url,
    /// Objects that follow these rules again.
    Known,
    /// Links, each under a name.
    Links,
    /// Something else, which is left alone.
    Other,
}

/// What `key` stands for in an object of the API.
pub(super) fn meaning(key: &[u8]) -> Meaning {
    let found = |table: &[&str]| table.binary_search_by(|known| known.as_bytes().cmp(key)).is_ok();
    if key == b"_links" {
        Meaning::Links
    } else if key.ends_with(b"url") {
        if found(&URLS) { Meaning::Url } else { Meaning::Other }
    } else if found(&OBJECTS) {
        Meaning::Known
    } else {
        Meaning::Other
    }
}

/// Keys whose values lead to the API.
#[rustfmt::skip]
const URLS: [&str; 137] = [
    "access_tokens_url", "accounts_url", "analyses_url", "annotations_url", "api_url", "apps_url",
    "archive_download_url", "archive_url", "artifacts_url", "assets_url", "assignees_url",
    "authorizations_url", "authors_url", "blobs_url", "branches_url", "cancel_url", "check_run_url",
    "check_runs_url", "check_suite_url", "code_search_url", "collaborators_url", "comments_url",
    "commit_search_url", "commit_url", "commits_url", "compare_url", "contents_url", "contexts_url",
    "contributors_url", "current_user_repositories_url", "current_user_url", "deliveries_url",
    "deployment_url", "deployments_url", "downloads_url", "emails_url", "emojis_url", "events_url",
    "export_url", "feeds_url", "followers_url", "following_url", "forks_url", "gists_url", "git_commits_url",
    "git_refs_url", "git_tags_url", "hooks_url", "hosted_runners_url", "hub_url", "instances_url",
    "integration_url", "invitation_teams_url", "issue_body_url", "issue_comment_url", "issue_events_url",
    "issue_search_url", "issue_title_url", "issue_url", "issues_url", "item_url", "job_url", "jobs_url",
    "keys_url", "label_search_url", "labels_url", "languages_url", "latest_comment_url", "locations_url",
    "logs_url", "machines_url", "members_url", "merges_url", "milestones_url", "next_analysis_url",
    "notifications_url", "object_url", "organization_repositories_url", "organization_teams_url",
    "organization_url", "organizations_url", "package_url", "parent_issue_url", "ping_url",
    "previous_attempt_url", "project_url", "protection_url", "public_gists_url", "public_members_url",
    "publish_url", "pull_request_body_url", "pull_request_comment_url", "pull_request_review_comment_url",
    "pull_request_review_url", "pull_request_title_url", "pull_request_url", "pulls_url", "rate_limit_url",
    "received_events_url", "releases_url", "repos_url", "repositories_url", "repository_search_url",
    "repository_url", "rerun_url", "review_comment_url", "review_comments_url", "run_url", "runners_url",
    "selected_actions_url", "selected_repositories_url", "stargazers_url", "starred_gists_url",
    "starred_url", "start_url", "status_url", "statuses_url", "stop_url", "subscribers_url",
    "subscription_url", "subscriptions_url", "tags_url", "tarball_url", "teams_url", "test_url",
    "thread_url", "timeline_url", "topic_search_url", "trees_url", "url", "user_organizations_url",
    "user_repositories_url", "user_search_url", "user_url", "users_url", "workflow_url", "zipball_url",
];

/// Keys of objects, and of lists of them, that are the API's own.
#[rustfmt::skip]
const OBJECTS: [&str; 159] = [
    "accessible_repositories", "account", "actor", "answer_chosen_by", "app", "apps", "artifacts", "assets",
    "assigned_to", "assignee", "assignees", "assigner", "assigning_team", "author", "auto_merge",
    "available_custom_deployment_protection_rule_integrations", "base", "base_commit", "billable_owner",
    "blocked_by", "blocking", "bypass_pull_request_allowances", "check_runs", "check_suites", "closed_by",
    "closure_request_reviewer", "code_of_conduct", "code_of_conduct_file", "codespaces",
    "collaborating_teams", "collaborating_users", "collaborators", "comment", "comments", "commit",
    "commits", "committer", "concurrency_groups", "configuration", "configurations", "content",
    "contributing", "controller_repo", "creator", "credits", "credits_detailed",
    "custom_deployment_protection_rules", "deleted_by", "deployment", "discussion", "dismissal_approved_by",
    "dismissal_request", "dismissal_restrictions", "dismissed_by", "enabled_by", "enforce_admins",
    "environment", "environments", "files", "first_location_detected", "fork_of", "forkee", "forks",
    "group_members", "head", "head_repository", "history", "inherited_from", "installation", "installations",
    "invitee", "inviter", "issue", "issue_template", "items", "jobs", "label", "labels",
    "latest_status_update", "license", "linked_pull_requests", "managers", "marketplace_pending_change",
    "marketplace_purchase", "member", "merge_base_commit", "merged_by", "milestone", "object", "org",
    "organization", "output", "owner", "parent", "parent_issue", "parents", "performed_via_github_app",
    "pin", "pinned_by", "pinned_comment", "plan", "private_fork", "project_card", "protection",
    "protection_rules", "publisher", "pull_request", "pull_request_template", "pull_requests",
    "push_protection_bypass_request_reviewer", "push_protection_bypassed_by", "pusher", "reactions",
    "readme", "release", "repo", "repositories", "repository", "requested_reviewer", "requested_reviewers",
    "requested_team", "requested_teams", "requester", "required_pull_request_reviews", "required_signatures",
    "required_status_checks", "resolved_by", "resources_attributes", "restrictions", "review",
    "review_comment", "review_comments", "review_requester", "reviewer", "reviewers", "roles",
    "runner_groups", "seats", "secrets", "security_advisory", "source", "spaces", "statuses", "sub_issue",
    "subject", "suspended_by", "tasks", "team_managers", "teams", "template_repository", "text_matches",
    "tree", "triggering_actor", "uploader", "user", "users", "variables", "workflow_runs", "workflows",
];

/// Longest key of either table, in bytes.
pub(super) const KEY_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_can_be_searched_and_their_keys_fit() {
        for table in [&URLS[..], &OBJECTS] {
            assert!(table.is_sorted());
            assert!(table.iter().all(|key| key.len() <= KEY_BYTES_MAX));
        }
        assert!(URLS.iter().all(|key| key.ends_with("url")));
        assert!(!OBJECTS.iter().any(|key| key.ends_with("url")));
    }

    #[test]
    fn what_users_write_is_in_neither_table() {
        for key in [
            "payload",
            "config",
            "client_payload",
            "inputs",
            "target_url",
            "details_url",
            "body",
            "html",
            "href",
        ] {
            assert_eq!(meaning(key.as_bytes()), Meaning::Other, "{key}");
        }
        assert_eq!(meaning(b"repos_url"), Meaning::Url);
        assert_eq!(meaning(b"owner"), Meaning::Known);
    }
}
