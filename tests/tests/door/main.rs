//! The HTTP door of a daemon, as clients of every kind and behaviour meet it.

mod framing;
mod graphql;
mod half_closed;
mod pages;
mod pressure;
mod relay;
mod rewriting;
mod support;
mod targets;
