//! Entries as bytes: there and back, and whatever else bytes may be.

use cache_core::{
    BODY_BYTES_MAX, Content, Domain, Draft, Entry, HEADERS_BYTES_MAX, Headers, KEY_BYTES_MAX, Key, Timestamp,
    Validators,
    codec::{DecodeError, decode_entry, encode_entry},
    freshness::Freshness,
};
use proptest::{collection::vec, option, prelude::*, sample::Index, test_runner::FileFailurePersistence};
use std::{fs, time::Duration};

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/regressions/codec.txt"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_encoded_comes_back(entry in entry()) {
        let decoded = decode_entry(&encode_entry(&entry)).unwrap();
        prop_assert_eq!(decoded.fresh_until(), entry.fresh_until());
        prop_assert_eq!(decoded, entry);
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_an_entry(bytes in vec(any::<u8>(), 0..2000)) {
        refuse_or_entry(&bytes);
    }

    #[test]
    fn a_flipped_bit_is_refused_or_another_entry(entry in entry(), at in any::<Index>(), bit in 0..8_u32) {
        let mut bytes = encode_entry(&entry);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        refuse_or_entry(&bytes);
    }

    #[test]
    fn what_breaks_off_is_refused(entry in entry(), at in any::<Index>()) {
        let bytes = encode_entry(&entry);
        let cut = &bytes[..at.index(bytes.len())];
        prop_assert_eq!(decode_entry(cut).unwrap_err(), DecodeError::Malformed);
    }

    #[test]
    fn what_follows_an_entry_is_refused(entry in entry(), tail in vec(any::<u8>(), 1..20)) {
        let mut bytes = encode_entry(&entry);
        bytes.extend_from_slice(&tail);
        prop_assert_eq!(decode_entry(&bytes).unwrap_err(), DecodeError::TrailingBytes { count: tail.len() });
    }

    /// A length may be overwritten anywhere: with any number, in any of the widths that the format knows.
    #[test]
    fn an_overwritten_length_is_refused_or_another_entry(
        entry in entry(),
        at in any::<Index>(),
        length in any::<u64>(),
        width in 251..=254_u8,
    ) {
        let bytes = encode_entry(&entry);
        let at = at.index(bytes.len());
        let hostile = [&bytes[..at], &[width], &length.to_le_bytes(), &bytes[at + 1..]].concat();
        refuse_or_entry(&hostile);
    }
}

/// The format is a promise: records of an earlier version must stay readable. Change it only together with
/// the version byte that is kept in front of records.
#[test]
fn the_bytes_of_a_known_entry_are_the_committed_ones() {
    let golden = fs::read_to_string(GOLDEN_PATH).unwrap();
    let golden: Vec<u8> = golden
        .split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).expect("the file holds bytes in hexadecimal"))
        .collect();
    let encoded = encode_entry(&known_entry());
    assert_eq!(encoded, golden, "the format changed; now it is\n{encoded:02x?}");
    assert_eq!(decode_entry(&golden).unwrap(), known_entry());
}

#[test]
fn a_length_that_no_record_has_is_refused() {
    for width in
        [&[252_u8, 0xff, 0xff, 0xff, 0xff][..], &[253, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]]
    {
        // As the key, which comes first, and as the body, which comes last.
        assert_eq!(decode_entry(width).unwrap_err(), DecodeError::Malformed);
        let bytes = encode_entry(&entry_of(Content::of_value("")));
        let body_at = bytes.len() - 1;
        assert_eq!(bytes[body_at], 0, "the body's length is the last byte of an entry without one");
        let hostile = [&bytes[..body_at], width].concat();
        assert_eq!(decode_entry(&hostile).unwrap_err(), DecodeError::Malformed);
    }
}

#[test]
fn the_largest_entry_comes_back() {
    let name = "n".repeat(100);
    let value = vec![b'v'; 1000];
    let headers = [Headers::from_fields((0..70).map(|_| (name.as_str(), value.as_slice())))];
    // As many fields as find room, each as short as can be.
    let short = Headers::from_fields((0..HEADERS_BYTES_MAX).map(|_| ("n", &b""[..])));
    for headers in headers.into_iter().chain([short]) {
        assert!(headers.weight_bytes() > HEADERS_BYTES_MAX - 2000, "{}", headers.weight_bytes());
        let content = Content { headers, ..Content::of_value(vec![b'b'; BODY_BYTES_MAX]) };
        let resource = "r".repeat(KEY_BYTES_MAX - 33);
        let draft = Draft {
            validators: Validators {
                etag: Some("e".repeat(2000).into()),
                etag_scope: Some([7; 8]),
                last_modified: Some("l".repeat(1000).into()),
            },
            ..draft_of(content)
        };
        let entry = Entry::new(Key::new(&resource, Domain::ANONYMOUS), draft, NOW, u64::MAX);
        assert_eq!(decode_entry(&encode_entry(&entry)).unwrap(), entry);
    }
}

