//! Admissions with given random numbers, so that a run can be repeated. Not part of the API.

use crate::{
    FleetGate,
    gate::{NONCE_BYTES, Random},
    transcript::SLOTS_BYTES,
};
use cache_core::{
    PeerId,
    port::{Admission, Side},
};

/// What [`cache_core::port::Gate::begin`] gives, with `random` where it takes entropy.
pub fn begin(
    gate: &FleetGate,
    (side, local, remote): (Side, PeerId, PeerId),
    channel: &[u8],
    random: u8,
) -> Box<dyn Admission> {
    let random = Random { nonce: [random; NONCE_BYTES], padding: [random; SLOTS_BYTES] };
    Box::new(gate.begin_with(side, local, remote, channel, Some(random)))
}
