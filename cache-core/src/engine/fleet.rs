//! Everything that has to do with other members: [`state`] is what is known, the other files are what is done.

mod accounting;
mod announcing;
mod bordering;
mod coordinating;
mod errand;
mod gathering;
mod guesting;
mod hearing;
mod inquiring;
mod meeting;
mod outages;
mod parting;
mod saying;
mod searching;
mod state;
mod surroundings;
mod warming;

pub(in crate::engine) use {announcing::News, searching::DEPUTIES_MAX, state::Fleet};
