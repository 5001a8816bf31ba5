//! The model's own rules, seen through a socket as a client sees them.

use super::{
    client::{Client, ClientError, Reply},
    *,
};
use bytes::Bytes;
use serde_json::json;
use std::time::Instant;

const REPOSITORY: &str = "/repos/acme/widget-1";

fn start() -> (ModelOrigin, Client) {
    let origin = ModelOrigin::start();
    let client = Client::tcp(origin.address());
    (origin, client)
}

async fn get(client: &Client, path: &str) -> Reply {
    client.get(path).token("ghp_alice").send().await.unwrap()
}

async fn status(client: &Client, path: &str, token: &str) -> u16 {
    client.get(path).token(token).send().await.unwrap().status.as_u16()
}

mod access_rules {
    use super::*;

    #[tokio::test]
    async fn a_private_repository_is_not_found_by_those_who_may_not_see_it() {
        let (_origin, client) = start();
        let secret = "/repos/acme/secret-3";
        assert_eq!(status(&client, secret, "ghp_alice2").await, 200);
        assert_eq!(status(&client, secret, "ghs_acme1").await, 200);
        assert_eq!(status(&client, secret, "ghp_bob").await, 404);
        assert_eq!(status(&client, secret, "github_pat_carol").await, 404);
        assert_eq!(client.get(secret).send().await.unwrap().status, 404);
    }

    #[tokio::test]
    async fn an_unknown_or_revoked_credential_is_refused() {
        let (origin, client) = start();
        assert_eq!(status(&client, REPOSITORY, "nonsense").await, 401);
        origin.revoke("ghp_alice");
        assert_eq!(status(&client, REPOSITORY, "ghp_alice").await, 401);
        assert_eq!(status(&client, REPOSITORY, "ghp_alice2").await, 200);
    }

    #[tokio::test]
    async fn a_request_without_a_user_agent_is_forbidden() {
        let (_origin, client) = start();
        let reply = client.get(REPOSITORY).without("user-agent").send().await.unwrap();
        assert_eq!(reply.status, 403);
    }

    #[tokio::test]
    async fn a_repository_made_private_or_deleted_is_gone_for_those_outside() {
        let (origin, client) = start();
        origin.set_visibility("acme/widget-1", Visibility::Private);
        assert_eq!(status(&client, REPOSITORY, "ghp_bob").await, 404);
        assert_eq!(status(&client, REPOSITORY, "ghp_alice").await, 200);
        origin.set_visibility("acme/widget-1", Visibility::Deleted);
        assert_eq!(status(&client, REPOSITORY, "ghp_alice").await, 404);
    }

    #[tokio::test]
    async fn scopes_are_told_to_personal_tokens_alone() {
        let (_origin, client) = start();
        assert_eq!(get(&client, REPOSITORY).await.header("x-oauth-scopes"), "repo, read:org, workflow");
        let installation = client.get(REPOSITORY).token("ghs_acme1").send().await.unwrap();
        assert_eq!(installation.header("x-oauth-scopes"), "");
        let anonymous = client.get(REPOSITORY).send().await.unwrap();
        assert_eq!(anonymous.header("x-oauth-scopes"), "");
    }

    #[tokio::test]
    async fn a_signed_address_leads_to_another_host_and_takes_no_credential() {
        let (origin, client) = start();
        let path = "/repos/acme/widget-1/tarball/main";
        let (first, second) = (get(&client, path).await, get(&client, path).await);
        assert_eq!(first.status, 302);
        assert_ne!(first.header("location"), second.header("location"));
        let host = format!("http://localhost:{}", origin.address().port());
        let blob = first.header("location").strip_prefix(&host).unwrap();
        assert_eq!(client.get(blob).send().await.unwrap().status, 200);
        assert_eq!(origin.credential_leaks(), 0);
        assert_eq!(get(&client, blob).await.status, 400);
        assert_eq!(origin.credential_leaks(), 1);
    }
}

mod validators {
    use super::*;
    use crate::access::hex;
    use sha2::{Digest as _, Sha256};

    #[tokio::test]
    async fn an_etag_is_the_digest_of_the_present_request_headers_and_the_body() {
        let (_origin, client) = start();
        let draft = client.get(REPOSITORY).token("ghp_alice").header("accept", "application/json");
        let reply = draft.send().await.unwrap();
        let text = [b"application/json:token ghp_alice:".as_slice(), &reply.body].concat();
        assert_eq!(reply.header("etag"), format!("\"{}\"", hex(&Sha256::digest(text))));
    }

