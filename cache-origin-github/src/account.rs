//! The number of the account behind a credential, in what the origin says to it.

use bytes::Bytes;
use memchr::memmem;

/// `text`, the body of a refusal, without the words that tell which account asked, as in "API rate limit exceeded for user
/// ID 17". Other readers of the answer need not know.
pub(crate) fn without_number(text: Bytes) -> Bytes {
    let (mut rest, mut kept) = (&text[..], None);
    while let Some(at) = memmem::find(rest, MARK) {
        let (before, behind) = (&rest[..at], &rest[at + MARK.len()..]);
        let is_of_word = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b':';
        let word = &behind[..behind.iter().take_while(is_of_word).count()];
        let out: &mut Vec<u8> = kept.get_or_insert_default();
        // The id of a request has letters and a colon.
        if word.is_empty() || !word.iter().all(u8::is_ascii_digit) {
            out.extend_from_slice(&rest[..at + MARK.len()]);
            rest = behind;
            continue;
        }
        let kind = before.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let before = &before[..at - kind];
        out.extend_from_slice(before.strip_suffix(b" for ").unwrap_or(before));
        rest = &behind[word.len()..];
    }
    match kept {
        Some(mut kept) => {
            kept.extend_from_slice(rest);
            kept.into()
        }
        None => text,
    }
}

/// What stands between the kind of an account, such as `user` and `installation`, and its number.
const MARK: &[u8] = b" ID ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_all_its_words_but_those_of_the_account() {
        let rows = [
            ("API rate limit exceeded for user ID 583231.", "API rate limit exceeded."),
            (
                "exceeded for installation ID 17. Include the request ID 0D:1",
                "exceeded. Include the request ID 0D:1",
            ),
            ("Spent for user ID 1 and for app ID 22", "Spent and"),
            ("user ID 17", ""),
            (" ID 17", ""),
            ("an ID  and ID x and ID ", "an ID  and ID x and ID "),
            ("", ""),
        ];
        for (given, expected) in rows {
            assert_eq!(without_number(Bytes::from_static(given.as_bytes())), expected, "{given}");
        }
    }
}
