//! Sharing between domains: what one was given may be what the origin would give to another as well.
//!
//! Whether it is, the origin alone knows. So the entry of another domain answers nobody, nor stands in for an answer. It is
//! what the origin is asked about on behalf of a reader that has nothing of its own, or something older: if the origin says that
//! this reader would be given the same, the call costs no quota, and the reader has an entry of its own from then on.

use crate::{Candidate, engine::Engine, flights::FlightId};

impl Engine {
    /// What the origin is asked about for flight `id`.
    pub(super) fn candidate(&self, id: FlightId) -> Option<Candidate> {
        let flight = self.flights.flight(id);
        let kin = flight.caller().borrows.then(|| self.cache.kin(flight.key())).flatten();
        let candidate = Candidate::of(flight.stale(), kin);
        if let Some(kin) = candidate.as_ref().and_then(Candidate::borrowed) {
            kin.mark_visited();
        }
        candidate
    }
}