    #[tokio::test]
    async fn an_etag_of_the_body_alone_is_the_same_for_everybody_and_can_be_left_out() {
        let (origin, client) = start();
        origin.set_etag_mode(EtagMode::Body);
        let anonymous = client.get(REPOSITORY).send().await.unwrap();
        assert_eq!(get(&client, REPOSITORY).await.header("etag"), anonymous.header("etag"));
        origin.set_etag_mode(EtagMode::None);
        assert_eq!(get(&client, REPOSITORY).await.header("etag"), "");
    }

    #[tokio::test]
    async fn a_gzipped_answer_has_a_weak_etag_and_the_same_content() {
        let (_origin, client) = start();
        let draft = client.get(REPOSITORY).token("ghp_alice").header("accept-encoding", "gzip");
        let (zipped, plain) = (draft.send().await.unwrap(), get(&client, REPOSITORY).await);
        assert_eq!(zipped.header("etag"), format!("W/{}", plain.header("etag")));
        assert_eq!(zipped.identity_body(), plain.body);
        let refused = client.get(REPOSITORY).token("ghp_alice").header("accept-encoding", "gzip;q=0");
        assert_eq!(refused.send().await.unwrap().header("content-encoding"), "");
    }

    #[tokio::test]
    async fn an_unchanged_answer_is_304_and_free_for_those_who_say_who_they_are() {
        let (origin, client) = start();
        let etag = get(&client, REPOSITORY).await.header("etag").to_owned();
        let weak = format!("\"other\", W/{etag}");
        let draft = client.get(REPOSITORY).token("ghp_alice").header("if-none-match", &weak);
        let reply = draft.send().await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.body.len()), (304, 0));
        assert_eq!(reply.header("etag"), etag);
        assert_eq!(reply.header("x-ratelimit-remaining"), "4999");
        assert_eq!((origin.calls_total(), origin.paid_calls()), (2, 1));
    }

    #[tokio::test]
    async fn an_anonymous_304_is_paid_for() {
        let (origin, client) = start();
        let etag = client.get(REPOSITORY).send().await.unwrap().header("etag").to_owned();
        let reply = client.get(REPOSITORY).header("if-none-match", &etag).send().await.unwrap();
        assert_eq!(reply.status, 304);
        assert_eq!(origin.quota("anonymous", Resource::Core).used, 2);
    }

    #[tokio::test]
    async fn another_token_needs_another_etag_for_the_same_body() {
        let (_origin, client) = start();
        let etag = get(&client, REPOSITORY).await.header("etag").to_owned();
        let draft = client.get(REPOSITORY).token("ghp_alice2").header("if-none-match", &etag);
        assert_eq!(draft.send().await.unwrap().status, 200);
    }

    #[tokio::test]
    async fn a_date_is_heeded_only_without_an_etag() {
        let (_origin, client) = start();
        let date = get(&client, REPOSITORY).await.header("last-modified").to_owned();
        let dated = client.get(REPOSITORY).token("ghp_alice").header("if-modified-since", &date);
        assert_eq!(dated.send().await.unwrap().status, 304);
        let both = client.get(REPOSITORY).token("ghp_alice").header("if-modified-since", &date);
        assert_eq!(both.header("if-none-match", "\"x\"").send().await.unwrap().status, 200);
    }

    #[tokio::test]
    async fn a_change_gives_a_repository_and_its_lists_new_etags_and_leaves_others_alone() {
        let (origin, client) = start();
        let paths = [REPOSITORY, "/repos/acme/widget-1/issues", "/repos/acme/widget-2"];
        let mut before = Vec::new();
        for path in paths {
            before.push(get(&client, path).await.header("etag").to_owned());
        }
        origin.mutate("acme/widget-1");
        for (path, (etag, changes)) in paths.iter().zip(before.iter().zip([true, true, false])) {
            assert_eq!(get(&client, path).await.header("etag") != etag, changes, "{path}");
        }
    }

    #[tokio::test]
    async fn search_and_rate_limit_have_no_etag_and_are_not_to_be_kept() {
        let (_origin, client) = start();
        for path in ["/search/issues?q=x", "/rate_limit"] {
            let reply = get(&client, path).await;
            assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, ""));
            assert_eq!(reply.header("cache-control"), "no-cache");
        }
    }

    #[tokio::test]
    async fn caching_headers_tell_known_askers_from_anonymous_ones() {
        let (_origin, client) = start();
        let known = get(&client, REPOSITORY).await;
        assert_eq!(known.header("cache-control"), "private, max-age=60, s-maxage=60");
        assert!(known.header("vary").contains("Authorization"));
        let anonymous = client.get(REPOSITORY).send().await.unwrap();
        assert_eq!(anonymous.header("cache-control"), "public, max-age=60, s-maxage=60");
        assert!(!anonymous.header("vary").contains("Authorization"));
        assert_eq!(get(&client, "/repos/acme/none").await.header("cache-control"), "");
    }
}

