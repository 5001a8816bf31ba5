//! One connection inside libp2p: opens and accepts streams, and runs the work on them.
//!
//! A connection's work is polled by the very task that drives its socket, so a frame crosses no task on its
//! way in or out, and nothing outlives the connection.

use crate::settings::BULK_STREAMS_MAX;
use cache_transport::ending::Ending;
use futures::{
    StreamExt,
    future::{self, BoxFuture},
    stream::FuturesUnordered,
};
use libp2p::{
    Stream, StreamProtocol,
    core::{
        UpgradeInfo,
        upgrade::{InboundUpgrade, ReadyUpgrade},
    },
    swarm::{
        ConnectionHandler, ConnectionHandlerEvent, SubstreamProtocol,
        handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound},
    },
};
use std::{
    convert::Infallible,
    task::{Context, Poll},
};
use tokio::sync::{mpsc, oneshot};

/// The streams and the work of one connection.
pub(crate) struct Handler {
    works: FuturesUnordered<BoxFuture<'static, Step>>,
    orders: mpsc::Receiver<Order>,
    arrivals: mpsc::Sender<Arrival>,
    stage: Stage,
}

impl Handler {
    /// A handler that does `work` with its streams.
    pub(crate) fn new<W>(work: impl FnOnce(Lines) -> W) -> Self
    where
        W: Future<Output = Step> + Send + 'static,
    {
        let (order, orders) = mpsc::channel(BULK_STREAMS_MAX);
        let (arrivals, arrived) = mpsc::channel(BULK_STREAMS_MAX + 1);
        let works = FuturesUnordered::new();
        works.push(Box::pin(work(Lines { opener: Opener(order), arrivals: arrived })) as BoxFuture<'_, _>);
        Self { works, orders, arrivals, stage: Stage::Working }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Ended;
    type InboundProtocol = Lanes;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = oneshot::Sender<Stream>;

    fn listen_protocol(&self) -> SubstreamProtocol<Lanes> {
        SubstreamProtocol::new(Lanes, ())
    }

    fn connection_keep_alive(&self) -> bool {
        self.stage == Stage::Working
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Self::OutboundOpenInfo, Ended>> {
        if self.stage == Stage::Ended {
            return Poll::Pending;
        }
        while let Poll::Ready(Some(step)) = self.works.poll_next_unpin(cx) {
            match step {
                Step::Continue(works) => self.works.extend(works),
                Step::End => {
                    self.stage = Stage::Ended;
                    self.works.clear();
                    return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(Ended));
                }
            }
        }
        if let Poll::Ready(Some(Order { protocol, reply })) = self.orders.poll_recv(cx) {
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(protocol), reply);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Lanes, ReadyUpgrade<StreamProtocol>, (), oneshot::Sender<Stream>>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: arrival, .. }) => {
                // Full only if the peer opens more than we allow, or too early: the stream is reset.
                let _is_taken = self.arrivals.try_send(arrival);
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: stream, info }) => {
                // The work that asked may be gone; the stream is reset then.
                let _is_taken = info.send(stream);
            }
            // Dropping `info` tells the work that asked.
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: _, .. }) => {}
            _of_no_concern => {}
        }
    }
}

/// The outcome of a piece of work.
pub(crate) enum Step {
    /// The step leaves this work to do.
    Continue(Vec<BoxFuture<'static, Step>>),
    /// The step ends the connection.
    End,
}

/// The work of a connection is done: close it.
#[derive(Debug)]
pub(crate) struct Ended;

/// How work gets at streams.
pub(crate) struct Lines {
    pub(crate) opener: Opener,
    pub(crate) arrivals: mpsc::Receiver<Arrival>,
}

/// Opens streams on the connection.
#[derive(Clone)]
pub(crate) struct Opener(mpsc::Sender<Order>);

impl Opener {
    pub(crate) async fn bulk(&self) -> Result<Stream, Ending> {
        self.open(BULK).await.ok_or(Ending::Unsupported("bulk"))
    }

    pub(crate) async fn control(&self) -> Result<Stream, Ending> {
        self.open(CONTROL).await.ok_or(Ending::Unsupported("control"))
    }

    async fn open(&self, protocol: StreamProtocol) -> Option<Stream> {
        let (reply, stream) = oneshot::channel();
        self.0.send(Order { protocol, reply }).await.ok()?;
        stream.await.ok()
    }
}

/// A stream that the other side opened.
pub(crate) enum Arrival {
    Bulk(Stream),
    Control(Stream),
}

struct Order {
    protocol: StreamProtocol,
    reply: oneshot::Sender<Stream>,
}

/// What the other side may open.
pub(crate) struct Lanes;

impl UpgradeInfo for Lanes {
    type Info = StreamProtocol;
    type InfoIter = [StreamProtocol; 2];

    fn protocol_info(&self) -> Self::InfoIter {
        [CONTROL, BULK]
    }
}

impl InboundUpgrade<Stream> for Lanes {
    type Output = Arrival;
    type Error = Infallible;
    type Future = future::Ready<Result<Arrival, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        future::ready(Ok(if protocol == BULK { Arrival::Bulk(stream) } else { Arrival::Control(stream) }))
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Stage {
    Working,
    Ended,
}

const CONTROL: StreamProtocol = StreamProtocol::new("/fleet-cache/1");
const BULK: StreamProtocol = StreamProtocol::new("/fleet-cache/bulk/1");
