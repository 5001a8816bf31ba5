//! What a daemon tells of itself.

use crate::settings::{DomainWarning, FleetReport, Report, Settings, SourcedSecret, domain_warnings};
use serde::Serialize;
use std::net::SocketAddr;

/// What the daemon tells of itself and its settings, as they are in force.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// The settings in force.
    pub(crate) report: Report,
    /// Everything else that the daemon says about itself.
    pub(crate) about: About,
}

/// What the daemon says about itself, besides what its node counts.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct About {
    /// The number of its process.
    pub(crate) pid: u32,
    /// The version of its program.
    pub(crate) version: &'static str,
    /// Where clients reach it.
    pub(crate) doors: Vec<String>,
    /// Whether its TCP door is a proxy that ends TLS for the API's hosts.
    pub(crate) intercepts: bool,
    /// Where its health and its counts are told.
    pub(crate) operations: Option<String>,
    /// Where webhooks are delivered.
    pub(crate) webhook_address: Option<String>,
    /// Where people see what it does.
    pub(crate) dashboard: Option<String>,
    /// How it was told to take part in a fleet.
    pub(crate) fleet: FleetReport,
    /// What the fleet has in common.
    #[serde(skip)]
    pub(crate) secret: Option<SourcedSecret>,
    /// What of that is about domains.
    #[serde(skip)]
    pub(crate) domains: Vec<DomainWarning>,
    /// What its user should know.
    pub(crate) warnings: Vec<String>,
}

impl About {
    /// A daemon that begins to serve at `doors`.
    pub(super) fn of(
        settings: &Settings,
        doors: Vec<String>,
        (operations, webhooks, dashboard): (Option<SocketAddr>, Option<SocketAddr>, Option<SocketAddr>),
    ) -> Self {
        Self {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION"),
            doors,
            intercepts: settings.intercept.is_some(),
            operations: operations.map(|address| format!("http://{address}")),
            webhook_address: webhooks.map(|address| format!("http://{address}/webhook")),
            dashboard: dashboard.map(|address| format!("http://{address}/")),
            fleet: FleetReport::of(&settings.fleet),
            secret: settings.fleet.secret.found().cloned(),
            domains: domain_warnings(&settings.domains),
            warnings: settings.warnings.clone(),
        }
    }
}
