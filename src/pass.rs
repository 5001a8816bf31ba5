//! What passes the cache by: writes, streams, and requests for GitHub's other hosts.

use crate::{
    Closed, Node, Provenance, RelayError, Reply, RequestError, Withdrawal,
    command::{BrokenOff, Command, Departing, PassAnswer, Passed},
};
use bytes::Bytes;
use cache_core::{
    Allowance, Bucket, Failure, FetchError, PassKind, Payer, Priority, Reach, Reached, Shortage,
};
use cache_origin_github::{Asked, Delivery, GitHub, OriginBody, OriginUrl};
use http::{HeaderValue, Request};
use std::{future, sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

impl Node {
    pub(crate) async fn forward<B>(
        &self,
        request: Request<B>,
        provenance: Provenance,
    ) -> Result<Reply, RequestError>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let github = self.shared().github.clone();
        let (touched, asked) = (github.touched_by_request(&request), github.asked(&request));
        let admissions = Arc::clone(&self.shared().access.admissions);
        let priority = github.priority(request.uri().path(), request.headers())?;
        let purse = asked.as_ref().and_then(Asked::purse);
        let is_read = request.method().is_safe();
        let withdrawal = request.extensions().get::<Withdrawal>().cloned();
        let kind = kind_of(&github, &request, &provenance);
        let (request, delivery) = Delivery::of(request);
        let broken_off = broken_off(&github, &touched, &delivery);
        let (mut done, mut answer) = oneshot::channel();
        let permit = tokio::select! {
            biased;
            permit = Arc::clone(&self.shared().passes).acquire_owned() => permit.map_err(|_closed| Closed)?,
            () = withdrawn(withdrawal.as_ref()) => return Err(RequestError::Withdrawn),
        };
        let call = Box::pin(async move {
            let _until_the_head_is_there = permit;
            let forwarded = async {
                let mut answer = github.forward(request).await;
                let told = Told::by(asked.as_ref(), &mut answer).await;
                let refused = Asked::refused(asked, &mut answer).await;
                (answer, refused, told)
            };
            let (answer, refused, Told { allowance, is_counted, pause }) = if is_read {
                tokio::select! {
                    ended = forwarded => ended,
                    () = done.closed() => (Err(FetchError::FetcherGone), None, Told::default()),
                }
            } else {
                forwarded.await
            };
            let refused = refused.and_then(|(asked, status)| admissions.note_passed(&asked, status));
            let reach = github.left_by(touched, answer.as_ref().map(http::Response::status), &delivery);
            Passed { reached: reached(&answer), answer, refused, reach, allowance, is_counted, pause, done }
        });
        let (withheld, reason) = oneshot::channel();
        let call = Departing { call, broken_off, withheld };
        let order = Command::Pass { purse, kind, priority, call };
        self.shared().commands.send(order).await.map_err(|_closed| Closed)?;
        let mut asker = Asker { reason, commands: Some(&self.shared().commands) };
        let mut never_begun = RequestError::from(Closed);
        let answer = tokio::select! {
            biased;
            answer = &mut answer => answer,
            () = withdrawn(withdrawal.as_ref()) => {
                // Nobody listens for a reason any more: what has not begun by its turn is not begun.
                asker.leave();
                never_begun = RequestError::Withdrawn;
                answer.await
            }
        };
        asker.commands = None;
        let Ok(answer) = answer else {
            return Err(asker.reason.try_recv().map_or(never_begun, |failure| self.withheld(failure, purse)));
        };
        let response = answer.map_err(RequestError::Fetch)?;
        Ok(Reply::of_stream(response, self.shared().runtime.clone(), provenance))
    }

    /// Carries `request` to another of GitHub's hosts, at the address `to` and by the name of `host`, past the cache; see
    /// [`GitHub::relay`].
    ///
    /// What a write there changes of the API, as an upload to a release does, is forgotten before it is answered.
    ///
    /// ```no_run
    /// # use {bytes::Bytes, fleet_cache::{Node, github::OriginUrl}, http::{HeaderValue, Request}, http_body_util::Empty};
    /// # async fn example(node: Node) -> Result<(), Box<dyn std::error::Error>> {
    /// let host = HeaderValue::from_static("uploads.github.com");
    /// let address: OriginUrl = "https://uploads.github.com".parse()?;
    /// let request = Request::get("/repos/acme/site/releases/1/assets").body(Empty::<Bytes>::new())?;
    /// let response = node.relay(request, &host, &address).await?;
    /// println!("{}", response.status());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RelayError::Fetch`] when there was no head of an answer, [`RelayError::Closed`] after a shutdown.
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends a read. A write that changes something of the API goes on.
    pub async fn relay<B>(
        &self,
        request: Request<B>,
        host: &HeaderValue,
        to: &OriginUrl,
    ) -> Result<http::Response<OriginBody>, RelayError>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let touched = self.shared().github.touched_through(host, request.method(), request.uri());
        if touched.is_empty() {
            return self.shared().github.relay(request, host, to).await.map_err(RelayError::Fetch);
        }
        let (github, host, to) = (self.shared().github.clone(), host.clone(), to.clone());
        let (asked, admissions) = (github.asked(&request), Arc::clone(&self.shared().access.admissions));
        let (request, delivery) = Delivery::of(request);
        let broken_off = broken_off(&github, &touched, &delivery);
        let (done, answer) = oneshot::channel();
        let call = Box::pin(async move {
            let mut answer = github.relay(request, &host, &to).await;
            let Told { allowance, is_counted, pause } = Told::by(asked.as_ref(), &mut answer).await;
            let refused = Asked::refused(asked, &mut answer).await;
            let refused = refused.and_then(|(asked, status)| admissions.note_passed(&asked, status));
            let reach = github.left_by(touched, answer.as_ref().map(http::Response::status), &delivery);
            Passed { reached: reached(&answer), answer, refused, reach, allowance, is_counted, pause, done }
        });
        // Other hosts of GitHub's have limits of their own.
        let (withheld, _is_free) = oneshot::channel();
        let call = Departing { call, broken_off, withheld };
        let order = Command::Pass { purse: None, kind: PassKind::Change, priority: Priority::Normal, call };
        self.shared().commands.send(order).await.map_err(|_closed| Closed)?;
        answer.await.map_err(|_closed| Closed)?.map_err(RelayError::Fetch)
    }
}

