//! Freshness against plain integers, and against the arithmetic of another implementation.

use cache_core::{
    Content, Domain, Draft, Entry, Key, Timestamp, Validators,
    freshness::{self, Directives, Freshness, Grant, Usable},
};
use http_cache_semantics::{BeforeRequest, CacheOptions, CachePolicy};
use proptest::{prelude::*, test_runner::FileFailurePersistence};
use std::time::{Duration, SystemTime};

/// A response and a request in seconds, all of the same size so that they meet.
#[derive(Clone, Copy, Debug)]
struct Case {
    lifetime: i64,
    while_revalidating: i64,
    if_error: i64,
    /// How old the response was when it came.
    age_at_first: i64,
    /// How long ago that was; negative when the clock was set back since.
    elapsed: i64,
    max_age: Option<i64>,
    min_fresh: i64,
    max_stale: i64,
    no_cache: bool,
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 6000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/regressions/freshness.txt"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn integers_agree(case in case(-20..40)) {
        let (entry, now) = entry_and_now(&case);
        let age = case.age_at_first + case.elapsed;
        let left = if age < 0 { 0 } else { (case.lifetime - age).max(0) };
        let overdue = (age - case.lifetime).max(0);
        prop_assert_eq!(freshness::age(&entry, now), seconds(age.max(0)));
        prop_assert_eq!(freshness::remaining(&entry, now), seconds(left));
        prop_assert_eq!(freshness::staleness(&entry, now), seconds(overdue));

        let refused = case.no_cache || case.max_age.is_some_and(|max_age| age > max_age);
        let expected = if refused {
            Usable::AfterRevalidation
        } else if left > 0 {
            if left >= case.min_fresh { Usable::Fresh } else { Usable::AfterRevalidation }
        } else if age < 0 || case.min_fresh > 0 {
            Usable::AfterRevalidation
        } else if case.max_stale > 0 && overdue <= case.max_stale && overdue < case.if_error {
            Usable::AcceptedStale
        } else if overdue < case.while_revalidating {
            Usable::WhileRevalidating
        } else {
            Usable::AfterRevalidation
        };
        prop_assert_eq!(freshness::usable(&entry, &directives(&case), now), expected);
        prop_assert_eq!(freshness::stands_in(&entry, &Grant::EVERYTHING, now), left > 0 || overdue < case.if_error);
    }

    /// A grant makes of an entry what one that was kept for no longer would be.
    #[test]
    fn a_grant_cuts_what_an_entry_says_of_itself(case in case(-20..40), most in [0..20_i64, 0..20, 0..20], born in -20..40_i64) {
        let (generous, now) = entry_and_now(&case);
        let [lifetime, while_revalidating, if_error] = most;
        let cut = Case {
            lifetime: case.lifetime.min(lifetime),
            while_revalidating: case.while_revalidating.min(while_revalidating),
            if_error: case.if_error.min(if_error),
            ..case
        };
        let (strict, _) = entry_and_now(&cut);
        let most = Freshness {
            lifetime: seconds(lifetime),
            while_revalidating: seconds(while_revalidating),
            if_error: seconds(if_error),
        };
        let plain = directives(&case);
        let grant = Grant { most, ..Grant::EVERYTHING };
        let granted = Directives { grant, ..plain };
        prop_assert_eq!(freshness::usable(&generous, &granted, now), freshness::usable(&strict, &plain, now));
        prop_assert_eq!(
            freshness::stands_in(&generous, &grant, now),
            freshness::stands_in(&strict, &Grant::EVERYTHING, now)
        );
        prop_assert_eq!(freshness::time_left(&generous, &grant, now), freshness::remaining(&strict, now));
        prop_assert_eq!(freshness::overdue(&generous, &grant, now), freshness::staleness(&strict, now));

        let born_from = RECEIVED.saturating_sub(seconds(born.max(0)));
        let dated = Directives { grant: Grant { born_from, ..Grant::EVERYTHING }, ..plain };
        let expected = if generous.born() < born_from {
            Usable::AfterRevalidation
        } else {
            freshness::usable(&generous, &plain, now)
        };
        prop_assert_eq!(freshness::usable(&generous, &dated, now), expected);
    }

    /// Where `http-cache-semantics` knows the rule: it has no `stale-while-revalidate`, and it takes an entry that is
    /// stale by exactly `max-stale` for too stale, where RFC 9111, section 5.2.1.2, says "no more than". How long an
    /// entry may be stale at all is not part of the rule.
    #[test]
    fn another_implementation_agrees(case in case(0..40)) {
        let case = Case { if_error: i64::from(u16::MAX), ..case };
        let (entry, now) = entry_and_now(&case);
        let overdue = case.age_at_first + case.elapsed - case.lifetime;
        prop_assume!(case.max_stale == 0 || overdue != case.max_stale);

        let uri = "https://api.github.com/user";
        let response = http::Response::builder()
            .header("cache-control", format!("private, max-age={}", case.lifetime))
            .header("age", case.age_at_first)
            .body(())
            .unwrap();
        let request = http::Request::builder().uri(uri).body(()).unwrap();
        let options = CacheOptions { shared: false, ..CacheOptions::default() };
        let received = system_time(RECEIVED);
        let policy = CachePolicy::new_options(&request, &response, received, options);
        prop_assert_eq!(freshness::age(&entry, now), policy.age(system_time(now)));
        prop_assert_eq!(freshness::remaining(&entry, now), policy.time_to_live(system_time(now)));

        let request = http::Request::builder().uri(uri).header("cache-control", header(&case)).body(()).unwrap();
        let theirs = matches!(policy.before_request(&request, system_time(now)), BeforeRequest::Fresh(_));
        let ours = freshness::usable(&entry, &directives(&case), now);
        prop_assert_eq!(matches!(ours, Usable::Fresh | Usable::AcceptedStale), theirs, "{:?}", ours);
    }

    #[test]
    fn no_number_is_too_large(
        numbers in prop::array::uniform6(prop_oneof![Just(0), 0..1000_u64, Just(u64::MAX), any::<u64>()]),
        directives in prop::array::uniform3(prop_oneof![Just(Duration::ZERO), Just(Duration::MAX)]),
    ) {
        let [received, now, age, lifetime, while_revalidating, if_error] = numbers;
        let freshness = Freshness {
            lifetime: Duration::from_millis(lifetime),
            while_revalidating: Duration::from_secs(while_revalidating),
            if_error: Duration::from_secs(if_error),
        };
        let entry = entry(freshness, Duration::from_secs(age), Timestamp::from_unix_millis(received));
        let now = Timestamp::from_unix_millis(now);
        let [max_age, min_fresh, max_stale] = directives;
        let directives = Directives { max_age: Some(max_age), min_fresh, max_stale, ..Directives::default() };
        let usable = freshness::usable(&entry, &directives, now);
        let is_fresh = entry.born() <= now && now < entry.fresh_until();
        prop_assert_eq!(freshness::remaining(&entry, now) > Duration::ZERO, is_fresh);
        prop_assert!(usable != Usable::Fresh || is_fresh);
        // The difference of any two moments, to look at the arithmetic from the other side.
        prop_assert_eq!(entry.born().saturating_add(freshness::age(&entry, now)), entry.born().max(now));
    }
}

