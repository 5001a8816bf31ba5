//! The adapter for GitHub, in front of the model of it, through the suite for origins.

use async_trait::async_trait;
use cache_conformance::origin::{Mood, OriginFactory, Subject, Wanted};
use cache_core::{Candidate, Entry, Fetched};
use cache_origin_github::{GitHub, Plan};
use cache_tests::origin::{Fault, FaultKind, ModelOrigin, Quota, Resource};
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

cache_conformance::origin_conformance!(GitHubFactory);

struct GitHubFactory;

#[async_trait]
impl OriginFactory for GitHubFactory {
    async fn start(&self) -> anyhow::Result<Box<dyn Subject>> {
        let origin = ModelOrigin::start();
        let github = GitHub::builder().origin(&origin.url()).body_bytes_max(HELD_BYTES_MAX).build()?;
        Ok(Box::new(GitHubSubject { quota: origin.quota("anonymous", Resource::Core), origin, github }))
    }
}

struct GitHubSubject {
    origin: ModelOrigin,
    github: GitHub,
    /// What there is while the origin is well.
    quota: Quota,
}

#[async_trait]
impl Subject for GitHubSubject {
    async fn fetch(&self, wanted: Wanted, known: Option<Arc<Entry>>) -> Fetched {
        let (target, accept) = match wanted {
            Wanted::Document => ("/repos/acme/widget-1", "*/*"),
            Wanted::Long => ("/repos/acme/widget-1/contents/big-300000.bin", "application/vnd.github.raw"),
            Wanted::Missing => ("/repos/acme/no-such-thing", "*/*"),
        };
        let request = http::Request::get(target).header("accept", accept).body(()).expect("a sound request");
        let (request, ()) = request.into_parts();
        let planned = match self.github.plan(&request, &mut String::new()) {
            Plan::Cached(planned) => planned,
            Plan::Pass(reason) => panic!("passed: {reason}"),
            Plan::Body => panic!("a read has no body"),
        };
        self.github.fetch(&self.github.question(&request, &planned), known.map(Candidate::Own)).await.fetched
    }

    fn set_mood(&self, mood: Mood) {
        self.origin.clear_faults();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
        let spent = Quota { used: self.quota.limit, reset_unix_seconds: now + 100, ..self.quota };
        let quota = if mood == Mood::Spent { spent } else { self.quota };
        self.origin.set_quota("anonymous", Resource::Core, quota);
        let kind = match mood {
            Mood::BreaksOff => FaultKind::Truncate,
            Mood::Garbage => FaultKind::Garbage,
            Mood::Gone => FaultKind::Reset,
            Mood::Ill => FaultKind::Status(503),
            Mood::Spent | Mood::Well => return,
        };
        self.origin.fault(Fault::always(kind));
    }

    fn change(&self) {
        self.origin.mutate("acme/widget-1");
    }

    fn calls(&self) -> u64 {
        self.origin.calls_total()
    }
}

/// Longer than the document, shorter than what is long.
const HELD_BYTES_MAX: usize = 100_000;
