//! Questions to one peer, and what each can be told is in the way.

use crate::support::{EITHER, Fleet};
use fleet_cache::{AskPeerError, PeerId, PingError, VALUE_KEY_BYTES_MAX};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_answers_a_ping_and_says_whether_it_has_a_value() {
    for over in EITHER {
        let fleet = Fleet::start(over, 2).await;
        let (node, peer) = (&fleet.nodes[0], fleet.nodes[1].peer_id().expect("it shares"));
        assert!(node.ping(peer).await.unwrap().round_trip < Duration::from_secs(3), "{over:?}");
        assert!(!node.ask_peer_for_value(peer, "key").await.unwrap(), "{over:?}");
        fleet.nodes[1].values().put("key", "value", Duration::from_secs(60)).await.unwrap();
        assert!(node.ask_peer_for_value(peer, "key").await.unwrap(), "{over:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_cannot_be_asked_is_refused_with_the_reason() {
    for over in EITHER {
        let fleet = Fleet::start(over, 1).await;
        let (node, nobody) = (&fleet.nodes[0], PeerId::from_public_key([7; 32]));
        assert!(matches!(node.ping(nobody).await, Err(PingError::NotConnected)), "{over:?}");
        let asked = node.ask_peer_for_value(nobody, "key").await;
        assert!(matches!(asked, Err(AskPeerError::NotConnected)), "{over:?}: {asked:?}");
        let long = "k".repeat(VALUE_KEY_BYTES_MAX + 1);
        let asked = node.ask_peer_for_value(nobody, &long).await;
        assert!(matches!(asked, Err(AskPeerError::KeyTooLong(_))), "{over:?}: {asked:?}");
        node.shutdown().await;
        assert!(matches!(node.ask_peer_for_value(nobody, "key").await, Err(AskPeerError::Closed(_))));
    }
}
