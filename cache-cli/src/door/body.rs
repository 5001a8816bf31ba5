//! The body of an answer as a door sends it.

use super::{meter::Stream, rewrite::JsonRewriter};
use bytes::Bytes;
use cache_core::FetchError;
use cache_origin_github::OriginBody;
use fleet_cache::ReplyBody;
use futures::stream::{BoxStream, StreamExt as _};
use hyper::body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

/// What a door sends behind the head.
pub(crate) enum DoorBody {
    /// One of the others, whose bytes are counted as they go out.
    Counted {
        /// The one whose bytes are counted.
        body: Box<DoorBody>,
        /// To which request they are put down.
        stream: Stream,
    },
    /// What the node answered.
    Reply(ReplyBody),
    /// What streams from another host than the API.
    Relayed(OriginBody),
    /// What streams from the origin, with its URLs leading back to the door.
    Rewritten {
        /// The origin's bytes.
        origin: ReplyBody,
        /// What changes them; `None` once they ended.
        rewriter: Option<JsonRewriter>,
    },
    /// What is told as it happens, until there is no more to tell.
    Told(BoxStream<'static, Bytes>),
    /// What the door made up itself.
    Whole(Option<Bytes>),
}

impl DoorBody {
    /// All of `bytes`.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl Body for DoorBody {
    type Data = Bytes;
    type Error = FetchError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, FetchError>>> {
        match &mut *self {
            Self::Counted { body, stream } => {
                let frame = ready!(Pin::new(&mut **body).poll_frame(context));
                if let Some(Ok(data)) = frame.as_ref().map(|frame| frame.as_ref().map(Frame::data_ref)) {
                    stream.count(data.map_or(0, Bytes::len));
                }
                Poll::Ready(frame)
            }
            Self::Relayed(body) => Pin::new(body).poll_frame(context),
            Self::Reply(body) => Pin::new(body).poll_frame(context),
            Self::Rewritten { origin, rewriter } => poll_rewritten(origin, rewriter, context),
            Self::Told(pieces) => pieces.poll_next_unpin(context).map(|it| it.map(|it| Ok(Frame::data(it)))),
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Counted { body, .. } => body.is_end_stream(),
            Self::Relayed(body) => body.is_end_stream(),
            Self::Reply(body) => body.is_end_stream(),
            Self::Rewritten { rewriter, .. } => rewriter.is_none(),
            Self::Told(_) => false,
            Self::Whole(bytes) => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Counted { body, .. } => body.size_hint(),
            Self::Relayed(body) => body.size_hint(),
            Self::Reply(body) => body.size_hint(),
            // How many URLs will come is unknown, or how much there will be to tell.
            Self::Rewritten { .. } | Self::Told(_) => SizeHint::default(),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
        }
    }
}

fn poll_rewritten(
    origin: &mut ReplyBody,
    rewriter: &mut Option<JsonRewriter>,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, FetchError>>> {
    while let Some(active) = rewriter {
        let piece = match ready!(Pin::new(&mut *origin).poll_frame(context)) {
            // Trailers come last; the API sends none, and what is held back must go before them.
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => active.feed(&data),
                Err(_trailers) => continue,
            },
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => {
                let rest = active.finish();
                *rewriter = None;
                rest
            }
        };
        if !piece.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(piece.into()))));
        }
    }
    Poll::Ready(None)
}
