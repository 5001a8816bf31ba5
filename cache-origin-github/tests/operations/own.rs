//! Which reads of the description are answered to each credential for itself, as that was reviewed.

use crate::description::{filled, reads};
use cache_origin_github::{GitHub, Plan};
use http::{Request, header};
use std::{fmt::Write as _, fs, path::Path};

/// Whether the answer under `path` is in a domain of its credential's own, where all credentials are in one; `None` if it is
/// never kept.
fn is_own(github: &GitHub, path: &str) -> Option<bool> {
    let request = Request::get(path).header(header::AUTHORIZATION, "token ghp_one").body(()).unwrap();
    let planned = |request: Request<()>| match github.plan(&request.into_parts().0, &mut String::new()) {
        Plan::Cached(planned) => Some(planned.domain),
        Plan::Body | Plan::Pass(_) => None,
    };
    let common = Request::get("/zen").header(header::AUTHORIZATION, "token ghp_one").body(()).unwrap();
    Some(planned(request)? != planned(common)?)
}

#[test]
fn what_each_read_is_about_is_as_it_was_reviewed() {
    let github = GitHub::builder().trusted_domain("all", ["*"]).build().unwrap();
    let mut text = String::from(HEAD);
    for read in reads() {
        let path = filled(read.template, |name| {
            if name.ends_with("_id") { "17".to_owned() } else { name.replace('_', "-") }
        });
        if is_own(&github, &path) == Some(true) {
            writeln!(text, "{}", read.template).unwrap();
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/operations/own.txt");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, &text).unwrap();
    }
    let reviewed = fs::read_to_string(&file).unwrap();
    let differing = reviewed.lines().zip(text.lines()).find(|(reviewed, now)| reviewed != now);
    assert!(
        reviewed == text,
        "own.txt differs at {differing:?}; bless it with BLESS=1 and review the difference"
    );
}

const HEAD: &str = "\
# The reads of GitHub's API whose answers depend on the asker: kept for each credential alone, and asked for in nobody's place.
# What is never kept is not among them.
# Made by `BLESS=1 cargo test -p cache-origin-github --test operations` from `src/own.rs`.
";
