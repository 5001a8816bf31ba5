//! Every message reads back as it was, and what is no message is refused.

use super::*;
use crate::{
    Allowance, CallNumbers, Content, Domain, Draft, Headers, Key, Numbers, PeerId, Validators, Window,
    freshness::Freshness,
    message::{
        ALLOWANCES_TOLD_MAX, CALL_NUMBERS_TOLD_MAX, DIGEST_SUMS_MAX, Digest, INVALIDATIONS_MAX, Invalidation,
        KNOWN_TOLD_MAX, Known, Notice, OriginWord, Reach, SCOPES_MAX, Scope, Surroundings, Writes,
    },
};
use alloc::vec;

fn allowance() -> Allowance {
    let reset = Timestamp::from_unix_millis(1_700_000_000_000);
    Allowance {
        payer: Payer::from_bytes([7; 16]),
        domain: Domain::ANONYMOUS,
        resource: "actions_runner_registration".into(),
        bucket: Some(Bucket(2)),
        window: Window { limit: 5_000, remaining: 4_000, used: 1_000, reset },
    }
}

#[test]
fn an_allowance_whose_name_is_too_long_or_cannot_be_printed_is_refused() {
    let named = |resource: &str| Allowance { resource: resource.into(), ..allowance() };
    let decoded =
        |resource: &str| decode_message(&encode_message(&Message::Allowances(vec![named(resource)])));
    assert!(decoded(&"x".repeat(64)).is_ok());
    for bad in ["x".repeat(65), "a\nb".into(), "\u{1b}[2J".into(), "ä".into()] {
        assert_eq!(decoded(&bad), Err(DecodeError::Malformed), "{bad:?}");
    }
    let too_many = Message::Allowances(vec![allowance(); ALLOWANCES_TOLD_MAX + 1]);
    assert_eq!(decode_message(&encode_message(&too_many)), Err(DecodeError::Malformed));
}

fn call_numbers() -> CallNumbers {
    let Allowance { payer, resource, window: Window { limit, reset, .. }, .. } = allowance();
    let numbers = Numbers::from_words(1_000, &[u64::MAX; Numbers::WORDS_MAX]).expect("they are numbers");
    CallNumbers { payer, resource, limit, reset, numbers }
}

#[test]
fn numbers_of_calls_are_refused_like_allowances_and_without_a_number_as_well() {
    let decoded = |told: CallNumbers| decode_message(&encode_message(&Message::CallNumbers(vec![told])));
    assert!(decoded(call_numbers()).is_ok());
    for resource in ["x".repeat(65), "a\nb".into()] {
        let told = CallNumbers { resource: resource.as_str().into(), ..call_numbers() };
        assert_eq!(decoded(told), Err(DecodeError::Malformed), "{resource:?}");
    }
    let told = CallNumbers { numbers: Numbers::default(), ..call_numbers() };
    assert_eq!(decoded(told), Err(DecodeError::Malformed));
    let too_many = Message::CallNumbers(vec![call_numbers(); CALL_NUMBERS_TOLD_MAX + 1]);
    assert_eq!(decode_message(&encode_message(&too_many)), Err(DecodeError::Malformed));
}

fn parcel(body_bytes: usize) -> Parcel {
    Parcel {
        key: Key::new("GET api.github.com/repos/acme/site", Domain::ANONYMOUS),
        draft: Draft {
            content: Content {
                status: 200,
                headers: Headers::from_fields([("content-type", &b"application/json"[..])]),
                body: vec![7; body_bytes].into(),
            },
            freshness: Freshness { lifetime: Duration::from_secs(300), ..Freshness::default() },
            validators: Validators { etag: Some("\"tag\"".into()), ..Validators::default() },
            age: Duration::from_millis(1500),
        },
        after: vec![InvalidationId { count: 3, issuer: 9 }],
        edition: Some(Edition { issuer: 9, count: 300 }),
    }
}

fn notice() -> Notice {
    let prefix = || "api.github.com/repos".into();
    let scopes = [
        Scope::Key(parcel(0).key),
        Scope::Prefix { prefix: prefix(), domain: Some(Domain::ANONYMOUS) },
        Scope::Prefix { prefix: prefix(), domain: None },
        Scope::Signposts { prefix: prefix() },
    ];
    let id = InvalidationId { count: 1, issuer: 2 };
    let both = Reach { forgotten: scopes.to_vec(), doubted: scopes[..2].to_vec(), ..Reach::default() };
    let invalidations = [
        Invalidation { id, reach: both, age: Duration::from_millis(12) },
        Invalidation { id, reach: Reach::doubt(scopes), age: Duration::ZERO },
    ];
    Notice { receipt: 7, mark: Some(Duration::from_secs(9)), invalidations: invalidations.into() }
}

fn settling_notice() -> Notice {
    let mut notice = notice();
    notice.invalidations[1].reach.settle = Duration::from_millis(5_000);
    notice
}

fn digest(length: usize) -> Digest {
    let mark = Some(Duration::from_millis(1500));
    Digest { receipt: 3, mark, salt: [u64::MAX, 9], sums: vec![u64::MAX - 1; length] }
}