#[test]
fn an_entry_over_a_limit_is_refused() {
    let body = vec![0; BODY_BYTES_MAX + 1];
    let refused = decode_entry(&encode_entry(&entry_of(Content::of_value(body)))).unwrap_err();
    assert_eq!(refused, DecodeError::BodyTooLong { body_bytes: BODY_BYTES_MAX + 1 });

    let resource = "r".repeat(KEY_BYTES_MAX - 32);
    let entry = Entry::new(Key::new(&resource, Domain::ANONYMOUS), draft_of(Content::of_value("")), NOW, 0);
    assert_eq!(decode_entry(&encode_entry(&entry)).unwrap_err(), DecodeError::KeyMalformed);
}

/// Decodes without a panic; what decodes is an entry that can be encoded again.
fn refuse_or_entry(bytes: &[u8]) {
    if let Ok(entry) = decode_entry(bytes) {
        assert_eq!(decode_entry(&encode_entry(&entry)), Ok(entry));
    }
}

fn entry() -> impl Strategy<Value = Entry> {
    let key = ("[ -~\u{e9}\n]{0,40}", any::<[u8; 16]>());
    let key = key.prop_map(|(resource, domain)| Key::new(&resource, Domain::from_bytes(domain)));
    let fields = vec(("[A-Za-z0-9-]{0,12}", vec(any::<u8>(), 0..40)), 0..8);
    let headers = fields.prop_map(|fields| {
        Headers::from_fields(fields.iter().map(|(name, value)| (name.as_str(), value.as_slice())))
    });
    let content = (any::<u16>(), headers, vec(any::<u8>(), 0..400))
        .prop_map(|(status, headers, body)| Content { status, headers, body: body.into() });
    let freshness = (millis(), millis(), millis()).prop_map(|(lifetime, while_revalidating, if_error)| {
        Freshness { lifetime, while_revalidating, if_error }
    });
    let validators = (option::of(".{0,20}"), option::of(any::<[u8; 8]>()), option::of(".{0,20}")).prop_map(
        |(etag, etag_scope, last_modified)| Validators {
            etag: etag.map(Box::from),
            etag_scope,
            last_modified: last_modified.map(Box::from),
        },
    );
    (key, content, freshness, validators, millis(), any::<u64>(), any::<u64>()).prop_map(
        |(key, content, freshness, validators, age, now, generation)| {
            let draft = Draft { content, freshness, validators, age };
            Entry::new(key, draft, Timestamp::from_unix_millis(now), generation)
        },
    )
}

fn millis() -> impl Strategy<Value = Duration> {
    prop_oneof![0..100_000_u64, any::<u64>()].prop_map(Duration::from_millis)
}

fn known_entry() -> Entry {
    let headers = [("content-type", "application/json"), ("etag", "\"v1\"")].into_iter().collect();
    let draft = Draft {
        content: Content { headers, ..Content::of_value("{\"id\":1}") },
        freshness: Freshness {
            lifetime: Duration::from_secs(300),
            while_revalidating: Duration::from_secs(30),
            if_error: Duration::from_secs(86_400),
        },
        validators: Validators {
            etag: Some("\"v1\"".into()),
            etag_scope: Some([1, 2, 3, 4, 5, 6, 7, 8]),
            last_modified: Some("Sun, 06 Nov 1994 08:49:37 GMT".into()),
        },
        age: Duration::from_secs(5),
    };
    Entry::new(Key::new("api.github.com/user", Domain::from_bytes([0xab; 16])), draft, NOW, 3)
}

fn entry_of(content: Content) -> Entry {
    Entry::new(Key::new("r", Domain::ANONYMOUS), draft_of(content), NOW, 0)
}

fn draft_of(content: Content) -> Draft {
    Draft { content, freshness: Freshness::default(), validators: Validators::default(), age: Duration::ZERO }
}

const GOLDEN_PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/entry.hex");
const NOW: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);
