//! `fleet-cache up`, `status` and `down`, as a user of gh runs them: with the gh of this machine, if it has one, and always with a
//! stand-in that keeps its settings as gh does.

use cache_tests::{daemon::Setup, origin::ModelOrigin};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_fleet-cache-under-test");

/// Reads and writes one setting of `config.yml`, as gh does; whatever else is there stays, comments too.
const STAND_IN: &str = r#"#!/bin/sh
file="${GH_CONFIG_DIR:-${XDG_CONFIG_HOME:-$HOME/.config}/gh}/config.yml"
[ "$1" = config ] || exit 1
case "$2" in
get)
    line=$(grep "^$3: " "$file" 2>/dev/null) || { echo "could not find key \"$3\"" >&2; exit 1; }
    echo "${line#*: }" ;;
set)
    mkdir -p "$(dirname "$file")"
    { grep -v "^$3: " "$file" 2>/dev/null; echo "$3: $4"; } > "$file.new"
    cat "$file.new" > "$file" && rm "$file.new" ;;
esac
"#;

/// A user with a home and a gh.
struct User {
    home: TempDir,
    path: String,
    origin: String,
}

/// How a command ended, and what it wrote.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl User {
    fn new(origin: &ModelOrigin, gh: &Path) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory can be made");
        // gh alone, besides what shells need.
        let programs = home.path().join("bin");
        fs::create_dir(&programs).expect("a directory can be made");
        std::os::unix::fs::symlink(gh, programs.join("gh")).expect("a link can be made");
        let path = format!("{}:/usr/bin:/bin", programs.display());
        Self { home, path, origin: origin.url() }
    }

    fn with_config(self, text: &str) -> Self {
        let directory = self.home.path().join(".config/gh");
        fs::create_dir_all(&directory).expect("a directory can be made");
        fs::write(directory.join("config.yml"), text).expect("a file can be written");
        fs::write(directory.join("hosts.yml"), HOSTS).expect("a file can be written");
        self
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Ended {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().env("HOME", self.home.path()).env("PATH", &self.path);
        command.env("GH_TOKEN", "ghp_alice").env("GH_NO_UPDATE_NOTIFIER", "1").stdin(Stdio::null());
        let output = command.output().expect("the program can be run");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is text");
        Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    fn fleet_cache(&self, arguments: &[&str]) -> Ended {
        self.run(PROGRAM, arguments)
    }

    fn up(&self, more: &[&str]) -> Ended {
        let usual =
            ["up", "--listen=127.0.0.1:0", "--p2p-listen", "/ip4/127.0.0.1/tcp/0", "--origin", &self.origin];
        self.fleet_cache(&[&usual, more].concat())
    }

    /// Every file of the user's, but for what is this program's own.
    fn files(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut files = BTreeMap::new();
        let mut directories = vec![self.home.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(&directory).expect("it can be read") {
                let path = entry.expect("it can be read").path();
                if path.ends_with(".cache/fleet-cache") || path.ends_with("bin") {
                    continue;
                }
                let found = fs::metadata(&path).expect("it is there");
                if found.is_dir() {
                    directories.push(path.clone());
                    // The directory that holds this program's own is that, too.
                    if !path.ends_with(".cache") {
                        files.insert(path, (found.permissions().mode(), Vec::new()));
                    }
                } else {
                    files.insert(
                        path.clone(),
                        (found.permissions().mode(), fs::read(&path).expect("it can be read")),
                    );
                }
            }
        }
        files
    }

    fn socket_of_gh(&self) -> String {
        self.run("gh", &["config", "get", "http_unix_socket"]).stdout.trim().to_owned()
    }
}

impl Drop for User {
    fn drop(&mut self) {
        // A test that failed must not leave its daemon behind.
        drop(self.fleet_cache(&["down"]));
    }
}

const HOSTS: &str = "github.com:\n    user: ann\n    git_protocol: https\n";
const CONFIG: &str = "# mine\ngit_protocol: ssh\neditor:   vim   # as ever\n\n\nprompt: enabled\n";

/// The gh of this machine, if there is one.
fn real_gh() -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|directory| directory.join("gh")).find(|path| path.is_file())
}

/// Each gh with which to try.
fn each_gh(mut try_with: impl FnMut(&Path)) {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let stand_in = directory.path().join("gh");
    fs::write(&stand_in, STAND_IN).expect("a file can be written");
    fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755)).expect("it can be made a program");
    try_with(&stand_in);
    match real_gh() {
        Some(gh) => try_with(&gh),
        None => println!("this machine has no gh"),
    }
}

