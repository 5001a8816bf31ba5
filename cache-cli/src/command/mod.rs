//! The commands other than `serve`: what each asks of a running daemon, or does without one, and what it prints.

mod config_check;
mod daemon_orders;
pub(crate) mod demo;
mod doctor;
mod id;
mod local_orders;
mod mcp;
mod monitor;
mod peers;
mod quota;
mod secret;
mod top;

pub(crate) use {
    daemon_orders::DaemonOrder,
    local_orders::LocalOrder,
    monitor::{MonitorOptions, Repeat},
    secret::SecretOrder,
    top::{By, Of},
};
