//! Which crate may use what, and whether it does.
//!
//! Owns the table of the architecture. Looks at manifests ([`edges`]) and at paths in the sources
//! ([`imports`]), since the standard library appears in no manifest; and at the modules of a crate among
//! themselves ([`rooms`]).

mod edges;
mod imports;
mod rooms;

use crate::sources::read_all;
use anyhow::Result;
use std::path::Path;

/// Prints every breach below `root`. Returns whether there was none.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let breaches = breaches(root)?;
    for breach in &breaches {
        println!("{breach}");
    }
    println!("layers: {} crates, {} rooms, {} breaches", LAYERS.len(), rooms::count(), breaches.len());
    Ok(breaches.is_empty())
}

fn breaches(root: &Path) -> Result<Vec<String>> {
    let mut breaches = edges::breaches(&edges::packages(root)?);
    let sources = read_all(root)?;
    let faults = imports::breaches(&sources).into_iter().chain(rooms::breaches(&sources));
    breaches.extend(faults.map(|fault| fault.to_string()));
    Ok(breaches)
}

/// The place of one crate.
#[derive(Clone, Copy, Debug)]
struct Layer {
    name: &'static str,
    /// Where its sources are, from the root.
    folder: &'static str,
    /// Crates of the workspace that it may depend on.
    may_use: &'static [&'static str],
    /// Crates of others and parts of the standard library that it must not touch.
    never: &'static [&'static str],
}

impl Layer {
    fn named(name: &str) -> Option<&'static Self> {
        LAYERS.iter().find(|layer| layer.name == name)
    }

    /// Whether `path`, such as `std::time::Instant`, begins with something forbidden here.
    fn forbids(&self, path: &str) -> Option<&'static str> {
        let begins_with = |never: &&&str| {
            let rest = path.strip_prefix(**never);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        self.never.iter().find(begins_with).copied()
    }
}

/// From the bottom up. Tests, benchmarks and examples are free of this, except for what would make them build the
/// whole product; `build.rs` is not.
const LAYERS: &[Layer] = &[
    Layer {
        name: "cache-core",
        folder: "cache-core/",
        may_use: &[],
        // No clock, entropy, socket, thread, file or logger: it is `no_std`, so `std` stands for all.
        never: &[
            "async_std",
            "coarsetime",
            "futures",
            "getrandom",
            "hyper",
            "libp2p",
            "log",
            "nix",
            "quinn",
            "rand",
            "std",
            "tokio",
            "tracing",
            "web_time",
        ],
    },
    Layer { name: "cache-crypto", folder: "cache-crypto/", may_use: &["cache-core"], never: NETWORK },
    Layer {
        name: "cache-discovery",
        folder: "cache-discovery/",
        may_use: &["cache-core"],
        never: &["dashmap", "foca", "hyper", "libp2p", "quinn", "redb"],
    },
    Layer { name: "cache-store", folder: "cache-store/", may_use: &["cache-core"], never: NETWORK },
    Layer {
        name: "cache-origin-github",
        folder: "cache-origin-github/",
        may_use: &["cache-core"],
        never: &["foca", "libp2p", "multiaddr", "quinn", "redb", "dashmap"],
    },
    // Pure: it is handed heads and moments, and calls nothing.
    Layer {
        name: "cache-origin-http",
        folder: "cache-origin-http/",
        may_use: &["cache-core"],
        never: &["foca", "hyper", "libp2p", "multiaddr", "quinn", "redb", "dashmap", "tokio"],
    },
    Layer {
        name: "cache-transport",
        folder: "cache-transport/",
        may_use: &["cache-core"],
        never: TRANSPORT_BODY_NEVER,
    },
    Layer {
        name: "cache-transport-libp2p",
        folder: "cache-transport-libp2p/",
        may_use: &["cache-core", "cache-transport"],
        never: TRANSPORT_NEVER,
    },
    Layer {
        name: "cache-transport-quic",
        folder: "cache-transport-quic/",
        may_use: &["cache-core", "cache-transport"],
        never: TRANSPORT_NEVER,
    },
    Layer {
        name: "fleet-cache",
        folder: "src/",
        may_use: &[
            "cache-core",
            "cache-crypto",
            "cache-discovery",
            "cache-origin-github",
            "cache-origin-http",
            "cache-store",
            "cache-transport-libp2p",
            "cache-transport-quic",
        ],
        never: &["bincode", "dashmap", "orion", "redb"],
    },
    // Stands in for GitHub, so it shares nothing with what it puts to the test.
    Layer { name: "cache-model-origin", folder: "cache-model-origin/", may_use: &[], never: &[] },
    Layer {
        name: "cache-cli",
        folder: "cache-cli/",
        may_use: &["cache-core", "cache-model-origin", "cache-origin-github", "fleet-cache"],
        never: &["bincode", "dashmap", "orion", "redb"],
    },
    Layer {
        name: "cache-simulator",
        // Before `tests/`, which its path begins with too.
        folder: "tests/simulator/",
        may_use: &["cache-core"],
        never: SIMULATOR_NEVER,
    },
    Layer {
        name: "cache-fuzzing",
        // Before `tests/` as well.
        folder: "tests/fuzzing/",
        may_use: &[
            "cache-core",
            "cache-crypto",
            "cache-origin-github",
            "cache-simulator",
            "cache-store",
            "cache-transport",
            "cache-transport-libp2p",
            "cache-transport-quic",
        ],
        never: &["bincode"],
    },
    // A consumer's own transport is put through it, so it knows no other.
    Layer {
        name: "cache-conformance",
        // Before `tests/` as well.
        folder: "tests/conformance/",
        may_use: &["cache-core"],
        never: &[],
    },
    // Drives the built daemon from outside, so it builds without what it tests.
    Layer {
        name: "cache-system-tests",
        // Before `tests/` as well.
        folder: "tests/system/",
        may_use: &[],
        never: &["hyper", "libp2p", "quinn", "tokio"],
    },
    Layer {
        name: "cache-tests",
        folder: "tests/",
        may_use: &[
            "cache-cli",
            "cache-conformance",
            "cache-core",
            "cache-crypto",
            "cache-model-origin",
            "cache-origin-github",
            "cache-store",
            "cache-transport-libp2p",
            "cache-transport-quic",
            "fleet-cache",
        ],
        never: &[],
    },
    Layer { name: "xtask", folder: "xtask/", may_use: &[], never: &["hyper", "libp2p", "quinn", "tokio"] },
];

