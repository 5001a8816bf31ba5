//! Holds answers back and counts the calls under way, which makes concurrency repeatable.

use tokio::sync::watch;

/// Answers wait here while the gate is closed to them; every call under way is counted.
#[derive(Debug)]
pub(super) struct Gate {
    /// Calls whose target contains this text are held.
    held: watch::Sender<Option<String>>,
    in_flight: watch::Sender<usize>,
}

impl Gate {
    pub(super) fn open() -> Self {
        Self { held: watch::Sender::new(None), in_flight: watch::Sender::new(0) }
    }

    pub(super) fn hold(&self, target_contains: &str) {
        self.held.send_replace(Some(target_contains.to_owned()));
    }

    pub(super) fn release(&self) {
        self.held.send_replace(None);
    }

    /// Counts a call until the guard is dropped, which a client that leaves causes as well.
    pub(super) fn enter(&self) -> Entered<'_> {
        self.in_flight.send_modify(|count| *count += 1);
        Entered(self)
    }

    /// Waits while answers to `target` are held.
    pub(super) async fn pass(&self, target: &str) {
        let mut held = self.held.subscribe();
        let open = |held: &Option<String>| held.as_deref().is_none_or(|part| !target.contains(part));
        // An error means that the sender is gone, and `self` holds it.
        let _open = held.wait_for(open).await;
    }

    pub(super) fn in_flight(&self) -> usize {
        *self.in_flight.borrow()
    }

    /// A receiver of the number of calls under way.
    pub(super) fn watch(&self) -> watch::Receiver<usize> {
        self.in_flight.subscribe()
    }
}

/// One call under way.
#[derive(Debug)]
pub(super) struct Entered<'a>(&'a Gate);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.in_flight.send_modify(|count| *count -= 1);
    }
}
