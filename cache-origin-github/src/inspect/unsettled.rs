//! Which answers say "ask again": they tell of something under way, which ends without a write that would make a node
//! forget them.
//!
//! [`TABLE`] was made from the states that GitHub's description gives each answer, and names, for a route, the
//! fields and the values that mean so. A route that it has a row for is judged by that row alone. For all others
//! [`seems_unsettled`] looks at what is called a state and reads like one under way.

use crate::route::Route;
use std::sync::LazyLock;

/// How answers of one route say that they are not settled.
pub(super) struct Row {
    route: Route,
    signs: &'static [Sign],
    ends: &'static [Sign],
}

impl Row {
    /// Whether `value` at `place` says that the answer is not settled.
    pub(super) fn is_sign(&self, place: &str, value: &str) -> bool {
        is_among(self.signs, place, value)
    }

    /// Whether `value` at `place` says that nothing more will come, whatever the signs say.
    pub(super) fn is_end(&self, place: &str, value: &str) -> bool {
        is_among(self.ends, place, value)
    }
}

/// The row for `path`, if there is one.
pub(super) fn row(path: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.route.fits(path))
}

/// Whether `value` at `place`, in an answer that no row is for, reads like something under way.
///
/// Looks at the answer's own fields and those of the items of its first list, since what lies deeper is about
/// other things, or written by users. The words leave out all that lasts: an issue is `open`, a member `active`,
/// a runner `online`. One taken wrongly costs a question that is answered 304 and free; one missed is served for
/// minutes after it stopped being true.
pub(super) fn seems_unsettled(place: &str, value: &str) -> bool {
    let Some((above, field)) = place.rsplit_once('.') else {
        return false;
    };
    let is_own = above.is_empty();
    let is_items = above.ends_with(']') && !above[1..].contains('.');
    if !is_own && !is_items {
        return false;
    }
    match field {
        "incomplete_results" => value == "true",
        "mergeable" => value == "null",
        _other if field.ends_with("state") || field.ends_with("status") => {
            value.ends_with("in_progress") || WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
        }
        _other => false,
    }
}

/// What stands for the value of a list without items.
pub(super) const EMPTY: &str = "[]";

