//! `docs/routes.md`, written from the tables, so that it cannot say anything else.

use super::{
    LIFETIME_DEFAULT, UNSETTLED_LIFETIME,
    table::{CREDENTIALS, LIFETIMES, NEVER_KEPT},
};
use crate::{ABSENCE_LIFETIME, inspect};
use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

#[test]
fn the_page_on_routes_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/routes.md");
    let page = page();
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, page).unwrap();
    } else {
        let written = fs::read_to_string(&path).unwrap();
        assert!(written == page, "docs/routes.md is not up to date; run this test again with BLESS=1");
    }
}

fn page() -> String {
    let mut page = String::from(BEGIN);
    write!(page, "{}", lifetimes()).unwrap();
    page.push_str(UNSETTLED);
    write!(page, "{}", inspect::unsettled_rows()).unwrap();
    page.push_str(CREDENTIAL);
    write!(page, "{}", reasons(CREDENTIALS)).unwrap();
    page.push_str(NEVER);
    write!(page, "{}", reasons(NEVER_KEPT)).unwrap();
    page.push_str(WRITES);
    let seconds = |time: std::time::Duration| time.as_secs().to_string();
    page.replace("{default}", &seconds(LIFETIME_DEFAULT))
        .replace("{unsettled}", &seconds(UNSETTLED_LIFETIME))
        .replace("{absence}", &seconds(ABSENCE_LIFETIME))
}

fn lifetimes() -> String {
    let rows = LIFETIMES.iter().filter(|(pattern, _)| *pattern != "**");
    rows.fold(String::from("| route | seconds |\n|---|---|\n"), |mut table, (pattern, seconds)| {
        writeln!(table, "| `{pattern}` | {seconds} |").unwrap();
        table
    })
}

/// Routes by the reason for which they are never kept.
fn reasons(rows: &[(&'static str, &'static str)]) -> String {
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (pattern, reason) in rows {
        by_reason.entry(reason).or_default().push(format!("`{pattern}`"));
    }
    by_reason.iter().fold(String::from("| because | routes |\n|---|---|\n"), |mut table, (reason, routes)| {
        writeln!(table, "| {reason} | {} |", routes.join(", ")).unwrap();
        table
    })
}

const BEGIN: &str = "\
# Routes: what is kept, for how long, and what a write forgets

Written by `BLESS=1 cargo test -p cache-origin-github` from the tables in `cache-origin-github/src`.

An answer is fresh for {default} s (`--default-ttl`), except on these routes. The first that fits counts; `--route` puts
others in front of them. `*` stands for one segment and `**` for any number of characters, also the slashes in the name
of a branch. What is said of `/repos/*/*` holds for `/repositories/17` too, by which GitHub links the pages behind the
first; so for `/orgs/*` and `/organizations/17`, `/users/*` and `/user/17`. A rule that names one repository, such as
`/repos/acme/site/**`, cannot know its number and holds by name alone. The capitals of accounts and repositories are no
difference anywhere.

That there is no such thing (404, 410) is believed for {absence} s at most.

";

const UNSETTLED: &str = "
## Answers that say \"ask again\"

What is still under way ends without a write that would make anybody forget it: a run finishes, GitHub works out whether
a pull request can be merged. Such an answer is fresh for {unsettled} s, whatever its route's lifetime, and is then asked
about with its validators: a 304 is free. A route may have another time: `--route '/repos/*/*/actions/runs = 60s
unsettled=20s'`.

These fields and values say so. `[]` stands for any item of a list, `[0]` for the first. A row without values says that
what looks unsettled there waits for a person and lasts.

";

const CREDENTIAL: &str = "
On a route that has no row, a field `mergeable` that is `null`, an `incomplete_results` that is `true`, and any field
whose name ends in `state` or `status` and whose value is a word for \"under way\" (`pending`, `queued`, `processing`,
`exporting` and the like) count, in the answer itself and in the items of its first list. What lies deeper does not, nor
do words for what lasts, such as `open` and `active`.

## Answers that hold a credential

They are asked for past the cache: not kept, not sent to other nodes, not written to disk, whatever a `--route` says.

";

const NEVER: &str = "
A second net looks into every answer that is about to be kept. One with a field such as `token`, `temp_download_token`,
`temp_clone_token`, `secret`, `password` or `private_key` that holds a text, or with a text that begins as GitHub's
tokens do (`ghs_`, `github_pat_`), is handed to the client that asked and to nobody else. Masked secrets (`********`)
are none. `download_url` of a private file is let pass: the token in it opens that file alone, for whoever may read the
answer.

## What else is never kept

Unless a `--route` says otherwise:

";

const WRITES: &str = "
## What a write forgets

A write that was carried out forgets its own family of resources (a write to `/repos/o/r/issues/7/labels` all of
`/repos/o/r/issues`), what they belong to, and whatever else shows its change: a merge the readme, languages, commits
and branches, a team's access the repository's collaborators, a star the repository and its stargazers. Where the path
does not tell which, as with a fork's new owner or a repository written to by number, all that may be meant is doubted:
asked about once, for free if it is unchanged, before it is served again.

`cache-origin-github/src/touch/table.rs` has the rules, and `cache-origin-github/tests/operations/writes.txt` what comes
of them for each write in GitHub's own description. Registration tokens, rendered markdown and the like forget nothing.
A write that is in neither forgets all of its repository, organisation or account.

A write that was carried out also ends every answer that says that something is not there or is elsewhere. One that was
refused changed nothing, and ends nothing; but after a 403 or a 404 what the credential's own domain holds of the
repository is doubted, since the right to read it may have ended too. One without an answer, or answered with a 5xx, may
have been carried out: what it would forget is doubted. A GraphQL mutation does not tell what it changes either: all that
its own domain holds is doubted. A GraphQL query changes nothing, if its document is at most 256 KiB long.

What a write forgot or put in doubt is so after a restart too, also one by `kill -9` right after its answer.

What nobody can know from the path of a write: the number of a repository (so the pages behind the first are doubted for
all repositories), and the login of the account behind a token (so lists below `/users/` are).
";
