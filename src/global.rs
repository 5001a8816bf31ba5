//! The process-wide node.

use crate::{Node, NodeBuilder, StartError, environment, error::message_of};
use parking_lot::Mutex;
use std::thread;
use thiserror::Error;

/// The one node of this process: made by the first caller, shared by all.
///
/// The builder given to [`configure`] sets it up, if there was one; otherwise the environment does (see
/// [`environment`](mod@crate::environment)). It runs on a thread of its own, so it needs no runtime here and outlives
/// any. The first call opens the store and blocks for that long. Nothing drops it when the process ends: a
/// [`Node::shutdown`] before that keeps what was fetched in the last second, and is final.
///
/// # Errors
///
/// [`StartError`] if it cannot start; the next call tries again.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let node = fleet_cache::global()?;
/// let reply = node.get("/repos/rust-lang/rust").await?;
/// # Ok(()) }
/// ```
pub fn global() -> Result<Node, StartError> {
    let mut state = GLOBAL.lock();
    // A configuration stays until it has served: another must not take its place because of one failure.
    let builder = match &*state {
        State::Configured(builder) => (**builder).clone(),
        State::Started(node) => return Ok(node.clone()),
        State::Unconfigured => environment::builder()?,
    };
    let node = start_on_own_thread(builder)?;
    *state = State::Started(node.clone());
    Ok(node)
}

/// Decides how [`global`] will set its node up, in place of the environment.
///
/// ```no_run
/// use fleet_cache::{GitHub, Node, configure, global};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// configure(Node::builder(None, GitHub::with_token("ghp_...")?))?;
/// let reply = global()?.get("/user").await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`AlreadyStarted`] if the node runs; it is left as it is.
pub fn configure(builder: NodeBuilder) -> Result<(), AlreadyStarted> {
    let mut state = GLOBAL.lock();
    if matches!(&*state, State::Started(_)) {
        return Err(AlreadyStarted);
    }
    *state = State::Configured(Box::new(builder));
    Ok(())
}

/// The process-wide node runs already, so it can no longer be configured.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the process-wide node runs already; configure it before its first use")]
pub struct AlreadyStarted;

fn start_on_own_thread(builder: NodeBuilder) -> Result<Node, StartError> {
    let (started, result) = std::sync::mpsc::sync_channel(1);
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                // The receiver waits below for as long as this thread lives.
                let _waits = started.send(Err(StartError::Runtime(error)));
                return;
            }
        };
        runtime.block_on(async move {
            let node = builder.start().await;
            let ended = node.as_ref().ok().map(Node::ended);
            let _waits = started.send(node);
            if let Some(ended) = ended {
                ended.await;
            }
        });
    };
    let running = thread::Builder::new().name("fleet-cache".into()).spawn(run).map_err(StartError::Thread)?;
    result.recv().unwrap_or_else(|_panicked| {
        let panic = running.join().err().unwrap_or_else(|| Box::new("it said nothing"));
        Err(StartError::Panicked { message: message_of(&*panic) })
    })
}

enum State {
    Configured(Box<NodeBuilder>),
    Started(Node),
    Unconfigured,
}

static GLOBAL: Mutex<State> = Mutex::new(State::Unconfigured);
