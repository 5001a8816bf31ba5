//! Which keys a change means.

use cache_core::{Domain, Key, port::Change};

/// Whether a change by `prefix` and `domain` means `key`.
pub(crate) fn matches_prefix(key: &Key, prefix: &str, domain: Option<Domain>) -> bool {
    key.resource().starts_with(prefix) && domain.is_none_or(|domain| domain == key.domain())
}

/// Whether `change` removes what is kept under `key`.
pub(crate) fn removes(change: &Change, key: &Key) -> bool {
    match change {
        Change::Doubt(_) | Change::Put(_) => false,
        Change::Remove(removed) => removed == key,
        Change::RemoveAll => true,
        Change::RemovePrefix { prefix, domain } => matches_prefix(key, prefix, *domain),
    }
}
