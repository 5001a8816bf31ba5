//! The commands other than `serve`: what each asks of a running daemon, or does without one, and what it prints.

mod ca;
mod config_check;
mod daemon_orders;
pub(crate) mod demo;
mod doctor;
mod env;
mod id;
mod local_orders;
mod mcp;
mod monitor;
mod peers;
mod quota;
mod run;
mod secret;
mod surroundings;
mod top;
mod up;

pub(crate) use {
    ca::CaOrder,
    daemon_orders::DaemonOrder,
    env::Syntax,
    local_orders::LocalOrder,
    monitor::{MonitorOptions, Repeat},
    secret::SecretOrder,
    top::{By, Of},
    up::UpWishes,
};
