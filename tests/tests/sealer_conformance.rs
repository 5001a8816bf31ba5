//! The seal on what is stored, of each kind of key, through the suite for sealers.

use cache_conformance::sealer::SealerFactory;
use cache_core::port::Sealer;
use cache_crypto::{FleetSecret, NodeKey, StorageSealer};
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex},
};
use tempfile::TempDir;

mod by_a_fleets_secret {
    use super::{Kind, Sealers};
    cache_conformance::sealer_conformance!(Sealers(Kind::Secret));
}

mod by_a_nodes_key {
    use super::{Kind, Sealers};
    cache_conformance::sealer_conformance!(Sealers(Kind::NodeKey));
}

mod by_one_that_opens_older_seals_too {
    use super::{Kind, Sealers};
    cache_conformance::sealer_conformance!(Sealers(Kind::Rotated));
}

#[derive(Clone, Copy)]
enum Kind {
    NodeKey,
    Rotated,
    Secret,
}

struct Sealers(Kind);

impl SealerFactory for Sealers {
    fn sealer(&self, number: u8) -> anyhow::Result<Arc<dyn Sealer>> {
        let mut secrets = SECRETS.lock().expect("nobody panics with the secrets in hand");
        let mut of = |number| match secrets.get(&number) {
            Some(secret) => anyhow::Ok(StorageSealer::from_secret(secret)),
            None => {
                let secret = FleetSecret::generate()?;
                let sealer = StorageSealer::from_secret(&secret);
                secrets.insert(number, secret);
                Ok(sealer)
            }
        };
        Ok(Arc::new(match self.0 {
            Kind::NodeKey => {
                let dir = KEYS.path().join(number.to_string());
                StorageSealer::from_node_key(&NodeKey::load_or_create(&dir)?)
            }
            Kind::Rotated => of(number)?.opening_also(of(number + 100)?),
            Kind::Secret => of(number)?,
        }))
    }
}

static SECRETS: Mutex<BTreeMap<u8, FleetSecret>> = Mutex::new(BTreeMap::new());

static KEYS: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("there is room for files"));
