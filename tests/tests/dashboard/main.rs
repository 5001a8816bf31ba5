//! The dashboard of a running daemon: what it tells, to which pages, for how long, and what is in no byte of it.

mod browser;
mod fleet;
mod page;
mod secrets;
mod settings;
mod stream;
mod support;
