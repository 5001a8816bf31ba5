//! What users are told that ask for what makes no sense.

use crate::origin::Origin;
use cache_tests::{SOON, eventually};
use std::process::Command;

fn refused(arguments: &[&str]) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let mut serve = Command::new(env!("CARGO_BIN_EXE_fleet-cache-under-test"));
    serve.args(["serve", "--no-p2p", "--listen", "127.0.0.1:0", "--cache-dir"]).arg(directory.path());
    let ended = serve.args(arguments).env_clear().output().expect("the program can be run");
    assert_eq!(ended.status.code(), Some(2), "{arguments:?}");
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

#[test]
fn a_profile_that_nobody_knows_is_refused_with_those_that_there_are() {
    let told = refused(&["--profile", "rfc7234"]);
    assert!(told.contains("profile") && told.contains("rfc7234") && told.contains("`rfc9111`"), "{told}");
}

#[test]
fn the_rules_of_http_want_an_origin_and_no_interception() {
    let told = refused(&["--profile", "rfc9111"]);
    assert!(told.contains("give --origin URL"), "{told}");
    let told = refused(&["--profile", "rfc9111", "--origin", "http://127.0.0.1:1", "--intercept"]);
    assert!(told.contains("intercept") && told.contains("leave one of them out"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_the_api_are_said_to_have_no_effect() {
    let origin = Origin::start().await;
    let setup = origin.setup().arg("--route").arg("/a=60s").arg("--pretty-print").env("CACHE_SETTLE", "9s");
    let daemon = setup.start();
    let said = "has no effect with `--profile rfc9111`";
    let all = ["route (flag --route)", "pretty-print (flag --pretty-print)"];
    let is_told = || all.iter().all(|name| daemon.stderr().contains(&format!("{name} {said}")));
    assert!(eventually(SOON, is_told).await, "{}", daemon.stderr());
    assert!(!daemon.stderr().contains(&format!("default-ttl {said}")), "nobody has given that");
}
