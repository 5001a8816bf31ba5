//! Daemons that share, as their users run them and ask them.

mod agents;
mod beyond;
mod diagnosis;
mod discovery;
mod graphql;
mod isolation;
mod rotation;
mod settling;
mod sharing;
mod support;
mod upgrading;
mod usage;
mod watched;