fn case(elapsed: std::ops::Range<i64>) -> impl Strategy<Value = Case> {
    let response = (0..20_i64, 0..20_i64, 0..20_i64, 0..20_i64, elapsed);
    let request = (prop::option::of(0..40_i64), 0..20_i64, 0..20_i64, prop::bool::weighted(0.1));
    let rare_min_fresh = prop::bool::weighted(0.3);
    (response, request, rare_min_fresh).prop_map(|(response, request, has_min_fresh)| {
        let (lifetime, while_revalidating, if_error, age_at_first, elapsed) = response;
        let (max_age, min_fresh, max_stale, no_cache) = request;
        let min_fresh = if has_min_fresh { min_fresh } else { 0 };
        Case {
            lifetime,
            while_revalidating,
            if_error,
            age_at_first,
            elapsed,
            max_age,
            min_fresh,
            max_stale,
            no_cache,
        }
    })
}

fn entry_and_now(case: &Case) -> (Entry, Timestamp) {
    let freshness = Freshness {
        lifetime: seconds(case.lifetime),
        while_revalidating: seconds(case.while_revalidating),
        if_error: seconds(case.if_error),
    };
    let now = if case.elapsed < 0 {
        RECEIVED.saturating_sub(seconds(-case.elapsed))
    } else {
        RECEIVED.saturating_add(seconds(case.elapsed))
    };
    (entry(freshness, seconds(case.age_at_first), RECEIVED), now)
}

fn entry(freshness: Freshness, age: Duration, received: Timestamp) -> Entry {
    let draft = Draft { content: Content::of_value("v"), freshness, validators: Validators::default(), age };
    Entry::new(Key::new("r", Domain::ANONYMOUS), draft, received, 0)
}

fn directives(case: &Case) -> Directives {
    Directives {
        max_age: case.max_age.map(seconds),
        min_fresh: seconds(case.min_fresh),
        max_stale: seconds(case.max_stale),
        no_cache: case.no_cache,
        only_if_cached: false,
        grant: Grant::EVERYTHING,
    }
}

/// The request's `Cache-Control` as a client would write it.
fn header(case: &Case) -> String {
    let mut directives = Vec::new();
    directives.extend(case.max_age.map(|max_age| format!("max-age={max_age}")));
    if case.min_fresh > 0 {
        directives.push(format!("min-fresh={}", case.min_fresh));
    }
    if case.max_stale > 0 {
        directives.push(format!("max-stale={}", case.max_stale));
    }
    if case.no_cache {
        directives.push("no-cache".into());
    }
    directives.join(", ")
}

fn seconds(count: i64) -> Duration {
    Duration::from_secs(count.try_into().expect("only called with what is not negative"))
}

fn system_time(timestamp: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(timestamp.as_unix_millis())
}

const RECEIVED: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);
