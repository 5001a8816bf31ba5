//! One call serves all daemons, and each comes and goes in order.

use crate::support::{
    EITHER, PROGRAM, addresses, body, command, fleet, member, new_secret, peer_id, shown, until_connected,
};
use cache_tests::{daemon::Setup, origin::ModelOrigin};
use std::time::{Duration, Instant};

#[tokio::test]
async fn three_daemons_share_one_call() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let daemons = fleet(&origin, over, 3).await;
        let first = body(&daemons[0], 1).await;
        for daemon in &daemons[1..] {
            assert_eq!(body(daemon, 1).await, first);
        }
        assert_eq!(origin.calls_total(), 1, "{over:?}");
    }
}

#[tokio::test]
async fn a_daemon_that_restarts_is_the_same_node_and_finds_its_fleet_again() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let mut daemons = fleet(&origin, over, 2).await;
        let before = peer_id(&daemons[1]).await;
        let daemon = daemons.remove(1).restart();
        assert_eq!(peer_id(&daemon).await, before);
        until_connected(&daemon, 1).await;
        until_connected(&daemons[0], 1).await;
        let first = body(&daemons[0], 1).await;
        assert_eq!(body(&daemon, 1).await, first);
        assert_eq!(origin.calls_total(), 1, "{over:?}");
    }
}

#[tokio::test]
async fn a_daemon_that_is_asked_to_end_says_so_to_its_fleet() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let mut daemons = fleet(&origin, over, 2).await;
        let mut leaving = daemons.remove(1);
        let asked = Instant::now();
        leaving.ask_to_end();
        until_connected(&daemons[0], 0).await;
        // Far less than silence would have to last.
        assert!(asked.elapsed() < Duration::from_secs(3), "{over:?}: {:?}", asked.elapsed());
        let status = leaving.wait(Duration::from_secs(20));
        assert!(status.success(), "{status}: {}", leaving.stderr());
    }
}

#[tokio::test]
async fn a_daemon_whose_port_for_peers_is_taken_says_which_and_what_to_do() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let first = member(&origin, over, &new_secret(), &[]).start();
        let taken = addresses(&first).await.remove(0);
        let (taken, _peer) = taken.split_once("/p2p/").expect("it ends in an id");
        let other = tempfile::tempdir().expect("a temporary directory can be made");
        let arguments =
            ["serve", "--listen", "127.0.0.1:0", "--transport", over.name(), "--p2p-listen", taken];
        let secret = ["--shared-secret", "a passphrase of some length"];
        let ended = command(other.path().into(), &[&arguments[..], &secret].concat()).await;
        assert_eq!(ended.code, 6, "{over:?}: {ended:?}");
        for part in [taken, "another process has that port", "--p2p-port"] {
            assert!(ended.stderr.contains(part), "{part}: {ended:?}");
        }
    }
}

#[tokio::test]
async fn a_daemon_without_a_secret_keeps_to_itself_and_says_so() {
    let origin = ModelOrigin::start();
    let daemon = Setup::new(PROGRAM, &origin.url()).with_peers().start();
    body(&daemon, 1).await;
    let stats = shown(&daemon, "/stats").await;
    assert_eq!(stats["p2p_enabled"], false);
    assert_eq!(stats["addresses"].as_array().map(Vec::len), Some(0));
    let said = daemon.stderr();
    assert!(said.contains("WARN") && said.contains("no fleet secret is set"), "{said}");
}

#[tokio::test]
async fn a_daemon_whose_contacts_are_all_away_serves_at_once() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let secret = new_secret();
        let mut away = member(&origin, over, &secret, &[]).start();
        let contacts = addresses(&away).await;
        away.kill();
        let alone = member(&origin, over, &secret, &contacts).start();
        let asked = Instant::now();
        body(&alone, 1).await;
        // Far less than a dial may take.
        assert!(asked.elapsed() < Duration::from_secs(5), "{over:?}: {:?}", asked.elapsed());
    }
}
