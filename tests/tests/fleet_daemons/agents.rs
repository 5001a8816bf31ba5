//! `fleet-cache mcp`: what an agent is told by the tools, and that the server outlives what goes wrong.

use crate::support::{Over, PROGRAM, TOKEN, fleet_with};
use cache_tests::{
    daemon::{Daemon, Setup},
    http::Reply,
    mcp::McpServer,
    origin::{Fault, FaultKind, ModelOrigin, Quota, Resource},
};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::SystemTime,
};

const TOOLS: [&str; 5] = ["quota", "why_refused", "top_spenders", "cache_status", "doctor"];

fn cache(daemon: &Daemon) -> PathBuf {
    daemon.directory().join("cache")
}

fn server(daemon: &Daemon) -> McpServer {
    McpServer::start(PROGRAM.as_ref(), &cache(daemon))
}

async fn got(daemon: &Daemon, path: &str, token: &str, priority: &str) -> Reply {
    let request = daemon.client().get(path).token(token).header("x-fleet-client", "triage");
    request.header("x-fleet-priority", priority).send().await.expect("the door answers")
}

/// Arguments with which each tool answers.
fn arguments(tool: &str) -> Value {
    match tool {
        "cache_status" => json!({ "path": "/repos/acme/widget-1" }),
        "why_refused" => json!({ "path": "/repos/acme/widget-1" }),
        _ => json!({}),
    }
}

/// What a result says in words.
fn words(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{result:#}"))
}

/// Checks that `value` has the properties that `schema` requires, and no others, all the way down.
fn assert_fits(value: &Value, schema: &Value, at: &str) {
    if let (Some(fields), Some(known)) = (value.as_object(), schema["properties"].as_object()) {
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for name in required {
            assert!(fields.contains_key(name), "{at} has no {name}: {value:#}");
        }
        for (name, value) in fields {
            assert!(known.contains_key(name), "{at} has {name}, which its schema has not");
            assert_fits(value, &known[name], &format!("{at}.{name}"));
        }
    }
    for value in value.as_array().into_iter().flatten() {
        assert_fits(value, &schema["items"], &format!("{at}[]"));
    }
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970").as_secs()
}

#[tokio::test]
async fn an_agent_learns_which_tools_there_are_and_that_they_only_read() {
    let origin = ModelOrigin::start();
    let daemon = Setup::new(PROGRAM, &origin.url()).start();
    let mut server = McpServer::spawn(PROGRAM.as_ref(), &cache(&daemon));
    let about = server.initialize();
    assert_eq!(about["protocolVersion"], "2025-06-18");
    assert!(about["capabilities"]["tools"].is_object(), "{about:#}");
    assert!(about["instructions"].as_str().is_some_and(|text| text.contains("why_refused")));
    let tools = server.request("tools/list", &json!({}))["result"]["tools"].clone();
    let tools = tools.as_array().expect("there is a list");
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().expect("it has a name")).collect();
    assert_eq!(names, TOOLS);
    for tool in tools {
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool:#}");
        for schema in ["inputSchema", "outputSchema"] {
            assert_eq!(tool[schema]["type"], "object", "{tool:#}");
            let text = tool[schema].to_string();
            assert!(!text.contains("\"$ref\"") && !text.contains("\"format\""), "{text}");
        }
        assert!(tool["description"].as_str().is_some_and(|text| text.len() > 80), "{tool:#}");
    }
}

