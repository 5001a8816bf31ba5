//! Pages of lists, and when their `Link` cannot be believed.
//!
//! GitHub's entity tags cover the body alone. When a list grows past a page that was its last and is full,
//! that page's body stays the same and so does its tag, but its `Link` gains a `next`. A 304 then says
//! "unchanged" of a page from which a client would never reach what is new. So for a full last page a 304
//! counts only if it carries a `Link` itself; otherwise the page is asked for again without validators.

use cache_core::Content;

/// Whether `content`, got with `query`, is a page that a 304 alone cannot vouch for: a bare list exactly as
/// long as a page may be, without a `next`.
///
/// An object with a `total_count` is not meant: its body changes when the list grows.
pub(crate) fn is_full_and_last(content: &Content, query: Option<&str>) -> bool {
    let has_next = content
        .headers
        .iter()
        .any(|(name, value)| name == "link" && memchr::memmem::find(value, b"rel=\"next\"").is_some());
    content.status == 200
        && !has_next
        && count_items(&content.body).is_some_and(|items| is_full(items, query))
}

/// Whether a page of `items` may be as long as a page can be.
///
/// Few routes have other page lengths than most, and a page that is doubted needlessly costs one call when it is
/// renewed, so the lengths that occur anywhere count everywhere.
fn is_full(items: usize, query: Option<&str>) -> bool {
    let parameters = query.unwrap_or("").split('&');
    let wanted = parameters.rev().find_map(|parameter| parameter.strip_prefix("per_page="));
    match wanted.and_then(|digits| digits.parse::<usize>().ok()) {
        Some(0) | None => PER_PAGE_DEFAULTS.contains(&items),
        Some(wanted) => PER_PAGE_MAXIMA.iter().any(|most| items == wanted.min(*most)),
    }
}

/// The number of items if `json` is a list. Counts commas outside strings on the first level.
fn count_items(json: &[u8]) -> Option<usize> {
    let json = json.trim_ascii();
    let inner = json.strip_prefix(b"[")?.strip_suffix(b"]")?.trim_ascii();
    if inner.is_empty() {
        return Some(0);
    }
    let (mut depth, mut items) = (0_usize, 1);
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => items += 1,
            _other => {}
        }
    }
    Some(items)
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _other => {}
        }
    }
}

/// Items of a page when the request does not say, from GitHub's description: 30 nearly everywhere, 50 of
/// `/notifications`, 15 of `/events`.
const PER_PAGE_DEFAULTS: [usize; 3] = [15, 30, 50];
/// Most items of a page whatever the request says: 100 nearly everywhere, 50 of `/notifications`.
const PER_PAGE_MAXIMA: [usize; 2] = [50, 100];

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::Headers;

    fn list(items: usize, link: &str) -> Content {
        let body = serde_json::to_vec(&vec![serde_json::json!({"a": [1, 2], "s": ",\"]"}); items]).unwrap();
        let mut content = Content::of_value(body);
        content.headers = Headers::from_iter([("link", link)]);
        content
    }

    #[test]
    fn items_are_counted_on_the_first_level_alone() {
        for items in [0, 1, 2, 30] {
            assert_eq!(count_items(&list(items, "").body), Some(items));
        }
        for other in ["", "{}", "[", "]", "\"x\"", "[]]]"] {
            let counted = count_items(other.as_bytes());
            assert!(counted.is_none_or(|items| items < 2), "{other}");
        }
    }

    #[test]
    fn only_a_full_page_without_a_next_is_doubtful() {
        let previous = "<https://api.github.com/x?page=1>; rel=\"prev\"";
        let next = "<https://api.github.com/x?page=3>; rel=\"next\"";
        assert!(is_full_and_last(&list(30, previous), Some("page=2")));
        assert!(is_full_and_last(&list(5, ""), Some("per_page=5")));
        assert!(is_full_and_last(&list(100, ""), Some("per_page=500")));
        assert!(is_full_and_last(&list(50, ""), None), "notifications");
        assert!(is_full_and_last(&list(50, ""), Some("all=true&per_page=100")), "notifications");
        assert!(!is_full_and_last(&list(50, ""), Some("per_page=40")));
        assert!(!is_full_and_last(&list(30, next), None));
        assert!(!is_full_and_last(&list(29, previous), None));
        assert!(!is_full_and_last(&Content::of_value("{\"total_count\":1}"), Some("per_page=1")));
    }
}
