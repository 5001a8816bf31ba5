//! GitHub's other hosts through the unix socket, where releases, archives and uploads are.

use crate::support::setup;
use bytes::Bytes;
use cache_tests::{daemon::Daemon, origin::ModelOrigin};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{convert::Infallible, net::SocketAddr};
use tokio::{net::TcpListener, task::JoinHandle};

/// A host that tells what it was asked; `/redirect` leads elsewhere, `/file/N` has N bytes, the release 401 is refused.
struct Host {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Host {
    async fn start() -> Self {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let serving = tokio::spawn(async move {
            while let Ok((stream, _from)) = listener.accept().await {
                let serve = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(tell));
                tokio::spawn(async move {
                    // The door may close a connection whenever it likes.
                    let _ended = serve.await;
                });
            }
        });
        Self { address, serving }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn tell(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.map_or(0, |body| body.to_bytes().len());
    let path = parts.uri.path();
    if let Some(length) = path.strip_prefix("/file/").and_then(|length| length.parse().ok()) {
        return Ok(Response::new(Full::from(vec![b'x'; length])));
    }
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let told = serde_json::json!({
        "method": parts.method.as_str(),
        "target": parts.uri.to_string(),
        "host": text("host"),
        "authorization": text("authorization"),
        "hop": text("x-hop"),
        "token": text("x-fleet-cache-token"),
        "bytes": bytes,
        "url": "https://api.github.com/user",
    });
    let mut response = Response::new(Full::from(told.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    if path.contains("/releases/401/") {
        *response.status_mut() = StatusCode::UNAUTHORIZED;
    }
    if path == "/redirect" {
        *response.status_mut() = StatusCode::FOUND;
        let there = header::HeaderValue::from_static("https://codeload.github.com/there");
        response.headers_mut().insert(header::LOCATION, there);
    }
    Ok(response)
}

async fn daemon(names: &[&str]) -> (ModelOrigin, Host, Daemon) {
    let (origin, host) = (ModelOrigin::start(), Host::start().await);
    let mut setup = setup(&origin);
    for name in names {
        setup = setup.arg("--upstream").arg(format!("{name}=http://{}", host.address));
    }
    let daemon = setup.start();
    (origin, host, daemon)
}

#[tokio::test]
async fn a_request_for_another_of_githubs_hosts_arrives_there_as_the_client_made_it() {
    let (origin, _host, daemon) = daemon(&["uploads.github.com", "github.com"]).await;
    let client = daemon.unix_client().named("uploads.github.com");
    let upload = client
        .post("/repos/o/r/releases/1/assets?name=a%20b.zip", vec![7; 20_000_000])
        .token("ghp_alice")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("x-fleet-cache-token", "sesame");
    let reply = upload.send().await.expect("the door answers");
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("cache-status"), "fleet-cache; fwd=bypass; fwd-status=200; detail=other-host");
    let told = reply.json();
    assert_eq!(told["method"], "POST");
    assert_eq!(told["target"], "/repos/o/r/releases/1/assets?name=a%20b.zip");
    assert_eq!(told["host"], "uploads.github.com");
    assert_eq!(told["authorization"], "token ghp_alice");
    assert_eq!(told["bytes"], 20_000_000);
    assert_eq!((&told["hop"], &told["token"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    assert_eq!(told["url"], "https://api.github.com/user", "nothing is rewritten");
    let absolute = daemon.unix_client().get("http://github.com:443/o/r/archive/x.zip").send().await;
    assert_eq!(absolute.expect("the door answers").json()["host"], "github.com");
    assert_eq!(origin.calls_total(), 0);
}

#[tokio::test]
async fn what_is_uploaded_shows_in_the_api_at_once() {
    let (_origin, _host, daemon) = daemon(&["uploads.github.com"]).await;
    let read = async |path: &str| {
        let reply = daemon.unix_client().get(path).token("ghp_alice").send().await.expect("the door answers");
        (reply.status, reply.header("cache-status").to_owned())
    };
    let (release, other) = ("/repos/acme/widget-1/releases", "/repos/acme/widget-2");
    for path in [release, other] {
        read(path).await;
        assert!(read(path).await.1.contains("hit"), "{path}");
    }
    let client = daemon.unix_client().named("uploads.github.com");
    let upload = client.post("/repos/Acme/widget-1/releases/1/assets?name=a.zip", vec![7; 1000]);
    assert_eq!(upload.token("ghp_alice").send().await.expect("the door answers").status, 200);
    assert!(!read(release).await.1.contains("hit"));
    assert!(read(other).await.1.contains("hit"));
    let upload = client.post("/repos/acme/widget-1/releases/401/assets?name=a.zip", vec![7; 1000]);
    assert_eq!(upload.token("ghp_alice").send().await.expect("the door answers").status, 401);
    assert!(!read(other).await.1.contains("hit"), "a credential that was refused reads on");
}

#[tokio::test]
async fn nothing_is_cached_no_credential_is_added_and_no_redirect_is_followed() {
    let origin = ModelOrigin::start();
    let host = Host::start().await;
    let daemon = setup(&origin)
        .arg(format!("--upstream=objects.githubusercontent.com=http://{}", host.address))
        .env("GH_TOKEN", "ghp_alice")
        .start();
    let client = daemon.unix_client().named("objects.githubusercontent.com");
    for _each in 0..2 {
        let reply = client.get("/redirect").send().await.expect("the door answers");
        assert_eq!(reply.status, 302);
        assert_eq!(reply.header("location"), "https://codeload.github.com/there");
        assert_eq!(reply.json()["authorization"], serde_json::Value::Null);
    }
    let long = client.get("/file/30000000").send().await.expect("the door answers");
    assert_eq!(long.body.len(), 30_000_000);
    let head = client.head("/file/5").send().await.expect("the door answers");
    assert_eq!((head.header("content-length"), head.body.len()), ("5", 0));
}

#[tokio::test]
async fn other_hosts_and_other_doors_are_refused_with_a_remedy() {
    let (origin, host) = (ModelOrigin::start(), Host::start().await);
    let daemon = setup(&origin)
        .arg(format!("--upstream=files.corp=http://{}", host.address))
        .arg("--upstream=gone.corp=http://127.0.0.1:1")
        .start();
    for name in
        ["evil.example", "github.com.evil.example", "uploads.github.com:8443", "169.254.169.254.evil.example"]
    {
        let reply = daemon.unix_client().named(name).get("/").send().await.expect("the door answers");
        assert_eq!(reply.status, 421, "{name}");
        let remedy = reply.json()["fleet_cache"]["remedy"].to_string();
        assert!(remedy.contains("--upstream"), "{remedy}");
    }
    let named = daemon.unix_client().named("files.corp").get("/x").send().await.expect("the door answers");
    assert_eq!(named.json()["host"], "files.corp", "what the operator names is served");
    let tcp = daemon.client().named("uploads.github.com").get("/").send().await.expect("the door answers");
    assert_eq!(tcp.status, 421, "on TCP any page or user could ask");
    let gone = daemon.unix_client().named("gone.corp").get("/x").send().await.expect("the door answers");
    assert_eq!(gone.status, 502);
    assert!(
        gone.json()["message"].to_string().contains("gone.corp at http://127.0.0.1:1"),
        "{:?}",
        gone.json()
    );
    assert_eq!(origin.calls_total(), 0);
}
