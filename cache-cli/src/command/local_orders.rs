//! The commands that need no daemon, or find out by themselves whether one runs.

use super::{
    ca::{self, CaOrder},
    config_check, demo, doctor,
    env::{self, Syntax},
    id, mcp, run,
    secret::{self, SecretOrder},
    surroundings::Surroundings,
    up::{self, UpWishes, User},
};
use crate::{
    exit::CommandError,
    output::Rendering,
    settings::{self, Defaults, Given},
};
use std::{
    ffi::OsString,
    io::{Read, Write},
};

/// An order for this process alone.
pub(crate) enum LocalOrder {
    /// Look after the certificate authority of an intercepting door.
    Ca(CaOrder),
    /// See whether a daemon would start with what is given.
    ConfigCheck(Rendering),
    /// Show on this machine what sharing saves.
    Demo(demo::Wishes),
    /// Find out whether sharing works.
    Doctor(Rendering),
    /// Undo what `Up` did.
    Down(Rendering),
    /// Tell what `Run` sets.
    Env {
        /// What is to set it.
        shell: Syntax,
        /// Whether it is for that, or for programs that read JSON.
        rendering: Rendering,
    },
    /// Tell the addresses by which others reach this node.
    Id(Rendering),
    /// Answer an agent's questions, as long as it has any.
    Mcp,
    /// Become a program whose HTTPS requests go through the daemon.
    Run {
        /// The program and its arguments.
        command: Vec<OsString>,
    },
    /// Make a secret, or tell how to recognise one.
    Secret(SecretOrder),
    /// Tell whether the next call would be saved.
    Status(Rendering),
    /// Start a daemon, and lead gh to it.
    Up(UpWishes),
}

impl LocalOrder {
    /// Whether it has work for several processors.
    pub(crate) fn wants_threads(&self) -> bool {
        match self {
            Self::Demo(_) => true,
            Self::Ca(_)
            | Self::ConfigCheck(_)
            | Self::Doctor(_)
            | Self::Down(_)
            | Self::Env { .. }
            | Self::Id(_)
            | Self::Mcp
            | Self::Run { .. }
            | Self::Secret(_)
            | Self::Status(_)
            | Self::Up(_) => false,
        }
    }

    /// Carries this out with the settings that are `given`, and writes the result to `out`; `variable` reads the environment.
    ///
    /// # Errors
    ///
    /// When the settings do not fit, the command fails, or the output cannot be written.
    pub(crate) async fn perform(
        self,
        (given, defaults): (&Given, &Defaults),
        variable: &dyn Fn(&str) -> Option<OsString>,
        input: &mut impl Read,
        out: &mut impl Write,
    ) -> Result<(), CommandError> {
        let surroundings = async || {
            let token = settings::client_token(given)?;
            Surroundings::of(&settings::cache_dir(given, defaults)?, token.as_ref(), variable).await
        };
        match self {
            Self::Ca(order) => ca::perform(order, &settings::cache_dir(given, defaults)?, out),
            Self::ConfigCheck(rendering) => config_check::perform(rendering, given, defaults, out).await,
            Self::Demo(wishes) => demo::run(wishes, out).await,
            Self::Doctor(rendering) => {
                doctor::run(rendering, &settings::cache_dir(given, defaults)?, out).await
            }
            Self::Down(rendering) => {
                let user = User { defaults, variable };
                up::down(&settings::cache_dir(given, defaults)?, &user, rendering, out).await
            }
            Self::Env { shell, rendering } => env::show(&surroundings().await?, shell, rendering, out),
            Self::Id(rendering) => id::perform(rendering, given, defaults, out),
            Self::Mcp => mcp::run(settings::cache_dir(given, defaults)?).await,
            Self::Run { command } => match run::become_it(&command, surroundings().await?)? {},
            Self::Secret(order) => secret::perform(order, given, defaults, input, out).await,
            Self::Status(rendering) => {
                let user = User { defaults, variable };
                up::status(&settings::cache_dir(given, defaults)?, &user, rendering, out).await
            }
            Self::Up(wishes) => up::up(given, &User { defaults, variable }, &wishes, out).await,
        }
    }
}
