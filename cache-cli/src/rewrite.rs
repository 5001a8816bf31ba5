//! URLs in answers: from the origin's address to the one by which the client came.
//!
//! A client that was pointed at this door by a base URL follows `Link`, `Location` and the URLs in JSON
//! bodies; left alone they would lead it past the cache, with its token. Entries keep the origin's own
//! bytes; what is rewritten is the copy on its way out. Only URLs of the API itself are touched, and in a
//! body only where they are the value of a key that GitHub uses for URLs: never file contents, never
//! what a user wrote.
//!
//! Nothing is parsed: every URL of the API is found by searching for its beginning, and a look back over
//! `"key":` tells whether it is a value to rewrite.

use cache_origin_github::OriginUrl;
use memchr::{memmem::Finder, memrchr};

/// The beginnings of URLs that lead to the origin's API.
pub(crate) struct ApiUrls {
    bases: Vec<Finder<'static>>,
}

impl ApiUrls {
    /// Those of `origin`, and those of api.github.com, which recorded and mirrored answers name.
    pub(crate) fn of_origin(origin: &OriginUrl) -> Self {
        let mut texts = vec![GITHUB_BASE.to_owned()];
        let base = format!("{origin}/");
        if base != GITHUB_BASE {
            texts.push(base);
        }
        let bases = texts.iter().map(|text| Finder::new(text.as_bytes()).into_owned()).collect();
        Self { bases }
    }

    /// The JSON `body` with its API URLs leading to `target`; `None` when it names none.
    pub(crate) fn rewrite_body(&self, body: &[u8], target: &str) -> Option<Vec<u8>> {
        self.rewrite(body, target, follows_url_key)
    }

    /// A `Link` or `Location` field with its API URLs leading to `target`; `None` when it names none.
    pub(crate) fn rewrite_field(&self, value: &[u8], target: &str) -> Option<Vec<u8>> {
        self.rewrite(value, target, |before| before.is_empty() || before.ends_with(b"<"))
    }

    /// A rewriter for a JSON body that comes in pieces.
    pub(crate) fn stream(&self, target: &str) -> StreamRewriter {
        let stages = self.bases.iter().map(|base| Stage::new(base.clone(), target)).collect();
        StreamRewriter { stages }
    }

    fn rewrite(&self, text: &[u8], target: &str, applies: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        self.bases.iter().fold(None, |rewritten: Option<Vec<u8>>, base| {
            let text = rewritten.as_deref().unwrap_or(text);
            replace(text, base, target, &applies).or(rewritten)
        })
    }
}

/// Rewrites a JSON body piece by piece; a URL may be cut anywhere.
pub(crate) struct StreamRewriter {
    stages: Vec<Stage>,
}

impl StreamRewriter {
    /// What may be sent on once `piece` has come; the rest is held back.
    pub(crate) fn feed(&mut self, piece: &[u8]) -> Vec<u8> {
        self.stages.iter_mut().fold(piece.to_vec(), |piece, stage| stage.feed(&piece, Held::Tail))
    }

    /// What was held back.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        self.stages.iter_mut().fold(Vec::new(), |piece, stage| stage.feed(&piece, Held::Nothing))
    }
}

/// The rewriting of one base. `window` is the text around the seam: what was sent on already but may
/// still hold the key of a URL to come, and, from `sent`, what was not.
struct Stage {
    base: Finder<'static>,
    target: String,
    window: Vec<u8>,
    sent: usize,
}

/// How much of a stream stays behind.
#[derive(Clone, Copy)]
enum Held {
    Nothing,
    Tail,
}

impl Stage {
    fn new(base: Finder<'static>, target: &str) -> Self {
        Self { base, target: target.to_owned(), window: Vec::new(), sent: 0 }
    }

