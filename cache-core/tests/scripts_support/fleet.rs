//! What members say, as words of a script.
//!
//! Members are `p1`, `p2`, .., the node itself is `p0`. A key tells its coordinator: `k1:p2` is coordinated by `p2`
//! whenever that is a member, `k1:p2>p3` by `p3` when `p2` is not, and `k1` by the node itself.

use super::{
    show::{self, duration},
    words::{Words, payer},
};
use cache_core::{
    Allowance, AskId, Bucket, CallNumbers, Ceiling, Contact, Draft, Figures, Guest, Input, Key, Member,
    Message, Name, Naming, Numbers, Payer, PeerId, PeerSettings, Salts, Sharing, SharingLimits, Shortage,
    Timestamp, Way, Window,
    freshness::Freshness,
    message::{
        Announced, Answer, Digest, Edition, GuestWord, Invalidation, InvalidationId, Known, Notice,
        OriginWord, Parcel, Reach, Role, Scope, Surroundings, Verdict, Writes,
    },
    port::DialError,
};
use siphasher::sip::SipHasher13;
use std::{collections::BTreeMap, hash::Hasher as _, sync::Arc, time::Duration};

/// The names that a script gives to what members speak of.
#[derive(Default)]
pub(crate) struct Talk {
    /// Every key of the script so far.
    keys: BTreeMap<Name, Key>,
    /// Asks of the node, in order of appearance.
    asks: Vec<AskId>,
}

impl Talk {
    /// Notes a key that the script speaks of.
    pub(crate) fn learn(&mut self, key: &Key) -> Name {
        let name = name_of(key);
        self.keys.insert(name, key.clone());
        name
    }

    /// Notes the keys that `reach` speaks of.
    pub(crate) fn learn_reach(&mut self, reach: &Reach) {
        for scope in reach.forgotten.iter().chain(&reach.doubted) {
            if let Scope::Key(key) = scope {
                self.learn(key);
            }
        }
    }

    /// The message that `words` stand for.
    pub(crate) fn message(&mut self, words: &mut Words<'_>) -> Message {
        match words.next("a message") {
            "announce" => Message::Announce(Announced::Whole(Box::new(self.parcel(words)))),
            "announce-to-pass-on" => Message::Announce(Announced::ToPassOn(Box::new(self.parcel(words)))),
            "announce-name" => {
                let name = self.learn(&words.key());
                let remaining = words.duration_value("remaining", Duration::ZERO);
                let (age, edition) = (words.duration_value("age", Duration::ZERO), edition(words));
                Message::Announce(Announced::Named { name, remaining, age, edition })
            }
            "answer" => Message::Answer { ask: words.begun('a', &self.asks), answer: self.answer(words) },
            "ask" => {
                let ask = AskId(words.number('x'));
                let role = if words.flag("holder") { Role::Holder } else { Role::Coordinator };
                Message::Ask {
                    ask,
                    name: self.learn(&words.key()),
                    role,
                    kin_wait: words.duration_of("borrows"),
                }
            }
            "allowances" => Message::Allowances(words.allowance().into_iter().collect()),
            "numbers" => numbers(words),
            "claim" => Message::Claim { name: self.learn(&words.key()) },
            "figures" => {
                Message::Figures(Figures { api_calls: words.number_value("calls", 0), ..Figures::default() })
            }
            "digest" => digest(words),
            "forgotten" => Message::Forgotten { receipt: words.number_value("receipt", 0) },
            "invalidate" => {
                let receipt = words.number_value("receipt", 0);
                let mark = words.duration_of("mark");
                let mut invalidations = Vec::new();
                while !words.is_empty() {
                    let mut words = words.until("/");
                    let id = invalidation_id(words.next("an invalidation"));
                    let age = words.duration_value("age", Duration::ZERO);
                    let reach = words.reach();
                    words.end();
                    self.learn_reach(&reach);
                    invalidations.push(Invalidation { id, age, reach });
                }
                Message::Invalidate(Notice { receipt, mark, invalidations })
            }
            "writes" => writes(words),
            "guest" => guest_word(words),
            "district" => district(words),
            "origin" => Message::Origin { host: "".into(), word: origin(words) },
            "ping" => Message::Ping { token: words.number('x') },
            "pong" => {
                let AskId(token) = words.begun('a', &self.asks);
                Message::Pong { token, clock: Timestamp::from_unix_millis(words.number_value("clock", 0)) }
            }
            "quota" => quota(words),
            "release" => {
                let name = self.learn(&words.key());
                let verdict = words.next("a verdict");
                let found = VERDICTS.iter().find(|(known, _)| *known == verdict);
                Message::Release {
                    name,
                    verdict: found.unwrap_or_else(|| panic!("`{verdict}` is no verdict")).1,
                }
            }
            "warm-up" => Message::WarmUp { skip: words.number_value("skip", 0) },
            "warmed-up" => Message::WarmedUp {
                next: words.value("next").map(|next| next.parse().expect("next is a number")),
            },
            other => panic!("`{other}` is no message"),
        }
    }

