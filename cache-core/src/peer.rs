//! The identity of a node.

use core::fmt;

/// A node's identity: its Ed25519 public key, the same on every transport and across restarts.
///
/// Written in base58 as libp2p writes it (`12D3Koo…`): the key, wrapped in libp2p's protobuf, as an identity
/// multihash. See libp2p's specification of peer ids.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PeerId([u8; 32]);

impl PeerId {
    /// The identity with this public key.
    pub const fn from_public_key(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The Ed25519 public key.
    pub const fn public_key(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; MULTIHASH_PREFIX.len() + 32];
        bytes[..MULTIHASH_PREFIX.len()].copy_from_slice(&MULTIHASH_PREFIX);
        bytes[MULTIHASH_PREFIX.len()..].copy_from_slice(&self.0);
        f.write_str(&bs58::encode(bytes).into_string())
    }
}

impl fmt::Debug for PeerId {
    /// The last six letters: enough to tell peers apart, as in `…6nXTN`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = alloc::format!("{self}");
        write!(f, "…{}", &text[text.len() - 6..])
    }
}

impl core::str::FromStr for PeerId {
    type Err = PeerIdError;

    fn from_str(text: &str) -> Result<Self, PeerIdError> {
        let bytes = bs58::decode(text).into_vec().map_err(|_letter| PeerIdError)?;
        let key = bytes.strip_prefix(&MULTIHASH_PREFIX[..]).ok_or(PeerIdError)?;
        key.try_into().map(Self).map_err(|_length| PeerIdError)
    }
}

/// A text is not a peer id of an Ed25519 key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a peer id of an Ed25519 key, which begins with 12D3Koo")]
pub struct PeerIdError;

/// Identity multihash of 36 bytes; in them, a protobuf with key type 1 (Ed25519) and 32 bytes of key.
const MULTIHASH_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn the_text_of_an_identity_is_libp2p_s_and_reads_back() {
        let text = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
        let peer: PeerId = text.parse().unwrap();
        assert_eq!(peer.to_string(), text);
        for bad in ["", "12D3Koo", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", "0OIl"] {
            assert_eq!(bad.parse::<PeerId>(), Err(PeerIdError), "{bad}");
        }
    }
}
