//! The classic cache calls: one run for all, honest errors, and nothing to do with GitHub's resources.

use crate::support::{ALICE, PUBLIC, SOON, answer, get_by, origin_and_node, post, send};
use bytes::Bytes;
use cache_tests::eventually;
use fleet_cache::{
    GitHub, Node, PutValueError, Settings, VALUE_KEY_BYTES_MAX, ValueError, entry::BODY_BYTES_MAX,
};
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

const MINUTE: Duration = Duration::from_secs(60);

async fn node() -> Node {
    let github = GitHub::builder().build().expect("the defaults are in range");
    Node::builder(None, github).start().await.expect("a node without a directory starts")
}

async fn never() -> Result<Bytes, Infallible> {
    panic!("nothing is to be fetched")
}

#[tokio::test]
async fn any_number_of_callers_at_once_cost_one_run() {
    for count in [10, 1_000] {
        let node = node().await;
        let (runs, gate) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let callers: Vec<_> = (0..count)
            .map(|_| {
                let (node, runs, gate) = (node.clone(), Arc::clone(&runs), Arc::clone(&gate));
                tokio::spawn(async move {
                    let fetch = async move || {
                        runs.fetch_add(1, Ordering::Relaxed);
                        gate.notified().await;
                        Ok::<_, Infallible>("value")
                    };
                    node.values().get_or_fetch("key", MINUTE, fetch).await
                })
            })
            .collect();
        assert!(eventually(SOON, || runs.load(Ordering::Relaxed) == 1).await);
        gate.notify_one();
        for caller in callers {
            assert_eq!(caller.await.unwrap().unwrap(), "value");
        }
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        let kept = node.values().get_or_fetch("key", MINUTE, never).await;
        assert_eq!(kept.unwrap(), "value");
        let stats = node.stats().await.unwrap();
        assert_eq!(stats.hits + stats.collapsed, count, "{stats:?}");
        assert_eq!((stats.misses, stats.api_calls_made), (1, 0));
    }
}

#[tokio::test]
async fn whose_fetch_fails_gets_its_error_and_who_only_waited_is_told_so() {
    let node = node().await;
    let (runs, gate) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let (node, runs, gate) = (node.clone(), Arc::clone(&runs), Arc::clone(&gate));
            tokio::spawn(async move {
                let fetch = async move || {
                    let run = runs.fetch_add(1, Ordering::Relaxed);
                    gate.notified().await;
                    Err::<Bytes, _>(format!("run {run}"))
                };
                node.values().get_or_fetch("key", MINUTE, fetch).await
            })
        })
        .collect();
    assert!(eventually(SOON, || runs.load(Ordering::Relaxed) == 1).await);
    node.stats().await.unwrap();
    gate.notify_one();
    assert!(eventually(SOON, || runs.load(Ordering::Relaxed) == 2).await);
    gate.notify_one();
    let mut own = Vec::new();
    let mut others_count = 0;
    for caller in callers {
        match caller.await.unwrap().unwrap_err() {
            ValueError::Fetch(error) => own.push(error),
            ValueError::Others => others_count += 1,
            other => panic!("{other}"),
        }
    }
    own.sort();
    assert_eq!((own, others_count), (vec!["run 0".to_owned(), "run 1".to_owned()], 8));
    // An error is not kept.
    let fetched = node.values().get_or_fetch("key", MINUTE, async || Ok::<_, Infallible>("v")).await;
    assert_eq!(fetched.unwrap(), "v");
}

#[tokio::test]
async fn a_fetch_that_panics_is_a_failed_one_and_the_node_goes_on() {
    let node = node().await;
    let error = node.values().get_or_fetch("key", MINUTE, never).await.unwrap_err();
    assert!(matches!(error, ValueError::NoResult), "{error:?}");

    // Another's run takes its place, and callers that only waited for panics are told of others.
    let (runs, gate) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (node, runs, gate) = (node.clone(), Arc::clone(&runs), Arc::clone(&gate));
            tokio::spawn(async move {
                let fetch = async move || -> Result<Bytes, Infallible> {
                    runs.fetch_add(1, Ordering::Relaxed);
                    gate.notified().await;
                    panic!("as the test wants it")
                };
                node.values().get_or_fetch("key", MINUTE, fetch).await
            })
        })
        .collect();
    assert!(eventually(SOON, || runs.load(Ordering::Relaxed) == 1).await);
    node.stats().await.unwrap();
    gate.notify_one();
    assert!(eventually(SOON, || runs.load(Ordering::Relaxed) == 2).await);
    gate.notify_one();
    let mut others_count = 0;
    for caller in callers {
        match caller.await.unwrap().unwrap_err() {
            ValueError::Others => others_count += 1,
            ValueError::NoResult => {}
            other => panic!("{other}"),
        }
    }
    assert_eq!(others_count, 2);
    let fetched = node.values().get_or_fetch("key", MINUTE, async || Ok::<_, Infallible>("v")).await;
    assert_eq!(fetched.unwrap(), "v");
}

