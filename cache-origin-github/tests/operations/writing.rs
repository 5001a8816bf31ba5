//! What each write of the description touches, held to what the review demands.

use crate::description::{Operation, READABLE, Touched, sample, touched, writes};
use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

/// What is filed for `read`, with and without a query.
fn resources(read: &str) -> [String; 2] {
    [format!("{read} json"), format!("{read}?page=2 json")]
}

fn touches(method: &str, path: &str, read: &str) -> bool {
    let touched = touched(method, path);
    resources(read).iter().all(|resource| touched.covers(resource))
}

/// What forgets nothing, since it changes nothing that can be read or is kept.
const SILENT_BELOW: &[&str] = &[
    "/app-manifests",
    "/applications",
    "/authorizations",
    "/credentials",
    "/installation/token",
    "/markdown",
];
const SILENT_ACTS: &[&str] = &[
    "/access_tokens",
    "/attestations/bulk-list",
    "/releases/generate-notes",
    "/runners/registration-token",
    "/runners/remove-token",
];

fn is_silent(Operation { template, .. }: Operation) -> bool {
    SILENT_BELOW.iter().any(|root| template.starts_with(root))
        || SILENT_ACTS.iter().any(|act| template.ends_with(act))
}

#[test]
fn every_write_touches_its_resource_and_what_that_belongs_to() {
    let mut faults = Vec::new();
    for operation @ Operation { method, template } in writes() {
        let path = sample(template);
        if is_silent(operation) {
            assert_eq!(touched(method, &path), Touched::default(), "{method} {template}");
            continue;
        }
        // Itself, and the nearest above it that can be read: a thing's collection, an act's thing.
        let ends = template.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
        let above = ends.map(|at| &template[..at]).rfind(|above| READABLE.contains(above));
        let above = above.filter(|above| !ROOTS.contains(above));
        let own = READABLE.get(template).copied();
        for read in own.into_iter().chain(above) {
            if !touches(method, &path, &sample(read)) && !MEANS_ANOTHER.contains(&(method, template)) {
                faults.push(format!("{method} {template} leaves {read}"));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// What all else belongs to, and a write may leave as it is.
const ROOTS: &[&str] = &["/organizations", "/orgs/{org}", "/repos/{owner}/{repo}", "/users"];
/// Writes whose path lies below something that they do not change.
const MEANS_ANOTHER: &[(&str, &str)] = &[("POST", "/repos/{owner}/{repo}/pulls/{pull_number}/codespaces")];

/// Writes, and what else than their own family they change.
#[rustfmt::skip]
const RELATED: &[(&str, &str, &[&str])] = &[
    ("PUT", "/repos/o/r/pulls/1/merge", &[
        "/repos/o/r", "/repos/o/r/readme", "/repos/o/r/license", "/repos/o/r/languages", "/repos/o/r/contents/a/b",
        "/repos/o/r/commits/main", "/repos/o/r/commits/main/status", "/repos/o/r/branches/main", "/repos/o/r/compare/a...b",
        "/repos/o/r/git/ref/heads/main", "/repos/o/r/git/trees/main", "/repos/o/r/issues/7", "/repos/o/r/milestones",
        "/repos/o/r/tags", "/repos/o/r/stats/contributors", "/repos/o/r/contributors", "/repos/o/r/community/profile",
        "/repos/o/r/actions/runs", "/repos/o/r/pages", "/repositories/17/commits", "/orgs/o/repos", "/user/repos",
    ]),
    ("POST", "/repos/o/r/issues/1/sub_issues", &["/repos/other/s/issues/7/parent"]),
    ("DELETE", "/repos/o/r/issues/1/dependencies/blocked_by/7", &["/repos/other/s/issues/7/dependencies/blocking"]),
    ("PUT", "/repos/o/r/contents/a", &["/repos/o/r/readme", "/repos/o/r/commits", "/repos/o/r/pulls/1"]),
    ("PATCH", "/repos/o/r/git/refs/heads/a/b", &["/repos/o/r/branches/a/b", "/repos/o/r/releases", "/repos/o/r/commits/a/b"]),
    ("POST", "/repos/o/r/merges", &["/repos/o/r/branches", "/repos/o/r/readme"]),
    ("POST", "/repos/o/r/merge-upstream", &["/repos/o/r/commits", "/repos/o/r/languages"]),
    ("POST", "/repos/o/r/branches/a/b/rename", &["/repos/o/r/branches", "/repos/o/r/pulls", "/repos/o/r/git/ref/heads/a/b"]),
    ("PUT", "/repos/o/r/branches/a/b/protection", &["/repos/o/r/branches/a/b", "/repos/o/r/rules/branches/a/b", "/repos/o/r/pulls/1"]),
    ("PUT", "/repos/o/r/rulesets/1", &["/repos/o/r/rules/branches/main", "/repos/o/r/branches/main"]),
    ("PATCH", "/repos/o/r/issues/1", &[
        "/issues", "/user/issues", "/orgs/o/issues", "/repos/o/r", "/repos/o/r/pulls/1", "/repos/o/r/milestones/1",
        "/repos/o/r/labels", "/repositories/17/issues",
    ]),
    ("PATCH", "/repos/o/r/labels/bug", &["/repos/o/r/issues", "/repos/o/r/pulls"]),
    ("DELETE", "/repos/o/r/milestones/1", &["/repos/o/r/issues/1"]),
    ("POST", "/repos/o/r/pulls", &["/repos/o/r/commits/abc/pulls", "/repos/o/r/issues", "/repos/o/r"]),
    ("POST", "/repos/o/r/statuses/abc", &[
        "/repos/o/r/commits/abc/status", "/repos/o/r/commits/a/b/statuses", "/repos/o/r/statuses/main", "/repos/o/r/pulls/1",
    ]),
    ("PATCH", "/repos/o/r/check-runs/1", &["/repos/o/r/commits/abc/check-runs", "/repos/o/r/check-suites/1"]),
    ("POST", "/repos/o/r/actions/runs/1/rerun", &["/repos/o/r/commits/abc/check-runs", "/repos/o/r/actions/jobs/1"]),
    ("POST", "/repos/o/r/deployments/1/statuses", &["/repos/o/r/deployments", "/repos/o/r/environments"]),
    ("POST", "/repos/o/r/releases", &["/repos/o/r/releases/latest", "/repos/o/r/releases/tags/v1", "/repos/o/r/tags"]),
    ("POST", "/api/uploads/repos/o/r/releases/1/assets", &["/repos/o/r/releases/1", "/repos/o/r/releases"]),
    ("DELETE", "/repos/Acme/Site", &[
        "/repos/acme/site/issues", "/orgs/acme/repos", "/users/acme/repos", "/user/repos", "/installation/repositories",
        "/orgs/acme/teams/t/repos", "/user/starred", "/users/me/starred", "/repos/other/parent/forks", "/user/17/repos",
        "/organizations/17/repos", "/orgs/acme",
    ]),
    ("PATCH", "/repos/o/r", &["/repos/o/r/branches", "/user/repos", "/orgs/o/repos", "/users/o/repos", "/user/subscriptions"]),
    ("POST", "/repos/o/r/transfer", &["/repos/o/r/issues", "/orgs/new/repos", "/users/new/repos", "/users/o/repos"]),
    ("POST", "/repos/o/r/forks", &["/repos/o/r", "/user/repos", "/users/me/repos", "/orgs/mine/repos", "/user/17/repos"]),
    ("POST", "/repos/t/t/generate", &["/user/repos", "/orgs/mine/repos", "/users/me/repos"]),
    ("POST", "/orgs/Acme/repos", &["/orgs/acme/repos", "/orgs/acme", "/user/repos", "/organizations/17/repos"]),
    ("POST", "/user/repos", &["/users/me/repos", "/user/17/repos", "/installation/repositories"]),
    ("PUT", "/repos/o/r/topics", &["/repos/o/r", "/user/repos"]),
    ("PUT", "/repos/o/r/collaborators/me", &[
        "/repos/o/r/collaborators/me/permission", "/repos/o/r/invitations", "/repos/o/r/assignees", "/user/repository_invitations",
    ]),
    ("PATCH", "/user/repository_invitations/1", &["/user/repos", "/repos/o/r", "/repos/o/r/collaborators"]),
    ("PUT", "/orgs/o/teams/t/repos/o/r", &["/repos/o/r/teams", "/repos/o/r/collaborators/u/permission", "/teams/1/repos"]),
    ("PUT", "/teams/1/repos/o/r", &["/repos/o/r/teams", "/orgs/o/teams/t/repos"]),
    ("PUT", "/orgs/o/teams/t/memberships/me", &[
        "/orgs/o/members", "/user/teams", "/user/orgs", "/teams/1/members", "/repos/o/r/collaborators", "/users/me/orgs",
    ]),
    ("DELETE", "/orgs/o/teams/t", &["/orgs/o/teams", "/repos/o/r/teams", "/user/teams"]),
    ("DELETE", "/orgs/O/members/Me", &["/orgs/o/members/me", "/orgs/o/memberships/me", "/orgs/o/teams/t/members"]),
    ("PUT", "/orgs/o/rulesets/1", &["/repos/o/r/rules/branches/main", "/repos/o/r/rulesets"]),
    ("PUT", "/orgs/o/actions/secrets/s/repositories/1", &["/repos/o/r/actions/organization-secrets"]),
    ("PATCH", "/orgs/o/properties/values", &["/repos/o/r/properties/values"]),
    ("PUT", "/repos/o/r/notifications", &["/notifications"]),
    ("PATCH", "/notifications/threads/1", &["/notifications", "/notifications/threads/1/subscription"]),
    ("PUT", "/repos/o/r/subscription", &["/user/subscriptions", "/users/me/subscriptions", "/repos/o/r/subscribers", "/repos/o/r"]),
    ("PUT", "/user/starred/O/R", &["/repos/o/r", "/repos/o/r/stargazers", "/users/me/starred", "/user/starred/o/r"]),
    ("PUT", "/user/following/Other", &["/users/other/followers", "/users/other", "/users/me/following", "/user"]),
    ("PUT", "/user/installations/1/repositories/2", &["/installation/repositories", "/repos/o/r/installation"]),
    ("DELETE", "/app/installations/1", &["/user/installations", "/orgs/o/installation", "/installation/repositories"]),
    ("POST", "/gists", &["/gists/public", "/gists/starred", "/users/me/gists", "/user/17/gists"]),
    ("PATCH", "/user", &["/user", "/users/me"]),
    ("POST", "/user/keys", &["/users/me/keys"]),
    ("PATCH", "/user/email/visibility", &["/user/emails", "/user/public_emails"]),
    ("PATCH", "/user/memberships/orgs/o", &["/orgs/o/members", "/user/orgs"]),
    ("PATCH", "/repos/o/r/code-scanning/alerts/1", &["/orgs/o/code-scanning/alerts"]),
    ("PATCH", "/repos/o/r/dependabot/alerts/1", &["/orgs/o/dependabot/alerts", "/enterprises/e/dependabot/alerts"]),
    ("DELETE", "/orgs/o/packages/npm/p", &["/users/o/packages", "/user/packages"]),
    ("POST", "/repositories/17/issues", &[
        "/repositories/17/issues", "/repositories/17", "/repos/o/r/issues", "/repos/o/r", "/orgs/o/issues",
    ]),
    ("PUT", "/repositories/17/pulls/1/merge", &["/repositories/17/readme", "/repos/o/r/readme"]),
    ("PUT", "/organizations/17/settings/billing/budgets", &["/organizations/17/settings/billing/budgets"]),
    // A write that was not reviewed touches all that it may belong to.
    ("POST", "/repos/o/r/invention", &["/repos/o/r/issues/1", "/repos/o/r", "/user/repos"]),
    ("POST", "/orgs/o/invention/1", &["/orgs/o/members", "/orgs/o"]),
    ("POST", "/invention/1", &["/invention/2"]),
    ("POST", "/a/%2e%2e/repos/o/r", &["/repos/o/r"]),
];

#[test]
fn a_write_touches_what_shows_its_change_under_another_path() {
    for (method, path, related) in RELATED {
        for read in *related {
            assert!(touches(method, path, read), "{method} {path} leaves {read}");
        }
    }
}

#[test]
fn what_the_path_of_a_write_does_not_tell_is_doubted_and_not_forgotten() {
    for (method, path, forgotten, doubted) in [
        (
            "POST",
            "/repositories/17/issues",
            &["/repositories/17/issues", "/user/issues"][..],
            &["/repos/o/r/issues"][..],
        ),
        (
            "DELETE",
            "/repositories/17",
            &["/repositories/17/pulls", "/user/repos"],
            &["/repos/o/r", "/orgs/o/repos"],
        ),
        (
            "POST",
            "/repos/o/r/issues",
            &["/repos/o/r/issues"],
            &["/repositories/17/issues", "/repositories/18"],
        ),
        ("POST", "/repos/o/r/forks", &["/repos/o/r/forks"], &["/users/me/repos", "/orgs/mine/repos"]),
        (
            "PUT",
            "/user/starred/o/r",
            &["/repos/o/r", "/user/starred"],
            &["/users/me/starred", "/user/17/starred"],
        ),
        (
            "PUT",
            "/orgs/o/rulesets/1",
            &["/orgs/o/rulesets"],
            &["/repos/o/r/rulesets", "/organizations/17/rulesets"],
        ),
        ("DELETE", "/repos/o/r", &["/repos/o/r/issues", "/orgs/o/repos"], &["/repos/a/parent/forks"]),
        ("POST", "/a/%2e%2e/repos/o/r", &[], &["/repos/o/r", "/zen"]),
    ] {
        let touched = touched(method, path);
        for resource in forgotten.iter().flat_map(|read| resources(read)) {
            assert!(touched.forgets(&resource), "{method} {path} does not forget {resource}");
        }
        for resource in doubted.iter().flat_map(|read| resources(read)) {
            assert!(!touched.forgets(&resource), "{method} {path} forgets {resource}");
            assert!(touched.covers(&resource), "{method} {path} leaves {resource}");
        }
    }
}

#[test]
fn a_write_leaves_what_it_does_not_change() {
    for (method, path, others) in [
        (
            "POST",
            "/repos/o/r/issues",
            &["/repos/o/r2/issues", "/repos/o/r2", "/repos/o/r/actions/runs", "/user"][..],
        ),
        ("POST", "/repos/o/r/check-runs", &["/repos/o/r/contents/a", "/repos/o/r", "/repos/o/r/issues"]),
        (
            "POST",
            "/repos/o/r/actions/runners/registration-token",
            &["/repos/o/r/actions/runners", "/repos/o/r"],
        ),
        (
            "POST",
            "/orgs/o/actions/runners/generate-jitconfig",
            &["/orgs/o/actions/secrets", "/orgs/o", "/repos/o/r"],
        ),
        (
            "POST",
            "/repos/o/r/actions/runners/generate-jitconfig",
            &["/repos/o/r/actions/runs", "/repos/o/r/commits"],
        ),
        ("PUT", "/repos/o/r/actions/secrets/s", &["/repos/o/r/actions/runs", "/repos/o/r"]),
        ("POST", "/repos/o/r/git/blobs", &["/repos/o/r/branches", "/repos/o/r/commits", "/repos/o/r"]),
        ("POST", "/repos/o/r/hooks/1/pings", &["/repos/o/r", "/repos/o/r/issues"]),
        ("POST", "/gists/1/comments", &["/repos/o/r", "/orgs/o", "/user/repos"]),
        ("POST", "/repos/o/r/issues/1/comments", &["/user/repos", "/repos/o/r/readme"]),
        ("PUT", "/user/starred/o/r", &["/repos/o/r/issues", "/user"]),
        ("GET", "/repos/o/r", &["/repos/o/r"]),
        ("POST", "/graphql", &["/graphql", "/repos/o/r"]),
        ("POST", "/markdown", &["/markdown", "/repos/o/r"]),
    ] {
        for other in others {
            assert!(!touches(method, path, other), "{method} {path} touches {other}");
        }
    }
}

#[test]
fn what_every_write_touches_is_as_it_was_reviewed() {
    let mut alike: BTreeMap<Touched, Vec<Operation>> = BTreeMap::new();
    for operation in writes() {
        let touched = touched(operation.method, &sample(operation.template));
        alike.entry(touched).or_default().push(operation);
    }
    let mut text = String::from(HEAD);
    for (touched, operations) in alike {
        text.push('\n');
        for Operation { method, template } in operations {
            writeln!(text, "{method} {template}").unwrap();
        }
        for begin in touched.forgotten {
            writeln!(text, "    forgets {}", begin.replace(' ', " (itself)")).unwrap();
        }
        for begin in touched.doubted {
            writeln!(text, "    doubts {begin}").unwrap();
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/operations/writes.txt");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, &text).unwrap();
    }
    let reviewed = fs::read_to_string(&file).unwrap();
    let differing = reviewed.lines().zip(text.lines()).find(|(reviewed, now)| reviewed != now);
    assert!(
        reviewed == text,
        "writes.txt differs at {differing:?}; bless it with BLESS=1 and review the difference"
    );
}

const HEAD: &str = "\
# What each write of GitHub's API makes a node forget, and doubt, because its path does not tell whether it is meant.
# Paths begin so, where `?` and ` (itself)` mean the very path.
# Made by `BLESS=1 cargo test -p cache-origin-github --test operations` from `src/touch/table.rs`.
";
