//! How many writes a member has begun, as it is on the wire.

use crate::{Payer, PeerId, message::Writes};

#[derive(bincode::Decode, bincode::Encode)]
pub(super) struct WireWrites {
    payer: [u8; 16],
    writer: [u8; 32],
    total: u64,
    by_age: [u32; Writes::AGES.len()],
}

impl From<&Writes> for WireWrites {
    fn from(Writes { payer, writer, total, by_age }: &Writes) -> Self {
        Self { payer: *payer.as_bytes(), writer: *writer.public_key(), total: *total, by_age: *by_age }
    }
}

impl From<WireWrites> for Writes {
    fn from(WireWrites { payer, writer, total, by_age }: WireWrites) -> Self {
        Self { payer: Payer::from_bytes(payer), writer: PeerId::from_public_key(writer), total, by_age }
    }
}
