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

Each setting can be given as a flag, as an environment variable, or as a key of the TOML file that `--config FILE` names.
A flag overrides the environment, which overrides the file, which overrides the default. `fleet-cache config` shows the
settings in force and where they came from; it does not show secrets. On SIGHUP a running daemon reads its settings again.
Those marked in the table take effect then, the others when the daemon is started again
([operations](operations.md#changing-settings-while-it-runs)).

| flag | key in the file | environment | default | SIGHUP | what it does |
|---|---|---|---|---|---|
";

const REMARKS: &str = "
* Times are seconds, or numbers with `ms`, `s`, `m`, `h` or `d`, such as `1h 30m`. Sizes are bytes, or a number with
  `KiB`, `MiB`, `GiB` (powers of 1024), or with `kB`, `MB`, `GB` (powers of 1000). True and false may be written as
  `yes` and `no`, `on` and `off`, or `1` and `0`. Variables, the file, flags and rules for routes take the same.
* Without `--config` and `CACHE_CONFIG`, the file is `fleet-cache/config.toml` in `$XDG_CONFIG_HOME`, else in `~/.config`,
  if it is there. The cache directory is `fleet-cache` in `$XDG_CACHE_HOME`, else in `~/.cache` (macOS:
  `~/Library/Caches`). The two variables must hold absolute paths. Programs that embed a node use the same directory.
* `fleet-cache config --check`, with the flags that `serve` is to have, reports every fault of all sources at once, and
  starts nothing; it exits with 0 or 2. It warns about a `CACHE_` variable that is not a setting.
* If a door has a client token, clients send it as `X-Fleet-Cache-Token`. A token that is to keep other machines out must
  have at least 16 characters.
* A store that cannot be used is set aside in the cache directory, under its name with a number appended; the latest three
  are kept.
* Flags marked `…` may be repeated; in the environment their values are separated by commas, in the file they are a
  list.
* A domain is `NAME=all`, or `NAME=` and prefixes with commas between them; in the file also a list in the table `[domain]`.
  `,trusted` at the end lets its credentials read one another's answers without proof; do not use it for `all` or a kind of
  token such as `ghs_*` ([sharing](sharing.md#trusted-domains)). Of several domains that take in a credential, the first
  counts.
* If a setting has several variables, the first that is set counts; the daemon warns if they differ.
* `fleet-cache get` sends `GH_TOKEN` or `GITHUB_TOKEN`. The daemon has no credential of its own for the API: every client
  brings one, but for those that `anonymous-as` is for ([sharing](sharing.md#clients-without-a-token)).
* The daemon refuses to start while `SSLKEYLOGFILE` is set, since that would write TLS session secrets to a file.

## The fleet

Nodes that know the same secret are a fleet. Make one and give it to each, in the environment or in a file:

```sh
fleet-cache secret generate > secret     # 256 random bits; `secret fingerprint` compares two nodes' secrets
fleet-cache id                           # this node's addresses, for the others' CACHE_BOOTSTRAP_PEERS
```

* `shared-secret` or `shared-secret-file` gives the secret. Without them, if `p2p`, `p2p-port`, `p2p-listen`, `bootstrap` or
  `discover` says that the node is to share, the secret is `GH_TOKEN`, else `GITHUB_TOKEN`, else what `gh auth token` prints within
  5 seconds. So a token that is set for other programs opens no port by itself. A token is a convenience: a fleet that uses
  tokens falls apart when they are rotated or differ between nodes, and the log says so. Without a secret, a node does not
  share, and logs that too.
* If a secret is given but cannot be used, the daemon does not start. A token that cannot be used does not prevent the start.
* To change the secret: give every node the new one as `accept-secret`; then give every node the new one as
  `shared-secret` and the old one as `accept-secret`; then remove the old one. A node takes at most four secrets. SIGHUP
  is enough for each round ([operations](operations.md#changing-the-secret-while-the-fleet-runs)).
* Commas separate the secrets in `CACHE_P2P_ACCEPTED_SECRETS`, so put a passphrase that contains one into a file.
* The log warns if more than the owner and the group's readers can use a file that holds a secret.
* An address of a node is `/ip4`, `/ip6`, `/dns4` or `/dns6`, then `/tcp/PORT` (libp2p only) or `/udp/PORT/quic-v1`, and
  in `bootstrap` also `/p2p/` with a node's id. With an id, that very node must answer there; without it, any node may that
  proves that it has the secret. A node makes its id once and keeps it as `identity.key` in the cache directory; do not put
  that file into an image of a machine.
* A node contacts at most ten of the given nodes, in order, each by one address, and the log names those that it leaves out.
  It also contacts the 16 members that it was connected with last, which it keeps as `members.sealed` in the cache
  directory.
* `discover` names ways to find other nodes while the daemon runs ([operations](operations.md#finding-other-nodes)):
  `dns:NAME[:PORT]`, of which all addresses count, or `dns:_SERVICE._tcp.NAME` with SRV records; with `@SERVER[:PORT]` behind
  it, that DNS server is asked. `file:PATH` has an address on each line, a multiaddr or an IP address with or without a port,
  and is read again when it changes. `mdns` finds nodes on the local network, and announces this one there. Where no port is
  given, it is the one on which this node listens. No id is needed.
* `CACHE_TTL`, `IPFS_ACCELERATE_CACHE_DIR`, `P2P_LISTEN_PORT`, `BOOTSTRAP_PEERS` and `P2P_BOOTSTRAP_PEERS` are names that
  earlier caches of this kind, or their scripts, used.
* All nodes of a fleet must use the same transport. `fleet-cache doctor` finds out whether sharing works.

## Exit codes

`fleet-cache --help` lists them: 0 done, 1 failed, 2 wrong usage, 3 no daemon runs, 4 in use by another process,
5 the API answered with an error, 6 the port for other nodes is in use, 7 a peer did not answer, 10 to 16 what `doctor`
found, 17 `status`: gh does not ask the daemon, 130 ended by a second signal.
";
