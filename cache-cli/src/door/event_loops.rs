//! The threads on which connections are served.
//!
//! Each is a single-threaded runtime. Connections are dealt out in turns and stay where they are, so a hit is read,
//! answered and written by one thread that wakes no other. Measured with `wrk -t2 -c32` beside one work-stealing
//! runtime of as many threads, on two processors: a fifth more hits a second, and each hit took a sixth less
//! processor time. Use `cargo xtask bench door` to try another way.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
    thread::{self, JoinHandle},
};
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// Runtimes for connections; dropping it ends them, with whatever they still serve.
pub(crate) struct EventLoops {
    loops: Vec<EventLoop>,
    turn: AtomicUsize,
}

impl EventLoops {
    /// As many as the machine has processors for, at most [`LOOPS_MAX`].
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub(crate) fn start() -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from).min(LOOPS_MAX);
        let loops = (0..count).map(EventLoop::start).collect::<io::Result<_>>()?;
        Ok(Self { loops, turn: AtomicUsize::new(0) })
    }

    /// Whose turn it is to take a connection.
    pub(crate) fn next(&self) -> &Handle {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        &self.loops[turn % self.loops.len()].handle
    }
}

struct EventLoop {
    handle: Handle,
    /// Dropped to end the loop.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl EventLoop {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = move || {
            // The sender sends nothing; that it is gone says all.
            let _stopped = runtime.block_on(stopped);
            // The system may be looking up a name for ever, which nothing ends.
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name(format!("door-{number}")).spawn(serve)?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for EventLoop {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(Err(_panic)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("a thread that serves connections panicked");
        }
    }
}

/// Most threads for connections: what one network card's traffic keeps busy.
const LOOPS_MAX: usize = 16;
