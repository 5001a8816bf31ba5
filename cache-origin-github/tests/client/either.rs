//! Asking in one call whether an entry still holds or has become what another credential was given.

use crate::script::{Answer, Asked, Origin, github_answer, http, question, tag};
use cache_core::{Candidate, Entry, Fetched, Key, Timestamp};
use cache_origin_github::{GitHub, Question};
use std::sync::Arc;

const OLD: &str = "{\"name\":\"old\"}";
const NEW: &str = "{\"name\":\"new\"}";
const NEWEST: &str = "{\"name\":\"newest\"}";
const ALICE: &[(&str, &str)] = &[("authorization", "Bearer ghp_alice")];
const BOB: &[(&str, &str)] = &[("authorization", "Bearer ghp_bob")];
const PATH: &str = "/repos/o/r/readme";

/// What `question` is answered with by an origin that has `body`.
async fn entry(question: &Question, fields: &[(&str, &str)], body: &'static str) -> Arc<Entry> {
    let origin = Origin::start(move |asked| Answer::Close(github_answer(asked, body, None))).await;
    let github = origin.builder().build().unwrap();
    let asked = crate::script::question(&github, PATH, fields);
    let Fetched::Fresh(draft) = github.fetch(&asked, None).await.fetched else { panic!("it is kept") };
    let key = Key::new("api.github.com/repos/o/r/readme json", question.domain());
    Arc::new(Entry::new(key, draft, Timestamp::from_unix_millis(0), 0))
}

/// Asks `github` with the credential of alice, to which [`OLD`] was given, and [`NEW`] to that of bob.
async fn ask(github: &GitHub, fields: &[(&str, &str)]) -> Fetched {
    let (alice, bob) = (question(github, PATH, fields), question(github, PATH, BOB));
    let (own, borrowed) = (entry(&alice, fields, OLD).await, entry(&bob, BOB, NEW).await);
    github.fetch(&alice, Some(Candidate::Either { own, borrowed })).await.fetched
}

async fn ask_of(origin: &Origin) -> Fetched {
    ask(&origin.builder().build().unwrap(), ALICE).await
}

fn tag_of(body: &str) -> String {
    tag(Some("application/vnd.github+json"), Some("Bearer ghp_alice"), body)
}

/// The tags that were sent, call by call.
fn sent(origin: &mut Origin) -> Vec<Option<String>> {
    origin.asked().iter().map(|asked| asked.field("if-none-match").map(str::to_owned)).collect()
}

fn both() -> Option<String> {
    Some(format!("{}, {}", tag_of(NEW), tag_of(OLD)))
}

#[tokio::test]
async fn the_tag_of_a_304_says_which_of_the_two_holds() {
    for body in [OLD, NEW] {
        let mut origin = Origin::start(move |asked| Answer::Close(github_answer(asked, body, None))).await;
        let draft = match ask_of(&origin).await {
            Fetched::NotModified(draft) if body == OLD => draft,
            Fetched::Proven(draft) if body == NEW => draft,
            other => panic!("{body}: {other:?}"),
        };
        assert_eq!(draft.content.body, body);
        assert_eq!(draft.validators.etag.as_deref(), Some(&*tag_of(body)));
        assert_eq!(sent(&mut origin), [both()]);
    }
}

#[tokio::test]
async fn if_neither_holds_the_answer_is_an_ordinary_one() {
    let mut origin = Origin::start(|asked| Answer::Close(github_answer(asked, NEWEST, None))).await;
    let Fetched::Fresh(draft) = ask_of(&origin).await else { panic!("it is a new answer") };
    assert_eq!(draft.content.body, NEWEST);
    assert_eq!(sent(&mut origin), [both()]);
}

/// Answers 304 without a tag if it knows the one of `body`.
fn nameless(asked: &Asked, body: &str) -> Answer {
    let tag = tag_of(body);
    let is_known = asked.field("if-none-match").is_some_and(|tags| tags.contains(&tag));
    Answer::Close(if is_known {
        b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec()
    } else {
        http("200 OK", &format!("etag: {tag}\r\ncontent-type: application/json\r\n"), body)
    })
}

#[tokio::test]
async fn a_304_that_does_not_say_which_is_followed_by_a_question_about_the_younger_alone() {
    let mut origin = Origin::start(|asked| nameless(asked, NEW)).await;
    let Fetched::Proven(draft) = ask_of(&origin).await else { panic!("it is proven") };
    assert_eq!(draft.content.body, NEW);
    assert_eq!(sent(&mut origin), [both(), Some(tag_of(NEW))]);

    let mut origin = Origin::start(|asked| nameless(asked, OLD)).await;
    let Fetched::Fresh(draft) = ask_of(&origin).await else { panic!("it is sent") };
    assert_eq!(draft.content.body, OLD);
    assert_eq!(sent(&mut origin), [both(), Some(tag_of(NEW))]);
}

#[tokio::test]
async fn a_304_about_neither_is_not_believed() {
    let mut origin = Origin::start(|asked| {
        Answer::Close(match asked.field("if-none-match") {
            Some(_) => b"HTTP/1.1 304 Not Modified\r\netag: \"other\"\r\n\r\n".to_vec(),
            None => github_answer(asked, NEWEST, None),
        })
    })
    .await;
    assert!(matches!(ask_of(&origin).await, Fetched::Fresh(_)));
    assert_eq!(sent(&mut origin), [both(), None]);
}

#[tokio::test]
async fn without_a_credential_the_own_entry_alone_is_asked_about() {
    let mut origin = Origin::start(|asked| Answer::Close(github_answer(asked, NEW, None))).await;
    let github = origin.builder().build().unwrap();
    assert!(matches!(ask(&github, &[]).await, Fetched::Fresh(_)));
    assert_eq!(sent(&mut origin), [Some(tag(Some("application/vnd.github+json"), None, OLD))]);
}
