//! The adapter against an origin of the test's own making, over real sockets.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod bodies;
mod brought;
mod either;
mod forwarding;
mod framing;
mod keeping_alive;
mod proxied;
mod refusals;
mod revalidation;
mod script;
