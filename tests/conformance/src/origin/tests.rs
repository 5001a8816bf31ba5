//! The suite tested: nothing is held against an adapter that is right, and nothing let pass in one that is not.

use super::scripted::{Fault, ScriptedFactory};

mod a_correct_adapter_keeps {
    use super::ScriptedFactory;

    crate::origin_conformance!(ScriptedFactory(None));
}

/// Each line: a fault, and the rules that must notice it.
macro_rules! faults {
    ($($test:ident: $fault:ident breaks $($rule:ident)+;)+) => {
        $(
            #[tokio::test]
            async fn $test() {
                $(
                    let outcome = super::$rule(&ScriptedFactory(Some(Fault::$fault))).await;
                    let rule = stringify!($rule);
                    assert!(outcome.is_err(), "`{rule}` does not notice {:?}", Fault::$fault);
                )+
            }
        )+
    };
}

faults! {
    a_second_call_is_noticed: AsksTwice breaks every_fetch_is_one_call;
    belief_in_every_304_is_noticed: BelievesEvery304 breaks a_changed_document_is_fetched_anew;
    trouble_without_end_is_noticed: FailsForGood breaks after_trouble_all_is_as_before;
    a_forgotten_validator_is_noticed: ForgetsTheValidator breaks
        a_document_is_fetched_whole_with_what_is_needed_to_keep_it
        an_unchanged_document_is_renewed_and_stays_as_it_is;
    what_is_long_and_held_is_noticed: HoldsWhatIsLong breaks what_is_too_long_is_not_held;
    absence_that_lasts_is_noticed: KeepsAbsence breaks what_is_not_there_is_kept_for_a_moment_at_most;
    a_cookie_that_is_kept_is_noticed: KeepsCookies breaks nothing_of_one_call_or_connection_is_kept;
    a_quota_that_is_kept_is_noticed: KeepsWhatTheQuotaSays breaks nothing_of_one_call_or_connection_is_kept;
    an_adapter_that_never_revalidates_is_noticed: NeverRevalidates breaks
        an_unchanged_document_is_renewed_and_stays_as_it_is;
    a_spent_quota_without_a_pause_is_noticed: NamesNoPause breaks a_spent_quota_is_told_with_the_time_it_lasts;
    trouble_that_renews_is_noticed: RenewsOnTrouble breaks trouble_never_renews_what_is_known;
    a_body_that_is_renewed_away_is_noticed: RenewsTheBodyAway breaks
        an_unchanged_document_is_renewed_and_stays_as_it_is;
    half_an_answer_that_is_served_is_noticed: ServesHalves breaks an_answer_that_is_no_whole_one_is_a_failure;
    a_fault_that_is_kept_is_noticed: TakesFaultsForAnswers breaks
        a_fault_of_the_origins_own_is_told_as_one
        trouble_never_renews_what_is_known;
    a_fault_that_is_told_as_a_failure_is_noticed: TakesFaultsForFailures breaks
        a_fault_of_the_origins_own_is_told_as_one;
}