/// Network and async runtimes.
const NETWORK: &[&str] = &[
    "async_std",
    "futures",
    "hyper",
    "hyper_util",
    "libp2p",
    "quinn",
    "reqwest",
    "smol",
    "std::net",
    "tokio",
];

/// A simulation has its own clock, entropy and network, or it could not be repeated.
const SIMULATOR_NEVER: &[&str] = &[
    "async_std",
    "futures",
    "getrandom",
    "hyper",
    "libp2p",
    "quinn",
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::net",
    "std::thread",
    "std::time::SystemTime",
    "tokio",
];

/// What the transports have in common knows neither of them, and opens no socket.
const TRANSPORT_BODY_NEVER: &[&str] = &[
    "bincode",
    "cache_core::codec",
    "cache_core::message",
    "dashmap",
    "libp2p",
    "orion",
    "quinn",
    "redb",
    "std::fs",
    "tokio::net",
];

/// A transport moves opaque frames: it neither reads, seals nor keeps them.
const TRANSPORT_NEVER: &[&str] =
    &["bincode", "cache_core::codec", "cache_core::message", "dashmap", "orion", "redb"];

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A workspace of two crates whose core is written and depends as given.
    fn workspace(core_dependencies: &str, core_source: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let package =
            |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
        write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"cache-core\", \"cache-store\"]\n");
        write("cache-core/Cargo.toml", &format!("{}{core_dependencies}", package("cache-core")));
        write("cache-core/src/lib.rs", core_source);
        write("cache-store/Cargo.toml", &package("cache-store"));
        write("cache-store/src/lib.rs", "//! Store.\nuse std::fs::File;\n");
        root
    }

    #[test]
    fn a_workspace_that_keeps_to_the_table_has_no_breaches() {
        let root = workspace("", "//! Core.\nuse core::time::Duration;\n");
        assert_eq!(breaches(root.path()).unwrap(), [""; 0]);
    }

    #[test]
    fn a_dependency_against_the_arrows_is_a_breach() {
        let root = workspace("[dependencies]\ncache-store = { path = \"../cache-store\" }\n", "//! Core.\n");
        assert_eq!(breaches(root.path()).unwrap(), ["cache-core: must not depend on `cache-store`"]);
    }

    #[test]
    fn a_forbidden_crate_of_others_is_a_breach_even_for_building() {
        let root = workspace("[build-dependencies]\ntokio = \"1\"\n", "//! Core.\n");
        assert_eq!(breaches(root.path()).unwrap(), ["cache-core: must not depend on `tokio`"]);
    }

    #[test]
    fn a_dependency_for_tests_alone_is_none() {
        let root = workspace("[dev-dependencies]\ntokio = \"1\"\n", "//! Core.\n");
        assert_eq!(breaches(root.path()).unwrap(), [""; 0]);
    }

    #[test]
    fn a_test_of_one_crate_that_builds_the_whole_product_is_a_breach() {
        let root = workspace("[dev-dependencies]\ncache-tests = \"0.1\"\n", "//! Core.\n");
        let expected = ["cache-core: its tests must not build the whole product by `cache-tests`"];
        assert_eq!(breaches(root.path()).unwrap(), expected);
    }

    #[test]
    fn a_forbidden_path_is_a_breach_outside_of_tests() {
        let source = "//! Core.\nuse std::{net, time::Instant};\nfn f() {\n    m!(std::thread::spawn(g));\n}\n\
                      #[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        let root = workspace("", source);
        let expected = [
            "cache-core/src/lib.rs:2: `std::net`: `std` is forbidden in cache-core",
            "cache-core/src/lib.rs:2: `std::time::Instant`: `std` is forbidden in cache-core",
            "cache-core/src/lib.rs:4: `std::thread::spawn`: `std` is forbidden in cache-core",
        ];
        assert_eq!(breaches(root.path()).unwrap(), expected);
    }

    #[test]
    fn a_crate_outside_of_the_table_is_a_breach() {
        let root = workspace("", "//! Core.\n");
        let manifest = root.path().join("cache-store/Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap().replace("cache-store", "cache-extra");
        fs::write(&manifest, text).unwrap();
        assert_eq!(breaches(root.path()).unwrap(), ["cache-extra: has no place in the table of layers"]);
    }
}
