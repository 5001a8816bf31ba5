//! JSON laid out for reading, as GitHub does it for curl and browsers.

use bytes::Bytes;

/// `json` with a line break and two spaces of indentation for every level.
///
/// Changes white space alone: numbers, strings and the order of names stay as they are. What is not JSON
/// comes back in some layout, never in an error.
pub(crate) fn lay_out(json: &[u8]) -> Bytes {
    let mut layout = Layout { out: Vec::with_capacity(json.len() + json.len() / 2), depth: 0 };
    let mut bytes = json.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'"' => {
                layout.out.push(byte);
                while let Some(inner) = bytes.next() {
                    layout.out.push(inner);
                    match inner {
                        b'\\' => layout.out.extend(bytes.next()),
                        b'"' => break,
                        _other => {}
                    }
                }
            }
            b'{' | b'[' => {
                layout.out.push(byte);
                while bytes.next_if(u8::is_ascii_whitespace).is_some() {}
                if let Some(close) = bytes.next_if(|next| matches!(next, b'}' | b']')) {
                    layout.out.push(close);
                } else {
                    layout.depth += 1;
                    layout.break_line();
                }
            }
            b'}' | b']' => {
                layout.depth = layout.depth.saturating_sub(1);
                layout.break_line();
                layout.out.push(byte);
            }
            b',' => {
                layout.out.push(byte);
                layout.break_line();
            }
            b':' => layout.out.extend_from_slice(b": "),
            _other => layout.out.push(byte),
        }
    }
    layout.out.push(b'\n');
    layout.out.into()
}

struct Layout {
    out: Vec<u8>,
    depth: usize,
}

impl Layout {
    fn break_line(&mut self) {
        self.out.push(b'\n');
        // Deeper than any answer of GitHub's; a hostile body must not square its own length.
        for _ in 0..self.depth.min(DEPTH_SHOWN_MAX) {
            self.out.extend_from_slice(b"  ");
        }
    }
}

/// Deepest level that is indented further.
const DEPTH_SHOWN_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn levels_are_indented_and_strings_left_alone() {
        let laid_out = lay_out(br#"{"a":[1,{"b":"x, {\"y\":1}"}],"c":{},"d":[ ]}"#);
        let expected = "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"x, {\\\"y\\\":1}\"\n    }\n  ],\n  \"c\": {},\n  \"d\": []\n}\n";
        assert_eq!(std::str::from_utf8(&laid_out).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn no_body_can_upset_it(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            lay_out(&body);
        }

        #[test]
        fn the_value_stays_the_same(words in proptest::collection::vec(".{0,8}", 0..6)) {
            let value = serde_json::json!({ "words": words, "deep": [[words.len()], {}] });
            let laid_out = lay_out(&serde_json::to_vec(&value).unwrap());
            prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&laid_out).unwrap(), value);
        }
    }
}
