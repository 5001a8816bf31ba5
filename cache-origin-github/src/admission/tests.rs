//! Which credentials may be served which answers, as far as the origin has said so.

use super::*;
use crate::GitHub;
use cache_core::{Audience, Draft, Validators, freshness::Freshness};
use http::{HeaderMap, Method, Request};

const NOW: Timestamp = Timestamp::from_unix_millis(1_000_000_000);
const LIFETIME: Duration = Duration::from_secs(60);
const ALICE: Payer = Payer::from_bytes([1; 16]);
const BOB: Payer = Payer::from_bytes([2; 16]);
const CI: Domain = Domain::from_bytes([9; 16]);

fn key(resource: &str) -> Key {
    Key::new(&format!("api.github.com{resource} json"), CI)
}

fn draft(body: &'static str) -> Draft {
    Draft {
        content: Content::of_value(body),
        freshness: Freshness { lifetime: LIFETIME, ..Freshness::default() },
        validators: Validators::default(),
        age: Duration::ZERO,
    }
}

fn entry(key: &Key, body: &'static str) -> Entry {
    Entry::new(key.clone(), draft(body), NOW, 0)
}

fn answered(fetched: Fetched) -> Fetch {
    let reached = fetched.reached();
    Fetch { fetched, reached, live: HeaderMap::new(), stream: None, refused: None, allowance: None }
}

fn fresh(draft: Draft) -> Fetch {
    answered(Fetched::Fresh(draft))
}

fn refusal(status: u16) -> Fetch {
    let content = Content { status, ..Content::of_value("no") };
    let fetched = Fetched::Unstorable { content, audience: Audience::Leader };
    Fetch { refused: StatusCode::from_u16(status).ok(), ..answered(fetched) }
}

/// That something is not there, to be kept for a moment.
fn absence() -> Fetch {
    let content = Content { status: 404, ..Content::of_value("no") };
    Fetch { refused: Some(StatusCode::NOT_FOUND), ..fresh(Draft { content, ..draft("no") }) }
}

/// A call that passes by, for a path of the API.
fn asked(token: Option<&'static str>, method: Method, path: &str) -> Asked {
    let github = GitHub::builder().build().unwrap();
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("token {token}"));
    }
    github.asked(&request.body(()).unwrap()).unwrap()
}

/// Notes the outcome of a call that begins and ends now.
fn note(
    admissions: &Admissions,
    (payer, key): (Payer, &Key),
    fetch: &Fetch,
    asked_about: Option<&Entry>,
    now: Timestamp,
) -> Option<(Domain, Refusal)> {
    admissions.note((payer, key, admissions.now()), fetch, asked_about, now)
}

fn grant(admissions: &Admissions, payer: Payer, key: &Key, body: &'static str) {
    assert_eq!(note(admissions, (payer, key), &fresh(draft(body)), None, NOW), None);
}

#[test]
fn a_reader_may_have_the_very_answer_that_it_was_given_and_no_other() {
    let admissions = Admissions::default();
    let repository = key("/repos/acme/secret");
    let permits = |payer, key: &Key, body| admissions.permit(Reader::Unproven(payer), &entry(key, body), NOW);
    assert!(!permits(ALICE, &repository, "v1"));
    grant(&admissions, ALICE, &repository, "v1");
    assert!(permits(ALICE, &repository, "v1"));
    assert!(!permits(ALICE, &repository, "v2"), "what another reader was given since");
    assert!(!permits(BOB, &repository, "v1"), "another reader");
    for other in ["/repos/acme/secret/actions/secrets", "/repos/acme/secret2", "/repos/acme/secret?a=1"] {
        assert!(!permits(ALICE, &key(other), "v1"), "{other}");
    }
}

#[test]
fn that_an_answer_still_holds_is_as_good_as_being_given_it() {
    let admissions = Admissions::default();
    let repository = key("/repos/acme/secret");
    let unchanged = answered(Fetched::NotModified(draft("v1")));
    let held = entry(&repository, "v1");
    assert_eq!(note(&admissions, (BOB, &repository), &unchanged, Some(&held), NOW), None);
    assert!(admissions.permit(Reader::Unproven(BOB), &held, NOW));
}

#[test]
fn a_reader_of_a_domain_of_its_own_needs_no_admission() {
    let held = entry(&key("/user"), "v1");
    assert!(Admissions::default().permit(Reader::Admitted, &held, NOW));
}

