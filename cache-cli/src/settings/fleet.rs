//! How this node takes part in a fleet: where it listens, which nodes it contacts, what they have in common.

use super::{
    Contact, Defaults, ListenAddress, Problem, Reader, SecretSearch, Source, address::Carrier, definition,
    value,
};
use fleet_cache::{Discover, FleetSecret, Guest};
use std::{fmt, str::FromStr};

/// How this node takes part in a fleet.
#[derive(Clone, Debug)]
pub(crate) struct FleetSettings {
    /// Whether the node shares.
    pub(crate) enabled: bool,
    /// How nodes talk to one another.
    pub(crate) transport: Transport,
    /// Where it listens for other nodes.
    pub(crate) listen: Vec<ListenAddress>,
    /// Which setting says so, and where it stands.
    pub(crate) listen_source: Source,
    /// Where other nodes reach this one, if that is not where it listens; at most [`ADVERTISED_MAX`].
    pub(crate) advertise: Vec<Contact>,
    /// Most nodes to be connected with.
    pub(crate) peers_max: usize,
    /// Whether it is a guest.
    pub(crate) guest: Guest,
    /// Nodes to contact first, at most [`CONTACTS_MAX`], each once.
    pub(crate) bootstrap: Vec<Contact>,
    /// Ways to find others, at most [`WAYS_MAX`], each once.
    pub(crate) discover: Vec<Discover>,
    /// What the nodes have in common, once it is found.
    pub(crate) secret: SecretSearch,
    /// Secrets by which members are let in as well.
    pub(crate) accepted: Vec<FleetSecret>,
}

impl FleetSettings {
    /// The secrets that the node uses, the current one first; empty if there is no current one.
    pub(crate) fn secrets(&self) -> Vec<FleetSecret> {
        let current = self.secret.found().map(|found| found.secret.clone());
        current
            .into_iter()
            .flat_map(|current| [current].into_iter().chain(self.accepted.iter().cloned()))
            .collect()
    }
}

impl Reader<'_> {
    pub(super) fn fleet(&mut self, defaults: &Defaults) -> FleetSettings {
        let enabled = self.one("p2p", value::truth).unwrap_or_default();
        let transport = self.transport();
        let (listen, listen_source) = self.fleet_listen(transport);
        // A node that keeps to itself needs no secret but one that it was given, for what is on disk. And a token that
        // is there for other programs opens no port on all interfaces by itself.
        let nothing_assumed = Defaults::default();
        let is_meant = self.is_sharing_meant();
        let assumed = if enabled && is_meant { defaults } else { &nothing_assumed };
        let unused = defaults.token.as_ref().filter(|_token| enabled && !is_meant);
        FleetSettings {
            enabled,
            transport,
            listen,
            listen_source,
            advertise: self.advertised(transport),
            peers_max: self.one("max-peers", value::peers_count).unwrap_or_default(),
            guest: self.one("guest", guest).unwrap_or_default(),
            bootstrap: self.bootstrap(transport),
            discover: self.discover(),
            secret: self.shared_secret(assumed).leaving(unused.map(|(variable, _token)| *variable)),
            accepted: self.accepted_secrets(),
        }
    }

    /// Whether any source says that this node is to share: by the secret, or by how nodes reach one another.
    fn is_sharing_meant(&self) -> bool {
        MEANS_SHARING.iter().any(|name| {
            let given = self.given.value(definition(name));
            given.is_some_and(|given| given.source != Source::Default)
        })
    }

    pub(super) fn transport(&mut self) -> Transport {
        self.one("transport", value::word).unwrap_or(Transport::Libp2p)
    }

    /// The addresses that were given, else those that the port makes.
    pub(super) fn fleet_listen(&mut self, transport: Transport) -> (Vec<ListenAddress>, Source) {
        let port = self.one("p2p-port", value::port).unwrap_or_default();
        let source = |reader: &Self, name| {
            reader.given.value(definition(name)).map_or(Source::Default, |value| value.source)
        };
        let port_source = source(self, "p2p-port");
        if self.given.value(definition("p2p-listen")).is_none() {
            let carriers: &[Carrier] = match transport {
                Transport::Libp2p => &[Carrier::Tcp, Carrier::Quic],
                Transport::Quic => &[Carrier::Quic],
            };
            let listen =
                carriers.iter().flat_map(|carrier| ListenAddress::everywhere(*carrier, port)).collect();
            return (listen, port_source);
        }
        let mut listen: Vec<ListenAddress> = Vec::new();
        for address in self.many("p2p-listen", |text| ListenAddress::parse(text, transport)) {
            if !listen.contains(&address) {
                listen.push(address);
            }
        }
        if port_source != Source::Default && listen.iter().all(|address| address.port() != port) {
            self.warnings.push(format!(
                "p2p-port {port} ({port_source}) has no effect: p2p-listen says where to listen for other nodes"
            ));
        }
        (listen, source(self, "p2p-listen"))
    }

    /// The first [`ADVERTISED_MAX`] addresses, each once.
    fn advertised(&mut self, transport: Transport) -> Vec<Contact> {
        let mut chosen: Vec<Contact> = Vec::new();
        let mut too_many = Vec::new();
        for address in self.many("p2p-advertise", |text| Contact::parse_own(text, transport)) {
            if chosen.contains(&address) {
                continue;
            }
            if chosen.len() == ADVERTISED_MAX {
                too_many.push(address.to_string());
            } else {
                chosen.push(address);
            }
        }
        if !too_many.is_empty() {
            let too_many = too_many.join(", ");
            self.warnings
                .push(format!("p2p-advertise: {ADVERTISED_MAX} addresses are told; left out: {too_many}"));
        }
        chosen
    }

    /// The first [`CONTACTS_MAX`] nodes, each once, in the order in which they were given.
    fn bootstrap(&mut self, transport: Transport) -> Vec<Contact> {
        let mut chosen: Vec<Contact> = Vec::new();
        let (mut repeated, mut too_many) = (Vec::new(), Vec::new());
        for contact in self.many("bootstrap", |text| Contact::parse(text, transport)) {
            if let Some(first) = chosen.iter().find(|first| first.is_same_node(&contact)) {
                repeated.push(format!("{contact} (the node is listed as {first})"));
            } else if chosen.len() == CONTACTS_MAX {
                too_many.push(contact.to_string());
            } else {
                chosen.push(contact);
            }
        }
        if !repeated.is_empty() {
            let repeated = repeated.join(", ");
            self.warnings.push(format!("bootstrap: one address of each node is used; left out: {repeated}"));
        }
        if !too_many.is_empty() {
            let too_many = too_many.join(", ");
            self.warnings.push(format!("bootstrap: {CONTACTS_MAX} nodes are used; left out: {too_many}"));
        }
        chosen
    }
}

