//! Fleets of more daemons than each may be connected with, nodes behind other addresses, and nodes of one identity.

use crate::support::{EITHER, addresses, ask, body, member, new_secret, peer_id, shown, until_connected};
use cache_tests::{daemon::Daemon, origin::ModelOrigin, until};
use std::time::{Duration, Instant};

#[tokio::test]
async fn twelve_daemons_that_may_each_have_eight_peers_make_one_call_for_each_resource() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let secret = new_secret();
        let mut daemons = Vec::new();
        let mut contacts = Vec::new();
        for _ in 0..12 {
            let daemon = member(&origin, over, &secret, &contacts).arg("--max-peers").arg("8").start();
            if contacts.is_empty() {
                contacts = addresses(&daemon).await;
            }
            daemons.push(daemon);
        }
        until_links_stand(&daemons).await;
        for number in 1..=10 {
            for daemon in &daemons {
                body(daemon, number).await;
            }
        }
        assert_eq!(origin.calls_total(), 10, "{over:?}");
        for daemon in &daemons {
            let connected = shown(daemon, "/stats").await["connected_peers"].as_u64().unwrap_or_default();
            assert!((1..=8).contains(&connected), "{over:?}: {connected} peers");
        }
    }
}

/// Waits until each of `daemons` knows all others, and its connections are the same for longer than the two seconds for
/// which a new one does not give way. Until then one that is asked may have to turn an asker away, which costs a call.
async fn until_links_stand(daemons: &[Daemon]) {
    let mut links = Vec::new();
    let mut since = Instant::now();
    until("every daemon knows eleven others, and its connections stand", async || {
        let mut now = Vec::new();
        for daemon in daemons {
            let peers = shown(daemon, "/peers").await["peers"].as_array().cloned().unwrap_or_default();
            let connected = peers.iter().filter(|peer| peer["state"] == "connected");
            let mut connected: Vec<String> = connected.map(|peer| peer["id"].to_string()).collect();
            connected.sort_unstable();
            if peers.len() < 11 || !(4..=8).contains(&connected.len()) {
                return false;
            }
            now.push(connected);
        }
        if now != links {
            (links, since) = (now, Instant::now());
        }
        since.elapsed() > Duration::from_secs(2)
    })
    .await;
}

#[tokio::test]
async fn a_contact_needs_no_id_where_there_is_a_secret() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let secret = new_secret();
        let first = member(&origin, over, &secret, &[]).start();
        let contacts: Vec<String> = addresses(&first)
            .await
            .iter()
            .map(|address| address.split_once("/p2p/").expect("it ends in an id").0.to_owned())
            .collect();
        let second = member(&origin, over, &secret, &contacts).start();
        until_connected(&second, 1).await;
        let stranger = member(&origin, over, &new_secret(), &contacts).start();
        until("the stranger is refused", async || {
            shown(&first, "/stats").await["aggregate"]["refused"].as_u64().unwrap_or_default() > 0
        })
        .await;
        assert_eq!(shown(&stranger, "/stats").await["connected_peers"], 0);
    }
}

#[tokio::test]
async fn a_daemon_tells_the_addresses_first_that_it_was_told_to_advertise() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let place = over.any_port().replace("/ip4/127.0.0.1/", "/dns4/ci-7.example/").replace("/0", "/9100");
        let daemon = member(&origin, over, &new_secret(), &[]).arg("--p2p-advertise").arg(&place).start();
        let id = peer_id(&daemon).await;
        let told = addresses(&daemon).await;
        assert_eq!(told[0], format!("{place}/p2p/{id}"));
        assert!(told[1].starts_with("/ip4/127.0.0.1/"), "{told:?}");
    }
}

#[tokio::test]
async fn two_daemons_of_one_identity_are_named_by_the_member_at_which_they_displace_each_other_and_by_themselves()
 {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let secret = new_secret();
        let first = member(&origin, over, &secret, &[]).start();
        let contacts = addresses(&first).await;
        let second = member(&origin, over, &secret, &contacts).start();
        until_connected(&first, 1).await;
        let twin = member(&origin, over, &secret, &contacts).start_from_image_of(&second);
        let id = peer_id(&second).await;
        assert_eq!(peer_id(&twin).await, id);
        until("the first says what is wrong", async || first.stderr().contains("same identity")).await;
        until("each of the two says it of itself", async || {
            [&second, &twin].iter().all(|daemon| daemon.stderr().contains("same identity"))
        })
        .await;
        for daemon in [&second, &twin] {
            assert_eq!(shown(daemon, "/stats").await["has_twin"], true, "{over:?}");
        }
        let doctor = ask(&first, &["doctor"]).await;
        assert!(
            doctor.stdout.contains("same identity") && doctor.stdout.contains(&id),
            "{over:?}: {doctor:?}"
        );
    }
}

#[tokio::test]
async fn a_daemon_whose_contact_is_itself_says_so() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let secret = new_secret();
        let first = member(&origin, over, &secret, &[]).start();
        let own = addresses(&first).await;
        let same = member(&origin, over, &secret, &own).start_from_image_of(&first);
        let doctor = ask(&same, &["doctor"]).await;
        assert_eq!(doctor.code, 12, "{over:?}: {doctor:?}");
        assert!(doctor.stdout.contains("its own contact") && doctor.stdout.contains(&own[0]), "{doctor:?}");
    }
}
