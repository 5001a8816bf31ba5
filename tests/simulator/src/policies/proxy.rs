//! One process for all that always revalidates, as `ghproxy` of the Kubernetes project does.
//!
//! It keeps everything for ever, and asks the origin about every entry before it serves it. All requests that come
//! for a resource meanwhile share the one answer. What the origin refuses, it refuses. Here it has no bounds, never
//! fails, and is as near to every node as nodes are to one another.

use super::scene::{Letter, Request, Rules, Scene};
use crate::origin::Call;
use cache_core::Entry;
use std::{collections::BTreeMap, sync::Arc};

/// The one process that all nodes ask.
#[derive(Default)]
pub(super) struct Proxy {
    kept: BTreeMap<usize, Arc<Entry>>,
    /// The requests that wait for each call under way.
    waiting: BTreeMap<usize, Vec<Request>>,
}

impl Rules for Proxy {
    fn on_request(&mut self, scene: &mut Scene, request: Request) {
        scene.send(scene.now, 0, Letter::Request(request));
    }

    fn on_answer(&mut self, scene: &mut Scene, call: &Call, kept: Option<&Arc<Entry>>) {
        if let Some(entry) = kept {
            self.kept.insert(call.key, Arc::clone(entry));
        }
        let body_bytes = kept.map_or(0, |entry| entry.content().body.len());
        for request in self.waiting.remove(&call.key).unwrap_or_default() {
            scene.send(scene.now, body_bytes, Letter::Reply { request, entry: kept.cloned() });
        }
    }

    fn on_letter(&mut self, scene: &mut Scene, letter: Letter) {
        match letter {
            Letter::Reply { request, entry } => scene.reply(&request, entry.as_deref()),
            Letter::Request(request) => {
                let waiting = self.waiting.entry(request.key).or_default();
                waiting.push(request);
                if waiting.len() == 1 {
                    scene.call(&request, self.kept.get(&request.key).cloned());
                }
            }
            Letter::Entry { .. } => unreachable!("the proxy shares nothing unasked"),
        }
    }
}
