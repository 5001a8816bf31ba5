//! The commands that need no daemon, or find out by themselves whether one runs.

use super::{
    config_check, demo, doctor, id, mcp,
    secret::{self, SecretOrder},
};
use crate::{
    exit::CommandError,
    output::Rendering,
    settings::{self, Defaults, Given},
};
use std::io::{Read, Write};

/// An order for this process alone.
pub(crate) enum LocalOrder {
    /// See whether a daemon would start with what is given.
    ConfigCheck(Rendering),
    /// Show on this machine what sharing saves.
    Demo(demo::Wishes),
    /// Find out whether sharing works.
    Doctor(Rendering),
    /// Tell the addresses by which others reach this node.
    Id(Rendering),
    /// Answer an agent's questions, as long as it has any.
    Mcp,
    /// Make a secret, or tell how to recognise one.
    Secret(SecretOrder),
}

impl LocalOrder {
    /// Whether it has work for several processors.
    pub(crate) fn wants_threads(&self) -> bool {
        match self {
            Self::Demo(_) => true,
            Self::ConfigCheck(_) | Self::Doctor(_) | Self::Id(_) | Self::Mcp | Self::Secret(_) => false,
        }
    }

    /// Carries this out with the settings that are `given`, and writes the result to `out`.
    ///
    /// # Errors
    ///
    /// When the settings do not fit, the command fails, or the output cannot be written.
    pub(crate) async fn perform(
        self,
        given: &Given,
        defaults: &Defaults,
        input: &mut impl Read,
        out: &mut impl Write,
    ) -> Result<(), CommandError> {
        match self {
            Self::ConfigCheck(rendering) => config_check::perform(rendering, given, defaults, out).await,
            Self::Demo(wishes) => demo::run(wishes, out).await,
            Self::Doctor(rendering) => {
                doctor::run(rendering, &settings::cache_dir(given, defaults)?, out).await
            }
            Self::Id(rendering) => id::perform(rendering, given, defaults, out),
            Self::Mcp => mcp::run(settings::cache_dir(given, defaults)?).await,
            Self::Secret(order) => secret::perform(order, given, defaults, input, out).await,
        }
    }
}
