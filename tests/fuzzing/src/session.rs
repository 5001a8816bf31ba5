//! Sealed frames: each opens once and unaltered at the side that it was sealed for, and nothing else ever does.

use crate::admission::{Members, connected};
use bytes::Bytes;
use cache_core::port::Session;
use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hasher as _},
};

/// Reads steps: what is sealed, and which side it is given to in which state.
///
/// # Panics
///
/// When a frame does not open at its first coming, or when a second coming, an altered frame, a frame's own
/// sealer or stray bytes open.
pub fn check(data: &[u8]) {
    let Members { dialer, listener } = connected(&channel(data));
    let mut line = Line {
        from: dialer,
        to: listener,
        sealed: Vec::new(),
        opened: BTreeSet::new(),
        long_left: LONG_FRAMES_MAX,
    };
    let mut steps = data;
    for _step in 0..STEPS_MAX {
        let Some((step, rest)) = steps.split_first_chunk() else { break };
        line.take(*step, rest);
        steps = rest;
    }
}

/// Other keys for other bytes. A fuzzer watches comparisons: with the same keys in each run it saw the tag that a
/// stray frame should have had, and sent that.
fn channel(data: &[u8]) -> [u8; 8] {
    let mut hasher = DefaultHasher::new();
    hasher.write(data);
    hasher.finish().to_le_bytes()
}

/// Frames in order, twice, backwards, altered.
pub fn seeds() -> Vec<Vec<u8>> {
    let steps: [&[[u8; STEP_BYTES]]; 4] = [
        &[[0, 3, 0, 0], [0, 9, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0]],
        &[[0, 1, 0, 0], [0, 2, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [2, 0, 0, 1], [2, 0, 8, 255]],
        &[[5, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [4, 0, 0, 0]],
        &[[3, 9, 1, 1], [1, 1, 1, 1], [3, 60, 1, 1], [0, 0, 0, 0]],
    ];
    steps.iter().map(|steps| steps.concat()).collect()
}

/// One direction of one connection, and what the attacker on it has.
struct Line {
    from: Box<dyn Session>,
    to: Box<dyn Session>,
    sealed: Vec<(Bytes, Vec<u8>)>,
    opened: BTreeSet<usize>,
    long_left: usize,
}

impl Line {
    fn take(&mut self, [what, which, at, flip]: [u8; STEP_BYTES], rest: &[u8]) {
        let number = usize::from(which) % self.sealed.len().max(1);
        match what % 6 {
            0 => self.seal(rest[..usize::from(which).min(rest.len())].to_vec()),
            1 => self.deliver(number),
            2 => self.alter(number, at, flip),
            3 => self.stray(&rest[..usize::from(which).min(rest.len())]),
            4 => self.reflect(number),
            _long => {
                if self.long_left > 0 {
                    self.long_left -= 1;
                    self.seal(vec![which; LONG_FRAME_BYTES]);
                }
            }
        }
    }

    fn seal(&mut self, plain: Vec<u8>) {
        let frame = self.from.seal(&plain).expect("a sequence is not used up so soon");
        self.sealed.push((frame, plain));
    }

    fn deliver(&mut self, number: usize) {
        let Some((frame, plain)) = self.sealed.get(number) else { return };
        let opened = self.to.open(frame).ok();
        let wanted = self.opened.insert(number).then_some(plain);
        assert!(opened.as_ref() == wanted, "frame {number} opens twice, never, or as another");
    }

    fn alter(&mut self, number: usize, at: u8, flip: u8) {
        let Some((frame, _)) = self.sealed.get(number) else { return };
        let mut altered = frame.to_vec();
        // From either end: the header is at the front, the tag at the back.
        let at =
            if at < 128 { usize::from(at) } else { altered.len() - usize::from(at - 127) % altered.len() };
        let at = at % altered.len();
        match flip {
            0 => altered.truncate(at),
            1 => altered.insert(at, flip),
            _bits => altered[at] ^= flip,
        }
        // Doubling a byte within a run of it changes nothing.
        if altered != frame[..] {
            assert!(self.to.open(&altered).is_err(), "an altered frame opens");
        }
    }

    fn stray(&mut self, bytes: &[u8]) {
        assert!(self.to.open(bytes).is_err(), "stray bytes open");
    }

    fn reflect(&mut self, number: usize) {
        let Some((frame, _)) = self.sealed.get(number) else { return };
        assert!(self.from.open(frame).is_err(), "a frame opens at its own sealer");
    }
}

const STEP_BYTES: usize = 4;
const STEPS_MAX: usize = 64;
/// Many blocks of the cipher, and as much work as some ten short frames.
const LONG_FRAME_BYTES: usize = 4 * 1024;
const LONG_FRAMES_MAX: usize = 2;