impl Node {
    /// Why a call that draws on `purse` was not made.
    fn withheld(&self, failure: Failure, purse: Option<(Payer, Bucket)>) -> RequestError {
        match (failure, purse) {
            (Failure::Throttled { until, shortage, seen }, Some(purse)) => {
                self.shared().access.withheld.error(purse, (until, shortage, seen))
            }
            (Failure::Paced { until, seen }, Some((_, bucket))) => {
                self.shared().access.withheld.paced(until, bucket, seen)
            }
            (Failure::Reserved { priority, kept, seen }, Some((_, bucket))) => {
                self.shared().access.withheld.reserved((priority, kept), bucket, seen)
            }
            (other, _) => RequestError::from(other),
        }
    }
}

/// The asker of a call that may not have begun. Once it is gone, the driver takes the call out of those that wait.
struct Asker<'a> {
    /// Why the call is not made, if it is not.
    reason: oneshot::Receiver<Failure>,
    /// `None` once the driver knows, or need not.
    commands: Option<&'a mpsc::Sender<Command>>,
}

impl Asker<'_> {
    fn leave(&mut self) {
        self.reason.close();
        if let Some(commands) = self.commands.take() {
            // If there is no room, it is found out with the next, or when the call's turn comes.
            let _full = commands.try_send(Command::Left);
        }
    }
}

impl Drop for Asker<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// What `request`, which passes the cache by as `provenance` says, may do at the origin.
fn kind_of<B>(github: &GitHub, request: &Request<B>, provenance: &Provenance) -> PassKind {
    let is_paced = |reason| github.is_paced(request.method(), request.uri(), reason);
    match provenance {
        Provenance::Passed(reason) if is_paced(*reason) => PassKind::Write,
        _ if request.method().is_safe() => PassKind::Read,
        Provenance::Entry(_) | Provenance::Oversize | Provenance::Passed(_) | Provenance::Relayed(_) => {
            PassKind::Change
        }
    }
}

/// What an answer told of the caller's allowance.
#[derive(Default)]
struct Told {
    allowance: Option<Allowance>,
    is_counted: bool,
    pause: Option<(Duration, Shortage)>,
}

impl Told {
    async fn by(asked: Option<&Asked>, answer: &mut PassAnswer) -> Self {
        let Some(asked) = asked else { return Self::default() };
        let allowance = answer.as_ref().ok().and_then(|answer| asked.allowance(answer));
        let pause = asked.throttled(answer).await;
        let is_counted = pause.is_none() && answer.as_ref().is_ok_and(|answer| asked.is_counted(answer));
        Self { allowance, is_counted, pause }
    }
}

/// Waits until the request is taken back; for ever where nothing can do so.
async fn withdrawn(withdrawal: Option<&Withdrawal>) {
    match withdrawal {
        Some(withdrawal) => withdrawal.withdrawn().await,
        None => future::pending().await,
    }
}

/// Whether a call that was answered so got through.
pub(crate) fn reached(answer: &PassAnswer) -> Reached {
    answer.as_ref().map_or_else(|error| Reached::failing(*error), |_answer| Reached::Yes)
}

/// What a call that `touched` this leaves behind if it is broken off: the same as one that took too long.
fn broken_off(github: &GitHub, touched: &Reach, delivery: &Delivery) -> BrokenOff {
    let (github, touched, delivery) = (github.clone(), touched.clone(), delivery.clone());
    Box::new(move || github.left_by(touched, Err(&FetchError::TimedOut), &delivery))
}
