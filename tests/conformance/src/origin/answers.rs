//! Rules about an origin that is well.

use super::{ABSENCE_MAX, Mood, OriginFactory, Wanted, document, kept};
use crate::Outcome;
use anyhow::{bail, ensure};
use cache_core::Fetched;
use std::time::Duration;

/// Status, body and fields, a time for which it may be served, and a validator to ask with later.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_document_is_fetched_whole_with_what_is_needed_to_keep_it(
    factory: &dyn OriginFactory,
) -> Outcome {
    let subject = factory.start().await?;
    let draft = document(&*subject).await?;
    ensure!(draft.content.status == 200, "its status is {}", draft.content.status);
    ensure!(!draft.content.body.is_empty(), "it has no body");
    ensure!(draft.content.headers.get("content-type").is_some(), "its fields are lost");
    ensure!(!draft.freshness.lifetime.is_zero(), "it may not be served at all");
    let validators = &draft.validators;
    ensure!(validators.etag.is_some() || validators.last_modified.is_some(), "it cannot be revalidated");
    ensure!(draft.age < Duration::from_secs(60), "it is {:?} old at once", draft.age);
    let again = document(&*subject).await?;
    ensure!(again.content.body == draft.content.body, "without a change it is another");
    Ok(())
}

/// Its body, its status and its type are what they were; its times count anew, and it can be asked for again.
///
/// # Errors
///
/// When the rule is broken.
pub async fn an_unchanged_document_is_renewed_and_stays_as_it_is(factory: &dyn OriginFactory) -> Outcome {
    let subject = factory.start().await?;
    let first = document(&*subject).await?;
    let mut known = kept(first.clone());
    for round in 0..3 {
        let renewed = match subject.fetch(Wanted::Document, Some(known)).await {
            Fetched::NotModified(draft) => draft,
            other => bail!("round {round}: an unchanged document is told as {other:?}"),
        };
        ensure!(renewed.content.body == first.content.body, "round {round}: the body is another");
        ensure!(renewed.content.status == first.content.status, "round {round}: the status is another");
        let is_same = |name| renewed.content.headers.get(name) == first.content.headers.get(name);
        ensure!(is_same("content-type") && is_same("etag"), "round {round}: what describes the body changed");
        ensure!(renewed.freshness == first.freshness, "round {round}: it may be served otherwise");
        ensure!(renewed.age < Duration::from_secs(60), "round {round}: it is {:?} old", renewed.age);
        known = kept(renewed);
    }
    Ok(())
}

/// Whatever is known of it, and whether or not anything is.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_changed_document_is_fetched_anew(factory: &dyn OriginFactory) -> Outcome {
    let subject = factory.start().await?;
    let first = document(&*subject).await?;
    subject.change();
    match subject.fetch(Wanted::Document, Some(kept(first.clone()))).await {
        Fetched::Fresh(draft) => ensure!(draft.content.body != first.content.body, "it has the old body"),
        other => bail!("a changed document is told as {other:?}"),
    }
    ensure!(
        document(&*subject).await?.content.body != first.content.body,
        "asked for anew it is the old one"
    );
    Ok(())
}

/// Of whatever outcome: quota is what this cache is to spare.
///
/// # Errors
///
/// When the rule is broken.
pub async fn every_fetch_is_one_call(factory: &dyn OriginFactory) -> Outcome {
    let subject = factory.start().await?;
    let known = kept(document(&*subject).await?);
    for (wanted, known, mood) in [
        (Wanted::Document, None, Mood::Well),
        (Wanted::Document, Some(&known), Mood::Well),
        (Wanted::Missing, None, Mood::Well),
        (Wanted::Long, None, Mood::Well),
        (Wanted::Document, None, Mood::Ill),
        (Wanted::Document, Some(&known), Mood::Ill),
        (Wanted::Document, None, Mood::Spent),
    ] {
        subject.set_mood(mood);
        let before = subject.calls();
        subject.fetch(wanted, known.cloned()).await;
        let calls = subject.calls() - before;
        ensure!(calls == 1, "{wanted:?} of an origin that is {mood:?} makes {calls} calls");
    }
    Ok(())
}

/// Not even when it is renewed: a later reader of the answer had no part in that call.
///
/// # Errors
///
/// When the rule is broken.
pub async fn nothing_of_one_call_or_connection_is_kept(factory: &dyn OriginFactory) -> Outcome {
    let subject = factory.start().await?;
    let draft = document(&*subject).await?;
    let renewed = match subject.fetch(Wanted::Document, Some(kept(draft.clone()))).await {
        Fetched::NotModified(renewed) => renewed,
        other => bail!("an unchanged document is told as {other:?}"),
    };
    for draft in [draft, renewed] {
        for (name, _) in draft.content.headers.iter() {
            let is_of_call = OF_CALL.contains(&name) || name.starts_with("x-ratelimit-");
            ensure!(!is_of_call, "`{name}` is kept");
        }
    }
    Ok(())
}

/// Nor does it stand in for anything once that moment is over.
///
/// # Errors
///
/// When the rule is broken.
pub async fn what_is_not_there_is_kept_for_a_moment_at_most(factory: &dyn OriginFactory) -> Outcome {
    let subject = factory.start().await?;
    match subject.fetch(Wanted::Missing, None).await {
        Fetched::Fresh(draft) => {
            ensure!(draft.content.status == 404, "what is not there has status {}", draft.content.status);
            ensure!(draft.freshness.lifetime <= ABSENCE_MAX, "it lasts {:?}", draft.freshness.lifetime);
            let past = draft.freshness.if_error.max(draft.freshness.while_revalidating);
            ensure!(past.is_zero(), "it stands in for {past:?} more");
        }
        Fetched::Unstorable { content, .. } => {
            ensure!(content.status == 404, "what is not there has status {}", content.status);
        }
        other => bail!("what is not there is told as {other:?}"),
    }
    Ok(())
}

/// It is told as such, and leaves nothing of itself to keep.
///
/// # Errors
///
/// When the rule is broken.
pub async fn what_is_too_long_is_not_held(factory: &dyn OriginFactory) -> Outcome {
    let subject = factory.start().await?;
    let fetched = subject.fetch(Wanted::Long, None).await;
    ensure!(fetched == Fetched::Oversize, "what is too long is told as {fetched:?}");
    Ok(())
}

/// Of the connection (RFC 9110, section 7.6.1), of the visitor, of the way.
const OF_CALL: [&str; 8] = [
    "age",
    "connection",
    "content-encoding",
    "content-length",
    "keep-alive",
    "set-cookie",
    "transfer-encoding",
    "x-github-request-id",
];
