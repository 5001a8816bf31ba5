//! What a comparison must show, and that it shows it twice.

use super::*;
use crate::document::{Document, Extent};

fn measured(policy: Policy, nodes: usize) -> Measured {
    policy.measure(&workload(1, nodes))
}

#[test]
fn a_comparison_of_small_fleets_gives_the_same_bytes_again() {
    let extent = Extent { seed: 3, nodes: vec![1, 3], fleets: vec![2] };
    let make = |extent: &Extent| Document::make(extent, &mut |_line| {}).unwrap();
    let document = make(&extent);
    assert_eq!(document, make(&extent));
    assert_ne!(document.page, make(&Extent { seed: 4, ..extent }).page);
}

#[test]
fn all_policies_get_the_same_requests() {
    let plan = workload(1, 5);
    let asked = plan.events.iter().filter(|event| matches!(event.deed, crate::Deed::Get { .. })).count();
    for policy in Policy::ALL {
        assert_eq!(policy.measure(&plan).requests, asked as u64, "{policy:?}");
    }
}

#[test]
fn without_a_cache_every_request_is_a_call() {
    let direct = measured(Policy::Direct, 5);
    assert_eq!(direct.calls, direct.requests);
    assert_eq!(direct.bytes, 0);
}

#[test]
fn a_central_proxy_calls_on_nearly_every_request_and_pays_for_what_changed() {
    let (proxy, direct) = (measured(Policy::Proxy, 5), measured(Policy::Direct, 5));
    assert!(proxy.calls * 10 >= direct.calls * 9, "{proxy:?}");
    assert!(proxy.calls_paid * 4 <= direct.calls_paid, "{proxy:?}");
    assert_eq!(proxy.outdated_p50, 0);
    assert!(proxy.bytes > 0);
}

#[test]
fn members_that_broadcast_without_coalescing_pay_more_than_a_fleet_and_send_more() {
    let (broadcast, fleet) = (measured(Policy::Broadcast, 10), measured(Policy::Fleet, 10));
    assert!(broadcast.calls_paid > fleet.calls_paid, "{broadcast:?}\n{fleet:?}");
    assert!(broadcast.bytes > fleet.bytes, "{broadcast:?}\n{fleet:?}");
}

#[test]
fn a_fleet_pays_least_of_all_but_the_proxy_that_calls_always() {
    let fleet = measured(Policy::Fleet, 10);
    for policy in [Policy::Direct, Policy::EachItsOwn, Policy::Broadcast] {
        assert!(measured(policy, 10).calls_paid > fleet.calls_paid, "{policy:?}");
    }
}

#[test]
fn no_answer_of_a_fleet_is_outdated_for_longer_than_a_lifetime_and_the_outage() {
    let most = LIFETIME + (OUTAGE.end - OUTAGE.start) + Duration::from_secs(15);
    assert!(measured(Policy::Fleet, 5).outdated_p99 <= most.as_millis() as u64);
}

#[test]
fn alone_a_member_of_a_fleet_does_what_a_cache_of_its_own_does() {
    let (alone, fleet) = (measured(Policy::EachItsOwn, 1), measured(Policy::Fleet, 1));
    assert_eq!((alone.calls, alone.calls_paid), (fleet.calls, fleet.calls_paid));
}