#[tokio::test]
async fn a_fetch_that_its_caller_left_goes_on_and_its_value_is_kept() {
    let node = node().await;
    let gate = Arc::new(Notify::new());
    let begun = Arc::new(AtomicU32::new(0));
    let caller = {
        let (node, gate, begun) = (node.clone(), Arc::clone(&gate), Arc::clone(&begun));
        tokio::spawn(async move {
            let fetch = async move || {
                begun.fetch_add(1, Ordering::Relaxed);
                gate.notified().await;
                Ok::<_, Infallible>("value")
            };
            node.values().get_or_fetch("key", MINUTE, fetch).await
        })
    };
    assert!(eventually(SOON, || begun.load(Ordering::Relaxed) == 1).await);
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    gate.notify_one();
    assert_eq!(node.values().get_or_fetch("key", MINUTE, never).await.unwrap(), "value");
}

#[tokio::test]
async fn a_fetch_that_takes_too_long_is_given_up() {
    let settings = Settings { fetch_timeout: Duration::from_millis(50), ..Settings::default() };
    let github = GitHub::builder().build().unwrap();
    let node = Node::builder(None, github).settings(settings).start().await.unwrap();
    let hanging = std::future::pending::<Result<Bytes, Infallible>>;
    let error = node.values().get_or_fetch("key", MINUTE, hanging).await.unwrap_err();
    let timed_out = matches!(error, ValueError::TimedOut);
    assert!(timed_out, "{error:?}");
    let fetched = node.values().get_or_fetch("key", MINUTE, async || Ok::<_, Infallible>("v")).await;
    assert_eq!(fetched.unwrap(), "v");
}

#[tokio::test]
async fn values_are_put_read_and_forgotten_by_key_and_by_prefix() {
    let node = node().await;
    let values = node.values();
    for key in ["", "a/1", "a/2", "b", "é\n\0"] {
        assert_eq!(values.get(key).await.unwrap(), None);
        values.put(key, key.to_owned(), MINUTE).await.unwrap();
        assert_eq!(values.get(key).await.unwrap().unwrap(), key);
        values.put(key, "", MINUTE).await.unwrap();
        assert_eq!(values.get(key).await.unwrap().unwrap(), "");
    }
    assert!(values.invalidate("b").await.unwrap());
    assert!(!values.invalidate("b").await.unwrap());
    assert_eq!(values.get("b").await.unwrap(), None);
    assert_eq!(values.invalidate_prefix("a/").await.unwrap(), 2);
    assert_eq!(values.get("a/1").await.unwrap(), None);
    assert_eq!(values.get("").await.unwrap().unwrap(), "");
    assert_eq!(values.invalidate_prefix("").await.unwrap(), 2);
}

#[tokio::test]
async fn a_value_whose_time_is_up_is_stale_and_fetched_again() {
    let node = node().await;
    let values = node.values();
    values.put("short", "old", Duration::from_millis(100)).await.unwrap();
    values.put("none", "old", Duration::ZERO).await.unwrap();
    values.put("ever", "old", Duration::MAX).await.unwrap();
    assert_eq!(values.get("none").await.unwrap(), None);
    while values.get("short").await.unwrap().is_some() {}
    assert_eq!(values.get_stale("short").await.unwrap().unwrap(), "old");
    assert_eq!(values.get_stale("none").await.unwrap().unwrap(), "old");
    assert_eq!(values.get_stale("absent").await.unwrap(), None);
    let fetch = async || Ok::<_, Infallible>("new");
    assert_eq!(values.get_or_fetch("short", MINUTE, fetch).await.unwrap(), "new");
    assert_eq!(values.get_stale("short").await.unwrap().unwrap(), "new");
    assert_eq!(values.get_or_fetch("ever", MINUTE, never).await.unwrap(), "old");
    // A failed fetch leaves the stale value to callers that ask for it by name.
    let failed = values.get_or_fetch("none", MINUTE, async || Err::<Bytes, _>("no")).await;
    assert!(matches!(failed, Err(ValueError::Fetch("no"))), "{failed:?}");
    assert_eq!(values.get_stale("none").await.unwrap().unwrap(), "old");
}

