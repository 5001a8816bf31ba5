//! A gate that goes over to other secrets while it lets others in.

use crate::support::{Pair, gate, meet, secret};
use cache_crypto::{FleetSecret, Keyring};

fn keyring(secrets: &[&FleetSecret]) -> Keyring {
    let others = secrets[1..].iter().copied();
    others.fold(Keyring::new(secrets[0]), |keyring, secret| keyring.accepting(secret).expect("there are few"))
}

#[test]
fn a_secret_that_is_given_up_revokes_the_sessions_that_it_let_in_and_no_others() {
    let (old, new) = (secret(), secret());
    let (node, peer) = (gate(&[&old]), gate(&[&new, &old]));
    let (mut by_old, there) = Pair::of(&node, &peer).recorded().1;
    node.go_by(keyring(&[&new, &old]));
    let (by_new, _) = Pair::of(&node, &peer).recorded().1;
    assert!(!by_old.is_revoked() && !by_new.is_revoked(), "both are gone by");
    assert!(by_old.seal(b"still").is_ok());

    node.go_by(keyring(&[&new]));
    assert!(by_old.is_revoked() && !by_new.is_revoked());
    assert!(!there.is_revoked(), "the other side goes by both");
    assert!(!meet(&node, &gate(&[&old])) && meet(&node, &peer));

    // What is gone by again is another matter than what was given up.
    node.go_by(keyring(&[&new, &old]));
    assert!(by_old.is_revoked() && meet(&node, &gate(&[&old])));
}

#[test]
fn an_admission_under_way_ends_in_a_session_that_is_revoked() {
    let (old, new) = (secret(), secret());
    let (node, peer) = (gate(&[&old]), gate(&[&old]));
    let mut pair = Pair::of(&peer, &node);
    let outcome = pair.run(|turn, message| {
        if turn == 1 {
            node.go_by(keyring(&[&new]));
        }
        message
    });
    assert!(outcome.is_ok());
    let (_, listener) = pair.sessions().expect("it ends as it began");
    assert!(listener.is_revoked());
}

#[test]
fn what_was_let_in_by_a_secret_is_counted_as_long_as_it_is_gone_by() {
    let (old, new) = (secret(), secret());
    let (node, peer) = (gate(&[&old]), gate(&[&old, &new]));
    assert!(meet(&peer, &node));
    node.go_by(keyring(&[&new, &old]));
    assert!(meet(&peer, &node));
    let counts: Vec<u64> = node.admissions().into_iter().map(|(_, count)| count).collect();
    assert_eq!(counts, [1, 1]);
}

#[test]
fn a_secret_is_the_same_whatever_it_was_read_from_and_as_another_kind_is_another() {
    let words = FleetSecret::parse("correct horse battery staple").expect("it is long enough");
    assert!(
        words.is_same(&FleetSecret::parse(" correct horse battery staple\n").expect("it is long enough"))
    );
    assert!(!words.is_same(&FleetSecret::parse("correct horse battery stable").expect("it is long enough")));
    let made = secret();
    let text = made.to_text().expect("it was generated");
    assert!(made.is_same(&FleetSecret::parse(&text).expect("it is whole")) && !made.is_same(&words));
}
