//! SIGHUP: a daemon that runs takes new settings over, or says why not, and never ends of it.

mod failing;
mod settings;
mod support;
mod whenever;
