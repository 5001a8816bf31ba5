//! The units of systemd in `contrib/systemd`, as systemd itself reads them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

const DROP_IN: &str = include_str!("../../contrib/systemd/fleet-cache.service.d/gh.conf");

/// Whose service manager is to run a unit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Scope {
    System,
    User,
}

impl Scope {
    fn flag(self) -> &'static str {
        match self {
            Self::System => "--system",
            Self::User => "--user",
        }
    }

    fn unit(self) -> PathBuf {
        let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib/systemd");
        match self {
            Self::System => units.join("fleet-cache.service"),
            Self::User => units.join("user/fleet-cache.service"),
        }
    }

    /// What it says, drop-ins included.
    fn text(self) -> String {
        let unit = fs::read_to_string(self.unit()).expect("the unit is there");
        if self == Self::System { unit + DROP_IN } else { unit }
    }
}

/// The unit with the program that was built in place of the one that is to be installed.
fn installed(scope: Scope) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().join("fleet-cache.service");
    let program = |line: &str| match line.strip_prefix("ExecStart=") {
        Some(command) => {
            let arguments = command.split_once(' ').map_or("", |(_program, arguments)| arguments);
            format!("ExecStart={} {arguments}\n", env!("CARGO_BIN_EXE_fleet-cache-under-test"))
        }
        None => format!("{line}\n"),
    };
    let text: String = scope.text().lines().map(program).collect();
    fs::write(&path, text).expect("the directory takes a file");
    if scope == Scope::System {
        let drop_ins = directory.path().join("fleet-cache.service.d");
        fs::create_dir(&drop_ins).expect("a directory can be made");
        fs::write(drop_ins.join("gh.conf"), DROP_IN).expect("the directory takes a file");
    }
    (directory, path)
}

/// Runs `systemd-analyze`; `None`, said loudly, on a machine without it.
fn analyze(scope: Scope, arguments: &[&str]) -> Option<Output> {
    let (directory, unit) = installed(scope);
    let output = Command::new("systemd-analyze")
        .arg(scope.flag())
        .arg("--no-pager")
        .args(arguments)
        .arg(&unit)
        .env("XDG_RUNTIME_DIR", directory.path())
        .output();
    if output.is_err() {
        eprintln!("NOT CHECKED: this machine has no systemd-analyze");
    }
    output.ok()
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn systemd_finds_no_fault_in_either_unit() {
    for scope in [Scope::System, Scope::User] {
        let Some(output) = analyze(scope, &["verify"]) else { return };
        // What it does not understand it ignores with a warning and success.
        assert!(output.status.success() && words(&output).is_empty(), "{scope:?}: {}", words(&output));
    }
}

#[test]
fn the_systems_unit_is_exposed_to_less_than_a_fifth_of_what_it_could_be() {
    // The threshold is in tenths of the scale, which ends at 10.0.
    let Some(output) = analyze(Scope::System, &["security", "--offline=yes", "--threshold=20"]) else {
        return;
    };
    assert!(output.status.success(), "{}", words(&output));
}

#[test]
fn units_set_only_what_the_daemon_reads() {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/settings.md");
    let manual = fs::read_to_string(manual).expect("the manual is there");
    for scope in [Scope::System, Scope::User] {
        let text = scope.text();
        let set = text.lines().filter_map(|line| line.strip_prefix("Environment=")?.split('=').next());
        for variable in set {
            assert!(manual.contains(&format!("`{variable}`")), "{scope:?}: {variable}");
        }
    }
}
