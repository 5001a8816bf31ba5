//! Taking back a request whose asker may have gone.

use std::sync::Arc;
use tokio::sync::watch;

/// Takes back what passes the cache by and still waits for its turn, without an end of the future that waits for it.
///
/// Put a clone into the extensions of a request for [`Node::request`](crate::Node::request) or
/// [`Node::call`](crate::Node::call). A server needs it whose client has ended its sending: the client may be gone, or may
/// still read. What has begun at the origin goes on and is answered; what has not, ends with
/// [`RequestError::Withdrawn`](crate::RequestError::Withdrawn) when its turn comes, and is not made.
///
/// ```
/// # use {fleet_cache::Withdrawal, http::Request};
/// let withdrawal = Withdrawal::default();
/// let mut request = Request::post("/repos/acme/site/issues").body(())?;
/// request.extensions_mut().insert(withdrawal.clone());
/// // Later, when the client has ended its sending:
/// withdrawal.withdraw();
/// # Ok::<_, http::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Withdrawal(Arc<watch::Sender<bool>>);

impl Withdrawal {
    /// Takes back every request that has a clone of this one, and waits.
    pub fn withdraw(&self) {
        self.0.send_replace(true);
    }

    /// Waits until the requests are taken back.
    ///
    /// # Cancellation
    ///
    /// Dropping the future has no effect.
    pub async fn withdrawn(&self) {
        let mut heard = self.0.subscribe();
        // The sender lives as long as `self`.
        let _withdrawn = heard.wait_for(|is_withdrawn| *is_withdrawn).await;
    }
}