    fn answer(&mut self, words: &mut Words<'_>) -> Answer {
        match words.next("an answer") {
            "failed" => Answer::Failed,
            "hit" => Answer::Hit(Box::new(self.parcel(words))),
            "lease" => {
                let key = words.key();
                let name = self.learn(&key);
                let old = words.flag("stale").then_some(key);
                let stale = words.lent().or(old).map(|key| Box::new(parcel(key, words)));
                Answer::Lease { name, stale }
            }
            "miss" => Answer::Miss,
            "wait" => Answer::Wait,
            other => panic!("`{other}` is no answer"),
        }
    }

    fn parcel(&mut self, words: &mut Words<'_>) -> Parcel {
        let key = words.key();
        self.learn(&key);
        parcel(key, words)
    }

    /// `message` as a line; `None` for what the membership protocol says, which has tests of its own.
    pub(crate) fn show(&mut self, to: &[PeerId], message: &Message) -> Option<String> {
        let said = match message {
            Message::Allowances(told) => show_allowances(told),
            Message::Writes(told) => show_writes(told),
            Message::Digest(digest) => show_digest(digest),
            Message::District(said) => show_district(said),
            Message::Announce(Announced::Named { name, remaining, age: _, edition }) => {
                let edition = show_edition(*edition);
                format!("announce-name {} remaining={}{edition}", self.key(name), duration(*remaining))
            }
            Message::Announce(Announced::ToPassOn(parcel)) => {
                format!("announce-to-pass-on {}", show_parcel(parcel))
            }
            Message::Announce(Announced::Whole(parcel)) => format!("announce {}", show_parcel(parcel)),
            Message::Answer { ask, answer } => {
                let answer = match answer {
                    Answer::Failed => "failed".into(),
                    Answer::Hit(parcel) => format!("hit {}", show_parcel(parcel)),
                    Answer::Lease { name, stale: None } => format!("lease {}", self.key(name)),
                    Answer::Lease { name, stale: Some(stale) } => {
                        format!("lease {} stale {}", self.key(name), show_parcel(stale))
                    }
                    Answer::Miss => "miss".into(),
                    Answer::Wait => "wait".into(),
                };
                format!("answer x{} {answer}", ask.0)
            }
            Message::Ask { ask, name, role, kin_wait } => {
                let role = match role {
                    Role::Coordinator => "",
                    Role::Holder => " holder",
                };
                let borrows = kin_wait.map(|wait| format!(" borrows={}ms", wait.as_millis()));
                let borrows = borrows.unwrap_or_default();
                format!("ask {} {}{role}{borrows}", self.ask_name(*ask), self.key(name))
            }
            Message::CallNumbers(told) => show_numbers(told),
            Message::Guest(word) => format!("guest {word:?}").to_lowercase(),
            Message::Origin { host: _, word } => show_origin(*word),
            Message::Claim { name } => format!("claim {}", self.key(name)),
            Message::Figures(figures) => format!("figures calls={}", figures.api_calls),
            Message::Forgotten { receipt } => format!("forgotten receipt={receipt}"),
            Message::Invalidate(notice) => show_notice(notice),
            Message::Membership(_) => return None,
            Message::Ping { token } => format!("ping {}", self.ask_name(AskId(*token))),
            Message::Pong { token, clock: _ } => format!("pong x{token}"),
            Message::Quota { payer, bucket, pause, shortage: _ } => {
                format!("quota payer={} bucket={} pause={}", show::payer(*payer), bucket.0, duration(*pause))
            }
            Message::Release { name, verdict } => {
                let (verdict, _) =
                    VERDICTS.iter().find(|(_, known)| known == verdict).expect("all are listed");
                format!("release {} {verdict}", self.key(name))
            }
            Message::WarmUp { skip } => format!("warm-up skip={skip}"),
            Message::WarmedUp { next } => {
                format!("warmed-up{}", next.map(|next| format!(" next={next}")).unwrap_or_default())
            }
        };
        let to: Vec<String> = to.iter().map(|peer| format!("p{}", peer.public_key()[0])).collect();
        Some(format!("send {} {said}", to.join(",")))
    }