fn surroundings(length: usize) -> Surroundings {
    let peer = PeerId::from_public_key([4; 32]);
    let member = crate::Member::new(peer, 7, ["/ip4/192.0.2.1/udp/9100/quic-v1", "/ip6/2001:db8::1/tcp/9"]);
    let known = Known { member, depth: 3, members_count: 90, age: Duration::from_millis(1500) };
    Surroundings { depth: 2, members_count: 100, wants_others: true, known: vec![known; length] }
}

fn named(name: Name, edition: Option<Edition>) -> Message {
    let (remaining, age) = (Duration::from_secs(60), Duration::from_millis(3));
    Message::Announce(Announced::Named { name, remaining, age, edition })
}

fn every_message() -> Vec<Message> {
    let name = Name::from_bytes([5; 32]);
    let answers = [
        Answer::Failed,
        Answer::Hit(Box::new(parcel(10))),
        Answer::Lease { name, stale: Some(Box::new(parcel(0))) },
        Answer::Lease { name, stale: None },
        Answer::Miss,
        Answer::Wait,
    ];
    let mut all: Vec<Message> =
        answers.into_iter().map(|answer| Message::Answer { ask: AskId(7), answer }).collect();
    all.extend([
        named(name, None),
        named(name, Some(Edition { issuer: u64::MAX, count: 1 })),
        Message::Announce(Announced::ToPassOn(Box::new(parcel(100)))),
        Message::Announce(Announced::Whole(Box::new(parcel(100)))),
        Message::Ask { ask: AskId(1), name, role: Role::Coordinator, kin_wait: None },
        Message::Ask {
            ask: AskId(1),
            name,
            role: Role::Coordinator,
            kin_wait: Some(Duration::from_millis(900)),
        },
        Message::Ask { ask: AskId(u64::MAX), name, role: Role::Holder, kin_wait: None },
        Message::Claim { name },
        Message::Figures(Figures { api_calls: 1, hits: 2, peer_hits: 3, misses: 4, entries: 5 }),
        Message::Forgotten { receipt: 12 },
        Message::Invalidate(notice()),
        Message::Invalidate(settling_notice()),
        Message::Invalidate(Notice { receipt: u64::MAX, mark: None, invalidations: Vec::new() }),
        Message::Membership(Bytes::from_static(b"swim")),
        Message::Ping { token: 3 },
        Message::Pong { token: 3, clock: Timestamp::from_unix_millis(1_000) },
        Message::Quota {
            payer: Payer::from_bytes([7; 16]),
            bucket: Bucket(2),
            pause: Duration::from_secs(9),
            shortage: Shortage::Window { limit: 5000, used: 5001 },
        },
        Message::Release { name, verdict: Verdict::Failed },
        Message::Release { name, verdict: Verdict::Unshareable },
        Message::Release { name, verdict: Verdict::Unused },
        Message::WarmUp { skip: 32 },
        Message::WarmedUp { next: Some(64) },
        Message::WarmedUp { next: None },
        Message::Writes(Writes {
            payer: Payer::from_bytes([7; 16]),
            writer: PeerId::from_public_key([8; 32]),
            total: 1_700_000_000_003,
            by_age: core::array::from_fn(|slice| slice as u32),
        }),
        Message::Allowances(vec![allowance(); ALLOWANCES_TOLD_MAX]),
        Message::Allowances(Vec::new()),
        Message::CallNumbers(vec![call_numbers(); CALL_NUMBERS_TOLD_MAX]),
        Message::CallNumbers(Vec::new()),
        Message::Origin { host: "ghes.example:8443".into(), word: OriginWord::Trying },
        Message::Digest(digest(0)),
        Message::Digest(digest(DIGEST_SUMS_MAX)),
        Message::Guest(crate::message::GuestWord::Stays),
        Message::District(surroundings(0)),
        Message::District(surroundings(KNOWN_TOLD_MAX)),
    ]);
    all
}

#[test]
fn every_message_reads_back_as_it_was() {
    for message in every_message() {
        assert_eq!(decode_message(&encode_message(&message)), Ok(message));
    }
}

#[test]
fn a_message_cut_anywhere_is_refused() {
    for message in every_message() {
        let bytes = encode_message(&message);
        for end in 0..bytes.len() {
            let refused = decode_message(&bytes[..end]).expect_err("it is not whole");
            assert!(!refused.is_unknown(), "{message:?} cut at {end}");
        }
    }
}

#[test]
fn fields_that_a_later_minor_version_adds_are_skipped() {
    for message in every_message() {
        for more in [&[0][..], &[255; 300], b"fields of the future"] {
            let longer = [&encode_message(&message)[..], more].concat();
            assert_eq!(decode_message(&longer).as_ref(), Ok(&message));
        }
    }
}

