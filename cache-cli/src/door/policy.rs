//! What tells one door from another.

/// A door as its requests are judged: what leads in, what a client has to present, and what it gets back.
///
/// Nothing asks which door it is; each question has a field of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Door {
    /// Its name in the access log.
    pub(crate) name: &'static str,
    /// The hosts for which requests may come in.
    pub(crate) hosts: DoorHosts,
    /// The URLs in answers to clients that name the door itself.
    pub(crate) urls: DoorUrls,
    /// Whether clients must present the client token where one is set.
    pub(crate) asks_token: bool,
    /// Whether it is a proxy for clients that ask for a connection, where the daemon intercepts.
    pub(crate) is_proxy: bool,
    /// Whether browsers reach it, so that it asks which page a request comes from.
    pub(crate) meets_browsers: bool,
}

/// The hosts for which requests may come in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DoorHosts {
    /// The API, by its own name or the door's.
    Api,
    /// The API, and other hosts past the cache.
    ApiAndOthers,
}

/// The URLs in answers to clients that name the door itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DoorUrls {
    /// They stay: clients send every request here, whatever its host.
    Kept,
    /// They are rewritten to lead back to the door.
    Rewritten {
        /// What clients speak with the door, `http` for example.
        scheme: &'static str,
    },
}

impl Door {
    /// HTTP over TCP, for clients that were given its address.
    pub(crate) const TCP: Self = Self {
        name: "tcp",
        hosts: DoorHosts::Api,
        urls: DoorUrls::Rewritten { scheme: "http" },
        asks_token: true,
        is_proxy: true,
        meets_browsers: true,
    };
    /// HTTP on a unix socket, into which `gh` sends everything. The file system decides which users may connect, and
    /// no browser opens one.
    pub(crate) const UNIX: Self = Self {
        name: "unix",
        hosts: DoorHosts::ApiAndOthers,
        urls: DoorUrls::Kept,
        asks_token: false,
        is_proxy: false,
        meets_browsers: false,
    };
    /// HTTP inside the TLS that this daemon ends for clients that take it for a proxy. They showed what they have to show
    /// when they asked for the connection, and a browser keeps its pages apart by the host's own name.
    pub(crate) const INTERCEPTED: Self = Self {
        name: "intercepted",
        hosts: DoorHosts::ApiAndOthers,
        urls: DoorUrls::Kept,
        asks_token: false,
        is_proxy: false,
        meets_browsers: false,
    };
}