    fn key(&self, name: &Name) -> String {
        show::key(self.keys.get(name).expect("the script spoke of it"))
    }

    fn ask_name(&mut self, ask: AskId) -> String {
        let known = self.asks.iter().position(|known| *known == ask);
        let at = known.unwrap_or_else(|| {
            self.asks.push(ask);
            self.asks.len() - 1
        });
        format!("a{}", at + 1)
    }
}

fn show_digest(Digest { receipt, mark, salt: _, sums }: &Digest) -> String {
    format!("digest receipt={receipt}{} sums={}", show_mark(*mark), sums.len())
}

fn show_notice(Notice { receipt, mark, invalidations }: &Notice) -> String {
    let shown = invalidations.iter().map(|it| format!(" {}{}", show_id(it.id), show::reach(&it.reach)));
    format!("invalidate receipt={receipt}{}{}", show_mark(*mark), shown.collect::<String>())
}

fn show_mark(mark: Option<Duration>) -> String {
    mark.map(|mark| format!(" mark={}", duration(mark))).unwrap_or_default()
}

/// `digest receipt=1 mark=30s 1.9 2.9`: of a member that remembers these.
fn digest(words: &mut Words<'_>) -> Message {
    let (receipt, mark) = (words.number_value("receipt", 0), words.duration_of("mark"));
    let mut known = Vec::new();
    while !words.is_empty() {
        known.push(invalidation_id(words.next("an invalidation")));
    }
    Message::Digest(Digest::of(known.into_iter(), receipt, mark, [1, 2]))
}

/// Nobody is at an address.
pub(crate) fn dial_failed(words: &mut Words<'_>) -> Input {
    Input::DialFailed { address: words.next("an address").into(), failure: DialError::Unreachable }
}

/// What a way of discovery has found: `way=0 at=ADDRESS,ADDRESS`.
pub(crate) fn found(words: &mut Words<'_>) -> Input {
    let way = Way(words.number_value("way", 0));
    let contacts = words.value("at").into_iter().flat_map(|it| it.split(',')).map(Contact::new).collect();
    Input::Found { way, contacts }
}

/// What the engine of a script is told about its fleet.
pub(crate) fn sharing(words: &mut Words<'_>) -> Sharing {
    let usual = SharingLimits::default();
    let mut limits = SharingLimits {
        ask_timeout: words.duration_value("ask", usual.ask_timeout),
        asks_max: words.number_value("asks", usual.asks_max),
        district_max: words.number_value("district", usual.district_max),
        attached_bytes_max: words.number_value("attached", usual.attached_bytes_max),
        lease_term: words.duration_value("term", usual.lease_term),
        leases_max: words.number_value("leases", usual.leases_max),
        lease_waiters_max: words.number_value("lease-waiters", usual.lease_waiters_max),
        unasked_bytes_per_second: words.number_value("unasked", usual.unasked_bytes_per_second),
        wait_timeout: words.duration_value("wait", usual.wait_timeout),
        ..usual
    };
    limits.freshness_max.lifetime = words.duration_value("lifetime", limits.freshness_max.lifetime);
    limits.warm_up.entries_max = words.number_value("warm-up", limits.warm_up.entries_max);
    Sharing {
        local: peer(0),
        boot: 1,
        own_addresses: Vec::new(),
        remembered: Vec::new(),
        contacts: words.value("contact").into_iter().flat_map(|it| it.split(',')).map(Contact::new).collect(),
        peers: PeerSettings {
            guest: guest(words),
            connections_max: words.number_value("connections", PeerSettings::default().connections_max),
            ways: words.number_value("ways", 0),
            ..PeerSettings::default()
        },
        ceiling: Arc::new(Names),
        naming: Arc::new(Names),
        seed: 1,
        salts: Salts::new(1),
        limits,
    }
}

fn guest_word(words: &mut Words<'_>) -> Message {
    Message::Guest(match words.next("a word") {
        "full" => GuestWord::Full,
        "joins" => GuestWord::Joins,
        "stays" => GuestWord::Stays,
        other => panic!("`{other}` is no word of guests"),
    })
}

