//! Newcomers that are not let in yet: few at a time, and no source takes every place.

use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

/// How many connections are on their way in.
#[derive(Debug)]
pub struct Entrance {
    newcomers_max: usize,
    newcomers_per_source_max: usize,
    state: Mutex<State>,
}

impl Entrance {
    /// An entrance for this many newcomers at once, and this many of them from one source.
    pub fn new(newcomers_max: usize, newcomers_per_source_max: usize) -> Self {
        Self { newcomers_max, newcomers_per_source_max, state: Mutex::default() }
    }

    /// Whether more than a quarter of the places are taken.
    pub fn is_busy(&self) -> bool {
        self.state.lock().total > self.newcomers_max / 4
    }
}

#[derive(Debug, Default)]
struct State {
    total: usize,
    by_source: BTreeMap<IpAddr, usize>,
}

/// The right to be at the entrance; given back when dropped.
#[derive(Debug)]
pub struct Ticket {
    entrance: Arc<Entrance>,
    source: IpAddr,
}

impl Ticket {
    /// A place for a newcomer from this address, if one is left.
    pub fn take(entrance: &Arc<Entrance>, from: IpAddr) -> Option<Self> {
        let source = source_of(from);
        let mut state = entrance.state.lock();
        if state.total >= entrance.newcomers_max {
            return None;
        }
        let count = state.by_source.entry(source).or_default();
        if *count >= entrance.newcomers_per_source_max {
            return None;
        }
        *count += 1;
        state.total += 1;
        Some(Self { entrance: Arc::clone(entrance), source })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.entrance.state.lock();
        state.total -= 1;
        if let Some(count) = state.by_source.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                state.by_source.remove(&self.source);
            }
        }
    }
}

/// What counts as one source: an address, or the network of 64 bits that one IPv6 host commonly has to itself.
fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn one_source_cannot_take_every_place_and_places_come_back() {
        let entrance = Arc::new(Entrance::new(10, 3));
        let take = |text: &str| Ticket::take(&entrance, text.parse().unwrap());
        let mut held: Vec<_> = std::iter::from_fn(|| take("192.0.2.1")).collect();
        assert_eq!(held.len(), 3);
        assert!(take("192.0.2.2").is_some());
        held.pop();
        assert!(take("192.0.2.1").is_some());
        drop(held);
        assert!(entrance.state.lock().by_source.is_empty());
    }

    #[test]
    fn hosts_of_one_ipv6_network_count_as_one_source() {
        let entrance = Arc::new(Entrance::new(10, 3));
        let held: Vec<_> = (0..10)
            .filter_map(|host| Ticket::take(&entrance, format!("2001:db8::{host:x}").parse().unwrap()))
            .collect();
        assert_eq!(held.len(), 3);
    }

    #[test]
    fn all_sources_together_are_bounded_and_the_entrance_is_busy_long_before() {
        let entrance = Arc::new(Entrance::new(100, 3));
        let take = |host| Ticket::take(&entrance, Ipv4Addr::new(192, 0, 2, host).into());
        let few: Vec<_> = (0..25).filter_map(take).collect();
        assert!(!entrance.is_busy());
        let more: Vec<_> = (25..=255).filter_map(take).collect();
        assert!(entrance.is_busy());
        assert_eq!(few.len() + more.len(), 100);
    }
}
