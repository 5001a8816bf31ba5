//! What is counted, and under which names.

use super::*;
use http::Request;
use proptest::prelude::*;

fn github() -> GitHub {
    GitHub::builder().named_domain("ci", ["ghs_*"]).build().unwrap()
}

fn head(method: &str, target: &str, token: Option<&str>) -> Parts {
    let request = Request::builder().method(method).uri(target);
    let request = match token {
        Some(token) => request.header("authorization", format!("token {token}")),
        None => request,
    };
    request.body(()).unwrap().into_parts().0
}

fn label(text: &str) -> ClientLabel {
    ClientLabel::new(text).unwrap()
}

fn sum(rows: &[UsageRow]) -> Counts {
    let mut sum = Counts::default();
    rows.iter().for_each(|row| sum += row.counts);
    sum
}

#[test]
fn each_count_is_in_the_row_of_its_client_route_payer_and_resource() {
    let github = github();
    let usage = github.usage();
    let read = github.attribution(label("ci"), &head("GET", "/repos/acme/site/issues?a=b", Some("ghs_1")));
    let search = github.attribution(label("ci"), &head("GET", "/api/v3/search/issues?q=x", None));
    usage.note_answer(&read, Outcome::Hit, 100, Duration::from_micros(30));
    usage.note_answer(&read, Outcome::Called, 50, Duration::from_micros(70));
    usage.note_call(&read);
    usage.note_not_modified(&read);
    usage.note_answer(&search, Outcome::Refused, 7, Duration::ZERO);
    usage.note_bytes(&search, 3);
    let names = github.attribution_names(&search);
    assert_eq!((&*names.client, &*names.route, &*names.payer), ("ci", "GET /search/issues", "anonymous"));
    assert_eq!(names.resource, "search");
    let report = github.usage_report();
    let [client] = report.by_client.as_slice() else { panic!("{report:?}") };
    assert_eq!(client.name, "ci");
    let core = Counts {
        requests: 2,
        hits: 1,
        calls: 1,
        not_modified: 1,
        bytes: 150,
        hit_bytes: 100,
        latency_micros: 100,
        latency_micros_max: 70,
        ..Counts::default()
    };
    assert_eq!(client.resources["core"], core);
    assert_eq!(
        client.resources["search"],
        Counts { requests: 1, refusals: 1, bytes: 10, ..Counts::default() }
    );
    assert_eq!((client.resources.len(), client.counts.requests), (2, 3));
    let names = |rows: &[UsageRow]| rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&report.by_route), ["GET /repos/*/*/issues", "GET /search/issues"]);
    let payers = names(&report.by_payer);
    assert!(payers[0].starts_with("ci/") && payers[1] == "anonymous", "{payers:?}");
}

#[test]
fn a_credential_is_one_payer_also_where_its_answers_are_its_own() {
    let github = github();
    let own = head("GET", "/user", Some("ghs_1"));
    let mut key_text = String::new();
    let crate::Plan::Cached(planned) = github.plan(&own, &mut key_text) else { panic!("{key_text}") };
    github.usage().note_call(&github.attribution_of_planned(&own, &planned));
    github.usage().note_call(&github.attribution(label("x"), &head("GET", "/repos/a/b", Some("ghs_1"))));
    let report = github.usage_report();
    let [payer] = report.by_payer.as_slice() else { panic!("{report:?}") };
    assert!(payer.name.starts_with("ci/"), "{payer:?}");
}

#[test]
fn a_hundred_thousand_clients_have_as_many_rows_as_there_may_be_and_exact_sums() {
    let github = github();
    let usage = github.usage();
    let busy = github.attribution(label("busy"), &head("GET", "/repos/acme/site", None));
    for number in 0..100_000 {
        let flood = Attribution { client: label(&format!("c{number}")), ..busy.clone() };
        usage.note_answer(&flood, Outcome::Called, 1, Duration::ZERO);
        usage.note_call(&flood);
        if number % 50 == 0 {
            usage.note_answer(&busy, Outcome::Hit, 1, Duration::ZERO);
        }
    }
    let report = github.usage_report();
    assert_eq!(report.by_client.len(), CLIENTS_MAX + 1);
    assert_eq!(report.by_client.last().unwrap().name, UsageRow::OTHERS);
    assert!(report.by_client.iter().any(|row| row.name == "busy" && row.counts.hits == 2_000));
    for rows in [&report.by_client, &report.by_route, &report.by_payer] {
        assert_eq!((sum(rows).requests, sum(rows).calls), (102_000, 100_000));
    }
}

