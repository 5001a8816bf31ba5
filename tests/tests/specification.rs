//! The twenty-eight checks of the system that this one takes the place of, each as what it should have proved.
//!
//! Real nodes, sockets on the loopback interface, and a model of GitHub's API that counts its calls. Where a
//! check names something that exists here in another form, its first line says in which.

#[path = "specification/sessions.rs"]
mod sessions;
#[path = "fleet/support.rs"]
#[expect(dead_code, reason = "the fleet's own tests need more of it")]
mod support;
#[path = "specification/wire.rs"]
mod wire;

use cache_core::{Message, PeerId, codec, port::DIAL_TIMEOUT};
use cache_crypto::{FleetGate, FleetSecret, Keyring};
use cache_tests::{origin::ModelOrigin, until};
use fleet_cache::{
    GitHub, Node, OpenTransport as _, Peer, PeerSource, PeerState, environment, github::Credential,
};
use sessions::sessions;
use std::{
    ffi::OsString,
    sync::{Arc, OnceLock},
    time::Duration,
};
use support::{EITHER, Fleet, Over, body, builder, connected};

const MINUTE: Duration = Duration::from_secs(60);

mod encryption {
    use super::*;

    #[test]
    fn the_cryptography_is_available() {
        let (one, other) = sessions(&a_secret(), &a_secret());
        assert!(one.is_none() && other.is_none(), "two secrets must not agree");
        let secret = a_secret();
        let (one, other) = sessions(&secret, &secret);
        let (mut one, mut other) = one.zip(other).expect("one secret agrees with itself");
        assert_eq!(other.open(&one.seal(b"there").unwrap()).unwrap(), b"there");
    }

    /// Content identifiers: entries are called by keyed digests of their keys, so names give nothing away.
    #[test]
    fn a_name_stands_for_one_key_within_one_fleet() {
        let secret = a_secret();
        let names = |secret: &FleetSecret| Keyring::new(secret).names();
        let (ours, same, theirs) = (names(&secret), names(&secret), names(&a_secret()));
        let key = "api.github.com/repos/acme/widget-1";
        assert_eq!(ours.name(key), same.name(key));
        assert_ne!(ours.name(key), ours.name("api.github.com/repos/acme/widget-2"));
        assert_ne!(ours.name("x:y"), ours.name("x_y"));
        assert_ne!(ours.name(key), theirs.name(key), "a name must mean nothing to others");
    }

    #[tokio::test]
    async fn the_peer_to_peer_stack_is_available() {
        for over in EITHER {
            let gate = Arc::new(FleetGate::new(Keyring::new(&a_secret())));
            let transport = over.open([7; 32].into(), gate, 8).await.expect("a port is free");
            let (peer, addresses) = (transport.local_peer(), transport.addresses());
            assert!(!addresses.is_empty());
            for address in addresses {
                assert!(address.ends_with(&format!("/p2p/{peer}")), "{address}");
                assert!(!address.contains("/tcp/0/") && !address.contains("/udp/0/"), "{address}");
            }
            transport.shutdown().await;
        }
    }

