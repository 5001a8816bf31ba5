//! What GitHub says by webhooks: deliveries from their signature to the last node that hears of them.

use crate::{Closed, Node, command::Command};
use bytes::Bytes;
use cache_origin_github::{Event, GitHub, PayloadError, WebhookSecret};
use parking_lot::Mutex;
use serde::Serialize;
use std::{
    collections::{BTreeSet, VecDeque},
    sync::atomic::{AtomicU64, Ordering},
};

impl Node {
    /// Takes note of what GitHub says by a webhook: of what `event` (`X-GitHub-Event`) with this `payload` changed, all that
    /// is kept goes, here and at every member, as after a write of the same kind.
    ///
    /// For a program that receives webhooks itself. It must have checked the signature: see
    /// [`WebhookSecret::signed`], or let [`webhooks`](Self::webhooks) do that. Nothing in the payload but the names of
    /// repositories and accounts is used.
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
    /// use fleet_cache::Pushed;
    ///
    /// let payload = br#"{"ref": "refs/heads/main", "repository": {"id": 17, "full_name": "acme/site"}}"#;
    /// assert_eq!(node.pushed("push", payload).await?, Pushed::Taken { entries: 0 });
    /// assert_eq!(node.pushed("an event of next year", b"{}").await?, Pushed::Ignored);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`PushedError::Payload`] if the payload cannot be read, and [`PushedError::Closed`] after a shutdown; nothing is
    /// forgotten then.
    ///
    /// # Cancellation
    ///
    /// Once the future was polled, what it began goes on.
    pub async fn pushed(&self, event: &str, payload: &[u8]) -> Result<Pushed, PushedError> {
        self.take_note(self.github().ended_by_event(event, payload)).await
    }

    async fn take_note(&self, ended: Result<Event, PayloadError>) -> Result<Pushed, PushedError> {
        let counters = &self.shared().webhooks;
        let reach = match ended.inspect_err(|_unreadable| add(&counters.malformed))? {
            Event::Known(reach) => reach,
            Event::Unknown => {
                add(&counters.ignored);
                return Ok(Pushed::Ignored);
            }
        };
        let entries = if reach.is_empty() {
            0
        } else {
            self.shared().order(|done| Command::Invalidate { reach, done }).await?
        };
        add(&counters.taken);
        Ok(Pushed::Taken { entries })
    }

    /// A receiver of deliveries that GitHub signs with `secret`.
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
    /// use fleet_cache::{Receipt, WebhookDelivery, github::WebhookSecret};
    ///
    /// let webhooks = node.webhooks(WebhookSecret::new("It's a Secret to Everybody")?);
    /// let delivery = WebhookDelivery {
    ///     event: "push",
    ///     id: "72d3162e-cc78-11e3-81ab-4c9367dc0958",
    ///     signature: "sha256=0000000000000000000000000000000000000000000000000000000000000000",
    ///     body: "{}".into(),
    /// };
    /// assert_eq!(webhooks.take(delivery).await?, Receipt::Forged);
    /// # Ok(()) }
    /// ```
    pub fn webhooks(&self, secret: WebhookSecret) -> Webhooks {
        Webhooks { node: self.clone(), secret, deliveries: Mutex::default() }
    }
}

/// Receives deliveries, each once.
pub struct Webhooks {
    node: Node,
    secret: WebhookSecret,
    deliveries: Mutex<Deliveries>,
}

/// One delivery as it came, with what its headers say.
#[derive(Clone, Debug)]
pub struct WebhookDelivery<'a> {
    /// `X-GitHub-Event`.
    pub event: &'a str,
    /// `X-GitHub-Delivery`.
    pub id: &'a str,
    /// `X-Hub-Signature-256`.
    pub signature: &'a str,
    /// The body, byte by byte as it came.
    pub body: Bytes,
}

