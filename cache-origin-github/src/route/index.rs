//! Finding the first rule of a table that fits a path, without trying them all.

use super::pattern::{Guard, Landmarks, Pattern};

/// The patterns of a table, in their order, apart by the first segment that they demand.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// The first eight bytes of a first segment, and what paths that begin so can fit.
    by_first: Box<[(u64, Box<[Candidate]>)]>,
    /// What all other paths can fit.
    others: Box<[Candidate]>,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    guard: Guard,
    rule: usize,
    pattern: usize,
}

impl Index {
    pub(super) fn of<'a>(rules: impl Iterator<Item = &'a [Pattern]>) -> Self {
        let all: Vec<Candidate> = rules
            .enumerate()
            .flat_map(|(rule, patterns)| {
                let place = move |(pattern, text): (usize, &Pattern)| Candidate {
                    guard: text.guard(),
                    rule,
                    pattern,
                };
                patterns.iter().enumerate().map(place)
            })
            .collect();
        let known = all.iter().filter(|candidate| candidate.guard.is_first_known());
        let mut firsts: Vec<u64> = known.map(|candidate| candidate.guard.first().bytes).collect();
        firsts.sort_unstable();
        firsts.dedup();
        let that_fit =
            |first| all.iter().filter(|candidate| candidate.guard.first().fits(first)).copied().collect();
        let by_first = firsts.into_iter().map(|first| (first, that_fit(first))).collect();
        let others = all.iter().filter(|candidate| !candidate.guard.is_first_known()).copied().collect();
        Self { by_first, others }
    }

    /// The first rule one of whose patterns the guard admits and `fits` confirms.
    pub(super) fn find(&self, path: &str, fits: impl Fn(usize, usize) -> bool) -> Option<usize> {
        let landmarks = Landmarks::of(path);
        let known = self.by_first.iter().find(|(first, _)| *first == landmarks.first);
        let candidates = known.map_or(&self.others, |(_, candidates)| candidates);
        let mut admitted = candidates.iter().filter(|candidate| candidate.guard.admits(landmarks));
        let found = admitted.find(|candidate| fits(candidate.rule, candidate.pattern));
        found.map(|candidate| candidate.rule)
    }
}