    fn feed(&mut self, piece: &[u8], held: Held) -> Vec<u8> {
        self.window.extend_from_slice(piece);
        let base_bytes = self.base.needle().len();
        let mut out = Vec::with_capacity(piece.len() + base_bytes);
        while let Some(at) = self.base.find(&self.window[self.sent..]) {
            let at = self.sent + at;
            out.extend_from_slice(&self.window[self.sent..at]);
            if follows_url_key(&self.window[..at]) {
                out.extend_from_slice(self.target.as_bytes());
            } else {
                out.extend_from_slice(self.base.needle());
            }
            self.sent = at + base_bytes;
        }
        let end = match held {
            Held::Nothing => self.window.len(),
            // A base may begin in these bytes and end in the next piece.
            Held::Tail => self.sent.max(self.window.len().saturating_sub(base_bytes - 1)),
        };
        out.extend_from_slice(&self.window[self.sent..end]);
        let forgotten = end.saturating_sub(LOOK_BACK_BYTES);
        self.window.drain(..forgotten);
        self.sent = end - forgotten;
        out
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

/// Whether `before` ends in a key for URLs, its colon, and the quote that opens the value.
///
/// A quote that stands right before a URL opens a string, unless it is escaped and so within one; then a
/// backslash comes before it, and no colon. A key that holds escapes is none of GitHub's.
fn follows_url_key(before: &[u8]) -> bool {
    let Some(key_and_quote) = before
        .strip_suffix(b"\"")
        .map(trim_space)
        .and_then(|text| text.strip_suffix(b":"))
        .map(trim_space)
        .and_then(|text| text.strip_suffix(b"\""))
    else {
        return false;
    };
    let start = key_and_quote.len().saturating_sub(KEY_BYTES_MAX + 1);
    let Some(quote) = memrchr(b'"', &key_and_quote[start..]) else {
        return false;
    };
    let (opening, key) = key_and_quote.split_at(start + quote);
    let key = &key[1..];
    !opening.ends_with(b"\\") && !key.contains(&b'\\') && (key.ends_with(b"_url") || URL_KEYS.contains(&key))
}

fn trim_space(text: &[u8]) -> &[u8] {
    let spaces = text.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
    &text[..text.len() - spaces]
}

const GITHUB_BASE: &str = "https://api.github.com/";
/// Keys whose values are URLs, beside those that end in `_url`: the last four are those of `_links`.
const URL_KEYS: [&[u8]; 5] = [b"url", b"href", b"self", b"git", b"html"];
/// Longest key that is looked back over; GitHub's longest, `current_user_repositories_url`, has 29 bytes.
const KEY_BYTES_MAX: usize = 64;
/// How far a stream remembers what it sent: a key, its quotes and colon, and generous space around them.
const LOOK_BACK_BYTES: usize = 128;
/// Room for what rewriting adds to a body; GitHub's base is longer than most targets.
const REWRITTEN_GROWTH_BYTES: usize = 256;

const _: () = assert!(LOOK_BACK_BYTES > KEY_BYTES_MAX + 8);

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
    fn values_of_url_keys_lead_to_the_door() {
        let text = r#"{"url":"https://api.github.com/a","issues_url" : "https://api.github.com/b{/n}"}"#;
        let expected = r#"{"url":"http://127.0.0.1:8484/a","issues_url" : "http://127.0.0.1:8484/b{/n}"}"#;
        assert_eq!(rewritten(text), expected);
    }

    #[test]
    fn other_hosts_and_other_keys_are_left_alone() {
        for text in [
            r#"{"html_url":"https://github.com/a","upload_url":"https://uploads.github.com/b"}"#,
            r#"{"url":"https://api.github.company/a"}"#,
            r#"{"body":"see https://api.github.com/a"}"#,
            r#"{"body":"https://api.github.com/a"}"#,
            r#"{"body":"\"url\":\"https://api.github.com/a\""}"#,
            r#"["https://api.github.com/a"]"#,
            r#"{"curl":"https://api.github.com/a"}"#,
            r#"{"x\"url":"https://api.github.com/a"}"#,
            r#""https://api.github.com/"#,
            "",
        ] {
            assert_eq!(rewritten(text), text);
        }
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

    /// The rule, spelled out on parsed JSON.
    fn model(value: Value) -> Value {
        match value {
            Value::Array(items) => items.into_iter().map(model).collect(),
            Value::Object(fields) => Value::Object(fields.into_iter().map(model_field).collect()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
        }
    }

    fn model_field((key, value): (String, Value)) -> (String, Value) {
        let plain = serde_json::to_string(&key).unwrap() == format!("\"{key}\"");
        let known = ["url", "href", "self", "git", "html"].contains(&key.as_str());
        let value = match value {
            Value::String(text) if plain && (known || key.ends_with("_url")) => {
                match text.strip_prefix("https://api.github.com/") {
                    Some(rest) => Value::String(format!("{TARGET}{rest}")),
                    None => Value::String(text),
                }
            }
            other => model(other),
        };
        (key, value)
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
        let known = prop_oneof![Just("url"), Just("x_url"), Just("href"), Just("body"), Just("curl")];
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

    proptest! {
        #[test]
        fn searching_rewrites_what_parsing_would(document in document(), pretty: bool) {
            let text = if pretty { format!("{document:#}") } else { document.to_string() };
            let parsed: Value = serde_json::from_str(&rewritten(&text)).unwrap();
            prop_assert_eq!(parsed, model(document));
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
