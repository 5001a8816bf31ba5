//! What running daemons take of the machine.

use crate::process::{descriptors, status_figure};
use anyhow::Result;

/// What one process holds, or the most that it held.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Usage {
    pub(super) resident_kib: u64,
    pub(super) descriptors: u64,
    pub(super) threads: u64,
}

impl Usage {
    /// Now, of the process with this number.
    pub(super) fn of(id: u32) -> Result<Self> {
        Ok(Self {
            resident_kib: status_figure(id, "VmRSS:")?,
            descriptors: descriptors(id)?,
            threads: status_figure(id, "Threads:")?,
        })
    }

    /// The larger of each figure.
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            resident_kib: self.resident_kib.max(other.resident_kib),
            descriptors: self.descriptors.max(other.descriptors),
            threads: self.threads.max(other.threads),
        }
    }
}

/// A number of KiB as text in MiB.
pub(super) fn mib(kib: u64) -> String {
    format!("{:.1}", kib as f64 / 1024.0)
}
