//! The demonstration, as users run it.

use serde_json::Value;
use std::process::{Command, Output, Stdio};

fn demo(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().expect("a temporary directory can be made");
    let output = Command::new(env!("CARGO_BIN_EXE_fleet-cache-under-test"))
        .arg("demo")
        .args(arguments)
        .env_clear()
        .env("HOME", home.path())
        .stdin(Stdio::null())
        .output()
        .expect("the program under test may be run");
    let left = std::fs::read_dir(home.path()).expect("the directory is there").count();
    assert_eq!(left, 0, "nothing is left behind");
    output
}

fn report(output: &Output) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

#[test]
fn the_demonstration_counts_fifteen_calls_without_sharing_and_three_with_it_over_both_transports() {
    for transport in ["libp2p", "quic"] {
        let report = report(&demo(&["--transport", transport, "--json"]));
        assert_eq!(report["transport"], transport);
        assert_eq!(report["identical"], true);
        let trials = report["trials"].as_array().expect("there is a list of trials");
        assert_eq!(trials.len(), 2);
        for (trial, pace) in trials.iter().zip(["sequential", "at_once"]) {
            assert_eq!(trial["pace"], pace);
            assert_eq!(trial["without_sharing"]["calls"], 15, "{transport}, {pace}");
            assert_eq!(trial["with_sharing"]["calls"], 3, "{transport}, {pace}");
            assert_eq!(trial["saved_calls"], 12);
            assert_eq!(trial["saved_percent"], 80);
        }
    }
}

#[test]
fn the_demonstration_prints_a_table_for_as_many_nodes_and_repositories_as_asked_for() {
    let output = demo(&["--nodes", "2", "--repos", "4"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).expect("it is text");
    for pace in ["one after another", "all at once"] {
        let line = text.lines().find(|line| line.starts_with(pace)).expect("the table has this line");
        assert!(line.contains(" 8 in ") && line.contains(" 4 in ") && line.ends_with("4 (50 %)"), "{line}");
    }
    let progress = String::from_utf8(output.stderr).expect("it is text");
    assert_eq!(progress.lines().count(), 5, "{progress}");
}

#[test]
fn a_demonstration_that_is_too_large_is_refused() {
    for arguments in [["--nodes", "1"], ["--nodes", "21"], ["--repos", "0"], ["--transport", "tcp"]] {
        assert_eq!(demo(&arguments).status.code(), Some(2), "{arguments:?}");
    }
}