#[tokio::test]
async fn each_tool_tells_what_the_daemon_knows_as_its_schema_promises() {
    let origin = ModelOrigin::start();
    let daemons = fleet_with(&[], &origin, Over::Quic, 2).await;
    for number in 1..4 {
        assert_eq!(
            got(&daemons[0], &format!("/repos/acme/widget-{number}"), TOKEN, "normal").await.status,
            200
        );
    }
    let body = got(&daemons[0], "/repos/acme/widget-1", TOKEN, "normal").await.body;
    let mut server = server(&daemons[0]);
    let listed = server.request("tools/list", &json!({}))["result"]["tools"].clone();
    let mut told = Vec::new();
    for (place, tool) in TOOLS.iter().enumerate() {
        let result = server.call(tool, &arguments(tool));
        assert_ne!(result["isError"], true, "{result:#}");
        assert!(!words(&result).is_empty());
        assert_fits(&result["structuredContent"], &listed[place]["outputSchema"], tool);
        told.push(result["structuredContent"].clone());
    }
    let [quota, refusal, spenders, kept, doctor] = told.as_slice() else { panic!("five tools") };
    let core = &quota["quotas"][0];
    let true_quota = origin.quota("alice", Resource::Core);
    assert_eq!((&core["resource"], &core["used"]), (&json!("core"), &json!(true_quota.used)), "{quota:#}");
    assert_eq!(refusal["verdict"], "nothing_holds", "{refusal:#}");
    let row = &spenders["rows"][0];
    assert_eq!((&row["name"], &row["calls"]), (&json!("triage"), &json!(3)), "{spenders:#}");
    assert_eq!((&spenders["nodes"], &spenders["left_out"]), (&json!(2), &json!(0)));
    assert_eq!((&kept["copies_count"], &kept["domains_count"]), (&json!(1), &json!(1)), "{kept:#}");
    let copy = &kept["copies"][0];
    assert!(copy["fresh_seconds"].as_u64().is_some_and(|left| (200..=300).contains(&left)), "{kept:#}");
    assert_eq!((&copy["source"], &kept["resource"]), (&json!("own"), &json!("core")));
    assert_eq!(doctor["shares"], true, "{doctor:#}");
    // Neither what was answered, nor for which token.
    let all = json!(told).to_string();
    let words = String::from_utf8_lossy(&body);
    let etags = words.match_indices("node_id").count();
    assert!(etags > 0 && !all.contains("node_id") && !all.contains(TOKEN), "{all}");
}

#[tokio::test]
async fn looking_at_what_is_kept_is_no_look_up_and_tells_neither_for_whom_nor_what() {
    let origin = ModelOrigin::start();
    let daemon = Setup::new(PROGRAM, &origin.url()).start();
    let mut server = server(&daemon);
    let status = |server: &mut McpServer, path: &str| {
        server.call("cache_status", &json!({ "path": path }))["structuredContent"].clone()
    };
    let path = "/repos/acme/secret-0";
    assert_eq!(status(&mut server, path)["copies_count"], 0);
    for token in [TOKEN, "github_pat_carol"] {
        assert_eq!(got(&daemon, path, token, "normal").await.status, 200);
    }
    let before = server.call("top_spenders", &json!({}))["structuredContent"].clone();
    let kept = status(&mut server, path);
    assert_eq!(kept["domains_count"], 2, "{kept:#}");
    let names: Vec<_> = kept.as_object().expect("it has fields").keys().collect();
    assert_eq!(
        names,
        ["copies", "copies_count", "domains_count", "has_more", "on_disk", "passes", "resource"]
    );
    let names: Vec<_> = kept["copies"][0].as_object().expect("it has fields").keys().collect();
    assert_eq!(names, ["age_seconds", "fresh_seconds", "is_doubted", "source", "stale_seconds"]);
    // Another query is another resource, and one path is not the beginning of others.
    assert_eq!(status(&mut server, "/repos/acme/secret-0?x=1")["copies_count"], 0);
    assert_eq!(status(&mut server, "/repos/acme/secret-")["copies_count"], 0);
    let never = status(&mut server, "/rate_limit");
    assert!(never["passes"].is_string() && never["resource"].is_null(), "{never:#}");
    assert_eq!(server.call("top_spenders", &json!({}))["structuredContent"], before);
    assert_eq!(origin.calls_total(), before["total"]["calls"].as_u64().expect("it is a count"));
}