impl Webhooks {
    /// Takes `delivery` if its signature is genuine and it has not come before, and does as [`Node::pushed`] does.
    ///
    /// The last [`DELIVERIES_MAX`] numbers of deliveries are remembered. GitHub does not sign them: a replay under another
    /// number is taken again, which costs calls and makes no answer wrong.
    ///
    /// # Errors
    ///
    /// [`Closed`] after a shutdown. The delivery may come again.
    ///
    /// # Cancellation
    ///
    /// After the future was dropped the delivery may come again.
    pub async fn take(&self, delivery: WebhookDelivery<'_>) -> Result<Receipt, Closed> {
        let id = delivery.id;
        let counters = &self.node.shared().webhooks;
        let Some(ended) = self.judge(delivery).await? else {
            add(&counters.refused);
            return Ok(Receipt::Forged);
        };
        if id.len() > DELIVERY_BYTES_MAX {
            add(&counters.malformed);
            return Ok(Receipt::Malformed);
        }
        let Some(begun) = Begun::new(&self.deliveries, id) else {
            add(&counters.replayed);
            return Ok(Receipt::Replayed);
        };
        match self.node.take_note(ended).await {
            Ok(pushed) => {
                begun.finish();
                Ok(Receipt::Genuine(pushed))
            }
            Err(PushedError::Closed(closed)) => Err(closed),
            Err(PushedError::Payload(_)) => Ok(Receipt::Malformed),
        }
    }

    /// What a delivery ends, if its signature is genuine. A long one is not read where others would have to wait for it.
    async fn judge(
        &self,
        delivery: WebhookDelivery<'_>,
    ) -> Result<Option<Result<Event, PayloadError>>, Closed> {
        let WebhookDelivery { event, id: _, signature, body } = delivery;
        let judge = |secret: &WebhookSecret, github: &GitHub, event: &str, signature: &str, body: &[u8]| {
            secret.signed(body, signature).then(|| github.ended_by_event(event, body))
        };
        if body.len() <= SHORT_BYTES_MAX {
            return Ok(judge(&self.secret, self.node.github(), event, signature, &body));
        }
        let (secret, github) = (self.secret.clone(), self.node.github().clone());
        let (event, signature) = (event.to_owned(), signature.to_owned());
        let judging = move || judge(&secret, &github, &event, &signature, &body);
        self.node.shared().runtime.spawn_blocking(judging).await.map_err(|_ended| Closed)
    }

    /// Counts a delivery that was turned away before it was read whole, for this reason.
    pub fn turn_away(&self, reason: TurnedAway) {
        let counters = &self.node.shared().webhooks;
        add(match reason {
            TurnedAway::TooLong => &counters.oversized,
            TurnedAway::TooSlow => &counters.malformed,
            TurnedAway::Unsigned => &counters.refused,
        });
    }
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Receipt {
    /// The signature is not of this body and secret. Nothing was read.
    Forged,
    /// It is from GitHub, and this came of it.
    Genuine(Pushed),
    /// It is from GitHub, but the payload cannot be read.
    Malformed,
    /// It was taken before, and had no effect now.
    Replayed,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Pushed {
    /// The event is none that ends anything here.
    Ignored,
    /// All that it changed is forgotten.
    Taken {
        /// How many entries left this node's memory.
        entries: usize,
    },
}

/// Why an event had no effect.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PushedError {
    /// The node was shut down.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The payload cannot be read.
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

/// Why a delivery was not read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TurnedAway {
    /// Its body is longer than any of GitHub's.
    TooLong,
    /// Its body took too long, or broke off.
    TooSlow,
    /// It brings nothing that could be a signature.
    Unsigned,
}

/// A delivery that is being taken. Dropped before it is done, it may come again.
struct Begun<'a> {
    deliveries: &'a Mutex<Deliveries>,
    /// Empty once it is done.
    id: &'a str,
}

impl<'a> Begun<'a> {
    /// `None` if it was taken before, or is being taken.
    fn new(deliveries: &'a Mutex<Deliveries>, id: &'a str) -> Option<Self> {
        // Made only for what has begun: what is dropped is taken back.
        let has_begun = deliveries.lock().begin(id);
        has_begun.then(|| Self { deliveries, id })
    }

