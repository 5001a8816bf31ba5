//! What members say of an origin as parts of messages, and back.

use super::{DecodeError, millis};
use crate::{
    Message,
    message::{ORIGIN_BYTES_MAX, OriginWord},
};
use alloc::string::String;
use core::time::Duration;

#[derive(bincode::Decode, bincode::Encode)]
pub(super) struct WireOrigin {
    host: String,
    word: WireWord,
}

#[derive(bincode::Decode, bincode::Encode)]
enum WireWord {
    Failing { since: u64 },
    Reached { since: u64 },
    Trying,
}

impl WireOrigin {
    pub(super) fn of(host: &str, word: OriginWord) -> Self {
        let word = match word {
            OriginWord::Failing { since } => WireWord::Failing { since: millis(since) },
            OriginWord::Reached { since } => WireWord::Reached { since: millis(since) },
            OriginWord::Trying => WireWord::Trying,
        };
        Self { host: String::from(host), word }
    }

    pub(super) fn into_message(self) -> Result<Message, DecodeError> {
        let is_printable = self.host.bytes().all(|byte| byte.is_ascii_graphic());
        if self.host.len() > ORIGIN_BYTES_MAX || !is_printable {
            return Err(DecodeError::Malformed);
        }
        let word = match self.word {
            WireWord::Failing { since } => OriginWord::Failing { since: Duration::from_millis(since) },
            WireWord::Reached { since } => OriginWord::Reached { since: Duration::from_millis(since) },
            WireWord::Trying => OriginWord::Trying,
        };
        Ok(Message::Origin { host: self.host.into(), word })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode_message, encode_message};

    fn origin(host: &str, word: OriginWord) -> Message {
        Message::Origin { host: host.into(), word }
    }

    #[test]
    fn whatever_is_said_of_an_origin_is_read_as_it_was_written() {
        let since = Duration::from_millis(1_500);
        for word in [OriginWord::Failing { since }, OriginWord::Reached { since }, OriginWord::Trying] {
            let message = origin("api.github.com", word);
            assert_eq!(decode_message(&encode_message(&message)), Ok(message));
        }
    }

    #[test]
    fn an_origin_whose_host_is_too_long_or_cannot_be_printed_is_refused() {
        let decoded = |host: &str| decode_message(&encode_message(&origin(host, OriginWord::Trying)));
        assert!(decoded(&"x".repeat(ORIGIN_BYTES_MAX)).is_ok());
        for bad in ["x".repeat(ORIGIN_BYTES_MAX + 1), "a\nb".into(), "a b".into()] {
            assert_eq!(decoded(&bad), Err(DecodeError::Malformed), "{bad:?}");
        }
    }
}