#[test]
fn an_admission_ends_with_the_lifetime_of_the_answer_or_after_five_minutes() {
    let admissions = Admissions::default();
    let repository = key("/repos/acme/secret");
    let held = entry(&repository, "v1");
    let permits = |late| admissions.permit(Reader::Unproven(ALICE), &held, NOW.saturating_add(late));
    grant(&admissions, ALICE, &repository, "v1");
    assert!(permits(LIFETIME - Duration::from_millis(1)));
    assert!(!permits(LIFETIME));
    let mut lasting = draft("v1");
    lasting.freshness.lifetime = Duration::from_secs(86_400);
    note(&admissions, (ALICE, &repository), &fresh(lasting), None, NOW);
    assert!(permits(ADMISSION_MAX - Duration::from_millis(1)));
    assert!(!permits(ADMISSION_MAX));
}

#[test]
fn the_time_that_a_call_took_counts_as_part_of_an_admission() {
    let admissions = Admissions::default();
    let repository = key("/repos/acme/secret");
    let (held, taken) = (entry(&repository, "v1"), Duration::from_secs(15));
    let permits = |late| admissions.permit(Reader::Unproven(ALICE), &held, NOW.saturating_add(late));
    for lifetime in [LIFETIME, ADMISSION_MAX, Duration::from_secs(86_400)] {
        let mut slow = draft("v1");
        (slow.age, slow.freshness.lifetime) = (taken, lifetime);
        note(&admissions, (ALICE, &repository), &fresh(slow), None, NOW);
        let left = lifetime.min(ADMISSION_MAX) - taken;
        assert!(permits(left - Duration::from_millis(1)) && !permits(left), "{lifetime:?}");
    }
}

#[test]
fn a_401_ends_all_admissions_of_its_credential_and_of_no_other() {
    let admissions = Admissions::default();
    let keys = [key("/repos/acme/secret"), key("/orgs/acme/repos")];
    for key in &keys {
        grant(&admissions, ALICE, key, "v1");
        grant(&admissions, BOB, key, "v1");
    }
    let refused = note(&admissions, (ALICE, &keys[0]), &refusal(401), None, NOW);
    // What it has of its own, such as its user, is forgotten; what it shares is left to the others.
    assert_eq!(refused, Some((Domain::from_bytes(*ALICE.as_bytes()), Refusal::Credential)));
    for key in &keys {
        assert!(!admissions.permit(Reader::Unproven(ALICE), &entry(key, "v1"), NOW));
        assert!(admissions.permit(Reader::Unproven(BOB), &entry(key, "v1"), NOW));
    }
}

#[test]
fn a_refusal_ends_the_admissions_of_its_credential_to_the_repository() {
    for status in [403, 404, 410, 451] {
        let admissions = Admissions::default();
        let (issues, other) = (key("/repos/acme/secret/issues?page=2"), key("/repos/acme/secret2"));
        grant(&admissions, ALICE, &issues, "v1");
        grant(&admissions, ALICE, &other, "v1");
        let refused = key("/repos/acme/secret/languages");
        note(&admissions, (ALICE, &refused), &refusal(status), None, NOW);
        assert!(!admissions.permit(Reader::Unproven(ALICE), &entry(&issues, "v1"), NOW), "{status}");
        assert!(admissions.permit(Reader::Unproven(ALICE), &entry(&other, "v1"), NOW), "{status}");
    }
}

/// A resource in a domain of `payer`'s own, and what its entry said.
fn own(payer: Payer, resource: &str) -> (Key, Entry) {
    let domain = Domain::from_bytes(*payer.as_bytes());
    let key = Key::new(&format!("api.github.com{resource} json"), domain);
    (key.clone(), entry(&key, "v1"))
}

#[test]
fn a_domain_of_one_credential_forgets_everything_at_its_first_401() {
    let admissions = Admissions::default();
    let (issues, held) = own(ALICE, "/repos/acme/secret/issues");
    let forget = note(&admissions, (Payer::from(issues.domain()), &issues), &refusal(401), Some(&held), NOW);
    assert_eq!(forget, Some((issues.domain(), Refusal::Credential)));
    let (elsewhere, _) = own(ALICE, "/orgs/acme");
    let standing = admissions.standing((Reader::Admitted, ALICE), &elsewhere);
    assert_eq!(standing, Standing { reader: Reader::Unproven(ALICE), accepts_stale: false });
    // Until the origin answers it again.
    note(&admissions, (ALICE, &elsewhere), &fresh(draft("v1")), None, NOW);
    for key in [&issues, &elsewhere] {
        let standing = admissions.standing((Reader::Admitted, ALICE), key);
        assert_eq!(standing, Standing { reader: Reader::Admitted, accepts_stale: true });
    }
}

