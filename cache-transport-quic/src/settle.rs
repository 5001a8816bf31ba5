//! From a handshake to a connection that counts: the admission, then which of several stays.

use crate::{
    admission::{self, Proved, Stream},
    denial::Denial,
    link::{self, Link},
    shared::Shared,
    sockets,
};
use cache_core::{
    PeerId,
    port::{Arbiter, Side, Stance, Tenure},
};
use quinn::Connection;
use std::time::Duration;
use tokio::time::timeout;

/// Admits `peer` on `connection` and makes that the one that counts, or closes it and says why not.
pub(crate) async fn settle(
    shared: &Shared,
    connection: &Connection,
    side: Side,
    peer: PeerId,
) -> Result<link::Running, Denial> {
    let begun = async {
        let proved = admission::admit(shared, connection, side, peer).await?;
        agree(shared, connection, side, peer, proved).await
    };
    let begun = timeout(shared.settings.admission_timeout, begun).await.unwrap_or(Err(Denial::TimedOut));
    begun.inspect_err(|denial| denial.close(connection))
}

/// What [`Arbiter`] lays down.
async fn agree(
    shared: &Shared,
    connection: &Connection,
    side: Side,
    peer: PeerId,
    Proved { session, mut stream }: Proved,
) -> Result<link::Running, Denial> {
    let address = sockets::multiaddr(connection.remote_address(), peer);
    let arbiter = Arbiter::between(shared.local, peer);
    let keep = |number| Stance::Keep(Tenure { run: shared.run, number });
    if arbiter == Arbiter::Remote {
        if !shared.peers.has_room_for(peer) {
            refuse(connection, stream, Stance::TooMany).await;
            return Err(Denial::TooMany);
        }
        stream.send_stance(keep(0)).await?;
    }
    let tenure = match stream.stance().await? {
        Stance::Keep(tenure) => tenure,
        Stance::KeepAnother => return Err(Denial::AlreadyConnected),
        Stance::TooMany => return Err(Denial::TooMany),
    };
    let link = Link::new(shared, connection.clone(), peer, side, tenure);
    match (shared.peers.insert(arbiter, link, address, session), arbiter) {
        // From here on nothing is waited for: a connection that counts is run, come what may.
        (Ok(link), Arbiter::Remote) => Ok(link::Running { link, stream, verdict: None }),
        (Ok(link), Arbiter::Local) => {
            let verdict = Some(keep(link.tenure.number));
            Ok(link::Running { link, stream, verdict })
        }
        (Err(denial), Arbiter::Remote) => Err(denial),
        (Err(denial), Arbiter::Local) => {
            let stance = if denial == Denial::TooMany { Stance::TooMany } else { Stance::KeepAnother };
            refuse(connection, stream, stance).await;
            Err(denial)
        }
    }
}

/// Tells why the connection is not kept, and waits a little for the other side to close it.
async fn refuse(connection: &Connection, mut stream: Stream, stance: Stance) {
    if stream.send_stance(stance).await.is_ok() && stream.sender.finish().is_ok() {
        // It is closed in any case.
        let _is_heard = timeout(REFUSAL_TIMEOUT, connection.closed()).await;
    }
}

/// Time for the other side to hear that another connection stays: a few round trips, one of them lost.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);
