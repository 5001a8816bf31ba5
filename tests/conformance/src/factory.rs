//! How the suite comes by the transports that it tests.

use super::gates::OpenGate;
use async_trait::async_trait;
use cache_core::port::{ADMISSION_TIMEOUT, DIAL_TIMEOUT, DialError, Gate, Transport};
use std::{sync::Arc, time::Duration};

/// Starts transports of the kind under test.
#[async_trait]
pub trait Factory: Send + Sync {
    /// A transport that listens on the loopback interface.
    ///
    /// # Errors
    ///
    /// Those of the transport's own start, for instance that `plan.listen` is taken.
    async fn start(&self, plan: Plan) -> anyhow::Result<Arc<dyn Transport>>;

    /// Texts that this kind of transport cannot dial, and what it says; [`super::transport::BAD_ADDRESSES`]
    /// are tried anyway.
    fn bad_addresses(&self) -> Vec<(String, DialError)> {
        Vec::new()
    }

    /// How long a rule waits for what must happen: far beyond any machine's slowness.
    fn patience(&self) -> Duration {
        Duration::from_secs(20)
    }
}

/// What a transport is started with.
#[derive(Clone)]
pub struct Plan {
    /// The secret key of its identity; the same seed makes the same peer.
    pub seed: [u8; 32],
    /// Decides which peers are let in.
    pub gate: Arc<dyn Gate>,
    /// Where to listen: an address that an earlier transport told, or any free port.
    pub listen: Option<Box<str>>,
    /// Time for an admission.
    pub admission_timeout: Duration,
    /// Time for a dial.
    pub dial_timeout: Duration,
    /// Most peers at once.
    pub peers_max: usize,
}

impl Plan {
    /// A peer of this number, with an open gate and the times that the port names.
    pub fn of(number: u8) -> Self {
        Self {
            seed: [number; 32],
            gate: Arc::new(OpenGate),
            listen: None,
            admission_timeout: ADMISSION_TIMEOUT,
            dial_timeout: DIAL_TIMEOUT,
            peers_max: 256,
        }
    }

    /// The same with another gate.
    pub fn with_gate(self, gate: impl Gate + 'static) -> Self {
        Self { gate: Arc::new(gate), ..self }
    }
}

/// Whether a rule is kept; an error says how it is broken.
pub type Outcome = anyhow::Result<()>;