#[test]
fn what_is_counted_on_many_threads_comes_together() {
    let github = github();
    std::thread::scope(|scope| {
        for number in 0..40 {
            let github = github.clone();
            scope.spawn(move || {
                let client = label(&format!("c{}", number % 4));
                let attribution = github.attribution(client, &head("GET", "/user", None));
                (0..100).for_each(|_| github.usage().note_call(&attribution));
            });
        }
    });
    let report = github.usage_report();
    let calls: Vec<_> = report.by_client.iter().map(|row| row.counts.calls).collect();
    assert_eq!(calls, [1000; 4]);
}

#[test]
fn reports_of_several_nodes_add_up_and_are_read_as_they_are_written() {
    let report = |client: &str, calls: u64| {
        let github = github();
        let attribution = github.attribution(label(client), &head("GET", "/user", None));
        (0..calls).for_each(|_| github.usage().note_call(&attribution));
        github.usage_report()
    };
    let mut all = report("a", 2);
    let text = serde_json::to_string(&report("b", 5)).unwrap();
    all.add(&serde_json::from_str(&text).unwrap());
    all.add(&report("a", 1));
    let rows: Vec<_> = all.by_client.iter().map(|row| (row.name.as_str(), row.counts.calls)).collect();
    assert_eq!(rows, [("b", 5), ("a", 3)]);
    assert_eq!(all.by_route[0].resources["core"].calls, 8);
}

#[test]
fn what_another_node_tells_is_bounded_and_safe_to_print() {
    let row = |name: &str| UsageRow {
        counts: Counts { calls: u64::MAX, ..Counts::default() },
        name: name.to_owned(),
        resources: std::iter::once(("odd".to_owned(), Counts::default())).collect(),
    };
    let mut all = UsageReport::default();
    let names = ["\u{1b}[2J", "ghp_secret", &"x-".repeat(100), "", "(other)", "fine"];
    all.add(&UsageReport { by_client: names.map(row).to_vec(), ..UsageReport::default() });
    let told: Vec<_> = all.by_client.iter().map(|row| (row.name.as_str(), row.counts.calls)).collect();
    assert_eq!(told, [("fine", u64::MAX), (UsageRow::OTHERS, u64::MAX)]);
    assert!(all.by_client.iter().all(|row| row.resources.is_empty()));
    let many = (0..1000).map(|number| row(&format!("c{number}"))).collect();
    all.add(&UsageReport { by_client: many, ..UsageReport::default() });
    assert_eq!(all.by_client.len(), CLIENTS_MAX + 1);
    assert_eq!(all.heaviest(3).by_client.len(), 4);
}

proptest! {
    #[test]
    fn no_path_and_no_field_brings_a_token_into_a_report(
        path in "(/[a-z*]{0,8}){0,3}/ghp_[a-z]{4}(/[a-z]{0,6}){0,2}",
        method in "[A-Z]{3,8}",
        agent in "[ -~]{0,20}(ghp_[a-z]{4})[ -~]{0,20}",
    ) {
        let github = github();
        let mut request = head(&method, &path, Some("ghp_abcd"));
        request.headers.insert("user-agent", agent.parse().unwrap());
        request.headers.insert("x-fleet-client", agent.parse().unwrap());
        github.usage().note_call(&github.attribution_of_forwarded(&request));
        let shown = serde_json::to_string(&github.usage_report()).unwrap();
        prop_assert!(!shown.contains("ghp_"), "{}", shown);
    }
}
