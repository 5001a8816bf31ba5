//! How allowances stand as parts of messages, and back.

use super::{DecodeError, List};
use crate::{
    Allowance, Bucket, Domain, Payer, Timestamp, Window, allowance::RESOURCE_BYTES_MAX,
    message::ALLOWANCES_TOLD_MAX,
};
use alloc::{boxed::Box, string::String};

#[derive(bincode::Decode, bincode::Encode)]
pub(super) struct WireAllowances(List<WireAllowance, ALLOWANCES_TOLD_MAX>);

#[derive(bincode::Decode, bincode::Encode)]
struct WireAllowance {
    payer: [u8; 16],
    domain: [u8; 16],
    resource: String,
    bucket: Option<u8>,
    limit: u64,
    remaining: u64,
    used: u64,
    /// A moment of the origin's clock, which is the same for all members.
    reset: u64,
}

impl From<&[Allowance]> for WireAllowances {
    fn from(allowances: &[Allowance]) -> Self {
        let wire = |Allowance { payer, domain, resource, bucket, window }: &Allowance| WireAllowance {
            payer: *payer.as_bytes(),
            domain: *domain.as_bytes(),
            resource: String::from(&**resource),
            bucket: bucket.map(|bucket| bucket.0),
            limit: window.limit,
            remaining: window.remaining,
            used: window.used,
            reset: window.reset.as_unix_millis(),
        };
        Self(allowances.iter().map(wire).collect())
    }
}

impl WireAllowances {
    pub(super) fn into_allowances(self) -> Result<alloc::vec::Vec<Allowance>, DecodeError> {
        self.0.0.into_iter().map(WireAllowance::into_allowance).collect()
    }
}

impl WireAllowance {
    fn into_allowance(self) -> Result<Allowance, DecodeError> {
        Ok(Allowance {
            payer: Payer::from_bytes(self.payer),
            domain: Domain::from_bytes(self.domain),
            resource: named(self.resource)?,
            bucket: self.bucket.map(Bucket),
            window: Window {
                limit: self.limit,
                remaining: self.remaining,
                used: self.used,
                reset: Timestamp::from_unix_millis(self.reset),
            },
        })
    }
}

/// The name of an allowance that a member told.
pub(super) fn named(resource: String) -> Result<Box<str>, DecodeError> {
    let is_printable = resource.bytes().all(|byte| byte.is_ascii_graphic());
    if resource.len() > RESOURCE_BYTES_MAX || !is_printable {
        return Err(DecodeError::Malformed);
    }
    Ok(resource.into())
}
