//! The tokens, the accounts behind them, and which private repositories each may see.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The tokens that the origin knows, and those it has revoked.
#[derive(Debug)]
pub(super) struct Access {
    accounts: BTreeMap<String, Account>,
    revoked: BTreeSet<String>,
}

impl Access {
    /// The accounts that [`super::ModelOrigin`] documents.
    pub(super) fn new() -> Self {
        let known = [
            ("ghp_alice", "alice", Kind::Personal, u32::MAX),
            ("ghp_alice2", "alice", Kind::Personal, u32::MAX),
            ("ghp_bob", "bob", Kind::Personal, 0),
            ("ghp_reader", "reader", Kind::Scopeless, 0),
            ("ghp_reader2", "reader", Kind::Scopeless, 0),
            ("github_pat_carol", "carol", Kind::FineGrained, 1),
            ("github_pat_public", "public", Kind::FineGrained, 0),
            ("github_pat_mail", "mail", Kind::FineGrained, 0),
            ("ghs_acme1", "acme-app", Kind::Installation, 5),
            ("ghs_acme2", "acme-app", Kind::Installation, 5),
        ];
        let account = |(token, login, kind, private_below): (&str, &str, Kind, u32)| {
            let login = login.to_owned();
            (token.to_owned(), Account { login, kind, private_below })
        };
        Self {
            accounts: known.into_iter().map(account).collect(),
            revoked: BTreeSet::from(["ghp_revoked".to_owned()]),
        }
    }

    pub(super) fn set_rights(&mut self, token: &str, private_below: u32) {
        if let Some(account) = self.accounts.get_mut(token) {
            account.private_below = private_below;
        }
    }

    pub(super) fn revoke(&mut self, token: &str) {
        self.revoked.insert(token.to_owned());
    }

    /// The account that sent `headers`; the scheme of the credential makes no difference.
    pub(super) fn asker(&self, headers: &HeaderMap) -> Asker {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Asker::Anonymous;
        };
        let token = token_of(value.to_str().unwrap_or_default());
        if self.revoked.contains(&token) {
            return Asker::Unknown { token };
        }
        let known = self.accounts.get(&token).cloned();
        match known.or_else(|| stranger(&token)) {
            Some(account) => Asker::Known { token, account },
            None => Asker::Unknown { token },
        }
    }
}

/// The account that one call came from.
#[derive(Clone, Debug)]
pub(super) enum Asker {
    /// No credential was sent.
    Anonymous,
    /// A credential that is valid.
    Known { token: String, account: Account },
    /// A credential that is not.
    Unknown { token: String },
}

impl Asker {
    /// How the call is counted.
    pub(super) fn label(&self) -> &str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Known { token, .. } | Self::Unknown { token } => token,
        }
    }

    /// The account whose quota pays.
    pub(super) fn payer(&self) -> &str {
        self.account().map_or("anonymous", |account| &account.login)
    }

    pub(super) fn account(&self) -> Option<&Account> {
        match self {
            Self::Known { account, .. } => Some(account),
            Self::Anonymous | Self::Unknown { .. } => None,
        }
    }
}

/// A user or an installation of an app.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) login: String,
    pub(super) kind: Kind,
    /// Private repositories with a lower number are visible.
    private_below: u32,
}

impl Account {
    pub(super) fn sees_private(&self, number: u32) -> bool {
        number < self.private_below
    }
}

/// What sort of token it is, which decides some headers of an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    FineGrained,
    Installation,
    Personal,
    /// A user's, without any scope.
    Scopeless,
}

fn token_of(authorization: &str) -> String {
    let (scheme, credential) = authorization.split_once(' ').unwrap_or(("", authorization));
    let credential = credential.trim();
    if !scheme.eq_ignore_ascii_case("basic") {
        return credential.to_owned();
    }
    let decoded = BASE64_STANDARD.decode(credential).unwrap_or_default();
    let text = String::from_utf8(decoded).unwrap_or_default();
    text.split_once(':').map_or(String::new(), |(_user, token)| token.to_owned())
}

/// Any other well-formed token is a user of its own that sees nothing private.
fn stranger(token: &str) -> Option<Account> {
    let (kind, rest) = [
        ("ghp_", Kind::Personal),
        ("gho_", Kind::Personal),
        ("ghu_", Kind::Personal),
        ("ghs_", Kind::Installation),
        ("github_pat_", Kind::FineGrained),
    ]
    .into_iter()
    .find_map(|(prefix, kind)| Some((kind, token.strip_prefix(prefix)?)))?;
    let well_formed = !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    well_formed.then(|| Account {
        login: format!("u-{}", &hex(&Sha256::digest(token))[..8]),
        kind,
        private_below: 0,
    })
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn asker(authorization: &str) -> Asker {
        let value = HeaderValue::from_str(authorization).unwrap();
        Access::new().asker(&HeaderMap::from_iter([(header::AUTHORIZATION, value)]))
    }

    #[test]
    fn the_scheme_of_a_credential_makes_no_difference() {
        let basic = format!("Basic {}", BASE64_STANDARD.encode("x:ghp_alice"));
        for authorization in ["token ghp_alice", "Bearer ghp_alice", basic.as_str()] {
            assert_eq!(asker(authorization).payer(), "alice");
        }
    }

    #[test]
    fn a_well_formed_token_that_nobody_registered_is_a_user_who_sees_nothing_private() {
        let asker = asker("token ghp_zoe");
        assert!(!asker.account().unwrap().sees_private(0));
    }

    #[test]
    fn a_malformed_or_revoked_token_is_nobody() {
        assert!(asker("token nonsense").account().is_none());
        assert!(asker("token ghp_revoked").account().is_none());
    }
}
