//! An origin and its adapter in one, without a socket: it keeps every rule, unless it is told to break one.

use super::{Mood, OriginFactory, Subject, Wanted};
use async_trait::async_trait;
use cache_core::{
    Audience, Content, Draft, Entry, FetchError, Fetched, Headers, Shortage, Validators, freshness::Freshness,
};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};

/// Starts origins that all break the same rule, if any.
pub(super) struct ScriptedFactory(pub(super) Option<Fault>);

#[async_trait]
impl OriginFactory for ScriptedFactory {
    async fn start(&self) -> anyhow::Result<Box<dyn Subject>> {
        let state = Mutex::new(State { version: 1, mood: Mood::Well, calls: 0, was_ill: false });
        Ok(Box::new(Scripted { fault: self.0, state }))
    }
}

/// A way of breaking one rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    AsksTwice,
    BelievesEvery304,
    FailsForGood,
    ForgetsTheValidator,
    HoldsWhatIsLong,
    KeepsAbsence,
    KeepsCookies,
    KeepsWhatTheQuotaSays,
    NeverRevalidates,
    NamesNoPause,
    RenewsOnTrouble,
    RenewsTheBodyAway,
    ServesHalves,
    TakesFaultsForAnswers,
    TakesFaultsForFailures,
}

struct Scripted {
    fault: Option<Fault>,
    state: Mutex<State>,
}

struct State {
    version: u64,
    mood: Mood,
    calls: u64,
    was_ill: bool,
}

#[async_trait]
impl Subject for Scripted {
    async fn fetch(&self, wanted: Wanted, known: Option<Arc<Entry>>) -> Fetched {
        let mut state = self.state.lock();
        state.calls += if self.has(Fault::AsksTwice) { 2 } else { 1 };
        state.was_ill |= state.mood != Mood::Well;
        if state.was_ill && self.has(Fault::FailsForGood) {
            return Fetched::Failed(FetchError::ConnectFailed);
        }
        let known_tag = known.as_ref().and_then(|known| known.validators().etag.clone());
        let is_known =
            known_tag.as_deref() == Some(&*tag(state.version)) || self.has(Fault::BelievesEvery304);
        match (state.mood, wanted, known) {
            (Mood::Well, Wanted::Document, Some(known)) if is_known && !self.has(Fault::NeverRevalidates) => {
                Fetched::NotModified(self.renewed(&known))
            }
            (Mood::Well, Wanted::Document, _) => Fetched::Fresh(self.document(state.version)),
            (Mood::Well, Wanted::Missing, _) => self.absence(),
            (Mood::Well, Wanted::Long, _) if self.has(Fault::HoldsWhatIsLong) => {
                Fetched::Unstorable { content: Content::of_value("long"), audience: Audience::Domain }
            }
            (Mood::Well, Wanted::Long, _) => Fetched::Oversize,
            (_, _, Some(known)) if self.has(Fault::RenewsOnTrouble) => {
                Fetched::NotModified(self.renewed(&known))
            }
            (mood, ..) => self.trouble(mood, state.version),
        }
    }

    fn set_mood(&self, mood: Mood) {
        self.state.lock().mood = mood;
    }

    fn change(&self) {
        self.state.lock().version += 1;
    }

    fn calls(&self) -> u64 {
        self.state.lock().calls
    }
}

impl Scripted {
    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn document(&self, version: u64) -> Draft {
        let tag = tag(version);
        let mut fields = vec![("content-type", "text/plain"), ("etag", &*tag)];
        if self.has(Fault::KeepsCookies) {
            fields.push(("set-cookie", "a=b"));
        }
        let validators = if self.has(Fault::ForgetsTheValidator) { None } else { Some(tag.clone()) };
        Draft {
            content: Content {
                headers: fields.into_iter().collect(),
                ..Content::of_value(format!("version {version}"))
            },
            freshness: Freshness { lifetime: Duration::from_secs(60), ..Freshness::default() },
            validators: Validators { etag: validators, ..Validators::default() },
            age: Duration::ZERO,
        }
    }

    fn renewed(&self, known: &Entry) -> Draft {
        let mut draft = known.draft(known.born());
        if self.has(Fault::KeepsWhatTheQuotaSays) {
            let fields = draft.content.headers.iter().chain([("x-ratelimit-remaining", &b"7"[..])]);
            draft.content.headers = Headers::from_fields(fields);
        }
        if self.has(Fault::RenewsTheBodyAway) {
            draft.content.body = Default::default();
        }
        draft
    }

    fn absence(&self) -> Fetched {
        let content = Content { status: 404, ..Content::of_value("no such thing") };
        if self.has(Fault::KeepsAbsence) {
            let freshness = Freshness { lifetime: Duration::from_secs(300), ..Freshness::default() };
            let validators = Validators::default();
            return Fetched::Fresh(Draft { content, freshness, validators, age: Duration::ZERO });
        }
        Fetched::Unstorable { content, audience: Audience::Domain }
    }

    fn trouble(&self, mood: Mood, version: u64) -> Fetched {
        let status = |status| Content { status, ..Content::of_value("trouble") };
        match mood {
            Mood::BreaksOff | Mood::Garbage if self.has(Fault::ServesHalves) => {
                Fetched::Unstorable { content: self.document(version).content, audience: Audience::Domain }
            }
            Mood::BreaksOff => Fetched::Failed(FetchError::ConnectionLost),
            Mood::Garbage => Fetched::Failed(FetchError::Malformed),
            Mood::Gone => Fetched::Failed(FetchError::ConnectFailed),
            Mood::Ill if self.has(Fault::TakesFaultsForAnswers) => {
                let draft = self.document(version);
                Fetched::Fresh(Draft { content: status(503), ..draft })
            }
            Mood::Ill if self.has(Fault::TakesFaultsForFailures) => Fetched::Failed(FetchError::Malformed),
            Mood::Ill | Mood::Well => Fetched::Fault { content: status(503) },
            Mood::Spent => {
                let seconds = if self.has(Fault::NamesNoPause) { 0 } else { 100 };
                Fetched::Throttled {
                    content: status(403),
                    retry_after: Duration::from_secs(seconds),
                    shortage: Shortage::Pace,
                }
            }
        }
    }
}

fn tag(version: u64) -> Box<str> {
    format!("\"{version}\"").into()
}