mod content {
    use super::*;

    #[tokio::test]
    async fn pages_lead_through_all_issues_newest_first() {
        let (origin, client) = start();
        origin.set_public_url(&origin.url());
        let mut path = "/repos/acme/widget-1/issues?state=all&per_page=100".to_owned();
        let mut numbers = Vec::new();
        loop {
            let reply = get(&client, &path).await;
            let page = reply.json();
            numbers.extend(page.as_array().unwrap().iter().map(|issue| issue["number"].as_u64().unwrap()));
            let next = reply.header("link").split(", ").find(|link| link.contains("rel=\"next\""));
            let Some(next) = next else { break };
            let address = next.split(['<', '>']).nth(1).unwrap();
            path = address.strip_prefix(&origin.url()).unwrap().to_owned();
            assert!(path.starts_with("/repositories/100001/issues?state=all&per_page=100&page="));
        }
        assert_eq!(numbers, (1..=230).rev().collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn an_issue_that_is_posted_is_in_the_list_and_by_itself_from_then_on() {
        let (_origin, client) = start();
        let issues = "/repos/acme/widget-1/issues";
        let draft = client.post(issues, json!({ "title": "new" }).to_string()).token("ghp_bob");
        let reply = draft.send().await.unwrap();
        assert_eq!(reply.status, 201);
        assert_eq!(reply.header("location"), "https://api.github.com/repos/acme/widget-1/issues/231");
        assert_eq!(get(&client, issues).await.json()[0]["title"], "new");
        assert_eq!(get(&client, &format!("{issues}/231")).await.json()["title"], "new");
        assert_eq!(get(&client, &format!("{issues}/232")).await.status, 404);
    }

    #[tokio::test]
    async fn a_file_comes_raw_or_as_json_by_accept_and_as_big_as_its_name_says() {
        let (_origin, client) = start();
        let path = "/repos/acme/widget-0/contents/big-100000.bin";
        let draft = client.get(path).token("ghp_alice").header("accept", "application/vnd.github.raw");
        assert_eq!(draft.send().await.unwrap().body.len(), 100_000);
        assert_eq!(get(&client, path).await.json()["size"], 100_000);
    }

    #[tokio::test]
    async fn the_public_address_is_in_json_and_headers_and_never_in_files() {
        let (origin, client) = start();
        let readme = "/repos/acme/widget-1/readme";
        let raw = async || {
            let draft = client.get(readme).token("ghp_alice").header("accept", "application/vnd.github.raw");
            draft.send().await.unwrap().body
        };
        let before = raw().await;
        origin.set_public_url("http://origin.example");
        let url = get(&client, REPOSITORY).await.json()["url"].clone();
        assert_eq!(url, "http://origin.example/repos/acme/widget-1");
        let moved = get(&client, "/repos/acme/oldwidget-1/issues").await;
        assert_eq!(moved.status, 301);
        assert_eq!(moved.header("location"), "http://origin.example/repositories/100001/issues");
        assert_eq!(raw().await, before);
    }

    #[tokio::test]
    async fn a_repository_is_the_same_by_name_and_by_id_and_under_the_enterprise_prefix() {
        let (_origin, client) = start();
        let body = get(&client, REPOSITORY).await.body;
        assert_eq!(get(&client, "/repositories/100001").await.body, body);
        assert_eq!(get(&client, "/api/v3/repos/acme/widget-1").await.body, body);
        assert_eq!(get(&client, "http://api.github.com/repos/acme/widget-1").await.body, body);
    }

    #[tokio::test]
    async fn statistics_are_there_the_second_time() {
        let (_origin, client) = start();
        let path = "/repos/acme/widget-1/stats/contributors";
        assert_eq!(get(&client, path).await.status, 202);
        assert_eq!(get(&client, path).await.status, 200);
    }

    #[tokio::test]
    async fn head_is_get_without_the_body() {
        let (_origin, client) = start();
        let head = client.head(REPOSITORY).token("ghp_alice").send().await.unwrap();
        let reply = get(&client, REPOSITORY).await;
        assert_eq!(head.body, Bytes::new());
        assert_eq!(head.header("content-length"), reply.body.len().to_string());
        assert_eq!(head.header("etag"), reply.header("etag"));
    }

    #[tokio::test]
    async fn other_writes_echo_what_they_received() {
        let (_origin, client) = start();
        let draft = client.request(http::Method::PATCH, REPOSITORY).token("ghp_bob").body("{}");
        assert_eq!(draft.send().await.unwrap().json()["bytes"], 2);
    }
}

mod quotas {
    use super::*;

    #[tokio::test]
    async fn the_tokens_of_one_user_share_an_allowance() {
        let (origin, client) = start();
        get(&client, REPOSITORY).await;
        let reply = client.get(REPOSITORY).token("ghp_alice2").send().await.unwrap();
        assert_eq!(reply.header("x-ratelimit-remaining"), "4998");
        assert_eq!(origin.quota("alice", Resource::Core).used, 2);
        assert_eq!(origin.quota("bob", Resource::Core).used, 0);
    }

    #[tokio::test]
    async fn a_spent_allowance_refuses_and_says_when_it_returns() {
        let (origin, client) = start();
        let quota = Quota { limit: 10, used: 10, reset_unix_seconds: 4_000_000_000 };
        origin.set_quota("alice", Resource::Core, quota);
        let reply = get(&client, REPOSITORY).await;
        assert_eq!(reply.status, 403);
        assert_eq!(reply.header("x-ratelimit-remaining"), "0");
        assert_eq!(reply.header("x-ratelimit-reset"), "4000000000");
        assert_eq!(status(&client, REPOSITORY, "ghp_bob").await, 200);
        assert_eq!(origin.paid_calls(), 1);
    }

    #[tokio::test]
    async fn asking_for_the_allowance_costs_nothing() {
        let (origin, client) = start();
        assert_eq!(get(&client, "/rate_limit").await.json()["rate"]["remaining"], 5000);
        assert_eq!((origin.calls_total(), origin.paid_calls()), (1, 0));
    }
}

mod failure {
    use super::*;

    async fn failed(kind: FaultKind) -> (ModelOrigin, Result<Reply, ClientError>) {
        let (origin, client) = start();
        origin.fault(Fault::new(kind, 1).on("widget-1"));
        assert_eq!(status(&client, "/repos/acme/widget-2", "ghp_alice").await, 200);
        let reply = client.get(REPOSITORY).token("ghp_alice").send().await;
        assert_eq!(status(&client, REPOSITORY, "ghp_alice").await, 200, "one call fails, the next does not");
        (origin, reply)
    }

    #[tokio::test]
    async fn a_status_is_answered_as_a_page_without_validators_and_costs_nothing() {
        let (origin, reply) = failed(FaultKind::Status(502)).await;
        let reply = reply.unwrap();
        assert_eq!((reply.status.as_u16(), reply.header("etag")), (502, ""));
        assert_eq!(origin.paid_calls(), 2);
    }

    #[tokio::test]
    async fn a_secondary_limit_says_when_to_come_back() {
        let (_origin, reply) = failed(FaultKind::SecondaryLimit { retry_after_seconds: 7 }).await;
        let reply = reply.unwrap();
        assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (403, "7"));
    }

    #[tokio::test]
    async fn broken_connections_give_no_whole_answer() {
        let kinds = [FaultKind::ChunkedCut, FaultKind::Garbage, FaultKind::Reset, FaultKind::Truncate];
        for kind in kinds {
            let (_origin, reply) = failed(kind.clone()).await;
            assert!(reply.is_err(), "{kind:?}");
        }
    }

    #[tokio::test]
    #[should_panic(expected = "the body is gzip")]
    async fn bad_gzip_cannot_be_unpacked() {
        let (_origin, reply) = failed(FaultKind::BadGzip).await;
        reply.unwrap().identity_body();
    }

    #[tokio::test]
    async fn a_delayed_answer_is_the_right_one() {
        let (_origin, reply) = failed(FaultKind::Delay(Duration::from_millis(1))).await;
        assert_eq!(reply.unwrap().status, 200);
    }

    #[tokio::test]
    async fn a_hanging_call_is_under_way_until_its_client_leaves() {
        let (origin, client) = start();
        origin.fault(Fault::always(FaultKind::Hang));
        let call = tokio::spawn(client.get(REPOSITORY).send());
        origin.wait_in_flight(1).await;
        call.abort();
        origin.wait_idle().await;
        origin.clear_faults();
        assert_eq!(get(&client, REPOSITORY).await.status, 200);
    }
}

mod holding {
    use super::*;

