//! Frames on their way: delayed, lost, cut off. No device, no clock of its own.

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

/// What happens to the frames that one host sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) delay: Duration,
    /// The share that is lost, from 0 to 1.
    pub(crate) loss: f64,
}

/// An IP frame and the host that it is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Frame {
    pub(super) from: Ipv4Addr,
    pub(super) to: Ipv4Addr,
    pub(super) bytes: Vec<u8>,
}

/// All that is on the line.
#[derive(Debug)]
pub(super) struct Transit {
    /// By the time of arrival, and then by the order of departure.
    under_way: BTreeMap<(Instant, u64), Frame>,
    /// Pairs of which the first does not reach the second.
    cuts: BTreeSet<(Ipv4Addr, Ipv4Addr)>,
    random: StdRng,
    departures: u64,
    figures: Figures,
}

impl Transit {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            under_way: BTreeMap::new(),
            cuts: BTreeSet::new(),
            random: StdRng::seed_from_u64(seed),
            departures: 0,
            figures: Figures::default(),
        }
    }

    pub(super) fn cut(&mut self, pairs: impl IntoIterator<Item = (Ipv4Addr, Ipv4Addr)>) {
        self.cuts.extend(pairs);
    }

    pub(super) fn mend(&mut self) {
        self.cuts.clear();
    }

    /// Takes `frame` from a host that sends in this `manner`.
    pub(super) fn enter(&mut self, now: Instant, manner: &Manner, frame: Frame) {
        if self.random.random_bool(manner.loss) {
            self.figures.lost += 1;
        } else if self.under_way.len() >= UNDER_WAY_MAX {
            self.figures.overflown += 1;
        } else {
            self.departures += 1;
            self.under_way.insert((now + manner.delay, self.departures), frame);
        }
    }

    /// The next frame to arrive by `now`.
    pub(super) fn leave(&mut self, now: Instant) -> Option<Frame> {
        while self.due().is_some_and(|due| due <= now) {
            let ((due, _), frame) = self.under_way.pop_first()?;
            // A line that is cut loses what is on it as well.
            if self.cuts.contains(&(frame.from, frame.to)) {
                self.figures.cut_off += 1;
                continue;
            }
            self.figures.late_max = self.figures.late_max.max(now - due);
            return Some(frame);
        }
        None
    }

    /// When [`Self::leave`] next has something.
    pub(super) fn due(&self) -> Option<Instant> {
        self.under_way.keys().next().map(|(due, _)| *due)
    }

    /// Counts a frame that left, by whether there was a host that took it.
    pub(super) fn note_arrival(&mut self, taken: bool) {
        if taken {
            self.figures.carried += 1;
        } else {
            self.figures.refused += 1;
        }
    }

    pub(super) fn figures(&self) -> Figures {
        self.figures.clone()
    }
}

/// What became of the frames.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// Handed to the host they were for.
    pub(crate) carried: u64,
    /// Frames that were lost by chance.
    pub(crate) lost: u64,
    /// Not carried, as the line was cut.
    cut_off: u64,
    /// Not carried, as too many were under way.
    overflown: u64,
    /// Frames for no host, or not taken by the host they were for.
    refused: u64,
    /// The longest that a frame arrived after its time: what a busy machine adds to the delay.
    late_max: Duration,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { carried, lost, cut_off, overflown, refused, late_max } = self;
        write!(f, "{carried} frames carried, {lost} lost, {cut_off} cut off, ")?;
        write!(f, "{overflown} beyond the bound, {refused} refused, at most {} ms late", late_max.as_millis())
    }
}

/// Most frames on the line; more are dropped, as a router does. Netem's 1000 for each of five hosts.
const UNDER_WAY_MAX: usize = 5000;

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const TWO: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
    const SLOW: Manner = Manner { delay: Duration::from_millis(20), loss: 0.0 };

    fn frame(from: Ipv4Addr, to: Ipv4Addr, byte: u8) -> Frame {
        Frame { from, to, bytes: vec![byte] }
    }

    #[test]
    fn frames_arrive_after_the_delay_in_their_order() {
        let (mut transit, now) = (Transit::new(1), Instant::now());
        transit.enter(now, &SLOW, frame(ONE, TWO, 1));
        transit.enter(now, &SLOW, frame(ONE, TWO, 2));
        assert_eq!(transit.leave(now + SLOW.delay - Duration::from_nanos(1)), None);
        assert_eq!(transit.due(), Some(now + SLOW.delay));
        for byte in [1, 2] {
            assert_eq!(transit.leave(now + SLOW.delay), Some(frame(ONE, TWO, byte)));
        }
        assert_eq!(transit.leave(now + SLOW.delay), None);
    }

    #[test]
    fn a_share_is_lost_and_the_same_seed_loses_the_same() {
        let lost = |seed| {
            let (mut transit, now) = (Transit::new(seed), Instant::now());
            for _ in 0..1000 {
                transit.enter(now, &Manner { delay: Duration::ZERO, loss: 0.02 }, frame(ONE, TWO, 0));
            }
            transit.figures().lost
        };
        assert!((5..50).contains(&lost(1)), "{} of 1000", lost(1));
        assert_eq!(lost(1), lost(1));
    }

    #[test]
    fn a_cut_takes_one_direction_until_it_is_mended() {
        let (mut transit, now) = (Transit::new(1), Instant::now());
        transit.enter(now, &SLOW, frame(ONE, TWO, 1));
        transit.enter(now, &SLOW, frame(TWO, ONE, 2));
        transit.cut([(ONE, TWO)]);
        assert_eq!(transit.leave(now + SLOW.delay), Some(frame(TWO, ONE, 2)));
        assert_eq!(transit.leave(now + SLOW.delay), None);
        transit.mend();
        transit.enter(now, &SLOW, frame(ONE, TWO, 3));
        assert_eq!(transit.leave(now + SLOW.delay), Some(frame(ONE, TWO, 3)));
        assert_eq!(transit.figures().cut_off, 1);
    }

    #[test]
    fn a_full_line_drops_what_comes_next() {
        let (mut transit, now) = (Transit::new(1), Instant::now());
        for _ in 0..=UNDER_WAY_MAX {
            transit.enter(now, &SLOW, frame(ONE, TWO, 0));
        }
        assert_eq!(transit.figures().overflown, 1);
    }
}
