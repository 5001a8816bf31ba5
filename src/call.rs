//! The way of a request: the read index first, then the driver, then, for what is not cached, straight to the origin.

use crate::{
    Node, Provenance, Reply, RequestError,
    command::{FetchFn, FetchReply, Private},
    key_text::with_key_text,
    pass::Passing,
};
use bytes::Bytes;
use cache_core::{Failure, Key, Outcome, Reader, Served, freshness};
use cache_origin_github::{PassReason, Plan, Planned, Question, Standing};
use http::{Request, request::Parts};
use http_body_util::Empty;
use std::{sync::Arc, time::Duration};

impl Node {
    pub(crate) async fn answer<B>(&self, request: Request<B>, passing: Passing) -> Result<Reply, RequestError>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (mut parts, body) = request.into_parts();
        match self.look_up(&parts) {
            LookUp::Hit(reply) => Ok(*reply),
            LookUp::Miss(key, planned) => self.ask_driver(&parts, key, *planned, passing).await,
            LookUp::Pass(reason) => {
                passing.write(&mut parts.headers);
                self.forward(Request::from_parts(parts, body), Provenance::Passed(reason)).await
            }
        }
    }

    pub(crate) fn look_up(&self, parts: &Parts) -> LookUp {
        with_key_text(|key_text| match self.shared().github.plan(parts, key_text) {
            Plan::Pass(reason) => LookUp::Pass(reason),
            Plan::Cached(planned) => {
                let now = self.shared().clock.now();
                let entry = self.shared().index.get(key_text);
                let fresh = entry.filter(|entry| {
                    freshness::usable(entry, &planned.directives, now) == freshness::Usable::Fresh
                        && self.shared().github.suits(&entry.content().headers, parts, &planned)
                        && self.shared().access.admissions.permit(planned.reader, entry, now)
                });
                if let Some(entry) = fresh {
                    self.shared().count_hit(&entry);
                    return LookUp::Hit(Box::new(Reply::of_entry(
                        entry,
                        Served::Hit,
                        (now, &planned.directives.grant),
                        planned.form,
                    )));
                }
                match Key::from_text(key_text) {
                    Some(key) => LookUp::Miss(key, Box::new(planned.kept())),
                    None => LookUp::Pass(PassReason::TooLong),
                }
            }
        })
    }

    pub(crate) async fn ask_driver(
        &self,
        parts: &Parts,
        key: Key,
        planned: Planned,
        passing: Passing,
    ) -> Result<Reply, RequestError> {
        let question = self.shared().github.question(parts, &planned);
        let Standing { reader, accepts_stale } =
            self.shared().access.admissions.standing(planned.reader, &key);
        let max_stale = if accepts_stale { planned.directives.max_stale } else { Duration::ZERO };
        let directives = freshness::Directives { max_stale, ..planned.directives };
        let fetch = self.asking(question, (reader, key.clone()));
        let completion = self.shared().wait_for(key, directives, (planned.bucket, reader), fetch).await?;
        let now = self.shared().clock.now();
        let private = completion.private.unwrap_or_default();
        let headers = match &completion.outcome {
            Outcome::Answered { entry, .. } => Some(&entry.content().headers),
            Outcome::Relayed { content, .. } if content.status < 400 => Some(&content.headers),
            _refused_or_none => None,
        };
        if headers.is_some_and(|headers| !self.shared().github.suits(headers, parts, &planned)) {
            if planned.directives.only_if_cached {
                return Err(RequestError::NotCached);
            }
            let mut parts = parts.clone();
            passing.write(&mut parts.headers);
            let request = Request::from_parts(parts, Empty::<Bytes>::new());
            return self.forward(request, Provenance::Passed(PassReason::SpecialField)).await;
        }
        match completion.outcome {
            Outcome::Answered { entry, served } => {
                Ok(Reply::of_entry(entry, served, (now, &directives.grant), planned.form)
                    .with_live(private.live))
            }
            Outcome::Relayed { content, forward } => {
                Ok(Reply::of_content(content, forward, planned.form).with_live(private.live))
            }
            Outcome::Pass => match private.stream {
                // The fetch was a GET, whatever the request.
                Some(response) if planned.form.head => {
                    Ok(self.reply_of_stream(response, Provenance::Oversize).without_body())
                }
                Some(response) => Ok(self.reply_of_stream(response, Provenance::Oversize)),
                None => {
                    // As the one who asked first was answered: uncoded, so that whoever hands it on can read it.
                    let mut parts = parts.clone();
                    Passing::Uncoded.write(&mut parts.headers);
                    let request = Request::from_parts(parts, Empty::<Bytes>::new());
                    self.forward(request, Provenance::Oversize).await
                }
            },
            Outcome::Absent => Err(RequestError::NotCached),
            Outcome::Failed(Failure::Throttled { until, shortage }) => {
                let payer = reader.payer(planned.domain);
                let pause = (until, shortage);
                Err(self.shared().access.withheld.error(
                    &self.shared().github,
                    (payer, planned.bucket),
                    pause,
                ))
            }
            Outcome::Failed(failure) => Err(RequestError::from(failure)),
            Outcome::Ponged { .. } | Outcome::Removed { .. } | Outcome::Stored { .. } => {
                unreachable!("answers to other questions")
            }
        }
    }

    /// How `reader` asks the origin for what is kept under a key.
    fn asking(&self, question: Question, (reader, asked): (Reader, Key)) -> FetchFn {
        let github = self.shared().github.clone();
        let (admissions, clock) =
            (Arc::clone(&self.shared().access.admissions), Arc::clone(&self.shared().clock));
        Box::new(move |revalidate| {
            Box::pin(async move {
                let fetch = github.fetch(&question, revalidate.clone()).await;
                let whose = (reader, &asked);
                let refused = admissions.note(whose, &fetch, revalidate.as_deref(), clock.now());
                FetchReply {
                    fetched: fetch.fetched,
                    refused,
                    private: Private { live: fetch.live, stream: fetch.stream },
                }
            })
        })
    }
}

/// What the read index says to a request.
pub(crate) enum LookUp {
    Hit(Box<Reply>),
    Miss(Key, Box<Planned>),
    Pass(PassReason),
}
