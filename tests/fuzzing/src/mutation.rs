//! Bytes made from other bytes, by chances that a seed decides.

/// A stream of chances: xorshift64*, the same on every machine.
#[derive(Clone, Debug)]
pub struct Chances(u64);

impl Chances {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`; zero if that is zero.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        usize::try_from(drawn).unwrap_or(0) % end.max(1)
    }

    fn byte(&mut self) -> u8 {
        match self.below(4) {
            0 => TELLING[self.below(TELLING.len())],
            _most => u8::try_from(self.below(256)).unwrap_or(0),
        }
    }
}

/// One of `pool` with a few changes: bits, bytes, runs left out, doubled or taken from another of `pool`.
pub fn mutated(pool: &[Vec<u8>], chances: &mut Chances) -> Vec<u8> {
    let Some(start) = pool.get(chances.below(pool.len())) else { return Vec::new() };
    let mut bytes = start.clone();
    for _change in 0..=chances.below(CHANGES_MAX) {
        let at = chances.below(bytes.len() + 1);
        let end = (at + 1 + chances.below(RUN_BYTES_MAX)).min(bytes.len());
        match chances.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chances.below(8),
            1 if at < bytes.len() => bytes[at] = chances.byte(),
            2 => bytes.insert(at, chances.byte()),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let run = bytes[at..end].to_vec();
                bytes.splice(at..at, run);
            }
            _splice => {
                let other = &pool[chances.below(pool.len())];
                let from = chances.below(other.len());
                let run = &other[from..(from + RUN_BYTES_MAX).min(other.len())];
                bytes.splice(at..end, run.iter().copied());
            }
        }
    }
    bytes
}

/// Bytes at which formats change their minds: ends of ranges, marks of lengths, separators.
const TELLING: &[u8] =
    &[0, 1, 2, 0x7f, 0x80, 250, 251, 252, 253, 254, 255, b'\n', b'/', b'%', b'=', b'&', b','];
const CHANGES_MAX: usize = 4;
const RUN_BYTES_MAX: usize = 24;
