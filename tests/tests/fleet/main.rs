//! Nodes of one process that share over real sockets.

mod sharing;
mod support;
