//! What the client of a connection is called: by the fields of its request, else by what the system knows of it.

use fleet_cache::{ClientLabel, github::CLIENT_FIELD};
use http::{HeaderMap, HeaderValue, header};
use std::{cell::RefCell, collections::BTreeMap, fs::File, io::Read as _};

/// The process behind a connection, as the system knows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct PeerProcess {
    /// The number of the user that runs it.
    pub(crate) user: u32,
    /// The number of the process, where the system tells.
    pub(crate) process: Option<i32>,
}

/// What the client of one connection is called. Clients say the same with every request, so the last is remembered.
#[derive(Clone)]
pub(super) struct Client {
    /// The control group, which counts for more than a `User-Agent`.
    group: Option<ClientLabel>,
    /// For requests that say nothing of it.
    otherwise: ClientLabel,
    last: RefCell<Option<Known>>,
}

#[derive(Clone)]
struct Known {
    own: Option<HeaderValue>,
    agent: Option<HeaderValue>,
    label: ClientLabel,
}

impl Client {
    /// The client of a connection; `user` names the user that runs it, where the system tells.
    pub(super) fn new(user: Option<ClientLabel>) -> Self {
        Self { group: None, otherwise: user.unwrap_or_else(ClientLabel::unknown), last: RefCell::new(None) }
    }

    /// The same, in a control group that has a name.
    pub(super) fn of_group(self, group: Option<ClientLabel>) -> Self {
        Self { group, ..self }
    }

    /// What it is called in a request with `headers`.
    pub(super) fn label(&self, headers: &HeaderMap) -> ClientLabel {
        let (own, agent) = (headers.get(CLIENT_FIELD), headers.get(header::USER_AGENT));
        let mut last = self.last.borrow_mut();
        if let Some(known) = &*last
            && (known.own.as_ref(), known.agent.as_ref()) == (own, agent)
        {
            return known.label.clone();
        }
        let named = match &self.group {
            Some(group) => ClientLabel::named_by(headers).or_else(|| Some(group.clone())),
            None => ClientLabel::told_by(headers),
        };
        let label = named.unwrap_or_else(|| self.otherwise.clone());
        *last = Some(Known { own: own.cloned(), agent: agent.cloned(), label: label.clone() });
        label
    }
}

/// The names of this host's users, as its own file has them. What a directory in the network knows is not asked for: that
/// might take its time, and connections wait.
#[derive(Debug, Default)]
pub(crate) struct Users(BTreeMap<u32, ClientLabel>);

impl Users {
    /// Reads the names of the host; knows none if they cannot be read.
    pub(crate) fn of_host() -> Self {
        Self::read(&std::fs::read_to_string("/etc/passwd").unwrap_or_default())
    }

    fn read(text: &str) -> Self {
        let user = |line: &str| {
            let mut fields = line.split(':');
            let (name, number) = (fields.next()?, fields.nth(1)?);
            Some((number.parse().ok()?, ClientLabel::new(name)?))
        };
        let mut users = BTreeMap::new();
        for (number, name) in text.lines().take(USERS_MAX).filter_map(user) {
            // The first name of a number counts, as for the system.
            users.entry(number).or_insert(name);
        }
        Self(users)
    }

    /// What a client is called that the user with `number` runs.
    pub(crate) fn label(&self, number: u32) -> ClientLabel {
        let known = self.0.get(&number).cloned();
        known.or_else(|| ClientLabel::new(&format!("uid {number}"))).unwrap_or_else(ClientLabel::unknown)
    }
}

/// The name of the control group of `process`: of the innermost one whose name can be a label. What a container's runtime
/// names by a hash is called by what is around it.
pub(super) fn control_group(process: i32) -> Option<ClientLabel> {
    // The kernel makes the text from its own memory; nothing of the process's is read, which could stall a reader.
    let file = File::open(format!("/proc/{process}/cgroup")).ok()?;
    let mut text = String::new();
    file.take(CGROUP_BYTES_MAX).read_to_string(&mut text).ok()?;
    group_label(&text)
}

fn group_label(text: &str) -> Option<ClientLabel> {
    let unified = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    unified.rsplit('/').filter(|name| !name.is_empty()).find_map(ClientLabel::new)
}

/// Most that is read of a process's control groups; a path has at most 4,096 bytes.
const CGROUP_BYTES_MAX: u64 = 16 * 1024;

/// Most users whose names are known.
const USERS_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static str)| {
            (name.parse().unwrap(), HeaderValue::from_static(value))
        };
        fields.iter().map(field).collect::<HeaderMap>()
    }

    #[test]
    fn each_request_is_called_by_what_it_says_and_else_by_its_user() {
        let client = Client::new(ClientLabel::new("runner"));
        let label = |fields| client.label(&headers(fields)).as_str().to_owned();
        assert_eq!(label(&[]), "runner");
        assert_eq!(label(&[("user-agent", "curl/8")]), "curl");
        assert_eq!(label(&[("user-agent", "curl/8"), ("x-fleet-client", "a")]), "a");
        assert_eq!(label(&[("user-agent", "curl/8"), ("x-fleet-client", "b")]), "b");
        assert_eq!(label(&[("user-agent", "gh/8"), ("x-fleet-client", "ghp_b")]), "gh");
        assert_eq!(label(&[("x-fleet-client", "ghp_b")]), "runner");
        assert_eq!(Client::new(None).label(&HeaderMap::new()).as_str(), "unknown");
    }

    #[test]
    fn a_control_group_counts_for_more_than_a_user_agent_and_less_than_what_a_client_calls_itself() {
        let client = Client::new(ClientLabel::new("runner")).of_group(ClientLabel::new("ci.service"));
        let label = |fields| client.label(&headers(fields)).as_str().to_owned();
        assert_eq!(label(&[]), "ci.service");
        assert_eq!(label(&[("user-agent", "GitHub CLI 2.83.0 Agent/codex")]), "ci.service");
        assert_eq!(label(&[("user-agent", "gh/8"), ("x-fleet-client", "a")]), "a");
        assert_eq!(label(&[("user-agent", "gh/8"), ("x-fleet-client", "ghp_b")]), "ci.service");
    }

    #[test]
    fn a_control_group_is_called_by_the_innermost_name_that_can_be_a_label() {
        let label = |text: &str| group_label(text).map(|label| label.as_str().to_owned());
        let of = |name: &str| Some(name.to_owned());
        assert_eq!(label("0::/system.slice/runner@3.service\n"), of("runner@3.service"));
        assert_eq!(label("12:cpu:/a\n0::/user.slice/job-7.scope\n"), of("job-7.scope"));
        let container = format!("0::/kubepods.slice/pod_a.slice/cri-{}.scope\n", "0a".repeat(32));
        assert_eq!(label(&container), of("pod_a.slice"));
        assert_eq!(label("0::/\n"), None);
        assert_eq!(label("1:name=systemd:/a\n"), None);
        assert_eq!(label(""), None);
        assert_eq!(control_group(i32::MAX), None);
    }

    #[test]
    fn a_user_is_called_by_the_first_name_of_its_number() {
        let users = Users::read("root:x:0:0::/root:/bin/sh\ntoor:x:0:0\nbroken\nci:x:1001:1001\n");
        assert_eq!(users.label(0).as_str(), "root");
        assert_eq!(users.label(1001).as_str(), "ci");
        assert_eq!(users.label(7).as_str(), "uid 7");
    }
}
