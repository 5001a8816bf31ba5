//! The suite tested: nothing is held against a store that is right, and nothing let pass in one that is not.

use super::faulty::{Fault, FaultyFactory};

mod a_correct_store_keeps {
    use super::FaultyFactory;

    crate::store_conformance!(FaultyFactory(None));
}

/// Each line: a fault, and the rules that must notice it.
macro_rules! faults {
    ($($test:ident: $fault:ident breaks $($rule:ident)+;)+) => {
        $(
            #[test]
            fn $test() {
                $(
                    let outcome = super::$rule(&FaultyFactory(Some(Fault::$fault)));
                    let rule = stringify!($rule);
                    assert!(outcome.is_err(), "`{rule}` does not notice {:?}", Fault::$fault);
                )+
            }
        )+
    };
}

faults! {
    half_a_batch_is_noticed: BreaksBatches breaks a_batch_is_made_whole_or_not_at_all;
    uncounted_removals_are_noticed: CountsNothing breaks removals_answer_how_many_records_they_removed;
    puts_that_count_are_noticed: CountsPuts breaks
        removals_answer_how_many_records_they_removed
        a_later_entry_takes_the_place_of_an_earlier_one;
    bodies_cut_short_are_noticed: CutsBodies breaks what_is_put_is_loaded_whole;
    a_forgotten_age_is_noticed: ForgetsTheAge breaks what_is_put_is_loaded_whole;
    a_store_that_forgets_is_noticed: ForgetsWhenClosed breaks
        what_was_closed_is_there_again
        what_is_durable_survives_a_crash;
    a_store_without_bound_is_noticed: GrowsWithoutBound breaks
        the_oldest_stored_give_way_within_the_stores_own_budget;
    a_budget_of_bytes_that_is_ignored_is_noticed: IgnoresBytes breaks restoring_keeps_within_both_budgets;
    a_budget_of_entries_that_is_ignored_is_noticed: IgnoresEntries breaks restoring_keeps_within_both_budgets;
    a_prefix_in_every_domain_is_noticed: IgnoresTheDomain breaks
        a_prefix_means_what_begins_so_in_its_domain_alone;
    another_domains_entry_is_noticed: IgnoresTheKeysDomain breaks
        a_later_entry_takes_the_place_of_an_earlier_one
        a_prefix_means_what_begins_so_in_its_domain_alone;
    doubts_that_are_lost_are_noticed: KeepsNoDoubts breaks what_was_in_doubt_is_so_after_a_crash;
    an_earlier_entry_that_stays_is_noticed: KeepsTheEarlier breaks
        a_later_entry_takes_the_place_of_an_earlier_one
        restoring_begins_with_the_most_recently_stored;
    useless_entries_that_stay_are_noticed: KeepsTheUseless breaks
        a_sweep_removes_what_is_of_no_use_and_nothing_else;
    earlier_changes_that_are_lost_are_noticed: LosesTheEventual breaks what_is_durable_survives_a_crash;
    a_prefix_that_means_too_much_is_noticed: MistakesPrefixes breaks
        a_prefix_means_what_begins_so_in_its_domain_alone;
    changes_out_of_order_are_noticed: PutsFirst breaks changes_are_made_in_order;
    the_oldest_first_is_noticed: RestoresTheOldestFirst breaks
        restoring_begins_with_the_most_recently_stored
        restoring_keeps_within_both_budgets;
    useless_entries_that_come_back_are_noticed: RestoresTheUseless breaks
        restoring_leaves_out_what_is_of_no_use;
    unreadable_records_that_are_served_are_noticed: ServesTheUnreadable breaks
        a_record_that_cannot_be_read_is_none_and_is_skipped;
    one_bad_record_that_costs_all_is_noticed: StopsAtTheUnreadable breaks
        a_record_that_cannot_be_read_is_none_and_is_skipped;
    stale_entries_that_are_swept_are_noticed: SweepsTheStale breaks
        a_sweep_removes_what_is_of_no_use_and_nothing_else;
}