#[tokio::test]
async fn a_refusal_is_explained_by_what_holds_it_and_until_when() {
    let origin = ModelOrigin::start();
    let daemon = Setup::new(PROGRAM, &origin.url()).arg("--reserve").arg("batch=20%").start();
    let reset = seconds_now() + 1800;
    origin.set_quota("alice", Resource::Core, Quota { limit: 100, used: 79, reset_unix_seconds: reset });
    assert_eq!(got(&daemon, "/repos/acme/widget-1", TOKEN, "batch").await.status, 200);
    let refused = got(&daemon, "/repos/acme/widget-2", TOKEN, "batch").await;
    assert_eq!(refused.status, 403);
    let mut server = server(&daemon);
    let headers = |reply: &Reply| {
        let fields =
            reply.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()));
        Value::Object(fields.collect())
    };
    let asked = json!({ "status": 403, "headers": headers(&refused), "priority": "batch" });
    let result = server.call("why_refused", &asked);
    let told = &result["structuredContent"];
    assert_eq!((&told["verdict"], &told["resource"]), (&json!("reserve"), &json!("core")), "{told:#}");
    let hold = &told["holds"][0];
    let expected = (&json!("reserve"), &json!("batch"), &json!(reset), &json!(20));
    assert_eq!((&hold["by"], &hold["class"], &hold["until"], &hold["remaining"]), expected);
    assert!(told["wait_seconds"].as_u64().is_some_and(|wait| (1700..=1801).contains(&wait)), "{told:#}");
    assert!(words(&result).contains("X-Fleet-Priority: critical"), "{}", words(&result));
    // By the path alone: batch is held, and normal is not.
    let by_path = |server: &mut McpServer, path: &str, class: &str| {
        let asked = json!({ "path": path, "priority": class });
        server.call("why_refused", &asked)["structuredContent"]["verdict"].clone()
    };
    assert_eq!(by_path(&mut server, "/repos/acme/widget-2", "batch"), "reserve");
    assert_eq!(by_path(&mut server, "/repos/acme/widget-2", "normal"), "nothing_holds");
    assert_eq!(by_path(&mut server, "/search/issues?q=x", "batch"), "nothing_holds");
    // A secondary limit holds all that the payer asks for.
    origin.fault(Fault::new(FaultKind::SecondaryLimit { retry_after_seconds: 600 }, 1));
    got(&daemon, "/repos/acme/widget-3", TOKEN, "normal").await;
    let refused = got(&daemon, "/repos/acme/widget-4", TOKEN, "normal").await;
    let asked = json!({ "status": 403, "headers": headers(&refused) });
    let told = server.call("why_refused", &asked)["structuredContent"].clone();
    assert_eq!(told["verdict"], "secondary_limit", "{told:#}");
    assert!(told["wait_seconds"].as_u64().is_some_and(|wait| (500..=601).contains(&wait)), "{told:#}");
    assert_eq!(told["holds"][0]["by"], "pace", "{told:#}");
    assert_eq!(by_path(&mut server, "/search/issues?q=x", "critical"), "secondary_limit");
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_told_and_the_server_goes_on() {
    let origin = ModelOrigin::start();
    let daemon = Setup::new(PROGRAM, &origin.url()).start();
    let mut server = server(&daemon);
    let answer = server.request("tools/call", &json!({ "name": "clear", "arguments": {} }));
    assert_eq!(answer["error"]["code"], -32602, "{answer:#}");
    assert!(answer["error"]["message"].as_str().is_some_and(|text| text.contains("cache_status")));
    assert_eq!(server.request("tools/none", &json!({}))["error"]["code"], -32601);
    let long = format!("/{}", "x".repeat(9_000));
    let many: Value =
        (0..101).map(|number| (format!("x-{number}"), json!("1"))).collect::<serde_json::Map<_, _>>().into();
    for (tool, arguments, reason) in [
        ("quota", json!({ "payer": 5 }), "string"),
        ("quota", json!({ "payer": "x".repeat(101) }), "longer than 100"),
        ("quota", json!({ "limit": 5 }), "unknown field"),
        ("top_spenders", json!({ "by": "token" }), "client"),
        ("top_spenders", json!({ "limit": 0 }), "from 1 to 100"),
        ("top_spenders", json!({ "limit": 101 }), "from 1 to 100"),
        ("cache_status", json!({}), "path"),
        ("cache_status", json!({ "path": "repos" }), "slash"),
        ("cache_status", json!({ "path": long }), "8000 bytes"),
        ("why_refused", json!({}), "at least one"),
        ("why_refused", json!({ "status": 99 }), "from 100 to 599"),
        ("why_refused", json!({ "headers": many }), "more than 100"),
        ("doctor", json!({ "fix": true }), "unknown field"),
    ] {
        let result = server.call(tool, &arguments);
        assert_eq!(result["isError"], true, "{tool} {arguments}: {result:#}");
        assert!(words(&result).contains(reason), "{tool} {arguments}: {}", words(&result));
        assert!(result["structuredContent"].is_null(), "{result:#}");
    }
    // Neither of these has an answer, and what comes after has.
    server.write("no JSON {");
    server.write(&format!(r#"{{"jsonrpc":"2.0","id":77,"method":"ping","x":"{}"}}"#, "x".repeat(70_000)));
    assert_eq!(server.request("ping", &json!({}))["result"], json!({}));
}

#[tokio::test]
async fn without_a_daemon_each_tool_names_the_remedy_and_the_server_goes_on_once_one_runs() {
    let origin = ModelOrigin::start();
    let mut daemon = Setup::new(PROGRAM, &origin.url()).start();
    let mut server = server(&daemon);
    daemon.kill();
    for tool in TOOLS {
        let result = server.call(tool, &arguments(tool));
        assert_eq!(result["isError"], true, "{tool}: {result:#}");
        assert!(words(&result).contains("start one with `fleet-cache serve`"), "{tool}: {}", words(&result));
    }
    let _daemon = daemon.restart();
    for tool in TOOLS {
        let result = server.call(tool, &arguments(tool));
        assert_ne!(result["isError"], true, "{tool}: {result:#}");
    }
}

#[tokio::test]
async fn a_daemon_that_keeps_silent_is_given_up_and_calls_at_once_are_bounded() {
    const CALLS_MAX: usize = 8;
    let origin = ModelOrigin::start();
    let daemon = Setup::new(PROGRAM, &origin.url()).start();
    let mut server = server(&daemon);
    daemon.signal("-STOP");
    for _call in 0..=CALLS_MAX {
        server.send("tools/call", &json!({ "name": "quota", "arguments": {} }));
    }
    let results: Vec<Value> = (0..=CALLS_MAX).map(|_| server.next_answer()["result"].clone()).collect();
    daemon.signal("-CONT");
    assert!(words(&results[0]).contains("8 calls are under way"), "{results:#?}");
    assert!(results[1..].iter().all(|result| words(result).contains("has not answered for 10 s")));
    assert_ne!(server.call("quota", &json!({}))["isError"], true);
}

#[tokio::test]
async fn the_server_ends_with_its_input_or_at_a_signal_and_says_nothing() {
    let origin = ModelOrigin::start();
    let daemon = Setup::new(PROGRAM, &origin.url()).start();
    let told: [fn(&mut McpServer); 3] =
        [McpServer::end_input, |server| server.signal("-TERM"), |server| server.signal("-INT")];
    for end in told {
        for greets in [true, false] {
            let mut server = McpServer::spawn(PROGRAM.as_ref(), &cache(&daemon));
            if greets {
                server.initialize();
            } else {
                server.until_signals_are_taken();
            }
            end(&mut server);
            let (status, stderr) = server.wait();
            assert_eq!((status.code(), stderr.as_str()), (Some(0), ""), "greeted: {greets}");
        }
    }
    // Input that is no pipe is read by a thread that cannot be told to stop.
    let mut command = Command::new(PROGRAM);
    command.arg("mcp").arg("--cache-dir").arg(cache(&daemon)).env_clear().stdin(Stdio::null());
    let output = command.output().expect("the program can be run");
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}
