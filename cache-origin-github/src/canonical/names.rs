//! Where the names of accounts and repositories stand in a path.
//!
//! GitHub does not tell their cases apart, so all that differ in it are one name. The rest of a path is left alone:
//! branches, files, labels and environments may differ in their case alone.

/// Which segments of a path are names of accounts and repositories.
///
/// Fed with a path's segments in their order. The test `every_operation…` compares it with all paths of GitHub's
/// description.
#[derive(Default)]
pub(super) struct Names {
    root: Root,
    /// How many of the segments to come are names.
    ahead: u8,
}

#[derive(Clone, Copy, Default)]
enum Root {
    /// `/agents/repos/{owner}/{repo}`.
    Agents,
    /// `/enterprises/{enterprise}`.
    Enterprises,
    #[default]
    Other,
    /// `/organizations/{id}` and `/orgs/{org}`.
    Orgs,
    /// `/repositories/{id}`: a segment less than below `/repos`.
    Repositories,
    /// `/repos/{owner}/{repo}`.
    Repos,
    /// `/scim/v2/organizations/{org}`.
    Scim,
    /// `/teams/{team_id}`.
    Teams,
    /// `/user`: the account of the credential, or `/user/{id}`.
    User,
    /// `/users/{username}`.
    Users,
}

impl Names {
    /// Whether `segment`, the one at `index`, is a name.
    #[inline]
    pub(super) fn is_name(&mut self, index: usize, segment: &str) -> bool {
        if index == 1 {
            (self.root, self.ahead) = root(segment);
            return false;
        }
        if self.ahead > 0 {
            self.ahead -= 1;
            return true;
        }
        self.ahead = names_behind(self.root, index, segment);
        false
    }
}

/// What `segment`, the first of a path, begins, and how many names follow it.
fn root(segment: &str) -> (Root, u8) {
    // By far the most frequent.
    if segment == "repos" {
        return (Root::Repos, 2);
    }
    match segment {
        "agents" => (Root::Agents, 0),
        "enterprises" => (Root::Enterprises, 1),
        "networks" => (Root::Other, 2),
        "organizations" | "orgs" => (Root::Orgs, 1),
        "repositories" => (Root::Repositories, 0),
        "scim" => (Root::Scim, 0),
        "teams" => (Root::Teams, 0),
        "user" => (Root::User, 0),
        "users" => (Root::Users, 1),
        _other => (Root::Other, 0),
    }
}

/// How many segments behind `segment`, the one at `index` of a path below `root`, are names.
#[inline]
fn names_behind(root: Root, index: usize, segment: &str) -> u8 {
    // The place decides nearly always; texts are compared where a name can follow alone.
    match (root, index) {
        (Root::Repos, 4) | (Root::Repositories, 3) => one(matches!(segment, "assignees" | "collaborators")),
        (Root::Repos, 6) | (Root::Repositories, 5) => one(segment == "assignees"),
        (Root::Repos, 8) | (Root::Repositories, 7) => two(segment == "repos"),
        (Root::Agents, 2) => two(segment == "repos"),
        (Root::Enterprises, 3) => one(segment == "members"),
        (Root::Enterprises, 4) => one(matches!(segment, "installable_organizations" | "organizations")),
        (Root::Enterprises, 5) => one(matches!(segment, "memberships" | "organizations")),
        (Root::Orgs, 3) => one(matches!(
            segment,
            "blocks" | "members" | "memberships" | "outside_collaborators" | "public_members"
        )),
        (Root::Orgs, 4) => one(segment == "users"),
        (Root::Orgs, 5) if segment == "repos" => 2,
        (Root::Orgs, 5) => one(segment == "memberships"),
        (Root::Scim, 3) => one(matches!(segment, "enterprises" | "organizations")),
        (Root::Teams, 3) if segment == "repos" => 2,
        (Root::Teams, 3) => one(matches!(segment, "members" | "memberships")),
        (Root::User, 2) if segment == "starred" => 2,
        (Root::User, 2) => one(matches!(segment, "blocks" | "following")),
        (Root::User, 3) => one(matches!(segment, "following" | "orgs")),
        (Root::Users, 3) => one(segment == "following"),
        (Root::Users, 4) => one(segment == "orgs"),
        _other => 0,
    }
}

fn one(is_so: bool) -> u8 {
    u8::from(is_so)
}

fn two(is_so: bool) -> u8 {
    2 * u8::from(is_so)
}
