//! What one node saves five runners that read three repositories each, counted by a model of GitHub's API.
//!
//! `cargo run --release -p cache-tests --example savings`

use bytes::Bytes;
use cache_tests::{
    eventually,
    origin::{Fault, FaultKind, ModelOrigin},
};
use fleet_cache::{GitHub, Node, RequestError};
use http::Request;
use http_body_util::Empty;
use std::{error::Error, time::Duration};
use tokio::task::JoinSet;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    println!("{RUNNERS} runners read {} repositories each\n", REPOSITORIES.len());
    println!("{:<34}{:>8}{:>9}{:>7}", "", "answers", "quota", "saved");

    let run = Run::start().await?;
    show("without a cache", &run.directly().await?);
    let run = Run::start().await?;
    show("one after the other", &run.one_by_one().await?);
    let run = Run::start().await?;
    show("all at once", &run.at_once().await?);
    run.until_stale().await?;
    show("again, past their lifetime", &run.at_once().await?);
    run.until_stale().await?;
    run.origin.fault(Fault::always(FaultKind::Reset));
    show("again, while GitHub is down", &run.at_once().await?);
    Ok(())
}

/// A node in front of a model of GitHub's API.
struct Run {
    origin: ModelOrigin,
    node: Node,
}

/// How many requests were answered with 200, and how much quota that cost.
struct Figures {
    answers: usize,
    paid_calls: u64,
}

impl Run {
    async fn start() -> Result<Self, Failure> {
        let origin = ModelOrigin::start();
        let github = GitHub::builder().origin(&origin.url()).default_lifetime(LIFETIME).build()?;
        Ok(Self { origin, node: Node::builder(None, github).start().await? })
    }

    /// Every runner asks the API itself.
    async fn directly(&self) -> Result<Figures, Failure> {
        let before = self.origin.paid_calls();
        let mut answers = 0;
        for path in asked() {
            let response = self.node.github().forward(request(path)?).await?;
            answers += usize::from(response.status() == 200);
        }
        Ok(Figures { answers, paid_calls: self.origin.paid_calls() - before })
    }

    async fn one_by_one(&self) -> Result<Figures, Failure> {
        let before = self.origin.paid_calls();
        let mut answers = 0;
        for path in asked() {
            answers += usize::from(self.node.request(request(path)?).await?.status() == 200);
        }
        Ok(Figures { answers, paid_calls: self.origin.paid_calls() - before })
    }

    async fn at_once(&self) -> Result<Figures, Failure> {
        let before = self.origin.paid_calls();
        let mut runners = JoinSet::new();
        for path in asked() {
            let (node, request) = (self.node.clone(), request(path)?);
            runners.spawn(async move { node.request(request).await.map(|reply| reply.status()) });
        }
        let statuses: Vec<_> = runners.join_all().await.into_iter().collect::<Result<_, RequestError>>()?;
        let answers = statuses.into_iter().filter(|status| *status == 200).count();
        Ok(Figures { answers, paid_calls: self.origin.paid_calls() - before })
    }

    /// Waits until nothing that is cached is fresh any more.
    async fn until_stale(&self) -> Result<(), Failure> {
        let heads = REPOSITORIES.map(|path| request(path).map(|request| request.into_parts().0));
        let heads: Vec<_> = heads.into_iter().collect::<Result<_, _>>()?;
        let is_stale = || heads.iter().all(|head| self.node.try_hit(head).is_none());
        match eventually(2 * LIFETIME, is_stale).await {
            true => Ok(()),
            false => Err("an entry outlives its lifetime".into()),
        }
    }
}

/// The paths that all runners together ask for.
fn asked() -> impl Iterator<Item = &'static str> {
    (0..RUNNERS).flat_map(|_runner| REPOSITORIES)
}

fn request(path: &str) -> Result<Request<Empty<Bytes>>, http::Error> {
    Request::get(path).header("authorization", "Bearer ghp_alice").body(Empty::new())
}

fn show(how: &str, figures: &Figures) {
    let saved = 100.0 * (1.0 - figures.paid_calls as f64 / figures.answers as f64);
    println!("{how:<34}{:>8}{:>9}{saved:>6.0}%", figures.answers, figures.paid_calls);
}

const RUNNERS: usize = 5;
const REPOSITORIES: [&str; 3] = ["/repos/acme/widget-1", "/repos/acme/widget-2", "/repos/acme/widget-3"];
const LIFETIME: Duration = Duration::from_secs(1);
