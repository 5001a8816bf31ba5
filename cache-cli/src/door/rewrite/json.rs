//! Rewriting a JSON text without parsing it: piece by piece, in a bounded window.
//!
//! Follows objects, lists and strings just closely enough to know under which keys a string lies. What is not JSON
//! passes as it is, and so does everything deeper than [`DEPTH_MAX`].

use super::fields::{KEY_BYTES_MAX, Meaning, meaning};
use memchr::memchr2;
use std::sync::Arc;

/// Rewrites one JSON text.
pub(crate) struct JsonRewriter {
    bases: Arc<[Box<[u8]>]>,
    target: Box<[u8]>,
    levels: Vec<Level>,
    /// How many levels there are beyond those.
    deeper: usize,
    state: State,
    key: Vec<u8>,
    /// What the next value is.
    next: Place,
    /// The beginning of a URL that may be the API's.
    held: Vec<u8>,
    rewritten: usize,
}

/// The kind of keys that an object has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// Keys of the API's own objects.
    Api,
    /// Keys of one link, such as its URL.
    Link,
    /// Names of links, each with a link.
    Links,
    /// Keys that are not the API's.
    Other,
    /// Not an object, but a URL of the API, if it is a string.
    Url,
}

#[derive(Clone, Copy)]
struct Level {
    place: Place,
    is_object: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Before a key, if in an object.
    Key,
    /// Inside the text of a key.
    InKey,
    /// In a string, and whether the next byte is escaped.
    InString { escaped: bool },
    /// At the beginning of a string that may be a URL of the API.
    InUrl,
    /// Before or behind a value.
    Value,
}

impl JsonRewriter {
    /// Puts `target` in place of any of `bases` where the API has its own URLs.
    pub(super) fn new(bases: Arc<[Box<[u8]>]>, target: &str) -> Self {
        Self {
            bases,
            target: target.as_bytes().into(),
            levels: Vec::new(),
            deeper: 0,
            state: State::Value,
            key: Vec::new(),
            next: Place::Api,
            held: Vec::new(),
            rewritten: 0,
        }
    }

    /// What may be sent on once `piece` has come; at most the beginning of one URL is held back.
    pub(crate) fn feed(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(piece.len() + self.held.len());
        let mut at = 0;
        while let Some(byte) = piece.get(at) {
            let passed = match self.state {
                State::InString { escaped } => self.in_string(&piece[at..], escaped),
                State::InUrl => {
                    if self.in_url(*byte, &mut out) {
                        at += 1;
                    }
                    continue;
                }
                State::InKey => self.in_key(&piece[at..]),
                State::Key | State::Value => {
                    self.between(*byte);
                    1
                }
            };
            out.extend_from_slice(&piece[at..at + passed]);
            at += passed;
        }
        out
    }

    /// What was held back.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// How many URLs were rewritten.
    pub(super) fn rewritten(&self) -> usize {
        self.rewritten
    }

    fn between(&mut self, byte: u8) {
        match byte {
            b'{' => self.enter(true),
            b'[' => self.enter(false),
            b'}' | b']' => self.leave(),
            b',' => self.continue_level(),
            b':' => self.state = State::Value,
            b'"' if self.state == State::Key => {
                self.key.clear();
                self.state = State::InKey;
            }
            // A link is an object with a `href`, or nothing but its URL.
            b'"' if matches!(self.next, Place::Link | Place::Url) => self.state = State::InUrl,
            b'"' => self.state = State::InString { escaped: false },
            _other => {}
        }
    }

    fn enter(&mut self, is_object: bool) {
        if self.deeper > 0 || self.levels.len() == DEPTH_MAX {
            self.deeper += 1;
            self.next = Place::Other;
        } else {
            // A URL was expected, and this is not one.
            let place = if self.next == Place::Url { Place::Other } else { self.next };
            self.levels.push(Level { place, is_object });
        }
        self.continue_level();
    }

    fn leave(&mut self) {
        if self.deeper > 0 {
            self.deeper -= 1;
        } else {
            self.levels.pop();
        }
        self.state = State::Value;
        self.next = Place::Other;
    }

    /// Prepares for the next element of the innermost object or list.
    fn continue_level(&mut self) {
        let level = self.levels.last().filter(|_level| self.deeper == 0);
        (self.state, self.next) = match level {
            Some(Level { is_object: true, .. }) => (State::Key, Place::Other),
            Some(Level { is_object: false, place }) => (State::Value, *place),
            None => (State::Value, Place::Other),
        };
    }

    fn in_key(&mut self, rest: &[u8]) -> usize {
        let Some(end) = memchr2(b'"', b'\\', rest) else {
            self.note_key(rest);
            return rest.len();
        };
        if rest[end] == b'\\' {
            // A key that holds escapes is not one of GitHub's; a link may have any name.
            let names_links = self.levels.last().is_some_and(|level| level.place == Place::Links);
            self.next = if names_links { Place::Link } else { Place::Other };
            self.state = State::InString { escaped: true };
            return end + 1;
        }
        self.note_key(&rest[..end]);
        let place = self.levels.last().map_or(Place::Other, |level| level.place);
        self.next = match (place, meaning(&self.key)) {
            (Place::Api, Meaning::Known) => Place::Api,
            (Place::Api, Meaning::Links) => Place::Links,
            (Place::Api, Meaning::Url) => Place::Url,
            (Place::Links, _) => Place::Link,
            (Place::Link, _) if self.key == b"href" => Place::Url,
            (Place::Api | Place::Link | Place::Other | Place::Url, _) => Place::Other,
        };
        self.state = State::Value;
        end + 1
    }

    fn note_key(&mut self, bytes: &[u8]) {
        let room = (KEY_BYTES_MAX + 1).saturating_sub(self.key.len());
        self.key.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn in_string(&mut self, rest: &[u8], escaped: bool) -> usize {
        let mut at = usize::from(escaped);
        loop {
            match memchr2(b'"', b'\\', rest.get(at..).unwrap_or_default()) {
                None => {
                    self.state = State::InString { escaped: at > rest.len() };
                    return rest.len();
                }
                Some(found) if rest[at + found] == b'"' => {
                    self.state = State::Value;
                    return at + found + 1;
                }
                Some(found) => at += found + 2,
            }
        }
    }

    /// Takes one byte of what may be a base; false if it belongs to the rest of the string.
    fn in_url(&mut self, byte: u8, out: &mut Vec<u8>) -> bool {
        self.held.push(byte);
        if self.bases.iter().any(|base| **base == *self.held) {
            out.extend_from_slice(&self.target);
            self.rewritten += 1;
            self.held.clear();
            self.state = State::InString { escaped: false };
            return true;
        }
        if self.bases.iter().any(|base| base.starts_with(&self.held)) {
            return true;
        }
        self.held.pop();
        out.append(&mut self.held);
        self.state = State::InString { escaped: false };
        false
    }
}

/// Deepest nesting that is followed; GitHub's own goes to eight.
const DEPTH_MAX: usize = 32;
