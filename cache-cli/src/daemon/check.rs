//! Whether a daemon could start with its settings.

use super::{doors::has_a_door, node, own_origin};
use crate::{exit::CommandError, settings::Settings};

/// Sees whether a daemon could be made from `settings`, without opening anything.
///
/// # Errors
///
/// [`CommandError::Usage`], saying what does not fit.
pub(crate) async fn check(settings: &Settings) -> Result<(), CommandError> {
    has_a_door(settings)?;
    own_origin::refuse(settings, settings.listen.as_slice()).await?;
    node::github(settings).map(drop)
}
