//! A daemon with a settings file that changes.

use cache_tests::{
    daemon::{Daemon, Setup},
    eventually,
    http::{Draft, Reply},
    origin::ModelOrigin,
};
use std::{fs, path::PathBuf, time::Duration};
use tempfile::TempDir;

pub(crate) const REPOSITORY: &str = "/repos/acme/widget-1";

pub(crate) struct Configured {
    pub(crate) daemon: Daemon,
    file: PathBuf,
    _home: TempDir,
}

pub(crate) fn setup(origin: &ModelOrigin) -> Setup {
    Setup::new(env!("CARGO_BIN_EXE_fleet-cache-under-test"), &origin.url())
}

impl Configured {
    /// A daemon whose settings file says `text`.
    pub(crate) fn start(origin: &ModelOrigin, text: &str) -> Self {
        Self::start_with(setup(origin), text)
    }

    pub(crate) fn start_with(setup: Setup, text: &str) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory can be made");
        let file = home.path().join("config.toml");
        fs::write(&file, text).expect("a file can be written");
        Self { daemon: setup.arg("--config").arg(&file).start(), file, _home: home }
    }

    /// Has the daemon read `text`, and waits until it says that it took it over.
    pub(crate) async fn change(&self, text: &str) {
        self.reload(text, "SIGHUP: new settings are in force").await;
    }

    /// Has the daemon read `text`, and waits until it says `words` once more.
    pub(crate) async fn reload(&self, text: &str, words: &str) {
        self.write(text);
        self.hang_up(words).await;
    }

    pub(crate) async fn hang_up(&self, words: &str) {
        let said = self.times(words);
        self.daemon.signal("-HUP");
        let told = eventually(SOON, || self.times(words) > said).await;
        assert!(told, "{words:?} is missing in {}", self.daemon.stderr());
    }

    pub(crate) fn write(&self, text: &str) {
        fs::write(&self.file, text).expect("a file can be written");
    }

    pub(crate) fn remove_file(&self) {
        fs::remove_file(&self.file).expect("the file is there");
    }

    pub(crate) fn get(&self) -> Draft {
        self.daemon.unix_client().get(REPOSITORY).token("ghp_alice")
    }

    /// The `Cache-Status` of reading the repository once.
    pub(crate) async fn status(&self) -> String {
        status(self.get()).await
    }

    fn times(&self, words: &str) -> usize {
        self.daemon.stderr().matches(words).count()
    }
}

pub(crate) async fn reply(draft: Draft) -> Reply {
    draft.send().await.expect("the door answers")
}

pub(crate) async fn status(draft: Draft) -> String {
    let reply = reply(draft).await;
    assert_eq!(reply.status, 200);
    reply.header("cache-status").to_owned()
}

pub(crate) const SOON: Duration = Duration::from_secs(30);
