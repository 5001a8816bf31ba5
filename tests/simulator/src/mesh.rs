//! Who dials whom: everybody everybody.
//!
//! A stand-in for the policy of peers. When engines order dials themselves, [`Mesh`] goes and the world performs
//! those orders.

use crate::random::Random;
use std::time::Duration;

/// Dials every pair of nodes that are up and not connected.
pub(crate) struct Mesh {
    random: Random,
    redial: Duration,
}

/// One node dials another after a while.
pub(crate) struct Dial {
    pub(crate) after: Duration,
    pub(crate) dialer: usize,
    pub(crate) listener: usize,
}

impl Mesh {
    pub(crate) fn new(seed: u64, redial: Duration) -> Self {
        Self { random: Random::new(seed, MESH_STREAM), redial }
    }

    /// What happens when `node` has started among `others`.
    pub(crate) fn on_started(&mut self, node: usize, others: impl Iterator<Item = usize>) -> Vec<Dial> {
        let most = self.redial / 10;
        others.map(|other| Dial { after: self.random.up_to(most), dialer: node, listener: other }).collect()
    }

    /// What happens when two nodes have lost each other, or failed to connect.
    pub(crate) fn on_missing(&mut self, a: usize, b: usize) -> Dial {
        let after = self.redial / 4 + self.random.up_to(self.redial);
        let swaps = self.random.below(2) == 1;
        let (dialer, listener) = if swaps { (b, a) } else { (a, b) };
        Dial { after, dialer, listener }
    }
}

const MESH_STREAM: u64 = 1;