#[test]
fn a_kind_that_a_later_minor_version_adds_is_told_from_what_nobody_should_send() {
    for kind in [KINDS, 200, 250] {
        let byte = u8::try_from(kind).expect("it is short");
        for fields in [&[][..], &[7], &[0; 100]] {
            let bytes = [&[VERSION, byte], fields].concat();
            let unknown = decode_message(&bytes).expect_err("it is not known");
            assert_eq!(unknown, DecodeError::UnknownKind { kind });
            assert!(unknown.is_unknown());
        }
    }
    assert_eq!(decode_message(&[VERSION, 251, 0, 1]), Err(DecodeError::UnknownKind { kind: 256 }));
    for malformed in [&[][..], &[VERSION], &[VERSION, 251], &[VERSION, 255], &[VERSION, 8]] {
        assert!(!decode_message(malformed).expect_err("nobody sends it").is_unknown(), "{malformed:?}");
    }
}

#[test]
fn the_number_of_kinds_is_that_of_the_format() {
    let last = every_message().iter().map(|message| u32::from(encode_message(message)[1])).max();
    assert_eq!(last, Some(KINDS - 1));
    let bytes = [&[VERSION, u8::try_from(KINDS - 1).expect("it is short")][..], &[0; 64]].concat();
    assert_ne!(decode_message(&bytes), Err(DecodeError::UnknownKind { kind: KINDS - 1 }));
}

#[test]
fn an_announcement_by_name_is_short() {
    let message = Message::Announce(Announced::Named {
        name: Name::from_bytes([255; 32]),
        remaining: Duration::from_secs(86_400),
        age: Duration::from_secs(86_400),
        edition: Some(Edition { issuer: u64::MAX, count: u64::from(u32::MAX) }),
    });
    assert!(encode_message(&message).len() <= 64);
}

#[test]
fn a_claimed_length_costs_no_memory() {
    // Variant 7 (membership) and a length of 2^63.
    let mut bytes = vec![VERSION, 7, 253];
    bytes.extend((1_u64 << 63).to_le_bytes());
    assert_eq!(decode_message(&bytes), Err(DecodeError::Malformed));
}

#[test]
fn a_list_with_more_than_its_elements_is_refused() {
    let id = InvalidationId { count: 1, issuer: 2 };
    let scope = Scope::Prefix { prefix: "a".into(), domain: None };
    let one =
        |scopes| Invalidation { id, reach: Reach::forget(vec![scope.clone(); scopes]), age: Duration::ZERO };
    let message =
        |length| Message::Invalidate(Notice { receipt: 0, mark: None, invalidations: vec![one(1); length] });
    let read = |message| decode_message(&encode_message(&message));
    assert_eq!(read(message(INVALIDATIONS_MAX)), Ok(message(INVALIDATIONS_MAX)));
    assert_eq!(read(message(INVALIDATIONS_MAX + 1)), Err(DecodeError::Malformed));
    let wide =
        |scopes| Message::Invalidate(Notice { receipt: 0, mark: None, invalidations: vec![one(scopes)] });
    assert_eq!(read(wide(SCOPES_MAX)), Ok(wide(SCOPES_MAX)));
    assert_eq!(read(wide(SCOPES_MAX + 1)), Err(DecodeError::Malformed));
    let whole = |length| {
        Message::Announce(Announced::Whole(Box::new(Parcel { after: vec![id; length], ..parcel(0) })))
    };
    assert_eq!(read(whole(AFTER_MAX)), Ok(whole(AFTER_MAX)));
    assert_eq!(read(whole(AFTER_MAX + 1)), Err(DecodeError::Malformed));
}

#[test]
fn more_members_than_may_be_told_of_are_refused() {
    let message = |length| Message::District(surroundings(length));
    let read = |message| decode_message(&encode_message(&message));
    assert_eq!(read(message(KNOWN_TOLD_MAX)), Ok(message(KNOWN_TOLD_MAX)));
    assert_eq!(read(message(KNOWN_TOLD_MAX + 1)), Err(DecodeError::Malformed));
}

#[test]
fn more_sums_than_a_digest_may_have_are_refused_and_a_digest_is_a_kilobyte() {
    let encoded = |length| encode_message(&Message::Digest(digest(length)));
    assert_eq!(decode_message(&encoded(DIGEST_SUMS_MAX + 1)), Err(DecodeError::Malformed));
    assert!(encoded(DIGEST_SUMS_MAX).len() < 1_100, "{}", encoded(DIGEST_SUMS_MAX).len());
}

#[test]
fn scopes_longer_than_one_invalidation_may_say_are_refused() {
    let scope = Scope::Prefix { prefix: "x".repeat(crate::KEY_BYTES_MAX).into(), domain: None };
    let id = InvalidationId { count: 1, issuer: 2 };
    let message = |scopes| {
        let reach = Reach::doubt(vec![scope.clone(); scopes]);
        let invalidations = vec![Invalidation { id, reach, age: Duration::ZERO }];
        Message::Invalidate(Notice { receipt: 0, mark: None, invalidations })
    };
    assert_eq!(decode_message(&encode_message(&message(3))), Ok(message(3)));
    assert_eq!(decode_message(&encode_message(&message(4))), Err(DecodeError::Malformed));
}

#[test]
fn another_version_is_named() {
    assert_eq!(decode_message(&[9, 0]), Err(DecodeError::UnknownVersion { version: 9 }));
}
