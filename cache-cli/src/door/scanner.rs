//! Where in a connection's bytes the targets of requests are, so that they can be put into the form that parsers take.
//!
//! Clients put `>`, `"`, `{` and others into a target as a person typed them, and curl, `gh` and Go send them so;
//! RFC 3986 wants them percent-encoded, and the parser behind this refuses some and keeps others apart from their
//! encoded form. A [`Scanner`] follows heads and bodies just closely enough to know which bytes are a target's path
//! or query. It judges nothing: how long a body is it is told by the parser, and where it cannot follow it lets
//! everything pass.

use memchr::memchr;

/// Follows the requests of one connection.
#[derive(Debug)]
pub(super) struct Scanner(Position);

/// How a request's body is framed, as the parser of its head says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Framing {
    /// A body in chunks.
    Chunked,
    /// By its length; zero for no body.
    Length(u64),
    /// What follows is perhaps no request.
    Unknown,
}

/// What to do with bytes that came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Advance {
    /// How many of them pass as they are.
    pub(super) pass: usize,
    /// What is to be done with the rest.
    pub(super) then: Then,
}

/// What is to be done behind the bytes that pass.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Then {
    /// The next byte goes on percent-encoded.
    Encode,
    /// A head has ended; nothing may follow until [`Scanner::frame`] was called.
    Hold,
    /// All of them passed.
    More,
}

#[derive(Debug)]
enum Position {
    /// Before a head; empty lines may come first.
    Before,
    Method,
    /// In front of the target.
    Target,
    /// In a target that does not begin with a slash, behind this many of its slashes.
    Absolute {
        slashes: u8,
    },
    /// In the path or query of a target.
    Path,
    /// In the fields, which follow the target.
    Fields(Line),
    /// Behind a complete head.
    Held,
    Body {
        left: u64,
    },
    Chunks(Chunks),
    /// Lost, or told not to look.
    Unknown,
}

/// Where in a line of a head, to find the empty one that ends it.
#[derive(Clone, Copy, Debug)]
enum Line {
    Start,
    Return,
    Within,
}

#[derive(Clone, Copy, Debug)]
enum Chunks {
    Size { value: u64, digits: u8 },
    Extension { left: u64 },
    Data { left: u64 },
    DataReturn,
    DataFeed,
    Trailer(Line),
}

impl Scanner {
    /// Begins before the first request.
    pub(super) fn new() -> Self {
        Self(Position::Before)
    }

    /// Whether no byte of a further head has come.
    pub(super) fn is_before_head(&self) -> bool {
        matches!(self.0, Position::Before)
    }

    /// Whether a head ended and its framing is not told.
    pub(super) fn is_held(&self) -> bool {
        matches!(self.0, Position::Held)
    }

    /// Whether a body is being read.
    pub(super) fn is_in_body(&self) -> bool {
        matches!(self.0, Position::Body { .. } | Position::Chunks(_))
    }

    /// Tells how the body behind the head that ended is framed.
    pub(super) fn frame(&mut self, framing: Framing) {
        self.0 = match framing {
            Framing::Chunked => Position::Chunks(Chunks::Size { value: 0, digits: 0 }),
            Framing::Length(0) => Position::Before,
            Framing::Length(left) => Position::Body { left },
            Framing::Unknown => Position::Unknown,
        };
    }

    /// Lets everything pass from here on.
    pub(super) fn give_up(&mut self) {
        self.0 = Position::Unknown;
    }

