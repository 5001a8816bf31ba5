//! Members of other releases, while a fleet is upgraded node by node.

use crate::{
    member::Member,
    support::{EITHER, Fleet, body, connected, standing, totals},
};
use cache_core::{Features, Message, Protocol, codec, port::DialError};
use cache_tests::until;
use fleet_cache::PeerState;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_release_adds_is_skipped_and_held_against_nobody() {
    for over in EITHER {
        let fleet = Fleet::start(over, 2).await;
        let member = Member::speaking(over, &fleet.secret, LATER).await;
        let node = member.meet(&fleet.nodes[0]).await;
        for token in 0..20 {
            let ping = codec::encode_message(&Message::Ping { token });
            let later_major = [&[9][..], &ping[1..]].concat();
            for plain in [&[1, 200, 7][..], &[1, 251, 255, 255], &later_major] {
                member.say_bytes(node, plain).expect("there is room");
            }
            member.say_bytes(node, &[&ping[..], b"one more field"].concat()).expect("there is room");
        }
        let mut answered = Vec::new();
        until("every ping is answered", async || {
            answered.extend(member.heard().into_iter().filter_map(|message| match message {
                Message::Pong { token, .. } => Some(token),
                _other => None,
            }));
            answered.len() == 20
        })
        .await;
        assert_eq!(answered, Vec::from_iter(0..20), "{over:?}");
        let counted = totals(&fleet.nodes[0]).await;
        assert_eq!((counted.skipped_frames, counted.rejected_frames), (60, 0), "{over:?}");
        let standing = standing(&fleet.nodes[0], member.peer).await.expect("it is connected");
        assert_eq!((standing.state, standing.score), (PeerState::Connected, 0), "{over:?}");
        assert_eq!(connected(&fleet.nodes[0]).await, 2, "{over:?}");
        body(&fleet.nodes[0], &Fleet::repository(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_lacks_a_feature_is_not_told_what_belongs_to_it() {
    for over in EITHER {
        for (protocol, is_told) in [(LATER, true), (LESSER, false)] {
            let fleet = Fleet::start(over, 1).await;
            let member = Member::speaking(over, &fleet.secret, protocol).await;
            let newcomer = fleet.start_one(member.addresses()).await;
            let peer = newcomer.peer_id().expect("it shares");
            until("they meet", async || member.is_connected(peer) && connected(&newcomer).await == 1).await;
            // Comes behind what the newcomer says to the peers that it meets.
            let _no_answer = newcomer.ping(member.peer).await;
            let mut heard = Vec::new();
            until("the ping is heard", async || {
                heard.extend(member.heard());
                heard.iter().any(|message| matches!(message, Message::Ping { .. }))
            })
            .await;
            let warm_up = heard.iter().any(|message| matches!(message, Message::WarmUp { .. }));
            assert_eq!(warm_up, is_told, "{over:?}, {protocol:?}: {heard:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_different_major_versions_refuse_each_other_and_say_why() {
    for over in EITHER {
        let fleet = Fleet::start(over, 1).await;
        let stranger = Member::speaking(over, &fleet.secret, Protocol { major: 2, ..Protocol::OURS }).await;
        stranger.call(&fleet.nodes[0].addresses()[0]);
        until("the node refuses it", async || totals(&fleet.nodes[0]).await.refused_version == 1).await;
        assert_eq!(totals(&fleet.nodes[0]).await.refused_unproved, 0, "{over:?}");
        let node = fleet.start_one(stranger.addresses()).await;
        until("it refuses a node", async || {
            let standing = standing(&node, stranger.peer).await;
            standing.is_some_and(|peer| peer.failure == Some(DialError::OtherVersion))
        })
        .await;
        assert_eq!(connected(&node).await, 0, "{over:?}");
    }
}

/// The next minor version, with features that no node knows.
const LATER: Protocol = Protocol { minor: 1, features: Features::from_bits(u64::MAX >> 1), ..Protocol::OURS };

/// A foreign implementation that does no more than it must.
const LESSER: Protocol = Protocol { features: Features::NONE, ..Protocol::OURS };
