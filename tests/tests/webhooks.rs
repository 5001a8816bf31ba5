//! Webhooks at daemons, as GitHub delivers them and as others try to.

use cache_tests::{
    daemon::{Daemon, Setup},
    http::{Client, Reply},
    origin::{ModelOrigin, Visibility},
    until,
};
use fleet_cache::FleetSecret;
use hmac::{Hmac, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use std::{fmt::Write as _, fs, net::SocketAddr, process::Command, time::Duration};
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_fleet-cache-under-test");
const REPOSITORY: &str = "/repos/acme/widget-1";
const SECRET: &str = "a secret that GitHub and this daemon know";
const PUSH: &str =
    r#"{"ref": "refs/heads/main", "repository": {"id": 100001, "full_name": "acme/widget-1"}}"#;

fn secret_file(secret: &str) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a temporary file can be made");
    fs::write(file.path(), format!("{secret}\n")).expect("a file can be written");
    file
}

fn setup(origin: &ModelOrigin, secret: &NamedTempFile) -> Setup {
    Setup::new(PROGRAM, &origin.url())
        .arg("--webhook-listen")
        .arg("127.0.0.1:0")
        .arg("--webhook-secret-file")
        .arg(secret.path())
}

async fn stats(daemon: &Daemon) -> Value {
    let admin = Client::unix(&daemon.directory().join("cache/admin.sock"));
    admin.get("/stats").send().await.expect("the admin socket answers").json()
}

async fn address(daemon: &Daemon) -> SocketAddr {
    let stats = stats(daemon).await;
    let url = stats["webhook_address"].as_str().expect("the daemon receives webhooks");
    let address = url.strip_prefix("http://").and_then(|url| url.strip_suffix("/webhook"));
    address.expect("it is where to POST").parse().expect("it names an address")
}

