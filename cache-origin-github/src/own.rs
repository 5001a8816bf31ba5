//! Answers that depend on the asker, and not only on what it may read: lists of its own, what it has starred, what
//! an application is told of itself.
//!
//! Each credential has such an answer of its own, whatever domain an operator puts it in. It is not lent, and nobody
//! asks in another's place. Fields that tell of the asker's rights, such as a repository's `permissions`, are no
//! matter of these tables: what one credential was given is compared with what the next is given anyway.

/// What an answer is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Subject {
    /// The application whose key signed the request. To a valid credential of another kind the origin says the same as
    /// to one that it does not know.
    Application,
    /// The account behind the credential.
    Account,
}

use Subject::{Account, Application};

/// For each first segment of a path: how many names follow it, and what is below them is about. The first pattern
/// that fits counts: `*` stands for a segment, `**` for any number of them.
type Root = (&'static str, usize, &'static [(&'static str, Subject)]);

const ROOTS: &[Root] = &[
    ("repos", 2, OF_REPOSITORY),
    ("repositories", 1, OF_REPOSITORY),
    ("agents", 0, &[("**", Account)]),
    ("app", 0, &[("**", Application)]),
    ("applications", 0, &[("**", Application)]),
    ("authorizations", 0, &[("**", Account)]),
    ("classrooms", 0, &[("", Account)]),
    ("enterprises", 1, &[("installation", Application)]),
    ("feeds", 0, &[("", Account)]),
    ("gists", 0, &[("", Account), ("starred", Account), ("*/star", Account)]),
    ("installation", 0, &[("**", Account)]),
    ("issues", 0, &[("**", Account)]),
    ("marketplace_listing", 0, &[("**", Application)]),
    ("notifications", 0, &[("**", Account)]),
    ("organizations", 1, OF_ORGANIZATION),
    ("orgs", 1, OF_ORGANIZATION),
    ("rate_limit", 0, &[("", Account)]),
    ("user", 0, &[("**", Account)]),
    ("users", 1, OF_USER),
];

const OF_REPOSITORY: &[(&str, Subject)] = &[
    ("codespaces/**", Account),
    ("installation", Application),
    ("notifications", Account),
    ("subscription", Account),
];

const OF_ORGANIZATION: &[(&str, Subject)] = &[("installation", Application), ("issues", Account)];

/// A user's own events are shown to that user alone; what is private of them is not in `public`.
const OF_USER: &[(&str, Subject)] = &[
    ("events", Account),
    ("events/orgs/*", Account),
    ("hovercard", Account),
    ("installation", Application),
    ("received_events", Account),
];

/// Whether the answer under `target`, a path with or without a query in normal form, is about the credential that asks.
pub(crate) fn concerns_the_credential(target: &str) -> bool {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    subject(path).is_some() || names_the_asker(query)
}

/// Whether the answer under `path` is for applications alone.
pub(crate) fn is_of_applications(path: &str) -> bool {
    subject(path) == Some(Application)
}

/// Capitals make no difference, lest an origin takes one spelling for the other.
fn subject(path: &str) -> Option<Subject> {
    let mut segments = path.trim_end_matches('/').split('/').skip(1);
    let first = segments.next()?;
    let (root, names, patterns) = *ROOTS.iter().find(|(root, ..)| first.eq_ignore_ascii_case(root))?;
    let mut below = segments.clone();
    for _name in 0..names {
        below.next()?;
    }
    // `/user/17` is the user with this number, and anybody's.
    let number = segments.next().filter(|_| root == "user").filter(|segment| is_number(segment));
    let (below, patterns) = if number.is_some() { (segments, OF_USER) } else { (below, patterns) };
    patterns.iter().find(|(pattern, _)| fits(pattern, below.clone())).map(|(_, subject)| *subject)
}

fn fits<'a>(pattern: &str, mut segments: impl Iterator<Item = &'a str>) -> bool {
    for piece in pattern.split('/').filter(|piece| !piece.is_empty()) {
        if piece == "**" {
            return true;
        }
        let Some(segment) = segments.next() else { return false };
        if piece != "*" && !segment.eq_ignore_ascii_case(piece) {
            return false;
        }
    }
    segments.next().is_none()
}

fn is_number(segment: &str) -> bool {
    !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether `query`, in normal form, names the asker, as `author:@me` does in a search.
fn names_the_asker(query: &str) -> bool {
    query.match_indices('@').any(|(at, _)| {
        let mut behind = query[at + 1..].bytes();
        let is_me = [behind.next(), behind.next()].map(|byte| byte.map(|byte| byte.to_ascii_lowercase()))
            == [Some(b'm'), Some(b'e')];
        // A longer name is an account's.
        is_me && behind.next().is_none_or(|next| !(next.is_ascii_alphanumeric() || b"-_".contains(&next)))
    })
}

/// The patterns of the tables as paths, for the page on routes.
#[cfg(test)]
pub(crate) fn patterns() -> impl Iterator<Item = String> {
    ROOTS.iter().flat_map(|(root, names, patterns)| {
        patterns.iter().map(move |(pattern, _)| {
            let path = format!("/{root}{}/{pattern}", "/*".repeat(*names));
            path.trim_end_matches('/').to_owned()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical;

    /// As a request with `query` is judged.
    fn is_own(path: &str, query: &str) -> bool {
        let mut target = path.to_owned();
        canonical::write_query(&mut target, query).unwrap();
        concerns_the_credential(&target)
    }

    #[test]
    fn what_depends_on_the_asker_is_told_by_its_path_whatever_the_capitals() {
        let yes = [
            "/user",
            "/USER",
            "/User/Repos",
            "/user/",
            "/user/keys/17",
            "/issues",
            "/orgs/o/issues",
            "/organizations/17/issues",
            "/gists",
            "/gists/starred",
            "/gists/abc/star",
            "/users/me/events",
            "/users/me/events/orgs/o",
            "/users/me/received_events",
            "/user/17/events",
            "/users/u/hovercard",
            "/repos/o/r/subscription",
            "/repositories/17/subscription",
            "/repos/o/r/notifications",
            "/repos/o/r/codespaces/machines",
            "/notifications/threads/1",
            "/installation/repositories",
            "/agents/tasks",
            "/classrooms",
            "/rate_limit",
        ];
        let no = [
            "",
            "/",
            "/userx",
            "/user/17",
            "/user/17/repos",
            "/user/17/events/public",
            "/users/me",
            "/users/me/events/public",
            "/users/me/received_events/public",
            "/users/user",
            "/gists/public",
            "/gists/abc",
            "/gists/abc/stars",
            "/orgs/o",
            "/orgs/issues",
            "/orgs/o/repos",
            "/repos/o/r",
            "/repos/o/r/issues",
            "/repos/o/subscription",
            "/repos/o/r/contents/subscription",
            "/repos/user/issues/contents/user",
            "/classrooms/1",
            "/search/issues",
        ];
        for (path, expected) in yes.map(|path| (path, true)).into_iter().chain(no.map(|path| (path, false))) {
            assert_eq!(concerns_the_credential(path), expected, "{path}");
            assert!(!is_of_applications(path), "{path}");
        }
    }

    #[test]
    fn what_is_for_applications_alone_concerns_the_credential() {
        let yes = [
            "/app",
            "/app/installations",
            "/applications/x/token",
            "/enterprises/e/installation",
            "/marketplace_listing/plans",
            "/organizations/17/installation",
            "/orgs/o/installation",
            "/repos/o/r/installation",
            "/repos/o/r/installation/",
            "/repositories/17/installation",
            "/users/u/installation",
        ];
        let no = [
            "/apps/dependabot",
            "/orgs/o/installations",
            "/repos/o/installation",
            "/repos/o/r/contents/installation",
            "/repos/o/r/git/ref/heads/installation",
            "/repositories/17/contents/installation",
            "/users/installation",
            "",
        ];
        for (path, expected) in yes.map(|path| (path, true)).into_iter().chain(no.map(|path| (path, false))) {
            assert_eq!(is_of_applications(path), expected, "{path}");
            assert_eq!(concerns_the_credential(path), expected, "{path}");
        }
    }

    #[test]
    fn a_query_that_names_the_asker_is_told_in_any_spelling() {
        for query in
            ["q=author:@me", "q=author%3A%40me+is%3Aopen", "q=%40%6De", "q=@ME", "q=@@me", "a=1&assignee=@me"]
        {
            assert!(is_own("/search/issues", query), "{query}");
        }
        for query in ["", "q=me", "q=@m", "q=user%2540me", "q=author:@meredith", "q=@me-too"] {
            assert!(!is_own("/search/issues", query), "{query}");
        }
    }
}
