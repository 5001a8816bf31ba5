//! Daemons that share, as their users run them and ask them.

mod sharing;
mod support;
