//! What bytes from outside may do, target by target.
//!
//! Each [`Target`] is one boundary that strangers' bytes cross: a function that takes any bytes and panics where
//! a promise of that boundary is broken, and some bytes to begin with. The programs in `fuzz/` hand the function
//! to libFuzzer, the tests of this crate replay the corpora in `fuzz/corpus` and mutations of them. Where a
//! rule can be said twice, it is: [`form`] reads the wire format by hand, [`canonical`] writes keys by hand.

pub mod address;
pub mod admission;
pub mod canonical;
pub mod entry;
pub mod form;
pub mod frame;
pub mod graphql;
pub mod memory;
pub mod message;
pub mod mutation;
pub mod not_modified;
pub mod reader;
pub mod record;
pub mod samples;
pub mod session;
pub mod simulator;

/// One boundary, and what is tried on it.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What its program, its corpus and its findings are called.
    pub name: &'static str,
    /// Takes any bytes; panics when a promise is broken.
    pub check: fn(&[u8]),
    /// Bytes to begin with, such as sound messages.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Mutations that the smoke run tries: fewer where one costs more.
    pub smoke_runs: u32,
}

/// Every target, by name.
pub const TARGETS: &[Target] = &[
    Target { name: "address", check: address::check, seeds: address::seeds, smoke_runs: 20_000 },
    Target { name: "admission", check: admission::check, seeds: admission::seeds, smoke_runs: 2_000 },
    Target { name: "canonical", check: canonical::check, seeds: canonical::seeds, smoke_runs: 20_000 },
    Target { name: "entry", check: entry::check, seeds: entry::seeds, smoke_runs: 20_000 },
    Target { name: "frame", check: frame::check, seeds: frame::seeds, smoke_runs: 5_000 },
    Target { name: "graphql", check: graphql::check, seeds: graphql::seeds, smoke_runs: 5_000 },
    Target { name: "message", check: message::check, seeds: message::seeds, smoke_runs: 20_000 },
    Target {
        name: "not_modified",
        check: not_modified::check,
        seeds: not_modified::seeds,
        smoke_runs: 10_000,
    },
    Target { name: "record", check: record::check, seeds: record::seeds, smoke_runs: 10_000 },
    Target { name: "session", check: session::check, seeds: session::seeds, smoke_runs: 2_000 },
    Target { name: "simulator", check: simulator::check, seeds: simulator::seeds, smoke_runs: 10 },
];