#[test]
fn after_up_and_down_every_file_of_the_user_is_as_it_was_and_in_between_gh_asks_the_daemon() {
    let origin = ModelOrigin::start();
    each_gh(|gh| {
        for config in [None, Some(CONFIG), Some("http_unix_socket: /elsewhere.sock\n")] {
            let user = User::new(&origin, gh);
            let user = config.map_or_else(|| User::new(&origin, gh), |config| user.with_config(config));
            let before = user.files();
            assert_eq!(user.fleet_cache(&["status"]).code, Some(3), "no daemon runs");
            let up = user.up(&[]);
            assert_eq!(up.code, Some(0), "{up:?}");
            assert!(
                up.stdout.contains("gh asks it from now on") && up.stdout.contains("GITHUB_API_URL="),
                "{up:?}"
            );
            let status = user.fleet_cache(&["status", "--json"]);
            let told: Value = serde_json::from_str(&status.stdout).expect("it is JSON");
            assert_eq!((status.code, &told["saves"]), (Some(0), &Value::Bool(true)), "{status:?}");
            assert_eq!(user.socket_of_gh(), told["gh_socket"].as_str().expect("it is led"));
            assert_ne!(user.files(), before, "gh's settings name the socket");
            // Once more changes nothing.
            let changed = user.files();
            assert!(user.up(&[]).stdout.contains("runs already"));
            assert_eq!(user.files(), changed);
            let down = user.fleet_cache(&["down"]);
            assert_eq!(down.code, Some(0), "{down:?}");
            assert!(down.stdout.contains("as they were\nthe daemon has stopped"), "{down:?}");
            assert_eq!(user.files(), before, "byte for byte");
            assert_eq!(user.fleet_cache(&["status"]).code, Some(3));
            assert!(user.fleet_cache(&["down"]).stdout.contains("nothing to undo"));
        }
    });
}

#[test]
fn a_call_of_the_real_gh_is_saved_after_up() {
    let Some(gh) = real_gh() else {
        println!("this machine has no gh");
        return;
    };
    let origin = ModelOrigin::start();
    let user = User::new(&origin, &gh);
    assert_eq!(user.up(&[]).code, Some(0));
    for _ in 0..3 {
        let asked = user.run("gh", &["api", "/repos/acme/widget-0", "--jq", ".full_name"]);
        assert_eq!(asked.stdout.trim(), "acme/widget-0", "{asked:?}");
    }
    assert_eq!(origin.calls_total(), 1);
}

#[test]
fn what_the_user_changed_in_between_stays_and_only_the_socket_is_set_back() {
    let origin = ModelOrigin::start();
    each_gh(|gh| {
        let user = User::new(&origin, gh).with_config(CONFIG);
        assert_eq!(user.up(&[]).code, Some(0));
        assert_eq!(user.run("gh", &["config", "set", "pager", "less"]).code, Some(0));
        let down = user.fleet_cache(&["down"]);
        assert!(down.stdout.contains("http_unix_socket alone was set back"), "{down:?}");
        assert_eq!(user.socket_of_gh(), "");
        assert_eq!(user.run("gh", &["config", "get", "pager"]).stdout.trim(), "less");
        // Led elsewhere by the user, it stays there.
        assert_eq!(user.up(&[]).code, Some(0));
        user.run("gh", &["config", "set", "http_unix_socket", "/elsewhere.sock"]);
        let status = user.fleet_cache(&["status"]);
        assert_eq!(status.code, Some(17), "{status:?}");
        assert!(status.stderr.contains("gh is led /elsewhere.sock"), "{status:?}");
        assert!(user.fleet_cache(&["down"]).stdout.contains("led elsewhere by now"));
        assert_eq!(user.socket_of_gh(), "/elsewhere.sock");
    });
}

