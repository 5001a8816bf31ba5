//! Asking whether an entry still holds: whose tag is sent, and which 304 is believed.

use crate::script::{Answer, Asked, Origin, github_answer, http, question};
use cache_core::{Candidate, Draft, Entry, Fetched, Key, Timestamp};
use cache_origin_github::{GitHub, Question, RecipeState};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

const BODY: &str = "{\"name\":\"site\"}";
const FIRST: &[(&str, &str)] = &[("authorization", "token ghs_first")];
const SECOND: &[(&str, &str)] = &[("authorization", "Bearer ghs_second")];

fn entry(question: &Question, draft: Draft) -> Arc<Entry> {
    let key = Key::new("r", question.domain());
    Arc::new(Entry::new(key, draft, Timestamp::from_unix_millis(0), 0))
}

async fn fresh(github: &GitHub, question: &Question) -> Arc<Entry> {
    match github.fetch(question, None).await.fetched {
        Fetched::Fresh(draft) => entry(question, draft),
        other => panic!("{other:?}"),
    }
}

async fn renewed(github: &GitHub, question: &Question, old: &Arc<Entry>) -> Draft {
    match github.fetch(question, Some(Candidate::Own(Arc::clone(old)))).await.fetched {
        Fetched::NotModified(draft) => draft,
        other => panic!("{other:?}"),
    }
}

fn ci(origin: &Origin) -> GitHub {
    origin.builder().named_domain("ci", ["ghs_*"]).build().unwrap()
}

async fn of_body(body: &'static str) -> Origin {
    Origin::start(move |asked| Answer::Close(github_answer(asked, body, None))).await
}

#[tokio::test]
async fn one_credential_in_any_form_asks_in_one_form() {
    let mut origin = of_body(BODY).await;
    let github = origin.builder().build().unwrap();
    let basic = "Basic eC1hY2Nlc3MtdG9rZW46Z2hzX2ZpcnN0";
    for value in ["token ghs_first", "bearer ghs_first", basic] {
        fresh(&github, &question(&github, "/user", &[("authorization", value), ("accept", "*/*")])).await;
    }
    for asked in origin.asked() {
        assert_eq!(asked.field("authorization"), Some("Bearer ghs_first"));
        assert_eq!(asked.field("accept"), Some("application/vnd.github+json"));
        assert_eq!(asked.field("accept-encoding"), Some("gzip"));
        assert!(asked.field("user-agent").unwrap().starts_with("fleet-cache/"));
        assert_eq!(asked.field("content-length"), None);
    }
}

#[tokio::test]
async fn the_same_credential_revalidates() {
    let origin = of_body(BODY).await;
    let github = origin.builder().build().unwrap();
    let question = question(&github, "/user", FIRST);
    let old = fresh(&github, &question).await;
    let draft = renewed(&github, &question, &old).await;
    assert_eq!(draft.content.body, BODY);
    assert_eq!(github.stats(&[]).not_modified, 1);
}

#[tokio::test]
async fn another_credential_of_the_domain_revalidates_a_body_that_it_never_fetched() {
    let origin = of_body(BODY).await;
    let github = ci(&origin);
    let old = fresh(&github, &question(&github, "/repos/acme/site", FIRST)).await;
    let rotated = question(&github, "/repos/acme/site", SECOND);
    assert_eq!(old.key().domain(), rotated.domain());
    let draft = renewed(&github, &rotated, &old).await;
    // Clients go on under the tag they know; the origin is asked under the one it gave last.
    assert_eq!(draft.content.headers.get_str("etag"), old.content().headers.get_str("etag"));
    assert_ne!(draft.validators.etag, old.validators().etag);
    assert_ne!(draft.validators.etag_scope, old.validators().etag_scope);
}

#[tokio::test]
async fn a_forged_body_is_found_out_once_the_recipe_is_trusted() {
    let origin = of_body(BODY).await;
    let github = origin.builder().build().unwrap();
    let question = question(&github, "/user", FIRST);
    for _ in 0..3 {
        fresh(&github, &question).await;
    }
    assert_eq!(github.stats(&[]).recipe.state, RecipeState::Trusted);
    let mut forged = fresh(&github, &question).await.draft(Timestamp::from_unix_millis(0));
    forged.content.body = "{\"name\":\"evil\"}".into();
    let answer = github.fetch(&question, Some(Candidate::Own(entry(&question, forged)))).await.fetched;
    assert!(matches!(answer, Fetched::Fresh(draft) if draft.content.body == BODY));
}

