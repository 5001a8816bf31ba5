//! Entries and messages read by hand: what [`cache_core::codec`] must come to as well.

use crate::reader::Reader;
use bytes::Bytes;
use cache_core::{
    Allowance, AskId, BODY_BYTES_MAX, Bucket, CallNumbers, Content, Domain, Draft, Entry, Figures,
    HEADERS_BYTES_MAX, Headers, KEY_BYTES_MAX, Key, Member, Message, Name, Numbers, Payer, PeerId,
    RESOURCE_BYTES_MAX, Shortage, Timestamp, Validators, Window,
    freshness::Freshness,
    message::{
        AFTER_MAX, ALLOWANCES_TOLD_MAX, Announced, Answer, CALL_NUMBERS_TOLD_MAX, DIGEST_SUMS_MAX, Digest,
        Edition, GuestWord, INVALIDATIONS_MAX, Invalidation, InvalidationId, KNOWN_TOLD_MAX, Known, Notice,
        ORIGIN_BYTES_MAX, OriginWord, Parcel, REACH_BYTES_MAX, Reach, Role, SCOPES_MAX, SETTLE_MAX, Scope,
        Surroundings, Verdict, Writes,
    },
};
use std::time::Duration;

/// The entry that `bytes` are, if they are exactly one.
pub fn entry(bytes: &[u8]) -> Option<Entry> {
    let mut reader = Reader::new(bytes);
    let record = Record::read(&mut reader)?;
    ended(&reader)?;
    Some(Entry::new(record.key, record.draft, Timestamp::from_unix_millis(record.born), record.generation))
}

/// The message that `bytes` begin with, if it is one of version 1 and of a kind that it had at first.
pub fn message(bytes: &[u8]) -> Option<Message> {
    let mut reader = Reader::new(bytes);
    if reader.byte()? != 1 {
        return None;
    }
    any_message(&mut reader)
}

fn ended(reader: &Reader<'_>) -> Option<()> {
    reader.rest().is_empty().then_some(())
}

fn any_message(reader: &mut Reader<'_>) -> Option<Message> {
    Some(match reader.u32()? {
        0 => Message::Announce(Announced::Named {
            name: name(reader)?,
            remaining: millis(reader)?,
            age: millis(reader)?,
            edition: reader.option(edition)?,
        }),
        1 => Message::Announce(Announced::Whole(Box::new(parcel(reader)?))),
        2 => Message::Answer { ask: AskId(reader.u64()?), answer: answer(reader)? },
        3 => Message::Ask {
            ask: AskId(reader.u64()?),
            name: name(reader)?,
            role: if reader.flag()? { Role::Coordinator } else { Role::Holder },
            kin_wait: None,
        },
        4 => Message::Claim { name: name(reader)? },
        5 => Message::Figures(Figures {
            api_calls: reader.u64()?,
            hits: reader.u64()?,
            peer_hits: reader.u64()?,
            misses: reader.u64()?,
            entries: reader.u64()?,
        }),
        6 => Message::Invalidate(notice(reader)?),
        7 => Message::Membership(Bytes::copy_from_slice(reader.bytes()?)),
        8 => Message::Ping { token: reader.u64()? },
        9 => Message::Pong { token: reader.u64()?, clock: Timestamp::from_unix_millis(reader.u64()?) },
        10 => Message::Quota {
            payer: Payer::from_bytes(reader.array()?),
            bucket: Bucket(reader.byte()?),
            pause: millis(reader)?,
            shortage: match reader.option(Reader::u64)? {
                Some(limit) => Shortage::Window { limit, used: reader.u64()? },
                None => Shortage::Pace,
            },
        },
        11 => Message::Release { name: name(reader)?, verdict: verdict(reader)? },
        12 => Message::WarmUp { skip: reader.u32()? },
        13 => Message::WarmedUp { next: reader.option(Reader::u32)? },
        14 => Message::Forgotten { receipt: reader.u64()? },
        15 => Message::Ask {
            ask: AskId(reader.u64()?),
            name: name(reader)?,
            role: Role::Coordinator,
            kin_wait: Some(millis(reader)?),
        },
        16 => Message::District(Surroundings {
            depth: reader.byte()?,
            members_count: reader.u32()?,
            wants_others: reader.flag()?,
            known: reader.list(known).filter(|list| list.len() <= KNOWN_TOLD_MAX)?,
        }),
        17 => Message::Announce(Announced::ToPassOn(Box::new(parcel(reader)?))),
        18 => Message::Invalidate(settling_notice(reader)?),
        19 => Message::Allowances(reader.list(allowance).filter(|list| list.len() <= ALLOWANCES_TOLD_MAX)?),
        20 => Message::CallNumbers(
            reader.list(call_numbers).filter(|list| list.len() <= CALL_NUMBERS_TOLD_MAX)?,
        ),
        21 => origin(reader)?,
        22 => writes(reader)?,
        23 => digest(reader)?,
        24 => guest_word(reader)?,
        _unknown => return None,
    })
}

