//! What the daemon finds when it examines itself, in under five seconds.

use super::{about::About, pulse::pulse};
use crate::{
    admin::{Cause, Check, Examination},
    settings::{SecretReport, SourcedSecret},
};
use fleet_cache::{
    Closed, DiscoveryReport, GuestStats, Node, OutageStats, Peer, PeerId, PeerState, PingError, Pong, Stats,
    github::SurrogateState, transport::DialError,
};
use futures::future::join_all;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::time::{sleep, timeout};

/// Looks at everything that sharing needs. What does not hold ends it where nothing further can be seen.
///
/// # Cancellation
///
/// Dropping the future may leave a value of a few bytes in the fleet, for [`PROBE_LIFETIME`].
pub(crate) async fn examine(node: &Node, about: &About) -> Examination {
    let mut checks =
        vec![Check::ok("daemon", format!("answers: version {}, pid {}", about.version, about.pid))];
    checks.extend(about.domains.iter().map(|it| Check::warning("domain", &*it.finding, &it.remedy)));
    checks.extend(node.github().surrogate_state().map(surrogate));
    checks.extend(pulse(node).await.ok().and_then(|stats| stats.outage).map(|outage| origin(&outage, node)));
    checks.extend(dropped_shapes(node.github().stats(&[]).dropped_shapes));
    let sharing = sharing(node, about);
    let shares = sharing.has_passed();
    checks.push(sharing);
    if shares {
        match settled_peers(node).await {
            Ok(peers) => checks.extend(fleet_checks(node, about, &peers).await),
            Err(error) => checks.push(silent(error.to_string())),
        }
    }
    Examination::of(checks)
}

/// That the origin cannot be reached, since when, and by whose word.
fn origin(outage: &OutageStats, node: &Node) -> Check {
    let since = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(outage.since));
    let own = match outage.own_failures {
        0 => "none of this node's own calls has failed".to_owned(),
        1 => "a call of this node's own has failed".to_owned(),
        count => format!("{count} calls of this node's own have failed, one after the other"),
    };
    let others = match outage.witnesses {
        0 => "no other node says so".to_owned(),
        1 => "another node says so".to_owned(),
        count => format!("{count} other nodes say so"),
    };
    let finding =
        format!("{} cannot be reached since {since}: {own}, and {others}", node.github().origin().host());
    let remedy = match (outage.own_failures, outage.witnesses) {
        (1.., 0) => "look at this node's line, proxy and resolver: others may reach it",
        _ => {
            "what is kept is served meanwhile, and one node tries every few seconds; see https://www.githubstatus.com"
        }
    };
    Check::warning("origin", finding, remedy)
}

/// As what the node takes part, if that is worth a word.
fn guest(stats: &GuestStats) -> Option<Check> {
    let GuestStats { is_guest, hosts, guests, guests_max, .. } = *stats;
    let found = |finding| Some(Check::ok("guest", finding));
    match (is_guest, stats.joined) {
        (true, _) if hosts == 0 => Some(Check::warning(
            "guest",
            "this node is a guest, and no member hosts it: it makes its own calls",
            "see that a node which stays, started with `--guest never`, is among the contacts and up",
        )),
        (true, _) => found(format!("this node is a guest; members that host it: {hosts}")),
        (false, Some("only-guests")) => Some(Check::warning(
            "guest",
            "this node may be a guest, but is a member: all nodes that it met were guests",
            "start the nodes that stay with `--guest never`, and list one of them as a contact",
        )),
        (false, Some("no-room")) => Some(Check::warning(
            "guest",
            "this node may be a guest, but is a member: no member had room for one more guest",
            "start more nodes that stay, or raise their --max-peers",
        )),
        (false, Some(why)) => found(format!("this node is a member, not a guest any more ({why})")),
        (false, None) => (guests > 0).then(|| {
            Check::ok("guest", format!("guests that this node hosts: {guests}, of {guests_max} at most"))
        }),
    }
}

/// Whether GraphQL queries are put each time, since what covers their answers did not show a change.
fn dropped_shapes(count: u64) -> Option<Check> {
    (count > 0).then(|| {
        Check::warning(
            "graphql",
            format!("{count} shapes of queries are not spared: their answers changed where the REST API showed no change"),
            "nothing wrong was served for longer than the rule for it; docs/graphql.md says what is known, and \
             `--graphql gate=never` puts every query",
        )
    })
}