    /// Follows `bytes`, which are the next ones of the connection.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Advance {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match &mut self.0 {
                Position::Before if matches!(rest[0], b'\r' | b'\n') => at += 1,
                Position::Before => self.0 = Position::Method,
                Position::Method => at += self.method(rest),
                Position::Target if rest[0] == b'/' => self.0 = Position::Path,
                Position::Target => self.0 = Position::Absolute { slashes: 0 },
                Position::Absolute { .. } => at += self.authority(rest),
                Position::Path => {
                    let plain = rest.iter().position(|byte| !PLAIN[usize::from(*byte)]);
                    at += plain.unwrap_or(rest.len());
                    match plain.map(|found| rest[found]) {
                        None => {}
                        Some(b' ' | b'\r' | b'\n') => self.0 = Position::Fields(Line::Within),
                        Some(byte) if byte < b' ' || byte == 0x7f => self.give_up(),
                        Some(_) => return Advance { pass: at, then: Then::Encode },
                    }
                }
                Position::Fields(line) => {
                    let (passed, ended) = line.advance(rest);
                    at += passed;
                    if ended {
                        self.0 = Position::Held;
                    }
                }
                Position::Held => return Advance { pass: at, then: Then::Hold },
                Position::Body { left } => {
                    let passed = bounded(*left, rest.len());
                    at += passed;
                    *left -= passed as u64;
                    if *left == 0 {
                        self.0 = Position::Before;
                    }
                }
                Position::Chunks(chunks) => match chunks.advance(rest) {
                    Chunked::Passed(passed) => at += passed,
                    Chunked::Ended(passed) => {
                        at += passed;
                        self.0 = Position::Before;
                    }
                    Chunked::Lost => self.give_up(),
                },
                Position::Unknown => at = bytes.len(),
            }
        }
        let then = if self.is_held() { Then::Hold } else { Then::More };
        Advance { pass: at, then }
    }

    fn method(&mut self, rest: &[u8]) -> usize {
        let end = rest.iter().position(|byte| matches!(byte, b' ' | b'\n'));
        match end.map(|end| rest[end]) {
            None => return rest.len(),
            Some(b' ') => self.0 = Position::Target,
            Some(_) => self.give_up(),
        }
        end.map_or(0, |end| end + 1)
    }

    /// Steps over `scheme://authority`, or over all of a target that has no path, such as `*`.
    fn authority(&mut self, rest: &[u8]) -> usize {
        let Position::Absolute { slashes } = &mut self.0 else { return 0 };
        for (at, byte) in rest.iter().enumerate() {
            match byte {
                b' ' | b'\r' | b'\n' => {
                    self.0 = Position::Fields(Line::Within);
                    return at;
                }
                b'/' | b'?' if *slashes == SLASHES_BEFORE_AUTHORITY => {
                    self.0 = Position::Path;
                    return at;
                }
                b'/' => *slashes += 1,
                _other => {}
            }
        }
        rest.len()
    }
}

impl Line {
    /// How many of `bytes` belong to the head, and whether its empty line is among them.
    fn advance(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            match (&self, byte) {
                (Self::Start | Self::Return, b'\n') => return (at + 1, true),
                (Self::Start, b'\r') => {
                    *self = Self::Return;
                    at += 1;
                }
                (Self::Start | Self::Return | Self::Within, _) => {
                    *self = Self::Within;
                    let Some(feed) = memchr(b'\n', &bytes[at..]) else { return (bytes.len(), false) };
                    at += feed + 1;
                    *self = Self::Start;
                }
            }
        }
        (at, false)
    }
}

/// What came of following chunks.
enum Chunked {
    /// So many bytes, and more belong to it.
    Passed(usize),
    /// So many bytes, and the body has ended.
    Ended(usize),
    /// This is not a chunk as clients write it.
    Lost,
}

impl Chunks {
    fn advance(&mut self, bytes: &[u8]) -> Chunked {
        let byte = bytes[0];
        match self {
            Self::Size { value, digits } => match char::from(byte).to_digit(16) {
                Some(digit) if *digits < SIZE_DIGITS_MAX => {
                    *value = *value << 4 | u64::from(digit);
                    *digits += 1;
                }
                None if *digits > 0 && matches!(byte, b'\r' | b'\n' | b';' | b' ' | b'\t') => {
                    *self = Self::Extension { left: *value };
                    return Chunked::Passed(0);
                }
                Some(_) | None => return Chunked::Lost,
            },
            Self::Extension { left } => match memchr(b'\n', bytes) {
                None => return Chunked::Passed(bytes.len()),
                Some(feed) => {
                    *self = if *left == 0 { Self::Trailer(Line::Start) } else { Self::Data { left: *left } };
                    return Chunked::Passed(feed + 1);
                }
            },
            Self::Data { left } => {
                let passed = bounded(*left, bytes.len());
                *left -= passed as u64;
                if *left == 0 {
                    *self = Self::DataReturn;
                }
                return Chunked::Passed(passed);
            }
            Self::DataReturn if byte == b'\r' => *self = Self::DataFeed,
            Self::DataFeed if byte == b'\n' => *self = Self::Size { value: 0, digits: 0 },
            Self::DataReturn | Self::DataFeed => return Chunked::Lost,
            Self::Trailer(line) => {
                let (passed, ended) = line.advance(bytes);
                return if ended { Chunked::Ended(passed) } else { Chunked::Passed(passed) };
            }
        }
        Chunked::Passed(1)
    }
}

/// `left`, but no more than `length`.
fn bounded(left: u64, length: usize) -> usize {
    usize::try_from(left).map_or(length, |left| left.min(length))
}

/// `byte` percent-encoded.
pub(super) fn encode(byte: u8) -> [u8; 3] {
    [b'%', HEX_DIGITS[usize::from(byte >> 4)], HEX_DIGITS[usize::from(byte & 15)]]
}

/// A path and query as a door would hand them on.
pub(crate) fn encode_target(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if PLAIN[usize::from(byte)] {
            out.push(char::from(byte));
        } else {
            out.extend(encode(byte).map(char::from));
        }
    }
    out
}

