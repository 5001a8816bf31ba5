//! What holds calls back now, as the daemon knows it.

use crate::{
    admin::AllowanceLine,
    settings::{Report, reserve},
};
use cache_core::{Priority, Reserves};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that holds calls of a payer back.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub(super) struct Hold {
    /// Digits that stand for a credential, behind the operator's name for it if there is one.
    pub(super) payer: String,
    /// Which rate limit, such as core.
    pub(super) resource: String,
    pub(super) by: By,
    /// The class of requests that is held back at a reserve; null if all are.
    pub(super) class: Option<Class>,
    /// Calls left, and of how many.
    remaining: u64,
    limit: u64,
    /// When it ends, in seconds since 1970.
    pub(super) until: u64,
}

/// By what calls are held: GitHub's word that the payer calls too often (pace), a reserve, or a spent window.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum By {
    Pace,
    Reserve,
    Window,
}

/// How much a request matters.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Class {
    Batch,
    Normal,
    Critical,
}

impl Class {
    const KEPT_FROM: [(Self, Priority); 2] =
        [(Self::Batch, Priority::Batch), (Self::Normal, Priority::Normal)];
}

/// What the running daemon keeps from which class.
pub(super) fn reserves(report: &Report) -> Reserves {
    let line = report.settings.iter().find(|line| line.name == "reserve");
    let given = line.into_iter().flat_map(|line| &line.values).filter_map(|text| reserve(text).ok());
    given.fold(Reserves::NONE, |reserves, (class, percent)| reserves.with(class, percent).unwrap_or(reserves))
}

/// What holds calls that draw on the rate limit `resource`, or on any, at `now`; of the window that ends at `reset` alone, if
/// one does.
pub(super) fn holds(
    quotas: &[AllowanceLine],
    reserves: Reserves,
    (resource, reset): (Option<&str>, Option<u64>),
    now: u64,
) -> Vec<Hold> {
    let mut found = Vec::new();
    for line in quotas.iter().rev() {
        let is_meant = resource.is_none_or(|resource| line.resource == resource);
        let hold = |by, class, until| Hold {
            payer: line.domain.clone(),
            resource: line.resource.clone(),
            by,
            class,
            remaining: line.remaining,
            limit: line.limit,
            until,
        };
        let pause = line.paused_until.filter(|until| *until > now).zip(line.paused_by.as_deref());
        match pause {
            Some((until, "pace")) => found.push(hold(By::Pace, None, until)),
            Some((until, _window)) if is_meant => found.push(hold(By::Window, None, until)),
            Some(_) => {}
            None if is_meant && line.reset > now => {
                let is_held = |class| {
                    let kept = reserves.kept_from(class, line.limit);
                    kept > 0 && line.remaining <= kept
                };
                let classes = Class::KEPT_FROM.into_iter().filter(|(_, class)| is_held(*class));
                found.extend(classes.map(|(class, _)| hold(By::Reserve, Some(class), line.reset)));
            }
            None => {}
        }
    }
    let is_of_reset = |hold: &Hold| reset == Some(hold.until);
    if found.iter().any(is_of_reset) {
        found.retain(|hold| is_of_reset(hold) || hold.by == By::Pace);
    }
    found.truncate(HOLDS_MAX);
    found
}

/// Most holds that are told.
const HOLDS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(payer: &str, resource: &str, remaining: u64) -> serde_json::Value {
        json!({ "domain": payer, "resource": resource, "limit": 100, "remaining": remaining, "used": 100 - remaining,
                "reset": 4600, "per_hour": null, "spent_at": null, "paused_until": null, "paused_by": null })
    }

    fn found(lines: &[serde_json::Value], resource: Option<&str>) -> Vec<(String, By, Option<Class>, u64)> {
        let lines: Vec<AllowanceLine> =
            lines.iter().map(|line| serde_json::from_value(line.clone()).unwrap()).collect();
        let reserves = Reserves::NONE.with(Priority::Batch, 20).unwrap().with(Priority::Normal, 5).unwrap();
        let holds = holds(&lines, reserves, (resource, None), 1000);
        holds.into_iter().map(|hold| (hold.payer, hold.by, hold.class, hold.until)).collect()
    }

    #[test]
    fn a_reserve_holds_the_classes_that_it_is_kept_from() {
        assert_eq!(found(&[line("a", "core", 21)], None), []);
        let batch = ("a".to_owned(), By::Reserve, Some(Class::Batch), 4600);
        let normal = ("a".to_owned(), By::Reserve, Some(Class::Normal), 4600);
        assert_eq!(found(&[line("a", "core", 20)], None), vec![batch.clone()]);
        assert_eq!(found(&[line("a", "core", 5)], None), [batch, normal]);
        assert_eq!(found(&[line("a", "search", 5)], Some("core")), []);
    }

    #[test]
    fn a_secondary_limit_holds_all_resources_and_a_spent_window_its_own() {
        let (mut paced, mut spent) = (line("a", "search", 50), line("b", "search", 0));
        (paced["paused_until"], paced["paused_by"]) = (json!(1060), json!("pace"));
        (spent["paused_until"], spent["paused_by"]) = (json!(4600), json!("window"));
        let (pace, window) =
            (("a".to_owned(), By::Pace, None, 1060), ("b".to_owned(), By::Window, None, 4600));
        assert_eq!(found(&[paced.clone(), spent.clone()], Some("core")), vec![pace.clone()]);
        assert_eq!(found(&[paced.clone(), spent.clone()], Some("search")), [window, pace]);
        paced["paused_until"] = json!(1000);
        assert_eq!(found(&[paced], Some("core")), [], "it is over");
    }
}
