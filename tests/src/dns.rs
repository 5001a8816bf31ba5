//! A DNS server whose answers change, as that of a cluster whose pods come and go.
//!
//! Knows A and SRV records, over UDP. A name that it was never told of does not exist; one that has no records has none.

use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

/// A server on 127.0.0.1, until it is dropped.
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddr,
    zone: Arc<Zone>,
}

#[derive(Debug, Default)]
struct Zone {
    names: Mutex<BTreeMap<String, Vec<Record>>>,
    questions: AtomicU64,
}

/// What is known of a name.
#[derive(Clone, Debug)]
pub enum Record {
    /// An address of the host.
    A(Ipv4Addr),
    /// A port on a host.
    Srv(u16, String),
}

impl DnsServer {
    /// Starts a server that knows no name, on a port that the system chooses.
    ///
    /// # Panics
    ///
    /// If the system has none.
    pub fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        let address = socket.local_addr().expect("it is bound");
        let zone = Arc::new(Zone::default());
        let answering = Arc::downgrade(&zone);
        thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question) {
                let Some(zone) = answering.upgrade() else { return };
                zone.questions.fetch_add(1, Ordering::Relaxed);
                if let Some(answer) = zone.answer(&question[..length]) {
                    drop(socket.send_to(&answer, from));
                }
            }
        });
        Self { address, zone }
    }

    /// Where to ask it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many questions it was asked.
    pub fn questions(&self) -> u64 {
        self.zone.questions.load(Ordering::Relaxed)
    }

    /// Answers questions about `name` with `records` from now on.
    pub fn publish(&self, name: &str, records: impl IntoIterator<Item = Record>) {
        self.zone.names.lock().insert(name.to_owned(), records.into_iter().collect());
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        // Wakes the thread, which finds that the zone is gone after this.
        let wake = || -> io::Result<usize> { UdpSocket::bind("127.0.0.1:0")?.send_to(&[], self.address) };
        self.zone = Arc::default();
        drop(wake());
    }
}

impl Zone {
    /// The answer to a question with one name; `None` if it is none.
    fn answer(&self, question: &[u8]) -> Option<Vec<u8>> {
        let mut at = HEAD_BYTES;
        let mut labels = Vec::new();
        loop {
            let length = usize::from(*question.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            labels.push(String::from_utf8(question.get(at..at + length)?.to_vec()).ok()?.to_lowercase());
            at += length;
        }
        let kind = u16::from_be_bytes(question.get(at..at + 2)?.try_into().ok()?);
        let asked = question.get(HEAD_BYTES..at + 4)?;
        let names = self.names.lock();
        let known = names.get(&labels.join("."));
        let records: Vec<Vec<u8>> =
            known.into_iter().flatten().filter_map(|record| record.to_bytes(kind)).collect();
        let mut answer = question.get(..2)?.to_vec();
        // A response of an authority that recurses, and whether there is such a name.
        answer.extend([0x85, if known.is_some() { 0x80 } else { 0x83 }, 0, 1]);
        answer.extend(u16::try_from(records.len()).ok()?.to_be_bytes());
        answer.extend([0; 4]);
        answer.extend(asked);
        records.into_iter().for_each(|record| answer.extend(record));
        Some(answer)
    }
}

impl Record {
    /// The record as an answer to a question for `kind`, about the name of the question.
    fn to_bytes(&self, kind: u16) -> Option<Vec<u8>> {
        let data = match self {
            Self::A(ip) if kind == KIND_A => ip.octets().to_vec(),
            Self::Srv(port, host) if kind == KIND_SRV => {
                let mut data = vec![0, 0, 0, 0];
                data.extend(port.to_be_bytes());
                for label in host.split('.') {
                    data.push(u8::try_from(label.len()).ok()?);
                    data.extend(label.as_bytes());
                }
                data.push(0);
                data
            }
            Self::A(_) | Self::Srv(..) => return None,
        };
        // The name is that of the question; class IN; a lifetime of five seconds, as in a cluster.
        let mut bytes = vec![0xc0, 12];
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 5]);
        bytes.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        bytes.extend(data);
        Some(bytes)
    }
}

/// Length of what precedes a question (RFC 1035, section 4.1.1).
const HEAD_BYTES: usize = 12;
const KIND_A: u16 = 1;
const KIND_SRV: u16 = 33;
