//! Why the adapter could not be set up.

use std::time::Duration;

/// A setting that cannot be used. Nothing was built; the message names the value and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file of certificates cannot be used.
    #[error("certificates in `{path}` cannot be used: {problem}; name a readable PEM file")]
    Certificates {
        /// The file that cannot be used.
        path: Box<str>,
        /// What is wrong with it.
        problem: Box<str>,
    },
    /// The credential cannot be sent. Its text is not repeated.
    #[error("the credential cannot be sent: {problem}; give a bare token such as `gh auth token` prints")]
    Credential {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The name of a domain is empty or too long.
    #[error("`{name}` cannot name a domain: use 1 to {max} characters")]
    DomainName {
        /// The name that was given.
        name: Box<str>,
        /// Most bytes that a name may have.
        max: usize,
    },
    /// A domain is named twice, and trusted once.
    #[error("domain `{name}` is trusted in one place and not in another: name it once, or use two names")]
    DomainRights {
        /// The name that was given twice.
        name: Box<str>,
    },
    /// A field cannot be forwarded to the origin.
    #[error(
        "header `{name}` cannot be forwarded: {problem}; name a field that a gateway before the API asks for"
    )]
    ForwardHeader {
        /// The name that was given.
        name: Box<str>,
        /// Why it cannot be used.
        problem: &'static str,
    },
    /// A rule for answers to GraphQL queries cannot be read.
    #[error("GraphQL rule `{rule}` cannot be read: {problem}; write it like `checks=5s` or `search=never`")]
    GraphqlRule {
        /// The rule that was given.
        rule: Box<str>,
        /// What is wrong with it.
        problem: Box<str>,
    },
    /// The base address of the API is unusable.
    #[error(
        "origin `{value}` cannot be used: {problem}; write it like https://api.github.com or https://HOST/api/v3"
    )]
    Origin {
        /// The address given, unless it held a secret.
        value: Box<str>,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A rule for what requests matter cannot be read.
    #[error(
        "priority rule `{rule}` cannot be read: {problem}; write it like `/repos/*/*/actions/** = critical` or `client:renovate* = batch`"
    )]
    Priority {
        /// The rule that was given.
        rule: Box<str>,
        /// What is wrong with it.
        problem: Box<str>,
    },
    /// The proxy on the way to the origin cannot be used. Its address is not repeated, as it may hold a password.
    #[error("the proxy cannot be used: {0}; write it like http://proxy.example:3128")]
    Proxy(&'static str),
    /// A route rule cannot be read.
    #[error("route rule `{rule}` cannot be read: {problem}; write it like `GET /repos/*/*/issues** = 60s`")]
    Route {
        /// The rule that was given.
        rule: Box<str>,
        /// What is wrong with it.
        problem: Box<str>,
    },
    /// A duration is out of range.
    #[error("{setting} of {value:?} is out of range: use {min:?} to {max:?}")]
    Range {
        /// The name of the setting.
        setting: &'static str,
        /// The value that was given.
        value: Duration,
        /// The smallest that is allowed.
        min: Duration,
        /// The greatest that is allowed.
        max: Duration,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}