/// Whether the credential for clients that send none is used.
fn surrogate(state: SurrogateState) -> Check {
    let anonymously =
        |why| format!("{why}; clients without a credential are asked for anonymously, 60 times an hour");
    match state {
        SurrogateState::Used => {
            Check::ok("anonymous-as", "its credential asks for clients that send none".to_owned())
        }
        SurrogateState::Refused => Check::warning(
            "anonymous-as",
            anonymously(
                "the API does not know its credential any more, or has shown that it reads what is not public",
            ),
            "the log says which; write another token into the file, and send the daemon a SIGHUP",
        ),
        // Other states are of a time before it is used.
        _ => Check::warning(
            "anonymous-as",
            anonymously("the API has not shown yet what its credential reads"),
            "it is asked again each minute; see whether the API answers at all",
        ),
    }
}

async fn fleet_checks(node: &Node, about: &About, peers: &[Peer]) -> Vec<Check> {
    let stats = match pulse(node).await {
        Ok(stats) => stats,
        Err(error) => return vec![silent(error.to_string())],
    };
    let secret = secret(about.secret.clone(), &stats, peers).await;
    let mut checks: Vec<Check> = [secret].into_iter().chain(version(&stats, peers)).collect();
    checks.extend(itself(node, about, peers));
    checks.extend(twins(&stats, peers));
    checks.extend(stats.guest.and_then(|stats| guest(&stats)));
    checks.extend(node.discovery().iter().map(discovery));
    let seeks = !node.discovery().is_empty();
    checks.push(reached(&stats, (about.fleet.peers_max(), seeks), peers));
    let connected: Vec<PeerId> = connected(peers).filter_map(|peer| peer.id).collect();
    if connected.is_empty() {
        return checks;
    }
    let answers =
        join_all(connected.into_iter().take(PINGS_MAX).map(async |peer| (peer, ping(node, peer).await)));
    let answers = answers.await;
    let nearest =
        answers.iter().filter_map(|(peer, answer)| Some((answer.as_ref().ok()?.round_trip, *peer))).min();
    checks.push(clocks(&answers));
    if let Some((_round_trip, peer)) = nearest {
        checks.push(probe(node, peer).await);
    }
    checks
}

/// What a way to find other nodes has found.
fn discovery(report: &DiscoveryReport) -> Check {
    let DiscoveryReport { way, found, fault, remedy, .. } = report;
    let ago = report.seconds.map_or_else(|| "not yet".to_owned(), |seconds| format!("{seconds} s ago"));
    let finding = format!("{way}: {found} addresses, {ago}");
    match (fault, found) {
        (Some(fault), _) => Check::warning(
            "discovery",
            format!("{finding}; {fault}"),
            remedy.as_deref().unwrap_or(FIND_REMEDY),
        ),
        (None, 0) => Check::warning("finding", finding, FIND_REMEDY),
        (None, _some) => Check::ok("finding", finding),
    }
}

fn sharing(node: &Node, about: &About) -> Check {
    if let Some(id) = node.peer_id() {
        return Check::ok("sharing", format!("on, over {}, as {id}", about.fleet.transport()));
    }
    let off = |finding, remedy| Check::failed("sharing", Cause::SharingOff, finding, remedy);
    match (about.fleet.is_allowed(), &about.secret) {
        (false, _) => {
            off("off: it was switched off", "start the daemon without --no-p2p and CACHE_ENABLE_P2P=false")
        }
        (true, None) => off(
            "off: no fleet secret was found",
            "make one with `fleet-cache secret generate` and give it to every node as CACHE_P2P_SHARED_SECRET",
        ),
        (true, Some(_)) => off("off", "look into the daemon's log"),
    }
}

/// The peers once each was tried, or has taken longer than [`SETTLE_MAX`].
async fn settled_peers(node: &Node) -> Result<Vec<Peer>, Closed> {
    let end = Instant::now() + SETTLE_MAX;
    loop {
        let peers = node.peers().await?;
        let is_open = |peer: &Peer| {
            matches!(peer.state, PeerState::Dialing | PeerState::Known) && peer.failure.is_none()
        };
        if !peers.iter().any(is_open) || Instant::now() >= end {
            return Ok(peers);
        }
        sleep(LOOK_INTERVAL).await;
    }
}