fn show_district(Surroundings { depth, members_count, known, .. }: &Surroundings) -> String {
    format!("district depth={depth} members={members_count} known={}", known.len())
}

fn guest(words: &mut Words<'_>) -> Guest {
    match words.value("guest") {
        None | Some("never") => Guest::Never,
        Some("always") => Guest::Always,
        Some("auto") => Guest::Auto,
        Some(other) => panic!("`{other}` is no setting of guests"),
    }
}

/// A member tells of those with these numbers, and how many its district has.
fn district(words: &mut Words<'_>) -> Message {
    let members_count = words.number_value("members", 1);
    let known = words.value("known").into_iter().flat_map(|it| it.split(','));
    let known = known.map(|number| {
        let number: u64 = number.trim_start_matches('p').parse().expect("members are numbered");
        let member = Member::new(peer(number), 1, [format!("/ip4/10.0.0.{number}/tcp/9100")]);
        Known { member, depth: 0, members_count, age: Duration::ZERO }
    });
    Message::District(Surroundings { members_count, known: known.collect(), ..Surroundings::default() })
}

/// The member with this number.
pub(crate) fn peer(number: u64) -> PeerId {
    let number = u8::try_from(number).expect("a script has few members");
    PeerId::from_public_key([number; 32])
}

fn parcel(key: Key, words: &mut Words<'_>) -> Parcel {
    let after =
        words.value("after").into_iter().flat_map(|after| after.split(',')).map(invalidation_id).collect();
    let edition = edition(words);
    Parcel { key, after, draft: words.draft(), edition }
}

/// `edition=count.issuer`; the node itself issues under the number 1.
fn edition(words: &mut Words<'_>) -> Option<Edition> {
    let InvalidationId { count, issuer } = words.value("edition").map(invalidation_id)?;
    Some(Edition { issuer, count })
}

fn show_edition(edition: Option<Edition>) -> String {
    edition.map(|Edition { issuer, count }| format!(" edition={count}.{issuer}")).unwrap_or_default()
}

fn show_parcel(parcel: &Parcel) -> String {
    let Parcel { key, draft: Draft { content, freshness, validators, age }, after, edition } = parcel;
    let after: Vec<String> = after.iter().map(|id| show_id(*id)).collect();
    let after = if after.is_empty() { String::new() } else { format!(" after={}", after.join(",")) };
    let etag = validators.etag.as_ref().map(|etag| format!(" etag={etag}")).unwrap_or_default();
    format!(
        "{} age={} lifetime={}{etag}{after}{}{}",
        show::key(key),
        duration(*age),
        duration(freshness.lifetime),
        show_edition(*edition),
        show::body(content)
    )
}

fn show_id(id: InvalidationId) -> String {
    format!("{}.{}", id.count, id.issuer)
}

/// `count.issuer`; the node itself issues under the number 1.
fn invalidation_id(word: &str) -> InvalidationId {
    let parsed = word.split_once('.').and_then(|(count, issuer)| {
        Some(InvalidationId { count: count.parse().ok()?, issuer: issuer.parse().ok()? })
    });
    parsed.unwrap_or_else(|| panic!("`{word}` should be count.issuer"))
}

/// Names that put the members which a key lists at the head of those that could coordinate it.
#[derive(Debug)]
struct Names;

impl Ceiling for Names {
    fn most(&self, _key: &Key) -> Option<Freshness> {
        Some(Freshness {
            lifetime: Duration::MAX,
            while_revalidating: Duration::MAX,
            if_error: Duration::MAX,
        })
    }
}

impl Naming for Names {
    fn names(&self, key: &Key) -> Vec<Name> {
        vec![name_of(key)]
    }
}

/// The first of many digests under which the members weigh in the order that the key wants.
fn name_of(key: &Key) -> Name {
    let wanted = key.resource().split_once(':').map_or("p0", |(_, wanted)| wanted);
    let wanted: Vec<PeerId> = wanted
        .split('>')
        .map(|word| peer(word[1..].parse().unwrap_or_else(|_no_number| panic!("who coordinates {key:?}?"))))
        .collect();
    let candidates = (0_u32..1_000_000).map(|nonce| {
        let digest = |text: &str| {
            let mut bytes = [0; 32];
            for (at, chunk) in bytes.chunks_mut(8).enumerate() {
                let mut hasher = SipHasher13::new_with_keys(nonce.into(), at as u64);
                hasher.write(text.as_bytes());
                chunk.copy_from_slice(&hasher.finish().to_le_bytes());
            }
            bytes
        };
        Name::of(digest(key.resource()), digest(key.as_str()))
    });
    let fits = |name: &Name| {
        let mut members: Vec<PeerId> = (0..=MEMBERS_LAST).map(peer).collect();
        members.sort_by_key(|member| std::cmp::Reverse(weight(*member, name)));
        members.starts_with(&wanted)
    };
    candidates.into_iter().find(fits).expect("one in some hundreds fits")
}

