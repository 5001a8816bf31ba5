//! The tables of `docs/sharing.md`: what clients of different rights get, measured, so that the page can say nothing else.

use crate::support::{Answer, SOON, answer, ask, get, get_by, github, node};
use cache_tests::origin::ModelOrigin;
use fleet_cache::{GitHubBuilder, Node};
use http::request;
use std::{
    env, fmt, fs,
    path::PathBuf,
    time::{Duration, Instant},
};

/// The job that has read everything before.
const FIRST: &str = "ghs_acme1";
const SECRET_FILE: &str = "/repos/acme/secret-1/readme";
const PUBLIC_FILE: &str = "/repos/acme/widget-1/readme";

/// How the operator has set up the credentials of jobs.
#[derive(Clone, Copy)]
enum Setup {
    NoDomain,
    Named,
    Trusted,
}

const SETUPS: [Setup; 3] = [Setup::NoDomain, Setup::Named, Setup::Trusted];

impl Setup {
    fn of(self, origin: &ModelOrigin) -> GitHubBuilder {
        match self {
            Self::NoDomain => github(origin),
            Self::Named => github(origin).named_domain("ci", ["ghs_*"]),
            Self::Trusted => github(origin).trusted_domain("ci", ["ghs_*"]),
        }
    }
}

/// One row: the client, its token, whether that was revoked beforehand, and the file that it asks for.
struct Row {
    who: &'static str,
    token: Option<&'static str>,
    is_revoked: bool,
    path: &'static str,
}

const fn row(who: &'static str, token: &'static str, path: &'static str) -> Row {
    Row { who, token: Some(token), is_revoked: false, path }
}

const ROWS: [Row; 9] = [
    row("another job of the same installation, or its next token", "ghs_acme2", SECRET_FILE),
    row("a user that may read it", "ghp_alice", SECRET_FILE),
    row("a fork's job, which may not read it", "ghs_fork", SECRET_FILE),
    row("`Authorization: Bearer ghs_`, typed in by hand", "ghs_", SECRET_FILE),
    row("a made-up token", "ghs_made-up", SECRET_FILE),
    Row {
        is_revoked: true,
        ..row("a token that was revoked before it first asked", "ghs_acme2", SECRET_FILE)
    },
    Row { token: None, ..row("no token", "", SECRET_FILE) },
    row("a fork's job, for a public file", "ghs_fork", PUBLIC_FILE),
    Row { token: None, ..row("no token, for a public file", "", PUBLIC_FILE) },
];

/// What a client got, and what the origin was asked for it.
#[derive(PartialEq)]
struct Outcome {
    status: u16,
    /// The status that the origin gave, and whether it counts towards an allowance.
    asked: Option<(u16, bool)>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.status {
            200 => "the file".to_owned(),
            status => format!("GitHub's {status}"),
        };
        match self.asked {
            None => write!(f, "{what}; GitHub is not asked"),
            Some((304, _)) => write!(f, "{what}, after GitHub's 304; free"),
            Some((_, true)) => write!(f, "{what}; one call"),
            Some((_, false)) => write!(f, "{what}; free"),
        }
    }
}

fn request(token: Option<&str>, path: &str) -> request::Builder {
    token.map_or_else(|| get(path), |token| get_by(token, path))
}

/// Asks once, and sees to it that the origin was asked with nothing but the client's own credential.
async fn outcome(origin: &ModelOrigin, node: &Node, token: Option<&str>, path: &str) -> Outcome {
    origin.reset_calls();
    let got = answer(node, request(token, path)).await;
    let calls = origin.latest_calls();
    assert!(calls.len() <= 1, "{calls:?}");
    assert!(calls.iter().all(|call| call.token == token.unwrap_or("anonymous")), "{calls:?}");
    if got.status != 200 {
        shows_nothing(&got);
    }
    let asked = calls.first().map(|call| (call.status.as_u16(), call.paid));
    Outcome { status: got.status.as_u16(), asked }
}

/// Of the file, its repository and its readers nothing shows in a refusal.
fn shows_nothing(refusal: &Answer) {
    let text = String::from_utf8_lossy(&refusal.body);
    assert!(!text.contains("secret") && refusal.header("etag").is_empty(), "{refusal:?}");
    // "Not found" is kept for a moment for the credential that was told so.
    let is_its_own = refusal.forward().map_or(refusal.is_hit(), |forward| forward.status == refusal.status);
    assert!(is_its_own, "{refusal:?}");
}

/// What the client of `row` gets the first time, and the second.
async fn measured(row: &Row, setup: Setup) -> [Outcome; 2] {
    let origin = ModelOrigin::start();
    let node = node(setup.of(&origin)).await;
    assert_eq!(answer(&node, get_by(FIRST, row.path)).await.status, 200);
    if let Some(token) = row.token.filter(|_| row.is_revoked) {
        origin.revoke(token);
    }
    let first = outcome(&origin, &node, row.token, row.path).await;
    [first, outcome(&origin, &node, row.token, row.path).await]
}

