//! What a resource is a part of, as far as rights go.

use crate::own;

/// Whether only applications may ask for the resource.
pub(crate) fn is_of_applications(resource: &str) -> bool {
    let whole = path_of(resource);
    let path = whole.find('/').map_or("", |at| &whole[at..]);
    own::is_of_applications(path)
}

/// The repository that `resource` is of, or else its path, from the host on.
pub(super) fn scope_of(resource: &str) -> &str {
    let path = path_of(resource);
    let mut slashes = path.match_indices('/').map(|(at, _)| at);
    let root = slashes.next().map_or("", |at| &path[at..]);
    let below = if root.starts_with("/repos/") {
        2
    } else if root.starts_with("/repositories/") {
        1
    } else {
        return path;
    };
    // The slash behind the last segment of the repository's own name.
    slashes.nth(below).map_or(path, |end| &path[..end])
}

/// Whether `resource` is a repository itself.
pub(super) fn is_whole_repository(resource: &str) -> bool {
    let path = path_of(resource);
    let segments = path.split('/').count();
    path == scope_of(resource)
        && (path.contains("/repos/") && segments == 4 || path.contains("/repositories/") && segments == 3)
}

/// `resource` without its query and what tells representations apart.
pub(super) fn path_of(resource: &str) -> &str {
    resource.find(['?', ' ']).map_or(resource, |end| &resource[..end])
}

/// `resource` without what tells representations apart.
pub(super) fn without_form(resource: &str) -> &str {
    resource.find(' ').map_or(resource, |end| &resource[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_routes_are_for_applications_alone() {
        let table = [
            ("h/app json", true),
            ("h/app/installations?page=2 json", true),
            ("h/applications/x/token json", true),
            ("h/apps/dependabot json", false),
            ("h/marketplace_listing/plans json", true),
            ("h/orgs/o/installation json", true),
            ("h/orgs/o/installations json", false),
            ("h/repos/o/r/installation json", true),
            ("h/repos/o/installation-x json", false),
            ("h/user/installations json", false),
            ("h json", false),
        ];
        for (resource, expected) in table {
            assert_eq!(is_of_applications(resource), expected, "{resource}");
        }
    }

    #[test]
    fn a_resource_belongs_to_its_repository_or_to_itself() {
        let table = [
            ("h/repos/o/r json", "h/repos/o/r"),
            ("h/repos/o/r/issues?page=2 json", "h/repos/o/r"),
            ("h/repos/o/r?a=1 json", "h/repos/o/r"),
            ("h/repos/o json", "h/repos/o"),
            ("h/repositories/7/issues json", "h/repositories/7"),
            ("h/repositories/7 json", "h/repositories/7"),
            ("h/repositories json", "h/repositories"),
            ("h/orgs/o/repos?type=all json", "h/orgs/o/repos"),
            ("h json", "h"),
        ];
        for (resource, scope) in table {
            assert_eq!(scope_of(resource), scope, "{resource}");
        }
    }
}
