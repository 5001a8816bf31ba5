//! A transport under test, and what was heard from it.

use super::{Factory, Plan};
use crate::eventually;
use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use cache_core::{
    PeerId,
    port::{DialError, Lane, Rejection, SendError, Side, Transport, TransportEvent},
};
use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, timeout_at};

/// One transport. Events that no test has asked for yet are kept.
pub(super) struct Node {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) patience: Duration,
    kept: VecDeque<TransportEvent>,
    connected: BTreeSet<PeerId>,
    /// How many connections have begun or ended.
    pub(super) turns_of_life: usize,
    /// How many of its dials have come to something or nothing.
    pub(super) ended_dials: usize,
}

impl Node {
    pub(super) async fn start(factory: &dyn Factory, plan: Plan) -> anyhow::Result<Self> {
        let transport = factory.start(plan).await.context("the transport starts")?;
        Ok(Self {
            transport,
            patience: factory.patience(),
            kept: VecDeque::new(),
            connected: BTreeSet::new(),
            turns_of_life: 0,
            ended_dials: 0,
        })
    }

    /// The first event that `pick` takes, now or within the patience; `pick` gives the others back.
    pub(super) async fn wait<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(TransportEvent) -> Result<T, TransportEvent>,
    ) -> anyhow::Result<T> {
        for _kept in 0..self.kept.len() {
            if let Some(event) = self.kept.pop_front() {
                match pick(event) {
                    Ok(picked) => return Ok(picked),
                    Err(event) => self.kept.push_back(event),
                }
            }
        }
        let end = Instant::now() + self.patience;
        loop {
            match timeout_at(end, self.transport.next_event()).await {
                Ok(Some(event)) => {
                    self.count(&event)?;
                    match pick(event) {
                        Ok(picked) => return Ok(picked),
                        Err(event) => self.kept.push_back(event),
                    }
                }
                Ok(None) => bail!("no event follows, wanted {what}; heard {}", self.heard()),
                Err(_elapsed) => bail!("{what} did not come; heard {}", self.heard()),
            }
        }
    }

    pub(super) async fn connected(&mut self, wanted: PeerId) -> anyhow::Result<(Side, Box<str>)> {
        self.wait("a connection", |event| match event {
            TransportEvent::Connected { peer, address, side, .. } if peer == wanted => Ok((side, address)),
            other => Err(other),
        })
        .await
    }

    pub(super) async fn disconnected(&mut self, wanted: PeerId) -> anyhow::Result<Box<str>> {
        self.wait("the end of a connection", |event| match event {
            TransportEvent::Disconnected { peer, reason } if peer == wanted => Ok(reason),
            other => Err(other),
        })
        .await
    }

    /// Why the dial of `wanted` failed; people must be told too.
    pub(super) async fn dial_failed(&mut self, wanted: &str) -> anyhow::Result<DialError> {
        let failed = self.wait("a failed dial", |event| match event {
            TransportEvent::DialFailed { address, error, reason } if &*address == wanted => {
                Ok((error, reason))
            }
            other => Err(other),
        });
        let (error, reason) = failed.await?;
        ensure!(!reason.is_empty(), "no reason is given for {error:?}");
        Ok(error)
    }

    /// Why the next one was refused; people must be told too.
    pub(super) async fn refused(&mut self) -> anyhow::Result<Rejection> {
        let refused = self.wait("a refusal", |event| match event {
            TransportEvent::Refused { refusal, reason, .. } => Ok((refusal, reason)),
            other => Err(other),
        });
        let (refusal, reason) = refused.await?;
        ensure!(!reason.is_empty(), "no reason is given for {refusal:?}");
        Ok(refusal)
    }

    /// The next frame of `wanted`.
    pub(super) async fn frame(&mut self, wanted: PeerId) -> anyhow::Result<Bytes> {
        self.wait("a frame", |event| match event {
            TransportEvent::Received { peer, frame } if peer == wanted => Ok(frame),
            other => Err(other),
        })
        .await
    }

    /// Whether `frame` comes from `wanted` before `within` is over. Other frames of theirs are dropped.
    pub(super) async fn comes(
        &mut self,
        wanted: PeerId,
        frame: &Bytes,
        within: Duration,
    ) -> anyhow::Result<bool> {
        let end = Instant::now() + within;
        while let Ok(event) = timeout_at(end, self.transport.next_event()).await {
            let event = event.context("events have ended")?;
            self.count(&event)?;
            match event {
                TransportEvent::Received { peer, frame: came } if peer == wanted => {
                    if came == *frame {
                        return Ok(true);
                    }
                }
                other => self.kept.push_back(other),
            }
        }
        Ok(false)
    }

    /// Sends, again and again while the queue is full.
    pub(super) async fn send(&self, peer: PeerId, lane: Lane, frame: &Bytes) -> anyhow::Result<()> {
        let mut queued = Err(SendError::QueueFull);
        eventually(self.patience, || {
            queued = self.transport.send(peer, lane, frame.clone());
            queued != Err(SendError::QueueFull)
        })
        .await;
        queued.with_context(|| format!("a frame of {} bytes is not queued", frame.len()))
    }

    /// Sends `frame` and waits until it is there.
    pub(super) async fn send_to(&self, other: &mut Self, frame: &Bytes) -> anyhow::Result<()> {
        self.send(other.id(), Lane::for_bytes(frame.len()), frame).await?;
        let came = other.frame(self.id()).await?;
        ensure!(came == *frame, "{} bytes became {} or others", frame.len(), came.len());
        Ok(())
    }

    pub(super) fn id(&self) -> PeerId {
        self.transport.local_peer()
    }

    /// The address on which it listens.
    pub(super) fn address(&self) -> anyhow::Result<Box<str>> {
        self.transport.addresses().into_iter().next().context("a transport that listens tells where")
    }

    /// Whether an event that `is_meant` was heard and not asked for.
    pub(super) fn keeps(&self, is_meant: impl Fn(&TransportEvent) -> bool) -> bool {
        self.kept.iter().any(is_meant)
    }

    pub(super) fn is_connected(&self, peer: PeerId) -> bool {
        self.connected.contains(&peer)
    }

    /// Keeps the books, and checks what holds at all times: one connection with each peer, frames of none
    /// but the connected.
    fn count(&mut self, event: &TransportEvent) -> anyhow::Result<()> {
        match event {
            TransportEvent::Connected { peer, side, .. } => {
                ensure!(self.connected.insert(*peer), "{peer:?} is connected twice");
                self.turns_of_life += 1;
                self.ended_dials += usize::from(*side == Side::Dialer);
            }
            TransportEvent::DialFailed { .. } => self.ended_dials += 1,
            TransportEvent::Disconnected { peer, .. } => {
                ensure!(self.connected.remove(peer), "{peer:?} ended without having been connected");
                self.turns_of_life += 1;
            }
            TransportEvent::Received { peer, .. } => {
                ensure!(self.connected.contains(peer), "a frame came from {peer:?}, who is not connected");
            }
            TransportEvent::Refused { .. } => {}
        }
        Ok(())
    }

    fn heard(&self) -> String {
        let names = self.kept.iter().rev().take(HEARD_MAX).map(|event| match event {
            TransportEvent::Connected { .. } => "connected".to_owned(),
            TransportEvent::DialFailed { error, reason, .. } => format!("dial failed: {error:?}, {reason}"),
            TransportEvent::Disconnected { reason, .. } => format!("disconnected: {reason}"),
            TransportEvent::Received { frame, .. } => format!("{} bytes", frame.len()),
            TransportEvent::Refused { refusal, reason, .. } => format!("refused: {refusal:?}, {reason}"),
        });
        format!("{:?}", names.collect::<Vec<_>>())
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} connected with {:?}, heard {}", self.id(), self.connected, self.heard())
    }
}

