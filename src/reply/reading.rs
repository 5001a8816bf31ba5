//! Reading a reply as a program wants it: as text, as JSON, or not at all if the origin reports an error.

use super::Reply;
use cache_core::FetchError;
use http::StatusCode;
use serde::de::DeserializeOwned;
use std::str::Utf8Error;
use thiserror::Error;

impl Reply {
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
    /// [`ReadError::BrokenOff`] if a body that streams from the origin ends early, [`ReadError::NotText`] if it is not
    /// UTF-8.
    pub async fn text(self) -> Result<String, ReadError> {
        let body = self.bytes().await.map_err(ReadError::BrokenOff)?;
        String::from_utf8(body.into()).map_err(|error| ReadError::NotText(error.utf8_error()))
    }

    /// The body as a value that can be read from JSON, whatever the reply's status is.
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
    /// [`ReadError::BrokenOff`] if a body that streams from the origin ends early, [`ReadError::NotJson`] if it is not
    /// JSON, or not of this shape.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, ReadError> {
        let body = self.bytes().await.map_err(ReadError::BrokenOff)?;
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
}

/// A reply whose status is an error.
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
        let forward = Forward { reason, status: 200, collapsed: false, stored: false };
        let error = Reply::of_content(content, forward, Form::default()).text().await.unwrap_err();
        assert_eq!(error.to_string(), "the body is not text: invalid utf-8 sequence of 1 bytes from index 2");
    }
}
