//! What holds for the fleet when settings meet: ports, addresses, contacts, secrets.

use super::super::{Defaults, Given, Secret, Settings, Source, definition, secret};
use std::{ffi::OsString, fs, os::unix::fs::PermissionsExt};

const GENERATED: &str = "a secret of many words";

/// A peer id, different for each `number`.
fn peer(number: u8) -> String {
    cache_core::PeerId::from_public_key([number; 32]).to_string()
}

fn contact(number: u8) -> String {
    format!("/ip4/192.0.2.{number}/tcp/9100/p2p/{}", peer(number))
}

fn given(pairs: &[(&'static str, &[&str])]) -> Given {
    let mut given = Given::default();
    for (name, texts) in pairs {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        given.put(definition(name), texts, Source::Flag(name));
    }
    given
}

fn machine(token: Option<(&'static str, Secret)>) -> Defaults {
    Defaults { cache_dir: Some("/d".into()), token, github_cli: None }
}

fn resolved(pairs: &[(&'static str, &[&str])]) -> Result<Settings, String> {
    Settings::resolve(&given(pairs), &machine(None)).map_err(|error| error.to_string())
}

/// The settings once all that takes a while is done.
async fn found(pairs: &[(&'static str, &[&str])], defaults: &Defaults) -> Settings {
    let mut settings = Settings::resolve(&given(pairs), defaults).unwrap();
    settings.find_secret().await;
    settings
}

fn source(settings: &Settings) -> Option<String> {
    settings.fleet.secret.found().map(|found| found.source.to_string())
}

#[test]
fn the_port_makes_the_addresses_that_the_transport_speaks() {
    let listen = |transport| {
        let settings = resolved(&[("p2p-port", &["7"]), ("transport", &[transport])]).unwrap();
        settings.fleet.listen.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        listen("libp2p"),
        ["/ip4/0.0.0.0/tcp/7", "/ip6/::/tcp/7", "/ip4/0.0.0.0/udp/7/quic-v1", "/ip6/::/udp/7/quic-v1",]
    );
    assert_eq!(listen("quic"), ["/ip4/0.0.0.0/udp/7/quic-v1", "/ip6/::/udp/7/quic-v1"]);
}

#[test]
fn addresses_that_are_given_take_the_ports_place_and_a_port_without_effect_is_warned_about() {
    let listen: &[&str] = &["/ip4/127.0.0.1/tcp/9", "/ip6/::1/tcp/9", "/ip4/127.0.0.1/tcp/9"];
    let settings = resolved(&[("p2p-listen", listen)]).unwrap();
    assert_eq!(settings.fleet.listen.len(), 2);
    assert_eq!(settings.fleet.listen_source, Source::Flag("p2p-listen"));
    assert!(settings.warnings.is_empty());
    assert!(resolved(&[("p2p-listen", listen), ("p2p-port", &["9"])]).unwrap().warnings.is_empty());
    let warnings = resolved(&[("p2p-listen", listen), ("p2p-port", &["7"])]).unwrap().warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("p2p-port 7"), "{warnings:?}");
}

#[test]
fn the_older_variable_of_the_port_counts_and_is_named_as_the_winner() {
    let environment = |pairs: &'static [(&str, &str)]| {
        let variable = |name: &str| {
            let (_name, text) = pairs.iter().find(|(known, _text)| *known == name)?;
            Some(OsString::from(text))
        };
        let given = Given::default().with_environment(&variable).unwrap();
        Settings::resolve(&given, &machine(None)).unwrap()
    };
    let old = environment(&[("P2P_LISTEN_PORT", "9000")]);
    assert_eq!(old.fleet.listen[0].port(), 9000);
    assert_eq!(old.fleet.listen_source.to_string(), "environment P2P_LISTEN_PORT");
    let both = environment(&[("P2P_LISTEN_PORT", "9000"), ("CACHE_LISTEN_PORT", "9100")]);
    assert_eq!(both.fleet.listen_source.to_string(), "environment CACHE_LISTEN_PORT");
    assert!(both.warnings[0].contains("P2P_LISTEN_PORT"), "{:?}", both.warnings);
    for name in ["CACHE_BOOTSTRAP_PEERS", "BOOTSTRAP_PEERS", "P2P_BOOTSTRAP_PEERS"] {
        let list = format!("{}, {},", contact(2), contact(1));
        let variable = |asked: &str| (asked == name).then(|| OsString::from(&list));
        let given = Given::default().with_environment(&variable).unwrap();
        let settings = Settings::resolve(&given, &machine(None)).unwrap();
        let contacts: Vec<_> = settings.fleet.bootstrap.iter().map(ToString::to_string).collect();
        assert_eq!(contacts, [contact(2), contact(1)], "{name}");
    }
}

#[test]
fn ten_nodes_are_contacted_each_once_in_order_and_the_rest_is_named() {
    let mut list: Vec<String> = (1..=12).map(contact).collect();
    list.insert(1, contact(1).replace("tcp/9100", "udp/9100/quic-v1"));
    list.insert(5, contact(2));
    let list: Vec<&str> = list.iter().map(String::as_str).collect();
    let settings = resolved(&[("bootstrap", &list)]).unwrap();
    let kept: Vec<String> = settings.fleet.bootstrap.iter().map(ToString::to_string).collect();
    assert_eq!(kept, (1..=10).map(contact).collect::<Vec<_>>());
    let [repeated, too_many] = &settings.warnings[..] else { panic!("{:?}", settings.warnings) };
    assert!(repeated.contains("udp/9100") && repeated.contains(&contact(2)), "{repeated}");
    assert!(too_many.contains(&contact(11)) && too_many.contains(&contact(12)), "{too_many}");
}

#[test]
fn five_addresses_with_two_repeats_are_three_nodes() {
    let list = [1, 2, 1, 3, 2].map(contact);
    let list: Vec<&str> = list.iter().map(String::as_str).collect();
    assert_eq!(resolved(&[("bootstrap", &list)]).unwrap().fleet.bootstrap.len(), 3);
}

#[test]
fn a_contact_needs_no_id_and_is_the_same_node_as_one_at_its_address() {
    let anybody = "/dns4/ci-7.example/tcp/9100";
    let with_id = format!("{anybody}/p2p/{}", peer(1));
    let settings = resolved(&[("bootstrap", &[anybody, &with_id, "/dns4/ci-8.example/tcp/9100"])]).unwrap();
    let kept: Vec<String> = settings.fleet.bootstrap.iter().map(ToString::to_string).collect();
    assert_eq!(kept, [anybody, "/dns4/ci-8.example/tcp/9100"]);
    assert!(settings.warnings[0].contains(&with_id), "{:?}", settings.warnings);
}

#[test]
fn addresses_to_advertise_are_told_each_once_and_at_most_four() {
    let places: Vec<String> = (1..=5).map(|host| format!("/ip4/192.0.2.{host}/tcp/9100")).collect();
    let mut list: Vec<&str> = places.iter().map(String::as_str).collect();
    list.insert(1, list[0]);
    let settings = resolved(&[("p2p-advertise", &list)]).unwrap();
    let told: Vec<String> = settings.fleet.advertise.iter().map(ToString::to_string).collect();
    assert_eq!(told, places[..4]);
    assert!(settings.warnings[0].contains(&places[4]), "{:?}", settings.warnings);
    for bad in [&*contact(1), "/ip4/0.0.0.0/tcp/9100", "/ip4/192.0.2.1/tcp/0", "ci-7.example:9100"] {
        let refused = resolved(&[("p2p-advertise", &[bad])]).unwrap_err();
        assert!(refused.contains("write /dns4/ci-7.example/tcp/9100"), "{bad}: {refused}");
    }
}

#[test]
fn the_number_of_peers_has_bounds_and_a_default() {
    let peers_max = |text| resolved(&[("max-peers", &[text])]).map(|settings| settings.fleet.peers_max);
    assert_eq!(resolved(&[]).unwrap().fleet.peers_max, 256);
    assert_eq!(peers_max("8"), Ok(8));
    for bad in ["0", "3", "4097", "-1", "many", ""] {
        let refused = peers_max(bad).unwrap_err();
        assert!(refused.contains("from 4 to 4096") && refused.contains("--max-peers"), "{bad}: {refused}");
    }
}

#[test]
fn every_address_that_does_not_fit_is_named() {
    let bad = ["garbage", "", "null", "/ip4/256.256.256.256/tcp/1", "/ip4garbage/tcp//p2p/"];
    let text = resolved(&[("bootstrap", &bad)]).unwrap_err();
    assert_eq!(text.lines().count(), bad.len(), "{text}");
    for (line, bad) in text.lines().zip(bad) {
        assert!(line.starts_with(&format!("bootstrap {bad:?} (flag --bootstrap) is not a node")), "{line}");
        assert!(line.contains("fleet-cache id"), "{line}");
    }
}

#[tokio::test]
async fn an_explicit_secret_beats_the_machines_token_which_beats_nothing() {
    let token =
        || machine(Some(("GH_TOKEN", secret("ghp_0123456789012345678901234567890123456789").unwrap())));
    let explicit = found(&[("shared-secret", &[GENERATED])], &token()).await;
    assert_eq!(source(&explicit).as_deref(), Some("flag --shared-secret"));
    assert!(explicit.warnings.is_empty());
    let by_token = found(&[("p2p-port", &["9100"])], &token()).await;
    assert_eq!(source(&by_token).as_deref(), Some("environment GH_TOKEN"));
    assert!(by_token.warnings[0].contains("splits the fleet"), "{:?}", by_token.warnings);
    let alone = found(&[], &machine(None)).await;
    assert_eq!(source(&alone), None);
    assert!(alone.warnings[0].contains("fleet-cache secret generate"), "{:?}", alone.warnings);
}

#[tokio::test]
async fn a_node_that_was_told_to_keep_to_itself_assumes_no_secret_and_does_not_complain() {
    let defaults =
        machine(Some(("GH_TOKEN", secret("ghp_0123456789012345678901234567890123456789").unwrap())));
    let settings = found(&[("p2p", &["false"])], &defaults).await;
    assert_eq!((source(&settings), settings.warnings), (None, Vec::new()));
}

#[tokio::test]
async fn a_token_opens_no_port_unless_something_says_that_the_node_is_to_share() {
    let token =
        || machine(Some(("GH_TOKEN", secret("ghp_0123456789012345678901234567890123456789").unwrap())));
    let settings = found(&[], &token()).await;
    assert_eq!(source(&settings), None);
    assert!(settings.warnings[0].contains("GH_TOKEN is not taken"), "{:?}", settings.warnings);
    let own = contact(1);
    let meant: [(&str, &[&str]); 4] = [
        ("bootstrap", &[&own]),
        ("p2p", &["true"]),
        ("p2p-listen", &["/ip4/127.0.0.1/tcp/9"]),
        ("p2p-port", &["9100"]),
    ];
    for said in meant {
        assert_eq!(
            source(&found(&[said], &token()).await).as_deref(),
            Some("environment GH_TOKEN"),
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn a_token_that_cannot_serve_is_warned_about_and_stops_nobody() {
    let defaults = machine(Some(("GITHUB_TOKEN", secret("ghp_short").unwrap())));
    let settings = found(&[("p2p", &["true"])], &defaults).await;
    assert_eq!(source(&settings), None);
    let [token, alone] = &settings.warnings[..] else { panic!("{:?}", settings.warnings) };
    assert!(token.contains("GITHUB_TOKEN") && token.contains("9 bytes"), "{token}");
    assert!(!token.contains("ghp_short"));
    assert!(alone.contains("keeps to itself"), "{alone}");
}

#[test]
fn a_secret_that_was_given_and_cannot_be_used_is_refused_with_the_reason() {
    for name in ["shared-secret", "accept-secret"] {
        let text = resolved(&[(name, &["hunter2"])]).unwrap_err();
        assert!(text.contains("7 bytes, the least is 15"), "{text}");
        assert!(text.contains("fleet-cache secret generate") && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_secret_may_be_in_a_file_and_is_warned_about_when_others_can_read_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, format!("{GENERATED}\n")).unwrap();
    let path = file.path().to_str().unwrap();
    let fingerprint = |settings: &Settings| settings.fleet.secret.found().unwrap().secret.fingerprint();
    let direct = fingerprint(&resolved(&[("shared-secret", &[GENERATED])]).unwrap());
    for (mode, warnings) in [(0o400, 0), (0o600, 0), (0o640, 0), (0o644, 1), (0o660, 1)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let settings = resolved(&[("shared-secret-file", &[path])]).unwrap();
        assert_eq!(settings.warnings.len(), warnings, "{mode:o}: {:?}", settings.warnings);
        assert_eq!(source(&settings).unwrap(), format!("{path} (flag --shared-secret-file)"));
        assert_eq!(fingerprint(&settings), direct);
    }
    let both: [(_, &[&str]); 2] = [("shared-secret", &[GENERATED]), ("shared-secret-file", &[path])];
    assert!(resolved(&both).unwrap_err().contains("give one of them"));
    assert!(resolved(&[("shared-secret-file", &["/nonexistent"])]).unwrap_err().contains("cannot be read"));
}

#[test]
fn as_many_other_secrets_are_accepted_as_a_node_can_go_by() {
    let texts: Vec<String> = (0..4).map(|number| format!("{GENERATED} {number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let shared: (_, &[&str]) = ("shared-secret", &[GENERATED]);
    let three = resolved(&[shared, ("accept-secret", &texts[..3])]).unwrap();
    assert_eq!(three.fleet.accepted.len(), 3);
    let text = resolved(&[shared, ("accept-secret", &texts)]).unwrap_err();
    assert!(text.contains("4 secrets, the limit is 3"), "{text}");
}

#[test]
fn ways_to_find_nodes_come_from_every_source_each_once_and_say_that_the_node_is_to_share() {
    let ways = ["dns:fleet.example", "mdns", "dns:fleet.example", "file:/etc/nodes"];
    let shown = |settings: &Settings| -> Vec<String> {
        settings.fleet.discover.iter().map(ToString::to_string).collect()
    };
    let settings = resolved(&[("discover", &ways)]).unwrap();
    assert_eq!(shown(&settings), ["dns:fleet.example", "mdns", "file:/etc/nodes"]);
    let variable = |asked: &str| (asked == "CACHE_DISCOVER").then(|| OsString::from(ways.join(", ")));
    let given = Given::default().with_environment(&variable).unwrap();
    let token = secret("ghp_0123456789012345678901234567890123456789").unwrap();
    let by_variable = Settings::resolve(&given, &machine(Some(("GH_TOKEN", token)))).unwrap();
    assert_eq!(shown(&by_variable), shown(&settings));
    assert_eq!(source(&by_variable).as_deref(), Some("environment GH_TOKEN"));
}

#[test]
fn what_is_no_way_to_find_nodes_is_refused_with_its_source_and_what_to_write() {
    let refused = resolved(&[("discover", &["dns:a b", "etcd", "file:"])]).unwrap_err();
    for part in
        ["\"dns:a b\"", "flag --discover", "is no name", "\"etcd\"", "file:PATH or mdns", "path is missing"]
    {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    let many: Vec<String> = (0..17).map(|number| format!("file:/{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let refused = resolved(&[("discover", &many)]).unwrap_err();
    assert!(refused.contains("17 ways") && refused.contains("the most is 16"), "{refused}");
}
