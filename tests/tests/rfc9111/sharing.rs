//! Daemons of one fleet in front of one origin.

use crate::origin::{Origin, Said};
use cache_tests::{daemon::Daemon, http::Client, until};
use fleet_cache::FleetSecret;
use serde_json::Value;

async fn stats(daemon: &Daemon) -> Value {
    let admin = Client::unix(&daemon.directory().join("cache/admin.sock"));
    admin.get("/stats").send().await.expect("the admin socket answers").json()
}

async fn fleet(origin: &Origin, count: usize) -> Vec<Daemon> {
    let secret = FleetSecret::generate().expect("the system has entropy");
    let secret = secret.to_text().expect("a generated secret has a text").to_string();
    let mut daemons: Vec<Daemon> = Vec::new();
    for _ in 0..count {
        let mut setup = origin.setup().with_peers().env("CACHE_P2P_SHARED_SECRET", &secret);
        setup = setup.arg("--p2p-listen").arg("/ip4/127.0.0.1/tcp/0");
        if let Some(first) = daemons.first() {
            let stats = stats(first).await;
            setup = setup.arg("--bootstrap").arg(stats["addresses"][0].as_str().expect("it listens"));
        }
        daemons.push(setup.start());
    }
    for daemon in &daemons {
        let is_whole = async || stats(daemon).await["connected_peers"] == count - 1;
        until("all are connected", is_whole).await;
    }
    daemons
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_call_serves_the_fleet_and_so_does_one_for_each_variant() {
    let origin = Origin::start().await;
    let daemons = fleet(&origin, 3).await;
    origin.say("/plain", Said::new("plain").kept_for("max-age=600"));
    for daemon in &daemons {
        assert_eq!(&daemon.client().get("/plain").send().await.unwrap().body[..], b"plain");
    }
    assert_eq!(origin.calls("/plain"), 1);
    for language in ["en", "de"] {
        origin.say("/varied", Said::new(language).kept_for("max-age=600").with("vary", "accept-language"));
        for daemon in &daemons {
            let reply =
                daemon.client().get("/varied").header("accept-language", language).send().await.unwrap();
            assert_eq!(&reply.body[..], language.as_bytes());
        }
    }
    assert_eq!(origin.calls("/varied"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_unsafe_request_ends_is_ended_at_all_members() {
    let origin = Origin::start().await;
    let daemons = fleet(&origin, 2).await;
    origin.say("/a", Said::new("old").kept_for("max-age=600"));
    for daemon in &daemons {
        daemon.client().get("/a").send().await.unwrap();
    }
    origin.say("/a", Said::new("new").kept_for("max-age=600"));
    assert_eq!(daemons[0].client().post("/a", "body").send().await.unwrap().status, 200);
    assert_eq!(&daemons[1].client().get("/a").send().await.unwrap().body[..], b"new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_for_one_credential_is_told_to_no_member() {
    let origin = Origin::start().await;
    let daemons = fleet(&origin, 2).await;
    origin.say("/a", Said::new("secret").kept_for("max-age=600"));
    daemons[0].client().get("/a").token("alice").send().await.unwrap();
    origin.say("/a", Said::new("public").kept_for("max-age=600"));
    assert_eq!(&daemons[1].client().get("/a").send().await.unwrap().body[..], b"public");
}
