//! `docs/routes.md`, written from the tables, so that it cannot say anything else.

use super::{
    LIFETIME_DEFAULT, UNSETTLED_LIFETIME,
    table::{CREDENTIALS, LIFETIMES, NEVER_KEPT},
};
use crate::{ABSENCE_LIFETIME, inspect, own};
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
    page.push_str(OWN);
    page.push_str(&own::patterns().map(|pattern| format!("`{pattern}`")).collect::<Vec<_>>().join(", "));
    page.push_str(".\n");
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

An answer is fresh for {default} s (`--default-ttl`), except on the routes in the table. The first row that fits counts;
`--route` puts others in front of them. `*` stands for one segment, and `**` for any number of characters, including the
slashes in the name of a branch. A rule for `/repos/*/*` also holds for `/repositories/17`, the form in which GitHub links
all pages but the first; the same goes for `/orgs/*` and `/organizations/17`, and for `/users/*` and `/user/17`. A rule that
names one repository, such as `/repos/acme/site/**`, cannot know its number and holds by name alone. The names of accounts
and repositories are compared without regard to case.

An answer that says that there is no such thing (404, 410) is fresh for at most {absence} s.

";

const UNSETTLED: &str = "
## Answers that say \"ask again\"

Some states change without a write that would make a node forget them: a run finishes, or GitHub works out whether a pull
request can be merged. An answer that shows such a state is fresh for {unsettled} s, whatever its route's lifetime. After
that the node asks about it with its validators, and a 304 is free. `--route` can give a route another time:
`--route '/repos/*/*/actions/runs = 60s unsettled=20s'`.

The table lists the fields and values that show such a state. `[]` stands for any item of a list, `[0]` for the first. In a
row without values, what looks unsettled waits for a person, and therefore lasts.

";

const CREDENTIAL: &str = "
On a route without a row, these fields count, in the answer itself and in the items of its first list: a `mergeable` that is
`null`, an `incomplete_results` that is `true`, and any field with a name that ends in `state` or `status` and a value that
means \"under way\" (`pending`, `queued`, `processing`, `exporting` and the like). Deeper fields do not count, nor do words
for lasting states, such as `open` and `active`.

## Answers that hold a credential

Requests for these routes pass the cache by. Their answers are not kept, not sent to other nodes and not written to disk,
whatever a `--route` says.

";

const NEVER: &str = "
A second check looks into every answer that is about to be kept. If a field such as `token`, `temp_download_token`,
`temp_clone_token`, `secret`, `password` or `private_key` holds a text, or if a text begins as GitHub's tokens do (`ghs_`,
`github_pat_`), only the client that asked gets the answer. Masked secrets (`********`) do not count. The check lets
`download_url` of a private file pass: the token in it opens only that file, which readers of the answer may read anyway.

## What else is never kept

These answers are not kept unless a `--route` says otherwise:

";

const OWN: &str = "
## Answers that depend on the asker

Each credential has an answer of its own here, whatever domain it is in. It is not lent to another, and with `--anonymous-as`
a client without a token gets what GitHub says to anonymous clients. The same goes for every query that names `@me`, as
`author:@me` does in a search. `/user/17`, a user by number, and what lies below it are as `/users/NAME`. Capitals make no
difference, and `/app/**` includes `/app`.

";

const WRITES: &str = "
## What a write forgets

A write that was carried out makes nodes forget three things: its own family of resources (for a write to
`/repos/o/r/issues/7/labels`, all of `/repos/o/r/issues`), the resources that these belong to, and whatever else shows the
change. A merge also changes the readme, languages, commits and branches; a team's access, the repository's collaborators; a
star, the repository and its stargazers. If the path does not tell which resource changed, as with a fork's new owner or a
repository that is written to by number, all resources that may have changed are doubted: before one is served again, the
node asks about it once, for free if it is unchanged.

`cache-origin-github/src/touch/table.rs` has the rules. `cache-origin-github/tests/operations/writes.txt` lists their effect
for each write in GitHub's own description. Registration tokens, rendered markdown and the like forget nothing. A write that
is in neither forgets all of its repository, organisation or account.

A write that was carried out also ends every answer that says that something is not there or is elsewhere, and answers to
GraphQL queries: those of its repository and those of no single one, or all ([graphql](graphql.md)). A write that was refused changed nothing, and ends nothing. But after
a 403 or a 404, what the credential's own domain holds of the repository is doubted, since the right to read it may have
ended too. A write without an answer, or with a 5xx, may have been carried out, so what it would forget is doubted. A
GraphQL mutation does not tell what it changes, so all that its own domain holds is doubted, and so is what all others hold
of the repositories whose ids it names. A GraphQL query changes
nothing, if its request is at most 256 KiB long and can be read.

What a write forgot or put in doubt stays so after a restart, even after `kill -9` right after its answer.

The path of a write does not tell the number of a repository, so all pages but the first are doubted for all repositories.
Nor does it tell the login of the account behind a token, so lists below `/users/` are doubted.
";
