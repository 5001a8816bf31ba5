//! The page in a real Chromium, where there is one: `cargo xtask ci page` runs this.

use crate::support::{TOKEN, fleet, page, read, told};
use cache_tests::{
    daemon::Daemon,
    origin::{ModelOrigin, Quota, Resource},
};
use serde_json::{Value, json};
use std::{
    env,
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// One round of what clients of several kinds ask at all of `daemons`.
async fn load(daemons: &[Daemon], round: usize) {
    const CLIENTS: [(&str, &str, usize); 5] = [
        ("triage", "ghp_alice", 5),
        ("codex", "ghp_bob", 4),
        ("octokit-core.js", "ghs_acme1", 3),
        ("nightly-mirror", "ghp_reader", 2),
        ("deploy", "ghp_deploy", 1),
    ];
    for (place, (client, token, weight)) in CLIENTS.into_iter().enumerate() {
        for number in 0..weight {
            let daemon = &daemons[(place + number + round) % daemons.len()];
            let path = match number % 3 {
                0 => format!("/repos/acme/widget-{}", (round + place) % 40),
                1 => format!("/repos/acme/widget-{}/issues", 100 + round / 5),
                _ if client == "codex" => format!("/search/issues?q={}", round % 8),
                _ => format!("/repos/acme/widget-{number}"),
            };
            let class = if client == "nightly-mirror" { "batch" } else { "normal" };
            let request = daemon.client().get(&path).token(token).header("x-fleet-client", client);
            request.header("x-fleet-priority", class).send().await.expect("the door answers");
        }
    }
}

/// One payer that is about to run out, one that has come to its reserve, and one that has nothing left to search by.
fn spend(origin: &ModelOrigin) {
    let spent = |payer: &str, resource, used| {
        let quota = origin.quota(payer, resource);
        origin.set_quota(payer, resource, Quota { used, ..quota });
    };
    spent("alice", Resource::Core, 3900);
    spent("reader", Resource::Core, 4001);
    spent("bob", Resource::Search, 30);
}

/// A program of this machine by one of `names`.
fn program(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let places = env::split_paths(&path).flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    places.into_iter().find(|place| place.is_file())
}

/// Where pictures of the page are put.
fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard");
    fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}

/// What the browser is to find.
async fn plan(daemons: &[Daemon]) -> Value {
    let daemon = &daemons[0];
    let by = |by: &str| told(daemon, &["top", "--by", by]);
    let client = by("client");
    json!({
        "chromium": program(&["chromium", "chromium-browser", "google-chrome"]).expect("there is a Chromium"),
        "page": format!("http://{}/", page(daemon).await),
        "door": format!("http://{}", daemon.address()),
        "token": TOKEN,
        "pictures": pictures(),
        "quotas": told(daemon, &["quota"])["quotas"],
        "total": client["total"],
        "top": { "client": client["rows"], "route": by("route")["rows"], "payer": by("payer")["rows"] },
        "peers": told(daemon, &["peers"])["peers"].as_array().expect("it is a list").iter()
            .map(|peer| peer["id"].clone()).collect::<Vec<_>>(),
        "refused": "nightly-mirror",
    })
}

/// Begins to look at the page in a browser.
fn look(plan: &Value, script: &str) -> Child {
    let path = pictures().join("plan.json");
    fs::write(&path, plan.to_string()).expect("a file can be written");
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    let mut node = Command::new(program(&["node", "nodejs"]).expect("there is Node"));
    node.arg(scripts.join(script)).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
    node.spawn().expect("Node can be run")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and Node; `cargo xtask ci page` runs it where they are"]
async fn a_browser_shows_what_the_daemon_tells_by_keyboard_in_the_dark_and_asks_nobody_else() {
    let origin = ModelOrigin::start();
    spend(&origin);
    let mut daemons = fleet(&origin).await;
    for round in 0..30 {
        load(&daemons, round).await;
    }
    for _ in 0..3 {
        assert_eq!(read(&daemons[0], "ci", "/repos/acme/widget-1", &[]).await, 200);
    }
    let mut browser = look(&plan(&daemons).await, "dashboard.mjs");
    let lines = BufReader::new(browser.stdout.take().expect("it was asked to be piped")).lines();
    for line in lines.map_while(Result::ok) {
        println!("{line}");
        if line == "end the daemon" {
            daemons[0].kill();
            let told = browser.stdin.as_mut().expect("it was asked to be piped").write_all(b"done\n");
            told.expect("the browser listens");
        }
    }
    assert!(browser.wait().expect("a child can be waited for").success(), "see above");
}

/// The resident memory of a process, in KiB.
fn memory(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).expect("its size is told")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes as long as FLEET_CACHE_PAGE_SECONDS says; needs Chromium and Node"]
async fn a_daemon_whose_page_is_open_under_load_has_no_more_memory_than_its_fellows() {
    let seconds = env::var("FLEET_CACHE_PAGE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(600);
    let origin = ModelOrigin::start();
    spend(&origin);
    let daemons = fleet(&origin).await;
    for round in 0..100 {
        load(&daemons, round).await;
    }
    let mut plan = plan(&daemons).await;
    plan["seconds"] = json!(seconds);
    let mut browser = look(&plan, "stay.mjs");
    let stdout = browser.stdout.take().expect("it was asked to be piped");
    let heap =
        std::thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).collect::<Vec<_>>());
    let mut log = File::create(pictures().join("memory.tsv")).expect("a file can be made");
    let (began, mut sizes) = (Instant::now(), Vec::<Vec<u64>>::new());
    let mut round = 100;
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    while browser.try_wait().expect("a child can be waited for").is_none() {
        ticks.tick().await;
        load(&daemons, round).await;
        round += 1;
        if sizes.len() < began.elapsed().as_secs() as usize / 10 {
            let size: Vec<u64> = daemons.iter().map(|daemon| memory(daemon.pid())).collect();
            writeln!(log, "{}\t{size:?}", began.elapsed().as_secs()).expect("a file can be written");
            sizes.push(size);
        }
    }
    let heap = heap.join().expect("the reader ends");
    println!(
        "KiB every 10 s, the daemon with the page first: {sizes:?}\n{}\nrounds: {round}",
        heap.join("\n")
    );
    assert!(browser.wait().expect("a child can be waited for").success(), "{heap:?}");
    // All three do the same work and fill their caches alike, so what the page costs is the difference.
    let later = &sizes[sizes.len() / 2..];
    let mean = |place: usize| later.iter().map(|size| size[place]).sum::<u64>() / later.len().max(1) as u64;
    let (shown, others) = (mean(0), mean(1).min(mean(2)));
    assert!(shown < others + 2048, "{shown} KiB with the page, {others} KiB without");
}
