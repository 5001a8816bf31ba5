//! What `contrib/prometheus` and `contrib/grafana` look at is there: every metric and label that they name.

use crate::support::{Over, TOKEN, fleet_with, shown};
use cache_tests::{
    daemon::Daemon,
    http::Client,
    origin::{Fault, FaultKind, ModelOrigin},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const RULES: &str = include_str!("../../../contrib/prometheus/fleet-cache.rules.yml");
const DASHBOARD: &str = include_str!("../../../contrib/grafana/fleet-cache.json");

/// The metrics of a daemon with the labels of each.
type Exposed = BTreeMap<String, BTreeSet<String>>;

/// What is wanted of metrics in `text`: each name with a label that is selected by it, or with none.
fn wanted(text: &str) -> BTreeSet<(String, Option<String>)> {
    let mut found = BTreeSet::new();
    for (at, _prefix) in text.match_indices("fleet_cache_") {
        let rest = &text[at..];
        let is_of_a_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let end = rest.find(|letter| !is_of_a_name(letter)).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        found.insert((name.to_owned(), None));
        let selected = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(it, _)| it);
        let labels = selected.split(", ").filter_map(|matcher| matcher.split(['=', '!']).next());
        let labels = labels.filter(|label| !label.is_empty() && !OF_PROMETHEUS.contains(label));
        found.extend(labels.map(|label| (name.to_owned(), Some(label.to_owned()))));
    }
    found
}

/// The labels by which `text` groups.
fn grouped(text: &str) -> BTreeSet<String> {
    let groups = ["by (", "on ("].iter().flat_map(|word| text.split(word).skip(1));
    let labels = groups.filter_map(|rest| rest.split_once(')')).flat_map(|(labels, _)| labels.split(", "));
    labels.filter(|label| !OF_PROMETHEUS.contains(label)).map(str::to_owned).collect()
}

/// Of what `text` looks at, what `exposed` has not.
fn missing(text: &str, exposed: &Exposed) -> Vec<String> {
    let has = |(name, label): &(String, Option<String>)| {
        exposed.get(name).is_some_and(|labels| label.as_ref().is_none_or(|label| labels.contains(label)))
    };
    let mut missing: Vec<String> =
        wanted(text).iter().filter(|it| !has(it)).map(|it| format!("{it:?}")).collect();
    let is_known = |label: &String| exposed.values().any(|labels| labels.contains(label));
    missing.extend(grouped(text).into_iter().filter(|label| !is_known(label)));
    missing
}

/// All expressions of the dashboard.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str().filter(|_| ["expr", "definition"].contains(&name.as_str())) {
                    Some(text) => found.push(text.to_owned()),
                    None => expressions(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}

fn of_dashboard() -> Vec<String> {
    let mut found = Vec::new();
    expressions(&serde_json::from_str(DASHBOARD).expect("the dashboard is JSON"), &mut found);
    assert!(found.len() > 40, "{found:#?}");
    found
}

async fn exposed(daemon: &Daemon) -> Exposed {
    let stats = shown(daemon, "/stats").await;
    let address = stats["operations"].as_str().and_then(|url| url.strip_prefix("http://"));
    let operations = Client::tcp(address.expect("it is told").parse().expect("it is an address"));
    let reply = operations.get("/metrics").send().await.expect("the address answers");
    let text = String::from_utf8(reply.body.to_vec()).expect("it is text");
    let mut exposed = Exposed::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, labels) = line.split_once(['{', ' ']).expect("a sample has a value");
        let labels = labels.split("\",").filter_map(|label| label.split_once("=\"").map(|(name, _)| name));
        exposed.entry(name.to_owned()).or_default().extend(labels.map(str::to_owned));
    }
    exposed
}