fn signature(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key will do");
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().fold("sha256=".to_owned(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

/// A delivery as GitHub makes it, but for what a test changes.
#[derive(Clone)]
struct Delivery<'a> {
    event: &'a str,
    id: &'a str,
    signature: Option<String>,
    body: String,
}

impl<'a> Delivery<'a> {
    fn of(event: &'a str, id: &'a str, body: &str) -> Self {
        Self { event, id, signature: Some(signature(SECRET, body)), body: body.to_owned() }
    }

    async fn send(self, to: SocketAddr) -> Reply {
        let draft = Client::tcp(to).post("/webhook", self.body);
        let draft = draft.header("x-github-event", self.event).header("x-github-delivery", self.id);
        let draft = match &self.signature {
            Some(signature) => draft.header("x-hub-signature-256", signature),
            None => draft,
        };
        draft.send().await.expect("the address for webhooks answers")
    }
}

async fn read(daemon: &Daemon) -> Reply {
    let reply = daemon.unix_client().get(REPOSITORY).token("ghp_alice").send().await;
    reply.expect("the door answers")
}

#[tokio::test]
async fn what_github_says_was_pushed_is_read_anew_and_nothing_that_others_say() {
    let (origin, secret) = (ModelOrigin::start(), secret_file(SECRET));
    let daemon = setup(&origin, &secret).arg("--settle").arg("0").start();
    let webhooks = address(&daemon).await;
    let before = read(&daemon).await.body;
    origin.mutate("acme/widget-1");
    let push = Delivery::of("push", "1", PUSH);
    let forged = Some(signature("what a stranger guesses", PUSH));
    let zeros = Some(format!("sha256={}", "0".repeat(64)));
    for (delivery, status) in [
        (Delivery { signature: None, ..push.clone() }, 401),
        (Delivery { signature: forged, ..push.clone() }, 403),
        (Delivery { signature: zeros, ..push.clone() }, 403),
        (Delivery { signature: Some("sha1=00".to_owned()), ..push.clone() }, 403),
        (Delivery { body: PUSH.replace("widget-1", "widget-2"), ..push.clone() }, 403),
        (Delivery::of("push", "2", "garbage"), 400),
        (Delivery::of("push", "3", r#"{"repository": {"full_name": "../user"}}"#), 400),
        (Delivery::of("an_event_of_next_year", "4", "{}"), 202),
        (Delivery::of("ping", "5", r#"{"zen": "Design for failure."}"#), 200),
    ] {
        let reply = delivery.send(webhooks).await;
        assert_eq!(reply.status, status, "{reply:?}");
        assert_eq!(
            read(&daemon).await.body,
            before,
            "nothing is forgotten by what was answered with {status}"
        );
    }
    assert_eq!(push.clone().send(webhooks).await.status, 200);
    let after = read(&daemon).await.body;
    assert_ne!(after, before);
    // The same once more, as somebody that has read the line may send it.
    origin.mutate("acme/widget-1");
    assert_eq!(push.send(webhooks).await.status, 200);
    assert_eq!(read(&daemon).await.body, after, "a replay has no effect");
    let counted = stats(&daemon).await["webhooks"].clone();
    let expected =
        [("taken", 2), ("ignored", 1), ("replayed", 1), ("refused", 5), ("malformed", 2), ("oversized", 0)];
    for (name, count) in expected {
        assert_eq!(counted[name], count, "{name}: {counted}");
    }
    assert!(!daemon.stderr().contains(SECRET), "{}", daemon.stderr());
}

#[tokio::test]
async fn a_delivery_at_one_node_ends_what_all_nodes_have_and_settles() {
    let (origin, secret) = (ModelOrigin::start(), secret_file(SECRET));
    let fleet_secret = FleetSecret::generate().expect("the system has entropy");
    let fleet_secret = fleet_secret.to_text().expect("a generated secret has a text").to_string();
    let member = |setup: Setup| {
        let setup = setup.with_peers().env("CACHE_P2P_SHARED_SECRET", &fleet_secret);
        setup.arg("--p2p-listen").arg("/ip4/127.0.0.1/tcp/0")
    };
    let first = member(setup(&origin, &secret)).start();
    let contact = stats(&first).await["addresses"][0].as_str().expect("it shares").to_owned();
    let second = member(Setup::new(PROGRAM, &origin.url())).arg("--bootstrap").arg(contact).start();
    until("they are connected", async || stats(&second).await["connected_peers"] == 1).await;
    let before = read(&second).await.body;
    origin.set_lagging(true);
    origin.mutate("acme/widget-1");
    assert_eq!(Delivery::of("push", "1", PUSH).send(address(&first).await).await.status, 200);
    let reply = read(&second).await;
    assert_eq!(reply.body, before, "the origin does not show it yet");
    assert!(reply.header("cache-status").ends_with("detail=settling"), "{reply:?}");
    origin.set_lagging(false);
    assert_ne!(read(&second).await.body, before);
}

#[tokio::test]
async fn what_was_readable_before_a_repository_became_private_is_not_read_after_the_delivery() {
    let (origin, secret) = (ModelOrigin::start(), secret_file(SECRET));
    let daemon = setup(&origin, &secret).start();
    let reader = async || {
        let reply = daemon.unix_client().get(REPOSITORY).token("ghp_bob").send().await;
        reply.expect("the door answers").status
    };
    assert_eq!(reader().await, 200);
    origin.set_visibility("acme/widget-1", Visibility::Private);
    assert_eq!(reader().await, 200, "nobody has told yet");
    let payload = r#"{"action": "privatized", "repository": {"id": 100001, "full_name": "acme/widget-1"}}"#;
    assert_eq!(Delivery::of("repository", "1", payload).send(address(&daemon).await).await.status, 200);
    assert_eq!(reader().await, 404);
}

#[tokio::test]
async fn only_deliveries_are_answered_and_no_longer_ones_than_github_sends() {
    let (origin, secret) = (ModelOrigin::start(), secret_file(SECRET));
    let daemon = setup(&origin, &secret).start();
    let webhooks = address(&daemon).await;
    let client = Client::tcp(webhooks);
    assert_eq!(client.get("/webhook").send().await.unwrap().status, 405);
    assert_eq!(client.post("/repos/acme/widget-1", "{}").send().await.unwrap().status, 404);
    assert_eq!(client.get("/repos/acme/widget-1").send().await.unwrap().status, 404);
    let unnamed = client.post("/webhook", PUSH).header("x-hub-signature-256", &signature(SECRET, PUSH));
    assert_eq!(unnamed.send().await.unwrap().status, 400);
    let form = Client::tcp(webhooks).post("/webhook", "payload=%7B%7D");
    let form =
        form.header("content-type", "application/x-www-form-urlencoded").header("x-github-event", "push");
    let form = form
        .header("x-github-delivery", "1")
        .header("x-hub-signature-256", &signature(SECRET, "payload=%7B%7D"));
    assert_eq!(form.send().await.unwrap().status, 415);
    // The length is told first, and is enough to be turned away.
    let mut stream = TcpStream::connect(webhooks).await.unwrap();
    let head = format!(
        "POST /webhook HTTP/1.1\r\nhost: x\r\nx-github-event: push\r\nx-github-delivery: 2\r\n\
         x-hub-signature-256: sha256={}\r\ncontent-length: {}\r\n\r\n",
        "0".repeat(64),
        25 * 1024 * 1024 + 1
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 413");
    let long = format!(
        r#"{{"pad": "{}", "repository": {{"full_name": "acme/widget-1"}}}}"#,
        "x".repeat(24 * 1024 * 1024)
    );
    assert_eq!(
        Delivery::of("push", "3", &long).send(webhooks).await.status,
        200,
        "one of GitHub's longest is taken"
    );
    assert_eq!(stats(&daemon).await["webhooks"]["oversized"], 1);
}

#[tokio::test]
async fn one_of_the_two_settings_without_the_other_keeps_the_daemon_from_starting() {
    let (secret, weak) = (secret_file(SECRET), secret_file("hunter2"));
    let path = |file: &NamedTempFile| file.path().to_str().unwrap().to_owned();
    let (secret_path, weak_path) = (path(&secret), path(&weak));
    for (arguments, said) in [
        (vec!["--webhook-listen", "127.0.0.1:0"], vec!["webhook-listen", "--webhook-secret-file FILE"]),
        (
            vec!["--webhook-secret-file", &secret_path],
            vec!["webhook-secret-file", "--webhook-listen ADDR:PORT"],
        ),
        (vec!["--pushed", "/repos/acme/**=1h"], vec!["pushed", "--webhook-listen ADDR:PORT", "--route"]),
        (
            vec!["--webhook-listen", "0.0.0.0:0", "--webhook-secret-file", &secret_path],
            vec!["webhook-listen", "other machines", "--allow-remote"],
        ),
        (
            vec!["--webhook-listen", "127.0.0.1:0", "--webhook-secret-file", &weak_path],
            vec!["webhook-secret-file", "has 7 bytes", "at least 16"],
        ),
    ] {
        let home = tempfile::tempdir().unwrap();
        let ended = Command::new(PROGRAM)
            .args(["serve", "--no-p2p", "--listen", "127.0.0.1:0"])
            .args(&arguments)
            .env_clear()
            .env("HOME", home.path())
            .output()
            .expect("the program can be run");
        let text = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(2), "{text}");
        assert!(said.iter().all(|part| text.contains(part)), "{arguments:?}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_delivery_that_stands_still_is_given_up() {
    let (origin, secret) = (ModelOrigin::start(), secret_file(SECRET));
    let daemon = setup(&origin, &secret).start();
    let mut stream = TcpStream::connect(address(&daemon).await).await.unwrap();
    let head = format!(
        "POST /webhook HTTP/1.1\r\nhost: x\r\nx-github-event: push\r\nx-github-delivery: 2\r\n\
         x-hub-signature-256: sha256={}\r\ncontent-length: 1000\r\n\r\n{{",
        "0".repeat(64)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    let read = tokio::time::timeout(Duration::from_secs(25), stream.read_exact(&mut answer)).await;
    read.expect("it is answered in time").unwrap();
    assert_eq!(answer, b"HTTP/1.1 408");
}
