//! The suite tested: nothing is held against a transport that is right, and nothing let pass in one that is not.

use super::{
    memory::{Fault, MemoryFactory},
    transport,
};

mod a_correct_transport_keeps {
    use super::MemoryFactory;

    crate::transport_conformance!(MemoryFactory::correct());
}

/// Each line: a fault, and the rules that must notice it.
macro_rules! faults {
    ($($test:ident: $fault:ident breaks $($rule:ident)+;)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $(
                    let outcome = transport::$rule(&MemoryFactory::with(Fault::$fault)).await;
                    let rule = stringify!($rule);
                    assert!(outcome.is_err(), "`{rule}` does not notice {:?}", Fault::$fault);
                )+
            }
        )+
    };
}

faults! {
    a_dial_without_an_answer_is_noticed: AnswersNoDial breaks
        addresses_that_cannot_be_dialled_fail_with_a_reason
        a_dial_that_nobody_answers_fails_in_time
        a_dialer_who_is_refused_moves_no_frame;
    an_admission_without_end_is_noticed: AwaitsAdmission breaks an_admission_without_an_answer_ends_in_time;
    belief_in_every_peer_is_noticed: BelievesEveryPeer breaks a_dial_that_expects_another_peer_fails;
    frames_cut_short_are_noticed: CutsLongFrames breaks frames_of_every_length_arrive_whole_both_ways;
    errors_that_say_something_else_are_noticed: CallsEverythingRefused breaks
        addresses_that_cannot_be_dialled_fail_with_a_reason
        a_dial_that_nobody_answers_fails_in_time
        a_dial_that_expects_another_peer_fails
        a_dial_of_a_connected_peer_says_so_and_changes_nothing
        a_full_node_says_so_and_keeps_whom_it_has
        an_admission_without_an_answer_ends_in_time
        a_node_does_not_dial_itself;
    an_idle_connection_that_ends_is_noticed: CutsIdle breaks an_idle_connection_lasts;
    a_node_that_dials_itself_is_noticed: DialsItself breaks a_node_does_not_dial_itself;
    doubled_frames_are_noticed: Doubles breaks
        ten_thousand_short_frames_arrive_in_order
        frames_of_each_lane_arrive_in_order;
    uncounted_drops_are_noticed: ForgetsDrops breaks
        a_full_queue_is_reported_and_counted_and_loses_nothing_that_was_queued;
    room_without_end_is_noticed: HasAlwaysRoom breaks a_full_node_says_so_and_keeps_whom_it_has;
    a_silent_peer_that_stays_is_noticed: IgnoresSilence breaks a_peer_that_falls_silent_is_disconnected_in_time;
    an_idle_gate_is_noticed: IgnoresTheGate breaks
        a_dialer_who_is_refused_moves_no_frame
        a_listener_who_is_refused_moves_no_frame
        an_admission_without_an_answer_ends_in_time;
    two_connections_with_one_peer_are_noticed: KeepsBoth breaks
        a_second_dial_leaves_one_connection_that_works
        a_dial_of_a_connected_peer_says_so_and_changes_nothing
        of_several_dials_at_once_one_makes_the_connection_that_stays
        nodes_that_dial_each_other_at_once_keep_one_connection;
    a_dead_connection_that_stays_is_noticed: KeepsTheDead breaks
        a_peer_that_restarted_unnoticed_is_connected_at_once;
    a_place_that_is_kept_is_noticed: KeepsThePlace breaks
        shutdown_is_idempotent_and_frees_the_port
        a_peer_that_restarted_is_connected_again;
    lost_frames_are_noticed: Loses breaks ten_thousand_short_frames_arrive_in_order;
    silently_dropped_frames_are_noticed: NeverFull breaks
        a_full_queue_is_reported_and_counted_and_loses_nothing_that_was_queued;
    a_queue_without_end_is_noticed: NoLimit breaks
        a_full_queue_is_reported_and_counted_and_loses_nothing_that_was_queued;
    one_limit_for_all_peers_is_noticed: OneLimit breaks a_peer_that_never_reads_delays_nobody_else;
    one_queue_for_all_peers_is_noticed: OneQueue breaks a_peer_that_floods_does_not_starve_others;
    frames_that_pass_one_way_are_noticed: OneWay breaks
        frames_of_every_length_arrive_whole_both_ways
        a_peer_that_restarted_is_connected_again;
    reversed_frames_are_noticed: Reverses breaks
        ten_thousand_short_frames_arrive_in_order
        frames_of_each_lane_arrive_in_order;
    lengths_without_limit_are_noticed: TakesEveryLength breaks
        a_frame_beyond_the_limit_is_refused_and_nothing_else_is;
    an_end_that_is_told_late_is_noticed: TellsLate breaks shutdown_is_idempotent_and_frees_the_port;
    an_end_that_is_not_told_is_noticed: TellsNobodyOfTheEnd breaks
        both_sides_hear_of_the_end_of_a_connection
        a_peer_that_restarted_is_connected_again
        shutdown_is_idempotent_and_frees_the_port;
}