/// Tags by another recipe, the same for every client.
fn foreign(asked: &Asked) -> Answer {
    Answer::Close(match asked.field("if-none-match") {
        Some("\"foreign\"") => b"HTTP/1.1 304 Not Modified\r\netag: \"foreign\"\r\n\r\n".to_vec(),
        _other => http("200 OK", "etag: \"foreign\"\r\n", BODY),
    })
}

#[tokio::test]
async fn without_the_recipe_a_tag_is_for_its_own_credential_alone() {
    let mut origin = Origin::start(foreign).await;
    let github = ci(&origin);
    let own = question(&github, "/user", FIRST);
    let old = fresh(&github, &own).await;
    assert_eq!(github.stats(&[]).recipe.state, RecipeState::Distrusted);
    renewed(&github, &own, &old).await;
    let other = question(&github, "/user", SECOND);
    let answer = github.fetch(&other, Some(Candidate::Own(old))).await.fetched;
    assert!(matches!(answer, Fetched::Fresh(_)));
    let tags: Vec<_> =
        origin.asked().iter().map(|asked| asked.field("if-none-match").map(str::to_owned)).collect();
    assert_eq!(tags, [None, Some("\"foreign\"".to_owned()), None]);
}

#[tokio::test]
async fn an_answer_without_a_tag_is_asked_for_by_its_date() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let mut origin = Origin::start(move |asked| {
        Answer::Close(match asked.field("if-modified-since") {
            Some(since) if since == date => b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec(),
            _other => http("200 OK", &format!("last-modified: {date}\r\n"), BODY),
        })
    })
    .await;
    let github = origin.builder().build().unwrap();
    let question = question(&github, "/user", FIRST);
    let old = fresh(&github, &question).await;
    renewed(&github, &question, &old).await;
    assert_eq!(origin.asked()[1].field("if-none-match"), None);
}

#[tokio::test]
async fn a_304_about_another_tag_is_not_believed() {
    let origin = Origin::start(|asked| {
        Answer::Close(match asked.field("if-none-match") {
            Some(_) => b"HTTP/1.1 304 Not Modified\r\netag: \"other\"\r\n\r\n".to_vec(),
            None => github_answer(asked, BODY, None),
        })
    })
    .await;
    let github = origin.builder().build().unwrap();
    let question = question(&github, "/user", FIRST);
    let old = fresh(&github, &question).await;
    assert!(matches!(github.fetch(&question, Some(Candidate::Own(old))).await.fetched, Fetched::Fresh(_)));
    assert_eq!(github.stats(&[]).doubted, 1);
}

const PAGE: &str = "[{\"id\":1},{\"id\":2}]";
const NEXT: &str = "<https://api.github.com/repositories/1/issues?page=2>; rel=\"next\"";

/// Calls made, and the `Link` in the end, when a full last page is asked about.
async fn ask_about_a_full_last_page(links: [Option<&'static str>; 3]) -> (usize, Option<String>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let origin = Origin::start(move |asked| {
        let call = counted.fetch_add(1, Ordering::SeqCst);
        Answer::Close(github_answer(asked, PAGE, links[call]))
    })
    .await;
    let github = origin.builder().build().unwrap();
    let question = question(&github, "/repos/o/r/issues?per_page=2", FIRST);
    let old = fresh(&github, &question).await;
    let draft = match github.fetch(&question, Some(Candidate::Own(old))).await.fetched {
        Fetched::Fresh(draft) | Fetched::NotModified(draft) => draft,
        other => panic!("{other:?}"),
    };
    (calls.load(Ordering::SeqCst), draft.content.headers.get_str("link").map(str::to_owned))
}

#[tokio::test]
async fn a_full_last_page_is_asked_for_again_when_its_304_says_nothing_of_links() {
    assert_eq!(ask_about_a_full_last_page([None, None, Some(NEXT)]).await, (3, Some(NEXT.to_owned())));
}

#[tokio::test]
async fn a_304_that_brings_a_link_is_believed() {
    assert_eq!(ask_about_a_full_last_page([None, Some(NEXT), None]).await, (2, Some(NEXT.to_owned())));
}

#[tokio::test]
async fn a_page_that_has_a_next_is_believed() {
    assert_eq!(ask_about_a_full_last_page([Some(NEXT), None, None]).await, (2, Some(NEXT.to_owned())));
}
