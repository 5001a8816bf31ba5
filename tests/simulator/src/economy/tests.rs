//! What is wanted of a fleet's economy, and that its plans are what they say.

use super::*;

#[test]
fn a_small_fleet_keeps_within_all_that_is_wanted_of_its_economy() {
    let economy = Economy::measure(1, 5);
    assert!(economy.calls_calm < 1.005, "{economy:?}");
    assert!(economy.calls_rough <= 1.05, "{economy:?}");
    assert!(economy.announcements <= 5.0, "{economy:?}");
    assert!(economy.announcement_bytes <= 200.0, "{economy:?}");
    assert!(economy.peak_at_expiry <= 2.0 && economy.peak_at_reset <= 2.0, "{economy:?}");
}

#[test]
fn what_a_rough_fleet_goes_through_is_as_rough_as_it_says() {
    let plan = rough(1, 20);
    let goes = |event: &&Event| matches!(event.deed, Deed::Leave { .. } | Deed::Crash { .. });
    let minutes = RUN.as_secs() as usize / 60;
    assert_eq!(plan.events.iter().filter(goes).count(), minutes * 20 / 10);
    assert_eq!(plan.network.loss_per_mille, 50);
}