#[test]
fn a_daemon_that_was_killed_is_started_again_with_its_secret_and_down_still_undoes_all() {
    let origin = ModelOrigin::start();
    each_gh(|gh| {
        let user = User::new(&origin, gh).with_config(CONFIG);
        let before = user.files();
        let told = |ended: Ended| -> Value { serde_json::from_str(&ended.stdout).expect("it is JSON") };
        let first = told(user.up(&["--json"]));
        let secret = fs::read(first["secret_file"].as_str().expect("it made one")).expect("it can be read");
        let pid = first["pid"].to_string();
        assert!(Command::new("kill").args(["-9", &pid]).status().expect("kill can be run").success());
        assert!(cache_tests::eventually_blocking(cache_tests::SOON, || user.fleet_cache(&["status"]).code
            == Some(3)));
        let second = told(user.up(&["--json"]));
        assert_eq!(second["started"], true);
        assert_ne!(second["pid"], first["pid"]);
        assert_eq!(
            fs::read(second["secret_file"].as_str().expect("it is there")).expect("it can be read"),
            secret
        );
        assert_eq!(user.fleet_cache(&["down"]).code, Some(0));
        assert_eq!(user.files(), before);
    });
}

#[test]
fn a_daemon_that_cannot_start_is_told_of_with_its_reason_and_gh_is_left_as_it_was() {
    let origin = ModelOrigin::start();
    each_gh(|gh| {
        let user = User::new(&origin, gh).with_config(CONFIG);
        let before = user.files();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = taken.local_addr().expect("it is bound").port().to_string();
        let up = user.fleet_cache(&["up", "--listen", &format!("127.0.0.1:{port}"), "--no-p2p"]);
        assert_eq!(up.code, Some(4), "as `serve` ends: {up:?}");
        assert!(up.stderr.contains(&port), "{up:?}");
        assert_eq!(user.files(), before);
        let unfit = user.fleet_cache(&["up", "--default-ttl", "soon", "--discover", "somehow"]);
        assert_eq!(unfit.code, Some(2));
        assert!(unfit.stderr.contains("soon") && unfit.stderr.contains("somehow"), "{unfit:?}");
        assert_eq!(user.fleet_cache(&["down"]).code, Some(0));
        assert_eq!(user.files(), before);
    });
}

#[test]
fn a_secret_that_up_was_given_is_not_among_the_arguments_of_the_daemon() {
    let origin = ModelOrigin::start();
    let stand_in = tempfile::NamedTempFile::new().expect("a file can be made");
    let user = User::new(&origin, stand_in.path());
    let (ours, accepted) = ("one-passphrase-of-many-words", "another-passphrase-of-many-words");
    let up = user.up(&["--no-gh", "--json", "--shared-secret", ours, "--accept-secret", accepted]);
    let told: Value = serde_json::from_str(&up.stdout).unwrap_or_else(|_| panic!("{up:?}"));
    let arguments = fs::read(format!("/proc/{}/cmdline", told["pid"])).expect("it runs");
    let stats = user.fleet_cache(&["stats", "--json"]);
    assert_eq!(user.fleet_cache(&["down"]).code, Some(0));
    let arguments = String::from_utf8_lossy(&arguments);
    assert!(arguments.contains("serve") && !arguments.contains("passphrase"), "{arguments}");
    assert!(stats.stdout.contains("\"connected_peers\""), "it shares: {stats:?}");
    assert_eq!(told["secret_file"], Value::Null, "none had to be made");
}

#[test]
fn gh_may_be_left_alone() {
    let origin = ModelOrigin::start();
    each_gh(|gh| {
        let user = User::new(&origin, gh);
        let before = user.files();
        let up = user.up(&["--no-gh"]);
        assert!(up.code == Some(0) && up.stdout.contains("gh was left as it is"), "{up:?}");
        assert_eq!(user.files(), before);
        assert_eq!(user.fleet_cache(&["status"]).code, Some(17), "gh asks GitHub itself");
    });
}

#[test]
fn a_daemon_that_the_user_started_is_used_and_runs_on_after_down() {
    let origin = ModelOrigin::start();
    each_gh(|gh| {
        let daemon = Setup::new(PROGRAM, &origin.url()).start();
        let (user, cache) = (User::new(&origin, gh), daemon.directory().join("cache").display().to_string());
        let before = user.files();
        let up = user.fleet_cache(&["up", "--cache-dir", &cache]);
        assert!(up.code == Some(0) && up.stdout.contains("runs already"), "{up:?}");
        assert_eq!(user.socket_of_gh(), daemon.socket().display().to_string());
        assert_eq!(user.fleet_cache(&["status", "--cache-dir", &cache]).code, Some(0));
        let down = user.fleet_cache(&["down", "--cache-dir", &cache]);
        assert!(down.stdout.contains("was not started by `up`, and runs on"), "{down:?}");
        assert_eq!(user.files(), before);
        assert_eq!(user.fleet_cache(&["status", "--cache-dir", &cache]).code, Some(17));
    });
}
