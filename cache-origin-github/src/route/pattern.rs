//! Patterns that paths are compared with, quickly.

use crate::canonical;

/// The patterns of one route: by name, and by number where GitHub has both.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Route(Box<[Pattern]>);

impl Route {
    pub(crate) fn new(pattern: &str) -> Self {
        let pattern = canonical::lower_names(pattern);
        let by_number = BY_NUMBER.iter().find_map(|(by_name, by_number)| {
            Some(Pattern::new(&format!("{by_number}{}", pattern.strip_prefix(by_name)?)))
        });
        Self(std::iter::once(Pattern::new(&pattern)).chain(by_number).collect())
    }

    /// Whether it is the route of `path`, given from the API's root and without a query.
    pub(crate) fn fits(&self, path: &str) -> bool {
        self.0.iter().any(|pattern| pattern.fits(path))
    }

    pub(super) fn patterns(&self) -> &[Pattern] {
        &self.0
    }
}

/// A pattern cut into the literal texts between its wildcards.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Pattern {
    pieces: Box<[Piece]>,
    guard: Guard,
}

/// What a path must have for the pattern to be worth trying. Spares a look-up nearly all patterns, at the
/// cost of comparing two numbers each.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Guard {
    /// The first segment, such as `repos`.
    first: Mark,
    /// How the third segment begins: below an organisation or a repository's number, the family of resources.
    third: Mark,
    /// How the fourth segment begins: below a repository, the family of resources.
    fourth: Mark,
    /// How the fifth segment begins: what of the family, as in `actions/runs`.
    fifth: Mark,
}

/// The first eight bytes of a segment, as far as they are known. Nothing known fits everything.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Mark {
    pub(super) bytes: u64,
    known: u64,
}

/// The segments of a path that guards look at.
#[derive(Clone, Copy)]
pub(super) struct Landmarks {
    pub(super) first: u64,
    third: u64,
    fourth: u64,
    fifth: u64,
}

impl Landmarks {
    pub(super) fn of(path: &str) -> Self {
        let mut segments = path.split('/').skip(1);
        let mut mark = |skipped| first_eight(segments.nth(skipped).unwrap_or(""));
        Self { first: mark(0), third: mark(1), fourth: mark(0), fifth: mark(0) }
    }
}

impl Mark {
    /// What is known of a path's segment that fits `pattern`.
    fn of_segment(pattern: &str) -> Self {
        let Some(wildcard) = pattern.find(['*', '{']) else {
            return Self { bytes: first_eight(pattern), known: u64::MAX };
        };
        let mut known = [0; 8];
        known[..wildcard.min(8)].fill(0xff);
        Self { bytes: first_eight(&pattern[..wildcard]), known: u64::from_le_bytes(known) }
    }

    pub(super) fn fits(self, bytes: u64) -> bool {
        bytes & self.known == self.bytes
    }
}

impl Guard {
    fn of(pattern: &str) -> Self {
        if !pattern.starts_with('/') {
            return Self::default();
        }
        let mut marks = [Mark::default(); 5];
        for (mark, segment) in marks.iter_mut().zip(pattern.split('/').skip(1)) {
            *mark = Mark::of_segment(segment);
            // Behind it any segment may take another's place.
            if segment.contains("**") {
                break;
            }
        }
        let [first, _second, third, fourth, fifth] = marks;
        Self { first, third, fourth, fifth }
    }

    pub(super) fn first(&self) -> Mark {
        self.first
    }

    pub(super) fn is_first_known(&self) -> bool {
        self.first.known == u64::MAX
    }

    /// Whether what lies behind the first segment admits the pattern.
    pub(super) fn admits(&self, landmarks: Landmarks) -> bool {
        // The fourth tells most routes apart.
        self.fourth.fits(landmarks.fourth)
            && self.fifth.fits(landmarks.fifth)
            && self.third.fits(landmarks.third)
    }
}

