//! A file that lists other nodes, written by whatever knows them: a person, a configuration tool, a sidecar.

use crate::{CONTACTS_MAX, Site, fault, some_of};
use async_trait::async_trait;
use cache_core::{
    Contact,
    port::{Discovery, Finding, LookFault},
};
use std::{
    fs::File,
    hash::{DefaultHasher, Hasher as _},
    io::{self, Read as _},
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Reads a file again whenever it says something else, and whenever contacts are wanted.
///
/// A line is a multiaddr, with or without a node's id, or an IP address with or without a port. Blank lines and what
/// follows a `#` do not count. A line that is none of these is left out, and reported.
#[derive(Debug)]
pub struct FileDiscovery {
    path: Arc<Path>,
    site: Site,
    /// What the last look read, as a hash; 0 before it.
    seen: AtomicU64,
}

impl FileDiscovery {
    /// Looks into the file at `path`, which need not be there yet.
    pub fn new(path: impl Into<PathBuf>, site: Site) -> Self {
        Self { path: path.into().into(), site, seen: AtomicU64::new(0) }
    }

    /// Reads the file in a thread that may wait for a disk.
    async fn read(&self) -> io::Result<String> {
        let path = Arc::clone(&self.path);
        let read = move || {
            let mut text = String::new();
            // A pipe would wait for its writer, and give its contents once.
            if !std::fs::metadata(&path)?.is_file() {
                return Err(io::Error::other("it is no regular file"));
            }
            File::open(&path)?.take(BYTES_MAX).read_to_string(&mut text)?;
            Ok(text)
        };
        tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    fn parse(&self, text: &str) -> Finding {
        let lines = text.lines().enumerate().map(|(number, line)| {
            let line = line.split_once('#').map_or(line, |(before, _comment)| before);
            (number + 1, line.trim())
        });
        let (mut contacts, mut fault) = (Vec::new(), None);
        for (number, line) in lines.filter(|(_number, line)| !line.is_empty()).take(LINES_MAX) {
            match self.contact(line) {
                Some(contact) => contacts.push(contact),
                None => fault = fault.or_else(|| Some(self.unfit(number, line))),
            }
        }
        Finding { contacts: some_of(contacts), fault }
    }

    fn contact(&self, line: &str) -> Option<Contact> {
        if line.starts_with('/') {
            let is_address =
                ["/ip4/", "/ip6/", "/dns4/", "/dns6/"].iter().any(|start| line.starts_with(start))
                    && (line.contains("/tcp/") || line.contains("/udp/"));
            return is_address.then(|| Contact::new(line));
        }
        let socket = line.parse::<SocketAddr>().ok();
        let socket = socket.or_else(|| Some(SocketAddr::new(line.parse::<IpAddr>().ok()?, self.site.port)));
        socket.filter(|socket| socket.port() != 0).map(|socket| Contact::new((self.site.address_of)(socket)))
    }

    fn unfit(&self, number: usize, line: &str) -> LookFault {
        let line: String = line.chars().take(SHOWN_MAX).collect();
        fault(
            format!("{} line {number}: {line:?} is no address of a node", self.path.display()),
            "write a multiaddr, as `fleet-cache id` prints it over there, or an IP address and a port",
        )
    }
}

#[async_trait]
impl Discovery for FileDiscovery {
    async fn look(&self) -> Finding {
        let read = self.read().await;
        self.seen.store(imprint(&read), Ordering::Release);
        match read {
            Ok(text) => self.parse(&text),
            Err(error) => fault(
                format!("{} cannot be read: {error}", self.path.display()),
                "write a line for each node into it; it is read again when it is there",
            )
            .into(),
        }
    }

    async fn changed(&self) {
        loop {
            tokio::time::sleep(WATCH_INTERVAL).await;
            let seen = self.seen.load(Ordering::Acquire);
            if seen != 0 && imprint(&self.read().await) != seen {
                return;
            }
        }
    }
}

/// A number for what was read, which is never 0.
fn imprint(read: &io::Result<String>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match read {
        Ok(text) => hasher.write(text.as_bytes()),
        Err(error) => hasher.write(format!("{error}").as_bytes()),
    }
    hasher.write_u8(u8::from(read.is_ok()));
    hasher.finish().max(1)
}

/// Time between two looks at whether the file says something else.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// Most bytes that are read: a hundred lines for each contact that is handed on.
const BYTES_MAX: u64 = 1024 * 1024;

/// Most lines that count.
const LINES_MAX: usize = 64 * CONTACTS_MAX;

/// Most characters of a line that are repeated in an error.
const SHOWN_MAX: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        let address_of = |socket: SocketAddr| format!("/ip4/{}/tcp/{}", socket.ip(), socket.port()).into();
        Site { address_of: Arc::new(address_of), port: 9100 }
    }

    fn addresses(finding: &Finding) -> Vec<&str> {
        let mut addresses: Vec<&str> = finding.contacts.iter().map(|contact| &*contact.address).collect();
        addresses.sort_unstable();
        addresses
    }

    #[tokio::test]
    async fn every_line_that_is_an_address_is_found_and_the_first_that_is_none_is_named() {
        let file = tempfile::NamedTempFile::new().expect("a file can be made");
        let text = "# nodes\n192.0.2.1\n192.0.2.2:9000 # b\n\n/ip4/192.0.2.3/udp/9100/quic-v1\r\nsomewhere\n/tcp/1\n0.0.0.0:0\n192.0.2.1\n";
        std::fs::write(file.path(), text).expect("it can be written");
        let finding = FileDiscovery::new(file.path(), site()).look().await;
        let expected =
            ["/ip4/192.0.2.1/tcp/9100", "/ip4/192.0.2.2/tcp/9000", "/ip4/192.0.2.3/udp/9100/quic-v1"];
        assert_eq!(addresses(&finding), expected);
        let fault = finding.fault.expect("there is a line that is no address").to_string();
        assert!(fault.contains("line 6: \"somewhere\" is no address of a node; write"), "{fault}");
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_or_is_none_is_named_and_found_once_it_is_there() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let is_none = FileDiscovery::new(directory.path(), site()).look().await;
        assert!(is_none.fault.expect("it is a directory").reason.contains("no regular file"));
        let discovery = FileDiscovery::new(directory.path().join("nodes"), site());
        let absent = discovery.look().await.fault.expect("it is not there");
        assert!(absent.reason.contains("nodes cannot be read"), "{absent}");
        std::fs::write(directory.path().join("nodes"), "192.0.2.1").expect("it can be written");
        discovery.changed().await;
        assert_eq!(addresses(&discovery.look().await), ["/ip4/192.0.2.1/tcp/9100"]);
    }

    #[tokio::test]
    async fn a_change_of_the_file_is_noticed_once_and_a_change_back_as_well() {
        let file = tempfile::NamedTempFile::new().expect("a file can be made");
        std::fs::write(file.path(), "192.0.2.1").expect("it can be written");
        let discovery = FileDiscovery::new(file.path(), site());
        discovery.look().await;
        for text in ["192.0.2.2", "192.0.2.1"] {
            let unchanged = tokio::time::timeout(2 * WATCH_INTERVAL, discovery.changed()).await;
            assert!(unchanged.is_err(), "it says what it said");
            std::fs::write(file.path(), text).expect("it can be written");
            discovery.changed().await;
            assert_eq!(addresses(&discovery.look().await), [format!("/ip4/{text}/tcp/9100")]);
        }
    }

    #[tokio::test]
    async fn a_long_file_and_one_that_is_not_text_cost_no_more_than_the_bounds() {
        let file = tempfile::NamedTempFile::new().expect("a file can be made");
        let many: String =
            (0..100_000).map(|number| format!("10.{}.{}.1\n", number / 250, number % 250)).collect();
        std::fs::write(file.path(), many).expect("it can be written");
        let discovery = FileDiscovery::new(file.path(), site());
        assert_eq!(discovery.look().await.contacts.len(), CONTACTS_MAX);
        std::fs::write(file.path(), [0xff; 1000]).expect("it can be written");
        assert!(discovery.look().await.fault.is_some());
    }
}
