//! The peers of the daemon's node, as its commands name them.

use crate::admin::{PingAnswer, Pinged};
use fleet_cache::{Closed, Node, PeerId};
use std::collections::BTreeMap;

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
    Closed(Closed),
    /// No id that is known ends so.
    Unknown,
}

/// The peer of `node` whose id is, or ends in, `text`.
///
/// # Errors
///
/// If no peer fits, or more than one.
pub(super) async fn named(node: &Node, text: &str) -> Result<PeerId, NoPeer> {
    let peers = node.peers().await.map_err(NoPeer::Closed)?;
    one_of(peers.into_iter().filter_map(|peer| peer.id), text)
}

fn one_of(ids: impl Iterator<Item = PeerId>, text: &str) -> Result<PeerId, NoPeer> {
    if let Ok(peer) = text.parse() {
        return Ok(peer);
    }
    let texts = ids.map(|id| (id.to_string(), id));
    let found: BTreeMap<String, PeerId> =
        texts.filter(|(id, _peer)| !text.is_empty() && id.ends_with(text)).collect();
    let mut ids = found.values();
    match (ids.next(), ids.next()) {
        (Some(one), None) => Ok(*one),
        (None, _) => Err(NoPeer::Unknown),
        (Some(_), Some(_)) => Err(NoPeer::Ambiguous(found.into_keys().collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> PeerId {
        PeerId::from_public_key([byte; 32])
    }

    #[test]
    fn a_peer_is_named_by_its_id_or_by_an_end_that_no_other_has() {
        let ids = || [id(1), id(2), id(1)].into_iter();
        let (one, two) = (id(1).to_string(), id(2).to_string());
        assert_eq!(one_of(ids(), &one).unwrap(), id(1));
        let end = &one[one.len() - 6..];
        assert_ne!(end, &two[two.len() - 6..]);
        assert_eq!(one_of(ids(), end).unwrap(), id(1));
        assert!(matches!(one_of(ids(), "nobody"), Err(NoPeer::Unknown)));
        assert!(matches!(one_of(ids(), ""), Err(NoPeer::Unknown)));
    }

    #[test]
    fn an_end_that_several_have_is_refused_with_all_of_them() {
        // Of a hundred ids, some have the same end.
        let ids = || (0..100).map(id);
        let mut by_end = BTreeMap::<char, Vec<String>>::new();
        for id in ids().map(|id| id.to_string()) {
            by_end.entry(id.chars().last().unwrap()).or_default().push(id);
        }
        let (end, mut alike) = by_end.into_iter().find(|(_end, ids)| ids.len() > 1).unwrap();
        alike.sort();
        let Err(NoPeer::Ambiguous(found)) = one_of(ids(), &end.to_string()) else {
            panic!("it names several")
        };
        assert_eq!(found, alike);
    }
}