#[test]
fn a_domain_of_one_credential_forgets_the_repository_that_it_may_not_read_any_more() {
    let admissions = Admissions::default();
    let (issues, held) = own(ALICE, "/repos/acme/secret/issues?page=2");
    let forget = note(&admissions, (Payer::from(issues.domain()), &issues), &refusal(404), Some(&held), NOW);
    let prefixes = prefixes_of("api.github.com/repos/acme/secret/issues?page=2 json");
    let ends = ["repos/acme/secret ", "repos/acme/secret?", "repos/acme/secret/", "graphql?"];
    assert_eq!(prefixes, ends.map(|end| format!("api.github.com/{end}").into()));
    assert_eq!(forget, Some((issues.domain(), Refusal::Read { prefixes })));
    let reader = |resource| admissions.standing((Reader::Admitted, ALICE), &own(ALICE, resource).0).reader;
    assert_eq!(reader("/repos/acme/secret/languages"), Reader::Unproven(ALICE));
    assert_eq!(reader("/repos/acme/secret2"), Reader::Admitted);
}

#[test]
fn a_file_that_never_was_there_costs_no_entry_but_stale_ones_are_asked_about() {
    let admissions = Admissions::default();
    let (file, _) = own(ALICE, "/repos/acme/site/contents/none");
    let refused = note(&admissions, (Payer::from(file.domain()), &file), &absence(), None, NOW);
    assert!(matches!(refused, Some((_, Refusal::ReadOf { .. }))), "{refused:?}");
    let (other, _) = own(ALICE, "/repos/acme/site/issues");
    let standing = admissions.standing((Reader::Admitted, ALICE), &other);
    assert_eq!(standing, Standing { reader: Reader::Admitted, accepts_stale: false });
    let (repository, _) = own(ALICE, "/repos/acme/site");
    let refused =
        note(&admissions, (Payer::from(repository.domain()), &repository), &refusal(404), None, NOW);
    assert!(matches!(refused, Some((_, Refusal::Read { .. }))), "{refused:?}");
}

#[test]
fn of_what_is_not_there_no_other_representation_is_kept() {
    let admissions = Admissions::default();
    let (page, _) = own(ALICE, "/repos/acme/site/issues?page=2");
    let refused = note(&admissions, (ALICE, &page), &absence(), None, NOW);
    let representations = || Vec::from([Box::from("api.github.com/repos/acme/site/issues?page=2 ")]);
    let expected = Refusal::ReadOf { forms: representations().into(), prefixes: representations() };
    assert_eq!(refused, Some((page.domain(), expected)));
    let standing = admissions.standing((Reader::Admitted, ALICE), &page);
    assert_eq!(standing.reader, Reader::Admitted, "that it is not there is kept, and may be said again");
}

#[test]
fn what_was_refused_and_is_kept_as_no_absence_is_asked_about_before_anything_others_bring() {
    for status in [403, 404, 451] {
        let admissions = Admissions::default();
        let (file, _) = own(ALICE, "/repos/acme/site/contents/a json");
        note(&admissions, (ALICE, &file), &refusal(status), None, NOW);
        let standing = |resource| admissions.standing((Reader::Admitted, ALICE), &own(ALICE, resource).0);
        let raw = "/repos/acme/site/contents/a raw";
        assert_eq!(standing(raw).reader, Reader::Unproven(ALICE), "{status}");
        assert_eq!(standing("/repos/acme/site/contents/b").reader, Reader::Admitted, "{status}");
        grant(&admissions, ALICE, &file, "v1");
        assert_eq!(standing(raw).reader, Reader::Admitted, "{status}");
    }
}

#[test]
fn what_a_call_was_granted_that_began_before_a_refusal_counts_for_nothing() {
    let (repository, issues) = (key("/repos/acme/secret"), key("/repos/acme/secret/issues"));
    for (payer, status) in [(ALICE, 401), (ALICE, 404), (BOB, 404)] {
        let admissions = Admissions::default();
        let since = admissions.now();
        note(&admissions, (ALICE, &repository), &refusal(status), None, NOW);
        admissions.note((payer, &issues, since), &fresh(draft("v1")), None, NOW);
        let reader = Reader::Unproven(payer);
        let is_permitted = admissions.permit(reader, &entry(&issues, "v1"), NOW);
        assert_eq!(is_permitted, payer == BOB, "{status}");
        let standing = admissions.standing((Reader::Admitted, ALICE), &issues);
        assert_eq!(standing.reader, Reader::Unproven(ALICE), "{status}");
        grant(&admissions, ALICE, &issues, "v1");
        assert!(admissions.permit(Reader::Unproven(ALICE), &entry(&issues, "v1"), NOW), "{status}");
        let standing = admissions.standing((Reader::Admitted, ALICE), &issues);
        assert_eq!(standing.reader, Reader::Admitted, "{status}");
    }
}

