//! The numbers of calls as parts of messages, and back.

use super::{DecodeError, List, allowance::named};
use crate::{CallNumbers, Numbers, Payer, Timestamp, message::CALL_NUMBERS_TOLD_MAX};
use alloc::{string::String, vec::Vec};

#[derive(bincode::Decode, bincode::Encode)]
pub(super) struct WireCallNumbers(List<WireNumbersOfPayer, CALL_NUMBERS_TOLD_MAX>);

#[derive(bincode::Decode, bincode::Encode)]
struct WireNumbersOfPayer {
    payer: [u8; 16],
    resource: String,
    limit: u64,
    /// A moment of the origin's clock, which is the same for all members.
    reset: u64,
    last: u64,
    words: List<u64, { Numbers::WORDS_MAX }>,
}

impl From<&[CallNumbers]> for WireCallNumbers {
    fn from(told: &[CallNumbers]) -> Self {
        let wire =
            |CallNumbers { payer, resource, limit, reset, numbers }: &CallNumbers| WireNumbersOfPayer {
                payer: *payer.as_bytes(),
                resource: String::from(&**resource),
                limit: *limit,
                reset: reset.as_unix_millis(),
                last: numbers.last(),
                words: numbers.words().iter().copied().collect(),
            };
        Self(told.iter().map(wire).collect())
    }
}

impl WireCallNumbers {
    pub(super) fn into_call_numbers(self) -> Result<Vec<CallNumbers>, DecodeError> {
        self.0.0.into_iter().map(WireNumbersOfPayer::into_call_numbers).collect()
    }
}

impl WireNumbersOfPayer {
    fn into_call_numbers(self) -> Result<CallNumbers, DecodeError> {
        let numbers = Numbers::from_words(self.last, &self.words.0).filter(|numbers| numbers.last() > 0);
        Ok(CallNumbers {
            payer: Payer::from_bytes(self.payer),
            resource: named(self.resource)?,
            limit: self.limit,
            reset: Timestamp::from_unix_millis(self.reset),
            numbers: numbers.ok_or(DecodeError::Malformed)?,
        })
    }
}
