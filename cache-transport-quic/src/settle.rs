//! From a handshake to a connection that counts: the admission, then which of several stays.

use crate::{
    admission::{self, Proved, Stream},
    code,
    lanes::{self, Running},
    shared::Shared,
    sockets,
};
use cache_core::{
    PeerId,
    port::{Side, Stance},
};
use cache_transport::{
    book::{self, Admitted, Candidate},
    ending::Ending,
};
use quinn::Connection;
use std::time::Duration;
use tokio::time::timeout;

/// Admits `peer` on `connection` and makes it the connection that counts, or closes it and says why not.
pub(crate) async fn settle(
    shared: &Shared,
    connection: &Connection,
    side: Side,
    peer: PeerId,
) -> Result<Running, Ending> {
    let begun = async {
        let proved = admission::admit(shared, connection, side, peer).await?;
        agree(shared, connection, side, peer, proved).await
    };
    let within = shared.settings.admission_timeout;
    let too_late = |_elapsed| Err(Ending::TimedOut(format!("no admission within {within:?}")));
    let begun = timeout(within, begun).await.unwrap_or_else(too_late);
    begun.inspect_err(|ending| connection.close(code::of_denial(ending), b""))
}

/// What the arbiter decides.
async fn agree(
    shared: &Shared,
    connection: &Connection,
    side: Side,
    peer: PeerId,
    Proved { session, mut stream }: Proved,
) -> Result<Running, Ending> {
    match shared.book.stance(peer) {
        Some(Stance::TooMany) => {
            refuse(connection, stream, Stance::TooMany).await;
            return Err(Ending::TooMany("peers"));
        }
        Some(stance) => stream.send_stance(stance).await?,
        None => {}
    }
    let tenure = book::heard(peer, stream.stance().await?)?;
    shared.forget_ended(peer);
    let address = sockets::multiaddr(connection.remote_address(), peer);
    let candidate = Candidate { peer, side, address, tenure, session, own: connection.clone() };
    match shared.book.admit(candidate) {
        // From here on nothing is waited for: a connection that counts is run, come what may.
        Ok(Admitted { link, verdict, replaced }) => {
            lanes::open(&link);
            if let Some(replaced) = replaced {
                shared.end_link(&replaced, &Ending::Replaced);
            }
            Ok(Running { link, stream, verdict })
        }
        Err(ending) => {
            if let Some(stance) = shared.book.refusal(peer, &ending) {
                refuse(connection, stream, stance).await;
            }
            Err(ending)
        }
    }
}

/// Tells the other side why the connection is not kept, and waits a little for it to close the connection.
async fn refuse(connection: &Connection, mut stream: Stream, stance: Stance) {
    if stream.send_stance(stance).await.is_ok() && stream.sender.finish().is_ok() {
        // It is closed in any case.
        let _is_heard = timeout(REFUSAL_TIMEOUT, connection.closed()).await;
    }
}

/// Time for the other side to hear that another connection stays: a few round trips, one of them lost.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);
