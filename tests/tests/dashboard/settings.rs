//! Settings that give the page no place.

use crate::support::{PROGRAM, page, setup};
use cache_tests::origin::ModelOrigin;
use std::{fs, process::Command};

/// What a daemon says that does not start, and the code with which it ends.
fn refused(arguments: &[&str], file: Option<&str>) -> (String, Option<i32>) {
    let home = tempfile::tempdir().expect("a temporary directory can be made");
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--no-p2p", "--listen", "127.0.0.1:0"]).args(arguments);
    if let Some(text) = file {
        let path = home.path().join("settings.toml");
        fs::write(&path, text).expect("a file can be written");
        command.arg("--config").arg(path);
    }
    let output = command.env_clear().env("HOME", home.path()).output().expect("the program can be run");
    (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
}

#[test]
fn a_place_that_does_not_fit_is_named_with_its_source_and_the_remedy() {
    for (arguments, file, words) in [
        (&["--dashboard", "somewhere"][..], None, &["dashboard \"somewhere\"", "flag --dashboard"][..]),
        (&["--dashboard", "0.0.0.0:8486"], None, &["reached by other machines", "--allow-remote"]),
        (&[], Some("dashboard = \"192.0.2.7:8486\""), &["line 1", "give 127.0.0.1:8486, or --allow-remote"]),
    ] {
        let (said, code) = refused(arguments, file);
        assert_eq!(code, Some(2), "{said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is missing in {said}");
        }
    }
}

#[tokio::test]
async fn a_port_that_is_taken_keeps_the_daemon_from_starting_and_is_named() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).start();
    let taken = page(&daemon).await;
    let (said, code) = refused(&["--dashboard", &taken.to_string()], None);
    assert_ne!(code, Some(0), "{said}");
    assert!(said.contains(&format!("port {} on 127.0.0.1 is in use", taken.port())), "{said}");
    assert!(said.contains("give another --dashboard"), "{said}");
}