/// A place in an answer, and the values that count there. `[]` stands for any item of a list, `[0]` for the first.
type Sign = (&'static str, &'static [&'static str]);

fn is_among(signs: &[Sign], place: &str, value: &str) -> bool {
    let is_there = |wanted: &str| wanted == place || wanted == place.replace("[0]", "[]");
    let mut named =
        signs.iter().filter(|(_, values)| values.iter().any(|text| text.eq_ignore_ascii_case(value)));
    named.any(|(wanted, _)| is_there(wanted))
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    TABLE.iter().map(|(route, signs, ends)| Row { route: Route::new(route), signs, ends }).collect()
});

/// A route, the signs that its answer is not settled, and what says that it is in spite of them.
///
/// The first route that fits counts. Without signs, what looks unsettled lasts until a write changes it.
#[rustfmt::skip]
const TABLE: &[(&str, &[Sign], &[Sign])] = &[
    // Pull requests. GitHub works out whether one can be merged when it is first asked; of a closed one never.
    ("/repos/*/*/pulls/*", &[(".mergeable", &["null"]), (".mergeable_state", &["unknown"])], &[(".state", &["closed"])]),
    ("/repos/*/*/pulls/*/merge-async/*", &[(".status", &["pending"])], &[]),
    // A review that its author has not sent yet.
    ("/repos/*/*/pulls/*/reviews**", &[], &[]),
    // Actions.
    ("/repos/*/*/actions/runs", &[(".workflow_runs[].status", RUNNING), (".workflow_runs", NONE_YET)], &[]),
    ("/repos/*/*/actions/workflows/*/runs", &[(".workflow_runs[].status", RUNNING), (".workflow_runs", NONE_YET)], &[]),
    ("/repos/*/*/actions/runs/*", &[(".status", RUNNING)], &[]),
    ("/repos/*/*/actions/runs/*/attempts/*", &[(".status", RUNNING)], &[]),
    ("/repos/*/*/actions/runs/*/jobs", &[(".jobs[].status", RUNNING), (".jobs", NONE_YET)], &[]),
    ("/repos/*/*/actions/runs/*/attempts/*/jobs", &[(".jobs[].status", RUNNING), (".jobs", NONE_YET)], &[]),
    ("/repos/*/*/actions/jobs/*", &[(".status", RUNNING)], &[]),
    // Any item waits.
    ("/repos/*/*/actions/runs/*/pending_deployments", &[("[].current_user_can_approve", &["true", "false"])], &[]),
    ("/repos/*/*/actions/concurrency_groups/*", &[(".group_members[].status", RUNNING)], &[]),
    ("/repos/*/*/actions/runs/*/concurrency_groups", &[(".concurrency_groups[].status", RUNNING)], &[]),
    ("/orgs/*/actions/hosted-runners", &[(".runners[].status", HOSTED)], &[]),
    ("/orgs/*/actions/hosted-runners/*", &[(".status", HOSTED)], &[]),
    ("/orgs/*/actions/runner-groups/*/hosted-runners", &[(".runners[].status", HOSTED)], &[]),
    ("/orgs/*/actions/hosted-runners/images/custom", &[(".images[].state", HOSTED)], &[]),
    ("/orgs/*/actions/hosted-runners/images/custom/*", &[(".state", HOSTED)], &[]),
    ("/orgs/*/actions/hosted-runners/images/custom/*/versions", &[(".image_versions[].state", HOSTED)], &[]),
    ("/orgs/*/actions/hosted-runners/images/custom/*/versions/*", &[(".state", HOSTED)], &[]),
    // Checks and statuses. Of a commit's statuses any may be the last of its context; of a deployment's the first is.
    ("/repos/*/*/commits/**/check-runs", &[(".check_runs[].status", RUNNING), (".check_runs", NONE_YET)], &[]),
    ("/repos/*/*/check-suites/*/check-runs", &[(".check_runs[].status", RUNNING), (".check_runs", NONE_YET)], &[]),
    ("/repos/*/*/check-runs/*", &[(".status", RUNNING)], &[]),
    ("/repos/*/*/commits/**/check-suites", &[(".check_suites[].status", RUNNING), (".check_suites", NONE_YET)], &[]),
    ("/repos/*/*/check-suites/*", &[(".status", RUNNING)], &[]),
    ("/repos/*/*/commits/**/status", &[(".state", &["pending"])], &[]),
    ("/repos/*/*/commits/**/statuses", &[("[].state", &["pending"]), ("", NONE_YET)], &[]),
    ("/repos/*/*/statuses/**", &[("[].state", &["pending"]), ("", NONE_YET)], &[]),
    ("/repos/*/*/deployments/*/statuses", &[("[0].state", RUNNING), ("", NONE_YET)], &[]),
    // One status of a deployment never changes.
    ("/repos/*/*/deployments/*/statuses/*", &[], &[]),
    // Pages.
    ("/repos/*/*/pages", &[(".status", BUILDING), (".https_certificate.state", CERTIFYING)], &[]),
    ("/repos/*/*/pages/builds", &[("[].status", BUILDING)], &[]),
    ("/repos/*/*/pages/builds/*", &[(".status", BUILDING)], &[]),
    ("/repos/*/*/pages/deployments/*", &[(".status", DEPLOYING_PAGES)], &[]),
    // Code scanning and security.
    ("/repos/*/*/code-scanning/sarifs/*", &[(".processing_status", &["pending"])], &[]),
    ("/repos/*/*/code-scanning/alerts/*/autofix", &[(".status", &["pending"])], &[]),
    ("/repos/*/*/code-security-configuration", &[(".status", ATTACHING)], &[]),
    ("/orgs/*/code-security/configurations/*/repositories", &[("[].status", ATTACHING)], &[]),
    ("/enterprises/*/code-security/configurations/*/repositories", &[("[].status", ATTACHING)], &[]),
    ("/repos/*/*/secret-scanning/scan-history", &[
        (".incremental_scans[].status", SCANNING),
        (".pattern_update_scans[].status", SCANNING),
        (".backfill_scans[].status", SCANNING),
        (".custom_pattern_backfill_scans[].status", SCANNING),
        (".generic_secrets_backfill_scans[].status", SCANNING),
    ], &[]),
    // Moves and imports.
    ("/orgs/*/migrations", &[("[].state", MOVING)], &[]),
    ("/orgs/*/migrations/*", &[(".state", MOVING)], &[]),
    ("/user/migrations", &[("[].state", MOVING)], &[]),
    ("/user/migrations/*", &[(".state", MOVING)], &[]),
    ("/repos/*/*/import", &[(".status", IMPORTING)], &[]),
    // Agents.
    ("/agents/repos/*/*/tasks", &[(".tasks[].state", RUNNING)], &[]),
    ("/agents/tasks", &[(".tasks[].state", RUNNING)], &[]),
    ("/agents/repos/*/*/tasks/*", &[(".state", RUNNING), (".sessions[].state", RUNNING)], &[]),
    ("/agents/tasks/*", &[(".state", RUNNING), (".sessions[].state", RUNNING)], &[]),
    // Artifacts' records.
    ("/orgs/*/artifacts/metadata/deployment-record/cluster/*/jobs/*", &[(".status", &["pending", "processing"])], &[]),
    // Files that are still being uploaded to a release.
    ("/repos/*/*/releases", &[("[].assets[].state", UPLOADING)], &[]),
    ("/repos/*/*/releases/*/assets", &[("[].state", UPLOADING)], &[]),
    ("/repos/*/*/releases/**", &[(".assets[].state", UPLOADING)], &[]),
    // A search that ran out of time.
    ("/search/**", &[(".incomplete_results", &["true"])], &[]),
    // What waits for a person, often for days.
    ("/orgs/*/memberships/*", &[], &[]),
    ("/orgs/*/teams/*/memberships/*", &[], &[]),
    ("/repos/*/*/issues/*/suggestions", &[], &[]),
    ("/teams/*/memberships/*", &[], &[]),
    ("/user/memberships/orgs**", &[], &[]),
];

const ATTACHING: &[&str] = &["attaching", "updating"];
const BUILDING: &[&str] = &["building", "queued"];
const CERTIFYING: &[&str] = &[
    "authorization_created",
    "authorization_pending",
    "authorized",
    "destroy_pending",
    "issued",
    "new",
    "uploaded",
];
const DEPLOYING_PAGES: &[&str] = &[
    "deployment_in_progress",
    "finished_file_sync",
    "purging_cdn",
    "queued",
    "syncing_files",
    "updating_pages",
];
const HOSTED: &[&str] = &["deleting", "generating", "importing", "pending", "provisioning", "queued"];
const IMPORTING: &[&str] =
    &["detecting", "importing", "mapping", "pushing", "setup", "unknown", "waiting_to_push"];
const MOVING: &[&str] = &["exporting", "importing", "pending", "queued"];
const RUNNING: &[&str] = &["in_progress", "pending", "queued", "requested", "waiting"];
/// A list that is filled a moment after the push, or the event, whose end the client waits to see.
const NONE_YET: &[&str] = &[EMPTY];
const SCANNING: &[&str] = &["in_progress", "pending", "queued", "running"];
const UPLOADING: &[&str] = &["open", "starter"];

/// Words that mean "under way", in the states of routes that are not in the table.
const WORDS: &[&str] = &[
    "attaching",
    "building",
    "cancelling",
    "configuring",
    "creating",
    "deleting",
    "deploying",
    "enqueued",
    "exporting",
    "finalizing",
    "generating",
    "importing",
    "initializing",
    "installing",
    "loading",
    "migrating",
    "pending",
    "preparing",
    "processing",
    "provisioning",
    "queued",
    "rebuilding",
    "removing",
    "requested",
    "restoring",
    "running",
    "scanning",
    "scheduled",
    "shuttingdown",
    "starting",
    "stopping",
    "syncing",
    "transferring",
    "updating",
    "uploading",
    "validating",
    "verifying",
    "waiting",
];

/// The table, for the page on routes.
#[cfg(test)]
pub(crate) fn rows() -> String {
    let signs = |signs: &[Sign]| {
        let told = |(place, values): &Sign| {
            let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
            let place = if place.is_empty() { "all of it".to_owned() } else { format!("`{place}`") };
            format!("{place} {}", values.join(", "))
        };
        signs.iter().map(told).collect::<Vec<_>>().join("; ")
    };
    let mut page = String::from("| route | says \"ask again\" by |\n|---|---|\n");
    for (route, unsettled, settled) in TABLE {
        let unless =
            if settled.is_empty() { String::new() } else { format!("; but not with {}", signs(settled)) };
        page.push_str(&format!("| `{route}` | {}{unless} |\n", signs(unsettled)));
    }
    page
}
