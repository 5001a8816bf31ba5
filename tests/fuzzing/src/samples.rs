//! Sound entries and messages to begin with.

use bytes::Bytes;
use cache_core::{
    Allowance, AskId, Bucket, CallNumbers, Content, Domain, Draft, Entry, Figures, Headers, Key, Member,
    Message, Name, Numbers, Payer, PeerId, Shortage, Timestamp, Validators, Window,
    freshness::Freshness,
    message::{
        Announced, Answer, Digest, Edition, GuestWord, Invalidation, InvalidationId, Known, Notice,
        OriginWord, Parcel, Reach, Role, Scope, Surroundings, Verdict, Writes,
    },
};
use std::time::Duration;

/// Entries with and without headers, validators and a body.
pub fn entries() -> Vec<Entry> {
    let keys = [key(), Key::new("", Domain::from_bytes([0xab; 16]))];
    let born = Timestamp::from_unix_millis(1_700_000_000_000);
    keys.into_iter().zip([draft(), bare()]).map(|(key, draft)| Entry::new(key, draft, born, 3)).collect()
}

/// Every kind of message, in few bytes each.
pub fn messages() -> Vec<Message> {
    let (ask, name) = (AskId(7), Name::from_bytes([5; 32]));
    let (id, edition) = (InvalidationId { count: 300, issuer: 1 << 40 }, Edition { issuer: 7, count: 300 });
    let (remaining, age) = (Duration::from_secs(60), Duration::from_millis(1500));
    let parcel =
        || Box::new(Parcel { key: key(), draft: draft(), after: vec![id; 2], edition: Some(edition) });
    let bare = || Box::new(Parcel { key: key(), draft: bare(), after: Vec::new(), edition: None });
    let scopes = [
        Scope::Key(key()),
        Scope::Prefix { prefix: "api.github.com/repos".into(), domain: Some(Domain::ANONYMOUS) },
        Scope::Prefix { prefix: "".into(), domain: None },
        Scope::Signposts { prefix: "api.github.com/".into() },
    ];
    let invalidations = scopes.map(|scope| Invalidation {
        id,
        reach: Reach { forgotten: vec![scope.clone()], doubted: vec![scope], ..Reach::default() },
        age: Duration::from_millis(12),
    });
    let notice = |mark| Notice { receipt: 9, mark, invalidations: invalidations.to_vec() };
    let settling = settling(notice(None));
    let answers = [
        Answer::Failed,
        Answer::Hit(parcel()),
        Answer::Lease { name, stale: Some(bare()) },
        Answer::Lease { name, stale: None },
        Answer::Miss,
        Answer::Wait,
    ];
    let verdicts = [Verdict::Failed, Verdict::Unshareable, Verdict::Unused];
    let mut all = vec![
        Message::Allowances(allowances()),
        Message::Announce(Announced::Named { name, remaining, age, edition: None }),
        Message::Announce(Announced::Named { name, remaining, age, edition: Some(edition) }),
        Message::Announce(Announced::ToPassOn(parcel())),
        Message::Announce(Announced::Whole(parcel())),
        Message::Ask { ask, name, role: Role::Coordinator, kin_wait: None },
        Message::Ask { ask, name, role: Role::Coordinator, kin_wait: Some(Duration::from_millis(750)) },
        Message::Ask { ask: AskId(u64::MAX), name, role: Role::Holder, kin_wait: None },
        Message::CallNumbers(vec![call_numbers(&[1]), call_numbers(&[u64::MAX, 0, 3])]),
        Message::Claim { name },
        Message::Figures(Figures {
            api_calls: 1,
            hits: 251,
            peer_hits: 1 << 20,
            misses: 1 << 40,
            entries: 5,
        }),
        Message::Forgotten { receipt: 1 << 40 },
        Message::Invalidate(notice(None)),
        Message::Invalidate(settling),
        Message::Invalidate(notice(Some(Duration::from_secs(9)))),
        Message::Membership(Bytes::from_static(b"swim")),
        Message::Ping { token: 3 },
        Message::Pong { token: 3, clock: Timestamp::from_unix_millis(1_000) },
        Message::Quota {
            payer: Payer::from_bytes([7; 16]),
            bucket: Bucket(2),
            pause: Duration::from_secs(9),
            shortage: Shortage::Window { limit: 5000, used: 5001 },
        },
        Message::WarmUp { skip: 32 },
        Message::District(Surroundings::default()),
        Message::District(surroundings()),
    ];
    all.extend(answers.map(|answer| Message::Answer { ask, answer }));
    all.extend(verdicts.map(|verdict| Message::Release { name, verdict }));
    all.extend(words_on_origins().into_iter().chain(words_of_guests()).chain([writes()]).chain(digests()));
    all.extend([None, Some(64)].map(|next| Message::WarmedUp { next }));
    all
}

