//! The fleet's secret is changed in three rounds while all daemons run.

use crate::support::{EITHER, Over, PROGRAM, TOKEN, addresses, body, new_secret, shown, until_connected};
use cache_tests::{
    SOON,
    daemon::{Daemon, Setup},
    eventually,
    origin::ModelOrigin,
};
use fleet_cache::FleetSecret;
use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};
use tempfile::TempDir;

struct Member {
    daemon: Daemon,
    file: PathBuf,
    _home: TempDir,
}

impl Member {
    fn start(origin: &ModelOrigin, over: Over, settings: &str, contacts: &[String]) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory can be made");
        let file = home.path().join("config.toml");
        fs::write(&file, settings).expect("a file can be written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a mode can be set");
        let setup = Setup::new(PROGRAM, &origin.url()).with_peers();
        let setup = setup.arg("--transport").arg(over.name()).arg("--p2p-listen").arg(over.any_port());
        let setup = contacts.iter().fold(setup, |setup, contact| setup.arg("--bootstrap").arg(contact));
        Self { daemon: setup.arg("--config").arg(&file).start(), file, _home: home }
    }

    /// Makes it use `settings`, and waits until it says `words` once more.
    async fn reload(&self, settings: &str, words: &str) {
        let times = || self.daemon.stderr().matches(words).count();
        let said = times();
        fs::write(&self.file, settings).expect("a file can be written");
        self.daemon.signal("-HUP");
        assert!(
            eventually(SOON, || times() > said).await,
            "{words:?} is missing in {}",
            self.daemon.stderr()
        );
    }
}

fn by(current: &str, accepted: &[&str]) -> String {
    format!("shared-secret = {current:?}\naccept-secret = {accepted:?}\n")
}

const IN_FORCE: &str = "SIGHUP: new settings are in force";

#[tokio::test]
async fn a_secret_is_changed_in_three_rounds_without_a_restart_or_a_read_that_fails() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let (old, new) = (new_secret(), new_secret());
        let mut members = vec![Member::start(&origin, over, &by(&old, &[]), &[])];
        let contacts = addresses(&members[0].daemon).await;
        for _ in 0..3 {
            members.push(Member::start(&origin, over, &by(&old, &[]), &contacts));
        }
        for member in &members {
            until_connected(&member.daemon, 3).await;
        }
        // The member that is left out of the change.
        let forgotten = members.pop().expect("there are four");

        let (end, ended) = tokio::sync::watch::channel(false);
        let readers: Vec<_> = members
            .iter()
            .map(|member| {
                let (client, ended) = (member.daemon.unix_client(), ended.clone());
                tokio::spawn(async move {
                    let mut reads = 0_u32;
                    while !*ended.borrow() {
                        let path = format!("/repos/acme/widget-{}", reads % 4);
                        let reply = client.get(&path).token(TOKEN).send().await.expect("an answer comes");
                        assert_eq!(reply.status, 200);
                        reads += 1;
                    }
                    reads
                })
            })
            .collect();
        for round in [by(&old, &[&new]), by(&new, &[&old])] {
            for member in &members {
                member.reload(&round, IN_FORCE).await;
                assert_eq!(shown(&member.daemon, "/stats").await["connected_peers"], 3, "nobody is lost yet");
            }
        }
        for member in &members {
            member.reload(&by(&new, &[]), IN_FORCE).await;
        }
        until_connected(&forgotten.daemon, 0).await;
        for member in &members {
            until_connected(&member.daemon, 2).await;
        }
        end.send_replace(true);
        for reader in readers {
            assert!(reader.await.expect("no read failed") > 0);
        }

        // One call serves them all, as before, and the new member that has the new secret.
        let newcomer = Member::start(&origin, over, &by(&new, &[]), &contacts);
        until_connected(&newcomer.daemon, 3).await;
        let before = origin.calls_total();
        let first = body(&members[0].daemon, 7).await;
        for member in members[1..].iter().chain([&newcomer]) {
            assert_eq!(body(&member.daemon, 7).await, first);
        }
        assert_eq!(origin.calls_total(), before + 1, "{over:?}");

        let daemon = &members[1].daemon;
        let fingerprint = FleetSecret::parse(&new).expect("it is one").fingerprint();
        assert_eq!(shown(daemon, "/config").await["fleet_secret"]["fingerprint"], fingerprint);
        assert_eq!(shown(daemon, "/stats").await["fleet"]["accepted_secrets"], 0);
        for member in &members {
            let said = member.daemon.stderr();
            assert!(!said.contains(&old) && !said.contains(&new) && !said.contains("banned"), "{said}");
        }
    }
}

#[tokio::test]
async fn what_was_kept_under_the_former_secret_is_there_after_a_restart_by_the_new_one() {
    let origin = ModelOrigin::start();
    let (old, new) = (new_secret(), new_secret());
    let mut member = Member::start(&origin, Over::Quic, &by(&old, &[]), &[]);
    let before = body(&member.daemon, 1).await;
    for round in [by(&old, &[&new]), by(&new, &[&old]), by(&new, &[])] {
        member.reload(&round, IN_FORCE).await;
    }
    let between = body(&member.daemon, 2).await;
    assert!(member.daemon.terminate(SOON).success(), "{}", member.daemon.stderr());
    let daemon = member.daemon.restart();
    assert_eq!(body(&daemon, 1).await, before);
    assert_eq!(body(&daemon, 2).await, between);
    assert_eq!(origin.calls_total(), 2, "{}", daemon.stderr());
    assert_eq!(shown(&daemon, "/stats").await["disk"]["unreadable"], 0);
}

#[tokio::test]
async fn a_daemon_that_keeps_to_itself_begins_to_share_at_its_next_start_alone() {
    let origin = ModelOrigin::start();
    let member = Member::start(&origin, Over::Quic, "", &[]);
    member.reload(&by(&new_secret(), &[]), "SIGHUP: changed, but needs a restart: shared-secret").await;
    assert_eq!(shown(&member.daemon, "/config").await["fleet_secret"], serde_json::Value::Null);
    body(&member.daemon, 1).await;
}

#[tokio::test]
async fn a_secret_that_cannot_be_used_leaves_the_fleet_as_it_is() {
    let origin = ModelOrigin::start();
    let old = new_secret();
    let one = Member::start(&origin, Over::Libp2p, &by(&old, &[]), &[]);
    let contacts = addresses(&one.daemon).await;
    let other = Member::start(&origin, Over::Libp2p, &by(&old, &[]), &contacts);
    until_connected(&other.daemon, 1).await;
    let stay = "SIGHUP: the settings do not fit, so those in force stay";
    one.reload(&by("too short", &[]), stay).await;
    one.reload(&by(&old, &[&new_secret(), &new_secret(), &new_secret(), &new_secret()]), stay).await;
    assert!(!one.daemon.stderr().contains("too short"));
    assert_eq!(shown(&one.daemon, "/stats").await["connected_peers"], 1);
    let first = body(&one.daemon, 1).await;
    assert_eq!(body(&other.daemon, 1).await, first);
    assert_eq!(origin.calls_total(), 1);
}
