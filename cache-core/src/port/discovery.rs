//! The contract of discovery: where other nodes of the fleet may be.

use crate::Contact;
use alloc::{boxed::Box, vec::Vec};
use async_trait::async_trait;
use core::fmt;

/// One way to find where other nodes of the fleet may be, such as a name in the DNS.
///
/// What it finds is believed no further than that it is worth a dial: a node proves that it belongs to the fleet when it
/// is connected with. So a way that is wrong, or that others write to, costs dials, which are bounded.
#[async_trait]
pub trait Discovery: fmt::Debug + Send + Sync + 'static {
    /// Looks once, and returns all that is there now. One caller at a time; not more often than twice in a second.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives up the look. The caller does so when it takes longer than [`LOOK_TIMEOUT`].
    ///
    /// [`LOOK_TIMEOUT`]: crate::port::LOOK_TIMEOUT
    async fn look(&self) -> Finding;

    /// Ends when another look would find something else, as far as this way can tell without being asked; never, for one
    /// that cannot tell. May be called while [`look`](Self::look) runs.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: what has changed since the last look ends the next call.
    async fn changed(&self);
}

/// What one look has brought.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Finding {
    /// Where other nodes may be; this node itself may be among them.
    pub contacts: Vec<Contact>,
    /// What kept the look from finding all that is there.
    pub fault: Option<LookFault>,
}

/// Why a look did not find all that is there. What was found before counts for some minutes.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{reason}; {remedy}")]
pub struct LookFault {
    /// What is wrong, for people to read, with the value that is.
    pub reason: Box<str>,
    /// What to do about it.
    pub remedy: Box<str>,
}

impl From<LookFault> for Finding {
    fn from(fault: LookFault) -> Self {
        Self { contacts: Vec::new(), fault: Some(fault) }
    }
}

/// Time that one look may take: a resolver asks two servers twice within it.
pub const LOOK_TIMEOUT: core::time::Duration = core::time::Duration::from_secs(10);