    #[tokio::test]
    async fn a_token_is_found() {
        for name in ["GITHUB_TOKEN", "GH_TOKEN"] {
            let origin = ModelOrigin::start();
            let node = of_environment(&[("GITHUB_API_URL", &origin.url()), (name, "ghp_alice")]).await;
            body(&node, "/repos/acme/secret-1").await;
            assert_eq!(origin.calls()[0].token, "ghp_alice", "{name}");
        }
        let origin = ModelOrigin::start();
        let both =
            [("GITHUB_API_URL", &*origin.url()), ("GITHUB_TOKEN", "ghp_bob"), ("GH_TOKEN", "ghp_alice")];
        body(&of_environment(&both).await, "/repos/acme/secret-1").await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_key_is_derived_from_a_secret_of_any_kind() {
        let generated = a_secret().to_text().expect("it was generated").to_string();
        for text in [&*generated, "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "correct horse battery staple"]
        {
            let origin = ModelOrigin::start();
            // Read twice, as on two hosts.
            let read = || FleetSecret::parse(text).expect("it is a secret");
            assert_eq!(read().fingerprint(), read().fingerprint());
            assert!(!format!("{:?}", read()).contains(text));
            let one = builder(&origin, read()).transport(Over::Quic).start().await.unwrap();
            let other = builder(&origin, read()).transport(Over::Quic).bootstrap(one.addresses());
            let other = other.start().await.unwrap();
            until("they let each other in", async || connected(&other).await == 1).await;
            let kind = read().kind();
            assert_eq!(one.stats().await.unwrap().sharing, format!("on, by a secret of the kind {kind}"));
        }
    }

    /// Fernet: frames sealed with XChaCha20-Poly1305.
    #[test]
    fn a_message_comes_back_and_differs_from_its_plaintext() {
        let secret = a_secret();
        let (one, other) = sessions(&secret, &secret);
        let (mut one, mut other) = one.zip(other).expect("they agree");
        let message = codec::encode_message(&Message::Membership(b"repos/acme/widget-1".as_slice().into()));
        let (first, second) = (one.seal(&message).unwrap(), one.seal(&message).unwrap());
        assert_ne!(first, second);
        for frame in [first, second] {
            assert!(!frame.windows(8).any(|window| message.windows(8).any(|plain| plain == window)));
            assert_eq!(other.open(&frame).unwrap(), message);
            assert!(other.open(&frame).is_err(), "a frame opens once");
        }
    }

    #[test]
    fn another_key_yields_nothing() {
        let (secret, another) = (a_secret(), a_secret());
        let (mut one, _) = sessions(&secret, &secret).0.zip(Some(())).expect("they agree");
        let (_, stranger) = sessions(&another, &another);
        let mut stranger = stranger.expect("they agree");
        let frame = one.seal(b"for members").unwrap();
        assert!(stranger.open(&frame).is_err());
        for cut in 0..frame.len() {
            assert!(stranger.open(&frame[..cut]).is_err());
        }
    }

    #[tokio::test]
    async fn a_value_is_put_got_and_expires() {
        let node = alone(&ModelOrigin::start()).await;
        let (values, lifetime) = (node.values(), Duration::from_millis(300));
        values.put("list_repos:acme", "[1,2]", lifetime).await.unwrap();
        assert_eq!(values.get("list_repos:acme").await.unwrap().as_deref(), Some(&b"[1,2]"[..]));
        until("it expires", async || values.get("list_repos:acme").await.unwrap().is_none()).await;
        assert_eq!(values.get_stale("list_repos:acme").await.unwrap().as_deref(), Some(&b"[1,2]"[..]));
        let fetched = values.get_or_fetch("list_repos:acme", MINUTE, async || Ok::<_, ()>("[3]")).await;
        assert_eq!(fetched.unwrap(), "[3]");
        let stats = node.stats().await.unwrap();
        assert!(stats.hits > 0 && stats.misses > 0 && stats.expirations > 0, "{stats:?}");
    }

    /// Validation fields and their hash: the entity tag, computed over the whole body.
    #[tokio::test]
    async fn validators_are_deterministic_and_change_with_the_data() {
        let origin = ModelOrigin::start();
        let tag = async || {
            let reply = alone(&origin).await.get("/repos/acme/widget-1").await.unwrap();
            reply.entry().expect("it is kept").validators().etag.clone().expect("it has a tag")
        };
        let before = tag().await;
        assert_eq!(tag().await, before);
        origin.mutate("acme/widget-1");
        assert_ne!(tag().await, before);
        // What is stale is asked about by it: unchanged costs no quota, changed is replaced.
        let node = short_lived(&origin, Duration::ZERO).await;
        let (paid, first) = (origin.paid_calls(), body(&node, "/repos/acme/widget-2").await);
        assert_eq!(body(&node, "/repos/acme/widget-2").await, first);
        assert_eq!(node.stats().await.unwrap().revalidated, 1);
        assert_eq!(origin.paid_calls(), paid + 1);
        origin.mutate("acme/widget-2");
        assert_ne!(body(&node, "/repos/acme/widget-2").await, first);
    }

    /// The GitHub wrapper: `Node::get`, in the process-wide node.
    #[tokio::test]
    async fn the_process_wide_node_gives_statistics_by_their_names() {
        let (node, _origin) = process_wide();
        body(&node, "/repos/acme/widget-7").await;
        body(&fleet_cache::global().unwrap(), "/repos/acme/widget-7").await;
        let stats = serde_json::to_value(node.stats().await.unwrap()).unwrap();
        assert!(stats["cache_size"].as_u64() >= Some(1), "{stats}");
        assert!(stats["total_requests"].as_u64() >= Some(2), "{stats}");
        assert!(stats["hit_rate"].as_f64() > Some(0.0) && stats["hit_rate"].as_f64() < Some(1.0), "{stats}");
        for name in ["hits", "misses", "peer_hits", "expirations", "evictions", "api_calls_made"] {
            assert!(stats[name].is_u64(), "{name}: {stats}");
        }
    }
}

mod networking {
    use super::*;
    use wire::Wire;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_node_starts_with_peers_and_is_reached() {
        for over in EITHER {
            let fleet = Fleet::start(over, 2).await;
            let stats = fleet.nodes[0].stats().await.unwrap();
            assert_eq!(stats.sharing, "on, by a secret of the kind generated");
            assert_eq!((stats.connected_peers, stats.peer_id.is_some()), (1, true));
            let peer = fleet.nodes[1].peer_id().expect("it shares");
            fleet.nodes[0].ping(peer).await.expect("it answers");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_passes_between_nodes_is_encrypted() {
        let fleet = Fleet::start(Over::Libp2p, 1).await;
        let wire = Wire::to(&fleet.nodes[0].addresses()[0]).await;
        let other = fleet.start_one(vec![wire.address.clone()]).await;
        until("they meet over the wire", async || connected(&other).await == 1).await;
        let secret = "a repository that nobody may know of";
        fleet.nodes[0].values().put(secret, secret, MINUTE).await.unwrap();
        until("it is there", async || other.values().get(secret).await.unwrap().is_some()).await;
        let seen = wire.seen.lock().clone();
        assert!(seen.len() > 1000, "the wire saw {} bytes", seen.len());
        for word in [&b"repository"[..], b"nobody"] {
            assert!(!seen.windows(word.len()).any(|window| window == word));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_put_with_peers_succeeds_and_reaches_them() {
        for over in EITHER {
            let fleet = Fleet::start(over, 3).await;
            fleet.nodes[2].values().put("key", "value", MINUTE).await.unwrap();
            for node in &fleet.nodes {
                until("it is everywhere", async || {
                    node.values().get("key").await.unwrap().as_deref() == Some(b"value")
                })
                .await;
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_wrapper_shares_what_it_fetched() {
        for over in EITHER {
            let fleet = Fleet::start(over, 2).await;
            let get = async |node: &Node, token: &str| {
                let request = http::Request::get("/repos/acme/secret-1").header("authorization", token);
                let request = request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
                node.request(request).await.unwrap().status().as_u16()
            };
            assert_eq!(get(&fleet.nodes[0], "token ghp_alice").await, 200);
            assert_eq!(get(&fleet.nodes[1], "token ghp_alice").await, 200);
            assert_eq!(fleet.origin.calls_total(), 1, "{over:?}");
            // And only with clients that may read it.
            assert_eq!(get(&fleet.nodes[1], "token ghp_bob").await, 404);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_address_with_and_without_a_peer_leads_to_the_node() {
        for over in EITHER {
            let fleet = Fleet::start(over, 1).await;
            let with = fleet.nodes[0].addresses()[0].clone();
            let (without, _) = with.rsplit_once("/p2p/").expect("a node tells its id");
            for contact in [with.clone(), without.to_owned()] {
                let other = fleet.start_one(vec![contact.clone()]).await;
                until("it has joined", async || connected(&other).await == 1).await;
                other.shutdown().await;
                until("it has left", async || connected(&fleet.nodes[0]).await == 0).await;
            }
        }
    }

    /// The protocol `/github-cache/1.0.0`: ours is `fleet-cache/1`, and every message begins with a version.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_protocol_is_named_and_another_one_is_refused() {
        let fleet = Fleet::start(Over::Quic, 1).await;
        let address = fleet.nodes[0].addresses()[0].clone();
        let port: u16 = address.split('/').nth(4).unwrap().parse().unwrap();
        for (protocol, is_ours) in [("fleet-cache/1", true), ("github-cache/1.0.0", false), ("libp2p", false)]
        {
            let keypair = libp2p_identity::Keypair::generate_ed25519();
            let mut tls = libp2p_tls::make_client_config(&keypair, None).unwrap();
            tls.alpn_protocols = vec![protocol.into()];
            let tls = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
            let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
            let config = quinn::ClientConfig::new(Arc::new(tls));
            let dialed = endpoint.connect_with(config, ([127, 0, 0, 1], port).into(), "node").unwrap().await;
            assert_eq!(dialed.is_ok(), is_ours, "{protocol}");
        }
        let mut message = codec::encode_message(&Message::Ping { token: 1 });
        message[0] += 1;
        assert!(codec::decode_message(&message).is_err());
    }
}

mod production {
    use super::*;
    use cache_tests::{daemon::Setup, http::Client};
    use serde_json::Value;

    /// Port 9000 of the unit files of old is here one that is free.
    #[tokio::test]
    async fn the_environment_of_production_makes_a_node_that_keeps_and_counts() {
        let origin = ModelOrigin::start();
        let daemon = Setup::new(env!("CARGO_BIN_EXE_fleet-cache-under-test"), &origin.url())
            .with_peers()
            .env("CACHE_ENABLE_P2P", "true")
            .env("P2P_LISTEN_PORT", "0")
            .env("CACHE_P2P_SHARED_SECRET", "correct horse battery staple")
            .start();
        for client in [daemon.client(), daemon.unix_client()] {
            let reply = client.get("/repos/acme/widget-1").send().await.expect("the door answers");
            assert_eq!(reply.status, 200);
        }
        let admin = Client::unix(&daemon.directory().join("cache/admin.sock"));
        let stats: Value = admin.get("/stats").send().await.expect("the admin socket answers").json();
        assert_eq!(stats["fleet"]["listen_source"], "environment P2P_LISTEN_PORT");
        assert_eq!((&stats["hits"], &stats["p2p_enabled"]), (&Value::from(1), &Value::from(true)));
        assert_eq!(origin.calls_total(), 1);
        let (node, _origin) = process_wide();
        node.values().put("key", "value", MINUTE).await.unwrap();
        let same = fleet_cache::global().expect("it runs");
        assert_eq!(same.values().get("key").await.unwrap().as_deref(), Some(&b"value"[..]));
        assert!(same.stats().await.unwrap().hits >= 1);
    }

    #[tokio::test]
    async fn the_wrapper_caches_without_credentials() {
        let origin = ModelOrigin::start();
        let node = alone(&origin).await;
        assert_eq!(body(&node, "/repos/acme/widget-1").await, body(&node, "/repos/acme/widget-1").await);
        assert_eq!((origin.calls_total(), origin.paid_calls()), (1, 1));
        assert_eq!(origin.calls()[0].token, "anonymous");
    }
}

mod load_shedding {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn one_node_fetches_and_the_other_is_served_without_a_call() {
        for over in EITHER {
            let fleet = Fleet::start(over, 2).await;
            let fetched = body(&fleet.nodes[0], "/repos/acme/widget-1").await;
            assert_eq!(body(&fleet.nodes[1], "/repos/acme/widget-1").await, fetched);
            let served = fleet.nodes[1].stats().await.unwrap();
            assert_eq!((served.peer_hits, served.api_calls_saved, served.api_calls_made), (1, 1, 0));
            assert_eq!(fleet.origin.calls_total(), 1, "{over:?}");
        }
    }

    #[test]
    fn ten_threads_on_one_key_make_one_call() {
        let origin = ModelOrigin::start();
        origin.set_answer_delay(Duration::from_millis(50));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let node = runtime.block_on(alone(&origin));
        let start = std::sync::Barrier::new(10);
        std::thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| {
                    start.wait();
                    runtime.block_on(body(&node, "/repos/acme/widget-1"))
                });
            }
        });
        assert_eq!(origin.calls_total(), 1);
        let stats = runtime.block_on(node.stats()).unwrap();
        assert_eq!((stats.api_calls_made, stats.api_calls_saved), (1, 9));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn five_nodes_that_read_three_repositories_make_three_calls_instead_of_fifteen() {
        for over in EITHER {
            let fleet = Fleet::start(over, 5).await;
            let reads = fleet.nodes.iter().flat_map(|node| {
                (1..=3).map(move |number| async move { body(node, &Fleet::repository(number)).await })
            });
            futures::future::join_all(reads).await;
            let (mut made, mut saved) = (0, 0);
            for node in &fleet.nodes {
                let stats = node.stats().await.unwrap();
                (made, saved) = (made + stats.api_calls_made, saved + stats.api_calls_saved);
            }
            assert_eq!((fleet.origin.calls_total(), made, saved), (3, 3, 12), "{over:?}");
        }
    }
}

mod bootstrap_policy {
    use super::*;
    use cache_transport_libp2p::Libp2pAddress;
    use cache_transport_quic::QuicAddress;
    use fleet_cache::Quic;

    #[tokio::test]
    async fn ten_contacts_are_taken() {
        let known = contacts_of(&(0..12).map(|number| contact(number, number)).collect::<Vec<_>>()).await;
        assert_eq!(known, sorted((0..10).map(|number| contact(number, number)).collect()));
    }

    #[tokio::test]
    async fn a_node_among_its_own_contacts_is_left_out() {
        let origin = ModelOrigin::start();
        let first = builder(&origin, a_secret()).transport(Over::Quic).start().await.unwrap();
        let own = first.addresses()[0].clone();
        first.shutdown().await;
        let (place, _) = own.rsplit_once("/p2p/").expect("a node tells its id");
        let again = builder(&origin, a_secret()).transport(Quic::listen(place));
        let again = again.bootstrap([own.clone(), place.to_owned(), contact(1, 1)]).start().await.unwrap();
        let known: Vec<_> =
            again.peers().await.unwrap().into_iter().filter_map(|peer| peer.address).collect();
        assert_eq!(known, [contact(1, 1)]);
    }

    #[tokio::test]
    async fn of_five_contacts_with_two_repeats_three_are_taken() {
        let given = [contact(1, 1), contact(2, 2), contact(1, 1), contact(3, 3), contact(9, 2)];
        assert_eq!(contacts_of(&given).await, sorted(vec![contact(1, 1), contact(2, 2), contact(3, 3)]));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn bad_addresses_are_refused_with_a_reason_and_good_ones_taken() {
        let peer = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
        for (place, over) in
            [("/ip4/192.0.2.1/tcp/9100", Over::Libp2p), ("/ip4/192.0.2.1/udp/9100/quic-v1", Over::Quic)]
        {
            for good in [place.to_owned(), format!("{place}/p2p/{peer}")] {
                assert!(parse(over, &good).is_ok(), "{good}");
            }
            let bad = [
                place.replace("192.0.2.1", "256.256.256.256"),
                place.replace("9100", "99999"),
                format!("{place}/p2p/"),
                "/ip4garbage/tcp//p2p/".to_owned(),
                "garbage".to_owned(),
                String::new(),
                "null".to_owned(),
            ];
            for bad in &bad {
                let reason = parse(over, bad).expect_err(bad);
                assert!(reason.len() > bad.len() + 20, "{reason}");
            }
            // In a list they do not keep the good one from being used.
            let fleet = Fleet::start(over, 1).await;
            let list = bad.into_iter().chain(fleet.nodes[0].addresses()).collect();
            let node = fleet.start_one(list).await;
            until("it has joined", async || connected(&node).await == 1).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn contacts_are_dialled_side_by_side_and_only_the_peer_that_an_address_names_is_let_in() {
        for over in EITHER {
            let fleet = Fleet::start(over, 1).await;
            // Nothing answers at the first eight: these addresses are for documentation.
            let silent = (1..=8).map(|number| unanswered(over, number));
            let began = std::time::Instant::now();
            let node = fleet.start_one(silent.chain(fleet.nodes[0].addresses()).collect()).await;
            until("it has joined", async || connected(&node).await == 1).await;
            assert!(began.elapsed() < DIAL_TIMEOUT, "{over:?}: {:?}", began.elapsed());
            // The same place under another's name, and a fleet of its own.
            let address = fleet.nodes[0].addresses()[0].clone();
            let (place, _) = address.rsplit_once("/p2p/").expect("a node tells its id");
            let wrong = fleet.start_one(vec![format!("{place}/p2p/{}", peer(9))]).await;
            let stranger = fleet.builder_with(a_secret()).bootstrap([place]).start().await.unwrap();
            for refused in [&wrong, &stranger] {
                until("its dial has failed", async || {
                    refused.peers().await.unwrap().iter().any(|peer| peer.failures > 0)
                })
                .await;
                assert_eq!(connected(refused).await, 0, "{over:?}");
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_node_whose_contacts_all_fail_works_alone_and_joins_when_one_comes_up() {
        for over in EITHER {
            let fleet = Fleet::start(over, 1).await;
            let lost = fleet.start_one(vec![unanswered(over, 1), "garbage".to_owned()]).await;
            body(&lost, "/repos/acme/widget-1").await;
            lost.values().put("key", "value", MINUTE).await.unwrap();
            assert!(lost.values().get("key").await.unwrap().is_some());
            assert_eq!((connected(&lost).await, fleet.origin.calls_total()), (0, 1), "{over:?}");
            // A node that finds it finds it ready.
            let finder = fleet.start_one([lost.addresses(), fleet.nodes[0].addresses()].concat()).await;
            until("all three have met", async || {
                connected(&lost).await == 2 && connected(&finder).await == 2
            })
            .await;
            finder.values().put("after", "value", MINUTE).await.unwrap();
            until("they share", async || lost.values().get("after").await.unwrap().is_some()).await;
        }
    }

    #[tokio::test]
    async fn repeats_and_bad_addresses_take_no_place_of_the_ten_and_time_is_bounded() {
        let repeats = (0..8).map(|_| contact(0, 0));
        let given: Vec<_> = repeats.chain((1..20).map(|number| contact(number, number))).collect();
        assert_eq!(
            contacts_of(&given).await,
            sorted((0..10).map(|number| contact(number, number)).collect())
        );
        assert_eq!(DIAL_TIMEOUT, Duration::from_secs(15));
        let fleet = Fleet::start(Over::Libp2p, 1).await;
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let node = fleet.start_one(vec![format!("/ip4/127.0.0.1/tcp/{closed}")]).await;
        until("it backs off", async || {
            let peers = node.peers().await.unwrap();
            let backs_off = |peer: &Peer| peer.state == PeerState::BackingOff && peer.reason.is_some();
            peers.iter().any(|peer| backs_off(peer) && peer.failures >= 2)
        })
        .await;
    }

    /// What a node with these contacts knows.
    async fn contacts_of(given: &[String]) -> Vec<String> {
        let node = builder(&ModelOrigin::start(), a_secret()).transport(Over::Quic).bootstrap(given.to_vec());
        let node = node.start().await.expect("a port is free");
        let peers = node.peers().await.expect("the node runs");
        assert!(peers.iter().all(|peer| peer.source == PeerSource::Contact), "{peers:?}");
        sorted(peers.into_iter().filter_map(|peer| peer.address).collect())
    }

    fn contact(host: u8, id: u8) -> String {
        format!("/ip4/192.0.2.{host}/udp/9100/quic-v1/p2p/{}", peer(id))
    }

    fn unanswered(over: Over, host: u8) -> String {
        match over {
            Over::Libp2p => format!("/ip4/192.0.2.{host}/tcp/9100"),
            Over::Quic => format!("/ip4/192.0.2.{host}/udp/9100/quic-v1"),
        }
    }

    fn peer(number: u8) -> PeerId {
        let keypair =
            libp2p_identity::Keypair::ed25519_from_bytes([number + 1; 32]).expect("any 32 bytes are a key");
        keypair.public().to_peer_id().to_string().parse().expect("it is one of Ed25519")
    }

    fn sorted(mut list: Vec<String>) -> Vec<String> {
        list.sort_unstable();
        list
    }

    fn parse(over: Over, text: &str) -> Result<(), String> {
        match over {
            Over::Libp2p => text.parse::<Libp2pAddress>().map(drop).map_err(|error| error.to_string()),
            Over::Quic => text.parse::<QuicAddress>().map(drop).map_err(|error| error.to_string()),
        }
    }
}

fn a_secret() -> FleetSecret {
    FleetSecret::generate().expect("the system has entropy")
}

/// A node without peers.
async fn alone(origin: &ModelOrigin) -> Node {
    builder(origin, None).start().await.expect("it starts")
}

/// A node without peers that asks with a credential, and whose entries are fresh for `lifetime`.
async fn short_lived(origin: &ModelOrigin, lifetime: Duration) -> Node {
    let credential = Credential::from_token("ghp_alice").expect("it is well-formed");
    let github = GitHub::builder().origin(&origin.url()).credential(credential);
    let github = github.default_lifetime(lifetime).build().expect("the settings are in range");
    Node::builder(None, github).start().await.expect("it starts")
}

/// A node set up from these variables and no others, in memory.
async fn of_environment(table: &[(&str, &str)]) -> Node {
    let variable = |name: &str| {
        let found = table.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| OsString::from(value))
    };
    environment::builder_from(&variable).expect("the variables are right").start().await.expect("it starts")
}

/// The node of this process, which all tests here share, and its origin.
fn process_wide() -> (Node, &'static ModelOrigin) {
    static ORIGIN: OnceLock<ModelOrigin> = OnceLock::new();
    let origin = ORIGIN.get_or_init(|| {
        let origin = ModelOrigin::start();
        fleet_cache::configure(builder(&origin, None)).expect("nobody uses it before");
        origin
    });
    (fleet_cache::global().expect("it starts"), origin)
}
