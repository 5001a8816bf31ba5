//! The rules of [`cache_core::port::Transport`].
//!
//! A transport's own test file names them all in one line:
//!
//! ```ignore
//! cache_conformance::transport_conformance!(QuicFactory);
//! ```

mod admission;
mod connections;
mod frames;
mod pressure;

pub use {admission::*, connections::*, frames::*, pressure::*};

/// Makes a test of each rule, for the transports that the given [`super::Factory`] starts.
#[macro_export]
macro_rules! transport_conformance {
    ($factory:expr) => {
        $crate::transport_conformance! { @rules $factory;
            a_dial_of_a_connected_peer_says_so_and_changes_nothing
            a_dialer_who_is_refused_moves_no_frame
            a_frame_beyond_the_limit_is_refused_and_nothing_else_is
            a_frame_for_nobody_is_refused
            a_full_node_says_so_and_keeps_whom_it_has
            a_full_queue_is_reported_and_counted_and_loses_nothing_that_was_queued
            a_dial_that_expects_another_peer_fails
            a_dial_that_nobody_answers_fails_in_time
            a_listener_who_is_refused_moves_no_frame
            a_node_does_not_dial_itself
            a_peer_that_falls_silent_is_disconnected_in_time
            a_peer_that_floods_does_not_starve_others
            a_peer_that_never_reads_delays_nobody_else
            a_peer_that_restarted_is_connected_again
            a_peer_that_restarted_unnoticed_is_connected_at_once
            a_second_dial_leaves_one_connection_that_works
            addresses_that_cannot_be_dialled_fail_with_a_reason
            an_admission_without_an_answer_ends_in_time
            an_idle_connection_lasts
            both_sides_hear_of_a_connection
            both_sides_hear_of_the_end_of_a_connection
            figures_count_what_moved
            frames_of_each_lane_arrive_in_order
            frames_of_every_length_arrive_whole_both_ways
            nodes_that_dial_each_other_at_once_keep_one_connection
            of_several_dials_at_once_one_makes_the_connection_that_stays
            shutdown_is_idempotent_and_frees_the_port
            ten_thousand_short_frames_arrive_in_order
        }
    };
    (@rules $factory:expr; $($rule:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                $crate::transport::$rule(&$factory).await.unwrap();
            }
        )+
    };
}

/// Texts that no transport can dial. The first part is what users have really written.
pub const BAD_ADDRESSES: &[&str] = &[
    "",
    "garbage",
    "/ip4/256.256.256.256/tcp/9100",
    "/ip4/256.256.256.256/udp/9100/quic-v1",
    "/ip4/127.0.0.1/tcp/99999",
    "/ip4/127.0.0.1/udp/99999/quic-v1",
    "/ip4garbage/tcp//p2p/",
    "/ip4/127.0.0.1",
    "127.0.0.1:9100",
    "/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN",
    "/ip4/127.0.0.1/udp/9100/quic-v1/p2p/nobody",
    "\0",
    "/ip4/127.0.0.1/udp/9100/quic-v1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN/p2p-circuit",
];