/// What is said between guests and members.
fn guest_word(reader: &mut Reader<'_>) -> Option<Message> {
    Some(Message::Guest(match reader.u32()? {
        0 => GuestWord::Full,
        1 => GuestWord::Joins,
        2 => GuestWord::Stays,
        _unknown => return None,
    }))
}

/// Numbers of calls, the highest of which is one; none is zero, and no word at the end is.
fn call_numbers(reader: &mut Reader<'_>) -> Option<CallNumbers> {
    let (payer, resource) = (Payer::from_bytes(reader.array()?), Box::<str>::from(reader.text()?));
    let (limit, reset) = (reader.u64()?, Timestamp::from_unix_millis(reader.u64()?));
    let (last, words) = (reader.u64()?, reader.list(Reader::u64)?);
    let is_printable = resource.bytes().all(|byte| byte.is_ascii_graphic());
    let is_whole = words.first()? & 1 == 1 && *words.last()? != 0 && words.len() <= 8;
    let numbers = (0..512_u64)
        .filter(|back| words.get(*back as usize / 64).is_some_and(|it| it >> (back % 64) & 1 == 1));
    let are_numbers = numbers.clone().all(|back| last > back);
    let numbers = Numbers::from_words(last, &words)?;
    (is_printable && resource.len() <= RESOURCE_BYTES_MAX && is_whole && are_numbers).then_some(CallNumbers {
        payer,
        resource,
        limit,
        reset,
        numbers,
    })
}

/// What a member remembers, in few bytes.
fn digest(reader: &mut Reader<'_>) -> Option<Message> {
    let (receipt, mark) = (reader.u64()?, reader.option(millis)?);
    let salt = [u64::from_le_bytes(reader.array()?), u64::from_le_bytes(reader.array()?)];
    let sums = reader.list(|reader| reader.array().map(u64::from_le_bytes))?;
    (sums.len() <= DIGEST_SUMS_MAX).then_some(Message::Digest(Digest { receipt, mark, salt, sums }))
}

/// How many writes a member has begun.
fn writes(reader: &mut Reader<'_>) -> Option<Message> {
    let (payer, writer) = (Payer::from_bytes(reader.array()?), PeerId::from_public_key(reader.array()?));
    let (total, mut by_age) = (reader.u64()?, [0; Writes::AGES.len()]);
    for count in &mut by_age {
        *count = reader.u32()?;
    }
    Some(Message::Writes(Writes { payer, writer, total, by_age }))
}

/// What is said of an origin whose host can be printed.
fn origin(reader: &mut Reader<'_>) -> Option<Message> {
    let host: Box<str> = reader.text()?.into();
    let word = match reader.u32()? {
        0 => OriginWord::Failing { since: millis(reader)? },
        1 => OriginWord::Reached { since: millis(reader)? },
        2 => OriginWord::Trying,
        _unknown => return None,
    };
    let is_printable = host.bytes().all(|byte| byte.is_ascii_graphic());
    (is_printable && host.len() <= ORIGIN_BYTES_MAX).then_some(Message::Origin { host, word })
}

/// How an allowance stands whose name can be printed.
fn allowance(reader: &mut Reader<'_>) -> Option<Allowance> {
    let (payer, domain) = (Payer::from_bytes(reader.array()?), Domain::from_bytes(reader.array()?));
    let resource: Box<str> = reader.text()?.into();
    let bucket = match reader.byte()? {
        0 => None,
        1 => Some(Bucket(reader.byte()?)),
        _neither => return None,
    };
    let (limit, remaining, used) = (reader.u64()?, reader.u64()?, reader.u64()?);
    let reset = Timestamp::from_unix_millis(reader.u64()?);
    let is_printable = resource.bytes().all(|byte| byte.is_ascii_graphic());
    let window = Window { limit, remaining, used, reset };
    let allowance = Allowance { payer, domain, resource, bucket, window };
    (is_printable && allowance.resource.len() <= RESOURCE_BYTES_MAX).then_some(allowance)
}

/// A member whose every address is a place, without any id.
fn known(reader: &mut Reader<'_>) -> Option<Known> {
    let (peer, boot) = (PeerId::from_public_key(reader.array()?), reader.u64()?);
    let places = reader.list(|reader| reader.text().map(str::to_owned))?;
    let member = Member::new(peer, boot, &places);
    let told: Vec<String> = member.addresses().collect();
    let expected: Vec<String> = places.iter().map(|place| format!("{place}/p2p/{peer}")).collect();
    let (depth, members_count, age) = (reader.byte()?, reader.u32()?, millis(reader)?);
    (told == expected).then_some(Known { member, depth, members_count, age })
}

fn answer(reader: &mut Reader<'_>) -> Option<Answer> {
    Some(match reader.u32()? {
        0 => Answer::Failed,
        1 => Answer::Hit(Box::new(parcel(reader)?)),
        2 => Answer::Lease { name: name(reader)?, stale: reader.option(parcel)?.map(Box::new) },
        3 => Answer::Miss,
        4 => Answer::Wait,
        _unknown => return None,
    })
}

