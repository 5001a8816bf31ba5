//! What is said between guests and members, as part of messages, and back.

use crate::message::GuestWord;

#[derive(bincode::Decode, bincode::Encode)]
pub(super) enum WireGuestWord {
    Full,
    Joins,
    Stays,
}

impl From<GuestWord> for WireGuestWord {
    fn from(word: GuestWord) -> Self {
        match word {
            GuestWord::Full => Self::Full,
            GuestWord::Joins => Self::Joins,
            GuestWord::Stays => Self::Stays,
        }
    }
}

impl From<WireGuestWord> for GuestWord {
    fn from(word: WireGuestWord) -> Self {
        match word {
            WireGuestWord::Full => Self::Full,
            WireGuestWord::Joins => Self::Joins,
            WireGuestWord::Stays => Self::Stays,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Message,
        codec::{DecodeError, decode_message, encode_message},
    };

    #[test]
    fn whatever_guests_and_members_say_is_read_as_it_was_written() {
        for word in [GuestWord::Full, GuestWord::Joins, GuestWord::Stays] {
            assert_eq!(decode_message(&encode_message(&Message::Guest(word))), Ok(Message::Guest(word)));
        }
    }

    #[test]
    fn another_word_is_refused() {
        let mut bytes = encode_message(&Message::Guest(GuestWord::Stays));
        *bytes.last_mut().expect("it is not empty") = 3;
        assert_eq!(decode_message(&bytes), Err(DecodeError::Malformed));
    }
}
