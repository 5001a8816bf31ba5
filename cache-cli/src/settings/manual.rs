//! The manual's page of settings, which is made from the table of settings.

use super::{Change, DEFINITIONS, Definition, Shape};
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
    let hangup = match definition.change {
        Change::AtHangup => "yes",
        Change::AtStart => "",
    };
    let default = default.map_or(String::new(), |default| format!("`{default}`"));
    format!(
        "| `--{}{value}` | `{name}` | `{variables}` | {default} | {hangup} | {help} |\n",
        definition.flag()
    )
}

const INTRODUCTION: &str = "\
# Settings of `fleet-cache serve`

Each can be given as a flag, as an environment variable, or as a key of the file that `--config FILE` names (TOML).
A flag beats the environment, which beats the file, which beats the default. `fleet-cache config` shows what is in
force and where it came from; secrets are not shown. SIGHUP has a running daemon read its settings again: those marked so
take effect then, the others when it is started again ([operations](operations.md#changing-settings-while-it-runs)).

| flag | key in the file | environment | default | SIGHUP | what it does |
|---|---|---|---|---|---|
";

const REMARKS: &str = "
* Times are seconds, or a number with `ms`, `s`, `m`, `h` or `d`. Sizes are bytes, or a number with `KiB`, `MiB`, `GiB`
  (powers of 1024), or with `kB`, `MB`, `GB` (powers of 1000).
* Without `--config` and `CACHE_CONFIG` the file is `fleet-cache/config.toml` in `$XDG_CONFIG_HOME`, else in `~/.config`,
  if it is there. The cache directory is `fleet-cache` in `$XDG_CACHE_HOME`, else in `~/.cache` (macOS:
  `~/Library/Caches`).
* `fleet-cache config --check`, with the flags that `serve` is to have, reports everything that does not fit, of all
  sources at once, and starts nothing; it exits with 0 or 2. A `CACHE_` variable that is no setting is warned about.
* A client of a door with a client token sends it as `X-Fleet-Cache-Token`. A token that is to keep other machines out
  has at least 16 characters.
* A store that cannot be used is set aside in the cache directory, under its name with a number behind it; the latest
  three are kept.
* Flags marked `…` may be repeated; in the environment their values are separated by commas, in the file they are a
  list.
* Where a setting has several variables, the first that is set counts, and a difference is warned about.
* `GH_TOKEN` or `GITHUB_TOKEN` is what `fleet-cache get` sends. The daemon calls the API with no credential of its own:
  every client brings one.
* The daemon refuses to start while `SSLKEYLOGFILE` is set, since that would write TLS session secrets to a file.

## The fleet

Nodes that know the same secret are a fleet. Make one and give it to each, in the environment or in a file:

```sh
fleet-cache secret generate > secret     # 256 random bits; `secret fingerprint` compares two nodes' secrets
fleet-cache id                           # this node's addresses, for the others' CACHE_BOOTSTRAP_PEERS
```

* The secret is what `shared-secret` or `shared-secret-file` gives; else, where `p2p`, `p2p-port`, `p2p-listen` or
  `bootstrap` is given and says that the node is to share, `GH_TOKEN`, else `GITHUB_TOKEN`, else what `gh auth token`
  prints within 5 seconds. A token that is there for other programs opens no port by itself. A token is a convenience: a fleet that goes by tokens falls apart when
  they are rotated or differ between nodes, and the log says so. With none, a node keeps to itself, and says so too.
* A secret that is given and cannot be used keeps the daemon from starting. A token that cannot serve does not.
* To change the secret: give every node the new one as `accept-secret`; then give every node the new one as
  `shared-secret` and the old one as `accept-secret`; then take the old one away. A node goes by at most four.
  SIGHUP will do for each round ([operations](operations.md#changing-the-secret-while-the-fleet-runs)).
* In `CACHE_P2P_ACCEPTED_SECRETS` commas separate, so a passphrase that holds one goes into a file.
* Where a file with a secret lets others than its owner and its group's readers in, the log warns.
* An address of a node is `/ip4`, `/ip6`, `/dns4` or `/dns6`, then `/tcp/PORT` (libp2p only) or `/udp/PORT/quic-v1`, and
  in `bootstrap` `/p2p/` with the node's id, which then must answer there; without it any node may that proves to have
  the secret. The id is made once and kept as `identity.key` in the cache directory, which no image of a machine should
  hold.
* At most ten nodes are contacted, in order, each by one address; what is left out is named in the log. Beside them a
  node contacts the 16 members that it was connected with last, which it keeps as `members.sealed` in the cache directory.
* `CACHE_TTL`, `IPFS_ACCELERATE_CACHE_DIR`, `P2P_LISTEN_PORT`, `BOOTSTRAP_PEERS` and `P2P_BOOTSTRAP_PEERS` are names that
  earlier caches of this kind, or their scripts, used.
* All nodes of a fleet take the same transport. `fleet-cache doctor` finds out whether sharing works.

## Exit codes

`fleet-cache --help` lists them: 0 done, 1 failed, 2 wrong usage, 3 no daemon runs, 4 in use by another process,
5 the API answered with an error, 6 the port for other nodes is in use, 7 a peer did not answer, 10 to 16 what `doctor`
found, 130 ended by a second signal.
";
