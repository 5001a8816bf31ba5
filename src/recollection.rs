//! Keeps, beside the loop, which members to look for after a restart.
//!
//! Owns the way to the file. The loop hands a list over and goes on; if lists come faster than the disk takes them,
//! the latest counts.

use cache_core::Member;
use cache_store::MembersFile;
use std::time::Duration;
use tokio::{sync::watch, task::JoinHandle};
use tracing::{debug, warn};

/// The hand-over to the file.
pub(crate) struct Recollection {
    latest: watch::Sender<Vec<Member>>,
    writing: JoinHandle<()>,
}

impl Recollection {
    /// Writes to `file` what [`keep`](Self::keep) is given, until this is dropped.
    pub(crate) fn start(file: MembersFile) -> Self {
        let (latest, mut changes) = watch::channel(Vec::new());
        let writing = tokio::spawn(async move {
            let mut is_told = false;
            while changes.changed().await.is_ok() {
                let (members, file) = (changes.borrow_and_update().clone(), file.clone());
                let written = tokio::task::spawn_blocking(move || file.save(&members));
                match written.await {
                    Ok(Ok(())) => debug!("kept which members to look for after a restart"),
                    Ok(Err(error)) if !std::mem::replace(&mut is_told, true) => {
                        warn!(%error, "cannot keep the addresses of members; after a restart the contacts alone are tried");
                    }
                    Ok(Err(error)) => debug!(%error, "cannot keep the addresses of members"),
                    // The runtime ends.
                    Err(_cancelled) => return,
                }
            }
        });
        Self { latest, writing }
    }

    pub(crate) fn keep(&self, members: Vec<Member>) {
        self.latest.send_replace(members);
    }

    /// Waits until the last list is on disk, but for no longer than [`LAST_WRITE_MAX`].
    pub(crate) async fn finish(self) {
        drop(self.latest);
        if tokio::time::timeout(LAST_WRITE_MAX, self.writing).await.is_err() {
            warn!("the disk did not take the addresses of members in time");
        }
    }
}

/// What the disk did last for each member that was there; empty if it cannot be read.
pub(crate) fn remembered(file: &MembersFile) -> Vec<Member> {
    file.load().unwrap_or_else(|error| {
        warn!(%error, ?file, "members of the last run are not remembered; the contacts alone are tried");
        Vec::new()
    })
}

/// Longest that the end of a node waits for its last list: it is some kilobytes long.
const LAST_WRITE_MAX: Duration = Duration::from_secs(1);
