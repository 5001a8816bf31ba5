//! A node set up from environment variables, given here as a table.

use crate::support::{PRIVATE, PUBLIC};
use cache_tests::{origin::ModelOrigin, until};
use fleet_cache::{NodeBuilder, StartError, environment};
use std::ffi::OsString;

fn builder_from(table: &[(&str, &str)]) -> Result<NodeBuilder, StartError> {
    let variable = |name: &str| {
        let found = table.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| OsString::from(value))
    };
    environment::builder_from(&variable)
}

#[tokio::test]
async fn every_variable_has_its_effect() {
    let (origin, home) = (ModelOrigin::start(), tempfile::tempdir().unwrap());
    let (url, home) = (origin.url(), home.path().to_str().unwrap());
    let table = [
        ("GITHUB_API_URL", url.as_str()),
        ("GH_TOKEN", "ghp_alice"),
        ("GITHUB_TOKEN", "ghp_bob"),
        ("CACHE_DEFAULT_TTL", "0"),
        ("CACHE_MAX_ENTRIES", " 7 "),
        ("HOME", home),
    ];
    let node = builder_from(&table).unwrap().start().await.unwrap();
    // The credential, which is the first of two, pays for what brings none.
    assert_eq!(node.get(PRIVATE).await.unwrap().status(), 200);
    assert_eq!(node.get(PRIVATE).await.unwrap().time_left().unwrap(), std::time::Duration::ZERO);
    assert_eq!((origin.calls_total(), origin.paid_calls()), (2, 1));
    assert_eq!(node.stats().await.unwrap().max_cache_size, 7);
    let caches = environment::cache_directory(&|name| (name == "HOME").then(|| home.into())).unwrap();
    assert!(caches.starts_with(home) && caches.join("node.key").exists());
    node.shutdown().await;

    let elsewhere = tempfile::tempdir().unwrap();
    let directory = elsewhere.path().join("here");
    let table = [
        ("CACHE_DIR", directory.to_str().unwrap()),
        ("CACHE_P2P_SHARED_SECRET", "correct horse battery staple, and some more of it"),
        ("GITHUB_API_URL", url.as_str()),
        ("HOME", home),
    ];
    let node = builder_from(&table).unwrap().start().await.unwrap();
    assert_eq!(node.get(PUBLIC).await.unwrap().status(), 200);
    assert_eq!(node.get(PRIVATE).await.unwrap().status(), 404);
    assert!(directory.join("node.key").exists());
}

#[tokio::test]
async fn with_a_secret_nodes_share_over_either_transport_unless_they_are_told_not_to() {
    for transport in ["libp2p", "quic"] {
        let origin = ModelOrigin::start();
        let url = origin.url();
        let start = async |more: &[(&str, &str)]| {
            let secret = ("CACHE_P2P_SHARED_SECRET", "correct horse battery staple, and some more of it");
            let table = [secret, ("GITHUB_API_URL", &url), ("CACHE_TRANSPORT", transport)];
            builder_from(&[&table, more].concat()).unwrap().start().await.unwrap()
        };
        let first = start(&[]).await;
        let contacts = first.addresses().join(", ");
        let alone = start(&[("CACHE_ENABLE_P2P", "false"), ("CACHE_BOOTSTRAP_PEERS", &contacts)]).await;
        assert_eq!((alone.peer_id(), alone.addresses()), (None, Vec::new()));
        let second = start(&[("CACHE_BOOTSTRAP_PEERS", &contacts), ("P2P_LISTEN_PORT", "0")]).await;
        until("the two are connected", async || {
            first.stats().await.unwrap().connected_peers == 1
                && second.stats().await.unwrap().connected_peers == 1
        })
        .await;
        for node in [first, second] {
            assert_eq!(node.get(PUBLIC).await.unwrap().status(), 200);
        }
        assert_eq!(origin.calls_total(), 1);
    }
}

#[test]
fn a_value_that_cannot_be_used_is_refused_by_name_and_no_secret_is_repeated() {
    let rows = [
        ("CACHE_DEFAULT_TTL", "soon"),
        ("CACHE_DEFAULT_TTL", "-1"),
        ("CACHE_DEFAULT_TTL", "367d"),
        ("CACHE_MAX_ENTRIES", "many"),
        ("CACHE_MAX_ENTRIES", "0"),
        ("CACHE_P2P_SHARED_SECRET", "short"),
        ("CACHE_ENABLE_P2P", "perhaps"),
        ("CACHE_DISCOVER", "mdns, etcd"),
        ("CACHE_LISTEN_PORT", "65536"),
        ("P2P_LISTEN_PORT", "none"),
        ("CACHE_TRANSPORT", "pigeon"),
    ];
    for (name, value) in rows {
        let error = builder_from(&[(name, value)]).unwrap_err();
        assert!(matches!(error, StartError::Environment { name: found, .. } if found == name), "{error:?}");
        assert!(error.to_string().starts_with(name), "{error}");
        if !name.contains("SECRET") {
            assert!(error.to_string().starts_with(&format!("{name}: `{value}` is")), "{error}");
        } else {
            assert!(!format!("{error} {error:?}").contains("`short`"), "{error}");
        }
    }
    let error = builder_from(&[("GH_TOKEN", "ghp_se cret\n")]).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("cret\n"), "{error}");
    let error = builder_from(&[("GITHUB_API_URL", "ftp://example.com")]).unwrap_err();
    assert!(matches!(error, StartError::Origin(_)) && error.to_string().contains("ftp://"), "{error}");
}
