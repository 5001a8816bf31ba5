//! Calls for one resource on behalf of several domains: one is made, and the others wait for what it brings.
//!
//! What one domain is given is what the origin is then asked about for the others, which costs no quota if it is the
//! same. Owns which of them waits for which; what is called, and when a wait is over for another reason, is the owner's business.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// Calls of kind `M`, those for one resource under one `K`.
#[derive(Debug)]
pub(crate) struct Kin<K, M> {
    groups: BTreeMap<K, Group<M>>,
    /// Resources with a call that has ended while others wait.
    ended: BTreeSet<K>,
}

#[derive(Debug)]
struct Group<M> {
    calling: BTreeSet<M>,
    waiting: BTreeSet<M>,
    /// Calls that ended one after the other and brought nothing that the others could use.
    vain: usize,
}

impl<K, M> Default for Kin<K, M> {
    fn default() -> Self {
        Self { groups: BTreeMap::new(), ended: BTreeSet::new() }
    }
}

impl<M> Default for Group<M> {
    fn default() -> Self {
        Self { calling: BTreeSet::new(), waiting: BTreeSet::new(), vain: 0 }
    }
}

impl<K: Clone + Ord, M: Copy + Ord> Kin<K, M> {
    /// A call of `member` for `resource` begins.
    pub(crate) fn call(&mut self, resource: K, member: M) {
        let group = self.groups.entry(resource).or_default();
        group.waiting.remove(&member);
        group.calling.insert(member);
    }

    /// Lets `member` wait for the calls for `resource`; returns whether there are any that it may wait for.
    pub(crate) fn wait(&mut self, resource: &K, member: M) -> bool {
        let is_worth_it = |group: &&mut Group<M>| !group.calling.is_empty() && group.vain < VAIN_MAX;
        let group = self.groups.get_mut(resource).filter(is_worth_it);
        group.is_some_and(|group| group.waiting.insert(member))
    }

    /// Lets `member`, which is about to call, wait for the other calls for `resource`; returns whether there are any that it
    /// may wait for.
    pub(crate) fn put_off(&mut self, resource: &K, member: M) -> bool {
        let Some(group) = self.groups.get_mut(resource) else { return false };
        let puts_off = group.vain < VAIN_MAX && group.calling.iter().any(|other| *other != member);
        if puts_off {
            group.calling.remove(&member);
            group.waiting.insert(member);
        }
        puts_off
    }

    /// Neither calls nor waits any more.
    pub(crate) fn leave(&mut self, resource: &K, member: M) {
        let Some(group) = self.groups.get_mut(resource) else { return };
        let called = group.calling.remove(&member);
        group.waiting.remove(&member);
        if called && !group.waiting.is_empty() {
            self.ended.insert(resource.clone());
        }
        if group.calling.is_empty() && group.waiting.is_empty() {
            self.groups.remove(resource);
        }
    }

    /// One that was freed has called or not: if nobody does, the next one is to be freed.
    pub(crate) fn settle(&mut self, resource: &K) {
        let is_stranded = |group: &&Group<M>| group.calling.is_empty() && !group.waiting.is_empty();
        if self.groups.get(resource).filter(is_stranded).is_some() {
            self.ended.insert(resource.clone());
        }
    }

    /// A resource with a call that has ended while others wait for it, each once.
    pub(crate) fn take_ended(&mut self) -> Option<K> {
        self.ended.pop_first()
    }

    /// Those that need not wait for `resource` any more: all, if the call that ended `brought` what they can use, or after
    /// [`VAIN_MAX`] calls in vain; else the next one, if no other call is under way. At most [`FREED_MAX`] at once: the end
    /// of their calls frees the others.
    ///
    /// They are to leave, or to call.
    pub(crate) fn free(&mut self, resource: &K, brought: bool) -> Vec<M> {
        let Some(group) = self.groups.get_mut(resource) else { return Vec::new() };
        group.vain = if brought { 0 } else { group.vain + 1 };
        let count =
            if brought || group.vain >= VAIN_MAX { FREED_MAX } else { usize::from(group.calling.is_empty()) };
        group.waiting.iter().copied().take(count).collect()
    }
}

/// Calls for one resource that may end one after the other without anything to lend before all that wait call for
/// themselves. Two: one credential that may not read is common, and a row of them would make each wait for all before it.
const VAIN_MAX: usize = 2;

/// Most that are freed by the end of one call: what a coordinator says to one member at once must fit the queue of a
/// connection, which holds 1024 frames where it holds least.
const FREED_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    /// Four wait for the call of the first.
    fn waiting() -> Kin<&'static str, u8> {
        let mut kin = Kin::default();
        assert!(!kin.wait(&"r", 1), "there is nothing to wait for");
        kin.call("r", 0);
        assert!((1..=4).all(|member| kin.wait(&"r", member)));
        assert!(!kin.wait(&"other", 1));
        kin
    }

    #[test]
    fn what_a_call_brought_frees_all() {
        let mut kin = waiting();
        assert_eq!(kin.take_ended(), None);
        kin.leave(&"r", 0);
        assert_eq!((kin.take_ended(), kin.take_ended()), (Some("r"), None));
        assert_eq!(kin.free(&"r", true), [1, 2, 3, 4]);
    }

    #[test]
    fn a_call_in_vain_lets_the_next_one_call_and_a_second_all() {
        let mut kin = waiting();
        kin.leave(&"r", 0);
        assert_eq!(kin.free(&"r", false), [1]);
        kin.call("r", 1);
        kin.call("r", 9);
        kin.leave(&"r", 1);
        assert_eq!(kin.take_ended(), Some("r"));
        assert_eq!(kin.free(&"r", false), [2, 3, 4], "whatever else is under way");
        kin.call("r", 2);
        kin.leave(&"r", 3);
        assert!(!kin.wait(&"r", 3), "nor does it wait again");
    }

    #[test]
    fn one_that_is_freed_and_does_not_call_frees_the_next() {
        let mut kin = waiting();
        kin.leave(&"r", 0);
        _ = kin.take_ended();
        assert_eq!(kin.free(&"r", false), [1]);
        kin.leave(&"r", 1);
        assert_eq!(kin.take_ended(), None);
        kin.settle(&"r");
        assert_eq!(kin.take_ended(), Some("r"));
        assert_eq!(kin.free(&"r", true), [2, 3, 4]);
    }

    #[test]
    fn one_that_is_put_off_waits_for_the_others_and_ends_no_call() {
        let mut kin = Kin::default();
        kin.call("r", 1);
        assert!(!kin.put_off(&"r", 1), "there is no other");
        kin.call("r", 2);
        assert!(kin.put_off(&"r", 2));
        assert_eq!(kin.take_ended(), None);
        kin.leave(&"r", 1);
        assert_eq!(kin.take_ended(), Some("r"));
        assert_eq!(kin.free(&"r", true), [2]);
    }

    #[test]
    fn nothing_is_remembered_of_a_resource_for_which_nobody_calls_or_waits() {
        let mut kin = waiting();
        (0..=4).for_each(|member| kin.leave(&"r", member));
        assert!(kin.groups.is_empty());
        _ = kin.take_ended();
        assert_eq!(kin.free(&"r", true), []);
    }
}
