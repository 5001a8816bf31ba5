//! Which texts in an answer are credentials.
//!
//! The second check: routes whose answers hold a credential by design are not asked through the cache at all
//! (`route/table.rs`). This one catches what those rows do not know, by the name of a field or the look of a value.

/// Whether `text`, the value of `field`, is a credential or an address that is one.
///
/// GitHub masks the secrets that it does not want to show (`"********"`), and leaves `temp_clone_token` empty where
/// there is none. The `download_url` of a private file holds a token that opens this file alone, which readers of the
/// answer may read anyway. It is let pass, because otherwise no file of a private repository could be kept.
pub(super) fn is_credential(field: &str, text: &str) -> bool {
    let is_shown = !text.is_empty() && !text.bytes().all(|byte| byte == b'*');
    is_shown && (FIELDS.contains(&field) || is_token(text))
}

/// Whether `text` begins as GitHub's tokens do and is as long as they are.
fn is_token(text: &str) -> bool {
    text.len() >= TOKEN_BYTES_MIN && TOKENS.iter().any(|prefix| text.starts_with(prefix))
}

const FIELDS: &[&str] = &[
    "access_token",
    "client_secret",
    "download_links",
    "download_urls",
    "encoded_jit_config",
    "password",
    "pem",
    "private_key",
    "refresh_token",
    "secret",
    "temp_clone_token",
    "temp_download_token",
    "token",
    "webhook_secret",
];
/// From GitHub's documentation, "About authentication to GitHub".
const TOKENS: &[&str] = &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"];
const TOKEN_BYTES_MIN: usize = 36;
