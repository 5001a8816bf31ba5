//! Rewrites URLs in answers: from the origin's address to the one by which the client came.
//!
//! A client that was pointed at this door by a base URL follows `Link`, `Location` and the URLs in JSON
//! bodies; left alone they would lead it past the cache, with its token. Entries keep the origin's own
//! bytes; what is rewritten is the copy on its way out. Only URLs of the API itself are touched, and in a
//! body only where the API has them by its description: never file contents, never what a user wrote.
//!
//! A table of keys says where the API puts its URLs; text under any other key is not the API's.

mod fields;
mod json;

pub(crate) use json::JsonRewriter;

use cache_origin_github::OriginUrl;
use memchr::memmem::Finder;
use std::sync::Arc;

/// The beginnings of URLs that lead to the origin's API.
pub(crate) struct ApiUrls {
    bases: Vec<Finder<'static>>,
    /// The same as bytes, for streams.
    texts: Arc<[Box<[u8]>]>,
}

impl ApiUrls {
    /// The URLs of `origin`, and those of api.github.com, which recorded and mirrored answers name.
    pub(crate) fn of_origin(origin: &OriginUrl) -> Self {
        let mut texts = vec![GITHUB_BASE.to_owned()];
        let base = format!("{origin}/");
        if base != GITHUB_BASE {
            texts.push(base);
        }
        let bases = texts.iter().map(|text| Finder::new(text.as_bytes()).into_owned()).collect();
        let texts = texts.into_iter().map(|text| text.into_bytes().into_boxed_slice()).collect();
        Self { bases, texts }
    }

    /// The JSON `body` with its API URLs leading to `target`; `None` when it names none.
    pub(crate) fn rewrite_body(&self, body: &[u8], target: &str) -> Option<Vec<u8>> {
        if !self.bases.iter().any(|base| base.find(body).is_some()) {
            return None;
        }
        let mut rewriter = self.stream(target);
        let mut out = rewriter.feed(body);
        out.extend(rewriter.finish());
        Some(out).filter(|_out| rewriter.rewritten() > 0)
    }

    /// A `Link` or `Location` field with its API URLs leading to `target`; `None` when it names none.
    pub(crate) fn rewrite_field(&self, value: &[u8], target: &str) -> Option<Vec<u8>> {
        self.rewrite(value, target, |before| before.is_empty() || before.ends_with(b"<"))
    }

    /// A rewriter for a JSON body that comes in pieces.
    pub(crate) fn stream(&self, target: &str) -> JsonRewriter {
        JsonRewriter::new(Arc::clone(&self.texts), target)
    }

    fn rewrite(&self, text: &[u8], target: &str, applies: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        self.bases.iter().fold(None, |rewritten: Option<Vec<u8>>, base| {
            let text = rewritten.as_deref().unwrap_or(text);
            replace(text, base, target, &applies).or(rewritten)
        })
    }
}

/// `text` with `target` in place of every `base` for which `applies` to what stands before it.
fn replace(text: &[u8], base: &Finder<'_>, target: &str, applies: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut copied = 0;
    for at in base.find_iter(text) {
        if applies(&text[..at]) {
            if out.is_empty() {
                out.reserve(text.len() + REWRITTEN_GROWTH_BYTES);
            }
            out.extend_from_slice(&text[copied..at]);
            out.extend_from_slice(target.as_bytes());
            copied = at + base.needle().len();
        }
    }
    (copied > 0).then(|| {
        out.extend_from_slice(&text[copied..]);
        out
    })
}

