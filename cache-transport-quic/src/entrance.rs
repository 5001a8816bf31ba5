//! Takes connections of others until they are let in, few at a time.

use crate::{denial::Denial, link, settle::settle, shared::Shared, sockets, tls};
use cache_core::port::{Side, TransportEvent};
use parking_lot::Mutex;
use quinn::{Endpoint, Incoming};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

/// Takes connections from `endpoint` until it is closed.
pub(crate) async fn accept(shared: Arc<Shared>, endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        let from = incoming.remote_address().ip();
        let Some(ticket) = Ticket::take(&shared.entrance, from) else {
            // No answer at all: the honest try again within a second, the others learn nothing.
            tracing::debug!(%from, "too many strangers; one is ignored");
            tell(&shared, sockets::anonymous(incoming.remote_address()), Denial::TooMany);
            incoming.ignore();
            continue;
        };
        if shared.entrance.is_busy() && !incoming.remote_address_validated() && incoming.may_retry() {
            // Forged addresses must not use up the places of those whose addresses they are.
            if incoming.retry().is_err() {
                tracing::debug!(%from, "no retry");
            }
            continue;
        }
        shared.tasks.spawn(receive(Arc::clone(&shared), incoming, ticket));
    }
}

/// One connection, from its handshake to its end.
async fn receive(shared: Arc<Shared>, incoming: Incoming, ticket: Ticket) {
    let Ok(connecting) = incoming.accept() else { return };
    let Ok(Ok(connection)) = tokio::time::timeout(HANDSHAKE_TIMEOUT, connecting).await else { return };
    let Some(remote) = tls::remote_peer(&connection) else {
        return connection.close(link::CODE_DENIED, b"");
    };
    if remote == shared.local {
        return connection.close(link::CODE_DENIED, b"");
    }
    match settle(&shared, &connection, Side::Listener, remote).await {
        Ok(running) => {
            drop(ticket);
            link::run(&shared, running).await;
        }
        Err(denial) => tell(&shared, sockets::multiaddr(connection.remote_address(), remote), denial),
    }
}

/// Tells that somebody was not let in, where that is worth telling.
fn tell(shared: &Shared, address: Box<str>, denial: Denial) {
    tracing::debug!(%address, reason = %denial, "not let in");
    if let Some(refusal) = denial.refusal() {
        let reason = denial.to_string().into();
        shared.inbox.push_refusal(TransportEvent::Refused { address, refusal, reason });
    }
}

/// How many connections are not let in yet.
#[derive(Debug, Default)]
pub(crate) struct Entrance {
    state: Mutex<State>,
}

impl Entrance {
    fn is_busy(&self) -> bool {
        self.state.lock().total > STRANGERS_MAX / 4
    }
}

#[derive(Debug, Default)]
struct State {
    total: usize,
    by_source: BTreeMap<IpAddr, usize>,
}

/// The right to be at the entrance; given back when dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    entrance: Arc<Entrance>,
    source: IpAddr,
}

impl Ticket {
    fn take(entrance: &Arc<Entrance>, from: IpAddr) -> Option<Self> {
        let source = source_of(from);
        let mut state = entrance.state.lock();
        if state.total >= STRANGERS_MAX {
            return None;
        }
        let count = state.by_source.entry(source).or_default();
        if *count >= STRANGERS_PER_SOURCE_MAX {
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

/// Who counts as one: an address, or the network of 64 bits that one IPv6 host commonly has to itself.
fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => std::net::Ipv6Addr::from(u128::from(v6) & (u128::MAX << 64)).into(),
    }
}

/// Connections that may be on their way in at once. Each costs some 50 KiB until it is let in or not.
const STRANGERS_MAX: usize = 128;

/// The same from one address: a rack of runners behind one router that start together.
const STRANGERS_PER_SOURCE_MAX: usize = 32;

/// Time for the TLS handshake: a few round trips, some of them lost.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

const _: () = assert!(STRANGERS_PER_SOURCE_MAX * 2 <= STRANGERS_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_cannot_take_every_place_and_places_come_back() {
        let entrance = Arc::new(Entrance::default());
        let take = |text: &str| Ticket::take(&entrance, text.parse().unwrap());
        let mut held: Vec<_> = std::iter::from_fn(|| take("192.0.2.1")).collect();
        assert_eq!(held.len(), STRANGERS_PER_SOURCE_MAX);
        assert!(take("192.0.2.2").is_some());
        held.pop();
        assert!(take("192.0.2.1").is_some());
        drop(held);
        assert!(entrance.state.lock().by_source.is_empty());
    }

    #[test]
    fn hosts_of_one_ipv6_network_count_as_one_source() {
        let entrance = Arc::new(Entrance::default());
        let held: Vec<_> = (0..STRANGERS_MAX)
            .filter_map(|host| Ticket::take(&entrance, format!("2001:db8::{host:x}").parse().unwrap()))
            .collect();
        assert_eq!(held.len(), STRANGERS_PER_SOURCE_MAX);
    }

    #[test]
    fn all_sources_together_are_bounded() {
        let entrance = Arc::new(Entrance::default());
        let held: Vec<_> = (0..=255)
            .filter_map(|host| Ticket::take(&entrance, std::net::Ipv4Addr::new(192, 0, 2, host).into()))
            .collect();
        assert_eq!(held.len(), STRANGERS_MAX);
    }
}
