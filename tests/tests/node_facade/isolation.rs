//! Many credentials of different rights read the same resources, and what one was given is lent to the others: no answer
//! is one that the origin would not have given to the credential that got it, to the last header.

use crate::support::{ask, builder, github};
use cache_tests::{
    isolation::{Bounds, Draw, History, STATES, Seen, Tags},
    origin::{EtagMode, Fault, FaultKind, ModelOrigin},
};
use fleet_cache::{Node, RequestError, Settings};
use http::{Request, StatusCode, request};
use rand::{SeedableRng as _, rngs::StdRng};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const SEED: u64 = 0x1501_a7ed;
const AT_ONCE: usize = 40;
/// For each of [`STATES`].
const ROUNDS: usize = 28;
/// How late the coarse clock may notice that a lifetime is over, and a busy machine with it.
const SLACK: Duration = Duration::from_millis(250);

fn request(draw: &Draw) -> request::Builder {
    let request = Request::builder().method(draw.method()).uri(draw.path());
    draw.fields().fold(request, |request, (name, value)| request.header(name, value))
}

/// Asks the questions of one state, [`AT_ONCE`] at a time, and checks every answer. Returns how many came.
async fn ask_all(
    node: &Node,
    random: &mut StdRng,
    history: &Arc<History>,
    (lifetime, fails): (Duration, bool),
) -> usize {
    let bounds = Bounds { lifetime, stale: None, slack: SLACK, tags: Tags::Own };
    let mut answered = 0;
    for _ in 0..ROUNDS {
        let one = |draw: Draw| {
            let (node, history) = (node.clone(), Arc::clone(history));
            async move {
                let begun = Instant::now();
                match ask(&node, request(&draw)).await {
                    Ok(failed) if fails && failed.status == StatusCode::BAD_GATEWAY => 0,
                    Ok(answer) => {
                        let seen = Seen {
                            status: answer.status,
                            headers: &answer.headers,
                            body: &answer.body,
                            is_stale: answer.is_stale(),
                            forwarded: answer
                                .forward()
                                .and_then(|forward| StatusCode::from_u16(forward.status).ok()),
                            begun,
                            refused: None,
                        };
                        draw.check(&seen, &history, bounds).unwrap_or_else(|leak| panic!("{leak}"));
                        1
                    }
                    Err(RequestError::NotCached) if draw.demands("only-if-cached") => 0,
                    Err(_outage) if fails => 0,
                    Err(error) => panic!("{draw:?}: {error}"),
                }
            }
        };
        let batch: Vec<_> = (0..AT_ONCE).map(|_| tokio::spawn(one(Draw::new(random, history)))).collect();
        for task in batch {
            answered += task.await.expect("no answer is one that its asker may not have");
        }
    }
    answered
}
async fn isolation(mode: EtagMode, lifetime: Duration) -> (u64, usize) {
    let origin = ModelOrigin::start();
    origin.set_etag_mode(mode);
    let settings = Settings {
        fetch_timeout: Duration::from_millis(200),
        hold_off: Duration::from_millis(20),
        ..Settings::default()
    };
    let node = builder(github(&origin).default_lifetime(lifetime))
        .settings(settings)
        .start()
        .await
        .expect("a node starts");
    let mut random = StdRng::seed_from_u64(SEED);
    let (mut history, mut answered) = (History::default(), 0);
    history.tell_accounts_apart(&origin).await;
    for (change, fails) in STATES {
        history.enter(&origin, change).await;
        let shared = Arc::new(history);
        if fails {
            for (kind, times) in [(FaultKind::Hang, 4), (FaultKind::Reset, 40), (FaultKind::Status(502), 200)]
            {
                origin.fault(Fault::new(kind, times));
            }
        }
        answered += ask_all(&node, &mut random, &shared, (lifetime, fails)).await;
        origin.clear_faults();
        history = Arc::into_inner(shared).expect("every request has ended");
    }
    (node.stats().await.expect("the node runs").proofs, answered)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lent_among_eleven_askers_is_what_the_origin_gives_to_each() {
    for lifetime in [50, 300] {
        let (proofs, answered) = isolation(EtagMode::Recipe, Duration::from_millis(lifetime)).await;
        assert!(proofs > 20, "only {proofs} answers were lent");
        assert!(answered > STATES.len() * ROUNDS * AT_ONCE * 7 / 10, "{answered}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_anything_cross_where_tags_are_the_same_for_everybody() {
    let (proofs, answered) = isolation(EtagMode::Body, Duration::from_millis(150)).await;
    assert_eq!(proofs, 0, "no tag is made by the recipe");
    assert!(answered > STATES.len() * ROUNDS * AT_ONCE * 7 / 10, "{answered}");
}