#[tokio::test]
async fn what_is_too_long_is_refused_and_what_was_there_stays() {
    let node = node().await;
    let values = node.values();
    let (long, longest) = ("k".repeat(VALUE_KEY_BYTES_MAX + 1), "k".repeat(VALUE_KEY_BYTES_MAX));
    let refused = values.put(&long, "v", MINUTE).await.unwrap_err();
    assert!(matches!(refused, PutValueError::KeyTooLong(key) if key.key_bytes == long.len()));
    let refused = values.get_or_fetch(&long, MINUTE, never).await.unwrap_err();
    assert!(matches!(refused, ValueError::KeyTooLong(_)));
    values.put(&longest, "v", MINUTE).await.unwrap();
    assert_eq!(values.get(&longest).await.unwrap().unwrap(), "v");

    let huge = vec![0; BODY_BYTES_MAX + 1];
    let refused = values.put(&longest, huge.clone(), MINUTE).await.unwrap_err();
    assert!(matches!(refused, PutValueError::ValueTooLong { value_bytes } if value_bytes == huge.len()));
    assert_eq!(values.get(&longest).await.unwrap().unwrap(), "v");
    // One that is fetched is handed on all the same.
    let fetched = values.get_or_fetch("huge", MINUTE, async move || Ok::<_, Infallible>(huge)).await;
    assert_eq!(fetched.unwrap().len(), BODY_BYTES_MAX + 1);
    assert_eq!(values.get("huge").await.unwrap(), None);
}

#[tokio::test]
async fn a_put_during_a_fetch_wins() {
    let node = node().await;
    let (begun, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let caller = {
        let (node, begun, gate) = (node.clone(), Arc::clone(&begun), Arc::clone(&gate));
        tokio::spawn(async move {
            let fetch = async move || {
                begun.notify_one();
                gate.notified().await;
                Ok::<_, Infallible>("fetched")
            };
            node.values().get_or_fetch("key", MINUTE, fetch).await
        })
    };
    begun.notified().await;
    node.values().put("key", "put", MINUTE).await.unwrap();
    gate.notify_one();
    assert_eq!(caller.await.unwrap().unwrap(), "fetched");
    assert_eq!(node.values().get("key").await.unwrap().unwrap(), "put");
}

#[tokio::test]
async fn values_and_githubs_resources_never_meet() {
    let (origin, node) = origin_and_node().await;
    let at_once = GitHub::builder().origin(&origin.url()).settle(Duration::ZERO);
    node.adopt(at_once.rules().expect("the settings are in range"));
    let repository = answer(&node, get_by(ALICE, PUBLIC)).await;
    let host = node.github().origin().host().to_owned();
    // As a resource of GitHub's is spelled, and as its whole key would be for a client without a credential.
    let keys = [
        format!("{host}{PUBLIC}"),
        format!("{host}{PUBLIC} json"),
        format!("{host}{PUBLIC} json\n{:032}", 0),
    ];
    for key in &keys {
        node.values().put(key, "mine", MINUTE).await.unwrap();
    }
    assert_eq!(answer(&node, get_by(ALICE, PUBLIC)).await.body, repository.body);
    assert_ne!(answer(&node, crate::support::get(PUBLIC)).await.body, "mine");
    assert_eq!(node.invalidate(PUBLIC).await.unwrap(), 2);
    assert_eq!(node.invalidate_prefix("/").await.unwrap(), 0);
    assert_eq!(send(&node, post(&format!("{PUBLIC}/issues"), r#"{"title":"x"}"#)).await.unwrap().status, 201);
    for key in &keys {
        assert_eq!(node.values().get(key).await.unwrap().unwrap(), "mine", "{key}");
    }
    answer(&node, get_by(ALICE, PUBLIC)).await;
    assert_eq!(node.values().invalidate_prefix(&host).await.unwrap(), 3);
    assert!(answer(&node, get_by(ALICE, PUBLIC)).await.is_hit());
    assert_eq!(origin.calls_to(PUBLIC), 3);
}

#[tokio::test]
async fn a_look_up_that_meets_a_fetch_which_fails_finds_nothing_and_is_told_of_no_error() {
    let node = node().await;
    let (begun, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let fetching = {
        let (node, begun, gate) = (node.clone(), Arc::clone(&begun), Arc::clone(&gate));
        let fetch = async move || {
            begun.notify_one();
            gate.notified().await;
            Err::<Bytes, _>("no")
        };
        tokio::spawn(async move { node.values().get_or_fetch("key", MINUTE, fetch).await })
    };
    begun.notified().await;
    let looking = {
        let node = node.clone();
        tokio::spawn(async move { node.values().get("key").await })
    };
    // The driver has taken the look-up by now, if it takes it at all while the fetch goes on.
    node.stats().await.unwrap();
    gate.notify_one();
    assert!(matches!(fetching.await.unwrap(), Err(ValueError::Fetch("no"))));
    assert_eq!(looking.await.unwrap().unwrap(), None);
}