    fn finish(mut self) {
        self.id = "";
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if !self.id.is_empty() {
            self.deliveries.lock().take_back(self.id);
        }
    }
}

/// The deliveries taken last.
#[derive(Debug, Default)]
struct Deliveries {
    known: BTreeSet<Box<str>>,
    /// The same, those that came first in front.
    order: VecDeque<Box<str>>,
}

impl Deliveries {
    /// Notes that delivery `id` is being taken; `false` if it was before.
    fn begin(&mut self, id: &str) -> bool {
        let is_new = self.known.insert(id.into());
        if is_new {
            self.order.push_back(id.into());
            if self.order.len() > DELIVERIES_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
        is_new
    }

    /// Delivery `id` came to nothing, so that it may come again.
    fn take_back(&mut self, id: &str) {
        self.known.remove(id);
        self.order.retain(|known| &**known != id);
    }
}

/// Deliveries by what became of them, since the node started.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct WebhookStats {
    /// Genuine deliveries of which everything was forgotten that they changed.
    pub taken: u64,
    /// Genuine deliveries of events that end nothing here.
    pub ignored: u64,
    /// Genuine deliveries that had come before.
    pub replayed: u64,
    /// Deliveries without a genuine signature.
    pub refused: u64,
    /// Deliveries whose payload could not be read, or did not come whole in time.
    pub malformed: u64,
    /// Deliveries that were longer than any of GitHub's.
    pub oversized: u64,
}

/// The same, as they are counted.
#[derive(Debug, Default)]
pub(crate) struct WebhookCounters {
    taken: AtomicU64,
    ignored: AtomicU64,
    replayed: AtomicU64,
    refused: AtomicU64,
    malformed: AtomicU64,
    oversized: AtomicU64,
}

impl WebhookCounters {
    pub(crate) fn stats(&self) -> WebhookStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WebhookStats {
            taken: read(&self.taken),
            ignored: read(&self.ignored),
            replayed: read(&self.replayed),
            refused: read(&self.refused),
            malformed: read(&self.malformed),
            oversized: read(&self.oversized),
        }
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Most deliveries that are remembered: what a busy organisation is sent in some hours. GitHub sends again only what people
/// ask it to, for three days.
pub const DELIVERIES_MAX: usize = 16 * 1024;
/// Longest payload that is checked and read at once, in bytes, which takes less than a millisecond. Of GitHub's, nearly all
/// are shorter.
const SHORT_BYTES_MAX: usize = 64 * 1024;
/// Longest number of a delivery, in bytes; GitHub's have 36.
const DELIVERY_BYTES_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_taken_once_and_again_if_nothing_came_of_it() {
        let mut deliveries = Deliveries::default();
        assert!(deliveries.begin("a") && !deliveries.begin("a"));
        deliveries.take_back("a");
        assert!(deliveries.begin("a"));
    }

    #[test]
    fn a_delivery_that_is_being_taken_is_neither_begun_again_nor_taken_back_by_a_second() {
        let deliveries = Mutex::default();
        let begun = Begun::new(&deliveries, "a").expect("it is new");
        assert!(Begun::new(&deliveries, "a").is_none() && Begun::new(&deliveries, "a").is_none());
        begun.finish();
        assert!(Begun::new(&deliveries, "a").is_none());
        drop(Begun::new(&deliveries, "b").expect("it is new"));
        assert!(Begun::new(&deliveries, "b").is_some(), "nothing came of it");
    }

    #[test]
    fn of_too_many_deliveries_the_first_is_forgotten() {
        let mut deliveries = Deliveries::default();
        for number in 0..=DELIVERIES_MAX {
            assert!(deliveries.begin(&number.to_string()));
        }
        assert_eq!((deliveries.known.len(), deliveries.order.len()), (DELIVERIES_MAX, DELIVERIES_MAX));
        assert!(!deliveries.begin("1") && deliveries.begin("0"));
    }
}
