//! What a member can make others believe: it knows the secret, and says what is not true.

use crate::{
    member::Member,
    support::{EITHER, Fleet, Over, builder, connected, standing, totals},
};
use cache_core::{
    Content, Draft, Entry, Key, Message, PeerId, SharingLimits, Validators,
    freshness::Freshness,
    message::{Announced, Answer, Parcel, Role},
};

use cache_tests::{
    origin::{EtagMode, ModelOrigin},
    until,
};
use fleet_cache::{
    FleetSecret, GitHub, Node, PeerState, Provenance, Reply, RequestError, Served, github::RecipeState,
};
use http::{Request, request};
use http_body_util::Empty;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const PATH: &str = "/repos/acme/widget-1";
const PRIVATE: &str = "/repos/acme/secret-1";
const FORGED: &str = "{\"name\":\"forged\"}";
const EONS: Duration = Duration::from_secs(1_000_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_lifetime_of_ages_is_cut_to_what_the_receiver_grants() {
    for over in EITHER {
        for granted in [None, Some(MINUTE)] {
            let stage = Stage::with(over, |builder| match granted {
                None => builder,
                Some(lifetime) => {
                    let freshness_max = Freshness { lifetime, ..Freshness::default() };
                    let limits = SharingLimits { freshness_max, ..SharingLimits::default() };
                    builder.sharing_limits(limits)
                }
            })
            .await;
            let key = stage.key_of(PATH).await;
            let served = stage.forge(&key, &draft(FORGED, EONS), || get(PATH)).await;
            // What the route's own rule says.
            let most = granted.unwrap_or(Duration::from_secs(300));
            let left = served.time_left().expect("it is an entry");
            assert!(left <= most && left > most / 2, "{over:?}: {left:?}");
            assert_eq!(served.overdue(), Some(Duration::ZERO));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_says_that_it_is_stale_already_is_not_taken() {
    for over in EITHER {
        let stage = Stage::new(over).await;
        let key = stage.key_of(PATH).await;
        for (lifetime, age) in [(Duration::ZERO, Duration::ZERO), (MINUTE, MINUTE), (EONS, EONS)] {
            stage.announce(key.clone(), Draft { age, ..draft(FORGED, lifetime) }).await;
        }
        assert_ne!(bytes(stage.node.get(PATH).await.expect("there is an answer")).await, FORGED);
    }
}

/// Nothing contradicts an age that a peer understates. What bounds the harm is the lifetime that is granted.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_entry_that_passes_for_new_stays_for_no_longer_than_a_new_one() {
    for over in EITHER {
        let stage = Stage::new(over).await;
        let first = stage.node.get(PATH).await.expect("there is an answer");
        let entry = Arc::clone(first.entry().expect("it is kept"));
        let lifetime = entry.freshness().lifetime;
        let genuine = entry.content().clone();
        let renewed = Draft { content: genuine, ..draft("", lifetime) };
        stage.announce(entry.key().clone(), renewed).await;
        let again = stage.node.get(PATH).await.expect("there is an answer");
        assert!(again.time_left().expect("it is an entry") <= lifetime, "{over:?}");
        assert_eq!(stage.origin.calls_total(), 1);
    }
}

/// Whatever validators it comes with, and whatever the node knows of how the origin makes tags.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_body_does_not_outlive_the_next_revalidation() {
    for over in EITHER {
        for state in [RecipeState::Untested, RecipeState::Trusted] {
            let stage = Stage::new(over).await;
            if state == RecipeState::Trusted {
                for number in 2..6 {
                    stage.node.get(&Fleet::repository(number)).await.expect("there is an answer");
                }
            }
            assert_eq!(stage.node.stats().await.expect("it runs").origin.recipe.state, state);
            let genuine = stage.genuine(PATH).await;
            let (key, true_ones) = (genuine.key().clone(), genuine.validators().clone());
            let date = Some("Fri, 31 Dec 2100 23:59:59 GMT".into());
            let copies = [
                true_ones.clone(),
                Validators { etag_scope: None, ..true_ones.clone() },
                Validators { etag_scope: Some([1; 8]), ..true_ones.clone() },
                Validators { etag: None, etag_scope: None, last_modified: date.clone() },
                Validators { etag: None, last_modified: date, ..true_ones },
                Validators::default(),
            ];
            for validators in copies {
                let forged = Draft { validators: validators.clone(), ..draft(FORGED, EONS) };
                stage.forge(&key, &forged, || get(PATH)).await;
                let asked = stage.ask(get(PATH).header("cache-control", "no-cache")).await;
                assert_eq!(bytes(asked).await, genuine.content().body, "{over:?}, {state:?}, {validators:?}");
                let after = stage.ask(get(PATH)).await;
                assert_eq!(bytes(after).await, genuine.content().body, "{over:?}, {state:?}, {validators:?}");
            }
        }
    }
}

/// Here the tag vouches only for itself: a member that copies it keeps a forged body alive.
#[tokio::test(flavor = "multi_thread")]
async fn where_the_origin_makes_tags_in_another_way_a_copied_tag_renews_a_forged_body() {
    let stage = Stage::new(Over::Quic).await;
    stage.origin.set_etag_mode(EtagMode::Body);
    stage.node.get(&Fleet::repository(2)).await.expect("there is an answer");
    assert_eq!(stage.node.stats().await.expect("it runs").origin.recipe.state, RecipeState::Distrusted);
    let genuine = stage.genuine(PATH).await;
    let validators = genuine.validators().clone();
    stage.forge(genuine.key(), &Draft { validators, ..draft(FORGED, EONS) }, || get(PATH)).await;
    let asked = stage.ask(get(PATH).header("cache-control", "no-cache")).await;
    assert_eq!(bytes(asked).await, FORGED);
}

/// A member hears of every entry, whatever its domain, and can file anything under any key that it has heard.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_can_put_words_into_a_domain_that_is_not_its_own_until_the_origin_is_asked() {
    for over in EITHER {
        let stage = Stage::new(over).await;
        let alice = || get(PRIVATE).header("authorization", "token ghp_alice");
        let bob = || get(PRIVATE).header("authorization", "token ghp_bob");
        let mine = stage.ask(alice()).await;
        let entry = Arc::clone(mine.entry().expect("it is kept"));
        // What a member must be trusted with: it is told private answers.
        let mut told = None;
        until("the member is told", async || {
            told = told.take().or_else(|| announced(&stage.member.heard()));
            told.is_some()
        })
        .await;
        let told = told.expect("it was told");
        assert_eq!((&told.key, &told.draft.content.body), (entry.key(), &entry.content().body));
        stage.forge(&told.key, &draft(FORGED, EONS), alice).await;
        let asked = stage.ask(alice().header("cache-control", "no-cache")).await;
        assert_eq!(bytes(asked).await, entry.content().body, "{over:?}");
        // Bob is not served what is in Alice's domain, forged or not.
        assert_eq!(stage.ask(bob()).await.status(), 404, "{over:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_that_answers_with_another_key_s_entry_is_found_out_and_banned_the_second_time() {
    for over in EITHER {
        let stage = Stage::new(over).await;
        let other = stage.key_of(&Fleet::repository(9999)).await;
        for offence in 1..=2 {
            let answer = Answer::Hit(Box::new(parcel(other.clone(), draft(FORGED, EONS))));
            let (path, reply) = stage.coordinated(offence * 100, answer).await;
            let reply = reply.expect("there is an answer");
            assert_eq!(reply.status(), 200);
            assert_ne!(bytes(reply).await, FORGED, "{over:?}");
            assert_eq!(stage.origin.calls_to(&path), 1, "{over:?}");
        }
        until("it is banned", async || {
            standing(&stage.node, stage.member.peer).await.is_some_and(|peer| peer.state == PeerState::Banned)
        })
        .await;
    }
}

/// It says which askers wait and which to tell that asking is of no use, and is believed: the price of one call for
/// all.
#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_that_lies_about_others_can_delay_a_request_or_fail_it() {
    let wait_timeout = Duration::from_millis(500);
    for over in EITHER {
        for (lie, first) in [(Answer::Miss, 100), (Answer::Wait, 200), (Answer::Failed, 300)] {
            let limits = SharingLimits { wait_timeout, ..SharingLimits::default() };
            let stage = Stage::with(over, |builder| builder.sharing_limits(limits)).await;
            let began = Instant::now();
            let (path, reply) = stage.coordinated(first, lie.clone()).await;
            let is_answered = reply.is_ok_and(|reply| reply.status() == 200);
            assert_eq!(is_answered, lie != Answer::Failed, "{over:?}, {lie:?}");
            assert_eq!(stage.origin.calls_to(&path), u64::from(is_answered), "{over:?}, {lie:?}");
            assert!(lie != Answer::Wait || began.elapsed() >= wait_timeout, "{over:?}");
        }
    }
}

/// A frame is bound to its connection: recorded elsewhere, it is only one that does not open.
#[tokio::test(flavor = "multi_thread")]
async fn a_frame_recorded_on_another_connection_does_not_open() {
    for over in EITHER {
        let stage = Stage::new(over).await;
        let second = Member::new(over, &stage.secret).await;
        let peer = second.meet(&stage.node).await;
        let message = cache_core::codec::encode_message(&Message::Ping { token: 1 });
        let recorded = second.seal(peer, &message);
        stage.member.send(stage.peer, recorded).expect("there is room");
        until("it is refused", async || totals(&stage.node).await.rejected_frames == 1).await;
        assert_eq!(connected(&stage.node).await, 2, "{over:?}: one such frame is no reason for a ban");
    }
}

/// A node, and a member that is up to no good.
struct Stage {
    origin: ModelOrigin,
    secret: FleetSecret,
    node: Node,
    peer: PeerId,
    member: Member,
}

impl Stage {
    async fn new(over: Over) -> Self {
        Self::with(over, |builder| builder).await
    }

    async fn with(
        over: Over,
        change: impl FnOnce(fleet_cache::NodeBuilder) -> fleet_cache::NodeBuilder,
    ) -> Self {
        let (origin, secret) =
            (ModelOrigin::start(), FleetSecret::generate().expect("the system has entropy"));
        let node = change(builder(&origin, secret.clone()).transport(over)).start().await;
        let node = node.expect("a port is free");
        let member = Member::new(over, &secret).await;
        let peer = member.meet(&node).await;
        Self { origin, secret, node, peer, member }
    }

    /// Under which key the node files `path`. A node of its own tells, so that this one knows nothing yet.
    async fn key_of(&self, path: &str) -> Key {
        self.genuine(path).await.key().clone()
    }

    /// What the origin says to `path`, as a node that is in no fleet keeps it.
    async fn genuine(&self, path: &str) -> Arc<Entry> {
        let github = GitHub::builder().origin(&self.origin.url());
        let github = github.build().expect("the settings are in range");
        let alone = Node::builder(None, github).start().await.expect("it starts");
        let reply = alone.get(path).await.expect("there is an answer");
        self.origin.reset_calls();
        Arc::clone(reply.entry().expect("it is kept"))
    }

    /// Announces, and waits until the node has heard it.
    async fn announce(&self, key: Key, draft: Draft) {
        let message = Message::Announce(Announced::Whole(Box::new(parcel(key, draft))));
        assert!(self.member.say(self.peer, &message));
        self.member.heard();
        assert!(self.member.say(self.peer, &Message::Ping { token: 7 }));
        until("the announcement was read", async || {
            self.member.heard().iter().any(|message| matches!(message, Message::Pong { token: 7, .. }))
        })
        .await;
    }

    async fn ask(&self, request: request::Builder) -> Reply {
        let request = request.body(Empty::<bytes::Bytes>::new()).expect("it is well-formed");
        self.node.request(request).await.expect("there is an answer")
    }

    /// Announces until it is believed, and gives what `request` is then answered with.
    ///
    /// An entry of the same tick of the clock is kept in place of one that comes later.
    async fn forge(&self, key: &Key, draft: &Draft, request: impl Fn() -> request::Builder) -> Reply {
        let mut forged = None;
        until("the forged entry is served", async || {
            self.announce(key.clone(), draft.clone()).await;
            let reply = self.ask(request()).await;
            let is_forged = reply.entry().is_some_and(|entry| entry.content().body == FORGED);
            forged = is_forged.then_some(reply);
            forged.is_some()
        })
        .await;
        let reply = forged.expect("it came true");
        assert_eq!(reply.provenance(), Provenance::Entry(Served::Hit));
        reply
    }

    /// Reads repositories until the member is asked for one as its coordinator, and makes it answer like this.
    async fn coordinated(&self, first: usize, answer: Answer) -> (String, Result<Reply, RequestError>) {
        for number in first..first + 100 {
            let path = Fleet::repository(number);
            self.member.heard();
            let (node, asked) = (self.node.clone(), path.clone());
            let reading = tokio::spawn(async move { node.get(&asked).await });
            let mut ask = None;
            until("it is asked, or answered", async || {
                ask = ask.or_else(|| asked_as_coordinator(&self.member.heard()));
                ask.is_some() || reading.is_finished()
            })
            .await;
            if let Some(ask) = ask {
                assert!(self.member.say(self.peer, &Message::Answer { ask, answer }));
                return (path, reading.await.expect("it does not panic"));
            }
        }
        panic!("half of all names are the member's to coordinate");
    }
}

fn asked_as_coordinator(heard: &[Message]) -> Option<cache_core::AskId> {
    heard.iter().find_map(|message| match message {
        Message::Ask { ask, role: Role::Coordinator, .. } => Some(*ask),
        _other => None,
    })
}

fn announced(heard: &[Message]) -> Option<Parcel> {
    heard.iter().find_map(|message| match message {
        Message::Announce(Announced::Whole(parcel)) => Some((**parcel).clone()),
        _other => None,
    })
}

fn parcel(key: Key, draft: Draft) -> Parcel {
    Parcel { key, draft, after: Vec::new(), edition: None }
}

fn draft(body: &'static str, lifetime: Duration) -> Draft {
    Draft {
        content: Content::of_value(body),
        freshness: Freshness { lifetime, ..Freshness::default() },
        validators: Validators::default(),
        age: Duration::ZERO,
    }
}

fn get(path: &str) -> request::Builder {
    Request::get(path)
}

async fn bytes(reply: Reply) -> bytes::Bytes {
    reply.bytes().await.expect("the body is whole")
}
