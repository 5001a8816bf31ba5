//! What a node promises to the program that holds it, shown against the model origin over real sockets.

mod anonymous;
mod borrowing;
mod collapsing;
mod directives;
mod directory;
mod domains;
mod doubts;
mod environment;
mod faults;
mod freshness;
mod gate;
mod graphql;
mod isolation;
mod lifecycle;
mod named_domain;
mod never_kept;
mod random_queries;
mod reading;
mod refusals;
mod reserves;
mod rights;
mod semantics;
mod settings;
mod support;
mod values;
mod versions;
