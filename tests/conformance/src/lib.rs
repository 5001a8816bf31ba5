//! What every implementation of a port must do, as suites that any implementation can be put through.
//!
//! A rule is a function from a factory of implementations to an [`Outcome`], and a macro for each suite makes a
//! test of each of its rules. [`store`], [`sealer`] and [`origin`] are for the store, the sealer and whatever
//! fetches from an origin. Each suite is itself tested, by an implementation that keeps every rule and ways
//! of breaking it, each of which is noticed by the rule that forbids it.
//!
//! [`transport`] is the one for [`cache_core::port::Transport`]: a rule is a function from a [`Factory`] to
//! an [`Outcome`], and [`transport_conformance`] makes a test of each. The suite itself is tested: a
//! transport of channels within the process keeps every rule, and each way of breaking it is noticed by
//! the rule that forbids it.
//!
//! The tests that the macros make are `#[tokio::test]`s: a crate that runs them names `tokio` among its own
//! dependencies, with the features `macros` and `rt-multi-thread`.

mod apart;
mod eventually;
mod factory;
pub mod gates;
#[cfg(test)]
mod memory;
mod node;
pub mod origin;
pub mod sealer;
pub mod store;
#[cfg(test)]
mod tests;
pub mod transport;

pub use {
    eventually::{SOON, eventually, eventually_blocking, until},
    factory::{Factory, Outcome, Plan},
};