#[tokio::test]
async fn every_metric_and_label_that_the_rules_and_the_dashboard_name_is_exposed() {
    let origin = ModelOrigin::start();
    let daemons = fleet_with(&["--metrics-listen", "127.0.0.1:0"], &origin, Over::Quic, 2).await;
    let asked = async |number: usize| {
        let path = format!("/repos/acme/widget-{number}");
        daemons[0].client().get(&path).token(TOKEN).send().await.expect("the door answers").status.as_u16()
    };
    assert_eq!(asked(1).await, 200);
    // What pauses is told of while it does.
    origin.fault(Fault::new(FaultKind::SecondaryLimit { retry_after_seconds: 600 }, 1));
    assert_eq!((asked(2).await, asked(3).await), (403, 403));
    let exposed = exposed(&daemons[0]).await;
    let dashboard = of_dashboard().join("\n");
    for (name, text) in [("the rules", RULES), ("the dashboard", dashboard.as_str())] {
        assert!(wanted(text).len() > 10, "{name}: {:?}", wanted(text));
        assert_eq!(missing(text, &exposed), Vec::<String>::new(), "{name}");
    }
    // The same with a name, a selected label and a grouping label misspelt.
    for (right, wrong) in [
        ("fleet_cache_quota_used", "fleet_cache_quota_use"),
        ("domain!=", "domains!="),
        ("by (job, domain, resource)", "by (job, domain, resourse)"),
    ] {
        assert!(!missing(&RULES.replace(right, wrong), &exposed).is_empty(), "{wrong}");
    }
    let wrong =
        dashboard.replace("fleet_cache_announcements_cut_total", "fleet_cache_announcement_cut_total");
    assert_eq!(missing(&wrong, &exposed), [r#"("fleet_cache_announcement_cut_total", None)"#]);
}

/// Runs `promtool`; `None`, said loudly, on a machine without it.
fn promtool(arguments: &[&str], file: &Path) -> Option<Output> {
    let output = Command::new("promtool").args(arguments).arg(file).output();
    if output.is_err() {
        eprintln!("NOT CHECKED: this machine has no promtool, which is in Debian's package prometheus");
    }
    output.ok()
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn contrib(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib/prometheus").join(name)
}

#[test]
fn prometheus_takes_the_rules_and_each_alert_fires_when_it_should_and_not_otherwise() {
    for (arguments, file) in [(["check", "rules"], RULES_FILE), (["test", "rules"], TESTS_FILE)] {
        let Some(output) = promtool(&arguments, &contrib(file)) else { return };
        assert!(output.status.success(), "{}", words(&output));
    }
    // The same tests, with an alert that fires for anything.
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let broken = RULES.replace("< 15 * 60", "< 1500 * 60");
    fs::write(directory.path().join(RULES_FILE), broken).expect("the directory takes a file");
    let tests = directory.path().join(TESTS_FILE);
    fs::copy(contrib(TESTS_FILE), &tests).expect("the directory takes a file");
    let output = promtool(&["test", "rules"], &tests).expect("it was there before");
    assert!(!output.status.success(), "{}", words(&output));
    assert!(words(&output).contains("FleetCacheQuotaGoneSoon"), "{}", words(&output));
}

#[test]
fn every_alert_has_a_test_and_says_what_to_do() {
    let tests = fs::read_to_string(contrib(TESTS_FILE)).expect("the tests are there");
    let alerts: Vec<&str> = RULES.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 10, "{alerts:?}");
    for alert in &alerts {
        let silent = format!("{{ alertname: {alert}, ");
        let firing = format!("- alertname: {alert}\n");
        assert!(tests.contains(&silent) && tests.contains(&firing), "{alert}");
    }
    assert_eq!(RULES.matches("description: >-").count(), alerts.len());
}

#[test]
fn prometheus_understands_every_expression_of_the_dashboard() {
    let queries = of_dashboard().into_iter().filter(|text| !text.starts_with("label_values("));
    let rule = |(number, text): (usize, String)| {
        let text = text.replace("$__rate_interval", "5m").replace("$job", ".*").replace("$instance", ".*");
        assert!(!text.contains('$'), "{text}");
        json!({ "record": format!("panel:{number}"), "expr": text })
    };
    let rules: Vec<Value> = queries.enumerate().map(rule).collect();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("dashboard.yml");
    let written = |rules: &[Value]| {
        // JSON is YAML.
        let text = json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string();
        fs::write(&file, text).expect("the directory takes a file");
    };
    written(&rules);
    let Some(output) = promtool(&["check", "rules"], &file) else { return };
    assert!(output.status.success(), "{}", words(&output));
    written(&[json!({ "record": "panel:0", "expr": "sum by (rate(x[5m])" })]);
    let output = promtool(&["check", "rules"], &file).expect("it was there before");
    assert!(!output.status.success(), "{}", words(&output));
}

/// Labels that Prometheus adds, of the target that it reads.
const OF_PROMETHEUS: [&str; 2] = ["job", "instance"];
const RULES_FILE: &str = "fleet-cache.rules.yml";
const TESTS_FILE: &str = "fleet-cache.test.yml";
