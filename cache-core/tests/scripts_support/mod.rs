//! What plays the scripts.

mod fleet;
pub(crate) mod player;
pub(crate) mod script;
mod show;
mod words;