async fn secret(own: Option<SourcedSecret>, stats: &Stats, peers: &[Peer]) -> Check {
    let shown = match own {
        // Making the fingerprint of a passphrase takes tenths of a second.
        Some(own) => tokio::task::spawn_blocking(move || SecretReport::of(&own).to_string()).await.ok(),
        None => None,
    };
    let shown = shown.unwrap_or_else(|| "unknown".to_owned());
    let refusing: Vec<&Peer> = peers.iter().filter(|peer| peer.failure == Some(DialError::Refused)).collect();
    let refusals = stats.aggregate.map_or(0, |aggregate| aggregate.refused_unproved);
    if !refusing.is_empty() {
        let finding = format!("this node's, {shown}, is not that of {}", list(&refusing));
        let are_strangers = refusing.iter().all(|peer| peer.found_by.is_some());
        if are_strangers && connected(peers).next().is_some() {
            return Check::warning("secret", finding, STRANGER_REMEDY);
        }
        return Check::failed("secret", Cause::OtherSecret, finding, SECRET_REMEDY);
    }
    if refusals > 0 {
        let finding = format!("{shown}; {refusals} connections by another secret were refused");
        return match connected(peers).next() {
            None => Check::failed("secret", Cause::OtherSecret, finding, SECRET_REMEDY),
            Some(_) => Check::warning("secret", finding, SECRET_REMEDY),
        };
    }
    Check::ok("secret", shown)
}

/// What to say about nodes that speak another major version of the protocol; `None` if there are none.
fn version(stats: &Stats, peers: &[Peer]) -> Option<Check> {
    let foreign: Vec<&Peer> =
        peers.iter().filter(|peer| peer.failure == Some(DialError::OtherVersion)).collect();
    let refusals = stats.aggregate.map_or(0, |aggregate| aggregate.refused_version);
    let ours = cache_core::Protocol::OURS;
    let finding = match (foreign.is_empty(), refusals) {
        (true, 0) => return None,
        (true, refusals) => {
            format!("{ours}; {refusals} connections of another major version of the protocol were refused")
        }
        (false, _) => format!("this node's, {ours}, is not that of {}", list(&foreign)),
    };
    Some(match connected(peers).next() {
        None => Check::failed("protocol", Cause::OtherVersion, finding, VERSION_REMEDY),
        Some(_) => Check::warning("protocol", finding, VERSION_REMEDY),
    })
}

/// Contacts that are this node; `None` if there are none.
fn itself(node: &Node, about: &About, peers: &[Peer]) -> Option<Check> {
    let id = node.peer_id()?.to_string();
    let met = peers.iter().filter(|peer| peer.failure == Some(DialError::Itself));
    let met = met.filter_map(|peer| peer.address.as_deref());
    let own: Vec<&str> = about.fleet.contacts_with(&id).into_iter().chain(met).collect();
    let finding = format!("this node is its own contact: {}", own.join(", "));
    (!own.is_empty()).then(|| Check::warning("contacts", finding, ITSELF_REMEDY))
}

/// Nodes that share one identity; `None` if there are none.
fn twins(stats: &Stats, peers: &[Peer]) -> Option<Check> {
    let own = stats.peer_id.clone().filter(|_id| stats.has_twin);
    let others = peers.iter().filter(|peer| peer.is_twin).filter_map(|peer| peer.id);
    let twins: Vec<String> = own.into_iter().chain(others.map(|id| id.to_string())).collect();
    let finding = format!("two nodes with the same identity displace each other: {}", twins.join(", "));
    (!twins.is_empty()).then(|| Check::warning("identity", finding, TWINS_REMEDY))
}