fn verdict(reader: &mut Reader<'_>) -> Option<Verdict> {
    match reader.u32()? {
        0 => Some(Verdict::Failed),
        1 => Some(Verdict::Unshareable),
        2 => Some(Verdict::Unused),
        _unknown => None,
    }
}

/// The age stands where a record on disk has its moment.
fn parcel(reader: &mut Reader<'_>) -> Option<Parcel> {
    let Record { key, draft, born, .. } = Record::read(reader)?;
    let after = reader.list(|reader| {
        let (count, issuer) = (reader.u64()?, reader.u64()?);
        Some(InvalidationId { count, issuer })
    })?;
    let draft = Draft { age: Duration::from_millis(born), ..draft };
    let edition = reader.option(edition)?;
    (after.len() <= AFTER_MAX).then_some(Parcel { key, draft, after, edition })
}

fn edition(reader: &mut Reader<'_>) -> Option<Edition> {
    let (count, issuer) = (reader.u64()?, reader.u64()?);
    Some(Edition { issuer, count })
}

fn notice(reader: &mut Reader<'_>) -> Option<Notice> {
    let (receipt, mark) = (reader.u64()?, reader.option(millis)?);
    let invalidations = reader.list(invalidation).filter(|list| list.len() <= INVALIDATIONS_MAX)?;
    Some(Notice { receipt, mark, invalidations })
}

fn settling_notice(reader: &mut Reader<'_>) -> Option<Notice> {
    let mut notice = notice(reader)?;
    let settle = reader.list(millis).filter(|list| list.len() <= INVALIDATIONS_MAX)?;
    for (invalidation, settle) in notice.invalidations.iter_mut().zip(settle) {
        invalidation.reach.settle = settle.min(SETTLE_MAX);
    }
    Some(notice)
}

fn invalidation(reader: &mut Reader<'_>) -> Option<Invalidation> {
    let id = InvalidationId { count: reader.u64()?, issuer: reader.u64()? };
    let age = millis(reader)?;
    let reach = Reach { forgotten: scopes(reader)?, doubted: scopes(reader)?, ..Reach::default() };
    Some(Invalidation { id, reach, age })
}

fn scopes(reader: &mut Reader<'_>) -> Option<Vec<Scope>> {
    let scopes = reader.list(scope).filter(|scopes| scopes.len() <= SCOPES_MAX)?;
    let texts = scopes.iter().map(|scope| match scope {
        Scope::Key(key) => key.as_str().len(),
        Scope::Prefix { prefix, .. } | Scope::Signposts { prefix } => prefix.len(),
    });
    (texts.sum::<usize>() <= REACH_BYTES_MAX).then_some(scopes)
}

fn scope(reader: &mut Reader<'_>) -> Option<Scope> {
    let prefix = |reader: &mut Reader<'_>| Some(reader.text().filter(|it| it.len() <= KEY_BYTES_MAX)?.into());
    Some(match reader.u32()? {
        0 => Scope::Key(Key::from_text(reader.text()?)?),
        1 => Scope::Prefix {
            prefix: prefix(reader)?,
            domain: reader.option(Reader::array)?.map(Domain::from_bytes),
        },
        2 => Scope::Signposts { prefix: prefix(reader)? },
        _unknown => return None,
    })
}

fn name(reader: &mut Reader<'_>) -> Option<Name> {
    reader.array().map(Name::from_bytes)
}

fn millis(reader: &mut Reader<'_>) -> Option<Duration> {
    reader.u64().map(Duration::from_millis)
}

struct Record {
    key: Key,
    born: u64,
    generation: u64,
    draft: Draft,
}

impl Record {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let key = reader.text()?;
        let (born, generation) = (reader.u64()?, reader.u64()?);
        let freshness = Freshness {
            lifetime: millis(reader)?,
            while_revalidating: millis(reader)?,
            if_error: millis(reader)?,
        };
        let validators = Validators {
            etag: reader.option(Reader::text)?.map(Box::from),
            etag_scope: reader.option(Reader::array)?,
            last_modified: reader.option(Reader::text)?.map(Box::from),
        };
        let status = reader.u16()?;
        let fields = reader.list(|reader| Some((reader.text()?, reader.bytes()?)))?;
        let body = reader.bytes()?;
        let fields_bytes: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        if fields.len() > FIELDS_MAX || fields_bytes > HEADERS_BYTES_MAX || body.len() > BODY_BYTES_MAX {
            return None;
        }
        let content =
            Content { status, headers: Headers::from_fields(fields), body: Bytes::copy_from_slice(body) };
        let draft = Draft { content, freshness, validators, age: Duration::ZERO };
        Some(Self { key: Key::from_text(key)?, born, generation, draft })
    }
}

/// A field weighs 32 bytes besides its name and value.
const FIELDS_MAX: usize = HEADERS_BYTES_MAX / 32;
