//! That a measured fleet is what it says, and the same again.

use super::*;
use crate::{Deed, Dialing, Plan};
use cache_core::PeerSettings;

fn extent(nodes: Vec<usize>) -> Extent {
    Extent { seed: 1, nodes, minutes: MINUTES_MIN, codec_max: 10 }
}

#[test]
fn the_same_fleets_give_the_same_bytes_again() {
    let make = |seed| ScalePage::make(&Extent { seed, ..extent(vec![2, 12]) }, &mut |_step| {}).unwrap();
    assert_eq!(make(1), make(1));
    assert_ne!(make(1).page, make(2).page);
}

#[test]
fn figures_that_were_printed_make_the_same_page_as_the_runs() {
    let (extent, mut lines) = (extent(vec![2, 12]), Vec::new());
    let made = ScalePage::make(&extent, &mut |step| {
        if let Step::Measured(row) = step {
            lines.push(row.json().to_string());
        }
    });
    let read = |line: &String| Measured::of_json(&serde_json::from_str(line).unwrap()).unwrap();
    let rows: Vec<Measured> = lines.iter().map(read).collect();
    assert_eq!(ScalePage::of(&extent, &rows).unwrap(), made.unwrap());
    assert!(Measured::of_json(&serde_json::json!({ "nodes": 2 })).is_none());
}

#[test]
fn nodes_have_the_settings_that_a_user_gets() {
    for nodes in [2, 300, 10_000] {
        let plan = plan(1, nodes, MINUTES_MIN);
        assert_eq!(plan.peers, PeerSettings::default());
        assert_eq!(plan.dialing, Dialing::Ordered);
        assert!((1..=3).contains(&plan.contacts));
    }
}

#[test]
fn in_three_rough_minutes_a_tenth_of_the_nodes_goes_and_as_many_come() {
    let (nodes, minutes) = (100, 15);
    let schedule = Schedule::of(minutes);
    let Plan { events, contacts, .. } = plan(1, nodes, minutes);
    let later = events.iter().filter(|event| event.at > schedule.herd);
    let gone: Vec<usize> = later
        .clone()
        .filter_map(|event| match event.deed {
            Deed::Leave { node } | Deed::Crash { victim: crate::Victim::Node(node), .. } => Some(node),
            _ => None,
        })
        .collect();
    let came = later.filter(|event| matches!(event.deed, Deed::Join { .. })).count();
    let rough = (schedule.rough - schedule.herd).as_secs().div_ceil(60) as usize;
    assert_eq!((gone.len(), came), ((nodes * rough).div_ceil(30), gone.len()));
    assert!(gone.iter().all(|node| *node >= contacts), "a contact goes");
}

#[test]
fn a_small_fleet_makes_no_needless_call_and_leaves_nobody_alone() {
    let mut phases = Vec::new();
    let fleet = measure(1, 12, MINUTES_MIN, true, &mut |phase| phases.push(phase));
    assert_eq!(phases, ["forming", "idle", "reading", "newcomers", "reading", "herd", "rough"]);
    assert!(fleet.calm.calls <= 1.01, "{fleet:?}");
    assert_eq!((fleet.herd_calls, fleet.alone, fleet.failed), (1, (0, 0), 0), "{fleet:?}");
    assert_eq!(fleet.broken, vec![], "{fleet:?}");
    assert!(fleet.idle.connections > 10.9 && fleet.idle.bytes > 1.0, "{fleet:?}");
}
