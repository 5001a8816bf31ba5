//! Validators that a client brings, where nothing is held that its request could be answered from.

use crate::script::{Answer, Asked, Origin, github_answer, question, tag};
use cache_core::{Audience, Candidate, Content, Draft, Entry, Fetched, Key, Timestamp};
use cache_origin_github::{GitHub, Question};
use std::sync::Arc;

const BODY: &str = "{\"name\":\"site\"}";
const USUAL: &str = "application/vnd.github+json";
const OLD: &str = "application/vnd.github.v3+json";

async fn origin() -> Origin {
    Origin::start(|asked| Answer::Close(github_answer(asked, BODY, None))).await
}

async fn ask(github: &GitHub, fields: &[(&str, &str)]) -> Fetched {
    github.fetch(&question(github, "/repos/o/r", fields), None).await.fetched
}

fn unchanged(fetched: Fetched) -> Content {
    match fetched {
        Fetched::Unstorable { content, audience: Audience::Leader } if content.status == 304 => content,
        other => panic!("{other:?}"),
    }
}

fn fresh(fetched: Fetched) -> Draft {
    match fetched {
        Fetched::Fresh(draft) => draft,
        other => panic!("{other:?}"),
    }
}

fn entry(question: &Question, draft: Draft) -> Arc<Entry> {
    Arc::new(Entry::new(Key::new("r", question.domain()), draft, Timestamp::from_unix_millis(0), 0))
}

fn validators(asked: &[Asked]) -> Vec<Option<&str>> {
    asked.iter().map(|asked| asked.field("if-none-match")).collect()
}

#[tokio::test]
async fn a_tag_that_a_client_has_from_elsewhere_is_known_again_in_its_own_words() {
    for (accept, credential) in
        [(Some(OLD), "token ghp_a"), (None, "token ghp_a"), (Some(USUAL), "Bearer ghp_a")]
    {
        let mut origin = origin().await;
        let github = origin.builder().build().unwrap();
        let own = tag(accept, Some(credential), BODY);
        let weak = format!("\"other\", W/{own}");
        let mut fields = vec![("authorization", credential), ("if-none-match", &weak)];
        fields.extend(accept.map(|accept| ("accept", accept)));
        let content = unchanged(ask(&github, &fields).await);
        assert_eq!((content.headers.get_str("etag"), content.body.len()), (Some(&own[..]), 0));
        assert_eq!(validators(&origin.asked()), [Some(&weak[..])]);
        assert_eq!(github.stats(&[]).not_modified, 1);
    }
}

#[tokio::test]
async fn an_answer_to_a_client_that_knows_another_is_kept_as_if_asked_in_our_words() {
    let mut origin = origin().await;
    let github = origin.builder().build().unwrap();
    let fields = [("authorization", "token ghp_a"), ("accept", OLD), ("if-none-match", "\"old\"")];
    let question = question(&github, "/repos/o/r", &fields);
    let draft = fresh(github.fetch(&question, None).await.fetched);
    let ours = tag(Some(USUAL), Some("Bearer ghp_a"), BODY);
    assert_eq!(draft.content.headers.get_str("etag"), Some(&ours[..]));
    let renewed = github.fetch(&question, Some(Candidate::Own(entry(&question, draft)))).await.fetched;
    assert!(matches!(renewed, Fetched::NotModified(_)));
    assert_eq!(validators(&origin.asked()), [Some("\"old\""), Some(&ours[..])]);
}

#[tokio::test]
async fn words_in_which_clients_know_their_tags_are_learnt() {
    let origin = origin().await;
    let github = origin.builder().build().unwrap();
    let ours = tag(Some(USUAL), Some("Bearer ghp_a"), BODY);
    let own = tag(Some(OLD), Some("token ghp_a"), BODY);
    let words = [("authorization", "token ghp_a"), ("accept", OLD)];
    let with = |tag: &str| {
        let tag = tag.to_owned();
        let github = &github;
        async move { ask(github, &[words[0], words[1], ("if-none-match", &tag)]).await }
    };
    // The client got its tag through a daemon like this one, which asked in its own words.
    assert_eq!(fresh(with(&ours).await).content.headers.get_str("etag"), Some(&ours[..]));
    unchanged(with(&ours).await);
    // And back.
    fresh(with(&own).await);
    unchanged(with(&own).await);
}

#[tokio::test]
async fn a_date_is_a_validator_too() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let mut origin = Origin::saying("HTTP/1.1 304 Not Modified\r\n\r\n").await;
    let github = origin.builder().build().unwrap();
    unchanged(ask(&github, &[("authorization", "token ghp_a"), ("if-modified-since", date)]).await);
    assert_eq!(origin.asked()[0].field("if-modified-since"), Some(date));
}

#[tokio::test]
async fn what_validates_nothing_or_saves_nothing_is_not_sent() {
    let mut origin = origin().await;
    let github = origin.builder().build().unwrap();
    let own = tag(None, None, BODY);
    // Without a credential a 304 costs as much as an answer that all can have.
    fresh(ask(&github, &[("if-none-match", &own)]).await);
    let credential = ("authorization", "token ghp_a");
    for nothing in [("if-none-match", ""), ("if-none-match", "\"\""), ("if-modified-since", "0")] {
        fresh(ask(&github, &[credential, nothing]).await);
    }
    let asked = origin.asked();
    assert_eq!(validators(&asked), [None; 4]);
    assert!(asked.iter().all(|asked| asked.field("if-modified-since").is_none()));
}

#[tokio::test]
async fn what_is_held_is_asked_about_by_its_own_tag() {
    let mut origin = origin().await;
    let github = origin.builder().build().unwrap();
    let fields = [("authorization", "token ghp_a"), ("if-none-match", "\"mine\"")];
    let question = question(&github, "/repos/o/r", &fields);
    let draft = fresh(github.fetch(&question, None).await.fetched);
    github.fetch(&question, Some(Candidate::Own(entry(&question, draft)))).await;
    let ours = tag(Some(USUAL), Some("Bearer ghp_a"), BODY);
    assert_eq!(validators(&origin.asked()), [Some("\"mine\""), Some(&ours[..])]);
}
