//! What a program reads of the world around it: the time of day, the environment, chance.
//!
//! Each is read in a few files and handed on from there, so that tests can say what it is. Clippy's
//! `disallowed_methods` would forbid it to tests as well. [`std::time::Instant`] is free outside of the core: it
//! measures how long something took, and no test depends on what it begins with.

use crate::{
    rust_code::RustCode,
    sources::{Fault, Source},
};
use std::collections::BTreeSet;

/// Something of the world.
struct Reading {
    /// The end of the sentence "this file reads ...".
    what: &'static str,
    /// How the paths end by which it is read.
    paths: &'static [&'static str],
    /// The files that may, with `/` at the end for folders.
    homes: &'static [&'static str],
}

/// Every reading in a file that is no home of it, outside of tests.
pub(super) fn at_home(source: &Source) -> Vec<Fault> {
    if !source.is_rust() {
        return Vec::new();
    }
    let code = RustCode::of(source);
    let mut paths = code.paths();
    paths.extend(code.imports.iter().cloned());
    let mut faults = BTreeSet::new();
    for (line, path) in paths.iter().filter(|(line, _path)| !code.is_test(*line)) {
        let is_read = |reading: &&Reading| reading.paths.iter().any(|end| ends_with(path, end));
        for reading in READINGS.iter().filter(is_read).filter(|reading| !reading.is_at_home(&source.path)) {
            let problem = format!("`{path}` reads {}, which a few files alone do", reading.what);
            faults.insert(source.fault(*line, problem));
        }
    }
    faults.into_iter().collect()
}

impl Reading {
    fn is_at_home(&self, path: &str) -> bool {
        self.homes.iter().any(|home| path == *home || home.ends_with('/') && path.starts_with(home))
    }
}

fn ends_with(path: &str, end: &str) -> bool {
    path.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with("::"))
}

const READINGS: &[Reading] = &[
    Reading {
        what: "the time of day",
        paths: &["SystemTime::now"],
        homes: &[
            // When certificates begin and end.
            "cache-cli/src/ca/mod.rs",
            // Lines for people and other programs.
            "cache-cli/src/command/monitor/mod.rs",
            "cache-cli/src/command/quota.rs",
            "cache-cli/src/daemon/dashboard/collector.rs",
            "cache-cli/src/door/access_log.rs",
            "cache-cli/src/door/refusals.rs",
            // How far this node's clock is from the time of day.
            "cache-cli/src/daemon/examine.rs",
            // Which name the fleet has today on the local network.
            "cache-discovery/src/mdns.rs",
            // When an allowance returns.
            "cache-cli/src/door/problem.rs",
            "cache-model-origin/src/quota.rs",
            // `Date` and `Expires` of the origin.
            "cache-origin-github/src/fetch.rs",
            "cache-origin-github/src/refusal.rs",
            // The clock that all others ask.
            "cache-store/src/clock.rs",
            // Which run of a node is the later one.
            "cache-transport/src/book.rs",
        ],
    },
    Reading {
        what: "the environment",
        paths: &["env::var", "env::var_os", "env::vars", "env::vars_os"],
        homes: &[
            "cache-cli/src/lib.rs",
            // systemd's variables, which are no settings.
            "cache-cli/src/daemon/supervisor.rs",
            // A variable that would have keys written down.
            "cache-transport-libp2p/src/transport.rs",
            "src/environment.rs",
            "tests/system/src/",
            "xtask/src/cargo.rs",
        ],
    },
    Reading {
        what: "chance",
        paths: &["OsRng", "rand::random", "rand::rng", "secure_rand_bytes", "getrandom"],
        homes: &[
            "cache-crypto/src/schedule.rs",
            // Which of too many contacts, and by what name a node goes on the local network.
            "cache-discovery/src/",
            // The seed of everything that the engine decides by chance.
            "src/joining.rs",
        ],
    },
];

#[cfg(test)]
mod rules {
    use super::{super::texts, *};

    #[test]
    fn what_is_read_of_the_world_is_read_at_home() {
        let text = "use std::env;\nfn f() {\n    env::var_os(\"A\");\n    SystemTime::now();\n    rand::random();\n}\n\
                    #[cfg(test)]\nmod tests {\n    fn g() { std::env::var(\"BLESS\"); }\n}\n";
        let expected = [
            "src/a.rs:3: `env::var_os` reads the environment, which a few files alone do",
            "src/a.rs:4: `SystemTime::now` reads the time of day, which a few files alone do",
            "src/a.rs:5: `rand::random` reads chance, which a few files alone do",
        ];
        assert_eq!(texts(at_home, "src/a.rs", text), expected);
        assert_eq!(texts(at_home, "src/environment.rs", text).len(), 2);
        assert_eq!(texts(at_home, "cache-core/tests/a.rs", text), [""; 0]);
    }

    #[test]
    fn an_import_is_a_reading_too_and_a_longer_name_is_none() {
        assert_eq!(texts(at_home, "src/a.rs", "use std::env::{self, var};\n").len(), 1);
        assert_eq!(
            texts(at_home, "src/a.rs", "fn f() { my_env::var(); rand::random_range(0..1); }\n"),
            [""; 0]
        );
    }
}
