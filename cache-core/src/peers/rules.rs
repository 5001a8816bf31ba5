//! The rules of dialing and of conduct, one test each.

mod bootstrap;
mod conduct;
mod dialing;
mod discovery;
mod giving_way;
mod learning;
mod remembering;
