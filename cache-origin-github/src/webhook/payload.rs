//! The few parts of a payload that say what an event is about.

use super::PayloadError;
use serde::Deserialize;
use serde_json::Value;

/// A payload as far as it is read. All else in it is skipped, not held.
#[derive(Debug, Deserialize)]
pub(super) struct Payload {
    action: Option<String>,
    repository: Option<Repository>,
    organization: Option<Account>,
    installation: Option<Installation>,
    #[serde(default)]
    repositories: Vec<Repository>,
    #[serde(default)]
    repositories_added: Vec<Repository>,
    #[serde(default)]
    repositories_removed: Vec<Repository>,
    #[serde(default)]
    changes: Value,
}

/// A repository by the names that GitHub gives it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Repository {
    pub(super) id: Option<u64>,
    full_name: String,
}

#[derive(Debug, Deserialize)]
struct Account {
    login: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Installation {
    account: Option<Account>,
}

impl Payload {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, PayloadError> {
        serde_json::from_slice(bytes).map_err(|_unreadable| PayloadError)
    }

    pub(super) fn action(&self) -> &str {
        self.action.as_deref().unwrap_or_default()
    }

    /// The organisation, the account that an app is installed on, or the owner of the repository.
    pub(super) fn account(&self) -> Option<&str> {
        let installed = self.installation.as_ref().and_then(|installation| installation.account.as_ref());
        let login = self.organization.as_ref().or(installed).and_then(|account| account.login.as_deref());
        login.or_else(|| self.repository.as_ref()?.names().map(|(owner, _)| owner))
    }

    /// The repositories that it names, each as it is called now and was called before.
    pub(super) fn repositories(&self) -> Vec<Repository> {
        let listed = [&self.repositories, &self.repositories_added, &self.repositories_removed];
        let mut all: Vec<Repository> =
            self.repository.iter().chain(listed.into_iter().flatten()).cloned().collect();
        all.extend(self.former_repository());
        all.extend(self.changes.get("new_repository").and_then(|new| Repository::deserialize(new).ok()));
        all
    }

    /// Whether it names so many repositories that all of the account counts.
    pub(super) fn is_of_many(&self) -> bool {
        let listed = [&self.repositories, &self.repositories_added, &self.repositories_removed];
        listed.into_iter().map(Vec::len).sum::<usize>() > REPOSITORIES_MAX
    }

    /// The name before that of a repository that was renamed or transferred.
    fn former_repository(&self) -> Option<Repository> {
        let Repository { id, full_name } = self.repository.as_ref()?;
        let (owner, name) = full_name.split_once('/')?;
        let text = |pointer: &str| self.changes.pointer(pointer).and_then(Value::as_str);
        let old_name = text("/repository/name/from");
        let old_owner = text("/owner/from/organization/login").or_else(|| text("/owner/from/user/login"));
        (old_name.is_some() || old_owner.is_some()).then(|| Repository {
            id: *id,
            full_name: format!("{}/{}", old_owner.unwrap_or(owner), old_name.unwrap_or(name)),
        })
    }

    /// The name before that of an organisation that was renamed.
    pub(super) fn former_account(&self) -> Option<String> {
        self.changes.pointer("/login/from").and_then(Value::as_str).map(str::to_owned)
    }
}

impl Repository {
    /// The owner and the name.
    pub(super) fn names(&self) -> Option<(&str, &str)> {
        self.full_name.split_once('/')
    }
}

/// Most repositories that an event ends one by one. Each touches some thirty families of resources, and an invalidation
/// names 64: with more repositories, all of the account costs hardly more.
pub(super) const REPOSITORIES_MAX: usize = 8;
