//! A transport on a runtime of its own, which can be frozen: from outside, its process seems to be stopped.

use super::{Factory, Plan, node::Node};
use anyhow::Context as _;
use std::{future::poll_fn, pin::pin, sync::mpsc};
use tokio::runtime::{Builder, Runtime};

/// The runtime that a [`Node`] runs on.
pub(super) struct Apart {
    runtime: Option<Runtime>,
    /// What the frozen runtime waits for.
    thaw: Option<mpsc::Sender<()>>,
}

impl Apart {
    /// Starts a transport on a runtime of its own.
    pub(super) async fn start(factory: &dyn Factory, plan: Plan) -> anyhow::Result<(Node, Self)> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.context("a runtime")?;
        let handle = runtime.handle().clone();
        let apart = Self { runtime: Some(runtime), thaw: None };
        let mut node = pin!(Node::start(factory, plan));
        let node = poll_fn(|context| {
            let _within = handle.enter();
            node.as_mut().poll(context)
        });
        Ok((node.await?, apart))
    }

    /// Nothing on the runtime moves from now on. Its sockets stay open.
    pub(super) fn freeze(&mut self) {
        let (thaw, thawed) = mpsc::channel();
        if let Some(runtime) = &self.runtime {
            // Its only worker; ends with this.
            drop(runtime.spawn(async move {
                let _never = thawed.recv();
            }));
        }
        self.thaw = Some(thaw);
    }

    /// As when the process is killed: the system closes its sockets, and no transport says goodbye.
    pub(super) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        drop(self.thaw.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
