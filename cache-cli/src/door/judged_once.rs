//! How often a request is judged and looked up on its way in.

use super::{
    client::Users,
    exchange::{Exchange, Front},
    host::Hosts,
    policy::Door,
    rendered::RenderedReplies,
    rewrite::ApiUrls,
};
use arc_swap::ArcSwapOption;
use fleet_cache::{GitHub, Node};
use http::{Method, Request};
use http_body_util::Empty;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tracing::{
    Dispatch, Event, field,
    subscriber::{self, NoSubscriber},
};
use tracing_subscriber::{Layer, layer::Context, prelude::*};

/// Counts what is said, by its words.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<BTreeMap<String, usize>>>);

impl Said {
    /// How often there was a plan and a look-up in the read index since the last time.
    fn taken(&self) -> (usize, usize) {
        let mut said = self.0.lock().unwrap();
        let mut taken = |words| said.remove(words).unwrap_or(0);
        (taken("planned"), taken("looked up"))
    }
}

impl<S: tracing::Subscriber> Layer<S> for Said {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        event.record(&mut |field: &field::Field, words: &dyn std::fmt::Debug| {
            if field.name() == "message" {
                *self.0.lock().unwrap().entry(format!("{words:?}")).or_default() += 1;
            }
        });
    }
}

/// A door in front of an origin that answers everything alike.
async fn door() -> Exchange {
    let origin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", origin.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut connection, _address)) = origin.accept().await {
            let mut head = vec![0; 4096];
            let _length = connection.read(&mut head).await.unwrap();
            let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: \"1\"\r\n\
                          Content-Length: 2\r\nConnection: close\r\n\r\n{}";
            connection.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let github = GitHub::builder().origin(&url).build().unwrap();
    Exchange::new(
        Arc::new(Front {
            hosts: Hosts::new(github.origin(), &[], &[]),
            api: ApiUrls::of_origin(github.origin()),
            rendered: RenderedReplies::new(),
            client_token: ArcSwapOption::empty(),
            web_origins: Vec::new(),
            interception: None,
            http: None,
            access_log: None,
            refusals: crate::door::Refusals::default(),
            users: Users::default(),
            naming: crate::settings::ClientNaming::default(),
            node: Node::builder(None, github).start().await.unwrap(),
        }),
        Door::TCP,
    )
}

#[tokio::test]
async fn every_request_is_planned_once_and_looked_up_at_most_once() {
    let said = Said::default();
    // While a single dispatcher lives, `tracing` asks the thread that comes to an event first whether it is wanted, and that
    // may be another test's, which wants none.
    let _second = Dispatch::new(NoSubscriber::new());
    let _heard = subscriber::set_default(tracing_subscriber::registry().with(said.clone()));
    let door = door().await;
    let asked = async |method: Method, field: (&str, &str)| {
        let request = Request::builder().method(method).uri("/repos/acme/site").header("host", "localhost");
        let request = request.header(field.0, field.1).body(Empty::new()).unwrap();
        said.taken();
        let Ok(answer) = door.answer(request).await;
        assert_eq!(answer.status(), 200);
        said.taken()
    };
    let plain = ("user-agent", "test");
    assert_eq!(asked(Method::GET, plain).await, (1, 1), "a miss");
    assert_eq!(asked(Method::GET, plain).await, (1, 1), "a hit");
    assert_eq!(
        asked(Method::GET, ("x-fleet-cache-token", "any")).await,
        (1, 1),
        "a hit with the door's fields"
    );
    assert_eq!(asked(Method::GET, ("upgrade", "h2c")).await, (1, 1), "a hit with an offer");
    assert_eq!(asked(Method::GET, ("range", "bytes=0-0")).await, (1, 0), "a read that passes");
    assert_eq!(asked(Method::PATCH, plain).await, (1, 0), "a write");
    // Which body was announced is known only when it is there: the request is another one then.
    assert_eq!(asked(Method::GET, ("transfer-encoding", "chunked")).await, (2, 1), "an empty body");
}
