//! What a tool is: its arguments, what it answers, and how both are described to clients.

use crate::{
    admin::Admin,
    exit::{CommandError, chain},
};
use rmcp::model::{JsonObject, Tool as ToolModel, ToolAnnotations};
use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::RecursiveTransform};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{path::Path, sync::Arc, time::Duration};

/// A question that an agent may ask. The type holds its arguments.
pub(super) trait Tool: DeserializeOwned + JsonSchema + 'static {
    /// How it is called.
    const NAME: &'static str;
    /// How it is shown to people.
    const TITLE: &'static str;
    /// What it is for, to the model that may call it.
    const DESCRIPTION: &'static str;
    /// The form of its answers.
    type Told: JsonSchema + Serialize + 'static;

    /// Asks the daemon of `cache_dir`.
    async fn ask(self, cache_dir: &Path) -> Result<Asked, Refused>;
}

/// What a tool answers.
pub(super) struct Asked {
    /// For programs, as [`Tool::Told`] describes it.
    pub(super) told: Value,
    /// The same in few words.
    pub(super) text: String,
}

impl Asked {
    /// That `told`, in words `text`.
    pub(super) fn new(told: &impl Serialize, text: impl Into<String>) -> Result<Self, Refused> {
        let told = serde_json::to_value(told).map_err(|error| Refused::Unreadable { error })?;
        Ok(Self { told, text: text.into() })
    }
}

/// Why a tool has no answer, in words that say what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// The arguments are not as the schema has them.
    #[error("the arguments do not fit: {what}; see the tool's input schema")]
    Arguments {
        /// What is wrong with them.
        what: String,
    },
    /// Too much at once.
    #[error("{most} calls are under way already; wait for one of them and ask again")]
    Busy {
        /// Most calls at once.
        most: usize,
    },
    /// No daemon, or one that says no.
    #[error("{0}")]
    Daemon(String),
    /// The daemon keeps silent.
    #[error(
        "the daemon has not answered for {} s; it may be stopped or overloaded: look at its log, or restart it",
        waited.as_secs()
    )]
    Late {
        /// How long it was waited for.
        waited: Duration,
    },
    /// The daemon answers what this program does not know.
    #[error(
        "the daemon's answer cannot be read: {error}; use a fleet-cache of the same version as the daemon"
    )]
    Unreadable {
        /// What is wrong with it.
        error: serde_json::Error,
    },
}

impl Refused {
    /// Arguments that cannot be read; of what is wrong with them, as much as fits a line.
    #[expect(clippy::needless_pass_by_value, reason = "the form that `map_err` takes")]
    pub(super) fn arguments(error: serde_json::Error) -> Self {
        Self::Arguments { what: error.to_string().chars().take(FAULT_CHARS_MAX).collect() }
    }

    pub(super) fn busy(most: usize) -> Self {
        Self::Busy { most }
    }

    pub(super) fn late(waited: Duration) -> Self {
        Self::Late { waited }
    }
}

impl From<CommandError> for Refused {
    fn from(error: CommandError) -> Self {
        Self::Daemon(chain(&error))
    }
}

/// Asks the daemon of `cache_dir` for what `path` shows.
pub(super) async fn shown<T: DeserializeOwned>(cache_dir: &Path, path: &str) -> Result<T, Refused> {
    let mut admin = Admin::connect(cache_dir).await?;
    let told: Value = admin.show(path).await?;
    serde_json::from_value(told).map_err(|error| Refused::Unreadable { error })
}

/// Has the daemon of `cache_dir` carry out an order that changes nothing.
pub(super) async fn ordered<T: DeserializeOwned>(
    cache_dir: &Path,
    path: &str,
    order: &impl Serialize,
) -> Result<T, Refused> {
    let mut admin = Admin::connect(cache_dir).await?;
    let told: Value = admin.order(path, order).await?;
    serde_json::from_value(told).map_err(|error| Refused::Unreadable { error })
}

/// How clients are told of `T`.
pub(super) fn described<T: Tool>() -> ToolModel {
    let hints = ToolAnnotations::with_title(T::TITLE).read_only(true).idempotent(true).open_world(false);
    ToolModel::new(T::NAME, T::DESCRIPTION, schema::<T>())
        .with_title(T::TITLE)
        .with_raw_output_schema(schema::<T::Told>())
        .with_annotations(hints)
}

/// The schema of `T`, whole, without formats of numbers that JSON Schema does not know.
fn schema<T: JsonSchema>() -> Arc<JsonObject> {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let without_format = |schema: &mut Schema| {
        schema.remove("format");
    };
    let generator = settings.with_transform(RecursiveTransform(without_format)).into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    schema.remove("title");
    Arc::new(schema.as_object().cloned().unwrap_or_default())
}

/// A text that a client gives, checked for its length.
pub(super) fn bounded<'de, D, const MOST: usize>(deserializer: D) -> Result<Option<String>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    let text: Option<String> = serde::Deserialize::deserialize(deserializer)?;
    match text {
        Some(text) if text.len() > MOST => {
            Err(serde::de::Error::custom(format!("a text of {} bytes is longer than {MOST}", text.len())))
        }
        text => Ok(text),
    }
}

/// Most characters that are said of what is wrong with arguments, which may be as long as a message.
const FAULT_CHARS_MAX: usize = 200;
