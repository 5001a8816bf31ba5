//! No cache at all.

use super::scene::{Letter, Request, Rules, Scene};
use crate::origin::Call;
use cache_core::Entry;
use std::sync::Arc;

/// Calls the origin for every request.
pub(super) struct Direct;

impl Rules for Direct {
    fn on_request(&mut self, scene: &mut Scene, request: Request) {
        scene.call(&request, None);
    }

    fn on_answer(&mut self, scene: &mut Scene, call: &Call, kept: Option<&Arc<Entry>>) {
        if let Some(request) = scene.request(call) {
            scene.reply(&request, kept.map(|entry| &**entry));
        }
    }

    fn on_letter(&mut self, _scene: &mut Scene, _letter: Letter) {}
}
