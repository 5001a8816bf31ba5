//! Debian's `gh` and `curl`, unmodified, without anything of the user that runs the checks.

use crate::process::{any_output, output};
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

/// GitHub's command line.
#[derive(Debug)]
pub(super) struct Gh {
    directory: PathBuf,
}

impl Gh {
    pub(super) fn new(socket: &Path, directory: &Path) -> Result<Self> {
        let gh = Self { directory: directory.join("gh") };
        fs::create_dir_all(&gh.directory)?;
        let socket = socket.to_str().context("the temporary directory has a plain name")?;
        gh.run(&["config", "set", "http_unix_socket", socket])?;
        Ok(gh)
    }

    /// What `gh` prints; an error if it fails.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new("gh");
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.directory)
            .env("GH_CONFIG_DIR", &self.directory)
            .env("GH_TOKEN", "ghp_alice")
            .env("GH_NO_UPDATE_NOTIFIER", "1")
            .env("NO_COLOR", "1");
        output(&mut command)
    }
}

/// curl to the TCP door.
#[derive(Debug)]
pub(super) struct Curl {
    base: String,
    authorization: String,
    directory: PathBuf,
}

impl Curl {
    pub(super) fn new(address: SocketAddr, token: &str, directory: &Path) -> Self {
        Self {
            base: format!("http://{address}"),
            authorization: format!("Authorization: token {token}"),
            directory: directory.to_owned(),
        }
    }

    /// The answer to a GET; an error only if there is no whole one.
    pub(super) fn get(&self, path: &str) -> Result<Reply> {
        self.send(path, &[])
    }

    /// The same with further arguments of curl. `path` may be an address of the door.
    pub(super) fn send(&self, path: &str, arguments: &[&str]) -> Result<Reply> {
        let url = if path.starts_with('/') { format!("{}{path}", self.base) } else { path.to_owned() };
        let mut command = self.command();
        command.args(["--include"]).args(arguments).arg(url);
        let output = any_output(&mut command)?;
        if !output.status.success() {
            bail!("curl {path}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
        }
        Reply::read(&output.stdout)
    }

    /// The bodies of `count` GETs of one path, all under way at once.
    pub(super) fn get_at_once(&self, path: &str, count: usize) -> Result<Vec<Vec<u8>>> {
        let paths = vec![path.to_owned(); count];
        self.get_all(&paths, count)
    }

    /// The bodies of all `paths` in their order, up to `parallel` under way at once.
    pub(super) fn get_all(&self, paths: &[String], parallel: usize) -> Result<Vec<Vec<u8>>> {
        let folder = self.directory.join("bodies");
        fs::create_dir_all(&folder)?;
        let mut lines = String::new();
        for (number, path) in paths.iter().enumerate() {
            let file = folder.join(number.to_string());
            lines.push_str(&format!("url = \"{}{path}\"\noutput = \"{}\"\n", self.base, file.display()));
        }
        let config = self.directory.join("curl.conf");
        fs::write(&config, lines)?;
        let mut command = self.command();
        command.args(["--fail", "--parallel", "--parallel-immediate"]);
        command.args(["--parallel-max", &parallel.to_string(), "--config"]).arg(&config);
        output(&mut command)?;
        let body = |number: usize| fs::read(folder.join(number.to_string())).context("a body curl wrote");
        let bodies = (0..paths.len()).map(body).collect::<Result<Vec<_>>>()?;
        fs::remove_dir_all(folder)?;
        Ok(bodies)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("curl");
        // The first argument of all, so that no settings of the user's apply.
        command.args(["--disable", "--silent", "--show-error", "--max-time", "90"]);
        command.args(["--header", &self.authorization]);
        command
    }
}

/// The answer that came back.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    fn read(bytes: &[u8]) -> Result<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").context("no head")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let field = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        Ok(Self {
            status: status.context("no status")?,
            headers: lines.filter_map(field).collect(),
            body: bytes[end + 4..].to_vec(),
        })
    }

    /// A header by its name in lower case; empty if absent.
    pub(super) fn header(&self, name: &str) -> &str {
        let field = self.headers.iter().find(|(found, _)| found == name);
        field.map_or("", |(_, value)| value)
    }

    pub(super) fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).context("the body is JSON")
    }

    pub(super) fn is_hit(&self) -> bool {
        is_hit(self.header("cache-status"))
    }
}

/// Whether a `Cache-Status` says that the cache answered.
pub(super) fn is_hit(cache_status: &str) -> bool {
    cache_status.split([';', ',']).any(|part| part.trim() == "hit")
}