/// As the engine weighs members; if it changed, the scripts would show it.
fn weight(member: PeerId, name: &Name) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(member.public_key());
    hasher.write(&name.kinship());
    hasher.finish()
}

/// The highest number of a member.
const MEMBERS_LAST: u64 = 5;

const VERDICTS: [(&str, Verdict); 3] =
    [("failed", Verdict::Failed), ("unshareable", Verdict::Unshareable), ("unused", Verdict::Unused)];

fn quota(words: &mut Words<'_>) -> Message {
    Message::Quota {
        payer: words.value("payer").map_or(Payer::HOST, payer),
        bucket: Bucket(words.number_value("bucket", 0)),
        pause: words.duration_value("pause", Duration::ZERO),
        shortage: match words.flag("spent") {
            true => Shortage::Window { limit: 5_000, used: 5_000 },
            false => Shortage::Pace,
        },
    }
}

/// The last of so many calls in a row showed so much.
fn numbers(words: &mut Words<'_>) -> Message {
    let calls = words.number_value("calls", 1);
    let told = words.allowance().map(|shown| call_numbers(shown, calls));
    Message::CallNumbers(told.into_iter().collect())
}

/// The last of so many calls in a row showed this.
fn call_numbers(shown: Allowance, calls: u64) -> CallNumbers {
    let Allowance { payer, resource, window: Window { limit, reset, used, .. }, .. } = shown;
    let words = [u64::MAX >> (64 - calls)];
    let numbers = Numbers::from_words(used, &words).expect("calls are at most those used, and 64");
    CallNumbers { payer, resource, limit, reset, numbers }
}

/// The highest number of each payer's calls, and how many there are.
fn show_numbers(told: &[CallNumbers]) -> String {
    let shown = told.iter().map(|CallNumbers { payer, resource, numbers, .. }| {
        let calls: u32 = numbers.words().iter().map(|word| word.count_ones()).sum();
        format!(" {}/{resource}/{} calls={calls}", show::payer(*payer), numbers.last())
    });
    format!("numbers{}", shown.collect::<String>())
}

fn origin(words: &mut Words<'_>) -> OriginWord {
    let since = words.duration_value("since", Duration::ZERO);
    match words.next("a word on the origin") {
        "failing" => OriginWord::Failing { since },
        "reached" => OriginWord::Reached { since },
        "trying" => OriginWord::Trying,
        other => panic!("`{other}` is no word on the origin"),
    }
}

fn show_origin(word: OriginWord) -> String {
    match word {
        OriginWord::Failing { since } => format!("origin failing since={}", duration(since)),
        OriginWord::Reached { since } => format!("origin reached since={}", duration(since)),
        OriginWord::Trying => "origin trying".into(),
    }
}

/// A member has begun so many new writes.
fn writes(words: &mut Words<'_>) -> Message {
    let (payer, writer) = (payer(words.next("a payer")), peer(words.number('p')));
    let mut by_age = [0; Writes::AGES.len()];
    by_age[0] = words.number_value("new", 0);
    Message::Writes(Writes { payer, writer, total: words.number_value("total", 0), by_age })
}

fn show_writes(told: &Writes) -> String {
    let writer = format!("p{}", told.writer.public_key()[0]);
    let ages = told.by_age.iter().zip(Writes::AGES).filter(|(count, _)| **count > 0);
    let ages = ages.map(|(count, age)| format!(" {count}@{}", duration(age)));
    format!("writes {} {}{}", show::payer(told.payer), writer, ages.collect::<String>())
}

fn show_allowances(told: &[Allowance]) -> String {
    let shown =
        told.iter().map(|it| format!(" {}/{}/{}", show::payer(it.payer), it.resource, it.window.used));
    format!("allowances{}", shown.collect::<String>())
}