/// The bytes of a path or query that go on as they are: those that RFC 3986 lets stand there, and `%` and `#`,
/// which are not ours to give a meaning.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = b'!';
    while byte < 0x7f {
        plain[byte as usize] =
            !matches!(byte, b'"' | b'<' | b'>' | b'[' | b'\\' | b']' | b'^' | b'`' | b'{' | b'|' | b'}');
        byte += 1;
    }
    plain
};
const HEX_DIGITS: &[u8; 16] = b"0123456789ABCDEF";
/// Those of `scheme://`.
const SLASHES_BEFORE_AUTHORITY: u8 = 2;
/// Most digits of a chunk's size: those of a `u64`.
const SIZE_DIGITS_MAX: u8 = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a parser sees of `sent`, cut into pieces of `step` bytes, when the heads in it are framed by `framings`.
    fn seen(sent: &[u8], step: usize, framings: &[Framing]) -> Vec<u8> {
        let mut scanner = Scanner::new();
        let mut framings = framings.iter();
        let mut out = Vec::new();
        for piece in sent.chunks(step.max(1)) {
            let mut rest = piece;
            while !rest.is_empty() {
                if scanner.is_held() {
                    scanner.frame(*framings.next().expect("the test tells how every head is framed"));
                }
                let Advance { pass, then } = scanner.advance(rest);
                out.extend_from_slice(&rest[..pass]);
                rest = &rest[pass..];
                if then == Then::Encode {
                    out.extend_from_slice(&encode(rest[0]));
                    rest = &rest[1..];
                }
            }
        }
        out
    }

    fn line_seen(sent: &str) -> String {
        let out = seen(sent.as_bytes(), usize::MAX, &[Framing::Length(0)]);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn raw_characters_of_a_target_go_on_percent_encoded() {
        let table = [
            (r#"/s?q=stars:>1&a=<"b""#, "/s?q=stars:%3E1&a=%3C%22b%22"),
            (r"/a|b^c`d{e}f\g[h]", "/a%7Cb%5Ec%60d%7Be%7Df%5Cg%5Bh%5D"),
            ("/caf\u{e9}?é", "/caf%C3%A9?%C3%A9"),
            ("/a%3E%2f?x=%zz#y", "/a%3E%2f?x=%zz#y"),
            ("http://[::1]:8484/a[b]", "http://[::1]:8484/a%5Bb%5D"),
            ("http://[::1]?q=[b]", "http://[::1]?q=%5Bb%5D"),
            ("*", "*"),
            ("[::1]:443", "[::1]:443"),
        ];
        for (sent, expected) in table {
            let line = |target: &str| format!("GET {target} HTTP/1.1\r\nhost: [x] <y>\r\n\r\n");
            assert_eq!(line_seen(&line(sent)), line(expected));
        }
    }

    #[test]
    fn a_target_typed_at_a_command_is_encoded_alike() {
        assert_eq!(encode_target("/s?q=a b>1&c=é%20"), "/s?q=a%20b%3E1&c=%C3%A9%20");
    }

    #[test]
    fn nothing_but_targets_is_touched_however_bodies_are_framed() {
        let head = |target: &str| format!("\r\nPOST {target} HTTP/1.1\r\nx: |\r\n\r\n");
        let chunks = "5;x=|\r\nGET <\r\n0\r\nt: |\r\n\r\n";
        let stream = |target: &str| {
            [&head(target), "GET /<", &head(target), chunks, &head(target), &head(target)].concat()
        };
        let framings = [Framing::Length(6), Framing::Chunked, Framing::Length(0), Framing::Length(0)];
        for step in [1, 2, 3, 7, 64, 10_000] {
            let out = seen(stream("/a|b").as_bytes(), step, &framings);
            assert_eq!(String::from_utf8(out).unwrap(), stream("/a%7Cb"), "in pieces of {step}");
        }
    }

    #[test]
    fn what_cannot_be_followed_passes_untouched() {
        for sent in ["GET\n/<\n\n", "5zz\r\n", "\u{0}", "GET /\u{7f}< HTTP/1.1\r\n\r\n"] {
            assert_eq!(line_seen(sent), sent);
        }
        let lost = b"P / HTTP/1.1\r\n\r\nxyz\r\nGET /< HTTP/1.1\r\n\r\n";
        assert_eq!(seen(lost, 4, &[Framing::Chunked]), lost);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_lose_any(
            sent in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'\r'), Just(b' '), Just(b'/')], 0..200),
            step in 1_usize..20,
            framing in prop_oneof![
                Just(Framing::Chunked),
                (0_u64..9).prop_map(Framing::Length),
            ],
        ) {
            let out = seen(&sent, step, &vec![framing; 200]);
            prop_assert!(out.len() >= sent.len());
        }
    }
}