fn digests() -> [Message; 2] {
    let mark = Some(Duration::from_millis(1500));
    let nothing = Digest { receipt: 251, mark: None, salt: [1, u64::MAX], sums: Vec::new() };
    [nothing, Digest { receipt: 1, mark, salt: [7, 9], sums: vec![0, u64::MAX] }].map(Message::Digest)
}

fn writes() -> Message {
    let by_age = [2, 0, 7, 251, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let (payer, writer) = (Payer::from_bytes([7; 16]), PeerId::from_public_key([8; 32]));
    Message::Writes(Writes { payer, writer, total: 1_700_000_000_003, by_age })
}

fn words_of_guests() -> [Message; 3] {
    [GuestWord::Full, GuestWord::Joins, GuestWord::Stays].map(Message::Guest)
}

fn words_on_origins() -> [Message; 3] {
    let since = Duration::from_millis(1500);
    let words = [OriginWord::Failing { since }, OriginWord::Reached { since }, OriginWord::Trying];
    words.map(|word| Message::Origin { host: "ghes.example:8443".into(), word })
}

fn surroundings() -> Surroundings {
    Surroundings { depth: 2, members_count: 90, wants_others: true, known: vec![known(0), known(2)] }
}

fn known(addresses: usize) -> Known {
    let places = ["/ip4/192.0.2.1/udp/9100/quic-v1", "/ip6/2001:db8::1/tcp/9100"];
    let member = Member::new(PeerId::from_public_key([4; 32]), 7, places.iter().take(addresses));
    Known { member, depth: 3, members_count: 80, age: Duration::from_secs(70) }
}

fn key() -> Key {
    Key::new("api.github.com/repos/acme/site json", Domain::ANONYMOUS)
}

fn draft() -> Draft {
    let headers: Headers = [("content-type", "application/json"), ("etag", "\"v1\"")].into_iter().collect();
    Draft {
        content: Content { status: 200, headers, body: Bytes::from_static(b"{\"id\":1}") },
        freshness: Freshness {
            lifetime: Duration::from_secs(300),
            while_revalidating: Duration::from_secs(30),
            if_error: Duration::from_secs(86_400),
        },
        validators: Validators {
            etag: Some("\"v1\"".into()),
            etag_scope: Some([8; 8]),
            last_modified: Some("Sun, 06 Nov 1994 08:49:37 GMT".into()),
        },
        age: Duration::from_millis(1500),
    }
}

fn bare() -> Draft {
    Draft {
        content: Content::of_value(""),
        freshness: Freshness::default(),
        validators: Validators::default(),
        age: Duration::ZERO,
    }
}

fn settling(mut notice: Notice) -> Notice {
    notice.invalidations.iter_mut().for_each(|it| it.reach.settle = Duration::from_secs(5));
    notice
}

fn allowances() -> Vec<Allowance> {
    vec![allowance("core", Some(Bucket(0))), allowance("something_new", None)]
}

fn call_numbers(words: &[u64]) -> CallNumbers {
    let Allowance { payer, resource, window: Window { limit, reset, .. }, .. } = allowance("core", None);
    let numbers = Numbers::from_words(4_000, words).expect("they are numbers");
    CallNumbers { payer, resource, limit, reset, numbers }
}

fn allowance(resource: &str, bucket: Option<Bucket>) -> Allowance {
    Allowance {
        payer: Payer::from_bytes([3; 16]),
        domain: Domain::from_bytes([4; 16]),
        resource: resource.into(),
        bucket,
        window: Window {
            limit: 5_000,
            remaining: 4_999,
            used: 1,
            reset: Timestamp::from_unix_millis(1_700_000_000_000),
        },
    }
}