const GITHUB_BASE: &str = "https://api.github.com/";
/// Room for what rewriting adds to a field; GitHub's base is longer than most targets.
const REWRITTEN_GROWTH_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    const TARGET: &str = "http://127.0.0.1:8484/";

    fn github() -> ApiUrls {
        ApiUrls::of_origin(&OriginUrl::github())
    }

    fn rewritten(text: &str) -> String {
        let bytes = github().rewrite_body(text.as_bytes(), TARGET);
        bytes.map_or_else(|| text.to_owned(), |bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn the_apis_own_urls_lead_to_the_door() {
        let table = [
            r#"{"url":"BASEa","issues_url" : "BASEb{/n}"}"#,
            r#"[{"owner":{"repos_url":"BASEa"}},{"labels":[{"url":"BASEb"}]}]"#,
            r#"{"_links":{"self":{"href":"BASEa"},"git":"BASEb","html":{"href":"https://github.com/x"}}}"#,
            r#"{"total_count":1,"items":[{"repository":{"url":"BASEa"},"body":"x \" } ]","user":{"url":"BASEb"}}]}"#,
            r#"{"a":[[1,{"b":null}],"]"],"pull_request":{"url":"BASEa"}}"#,
        ];
        for text in table {
            let given = text.replace("BASE", "https://api.github.com/");
            assert_eq!(rewritten(&given), text.replace("BASE", TARGET));
        }
    }

    #[test]
    fn what_users_wrote_and_other_hosts_are_left_alone() {
        for text in [
            r#"{"html_url":"https://github.com/a","upload_url":"https://uploads.github.com/b"}"#,
            r#"{"url":"https://api.github.company/a"}"#,
            r#"{"url":"see https://api.github.com/a"}"#,
            r#"{"body":"https://api.github.com/a"}"#,
            r#"{"body":"\"url\":\"https://api.github.com/a\""}"#,
            r#"["https://api.github.com/a"]"#,
            r#"{"curl":"https://api.github.com/a"}"#,
            r#"{"x\"url":"https://api.github.com/a"}"#,
            r#"{"payload":{"url":"https://api.github.com/a","owner":{"url":"https://api.github.com/a"}}}"#,
            r#"{"payload":[{"url":"https://api.github.com/a"}]}"#,
            r#"{"config":{"url":"https://api.github.com/a"}}"#,
            r#"{"client_payload":{"html":"https://api.github.com/a","_links":{"self":"https://api.github.com/a"}}}"#,
            r#"{"inputs":{"repository_url":"https://api.github.com/a"}}"#,
            r#"{"target_url":"https://api.github.com/a","details_url":"https://api.github.com/a"}"#,
            r#"{"environment_url":"https://api.github.com/a","log_url":"https://api.github.com/a"}"#,
            r#"{"html":"https://api.github.com/a","href":"https://api.github.com/a","self":"https://api.github.com/a"}"#,
            r#"{"url":{"url":"https://api.github.com/a"}}"#,
            // The objects are GitHub's, though their names are a user's.
            r#"{"files":{"owner":{"content":"https://api.github.com/a"}}}"#,
            r#"{"data":{"node":{"url":"https://api.github.com/a"}}}"#,
            r#""https://api.github.com/"#,
            "",
        ] {
            assert_eq!(rewritten(text), text);
        }
        let deep = format!("{}{{\"url\":\"https://api.github.com/a\"}}{}", "[".repeat(40), "]".repeat(40));
        assert_eq!(rewritten(&deep), deep);
    }

    #[test]
    fn every_link_leads_to_the_door() {
        let link = br#"<https://api.github.com/r/1/i?page=2>; rel="next", <https://api.github.com/r/1/i?page=8>; rel="last""#;
        let bytes = github().rewrite_field(link, "http://[::1]:1/api/v3/").unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            r#"<http://[::1]:1/api/v3/r/1/i?page=2>; rel="next", <http://[::1]:1/api/v3/r/1/i?page=8>; rel="last""#
        );
    }

    #[test]
    fn a_location_elsewhere_is_left_alone() {
        let signed = b"https://blob.example/x?next=https://api.github.com/y";
        assert_eq!(github().rewrite_field(signed, TARGET), None);
    }

    #[test]
    fn an_enterprise_origin_is_rewritten_but_its_pages_are_not() {
        let urls = ApiUrls::of_origin(&"https://ghe.corp/api/v3".parse().unwrap());
        let text = br#"{"url":"https://ghe.corp/api/v3/a","html_url":"https://ghe.corp/a"}"#;
        assert_eq!(
            urls.rewrite_body(text, TARGET).unwrap(),
            br#"{"url":"http://127.0.0.1:8484/a","html_url":"https://ghe.corp/a"}"#
        );
    }

    /// The rule, spelled out on parsed JSON: `keys` are those of the objects around the value.
    fn model(value: Value, keys: &[&str]) -> Value {
        match value {
            Value::Array(items) => items.into_iter().map(|item| model(item, keys)).collect(),
            Value::Object(fields) => fields
                .into_iter()
                .map(|(key, value)| {
                    let inner = [keys, &[key.as_str()]].concat();
                    let value =
                        if value.is_string() { model_text(value, &inner) } else { model(value, &inner) };
                    (key, value)
                })
                .collect::<Map<_, _>>()
                .into(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
        }
    }

    fn model_text(value: Value, keys: &[&str]) -> Value {
        let known = |keys: &[&str]| keys.iter().all(|key| ["owner", "items"].contains(key));
        let leads = match keys {
            [above @ .., "url" | "repos_url"] if known(above) => true,
            [above @ .., "_links", _name] if known(above) => true,
            [above @ .., "_links", _name, "href"] => known(above),
            _other => false,
        };
        match value.as_str().and_then(|text| text.strip_prefix("https://api.github.com/")) {
            Some(rest) if leads => json!(format!("{TARGET}{rest}")),
            Some(_) | None => value,
        }
    }

    fn text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("https://api.github.com/"),
            Just("https://api.github.com"),
            Just("\"url\":\""),
            Just("\\"),
            Just("\""),
            Just(": "),
            Just("repos/é"),
            Just("\n"),
        ];
        prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
    }

    fn key() -> impl Strategy<Value = String> {
        let known = prop_oneof![
            Just("url"),
            Just("repos_url"),
            Just("_links"),
            Just("href"),
            Just("owner"),
            Just("items"),
            Just("payload"),
        ];
        prop_oneof![4 => known.prop_map(str::to_owned), 1 => text()]
    }

    fn document() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![text().prop_map(Value::String), any::<i32>().prop_map(|n| json!(n))];
        leaf.prop_recursive(3, 24, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::vec((key(), inner), 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    #[test]
    fn a_link_is_one_whatever_its_name() {
        let text =
            r#"{"_links":{"\"a\\":"https://api.github.com/x","b":{"href":"https://api.github.com/y"}}}"#;
        let parsed: Value = serde_json::from_str(&rewritten(text)).unwrap();
        assert_eq!(parsed, model(serde_json::from_str(text).unwrap(), &[]));
        assert_eq!(parsed["_links"]["\"a\\"], format!("{TARGET}x"));
    }

    proptest! {
        #[test]
        fn following_rewrites_what_parsing_would(document in document(), pretty: bool) {
            let text = if pretty { format!("{document:#}") } else { document.to_string() };
            let parsed: Value = serde_json::from_str(&rewritten(&text)).unwrap();
            prop_assert_eq!(parsed, model(document, &[]));
        }

        #[test]
        fn a_body_in_pieces_is_rewritten_as_a_whole_one(
            document in document(),
            cuts in prop::collection::vec(0_usize..200, 0..8),
        ) {
            let text = document.to_string();
            let mut stream = github().stream(TARGET);
            let mut out = Vec::new();
            let mut rest = text.as_bytes();
            for cut in cuts {
                let (piece, tail) = rest.split_at(cut.min(rest.len()));
                out.extend(stream.feed(piece));
                rest = tail;
            }
            out.extend(stream.feed(rest));
            out.extend(stream.finish());
            prop_assert_eq!(String::from_utf8(out).unwrap(), rewritten(&text));
        }
    }
}
