//! The words of one input line: `verb plain.. flag.. name=value..`.
//!
//! A mistake in a script is a mistake of its author, so it panics with the line at fault.

use super::player::BEGINNING;
use cache_core::{
    Allowance, Bucket, Content, Disk, Domain, Draft, Key, Payer, Priority, Reach, Reserves, Scope, Settings,
    Timestamp, Validators, Window, WritePace,
    freshness::{Directives, Freshness, Grant},
    port::Budget,
};
use std::{num::NonZeroU32, str::FromStr, time::Duration};

/// One line, taken apart word by word.
pub(crate) struct Words<'a> {
    line: &'a str,
    words: Vec<&'a str>,
}

impl<'a> Words<'a> {
    pub(crate) fn of(line: &'a str) -> Self {
        Self { line, words: line.split_whitespace().collect() }
    }

    /// The next plain word.
    pub(crate) fn next(&mut self, what: &str) -> &'a str {
        assert!(!self.words.is_empty(), "`{}` lacks {what}", self.line);
        self.words.remove(0)
    }

    /// The number in a name such as `r7`.
    pub(crate) fn number(&mut self, letter: char) -> u64 {
        let word = self.next("a name");
        let number = word.strip_prefix(letter).and_then(|number| number.parse().ok());
        number.unwrap_or_else(|| panic!("`{word}` in `{}` should be {letter} and a number", self.line))
    }

    /// The one of `begun` that a name such as `f2` stands for.
    pub(crate) fn begun<T: Copy>(&mut self, letter: char, begun: &[T]) -> T {
        let number = usize::try_from(self.number(letter)).expect("scripts are short");
        let found = number.checked_sub(1).and_then(|at| begun.get(at));
        *found.unwrap_or_else(|| panic!("`{}`: nothing of that name was begun", self.line))
    }

    pub(crate) fn key(&mut self) -> Key {
        key(self.next("a key"))
    }

    /// The key of another domain that comes with a lease.
    pub(crate) fn lent(&mut self) -> Option<Key> {
        self.value("lent").map(key)
    }

    pub(crate) fn duration(&mut self) -> Duration {
        let word = self.next("a time");
        self.parse_duration(word)
    }

    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let at = self.words.iter().position(|word| *word == name);
        at.map(|at| self.words.remove(at)).is_some()
    }

    pub(crate) fn value(&mut self, name: &str) -> Option<&'a str> {
        let value = |word: &'a str| word.strip_prefix(name)?.strip_prefix('=');
        let at = self.words.iter().position(|word| value(word).is_some())?;
        value(self.words.remove(at))
    }

    pub(crate) fn number_value<T: FromStr>(&mut self, name: &str, default: T) -> T {
        let Some(value) = self.value(name) else {
            return default;
        };
        value.parse().unwrap_or_else(|_no_number| panic!("`{name}` in `{}` is no number", self.line))
    }

    /// How much a request matters.
    pub(crate) fn priority(&mut self) -> Priority {
        self.value("priority").map_or_else(Priority::default, |word| word.parse().expect("it is a priority"))
    }

    fn reserves(&mut self) -> Reserves {
        let classes = [Priority::Batch, Priority::Normal];
        classes.into_iter().fold(Reserves::NONE, |reserves, class| {
            reserves.with(class, self.number_value(class.name(), 0)).expect("it is a percentage")
        })
    }

    /// What the origin shows of an allowance: `shown=DOMAIN/RESOURCE/USED`, of 5,000 calls in the first bucket, in a window
    /// that is over, or that ends with the first hour if there is `in-window` besides.
    pub(crate) fn allowance(&mut self) -> Option<Allowance> {
        let shown = self.value("shown")?;
        let hour = BEGINNING.saturating_add(Duration::from_secs(3600));
        let reset = if self.flag("in-window") { hour } else { Timestamp::default() };
        let [name, resource, used] = *shown.split('/').collect::<Vec<_>>() else {
            panic!("`shown` in `{}` is no domain, resource and number", self.line)
        };
        let (domain, used) = (domain(name), used.parse().expect("what is used is a number"));
        let window = Window { limit: 5_000, remaining: 5_000 - used, used, reset };
        let bucket = (resource == "core").then_some(Bucket(0));
        Some(Allowance { payer: Payer::from(domain), domain, resource: resource.into(), bucket, window })
    }

    pub(crate) fn duration_of(&mut self, name: &str) -> Option<Duration> {
        self.value(name).map(|value| self.parse_duration(value))
    }

    pub(crate) fn duration_value(&mut self, name: &str, default: Duration) -> Duration {
        self.value(name).map_or(default, |value| self.parse_duration(value))
    }

    /// All words that are left: keys, `prefix=` and `signposts=` that are forgotten, and after `doubt` such as are doubted; and
    /// `settle=`.
    pub(crate) fn reach(&mut self) -> Reach {
        let mut reach = Reach::default().settling(self.duration_value("settle", Duration::ZERO));
        let mut scopes = &mut reach.forgotten;
        while !self.is_empty() {
            let word = self.next("a scope");
            scopes.push(match word.split_once('=') {
                Some(("prefix", prefix)) => match prefix.split_once('@') {
                    None => Scope::Prefix { prefix: prefix.into(), domain: None },
                    Some((prefix, name)) => {
                        Scope::Prefix { prefix: prefix.into(), domain: Some(domain(name)) }
                    }
                },
                Some(("signposts", prefix)) => Scope::Signposts { prefix: prefix.into() },
                _ if word == "doubt" => {
                    scopes = &mut reach.doubted;
                    continue;
                }
                _ => Scope::Key(key(word)),
            });
        }
        reach
    }

    /// The words up to `separator`, which is taken away with them.
    pub(crate) fn until(&mut self, separator: &str) -> Self {
        let at = self.words.iter().position(|word| *word == separator).unwrap_or(self.words.len());
        let rest = self.words.split_off((at + 1).min(self.words.len()));
        let mut words = std::mem::replace(&mut self.words, rest);
        words.truncate(at);
        Self { line: self.line, words }
    }

    /// Makes sure that every word was understood.
    pub(crate) fn end(&self) {
        assert!(self.words.is_empty(), "`{}`: what is {:?}?", self.line, self.words);
    }

    /// Whether every word was taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    pub(crate) fn settings(&mut self) -> Settings {
        let usual = Settings::default();
        let disk = match self.value("disk") {
            Some("present") => Disk::Present,
            None | Some("absent") => Disk::Absent,
            Some(other) => panic!("disk={other}"),
        };
        Settings {
            budget: Budget {
                entries_max: self.number_value("entries", usual.budget.entries_max),
                bytes_max: self.number_value("bytes", usual.budget.bytes_max),
            },
            calls_at_once: self.number_value("at-once", usual.calls_at_once),
            disk,
            fetch_timeout: self.duration_value("fetch", usual.fetch_timeout),
            flights_max: self.number_value("flights", usual.flights_max),
            hold_off: self.duration_value("hold-off", usual.hold_off),
            leaders_max: self.number_value("leaders", usual.leaders_max),
            load_timeout: self.duration_value("load", usual.load_timeout),
            origin: usual.origin,
            reserves: self.reserves(),
            request_timeout: self.duration_value("request", usual.request_timeout),
            retention: self.duration_value("retention", usual.retention),
            writes: self.pace(usual.writes),
            waiters_max: self.number_value("waiters", usual.waiters_max),
        }
    }

    /// How writes are bounded; 0 is for no bound.
    pub(crate) fn pace(&mut self, usual: WritePace) -> WritePace {
        let number = |bound: Option<NonZeroU32>| bound.map_or(0, NonZeroU32::get);
        WritePace {
            per_minute: NonZeroU32::new(self.number_value("writes-per-minute", number(usual.per_minute))),
            per_hour: NonZeroU32::new(self.number_value("writes-per-hour", number(usual.per_hour))),
            wait: self.duration_value("write-wait", usual.wait),
        }
    }

    pub(crate) fn directives(&mut self) -> Directives {
        let max_stale = if self.flag("max-stale") { Duration::MAX } else { Duration::ZERO };
        Directives {
            max_age: self.value("max-age").map(|value| self.parse_duration(value)),
            min_fresh: self.duration_value("min-fresh", Duration::ZERO),
            max_stale: self.duration_value("max-stale", max_stale),
            no_cache: self.flag("no-cache"),
            only_if_cached: self.flag("only-if-cached"),
            grant: self.grant(),
        }
    }

    /// `most-lifetime= most-while-revalidating= most-if-error= born-from=`, the last in seconds from the start.
    fn grant(&mut self) -> Grant {
        let born_from = self.duration_value("born-from", Duration::ZERO);
        Grant {
            most: Freshness {
                lifetime: self.duration_value("most-lifetime", Duration::MAX),
                while_revalidating: self.duration_value("most-while-revalidating", Duration::MAX),
                if_error: self.duration_value("most-if-error", Duration::MAX),
            },
            born_from: if born_from.is_zero() {
                Timestamp::default()
            } else {
                BEGINNING.saturating_add(born_from)
            },
        }
    }

    /// `lifetime= while-revalidating= if-error= age= etag= status= body=` or `bytes=`.
    pub(crate) fn draft(&mut self) -> Draft {
        Draft {
            freshness: Freshness {
                lifetime: self.duration_value("lifetime", Duration::ZERO),
                while_revalidating: self.duration_value("while-revalidating", Duration::ZERO),
                if_error: self.duration_value("if-error", Duration::ZERO),
            },
            validators: Validators {
                etag: self.value("etag").map(Box::from),
                etag_scope: None,
                last_modified: None,
            },
            age: self.duration_value("age", Duration::ZERO),
            content: self.content(200),
        }
    }

    pub(crate) fn content(&mut self, status: u16) -> Content {
        let status = self.number_value("status", status);
        let body = match self.value("body") {
            Some(body) => String::from(body),
            None => "x".repeat(self.number_value("bytes", 0)),
        };
        Content { status, ..Content::of_value(body) }
    }

    fn parse_duration(&self, word: &str) -> Duration {
        duration(word).unwrap_or_else(|| panic!("`{}`: what time is `{word}`?", self.line))
    }
}

/// A time such as `61s`.
fn duration(word: &str) -> Option<Duration> {
    let at = word.find(|letter: char| letter.is_ascii_alphabetic())?;
    let (count, unit) = word.split_at(at);
    let count: u64 = count.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(count)),
        "s" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_secs(60 * count)),
        "h" => Some(Duration::from_secs(3600 * count)),
        "d" => Some(Duration::from_secs(86_400 * count)),
        _unknown => None,
    }
}

/// `resource` for the anonymous domain, or `resource@name` for another.
fn key(word: &str) -> Key {
    match word.split_once('@') {
        None => Key::new(word, Domain::ANONYMOUS),
        Some((resource, name)) => Key::new(resource, domain(name)),
    }
}

/// The payer of the domain with this name.
pub(crate) fn payer(name: &str) -> Payer {
    Payer::from(domain(name))
}

pub(crate) fn domain(name: &str) -> Domain {
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    Domain::from_bytes(bytes)
}
