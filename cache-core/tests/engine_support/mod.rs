//! What surrounds the engine in its property tests.

mod checks;
pub(crate) mod ops;
pub(crate) mod world;