/// Two nodes, the first of which has dialled the second.
pub(super) async fn connected_pair(factory: &dyn Factory) -> anyhow::Result<(Node, Node)> {
    let mut dialer = Node::start(factory, Plan::of(1)).await?;
    let mut listener = Node::start(factory, Plan::of(2)).await?;
    connect(&mut dialer, &mut listener).await?;
    Ok((dialer, listener))
}

/// Dials `listener` from `dialer` and waits until both have heard of it.
pub(super) async fn connect(dialer: &mut Node, listener: &mut Node) -> anyhow::Result<()> {
    dialer.transport.dial(&listener.address()?);
    let (side, _address) = dialer.connected(listener.id()).await?;
    ensure!(side == Side::Dialer, "who dialled is called {side:?}");
    let (side, _address) = listener.connected(dialer.id()).await?;
    ensure!(side == Side::Listener, "who was dialled is called {side:?}");
    Ok(())
}

/// Looks at `condition` until it holds or the patience ends.
pub(super) async fn until(
    patience: Duration,
    what: &str,
    condition: impl FnMut() -> bool,
) -> anyhow::Result<()> {
    ensure!(eventually(patience, condition).await, "not so within {patience:?}: {what}");
    Ok(())
}

/// Bytes that differ from place to place, and from frame to frame by `number`.
pub(super) fn pattern(number: usize, frame_bytes: usize) -> Bytes {
    (0..frame_bytes).map(|at| (at ^ (at >> 8) ^ (at >> 16) ^ number.wrapping_mul(31)) as u8).collect()
}

/// Latest events that a failure tells of.
const HEARD_MAX: usize = 8;