#[test]
fn what_needs_another_kind_of_credential_says_nothing_about_this_one() {
    let admissions = Admissions::default();
    let refused = |key: &Key| note(&admissions, (Payer::from(key.domain()), key), &refusal(401), None, NOW);
    let is_of_itself = |refused| matches!(refused, Some((_, Refusal::ReadOf { .. })));
    let ((app, _), (user, _)) = (own(ALICE, "/app/installations"), own(ALICE, "/user"));
    assert!(is_of_itself(refused(&app)));
    assert_eq!(admissions.standing((Reader::Admitted, ALICE), &user).reader, Reader::Admitted);
    let anonymous = Key::new("api.github.com/user json", Domain::ANONYMOUS);
    assert!(is_of_itself(refused(&anonymous)));
    let other = Key::new("api.github.com/repos/acme/site json", Domain::ANONYMOUS);
    let reader = Payer::from(Domain::ANONYMOUS);
    assert_eq!(admissions.standing((Reader::Admitted, reader), &other).reader, Reader::Admitted);
}

#[test]
fn a_refusal_of_a_call_that_passes_by_means_what_it_means_of_a_fetch() {
    let repository = "api.github.com/repos/acme/site";
    let prefixes = || prefixes_of(repository);
    let read_of = || {
        let forms = [" ", "?"].map(|end| format!("{repository}/issues{end}").into()).into();
        Refusal::ReadOf { forms, prefixes: prefixes() }
    };
    let rows = [
        (Method::GET, "/user", 401, Some(Refusal::Credential)),
        (Method::POST, "/repos/acme/site/issues", 401, Some(Refusal::Credential)),
        (Method::POST, "/graphql", 401, Some(Refusal::Credential)),
        (Method::GET, "/a/../b", 401, Some(Refusal::Credential)),
        (Method::GET, "/a/../b", 404, None),
        (Method::GET, "/repos/Acme/Site?a=1", 404, Some(Refusal::Read { prefixes: prefixes() })),
        (Method::HEAD, "/repos/acme/site/issues?page=2", 403, Some(read_of())),
        (Method::GET, "/api/v3/repos/acme/site/issues", 451, Some(read_of())),
        (Method::PATCH, "/repos/acme/site", 403, Some(Refusal::Change { prefixes: prefixes() })),
        (Method::POST, "/repos/acme/site/issues", 404, Some(Refusal::Change { prefixes: prefixes() })),
    ];
    for (method, path, status, expected) in rows {
        let admissions = Admissions::default();
        let call = asked(Some("ghp_alice"), method.clone(), path);
        let refused = admissions.note_passed(&call, StatusCode::from_u16(status).unwrap());
        let domain = call.readers.domain;
        assert_eq!(refused, expected.map(|refusal| (domain, refusal)), "{method} {path} {status}");
    }
}

#[test]
fn what_may_not_be_read_by_a_call_that_passes_by_is_asked_about_before_the_disk_answers() {
    let admissions = Admissions::default();
    let call = asked(Some("ghp_alice"), Method::GET, "/repos/acme/site/contents/a");
    admissions.note_passed(&call, StatusCode::NOT_FOUND);
    let standing = |resource| {
        admissions.standing((Reader::Admitted, call.readers.payer), &own(call.readers.payer, resource).0)
    };
    let refused = standing("/repos/acme/site/contents/a?ref=main");
    assert_eq!(refused.reader, Reader::Unproven(call.readers.payer));
    // It may never have been there: others of the repository are merely not served stale.
    let beside = standing("/repos/acme/site/issues");
    assert_eq!(beside, Standing { reader: Reader::Admitted, accepts_stale: false });
}

#[test]
fn nobody_without_a_credential_loses_anything_by_a_refused_change() {
    for status in [StatusCode::UNAUTHORIZED, StatusCode::NOT_FOUND] {
        let call = asked(None, Method::POST, "/repos/acme/site/issues");
        assert_eq!(Admissions::default().note_passed(&call, status), None);
    }
}

#[test]
fn admissions_and_refusals_are_bounded() {
    let admissions = Admissions::default();
    for number in 0..GRANTS_MAX * 2 {
        let key = key(&format!("/repos/acme/site-{number}"));
        grant(&admissions, ALICE, &key, "v1");
        note(&admissions, (BOB, &key), &refusal(404), None, NOW);
    }
    assert!(admissions.grants.read().len() <= GRANTS_MAX);
    assert!(admissions.doubts.lock().len() <= DOUBTS_MAX);
}
