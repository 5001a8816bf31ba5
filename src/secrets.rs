//! How a running node changes to other secrets.
//!
//! Owns the secrets in force. A change is told in this order: which peers the gate lets in, by what names members
//! speak of entries, which connections end, and under which keys the disk is sealed.

use crate::{Closed, Node, RotationError, command::Command, links::FleetNaming, shared::SharingState};
use cache_core::port::Sealer;
use cache_crypto::{FleetGate, FleetSecret, Keyring, KeyringFull, NodeKey, SecretKind, StorageSealer};
use std::{path::PathBuf, sync::Arc};
use tokio::sync::{Mutex, oneshot};

/// The secrets of a node, and the parts that use them.
pub(crate) struct Secrets {
    /// The current one first; empty if the node was given none.
    pub(crate) in_force: Mutex<Vec<FleetSecret>>,
    /// Where the node keeps its own key, and its entries.
    pub(crate) directory: Option<PathBuf>,
}

impl Secrets {
    /// Uses `current`, and lets peers in by `accepted` as well; without a current one, has none.
    pub(crate) fn new(
        current: Option<&FleetSecret>,
        accepted: &[FleetSecret],
        directory: Option<PathBuf>,
    ) -> Self {
        let all = current.into_iter().flat_map(|current| [current].into_iter().chain(accepted));
        Self { in_force: Mutex::new(all.cloned().collect()), directory }
    }
}

/// The parts of a fleet's connections that use its secrets.
pub(crate) struct Lock {
    pub(crate) gate: Arc<FleetGate>,
    pub(crate) naming: Arc<FleetNaming>,
}

impl Node {
    /// Uses `secret` from now on, and lets members in by `accepted` as well, while the node runs.
    ///
    /// New connections are sealed by a secret that both sides have, first of all the current one of the side that is
    /// dialed. Connections that were let in by a secret which is not among these end, and are made anew if both sides
    /// still share another. What is on disk is sealed anew by `secret`, or by the node's own key if that is a token.
    ///
    /// A fleet changes its secret without a gap in three rounds over its members: accept the new one beside the old
    /// one, make the new one current and accept the old one, drop the old one.
    ///
    /// ```no_run
    /// # use fleet_cache::{FleetSecret, Node};
    /// # async fn example(node: Node, old: FleetSecret, new: FleetSecret) -> Result<(), Box<dyn std::error::Error>> {
    /// // The second of three rounds: the new one is current, and the old one still opens.
    /// node.rotate(new, vec![old]).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RotationError`]. Nothing has changed, except with [`RotationError::Disk`]: then the node shares by the new
    /// secrets, and what is on disk stays sealed by the former ones.
    ///
    /// # Cancellation
    ///
    /// Dropping the future may leave the change half done; another call completes it.
    pub async fn rotate(&self, secret: FleetSecret, accepted: Vec<FleetSecret>) -> Result<(), RotationError> {
        let shared = self.shared();
        let mut in_force = shared.secrets.in_force.lock().await;
        if in_force.is_empty() {
            return Err(RotationError::NoSecret);
        }
        let kind = secret.kind();
        let (directory, former) = (shared.secrets.directory.clone(), in_force.clone());
        let wanted: Vec<_> = [secret].into_iter().chain(accepted).collect();
        let given = wanted.clone();
        // Stretching a passphrase takes tenths of a second.
        let prepare = move || -> Result<_, RotationError> {
            let keyring = keyring(&given).map_err(RotationError::Secrets)?;
            let sealer = match &directory {
                Some(directory) => {
                    let own = NodeKey::load_or_create(directory).map_err(RotationError::NodeKey)?;
                    // What was sealed before must open, whatever is accepted from now on.
                    let older = given.iter().chain(&former).skip(1);
                    Some(sealer(&own, given.first(), older))
                }
                None => None,
            };
            Ok((keyring, sealer))
        };
        let prepared = tokio::task::spawn_blocking(prepare).await;
        let (keyring, sealer) = prepared??;
        if let SharingState::Shared { lock, secret, .. } = &shared.sharing {
            lock.naming.go_by(keyring.names());
            lock.gate.go_by(keyring);
            self.shared().order(|done| Command::Rotated { done }).await?;
            *secret.lock() = kind;
        }
        *in_force = wanted;
        let (Some(disk), Some(sealer)) = (&shared.disk, sealer) else { return Ok(()) };
        let (done, resealed) = oneshot::channel();
        disk.reseal(sealer, move |result| {
            // The caller that rotated may have given up waiting.
            let _gone = done.send(result);
        });
        resealed.await.map_err(|_ended| Closed)?.map_err(RotationError::Disk)
    }
}

/// A keyring of `secrets`, of which the first is current.
pub(crate) fn keyring(secrets: &[FleetSecret]) -> Result<Keyring, KeyringFull> {
    let (current, others) = secrets.split_first().expect("there is a current one");
    others.iter().try_fold(Keyring::new(current), Keyring::accepting)
}

/// Seals by `current`, or by the node's `own` key if there is none or it is a token: tokens are rotated by others,
/// and entries under their seal would be lost with them. Opens what `older` ones sealed as well.
pub(crate) fn sealer<'a>(
    own: &NodeKey,
    current: Option<&FleetSecret>,
    older: impl Iterator<Item = &'a FleetSecret>,
) -> Arc<dyn Sealer> {
    let seals = |secret: &&FleetSecret| secret.kind() != SecretKind::Token;
    let own = StorageSealer::from_node_key(own);
    let current = match current.filter(seals) {
        None => own,
        Some(secret) => StorageSealer::from_secret(secret).opening_also(own),
    };
    Arc::new(older.filter(seals).map(StorageSealer::from_secret).fold(current, StorageSealer::opening_also))
}
