//! The way of a request: memory, disk, the fleet, and then the origin.

mod affording;
mod asking;
mod boarding;
mod borrowing;
mod hedging;
mod landing;
mod lookup;
mod proving;
mod reaching;
mod writing;

pub(super) use affording::Passing;
