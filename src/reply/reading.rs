//! Reading a reply as a program wants it: as text, as JSON, or not at all if the origin reports an error.

use super::{Answer, Reply, ReplyBody};
use bytes::Bytes;
use cache_core::FetchError;
use http::StatusCode;
use http_body::Body as _;
use http_body_util::{BodyExt as _, Limited};
use serde::de::DeserializeOwned;
use std::str::Utf8Error;
use thiserror::Error;

impl Reply {
    /// Lets [`bytes`](Self::bytes), [`text`](Self::text) and [`json`](Self::json) take bodies of at most `bytes_max`
    /// bytes into memory. Default: [`READ_BYTES_MAX`].
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// let reply = node.get("/repos/rust-lang/rust/tarball").await?;
    /// let archive = reply.read_bytes_max(1 << 30).bytes().await?;
    /// # Ok(()) }
    /// ```
    pub fn read_bytes_max(mut self, bytes_max: usize) -> Self {
        self.read_bytes_max = bytes_max;
        self
    }

    /// The body without any coding, however the request wanted it.
    ///
    /// A body that may be longer than memory is better read as it comes, from [`into_response`](Self::into_response).
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// let readme = node.get("/repos/rust-lang/rust/readme").await?.bytes().await?;
    /// println!("{} bytes", readme.len());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ReadError::BrokenOff`] if a body that streams from the origin ends early, [`ReadError::TooLong`] if it is longer
    /// than [`read_bytes_max`](Self::read_bytes_max) allows.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives up what has been read.
    pub async fn bytes(self) -> Result<Bytes, ReadError> {
        let bytes_max = self.read_bytes_max;
        let whole = match self.answer {
            Answer::Content(content) => content.body,
            Answer::Entry(entry) => entry.content().body.clone(),
            Answer::Stream(response) => return collect(response.into_body(), bytes_max).await,
        };
        if whole.len() > bytes_max {
            return Err(ReadError::TooLong { bytes_max });
        }
        Ok(whole)
    }

    /// The body as text, without any coding.
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// let zen = node.get("/zen").await?.text().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`bytes`](Self::bytes); also [`ReadError::NotText`] if the body is not UTF-8.
    pub async fn text(self) -> Result<String, ReadError> {
        let body = self.bytes().await?;
        String::from_utf8(body.into()).map_err(|error| ReadError::NotText(error.utf8_error()))
    }

    /// The body, read from JSON into a value, whatever the reply's status is.
    ///
    /// ```no_run
    /// #[derive(serde::Deserialize)]
    /// struct Repository {
    ///     full_name: String,
    ///     stargazers_count: u64,
    /// }
    ///
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// let reply = node.get("/repos/rust-lang/rust").await?.error_for_status()?;
    /// let repository: Repository = reply.json().await?;
    /// println!("{}: {} stars", repository.full_name, repository.stargazers_count);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`bytes`](Self::bytes); also [`ReadError::NotJson`] if the body is not JSON, or not of this shape.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, ReadError> {
        let body = self.bytes().await?;
        serde_json::from_slice(&body).map_err(|source| ReadError::NotJson(Box::new(source)))
    }

    /// The reply itself, unless its status is an error of the client (4xx) or of the origin (5xx).
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// match node.get("/repos/acme/moved-away").await?.error_for_status() {
    ///     Ok(reply) => println!("{}", reply.text().await?),
    ///     Err(error) if error.status() == 404 => println!("there is none"),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StatusError`], which keeps the reply.
    pub fn error_for_status(self) -> Result<Self, StatusError> {
        let status = self.status();
        if status.is_client_error() || status.is_server_error() {
            return Err(StatusError { status, reply: Box::new(self) });
        }
        Ok(self)
    }
}

/// Why a reply cannot be read as asked.
///
/// ```no_run
/// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
/// use fleet_cache::ReadError;
///
/// match node.get("/repos/rust-lang/rust").await?.read_bytes_max(1 << 20).text().await {
///     Ok(text) => println!("{text}"),
///     Err(ReadError::TooLong { bytes_max }) => println!("more than {bytes_max} bytes"),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A body that streamed from the origin ended early.
    #[error("the body ended early: {0}")]
    BrokenOff(FetchError),
    /// The body is not JSON, or not of the shape that was asked for.
    #[error("the body cannot be read from JSON: {0}")]
    NotJson(Box<dyn std::error::Error + Send + Sync>),
    /// The body is not UTF-8.
    #[error("the body is not text: {0}")]
    NotText(Utf8Error),
    /// The body is longer than it may be; what streamed was given up.
    #[error("the body is longer than {bytes_max} bytes; allow more, or read it as it comes")]
    TooLong {
        /// Most bytes that it may have had.
        bytes_max: usize,
    },
}

/// The whole of `body`, which is given up as soon as it is known to be longer than `bytes_max`.
async fn collect(body: ReplyBody, bytes_max: usize) -> Result<Bytes, ReadError> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(ReadError::TooLong { bytes_max });
    }
    match Limited::new(body, bytes_max).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) => Err(match error.downcast::<FetchError>() {
            Ok(broken_off) => ReadError::BrokenOff(*broken_off),
            Err(_too_long) => ReadError::TooLong { bytes_max },
        }),
    }
}

/// Longest body that is taken into memory unless more is allowed, in bytes: as much as all entries of a node may be by
/// default.
pub const READ_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A reply whose status is an error.
///
/// ```no_run
/// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
/// if let Err(error) = node.get("/repos/acme/moved-away").await?.error_for_status() {
///     println!("{}: {}", error.status(), error.into_reply().text().await?);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Error)]
#[error("the origin answered {status}")]
pub struct StatusError {
    status: StatusCode,
    reply: Box<Reply>,
}

impl StatusError {
    /// The origin's status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The reply, whose body says what is wrong in the origin's words.
    pub fn into_reply(self) -> Reply {
        *self.reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::{Content, Forward, ForwardReason, Headers};
    use cache_origin_github::Form;

    #[tokio::test]
    async fn a_body_that_is_no_text_is_an_error_that_says_where_it_ends() {
        let content = Content { status: 200, headers: Headers::default(), body: b"PK\xff".as_slice().into() };
        let reason = ForwardReason::UriMiss;
        let forward = Forward { reason, status: 200, collapsed: false, stored: false, settling: false };
        let error = Reply::of_content(content, forward, Form::default()).text().await.unwrap_err();
        assert_eq!(error.to_string(), "the body is not text: invalid utf-8 sequence of 1 bytes from index 2");
    }
}
