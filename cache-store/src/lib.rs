//! The concurrent read index.
#![forbid(unsafe_code)]

mod clock;
mod counters;
mod read_index;

pub use {clock::CoarseClock, read_index::ReadIndex};
