//! One identity, as Fleet Cache and as libp2p write it.

use cache_core::PeerId;
use cache_transport::address::core_peer;
use libp2p::{
    PeerId as Libp2pPeerId,
    identity::{Keypair, PublicKey},
};
use zeroize::Zeroizing;

/// The key pair of a seed.
pub(crate) fn keypair(mut seed: Zeroizing<[u8; 32]>) -> Keypair {
    Keypair::ed25519_from_bytes(&mut *seed).expect("every 32 bytes are a seed of an Ed25519 key")
}

/// The peer id of `keypair`'s public half.
pub(crate) fn local_peer(keypair: &Keypair) -> PeerId {
    core_peer(keypair.public().to_peer_id()).expect("the key pair is Ed25519")
}

/// libp2p's id of `peer`; `None` if its bytes are not a point of the curve.
pub(crate) fn to_libp2p(peer: PeerId) -> Option<Libp2pPeerId> {
    let key = libp2p::identity::ed25519::PublicKey::try_from_bytes(peer.public_key()).ok()?;
    Some(PublicKey::from(key).to_peer_id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_reads_the_same_in_both_worlds() {
        let keypair = keypair(Zeroizing::new([7; 32]));
        let peer = local_peer(&keypair);
        assert_eq!(peer.to_string(), keypair.public().to_peer_id().to_base58());
        assert_eq!(to_libp2p(peer), Some(keypair.public().to_peer_id()));
        let public = keypair.public().try_into_ed25519().unwrap().to_bytes();
        assert_eq!(peer, PeerId::from_public_key(public));
    }
}
