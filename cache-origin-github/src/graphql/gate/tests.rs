//! When a kept answer holds, and when the query is put again.

use super::*;
use crate::{GitHubBuilder, Plan};
use bytes::Bytes;
use cache_core::{Content, Domain, Key, freshness::Freshness};
use http::Request;

const NOW: Timestamp = Timestamp::from_unix_millis(1_000_000_000);
const CHECKS: &str = "query C($id: ID!) { node(id: $id) { ... on PullRequest { commits(last: 1) { nodes { commit { \
    statusCheckRollup { state } } } } } } }";
const TITLE: &str = "{ repository(owner: \"o\", name: \"r\") { pullRequest(number: 7) { id title } } }";
const PULL: &[u8] = br#"{"number":7,"head":{"sha":"abc123"}}"#;

fn github() -> GitHub {
    GitHubBuilder::default().build().unwrap()
}

fn question(github: &GitHub, document: &str, variables: &str) -> Question {
    let request = Request::post("/graphql").header("authorization", "token ghp_alice").body(()).unwrap();
    let (parts, ()) = request.into_parts();
    let body = format!(r#"{{"query":{},"variables":{variables}}}"#, serde_json::to_string(document).unwrap());
    let Plan::Cached(planned) = github.plan_query(&parts, &body.into(), &mut String::new()) else {
        panic!("{document}")
    };
    github.question(&parts, &planned)
}

fn draft(body: &str) -> Draft {
    Draft {
        content: Content::of_value(Bytes::from(body.to_owned())),
        freshness: Freshness { lifetime: Duration::from_secs(30), ..Freshness::default() },
        validators: Validators::default(),
        age: Duration::ZERO,
    }
}

/// Answers to one query, one after the other, and what they were shown to be covered by.
struct Watched {
    github: GitHub,
    question: Question,
    last: Entry,
    now: Timestamp,
}

impl Watched {
    fn new() -> Self {
        let github = github();
        let question = question(&github, TITLE, "{}");
        Self { github, question, last: entry(draft("one"), NOW), now: NOW }
    }

    fn gate(&self, pull: &[u8]) -> Option<Gate> {
        let mut gate = self.github.gate(&self.question, &self.last, self.now)?;
        assert_eq!(gate.name_next().unwrap(), "/repos/o/r/pulls/7");
        assert!(gate.see(pull) && gate.is_through());
        Some(gate)
    }

    /// Thirty seconds later `pull` is shown, and the query would be answered with `answer`. Returns whether it is put.
    fn asks(&mut self, pull: &[u8], answer: &str) -> bool {
        self.now = self.now.saturating_add(Duration::from_secs(30));
        let gate = self.gate(pull);
        let held =
            gate.as_ref().and_then(|gate| self.github.holds(gate, &self.last, Duration::ZERO, self.now));
        let is_put = held.is_none();
        let mut fetched = held.unwrap_or(Fetched::Fresh(draft(answer)));
        if let Some(gate) = gate.filter(|_| is_put) {
            self.github.answered_behind(&gate, &self.last, &mut fetched, (Duration::ZERO, self.now));
        }
        let (Fetched::Fresh(draft) | Fetched::NotModified(draft)) = fetched else { panic!("{fetched:?}") };
        self.last = entry(draft, self.now);
        is_put
    }
}

fn entry(draft: Draft, now: Timestamp) -> Entry {
    Entry::new(Key::new("h/graphql?x", Domain::ANONYMOUS), draft, now, 0)
}

#[test]
fn an_answer_holds_once_its_like_were_the_same_twice_where_the_resources_were() {
    let mut watched = Watched::new();
    assert!((0..3).all(|_| watched.asks(PULL, "one")));
    assert!((0..10).all(|_| !watched.asks(PULL, "one")));
    assert_eq!(&watched.last.content().body[..], b"one");
    assert_eq!(watched.github.stats(&[]).held, 10);
}

#[test]
fn after_a_change_the_query_is_put_until_its_answer_is_the_same_twice() {
    let mut watched = Watched::new();
    assert_eq!((0..4).filter(|_| watched.asks(PULL, "one")).count(), 3);
    let changed = br#"{"number":7,"head":{"sha":"def"},"title":"two"}"#;
    // The other API lags behind.
    assert!(watched.asks(changed, "one"));
    assert!(watched.asks(changed, "two"));
    assert!(watched.asks(changed, "two"));
    assert!(!watched.asks(changed, "two"));
    assert_eq!(watched.github.stats(&[]).dropped_shapes, 0);
}

#[test]
fn a_shape_is_dropped_once_answers_change_twice_that_the_resources_do_not_show() {
    let mut watched = Watched::new();
    assert!((0..2).all(|_| watched.asks(PULL, "one")));
    assert!(watched.asks(PULL, "two"), "it is not believed yet");
    assert_eq!(
        watched.github.stats(&[]).dropped_shapes,
        0,
        "the change may have come between looking and asking"
    );
    assert_eq!((0..4).filter(|_| watched.asks(PULL, "two")).count(), 2);
    watched.now = watched.now.saturating_add(Duration::from_secs(550));
    while !watched.asks(PULL, "three") {}
    assert_eq!(watched.github.stats(&[]).dropped_shapes, 1);
    assert!((0..5).all(|_| watched.asks(PULL, "three")));
}

#[test]
fn two_answers_of_one_moment_settle_nothing() {
    let mut watched = Watched::new();
    for _ in 0..50 {
        watched.now = watched.now.saturating_sub(Duration::from_millis(29_900));
        assert!(watched.asks(PULL, "one"));
    }
    assert!(watched.asks(PULL, "one") && watched.asks(PULL, "one"));
    assert!(!watched.asks(PULL, "one"));
}

#[test]
fn nothing_holds_that_was_asked_for_in_a_time_to_come() {
    let mut watched = Watched::new();
    assert_eq!((0..4).filter(|_| watched.asks(PULL, "one")).count(), 3);
    watched.now = watched.now.saturating_sub(Duration::from_secs(86_400));
    assert!(watched.asks(PULL, "one"));
}

#[test]
fn nothing_holds_for_more_than_an_hour_nor_what_nobody_asked_for_lately() {
    let mut watched = Watched::new();
    assert_eq!((0..3).filter(|_| watched.asks(PULL, "one")).count(), 3);
    let puts = (0..240).filter(|_| watched.asks(PULL, "one")).count();
    assert_eq!(puts, 1, "in two hours");
    watched.now = watched.now.saturating_add(IDLE_MAX);
    assert!(watched.asks(PULL, "one"));
}

#[test]
fn the_checks_of_an_id_are_looked_at_once_an_answer_has_told_what_it_stands_for() {
    let github = github();
    let asked = question(&github, CHECKS, r#"{"id":"PR_7"}"#);
    let own = entry(draft("one"), NOW);
    assert!(github.gate(&asked, &own, NOW).is_none(), "nobody knows what it stands for");
    let told = question(&github, TITLE, "{}");
    let reading = told.graphql().unwrap().reading.as_ref().unwrap();
    let body = br#"{"data":{"repository":{"pullRequest":{"id":"PR_7","title":"t"}}}}"#;
    github.gates().learn(reading, body);
    let mut gate = github.gate(&asked, &own, NOW).unwrap();
    assert_eq!(gate.name_next().unwrap(), "/repos/o/r/pulls/7");
    assert!(gate.see(PULL));
    assert_eq!(gate.name_next().unwrap(), "/repos/o/r/commits/abc123/check-runs?filter=all&per_page=100");
    assert!(gate.see(br#"{"total_count":2,"check_runs":[]}"#));
    assert_eq!(gate.name_next().unwrap(), "/repos/o/r/commits/abc123/status?per_page=100");
    assert!(!gate.see(br#"{"total_count":101}"#), "the page does not show all");
}

#[test]
fn all_ids_that_an_answer_shows_of_one_repository_are_known_to_be_of_it() {
    let learn = |document: &str, body: &str| {
        let github = github();
        let told = question(&github, document, "{}");
        github.gates().learn(told.graphql().unwrap().reading.as_ref().unwrap(), body.as_bytes());
        move |id: &str| {
            github.gates().place_of_id(id).map(|place| (place.repository.to_string(), place.number))
        }
    };
    let list = "{ repository(owner: \"O\", name: \"r\") { issue(number: 3) { id } \
        issues(first: 2) { nodes { id author { id login } labels(first: 1) { nodes { id } } } } } }";
    let body = r#"{"data":{"repository":{"issue":{"id":"I_3"},"issues":{"nodes":[
        {"id":"I_3","author":{"id":"U","login":"a"}},{"id":"I_4","labels":{"nodes":[{"id":"L"}]}}]}}}}"#;
    let place = learn(list, body);
    let of = |number| Some(("o/r".to_owned(), number));
    assert_eq!((place("I_3"), place("I_4"), place("L"), place("U")), (of(Some(3)), of(None), of(None), None));
    let elsewhere = "{ repository(owner: \"o\", name: \"r\") { id forks(first: 1) { nodes { id } } } }";
    let place = learn(elsewhere, r#"{"data":{"repository":{"id":"R","forks":{"nodes":[{"id":"F"}]}}}}"#);
    assert_eq!((place("R"), place("F")), (of(None), None));
    let github = github();
    for (name, known) in [("o/r", true), ("o/r", true), ("o/new", false), ("o/new", false)] {
        github.gates().learn_place("I_9", name, Some(9));
        assert_eq!(github.gates().place_of_id("I_9").is_some(), known, "{name}");
    }
}

#[test]
fn a_list_that_may_go_on_on_another_page_covers_nothing() {
    let github = github();
    let asked = question(
        &github,
        "{ repository(owner: \"o\", name: \"r\") { issues(first: 5, states: [OPEN]) { totalCount } } }",
        "{}",
    );
    for (count, shows_all) in [(0, true), (99, true), (100, false)] {
        let mut gate = github.gate(&asked, &entry(draft("one"), NOW), NOW).unwrap();
        assert_eq!(gate.name_next().unwrap(), "/repos/o/r/issues?state=open&per_page=100");
        let page = format!("[{}]", vec!["{}"; count].join(","));
        assert_eq!(gate.see(page.as_bytes()), shows_all, "{count}");
    }
}

#[test]
fn what_is_still_being_worked_out_and_what_has_no_cover_has_no_gate() {
    let github = github();
    let asked = question(&github, CHECKS, r#"{"id":"PR_7"}"#);
    let told = question(&github, TITLE, "{}");
    let reading = told.graphql().unwrap().reading.as_ref().unwrap();
    let body = br#"{"data":{"repository":{"pullRequest":{"id":"PR_7"}}}}"#;
    github.gates().learn(reading, body);
    assert!(github.gate(&asked, &entry(draft("{}"), NOW), NOW).is_some());
    assert!(github.gate(&asked, &entry(draft(r#"{"state":"EXPECTED"}"#), NOW), NOW).is_none());
    let document =
        "{ repository(owner: \"o\", name: \"r\") { pullRequest(number: 7) { title reviewDecision } } }";
    let uncovered = question(&github, document, "{}");
    assert!(github.gate(&uncovered, &entry(draft("one"), NOW), NOW).is_none());
}

#[test]
fn what_could_not_be_looked_at_is_left_alone_for_ten_minutes() {
    let github = github();
    let (asked, other) = (question(&github, TITLE, "{}"), question(&github, TITLE, r#"{"x":1}"#));
    let late = |by: Duration| NOW.saturating_add(by);
    let has_gate = |asked, now| github.gate(asked, &entry(draft("one"), now), now).is_some();
    github.pause_gate(&asked, NOW);
    assert!(!has_gate(&asked, late(PAUSE - Duration::from_millis(1))) && has_gate(&other, NOW));
    assert!(has_gate(&asked, late(PAUSE)));
}

#[test]
fn one_credential_is_made_to_look_at_so_much_in_a_minute_and_no_more() {
    let github = github();
    let asked = question(&github, TITLE, "{}");
    let gates =
        |now| (0..400).filter(|_| github.gate(&asked, &entry(draft("one"), now), now).is_some()).count();
    assert_eq!(gates(NOW), 300);
    assert_eq!(gates(NOW), 0);
    assert_eq!(gates(NOW.saturating_add(Duration::from_secs(60))), 300);
}

#[test]
fn a_mark_is_read_as_it_is_written_and_nothing_else_is_one() {
    for is_settled in [false, true] {
        let mark = Mark { is_settled, shown: [7; 16], asked: NOW };
        assert_eq!(mark.to_string().parse(), Ok(mark));
    }
    for text in ["", "\"abc\"", "settled:12", "settled:xy:1", "other:12:1", "settled:12:1:2"] {
        assert_eq!(text.parse::<Mark>(), Err(()), "{text}");
    }
}
