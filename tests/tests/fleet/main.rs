//! Nodes of one process that share over real sockets.

mod asking;
mod forgery;
mod forgetting;
mod hostile;
mod member;
mod membership;
mod outages;
mod queries;
mod remembering;
mod reserves;
mod security;
mod settings;
mod sharing;
mod stalled;
mod support;
mod upgrading;
