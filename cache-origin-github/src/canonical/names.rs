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
    pub(super) fn is_name(&mut self, index: usize, segment: &str) -> bool {
        if index == 1 {
            (self.root, self.ahead) = match segment {
                "agents" => (Root::Agents, 0),
                "enterprises" => (Root::Enterprises, 1),
                "networks" => (Root::Other, 2),
                "organizations" => (Root::Orgs, 1),
                "orgs" => (Root::Orgs, 1),
                "repositories" => (Root::Repositories, 0),
                "repos" => (Root::Repos, 2),
                "scim" => (Root::Scim, 0),
                "teams" => (Root::Teams, 0),
                "user" => (Root::User, 0),
                "users" => (Root::Users, 1),
                _other => (Root::Other, 0),
            };
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

/// How many segments behind `segment`, the one at `index` of a path below `root`, are names.
fn names_behind(root: Root, index: usize, segment: &str) -> u8 {
    match (root, index, segment) {
        (Root::Agents, 2, "repos") => 2,
        (Root::Enterprises, 3, "members") => 1,
        (Root::Enterprises, 4, "installable_organizations" | "organizations") => 1,
        (Root::Enterprises, 5, "memberships" | "organizations") => 1,
        (
            Root::Orgs,
            3,
            "blocks" | "members" | "memberships" | "outside_collaborators" | "public_members",
        ) => 1,
        (Root::Orgs, 4, "users") => 1,
        (Root::Orgs, 5, "memberships") => 1,
        (Root::Orgs, 5, "repos") => 2,
        (Root::Repos, 4, "assignees" | "collaborators") => 1,
        (Root::Repos, 6, "assignees") => 1,
        (Root::Repos, 8, "repos") => 2,
        (Root::Repositories, 3, "assignees" | "collaborators") => 1,
        (Root::Repositories, 5, "assignees") => 1,
        (Root::Repositories, 7, "repos") => 2,
        (Root::Scim, 3, "enterprises" | "organizations") => 1,
        (Root::Teams, 3, "members" | "memberships") => 1,
        (Root::Teams, 3, "repos") => 2,
        (Root::User, 2, "blocks" | "following") => 1,
        (Root::User, 2, "starred") => 2,
        (Root::User, 3, "following" | "orgs") => 1,
        (Root::Users, 3, "following") => 1,
        (Root::Users, 4, "orgs") => 1,
        _other => 0,
    }
}
