//! Which of the API's routes a request is for: `GET /repos/*/*/issues`, whatever the repository.
//!
//! The routes are those of GitHub's own description, so that a class never holds a name, and there are no more classes than
//! that has routes.

use http::Method;
use std::{fmt, sync::LazyLock};

/// A route of the API, with `*` for each parameter.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct RouteClass {
    method: u8,
    node: u16,
    /// Whether the path goes on where no route does.
    is_beyond: bool,
}

impl RouteClass {
    /// The class of a request for `path`, given from the API's root and without a query.
    pub(super) fn of(method: &Method, path: &str) -> Self {
        let method = METHODS.iter().position(|known| *known == method.as_str()).unwrap_or(METHODS.len());
        let (node, is_beyond) = ROUTES.find(path);
        Self { method: method as u8, node, is_beyond }
    }
}

impl fmt::Display for RouteClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = METHODS.get(usize::from(self.method)).unwrap_or(&"OTHER");
        let path = &*ROUTES.nodes[usize::from(self.node)].path;
        let path = if path.is_empty() && !self.is_beyond { "/" } else { path };
        write!(f, "{method} {path}{}", if self.is_beyond { "/**" } else { "" })
    }
}

/// The routes, as a tree of segments.
struct Routes {
    nodes: Vec<Node>,
    repository: u16,
    organization: u16,
    user: u16,
}

#[derive(Default)]
struct Node {
    path: Box<str>,
    /// By segment, in its order.
    words: Vec<(&'static str, u16)>,
    any: Option<u16>,
}

impl Node {
    fn below(&self, segment: &str) -> Option<u16> {
        let found = self.words.binary_search_by(|(word, _)| (*word).cmp(segment));
        found.ok().map(|at| self.words[at].1).or(self.any)
    }
}

impl Routes {
    fn read(text: &'static str) -> Self {
        let mut routes = Self { nodes: vec![Node::default()], repository: 0, organization: 0, user: 0 };
        for route in text.lines() {
            routes.add(route);
        }
        routes.repository = routes.find("/repos/*/*").0;
        routes.organization = routes.find("/orgs/*").0;
        routes.user = routes.find("/users/*").0;
        routes
    }

    fn add(&mut self, route: &'static str) {
        let mut at = 0;
        for segment in segments(route) {
            let node = &self.nodes[usize::from(at)];
            let next = self.nodes.len() as u16;
            let below = if segment == "*" {
                node.any
            } else {
                let found = node.words.iter().find(|(word, _)| *word == segment);
                found.map(|(_, below)| *below)
            };
            if let Some(below) = below {
                at = below;
                continue;
            }
            let path = format!("{}/{segment}", node.path).into();
            self.nodes.push(Node { path, ..Node::default() });
            let node = &mut self.nodes[usize::from(at)];
            if segment == "*" {
                node.any = Some(next);
            } else {
                let place = node.words.partition_point(|(word, _)| *word < segment);
                node.words.insert(place, (segment, next));
            }
            at = next;
        }
    }

    /// The node that `path` leads to, and whether it goes on from there.
    fn find(&self, path: &str) -> (u16, bool) {
        let mut rest = segments(path);
        let mut at = 0;
        let mut ahead = rest.clone();
        // GitHub links pages by numbers.
        let by_number = match (ahead.next(), ahead.next()) {
            (Some("repositories"), Some(number)) if is_number(number) => Some(self.repository),
            (Some("organizations"), Some(number)) if is_number(number) => Some(self.organization),
            (Some("user"), Some(number)) if is_number(number) => Some(self.user),
            _by_name => None,
        };
        if let Some(root) = by_number {
            (at, rest) = (root, ahead);
        }
        for segment in rest {
            let node = &self.nodes[usize::from(at)];
            match node.below(segment) {
                Some(below) => at = below,
                // A file's path or the name of a branch has slashes in it.
                None => return (at, !(node.words.is_empty() && node.path.ends_with("/*"))),
            }
        }
        (at, false)
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> + Clone {
    path.split('/').filter(|segment| !segment.is_empty())
}

fn is_number(segment: &str) -> bool {
    segment.bytes().all(|byte| byte.is_ascii_digit())
}

static ROUTES: LazyLock<Routes> = LazyLock::new(|| Routes::read(include_str!("routes.txt")));

/// The methods that the API knows; all others are one.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

#[cfg(test)]
mod tests {
    use super::*;

    fn class(path: &str) -> String {
        RouteClass::of(&Method::GET, path).to_string()
    }

    #[test]
    fn a_class_names_the_route_and_nothing_of_whom_it_is_about() {
        let rows = [
            ("/", "/"),
            ("/user", "/user"),
            ("/graphql", "/graphql"),
            ("/repos/acme/issues", "/repos/*/*"),
            ("/repos/acme/site/issues", "/repos/*/*/issues"),
            ("/repos/acme/site/issues/7", "/repos/*/*/issues/*"),
            ("/repos/acme/site/issues/comments", "/repos/*/*/issues/comments"),
            ("/repos/acme/site/contents/src/secret-plan/a.rs", "/repos/*/*/contents/*"),
            ("/repos/acme/site/commits/feature/x/status", "/repos/*/*/commits/*/**"),
            ("/repos/acme/site/compare/a...b", "/repos/*/*/compare/*"),
            ("/repos/acme/site/secret-plan/a", "/repos/*/*/**"),
            ("/repositories/17/issues", "/repos/*/*/issues"),
            ("/organizations/17/repos", "/orgs/*/repos"),
            ("/user/17/repos", "/users/*/repos"),
            ("/ghp_0123/x", "/**"),
            ("//user/", "/user"),
        ];
        for (path, expected) in rows {
            assert_eq!(class(path), format!("GET {expected}"), "{path}");
        }
        assert_eq!(RouteClass::of(&Method::PATCH, "/user").to_string(), "PATCH /user");
        let odd = Method::from_bytes(b"GHP_SECRET").unwrap();
        assert_eq!(RouteClass::of(&odd, "/user").to_string(), "OTHER /user");
    }

    #[test]
    fn every_route_is_its_own_class() {
        for route in include_str!("routes.txt").lines() {
            let path = route.replace('*', "x");
            let is_by_number = route.starts_with("/user/*");
            assert!(is_by_number || class(&path) == format!("GET {route}"), "{route} is {}", class(&path));
        }
    }
}
