//! The daemon as a strict shared HTTP cache (`--profile rfc9111`), in front of an origin that says what a test has it say.

mod changing;
mod choosing;
mod failing;
mod keeping;
mod origin;
mod settings;
mod sharing;
