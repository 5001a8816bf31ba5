//! Caches that send what they fetch to every other: the design that Fleet Cache replaces.
//!
//! What is within its lifetime is served. Anything else is fetched anew, without asking whether it changed and
//! without asking another node. Two nodes that want one thing at once both fetch it. A node sends what it fetched to
//! one peer after the other; a node that starts later gets nothing of what was sent before. Here no queue ever
//! overflows, no peer holds up the others for longer than a frame takes, and long bodies arrive whole.

use super::scene::{Letter, Request, Rules, Scene};
use crate::origin::Call;
use cache_core::{Entry, freshness};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// The caches of all nodes.
#[derive(Default)]
pub(super) struct Broadcast {
    kept: BTreeMap<(usize, usize), Arc<Entry>>,
    /// Until when each node is sending.
    sends_until: BTreeMap<usize, Duration>,
}

impl Rules for Broadcast {
    fn on_request(&mut self, scene: &mut Scene, request: Request) {
        let now = scene.timestamp();
        let kept = self.kept.get(&(request.node, request.key));
        match kept.filter(|entry| !freshness::remaining(entry, now).is_zero()) {
            Some(entry) => scene.reply(&request, Some(entry)),
            None => scene.call(&request, None),
        }
    }

    fn on_answer(&mut self, scene: &mut Scene, call: &Call, kept: Option<&Arc<Entry>>) {
        let Some(request) = scene.request(call) else { return };
        scene.reply(&request, kept.map(|entry| &**entry));
        let Some(entry) = kept else { return };
        self.kept.insert((call.node, call.key), Arc::clone(entry));
        let mut at = self.sends_until.get(&call.node).copied().unwrap_or_default().max(scene.now);
        let body_bytes = entry.content().body.len();
        for to in (0..scene.is_up.len()).filter(|to| *to != call.node) {
            if scene.is_up[to] {
                let letter = Letter::Entry { to, entry: Arc::clone(entry), key: call.key };
                at = scene.send(at, body_bytes, letter);
            }
        }
        self.sends_until.insert(call.node, at);
    }

    fn on_letter(&mut self, _scene: &mut Scene, letter: Letter) {
        let Letter::Entry { to, entry, key } = letter else { unreachable!("nobody is asked for anything") };
        self.kept.insert((to, key), entry);
    }
}
