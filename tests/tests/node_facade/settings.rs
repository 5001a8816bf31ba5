//! How a node is set up: in any order, and refused with a word on what cannot be.

use crate::support::{ALICE, PUBLIC, ask, builder, get_by, github};
use cache_tests::origin::{Fault, FaultKind, ModelOrigin};
use fleet_cache::{
    Budget, FleetSecret, GitHub, GitHubBuilder, Libp2p, Node, NodeBuilder, Quic, RequestError, Settings,
    StartError,
    github::{ConfigError, RouteTable},
};
use std::{error::Error as _, time::Duration};

type Set<B> = fn(B) -> B;

/// Both orders of two settings.
fn both_orders<B>(builder: impl Fn() -> B, [one, other]: [Set<B>; 2]) -> [B; 2] {
    [other(one(builder())), one(other(builder()))]
}

#[tokio::test]
async fn a_budget_and_other_settings_undo_each_other_in_no_order() {
    let origin = ModelOrigin::start();
    let budget: Set<NodeBuilder> = |builder| builder.budget(Budget { entries_max: 7, bytes_max: 1 << 20 });
    let settings: Set<NodeBuilder> = |builder| {
        builder.settings(Settings { request_timeout: Duration::from_millis(100), ..Settings::default() })
    };
    for builder in both_orders(|| builder(github(&origin)), [budget, settings]) {
        let node = builder.start().await.unwrap();
        assert_eq!(node.stats().await.unwrap().max_cache_size, 7);
        origin.fault(Fault::always(FaultKind::Hang));
        assert!(matches!(ask(&node, get_by(ALICE, PUBLIC)).await, Err(RequestError::TimedOut)));
    }
    // Without a budget of its own, that of the settings counts.
    let few = Budget { entries_max: 3, bytes_max: 1 << 20 };
    let settings = Settings { budget: few, ..Settings::default() };
    let node = builder(github(&origin)).settings(settings).start().await.unwrap();
    assert_eq!(node.stats().await.unwrap().max_cache_size, 3);
}

#[test]
fn routes_and_the_lifetimes_of_what_no_route_names_undo_each_other_in_no_order() {
    let seconds = Duration::from_secs;
    let routes: Set<GitHubBuilder> = |builder| builder.routes(RouteTable::default());
    let times: Set<GitHubBuilder> = |builder| {
        let second = Duration::from_secs(1);
        builder.default_lifetime(second * 7).if_error(second * 8).while_revalidating(second * 9)
    };
    for builder in both_orders(GitHub::builder, [routes, times]) {
        let most = builder.build().unwrap().freshness_max("api.github.com/repos/acme/site json").unwrap();
        let times = (most.lifetime, most.if_error, most.while_revalidating);
        assert_eq!(times, (seconds(7), seconds(8), seconds(9)));
    }
}

#[test]
fn what_is_wrong_with_an_adapters_setting_is_told_when_it_is_built_and_the_first_of_several() {
    let refused = |builder: GitHubBuilder| builder.build().unwrap_err();
    let builder = GitHub::builder;
    assert!(
        matches!(refused(builder().origin("ftp://x")), ConfigError::Origin { value, .. } if &*value == "ftp://x")
    );
    assert!(matches!(refused(builder().route("nonsense")), ConfigError::Route { .. }));
    assert!(matches!(refused(builder().named_domain("", ["*"])), ConfigError::DomainName { .. }));
    assert!(matches!(refused(builder().forward_header("host")), ConfigError::ForwardHeader { .. }));
    let twice = builder().forward_header("host").origin("ftp://x").origin("http://127.0.0.1:1");
    assert!(matches!(twice.rules().unwrap_err(), ConfigError::ForwardHeader { .. }));
}

#[tokio::test]
async fn a_setting_with_which_nothing_could_be_answered_is_refused_by_its_name() {
    let settings = |change: fn(&mut Settings)| {
        let mut settings = Settings::default();
        change(&mut settings);
        settings
    };
    let origin = ModelOrigin::start();
    let with = |change| builder(github(&origin)).settings(settings(change));
    let wrong = [
        ("max_peers", builder(github(&origin)).max_peers(0)),
        ("settings.flights_max", with(|settings| settings.flights_max = 0)),
        ("settings.waiters_max", with(|settings| settings.waiters_max = 0)),
        ("settings.leaders_max", with(|settings| settings.leaders_max = 0)),
        ("settings.fetch_timeout", with(|settings| settings.fetch_timeout = Duration::ZERO)),
        ("settings.request_timeout", with(|settings| settings.request_timeout = Duration::ZERO)),
    ];
    for (name, builder) in wrong {
        let error = builder.start().await.unwrap_err();
        assert!(matches!(error, StartError::Setting { setting } if setting == name), "{error:?}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_told_by_the_start_with_the_address_in_it() {
    let builder = || {
        let github = GitHub::builder().build().unwrap();
        Node::builder(FleetSecret::generate().unwrap(), github)
    };
    for builder in
        [builder().transport(Quic::listen("nowhere")), builder().transport(Libp2p::listen("nowhere"))]
    {
        let error = builder.start().await.unwrap_err();
        assert!(matches!(error, StartError::Transport(_)), "{error:?}");
        let reason = error.source().expect("there is a reason").to_string();
        assert!(reason.contains("nowhere"), "{reason}");
    }
}
