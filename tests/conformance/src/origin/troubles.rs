//! Rules about an origin that is not well.

use super::{Mood, OriginFactory, Wanted, document, kept};
use crate::Outcome;
use anyhow::{bail, ensure};
use cache_core::Fetched;
use std::time::Duration;

/// With its answer, if there is no better one.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_fault_of_the_origins_own_is_told_as_one(factory: &dyn OriginFactory) -> Outcome {
    let subject = factory.start().await?;
    subject.set_mood(Mood::Ill);
    match subject.fetch(Wanted::Document, None).await {
        Fetched::Fault { content } => ensure!(content.status == 503, "its status is {}", content.status),
        other => bail!("a 503 is told as {other:?}"),
    }
    Ok(())
}

/// And with the refusal, if there is no better answer.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_spent_quota_is_told_with_the_time_it_lasts(factory: &dyn OriginFactory) -> Outcome {
    let subject = factory.start().await?;
    subject.set_mood(Mood::Spent);
    match subject.fetch(Wanted::Document, None).await {
        Fetched::Throttled { content, retry_after, .. } => {
            ensure!(matches!(content.status, 403 | 429), "its status is {}", content.status);
            let is_sound = (LEAST_PAUSE..LONGEST_PAUSE).contains(&retry_after);
            ensure!(is_sound, "a quota that is spent for a minute or more lasts {retry_after:?}");
        }
        other => bail!("a spent quota is told as {other:?}"),
    }
    Ok(())
}

/// One that breaks off, that makes no sense, or that does not come: nothing of it is handed on.
///
/// # Errors
///
/// When the rule is broken.
pub async fn an_answer_that_is_no_whole_one_is_a_failure(factory: &dyn OriginFactory) -> Outcome {
    let subject = factory.start().await?;
    for mood in [Mood::BreaksOff, Mood::Garbage, Mood::Gone] {
        subject.set_mood(mood);
        let fetched = subject.fetch(Wanted::Document, None).await;
        ensure!(matches!(fetched, Fetched::Failed(_)), "{mood:?} is told as {fetched:?}");
    }
    Ok(())
}

/// It is not taken for an unchanged document, nor for a new one.
///
/// # Errors
///
/// When the rule is broken.
pub async fn trouble_never_renews_what_is_known(factory: &dyn OriginFactory) -> Outcome {
    let subject = factory.start().await?;
    let known = kept(document(&*subject).await?);
    for mood in TROUBLES {
        // Half of a 304 may be all of it, so there is something to break off.
        subject.change();
        subject.set_mood(mood);
        let fetched = subject.fetch(Wanted::Document, Some(known.clone())).await;
        let is_renewed = matches!(fetched, Fetched::Fresh(_) | Fetched::NotModified(_));
        ensure!(!is_renewed, "{mood:?} is told as {fetched:?}");
    }
    Ok(())
}

/// Nothing of it is remembered, and no connection that broke is used again.
///
/// # Errors
///
/// When the rule is broken.
pub async fn after_trouble_all_is_as_before(factory: &dyn OriginFactory) -> Outcome {
    let subject = factory.start().await?;
    let before = document(&*subject).await?;
    for mood in TROUBLES {
        subject.set_mood(mood);
        subject.fetch(Wanted::Document, None).await;
        subject.set_mood(Mood::Well);
        let after = document(&*subject).await?;
        ensure!(after.content.body == before.content.body, "after {mood:?} the document is another");
        let known = kept(after);
        let fetched = subject.fetch(Wanted::Document, Some(known)).await;
        ensure!(matches!(fetched, Fetched::NotModified(_)), "after {mood:?} it is told as {fetched:?}");
    }
    Ok(())
}

const TROUBLES: [Mood; 5] = [Mood::BreaksOff, Mood::Garbage, Mood::Gone, Mood::Ill, Mood::Spent];

/// A minute, less what a slow machine takes to ask.
const LEAST_PAUSE: Duration = Duration::from_secs(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2 * 60 * 60);
