//! What an unsafe request makes doubtful (RFC 9111, section 4.4).

use crate::{request::resource, selecting::VARIANT};
use cache_core::{Domain, Key, Scope};
use http::{HeaderMap, HeaderValue, Uri, header, request::Parts};

/// What is to be forgotten once the request `parts` was answered with `status` and `headers`, at an origin whose resources
/// begin with `base`: its target, and what the answer names of the same origin. Nothing if it was safe or refused.
pub(crate) fn left_by(base: &str, parts: &Parts, status: u16, headers: &HeaderMap) -> Vec<Scope> {
    if parts.method.is_safe() || !(200..400).contains(&status) {
        return Vec::new();
    }
    let named = [header::LOCATION, header::CONTENT_LOCATION];
    let named =
        named.iter().filter_map(|name| headers.get(name)).filter_map(|value| target(base, parts, value));
    let targets = std::iter::once(resource(base, &parts.uri)).chain(named);
    targets.flat_map(|resource| scopes(&resource)).collect()
}

/// Whether `headers` name the target of `parts` as the place of the content that they come with.
pub(crate) fn names_target(base: &str, parts: &Parts, headers: &HeaderMap) -> bool {
    let place = headers.get(header::CONTENT_LOCATION).and_then(|place| target(base, parts, place));
    place.is_some_and(|place| place == resource(base, &parts.uri))
}

/// A resource and all its variants.
fn scopes(resource: &str) -> [Scope; 2] {
    let variants = format!("{resource}{VARIANT}").into();
    [Scope::Key(Key::new(resource, Domain::ANONYMOUS)), Scope::Prefix { prefix: variants, domain: None }]
}

/// The resource that `value` refers to from the target of `parts`, if it is of this origin.
fn target(base: &str, parts: &Parts, value: &HeaderValue) -> Option<String> {
    let reference = value.to_str().ok()?.split('#').next()?.trim();
    let path = parts.uri.path();
    if reference.is_empty() {
        return Some(resource(base, &parts.uri));
    }
    if let Some(rest) = reference.strip_prefix("//") {
        let scheme = base.split("//").next()?;
        return target_of(base, parts, &format!("{scheme}//{rest}"));
    }
    if reference.starts_with('/') {
        return Some([base, &plain(reference)].concat());
    }
    if reference.starts_with('?') {
        return Some([base, path, reference].concat());
    }
    let first = reference.split(['/', '?']).next()?;
    if first.contains(':') {
        return target_of(base, parts, reference);
    }
    let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
    Some([base, &plain(&[folder, reference].concat())].concat())
}

/// The same for an absolute address: this origin's as it names itself, or as the client that asks names it.
fn target_of(base: &str, parts: &Parts, address: &str) -> Option<String> {
    let uri: Uri = address.parse().ok()?;
    let authority = uri.authority()?.as_str();
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let is_own = base.split("//").nth(1) == Some(authority) || host == Some(authority);
    is_own.then(|| resource(base, &uri))
}

/// `path` without the segments that lead nowhere else (RFC 3986, section 5.2.4); a query stays as it is.
fn plain(path: &str) -> String {
    let (path, query) = path.split_at(path.find('?').unwrap_or(path.len()));
    let mut segments: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(segment) = parts.next() {
        let is_last = parts.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    segments.pop();
                }
                if is_last {
                    segments.push("");
                }
            }
            other => segments.push(other),
        }
    }
    format!("/{}{query}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn left(method: &str, status: u16, fields: &[(http::HeaderName, &str)]) -> Vec<String> {
        let request = Request::builder().method(method).uri("/a/b?c").header("host", "door:1");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let headers = fields.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        let scopes = left_by("http://o", &parts, status, &headers).into_iter();
        scopes
            .filter_map(|scope| match scope {
                Scope::Key(key) => Some(key.resource().to_owned()),
                _prefix => None,
            })
            .collect()
    }

    #[test]
    fn an_unsafe_request_that_is_not_refused_ends_its_target() {
        for method in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"] {
            assert_eq!(left(method, 200, &[]), ["http://o/a/b?c"], "{method}");
            assert_eq!(left(method, 303, &[]), ["http://o/a/b?c"], "{method}");
            assert!(left(method, 500, &[]).is_empty() && left(method, 404, &[]).is_empty());
        }
        for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
            assert!(left(method, 200, &[]).is_empty(), "{method}");
        }
    }

    #[test]
    fn so_does_it_what_the_answer_names_of_the_same_origin() {
        for (reference, resource) in [
            ("/x/y", "http://o/x/y"),
            ("d", "http://o/a/d"),
            ("../d?e#f", "http://o/d?e"),
            ("./", "http://o/a/"),
            ("/x/./y/../z", "http://o/x/z"),
            ("?q", "http://o/a/b?q"),
            ("http://o/x", "http://o/x"),
            ("http://door:1/x", "http://o/x"),
            ("//door:1/x", "http://o/x"),
            ("../../../..", "http://o/"),
        ] {
            let named = left("POST", 201, &[(header::LOCATION, reference)]);
            assert_eq!(named, ["http://o/a/b?c", resource], "{reference}");
        }
        let both = [(header::LOCATION, "/x"), (header::CONTENT_LOCATION, "/y")];
        assert_eq!(left("PUT", 200, &both), ["http://o/a/b?c", "http://o/x", "http://o/y"]);
    }

    #[test]
    fn what_is_of_another_origin_is_left_alone() {
        for reference in ["http://other/x", "//other/x", "https://evil.example", "mailto:a@b", "http://"] {
            assert_eq!(
                left("POST", 201, &[(header::LOCATION, reference)]),
                ["http://o/a/b?c"],
                "{reference}"
            );
        }
    }

    #[test]
    fn variants_end_with_their_resource_and_no_other_does() {
        let request = Request::post("/a").body(()).unwrap().into_parts().0;
        let scopes = left_by("http://o", &request, 200, &HeaderMap::new());
        let covers = |resource: &str| {
            let key = Key::new(resource, Domain::ANONYMOUS);
            scopes.iter().any(|scope| scope.covers_key(&key))
        };
        assert!(covers("http://o/a") && covers("http://o/a 0123"));
        assert!(!covers("http://o/ab") && !covers("http://o/a?b") && !covers("http://o/a/b"));
    }
}
