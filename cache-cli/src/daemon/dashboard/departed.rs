//! Members that were connected a while ago and are no longer known: stopped, or cut off.

use fleet_cache::Peer;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The members that were connected lately, by their ids.
#[derive(Debug, Default)]
pub(super) struct Departed(BTreeMap<String, Seen>);

/// Where a member was, and when it was seen last.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Its address at that time.
    pub(super) address: Option<String>,
    /// In seconds since the Unix epoch.
    pub(super) at: u64,
}

impl Departed {
    /// Notes which of `peers` are connected at `now`. Beyond [`REMEMBERED_MAX`], newcomers are not remembered.
    pub(super) fn note(&mut self, peers: &[Peer], now: u64) {
        let connected = peers.iter().filter(|peer| peer.state.is_connected());
        self.see(connected.filter_map(|peer| Some((peer.id?.to_string(), peer.address.clone()))), now);
    }

    fn see(&mut self, connected: impl Iterator<Item = (String, Option<String>)>, now: u64) {
        self.0.retain(|_id, seen| now.saturating_sub(seen.at) < REMEMBERED_FOR.as_secs());
        for (id, address) in connected {
            if self.0.len() < REMEMBERED_MAX || self.0.contains_key(&id) {
                self.0.insert(id, Seen { address, at: now });
            }
        }
    }

    /// Those that are not among `peers`, the latest first; at most [`SHOWN_MAX`].
    pub(super) fn missing(&self, peers: &[Peer]) -> Vec<(&str, &Seen)> {
        self.not_among(&peers.iter().filter_map(|peer| peer.id).map(|id| id.to_string()).collect())
    }

    fn not_among(&self, known: &BTreeSet<String>) -> Vec<(&str, &Seen)> {
        let missing = self.0.iter().filter(|(id, _)| !known.contains(*id));
        let mut missing: Vec<(&str, &Seen)> = missing.map(|(id, seen)| (id.as_str(), seen)).collect();
        missing.sort_by_key(|(_, seen)| Reverse(seen.at));
        missing.truncate(SHOWN_MAX);
        missing
    }
}

/// For how long a member that is gone is shown.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);
/// Most members that are remembered: some five times as many as a district has.
const REMEMBERED_MAX: usize = 1024;
/// Most members that are shown as gone, so that runners which come and go do not hide the others.
const SHOWN_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn connected(numbers: std::ops::Range<usize>) -> impl Iterator<Item = (String, Option<String>)> {
        numbers.map(|number| (format!("{number:04}"), None))
    }

    fn known(numbers: std::ops::Range<usize>) -> BTreeSet<String> {
        connected(numbers).map(|(id, _)| id).collect()
    }

    #[test]
    fn what_was_connected_and_is_not_known_any_more_is_missing_for_ten_minutes() {
        let mut departed = Departed::default();
        departed.see(connected(0..3), 100);
        departed.see(connected(0..2), 130);
        let missing = |departed: &Departed| {
            let missing = departed.not_among(&known(0..2));
            missing.iter().map(|(id, seen)| ((*id).to_owned(), seen.at)).collect::<Vec<_>>()
        };
        assert_eq!(missing(&departed), [("0002".to_owned(), 100)]);
        departed.see(connected(0..2), 700);
        assert!(missing(&departed).is_empty());
    }

    #[test]
    fn so_many_are_remembered_and_shown_and_no_more() {
        let mut departed = Departed::default();
        departed.see(connected(0..2000), 100);
        assert_eq!(departed.0.len(), REMEMBERED_MAX);
        departed.see(connected(5..6), 130);
        let missing = departed.not_among(&known(100..2000));
        assert_eq!((missing.len(), missing[0].0), (SHOWN_MAX, "0005"));
    }
}
