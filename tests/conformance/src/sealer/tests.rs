//! The suite tested: nothing is held against a sealer that is right, and nothing let pass in one that is not.

use super::faulty::{Fault, FaultyFactory};

mod a_correct_sealer_keeps {
    use super::FaultyFactory;

    crate::sealer_conformance!(FaultyFactory(None));
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
    a_seal_that_proves_nothing_is_noticed: BelievesAnything breaks
        a_single_altered_bit_does_not_open
        sealed_bytes_show_nothing_of_what_they_hold
        stray_bytes_do_not_open
        what_another_key_sealed_does_not_open
        what_is_cut_or_lengthened_does_not_open
        what_was_sealed_in_another_context_does_not_open;
    contents_cut_short_are_noticed: CutsLong breaks what_is_sealed_opens_whole_with_its_key;
    one_key_for_all_is_noticed: HasOneKey breaks
        what_another_key_sealed_does_not_open
        without_the_key_a_name_is_another;
    one_name_for_all_is_noticed: HasOneName breaks equal_texts_have_equal_names_and_others_have_others;
    a_context_that_does_not_matter_is_noticed: IgnoresTheContext breaks
        what_was_sealed_in_another_context_does_not_open;
    a_tail_that_does_not_matter_is_noticed: IgnoresTheEnd breaks what_is_cut_or_lengthened_does_not_open;
    a_context_that_runs_into_the_content_is_noticed: JoinsTheContext breaks
        what_was_sealed_in_another_context_does_not_open;
    a_sealer_for_one_thread_is_noticed: KnowsOneThread breaks any_thread_may_seal_open_and_name;
    names_that_change_are_noticed: NamesAnew breaks
        equal_texts_have_equal_names_and_others_have_others
        any_thread_may_seal_open_and_name;
    names_without_a_key_are_noticed: NamesByHashAlone breaks without_the_key_a_name_is_another;
    names_that_can_be_read_are_noticed: NamesByText breaks a_name_shows_nothing_of_its_text;
    what_is_too_short_to_be_sealed_and_opens_is_noticed: OpensShort breaks
        stray_bytes_do_not_open
        what_is_cut_or_lengthened_does_not_open;
    contents_that_can_be_read_are_noticed: SealsNothing breaks sealed_bytes_show_nothing_of_what_they_hold;
}
