//! The manual's page of settings, which is made from the table of settings.

use super::{DEFINITIONS, Definition, Shape};
use std::{env, fs, path::Path};

#[test]
fn the_manual_lists_every_setting() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/settings.md");
    let page = page();
    if env::var_os("BLESS").is_some() {
        fs::write(&path, page).unwrap();
    } else {
        let written = fs::read_to_string(&path).unwrap();
        assert!(written == page, "docs/settings.md is not up to date; run this test again with BLESS=1");
    }
}

fn page() -> String {
    let rows: String = DEFINITIONS.iter().map(row).collect();
    format!("{INTRODUCTION}{rows}{REMARKS}")
}

fn row(definition: &Definition) -> String {
    let Definition { name, shape, variables, default, help, .. } = definition;
    let value = match shape {
        Shape::Enabled | Shape::Disabled(_) => String::new(),
        Shape::Many(form) => format!(" {form} …"),
        Shape::One(form) => format!(" {form}"),
    };
    let variables = variables.join("`, `");
    let default = default.map_or(String::new(), |default| format!("`{default}`"));
    format!("| `--{}{value}` | `{name}` | `{variables}` | {default} | {help} |\n", definition.flag())
}

const INTRODUCTION: &str = "\
# Settings of `fleet-cache serve`

Each can be given as a flag, as an environment variable, or as a key of the file that `--config FILE` names (TOML).
A flag beats the environment, which beats the file, which beats the default. `fleet-cache config` shows what is in
force and where it came from; secrets are not shown.

| flag | key in the file | environment | default | what it does |
|---|---|---|---|---|
";

const REMARKS: &str = "
* Times are seconds, or a number with `s`, `m`, `h` or `d`. Sizes are bytes, or a number with `KiB`, `MiB`, `GiB`.
* Flags marked `…` may be repeated; in the environment their values are separated by commas, in the file they are a
  list.
* Where a setting has several variables, the first that is set counts, and a difference is warned about.
* `GH_TOKEN` or `GITHUB_TOKEN` is what `fleet-cache get` sends. The daemon itself has no credential: every client
  brings its own.
* The daemon refuses to start while `SSLKEYLOGFILE` is set, since that would write TLS session secrets to a file.
* Settings of peers (`p2p`, `p2p-port`, `bootstrap-peers`, `transport`) are read and shown. This version does not
  talk to other nodes, and says so when it starts.

## Exit codes

`fleet-cache --help` lists them: 0 done, 1 failed, 2 wrong usage, 3 no daemon runs, 4 in use by another process,
5 the API answered with an error, 130 ended by a second signal.
";
