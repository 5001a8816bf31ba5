//! The commands beside `serve`: what each asks of a running daemon, or does without one, and what it prints.

pub(crate) mod config_check;
pub(crate) mod daemon_orders;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod id;
pub(crate) mod monitor;
pub(crate) mod peers;
pub(crate) mod secret;