    #[tokio::test]
    async fn held_answers_were_decided_before_and_arrive_after_the_release() {
        let (origin, client) = start();
        let body = get(&client, REPOSITORY).await.body;
        origin.hold("widget-1");
        let calls: Vec<_> =
            (0..5).map(|_| tokio::spawn(client.get(REPOSITORY).token("ghp_alice").send())).collect();
        origin.wait_in_flight(5).await;
        origin.mutate("acme/widget-1");
        assert_eq!(status(&client, "/repos/acme/widget-2", "ghp_alice").await, 200, "others pass");
        origin.release();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap().body, body);
        }
        assert_ne!(get(&client, REPOSITORY).await.body, body);
    }

    #[tokio::test]
    async fn an_answer_comes_no_sooner_than_the_delay_that_was_set() {
        let (origin, client) = start();
        let delay = Duration::from_millis(30);
        origin.set_answer_delay(delay);
        let begin = Instant::now();
        assert_eq!(get(&client, REPOSITORY).await.status, 200);
        assert!(begin.elapsed() >= delay, "{:?}", begin.elapsed());
    }

    #[tokio::test]
    async fn delayed_calls_overlap_and_are_counted_before_they_are_answered() {
        let (origin, client) = start();
        origin.set_answer_delay(WAIT_MAX * 1000);
        let calls: Vec<_> = (0..3).map(|_| tokio::spawn(client.get(REPOSITORY).send())).collect();
        origin.wait_in_flight(3).await;
        assert_eq!((origin.in_flight(), origin.counts().total), (3, 3));
        origin.set_answer_delay(Duration::ZERO);
        assert_eq!(get(&client, REPOSITORY).await.status, 200);
        assert_eq!(origin.in_flight(), 3, "calls under way keep the delay they came with");
        for call in calls {
            call.abort();
        }
        origin.wait_idle().await;
    }

    #[tokio::test]
    async fn calls_are_counted_by_method_path_token_and_status() {
        let (origin, client) = start();
        get(&client, REPOSITORY).await;
        get(&client, REPOSITORY).await;
        client.head(REPOSITORY).send().await.unwrap();
        let tally = |method: &str, token: &str, count| Tally {
            method: method.to_owned(),
            path: REPOSITORY.to_owned(),
            token: token.to_owned(),
            status: 200,
            count,
        };
        assert_eq!(origin.calls(), [tally("GET", "ghp_alice", 2), tally("HEAD", "anonymous", 1)]);
        assert_eq!(origin.calls_to(REPOSITORY), 3);
        assert_eq!(origin.latest_calls()[0].headers["user-agent"], "cache-model-origin");
        origin.reset_calls();
        assert_eq!(origin.calls_total(), 0);
    }

    #[tokio::test]
    async fn counts_tell_paid_and_unchanged_calls_apart_for_each_path_and_in_all() {
        let (origin, client) = start();
        let anonymous = client.get(REPOSITORY).send().await.unwrap();
        let known = get(&client, REPOSITORY).await;
        let unchanged = client.get(REPOSITORY).header("if-none-match", anonymous.header("etag"));
        assert_eq!(unchanged.send().await.unwrap().status, 304, "and paid for, being anonymous");
        let unchanged =
            client.get(REPOSITORY).token("ghp_alice").header("if-none-match", known.header("etag"));
        assert_eq!(unchanged.send().await.unwrap().status, 304);
        assert_eq!(status(&client, REPOSITORY, "ghp_revoked").await, 401);
        get(&client, "/users/bob?page=2").await;
        let expected = [
            (REPOSITORY.to_owned(), Counts { total: 5, paid: 3, not_modified: 2, points: 0 }),
            ("/users/bob?page=2".to_owned(), Counts { total: 1, paid: 1, not_modified: 0, points: 0 }),
        ];
        assert_eq!(origin.counts_by_path(), BTreeMap::from(expected));
        assert_eq!(origin.counts(), Counts { total: 6, paid: 4, not_modified: 2, points: 0 });
        assert_eq!((origin.calls_total(), origin.paid_calls()), (6, 4));
        origin.reset_calls();
        assert_eq!((origin.counts(), origin.counts_by_path()), (Counts::default(), BTreeMap::new()));
    }

    #[tokio::test]
    async fn an_origin_that_ended_can_be_followed_by_another_at_its_address() {
        let (origin, client) = start();
        let address = origin.address();
        let mut connection = client.connect().await.unwrap();
        assert_eq!(connection.send(client.get(REPOSITORY)).await.unwrap().status, 200);
        assert_eq!(origin.connections(), 1);
        drop(origin);
        assert!(connection.send(client.get(REPOSITORY)).await.is_err());
        assert!(client.get(REPOSITORY).send().await.is_err());
        let _origin = ModelOrigin::start_at(address).unwrap();
        assert_eq!(get(&client, REPOSITORY).await.status, 200);
    }
}
