//! How rules change: at once, as a whole, and for what is kept already too.

use crate::{GitHub, GitHubBuilder, Plan, Planned};
use cache_core::{Headers, Timestamp};
use http::{Request, request::Parts};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

const NOW: Timestamp = Timestamp::from_unix_millis(1_000_000);

fn request() -> Parts {
    let request =
        Request::get("/repos/acme/site").header("authorization", "token ghs_1").header("x-shard", "7");
    request.body(()).unwrap().into_parts().0
}

fn planned(github: &GitHub) -> (Planned, String) {
    let mut key = String::new();
    match github.plan(&request(), &mut key) {
        Plan::Cached(planned) => (planned, key),
        Plan::Pass(reason) => panic!("passed: {reason}"),
        Plan::Body => panic!("a read has no body"),
    }
}

fn adopt(github: &GitHub, rules: GitHubBuilder) {
    github.adopt(rules.rules().unwrap(), NOW);
}

fn routes(rules: &[&str]) -> GitHubBuilder {
    rules.iter().fold(GitHub::builder(), |builder, rule| builder.route(rule))
}

#[test]
fn a_request_ends_by_the_rules_that_it_was_planned_by() {
    let old = routes(&["/x = 1s", "/repos/** = 7s"]).forward_header("x-shard").named_domain("ci", ["ghs_*"]);
    let github = old.build().unwrap();
    let (before, key) = planned(&github);
    adopt(&github, GitHub::builder());

    // The table of routes is shorter by now, and the field is not sent any more.
    let question = github.question(&request(), &before);
    assert_eq!(question.domain(), before.domain);
    let by_shard = Headers::from_iter([("vary", "x-shard")]);
    assert!(github.suits(&by_shard, &request(), &before));

    let (after, other) = planned(&github);
    assert!(!github.suits(&by_shard, &request(), &after));
    assert_ne!(before.domain, after.domain);
    assert_ne!(key, other);
    assert_eq!(after.directives.grant.most.lifetime, Duration::from_secs(300));
    assert_eq!(before.directives.grant.most.lifetime, Duration::from_secs(7));
}

#[test]
fn no_plan_is_made_of_two_sets_of_rules() {
    let named =
        || routes(&["/repos/** = 7s"]).named_domain("ci", ["ghs_*"]).max_stale(Duration::from_secs(7));
    let plain = || routes(&["/repos/** = 9s"]).max_stale(Duration::from_secs(9));
    let github = named().build().unwrap();
    let (in_name, _) = planned(&github);
    let end = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = [0_u32; 2];
                    while !end.load(Ordering::Relaxed) || seen.contains(&0) {
                        let (planned, _) = planned(&github);
                        let seconds = planned.directives.grant.most.lifetime.as_secs();
                        assert_eq!(planned.rules.max_stale.as_secs(), seconds);
                        assert_eq!(planned.domain == in_name.domain, seconds == 7);
                        seen[usize::from(seconds == 7)] += 1;
                    }
                })
            })
            .collect();
        for round in 0..500 {
            adopt(&github, if round % 2 == 0 { plain() } else { named() });
        }
        end.store(true, Ordering::Relaxed);
        // A reader that saw only one set waits for the other.
        while !readers.iter().all(thread::ScopedJoinHandle::is_finished) {
            adopt(&github, plain());
            thread::yield_now();
            adopt(&github, named());
            thread::yield_now();
        }
    });
}

#[test]
fn what_is_older_is_asked_about_where_the_old_rules_may_have_believed_more() {
    let table: [(&[&str], &[&str], bool); 10] = [
        (&[], &["/a = 5s"], false),
        (&["/a = 9s"], &["/a = 5s"], false),
        (&["/a = 9s"], &["/a = never"], false),
        (&["/a = 9s"], &["/a = 9s", "/b = 1s"], false),
        (&["/a = 9s unsettled=1s"], &["/a = 9s unsettled=2s"], false),
        (&["/a = 9s"], &[], true),
        (&["/a = 9s"], &["/b = 9s"], true),
        (&["/a = 9s", "/b = 1s"], &["/b = 1s", "/a = 9s"], true),
        (&["/a = 9s"], &["/b = 1s", "/a = 9s"], true),
        (&["/a = 9s unsettled=2s"], &["/a = 9s unsettled=1s"], true),
    ];
    for (old, new, is_asked) in table {
        let github = routes(old).build().unwrap();
        adopt(&github, routes(new));
        let asked_from = planned(&github).0.directives.grant.born_from;
        assert_eq!(asked_from > NOW, is_asked, "{old:?} to {new:?}");
    }
    let github = GitHub::builder().build().unwrap();
    adopt(&github, GitHub::builder().respect_origin_max_age(true));
    let first = planned(&github).0.directives.grant.born_from;
    assert!(first > NOW);
    // A later change that believes no less does not take it back.
    adopt(&github, GitHub::builder().respect_origin_max_age(true).max_stale(Duration::ZERO));
    assert_eq!(planned(&github).0.directives.grant.born_from, first);
}

#[test]
fn what_was_counted_outlives_the_rules() {
    let github = GitHub::builder().build().unwrap();
    github.rules().recipes.observe(0, true, std::time::Instant::now());
    adopt(&github, routes(&["/a = 1s"]));
    assert_eq!(github.stats(&[]).recipe.matches, 1);
}

#[test]
fn rules_keep_the_nodes_own_credential_in_its_domain() {
    let credential = crate::Credential::from_token("ghs_own").unwrap();
    let github = GitHub::builder().credential(credential).build().unwrap();
    let (parts, ()) = Request::get("/user/repos").body(()).unwrap().into_parts();
    let domain = |github: &GitHub| match github.plan(&parts, &mut String::new()) {
        Plan::Cached(planned) => planned.domain,
        Plan::Pass(reason) => panic!("passed: {reason}"),
        Plan::Body => panic!("a read has no body"),
    };
    let before = domain(&github);
    adopt(&github, GitHub::builder());
    assert_eq!(domain(&github), before);
}