fn first_eight(segment: &str) -> u64 {
    let mut bytes = [0; 8];
    let length = segment.len().min(8);
    bytes[..length].copy_from_slice(&segment.as_bytes()[..length]);
    u64::from_le_bytes(bytes)
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Piece {
    Text(Box<str>),
    WithinSegment,
    Anything,
    /// Forty or sixty-four hexadecimal digits: the name of a git object.
    ObjectName,
    /// Decimal digits: the number of a repository or an account.
    Number,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, behind) = if let Some(behind) = rest.strip_prefix("**") {
                (Piece::Anything, behind)
            } else if let Some(behind) = rest.strip_prefix('*') {
                let glued = behind.is_empty() && !text.ends_with("/*");
                let piece = if glued { Piece::Anything } else { Piece::WithinSegment };
                (piece, behind)
            } else if let Some(behind) = rest.strip_prefix("{sha}") {
                (Piece::ObjectName, behind)
            } else if let Some(behind) = rest.strip_prefix("{id}") {
                (Piece::Number, behind)
            } else {
                let end = rest[1..].find(['*', '{']).map_or(rest.len(), |at| at + 1);
                (Piece::Text(rest[..end].into()), &rest[end..])
            };
            pieces.push(piece);
            rest = behind;
        }
        Self { pieces: pieces.into(), guard: Guard::of(text) }
    }

    pub(super) fn fits(&self, path: &str) -> bool {
        fits(&self.pieces, path)
    }

    pub(super) fn guard(&self) -> Guard {
        self.guard
    }
}

/// Patterns have a handful of pieces, which bounds the recursion.
fn fits(pieces: &[Piece], text: &str) -> bool {
    let Some((piece, rest)) = pieces.split_first() else {
        return text.is_empty();
    };
    match piece {
        Piece::Text(literal) => text.strip_prefix(&**literal).is_some_and(|behind| fits(rest, behind)),
        Piece::Anything => match rest {
            [] => true,
            [Piece::Text(literal)] => text.ends_with(&**literal),
            _more => starts(text, text.len()).any(|at| fits(rest, &text[at..])),
        },
        Piece::WithinSegment => {
            let end = memchr::memchr(b'/', text.as_bytes()).unwrap_or(text.len());
            match rest.first() {
                // Nearly always a whole segment, which ends in one place.
                None => end == text.len(),
                Some(Piece::Text(literal)) if literal.starts_with('/') => fits(rest, &text[end..]),
                Some(_) => starts(text, end).any(|at| fits(rest, &text[at..])),
            }
        }
        Piece::ObjectName => {
            let digits = text.bytes().take_while(u8::is_ascii_hexdigit).count();
            matches!(digits, 40 | 64) && fits(rest, &text[digits..])
        }
        Piece::Number => {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            digits > 0 && fits(rest, &text[digits..])
        }
    }
}

/// Where the rest of `text` can begin, up to `end`.
fn starts(text: &str, end: usize) -> impl Iterator<Item = usize> {
    (0..=end).filter(|at| text.is_char_boundary(*at))
}

/// How GitHub names one thing by name and by number.
const BY_NUMBER: &[(&str, &str)] = &[
    ("/repos/*/*", "/repositories/{id}"),
    ("/repos/**", "/repositories/**"),
    ("/orgs/*", "/organizations/{id}"),
    ("/users/*", "/user/{id}"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_keep_to_their_segment() {
        let rows = [
            ("/a/*/c", "/a/b/c", true),
            ("/a/*/c", "/a/b/b/c", false),
            ("/a/*", "/a/b", true),
            ("/a/*", "/a/b/c", false),
            ("/a/**", "/a/b/c", true),
            ("/a/b*", "/a/bc/d", true),
            ("/a/x*y/d", "/a/xxyy/d", true),
            ("**/z", "/a/b/z", true),
            ("/{sha}", "/0123", false),
            ("/a/{id}/c", "/a/17/c", true),
            ("/a/{id}/c", "/a/b/c", false),
            ("/a/{id}", "/a/17x", false),
            ("/repos/*/*/a/**/z", "/repos/o/r/a/b/c/z", true),
            ("/repos/*/*/a/**/z", "/repos/o/r/a/z", false),
            ("/repos/*/*/a/**/z", "/repos/o/r/b/c/z", false),
            ("/repos/*/*/a*", "/repos/o/r/ab/c", true),
            ("/repos/**/ab", "/repos/o/x/y/ab", true),
            ("/repos/*/**/ab", "/repos/o/x/y/z/ab", true),
            ("/re**", "/repos/o", true),
            ("/**/c/d", "/a/b/c/d", true),
            ("/a/**/c/x*z", "/a/b/c/xyz", true),
            ("/a/*/*/", "/a/b/c/", true),
        ];
        for (pattern, path, expected) in rows {
            assert_eq!(Pattern::new(pattern).fits(path), expected, "{pattern} {path}");
        }
    }
}
