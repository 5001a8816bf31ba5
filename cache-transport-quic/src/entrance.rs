//! Takes connections of others until they are let in, few at a time.

use crate::{code::CODE_DENIED, lanes, settle::settle, shared::Shared, sockets, tls};
use cache_core::port::Side;
use cache_transport::{ending::Ending, entrance::Ticket};
use quinn::{Endpoint, Incoming};
use std::{sync::Arc, time::Duration};

/// Takes connections from `endpoint` until it is closed.
pub(crate) async fn accept(shared: Arc<Shared>, endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        let from = incoming.remote_address().ip();
        let Some(ticket) = Ticket::take(&shared.entrance, from) else {
            // No answer at all: the honest try again within a second, the others learn nothing.
            tracing::debug!(%from, "too many newcomers; one is ignored");
            tell(&shared, sockets::anonymous(incoming.remote_address()), &Ending::TooMany("newcomers"));
            incoming.ignore();
            continue;
        };
        if shared.entrance.is_busy() && !incoming.remote_address_validated() && incoming.may_retry() {
            // Connections from forged addresses must not use up the places of the hosts that have these addresses.
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
        return connection.close(CODE_DENIED, b"");
    };
    if remote == shared.book.local() {
        return connection.close(CODE_DENIED, b"");
    }
    match settle(&shared, &connection, Side::Listener, remote).await {
        Ok(running) => {
            drop(ticket);
            lanes::run(&shared, running).await;
        }
        Err(ending) => tell(&shared, sockets::multiaddr(connection.remote_address(), remote), &ending),
    }
}

/// Reports that a newcomer was not let in, if that is worth reporting.
fn tell(shared: &Shared, address: Box<str>, ending: &Ending) {
    tracing::debug!(%address, reason = %ending, "not let in");
    shared.book.inbox().refused(address, ending);
}

/// Connections that may be on their way in at once. Each costs some 50 KiB until it is let in or not.
pub(crate) const NEWCOMERS_MAX: usize = 128;

/// The same from one source: a rack of runners behind one router that start together.
pub(crate) const NEWCOMERS_PER_SOURCE_MAX: usize = 32;

/// Time for the TLS handshake: a few round trips, some of them lost.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

const _: () = assert!(NEWCOMERS_PER_SOURCE_MAX * 2 <= NEWCOMERS_MAX);
