//! Which frames of a sequence were opened already.

/// Remembers the last [`REPLAY_WINDOW`] places of a sequence; whatever lies further back counts as used.
#[derive(Default)]
pub(crate) struct ReplayWindow {
    /// One more than the highest place used; zero while there is none.
    end: u64,
    /// Whether each of the last places was used, at the place modulo the window.
    used: [u64; WORDS],
}

impl ReplayWindow {
    /// Whether `place` may still be used. Changes nothing: a forged frame must not use up a place.
    pub(crate) fn admits(&self, place: u64) -> bool {
        if place >= self.end {
            return place < SEQUENCE_END;
        }
        self.end - place <= REPLAY_WINDOW && !self.is_used(place)
    }

    /// Uses up `place`, which [`ReplayWindow::admits`] admitted.
    pub(crate) fn mark(&mut self, place: u64) {
        if place >= self.end {
            self.advance(place + 1);
        }
        let (word, bit) = position(place);
        self.used[word] |= bit;
    }

    /// Forgets the places that `end` pushes out of the window, to make room for those that come in.
    fn advance(&mut self, end: u64) {
        if end - self.end >= REPLAY_WINDOW {
            self.used = [0; WORDS];
        } else {
            for place in self.end..end {
                let (word, bit) = position(place);
                self.used[word] &= !bit;
            }
        }
        self.end = end;
    }

    fn is_used(&self, place: u64) -> bool {
        let (word, bit) = position(place);
        self.used[word] & bit != 0
    }
}

fn position(place: u64) -> (usize, u64) {
    let at = place % REPLAY_WINDOW;
    let word = usize::try_from(at / 64).expect("there are few words");
    (word, 1 << (at % 64))
}

/// How far, in frames of one lane, a frame may be overtaken and still open.
///
/// Short frames come in order. Long ones have streams of their own and overtake one another, but each is
/// over 64 KiB: this many of them would be 64 MiB under way to one peer, far more than its queue takes.
pub(crate) const REPLAY_WINDOW: u64 = 1024;

/// Where sequences end: places are below it, so that the one after any place has a number too.
pub(crate) const SEQUENCE_END: u64 = u64::MAX;

const WORDS: usize = 16;
const _: () = assert!(WORDS as u64 * 64 == REPLAY_WINDOW);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_place_after_the_last_one_is_never_used() {
        let mut window = ReplayWindow::default();
        assert!(!window.admits(SEQUENCE_END));
        window.mark(SEQUENCE_END - 1);
        assert!(!window.admits(SEQUENCE_END - 1));
        assert!(!window.admits(SEQUENCE_END));
        assert!(window.admits(SEQUENCE_END - REPLAY_WINDOW));
        assert!(!window.admits(SEQUENCE_END - REPLAY_WINDOW - 1));
    }

    proptest! {
        /// The model keeps every place ever used.
        #[test]
        fn each_place_is_used_once_and_none_beyond_the_window(
            steps in prop::collection::vec((0..3_000u64, 0..3u64), 1..400),
        ) {
            let mut window = ReplayWindow::default();
            let mut used = BTreeSet::new();
            let mut base = 0;
            for (offset, stride) in steps {
                base += stride * 300;
                let place = base + offset;
                let is_within = used.last().is_none_or(|highest| place + REPLAY_WINDOW > *highest);
                prop_assert_eq!(window.admits(place), is_within && !used.contains(&place), "at {}", place);
                if window.admits(place) {
                    window.mark(place);
                    used.insert(place);
                }
            }
        }
    }
}
