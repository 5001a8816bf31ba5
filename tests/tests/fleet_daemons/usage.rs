//! What the daemons of a fleet have counted, told by any of them.

use crate::support::{EITHER, PROGRAM, TOKEN, body, fleet};
use cache_tests::{daemon::Daemon, origin::ModelOrigin};
use serde_json::Value;
use std::process::Command;

fn top(daemon: &Daemon, arguments: &[&str]) -> Value {
    let mut command = Command::new(PROGRAM);
    command.args(["top", "--json"]).args(arguments);
    command.arg("--cache-dir").arg(daemon.directory().join("cache")).env_clear();
    let output = command.output().expect("the program can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

#[tokio::test]
async fn any_daemon_tells_what_all_have_counted_and_that_is_what_the_origin_has() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let daemons = fleet(&origin, over, 3).await;
        for round in 0..2 {
            for (place, daemon) in daemons.iter().enumerate() {
                for number in 0..6 {
                    let path = format!("/repos/acme/widget-{}/issues", number + place);
                    let name = format!("bot {place}");
                    let request = daemon.client().get(&path).token(TOKEN).header("x-fleet-client", &name);
                    let request =
                        if round > 0 { request.header("cache-control", "no-cache") } else { request };
                    assert_eq!(request.send().await.expect("the door answers").status, 200);
                }
            }
        }
        let counted = origin.counts();
        assert!(counted.not_modified > 0, "{counted:?}");
        for (daemon, by, rows) in [(0, "client", 3), (1, "route", 1), (2, "payer", 1), (2, "client", 3)] {
            let told = top(&daemons[daemon], &["--by", by]);
            assert_eq!((&told["nodes"], &told["silent"]), (&3.into(), &Value::Array(Vec::new())), "{told:#}");
            let total = &told["total"];
            assert_eq!(total["calls"], counted.total, "{over:?} by {by}: {told:#}");
            assert_eq!(total["not_modified"], counted.not_modified, "{over:?} by {by}");
            assert_eq!(total["requests"], 36, "{over:?} by {by}");
            assert_eq!(told["rows"].as_array().map(Vec::len), Some(rows), "{told:#}");
        }
        let alone = top(&daemons[0], &["--node"]);
        assert_eq!((&alone["nodes"], &alone["total"]["requests"]), (&1.into(), &12.into()));
    }
}

#[tokio::test]
async fn a_daemon_that_does_not_answer_is_named() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let daemons = fleet(&origin, over, 2).await;
        body(&daemons[0], 1).await;
        daemons[1].signal("-STOP");
        let told = top(&daemons[0], &[]);
        daemons[1].signal("-CONT");
        assert_eq!(told["nodes"], 1, "{over:?}: {told:#}");
        assert_eq!(told["silent"].as_array().map(Vec::len), Some(1), "{over:?}: {told:#}");
        assert_eq!(told["total"]["calls"], 1, "{over:?}: {told:#}");
    }
}
