//! Doubts as bytes on disk, and back.

use super::{DecodeError, List, decode_some, encode, invalidation::WireScope};
use crate::{
    Doubts, Scope, Timestamp,
    doubts::{DOUBTS_BYTES_MAX, DOUBTS_MAX},
};
use alloc::vec::Vec;

/// Encodes `doubts` whole.
pub fn encode_doubts(doubts: &Doubts) -> Vec<u8> {
    let listed = doubts.listed().iter().map(|(scope, date)| (scope.into(), date.as_unix_millis()));
    encode(&WireDoubts { floor: doubts.floor().map(Timestamp::as_unix_millis), listed: listed.collect() })
}

/// Decodes what [`encode_doubts`] wrote.
///
/// # Errors
///
/// [`DecodeError`] if the bytes are not exactly a list of doubts within all limits. Nothing is kept of them.
pub fn decode_doubts(bytes: &[u8]) -> Result<Doubts, DecodeError> {
    let (wire, read_bytes) = decode_some::<WireDoubts, MEMORY_MAX>(bytes).ok_or(DecodeError::Malformed)?;
    if read_bytes != bytes.len() {
        return Err(DecodeError::TrailingBytes { count: bytes.len() - read_bytes });
    }
    let listed = wire.listed.0.into_iter();
    let listed = listed.map(|(scope, date)| Ok((scope.into_scope()?, Timestamp::from_unix_millis(date))));
    let listed: Vec<(Scope, Timestamp)> = listed.collect::<Result<_, DecodeError>>()?;
    Ok(Doubts::new(wire.floor.map(Timestamp::from_unix_millis), listed))
}

/// The field order is the format.
#[derive(bincode::Decode, bincode::Encode)]
struct WireDoubts {
    floor: Option<u64>,
    listed: List<(WireScope, u64), DOUBTS_MAX>,
}

/// Most bytes of memory that decoding may take: the texts, and what each scope takes besides its text.
const MEMORY_MAX: usize = DOUBTS_BYTES_MAX + DOUBTS_MAX * 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Domain, Key};
    use alloc::format;

    #[test]
    fn doubts_come_back_as_they_were() {
        let at = Timestamp::from_unix_millis;
        let domain = Domain::from_bytes([7; 16]);
        let scopes = [
            Scope::Key(Key::new("api/1", domain)),
            Scope::Prefix { prefix: "api/2/".into(), domain: Some(domain) },
            Scope::Prefix { prefix: "".into(), domain: Some(domain) },
        ];
        for floor in [None, Some(at(5))] {
            let doubts = Doubts::new(floor, scopes.clone().into_iter().zip([at(6), at(7), at(8)]));
            assert_eq!(decode_doubts(&encode_doubts(&doubts)), Ok(doubts));
        }
    }

    #[test]
    fn as_many_and_as_long_doubts_as_there_may_be_come_back() {
        for length in [1, 120, 8000] {
            let prefix = |number: usize| format!("{number}/{}", "x".repeat(length)).into();
            let scopes = (0..DOUBTS_MAX).map(|number| Scope::Prefix { prefix: prefix(number), domain: None });
            let doubts = Doubts::new(None, scopes.map(|scope| (scope, Timestamp::from_unix_millis(9))));
            assert_eq!(decode_doubts(&encode_doubts(&doubts)), Ok(doubts), "{length} bytes each");
        }
    }

    #[test]
    fn what_is_no_list_of_doubts_is_refused() {
        let mut bytes = encode_doubts(&Doubts::of_everything(Timestamp::from_unix_millis(9)));
        assert_eq!(decode_doubts(&bytes[..bytes.len() - 1]), Err(DecodeError::Malformed));
        bytes.push(0);
        assert_eq!(decode_doubts(&bytes), Err(DecodeError::TrailingBytes { count: 1 }));
    }
}
