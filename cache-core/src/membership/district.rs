//! Members of other districts: they are none of ours, whatever is said of them.

use super::{Membership, MembershipCodec, effects::Decision};
use crate::{PeerId, districts::Place};
use alloc::vec::Vec;
use rand_pcg::{Pcg64Mcg, rand_core::SeedableRng as _};

impl Membership {
    /// Whether `peer` may be a member here.
    pub(super) fn is_of_district(&self, peer: PeerId) -> bool {
        self.depth == 0 || self.place.shared(Place::of_peer(peer)) >= self.depth
    }

    /// How many members the district has, with this node.
    pub(crate) fn count(&self) -> usize {
        self.effects.alive.len() + 1
    }

    /// From now on the members are those of the district at `depth`. Returns those that are left out.
    ///
    /// foca knows no way to lose a member but to take it for down, and would tell all others so. So it begins anew with
    /// the members that stay. A suspect is looked at again.
    pub(crate) fn set_depth(&mut self, depth: u8) -> Vec<super::Member> {
        let is_wider = depth < self.depth;
        self.depth = depth;
        let place = self.place;
        let is_outside = |peer: PeerId| depth > 0 && place.shared(Place::of_peer(peer)) < depth;
        let left_out = self.effects.alive.extract_if(.., |peer, _member| is_outside(*peer));
        let left_out: Vec<super::Member> = left_out.map(|(_peer, member)| member).collect();
        if is_wider || left_out.is_empty() {
            return left_out;
        }
        for member in &left_out {
            self.effects.connected.remove(&member.peer());
            self.effects.timers.stop_introducing(member.peer());
        }
        let known = self.foca.iter_membership_state();
        let kept = known.filter(|known| !is_outside(known.id().0.peer())).map(|known| match known.state() {
            foca::State::Alive | foca::State::Suspect => {
                foca::Member::new(known.id().clone(), known.incarnation(), foca::State::Alive)
            }
            foca::State::Down => known.clone(),
        });
        let kept: Vec<_> = kept.collect();
        self.seed = self.seed.wrapping_add(1);
        let (identity, rng) = (self.foca.identity().clone(), Pcg64Mcg::seed_from_u64(self.seed));
        self.foca = foca::Foca::new(identity, self.config.clone(), rng, MembershipCodec);
        let decided = self.effects.decisions.len();
        // Fails only for what does not fit a message, and these came in some.
        drop(self.foca.apply_many(kept.into_iter(), false, &mut self.effects));
        // They are members already.
        let again = self.effects.decisions.split_off(decided);
        let is_news = |decision: &Decision| !matches!(decision, Decision::Up(_) | Decision::Down { .. });
        self.effects.decisions.extend(again.into_iter().filter(is_news));
        let left: Vec<PeerId> = left_out.iter().map(super::Member::peer).collect();
        self.effects.decisions.retain(|decision| match decision {
            Decision::Up(member) | Decision::Renewed(member) | Decision::Doubted(member) => {
                !left.contains(&member.peer())
            }
            Decision::Down { .. }
            | Decision::Forgotten { .. }
            | Decision::Send { .. }
            | Decision::Twins { .. } => true,
        });
        left_out
    }
}
