//! The credential that asks for clients that send none: what it may read is seen before it is used, and from time to time.

use crate::{exit::CommandError, settings::Settings};
use fleet_cache::{
    Node,
    github::{Rules, SurrogateFault, SurrogateNews},
};
use std::{convert::Infallible, time::Duration};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

/// Examines the credential of a node that has just started, and puts it to use if it reads nothing private.
///
/// An API that does not answer keeps no daemon from starting: clients are asked for anonymously until it does.
///
/// # Errors
///
/// [`CommandError::Usage`] if the API has shown that the credential cannot be used. The node is shut down then.
pub(super) async fn begin(node: &Node, settings: &Settings) -> Result<(), CommandError> {
    if settings.anonymous_as.is_none() {
        return Ok(());
    }
    match timeout(EXAMINATION_MAX, node.examine_if_due()).await {
        Ok(Some(SurrogateNews { fault: Some(fault), .. })) if fault.is_final() => {
            node.shutdown().await;
            return Err(CommandError::Usage(Refused::of(settings, &fault).into()));
        }
        Ok(Some(SurrogateNews { fault: None, .. })) => info!("{USED}"),
        Ok(_) | Err(_) => {
            warn!(
                "anonymous-as: the API has not shown what its credential reads; {ANONYMOUSLY} until it has"
            );
        }
    }
    Ok(())
}

/// Examines the credential that `rules` have anew, and that `settings` name.
///
/// # Errors
///
/// As [`begin`].
pub(super) async fn examine(node: &Node, rules: &Rules, settings: &Settings) -> Result<(), CommandError> {
    match timeout(EXAMINATION_MAX, node.examine(rules)).await {
        Ok(Err(fault)) if fault.is_final() => Err(CommandError::Usage(Refused::of(settings, &fault).into())),
        Ok(Ok(())) | Ok(Err(_)) | Err(_) => Ok(()),
    }
}

/// Examines the credential in force again and again: soon until the API has answered, then now and then.
pub(super) async fn keep(node: &Node) -> Infallible {
    loop {
        match timeout(EXAMINATION_MAX, node.examine_if_due()).await {
            Ok(Some(SurrogateNews { is_news: true, fault: None, .. })) => info!("{USED}"),
            Ok(Some(SurrogateNews { is_news: true, fault: Some(fault), .. })) => {
                warn!("anonymous-as: {fault}; {ANONYMOUSLY}; {REMEDY}");
            }
            Ok(Some(_) | None) | Err(_) => {}
        }
        sleep(LOOK_EVERY).await;
    }
}

/// A credential that the API has shown not to be fit.
#[derive(Debug, thiserror::Error)]
#[error("anonymous-as ({from}) names a credential that cannot be used: {fault}; {REMEDY}")]
struct Refused {
    from: String,
    fault: String,
}

impl Refused {
    fn of(settings: &Settings, fault: &SurrogateFault) -> Self {
        Self { from: settings.anonymous_as_source.to_string(), fault: fault.to_string() }
    }
}

const USED: &str = "the credential of anonymous-as asks for clients that send none";
const ANONYMOUSLY: &str = "clients without a credential are asked for anonymously";
const REMEDY: &str = "give a classic token without scopes, or a fine-grained one for public repositories, of a user that is a member \
                      of nothing";

/// Longest time that the API may take to show what the credential reads.
const EXAMINATION_MAX: Duration = Duration::from_secs(10);
/// How often it is seen whether it is time to examine it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
