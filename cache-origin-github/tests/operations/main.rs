//! Every operation in GitHub's description, as it is read and as it is touched by a write.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod counting;
mod description;
mod own;
mod reading;
mod writing;
