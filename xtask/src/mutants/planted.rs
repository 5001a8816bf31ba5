//! The bugs, by the part of the core that they are in.
//!
//! Each is what a programmer might well have written: a line left out, a bound not checked, a case mixed up. Old
//! texts follow the core: one that is there no longer is an error, and a test says so.

mod announcing;
mod below;
mod districts;
mod freshness;
mod guests;
mod keeping;
mod leases;
mod ledger;
mod members;
mod outages;
mod requests;
mod returning;
mod rights;
mod writes;

use super::Mutant;
pub(super) use below::BUGS as BELOW;

pub(super) const PLANTED: &[&[Mutant]] = &[
    announcing::BUGS,
    districts::BUGS,
    freshness::BUGS,
    guests::BUGS,
    keeping::BUGS,
    leases::BUGS,
    ledger::BUGS,
    members::BUGS,
    outages::BUGS,
    requests::BUGS,
    returning::BUGS,
    rights::BUGS,
    writes::BUGS,
];

/// Bugs that may go unnoticed, and why.
pub(super) const HARMLESS: &[(&str, &str)] = &[(
    "whoever-waits-takes-what-was-invalidated",
    "the entry is refused a step later all the same; at worst, two that wait call where one would",
)];