async fn first_requests() -> String {
    let mut table = String::from(FIRST_REQUESTS);
    for row in ROWS {
        let mut cells = Vec::new();
        let mut again = Vec::new();
        for setup in SETUPS {
            let [first, second] = measured(&row, setup).await;
            cells.push(first.to_string());
            assert_eq!(first.status, second.status, "{}", row.who);
            again.push(second.to_string());
        }
        table += &format!("| {} | {} | {} | {} | {} |\n", row.who, cells[0], again[0], cells[1], cells[2]);
    }
    table
}

const FIRST_REQUESTS: &str = "\
| the other client | no domain | the same again | `ci=ghs_*` | `ci=ghs_*,trusted` |
|---|---|---|---|---|
";

/// What a token gets that was revoked after the origin had accepted it: within the lifetime, and when others have renewed
/// theirs since.
async fn after_revocation(setup: Setup) -> [Outcome; 2] {
    let (origin, revoked) = (ModelOrigin::start(), Some("ghs_acme2"));
    let kept_long = node(setup.of(&origin)).await;
    for token in [FIRST, "ghs_acme2"] {
        assert_eq!(answer(&kept_long, get_by(token, SECRET_FILE)).await.status, 200);
    }
    let kept_briefly = node(setup.of(&origin).default_lifetime(LIFETIME)).await;
    for token in [FIRST, "ghs_acme2"] {
        assert_eq!(answer(&kept_briefly, get_by(token, SECRET_FILE)).await.status, 200);
    }
    origin.revoke("ghs_acme2");
    let within = outcome(&origin, &kept_long, revoked, SECRET_FILE).await;
    let begun = Instant::now();
    loop {
        let renewed = answer(&kept_briefly, get_by(FIRST, SECRET_FILE)).await;
        let since = Instant::now();
        let after = outcome(&origin, &kept_briefly, revoked, SECRET_FILE).await;
        // Long enough after the revocation, and soon enough after the other has renewed what is kept.
        if begun.elapsed() > LIFETIME * 2 && renewed.is_revalidated() && since.elapsed() < LIFETIME / 2 {
            return [within, after];
        }
        assert!(begun.elapsed() < SOON, "the other's answer is never renewed");
        tokio::task::yield_now().await;
    }
}

const LIFETIME: Duration = Duration::from_millis(200);

async fn revocations() -> String {
    let mut columns = Vec::new();
    for setup in SETUPS {
        columns.push(after_revocation(setup).await);
    }
    let when = ["within the lifetime of what it read", "later, while others keep the file fresh"];
    when.iter().enumerate().fold(String::from(REVOCATIONS), |table, (at, when)| {
        let [alone, named, trusted] = [0, 1, 2].map(|setup: usize| &columns[setup][at]);
        table + &format!("| {when} | {alone} | {named} | {trusted} |\n")
    })
}

const REVOCATIONS: &str = "\
| the revoked token asks | no domain | `ci=ghs_*` | `ci=ghs_*,trusted` |
|---|---|---|---|
";

/// The page with `table` in the place of the one that begins alike.
fn with_table(page: &str, table: &str) -> String {
    let (heading, _) = table.split_once('\n').expect("a table has lines");
    let begin = page.find(heading).unwrap_or_else(|| panic!("docs/sharing.md lacks the table {heading}"));
    let end = page[begin..].find("\n\n").map_or(page.len(), |length| begin + length + 1);
    [&page[..begin], table, &page[end..]].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_on_sharing_says_what_clients_of_different_rights_get() {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/sharing.md"));
    let written = fs::read_to_string(&path).unwrap();
    let tables = [first_requests().await, revocations().await];
    let page = tables.iter().fold(written.clone(), |page, table| with_table(&page, table));
    if env::var_os("BLESS").is_some() {
        fs::write(&path, page).unwrap();
    } else {
        let tables = tables.join("\n");
        assert!(
            written == page,
            "docs/sharing.md says something else; run this test again with BLESS=1\n{tables}"
        );
    }
}

#[tokio::test]
async fn while_the_origin_is_down_nobody_is_served_what_it_has_not_proven() {
    use cache_tests::origin::{Fault, FaultKind};
    for setup in [Setup::NoDomain, Setup::Named] {
        for demand in ["", "max-stale", "only-if-cached", "only-if-cached, max-stale"] {
            let origin = ModelOrigin::start();
            let node = node(setup.of(&origin)).await;
            assert_eq!(answer(&node, get_by(FIRST, SECRET_FILE)).await.status, 200);
            origin.fault(Fault::always(FaultKind::Status(502)));
            for row in &ROWS[..7] {
                let request = request(row.token, SECRET_FILE).header("cache-control", demand);
                let got = ask(&node, request).await;
                assert!(
                    got.as_ref().is_err() || got.as_ref().is_ok_and(|got| got.status == 502),
                    "{}: {got:?}",
                    row.who
                );
            }
        }
    }
}
