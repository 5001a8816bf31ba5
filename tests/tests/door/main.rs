//! The HTTP door of a daemon, as clients of every kind and behaviour meet it.

mod commands;
mod framing;
mod graphql;
mod half_closed;
mod intercept;
mod pages;
mod pressure;
mod proxy;
mod relay;
mod rewriting;
mod support;
mod targets;
mod tunnels;