impl Reader<'_> {
    /// The ways to find other nodes, each once.
    fn discover(&mut self) -> Vec<Discover> {
        let way = |text: &str| text.parse().map_err(|error| format!("cannot be used to find nodes: {error}"));
        let mut chosen: Vec<Discover> = Vec::new();
        for way in self.many("discover", way) {
            if chosen.iter().all(|known: &Discover| known.to_string() != Discover::to_string(&way)) {
                chosen.push(way);
            }
        }
        if chosen.len() > WAYS_MAX {
            let count = chosen.len();
            self.refuse(
                "discover",
                &format!("names {count} ways to find nodes, the most is {WAYS_MAX}; leave some out"),
            );
        }
        chosen
    }
}

/// Whether a node is a guest, in a word.
fn guest(text: &str) -> Result<Guest, Problem> {
    GUEST_WORDS.iter().find(|(_, word)| *word == text).map(|(guest, _)| *guest).ok_or_else(|| {
        "is no answer to when this node is a guest; write `never`, `auto` or `always`".to_owned()
    })
}

/// The word for `guest`.
pub(super) fn guest_word(guest: Guest) -> &'static str {
    GUEST_WORDS.iter().find(|(known, _)| *known == guest).map_or("", |(_, word)| *word)
}

const GUEST_WORDS: [(Guest, &str); 3] =
    [(Guest::Never, "never"), (Guest::Auto, "auto"), (Guest::Always, "always")];

/// How nodes talk to one another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Transport {
    /// Nodes talk over libp2p.
    Libp2p,
    /// Nodes talk over plain QUIC.
    Quic,
}

impl FromStr for Transport {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        match text {
            "libp2p" => Ok(Self::Libp2p),
            "quic" => Ok(Self::Quic),
            _other => Err("is not a transport; write `libp2p` or `quic`".to_owned()),
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Libp2p => "libp2p",
            Self::Quic => "quic",
        })
    }
}

/// Settings, besides the secret, by which a user says that the node is to share.
const MEANS_SHARING: [&str; 6] = ["p2p", "p2p-port", "p2p-listen", "p2p-advertise", "bootstrap", "discover"];

/// Most addresses of this node that others are told.
const ADVERTISED_MAX: usize = cache_core::MEMBER_ADDRESSES_MAX;

/// Most ways to find nodes. A node needs one or two.
const WAYS_MAX: usize = 16;

/// Most nodes that are contacted to begin with: a few that are up suffice, the others are learned from them.
pub(crate) const CONTACTS_MAX: usize = 10;

#[cfg(test)]
mod tests;
