//! What plays the scripts.

pub(crate) mod player;
pub(crate) mod script;
mod show;
mod words;