fn reached(stats: &Stats, (peers_max, node_seeks): (usize, bool), peers: &[Peer]) -> Check {
    let count = connected(peers).count();
    let away: Vec<&Peer> = peers.iter().filter(|peer| !is_connected(peer)).collect();
    if count >= peers_max {
        let finding = format!("{count} connected: full, and {} more are reached through them", away.len());
        return Check::ok("peers", finding);
    }
    // A guest is done with its hosts, and with the others that it knows of when one of those goes.
    if count > 0 && stats.guest.is_some_and(|guest| guest.is_guest) {
        return Check::ok("peers", format!("{count} connected, which is all that a guest needs"));
    }
    // If there are more members than connections, nodes leave some connections to members that dial them.
    let is_beyond = count + away.len() > peers_max && count >= peers_max / 2;
    let failing = |peer: &&Peer| {
        peer.failure.is_some() || matches!(peer.state, PeerState::Banned | PeerState::BackingOff)
    };
    let away: Vec<&Peer> = if is_beyond { away.into_iter().filter(failing).collect() } else { away };
    if count == 0 && !away.is_empty() && away.iter().all(|peer| peer.failure == Some(DialError::TooMany)) {
        let finding = format!("none is connected, as others are full: {}", list(&away));
        return Check::failed("peers", Cause::Full, finding, FULL_REMEDY);
    }
    match (count, away.is_empty()) {
        (0, true) => {
            let own = stats.addresses.join(" ");
            let (contacts, remedy) = if node_seeks {
                ("no other node was found", FIND_REMEDY)
            } else {
                ("no contact is set", CONTACT_REMEDY)
            };
            let finding = format!("{contacts}, and no node has connected to {own}");
            Check::failed("peers", Cause::Unreachable, finding, remedy)
        }
        (0, false) => {
            let finding = format!("none is connected: {}", list(&away));
            Check::failed("peers", Cause::Unreachable, finding, REACH_REMEDY)
        }
        (count, true) if is_beyond => {
            Check::ok("peers", format!("{count} connected; the other members are reached through them"))
        }
        (count, true) => Check::ok("peers", format!("{count} connected, all that are known")),
        (count, false) => {
            Check::warning("peers", format!("{count} connected, but not {}", list(&away)), REACH_REMEDY)
        }
    }
}

type Answers = [(PeerId, Result<Pong, PingError>)];

/// Whether all peers answer, and how far their clocks are from this node's.
fn clocks(answers: &Answers) -> Check {
    let silent_ones: Vec<String> =
        answers.iter().filter(|(_peer, answer)| answer.is_err()).map(|(peer, _)| peer.to_string()).collect();
    if !silent_ones.is_empty() {
        return silent(format!("connected, but no answer from {}", silent_ones.join(" ")));
    }
    let worst = answers
        .iter()
        .filter_map(|(peer, answer)| Some((answer.as_ref().ok()?.skew_millis, peer)))
        .max_by_key(|(skew, _peer)| skew.unsigned_abs());
    let Some((skew, peer)) = worst else { return Check::ok("clocks", "no peer to compare with") };
    let count = answers.len();
    if Duration::from_millis(skew.unsigned_abs()) > SKEW_MAX {
        let way = if skew > 0 { "ahead of" } else { "behind" };
        let seconds = skew.unsigned_abs() / 1000;
        let finding = format!("that of {peer} is {seconds} s {way} this node's");
        return Check::warning(
            "clocks",
            finding,
            "have both set by NTP; dates in logs will not match until then",
        );
    }
    Check::ok("clocks", format!("answers from {count}; clocks are at most {} ms apart", skew.unsigned_abs()))
}

/// Keeps a value here, which sends it to the others, and has `peer` give it back.
async fn probe(node: &Node, peer: PeerId) -> Check {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let key = format!("fleet-cache doctor {} {}", std::process::id(), since.as_nanos());
    let values = node.values();
    if let Err(error) = values.put(&key, PROBE_VALUE, PROBE_LIFETIME).await {
        return silent(error.to_string());
    }
    let began = Instant::now();
    let back = timeout(PROBE_MAX, async {
        loop {
            match node.ask_peer_for_value(peer, &key).await {
                Ok(true) => return Ok(began.elapsed()),
                Ok(false) => sleep(LOOK_INTERVAL).await,
                Err(error) => return Err(error),
            }
        }
    });
    let back = back.await;
    // In any case it is gone when its time is up.
    drop(values.invalidate(&key).await);
    let failed = |reason: String| {
        let remedy = "look into the logs of both nodes, and whether they are of the same version";
        let finding = format!("a value kept here was not given back by {peer}: {reason}");
        Check::failed("probe", Cause::NotShared, finding, remedy)
    };
    match back {
        Ok(Ok(took)) => {
            let millis = took.as_secs_f64() * 1000.0;
            Check::ok("probe", format!("a value kept here was given back by {peer} in {millis:.1} ms"))
        }
        Ok(Err(error)) => failed(error.to_string()),
        Err(_elapsed) => failed("it does not have it".to_owned()),
    }
}

