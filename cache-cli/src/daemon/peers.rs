//! The peers of the daemon's node, as its commands name them.

use crate::admin::{PingAnswer, Pinged};
use fleet_cache::{Node, Peer, RequestError, core::PeerId};

/// Pings `peer` from `node`.
pub(super) async fn ping(node: &Node, peer: PeerId) -> Pinged {
    let answer = match node.ping(peer).await {
        Ok(pong) => PingAnswer::Answered {
            round_trip_micros: u64::try_from(pong.round_trip.as_micros()).unwrap_or(u64::MAX),
            skew_millis: pong.skew_millis,
        },
        Err(error) => PingAnswer::Failed { reason: error.to_string() },
    };
    Pinged { peer: peer.to_string(), answer }
}

/// Why a text names no peer.
#[derive(Debug)]
pub(super) enum NoPeer {
    /// It is the end of several ids.
    Ambiguous(Vec<String>),
    /// The node has ended.
    Closed(RequestError),
    /// No id that is known ends so.
    Unknown,
}

/// The peer of `node` whose id is, or ends in, `text`.
///
/// # Errors
///
/// When there is none, or more than one.
pub(super) async fn named(node: &Node, text: &str) -> Result<PeerId, NoPeer> {
    let peers = node.peers().await.map_err(NoPeer::Closed)?;
    one_of(peers.into_iter().filter_map(|Peer { id, .. }| id), text)
}

fn one_of(ids: impl Iterator<Item = String>, text: &str) -> Result<PeerId, NoPeer> {
    if let Ok(peer) = text.parse() {
        return Ok(peer);
    }
    let mut found: Vec<String> = ids.filter(|id| !text.is_empty() && id.ends_with(text)).collect();
    found.sort();
    found.dedup();
    match found.as_slice() {
        [one] => one.parse().map_err(|_malformed| NoPeer::Unknown),
        [] => Err(NoPeer::Unknown),
        [_, _, ..] => Err(NoPeer::Ambiguous(found)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> String {
        PeerId::from_public_key([byte; 32]).to_string()
    }

    #[test]
    fn a_peer_is_named_by_its_id_or_by_an_end_that_no_other_has() {
        let ids = || [id(1), id(2), id(1)].into_iter();
        let (one, two) = (id(1), id(2));
        assert_eq!(one_of(ids(), &one).unwrap().to_string(), one);
        let end = &one[one.len() - 6..];
        assert_ne!(end, &two[two.len() - 6..]);
        assert_eq!(one_of(ids(), end).unwrap().to_string(), one);
        assert!(matches!(one_of(ids(), "nobody"), Err(NoPeer::Unknown)));
        assert!(matches!(one_of(ids(), ""), Err(NoPeer::Unknown)));
    }

    #[test]
    fn an_end_that_several_have_is_refused_with_all_of_them() {
        let ids = ["ab".to_owned(), "cb".to_owned()];
        let Err(NoPeer::Ambiguous(found)) = one_of(ids.into_iter(), "b") else { panic!("it names two") };
        assert_eq!(found, ["ab", "cb"]);
    }
}
