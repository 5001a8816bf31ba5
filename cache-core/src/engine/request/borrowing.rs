//! Sharing between domains: what one was given may be what the origin would give to another as well.
//!
//! Whether it is, the origin alone knows. So the entry of another domain answers nobody, nor stands in for an answer. It is
//! what the origin is asked about on behalf of a reader that has nothing of its own: if the origin says that this reader would
//! be given the same, the call costs no quota, and the reader has an entry of its own from then on.

use crate::{Candidate, engine::Engine, flights::FlightId};
use alloc::sync::Arc;

impl Engine {
    /// What the origin is asked about for flight `id`.
    pub(super) fn candidate(&self, id: FlightId) -> Option<Candidate> {
        let flight = self.flights.flight(id);
        if let Some(own) = flight.stale() {
            return Some(Candidate::Own(Arc::clone(own)));
        }
        if !flight.caller().borrows {
            return None;
        }
        let kin = self.cache.kin(flight.key())?;
        kin.mark_visited();
        Some(Candidate::Borrowed(Arc::clone(kin)))
    }
}