async fn ping(node: &Node, peer: PeerId) -> Result<Pong, PingError> {
    timeout(PING_MAX, node.ping(peer)).await.unwrap_or(Err(PingError::TimedOut))
}

fn silent(finding: String) -> Check {
    let remedy =
        "look whether that node is overloaded or stopped, and whether the network drops what is sent";
    Check::failed("clocks", Cause::Silent, finding, remedy)
}

fn is_connected(peer: &Peer) -> bool {
    peer.state.is_connected()
}

fn connected(peers: &[Peer]) -> impl Iterator<Item = &Peer> {
    peers.iter().filter(|peer| is_connected(peer))
}

/// Where the first few of `peers` are, and what is the matter with them.
fn list(peers: &[&Peer]) -> String {
    let shown = peers.iter().take(LISTED_MAX).map(|peer| {
        let place =
            peer.address.clone().or(peer.id.map(|id| id.to_string())).unwrap_or_else(|| "?".to_owned());
        match &peer.reason {
            Some(reason) => format!("{place} ({}: {reason})", peer.state),
            None => format!("{place} ({})", peer.state),
        }
    });
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if let Some(more) = peers.len().checked_sub(LISTED_MAX).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

const SECRET_REMEDY: &str = "compare `fleet-cache secret fingerprint` on both machines; give all nodes the same \
                             secret, or the old one with --accept-secret as well while you change it";
const VERSION_REMEDY: &str = "upgrade the older nodes: members share with one another within one major version of \
                              the protocol (`docs/operations.md`)";
const CONTACT_REMEDY: &str =
    "start a second node with one of these addresses as --bootstrap, or give this one the address of another";
const FIND_REMEDY: &str = "see that another node is up and is listed there; with mdns, that both are on one network; this \
                           node looks again by itself";
const STRANGER_REMEDY: &str = "discovery finds what is not of this fleet, which is asked less and less often; if it should \
                               be, compare `fleet-cache secret fingerprint` on both machines";
const FULL_REMEDY: &str = "a place is made within seconds, and this node tries again by itself; where that goes on for \
                           longer, raise --max-peers over there";
const ITSELF_REMEDY: &str = "name another node as --bootstrap; if another host prints this id with `fleet-cache id`, \
                             remove identity.key from the cache directory of one and start it anew";
const TWINS_REMEDY: &str = "one machine's identity.key was copied to another, by an image for example: remove it from the \
                            cache directory of one and start that one anew";
const REACH_REMEDY: &str = "look whether a node runs there (`fleet-cache id` over there prints its addresses), and \
                            whether a firewall lets its port through";

/// Longest wait for contacts that are being tried.
const SETTLE_MAX: Duration = Duration::from_millis(1500);
/// Longest wait for the answers of all connected nodes, which are asked at the same time.
const PING_MAX: Duration = Duration::from_millis(1500);
/// Longest wait for the value to come back. With the waits above that leaves half a second of five for the rest.
const PROBE_MAX: Duration = Duration::from_millis(1500);
/// How often to look again.
const LOOK_INTERVAL: Duration = Duration::from_millis(25);
/// Most nodes that are pinged: half of what a node asks at once for diagnosis.
const PINGS_MAX: usize = 32;
/// Most peers that are named in one line.
const LISTED_MAX: usize = 4;
/// Clocks further apart than this are worth a word.
const SKEW_MAX: Duration = Duration::from_secs(5);
const PROBE_VALUE: &[u8] = b"probe";
/// How long the value stays if it cannot be forgotten.
const PROBE_LIFETIME: Duration = Duration::from_secs(30);
