//! A line between hosts that delays, loses and can be cut, whatever the kernel is able to.
//!
//! Every host has a TUN device, opened inside its network namespace; one thread carries IPv4 frames between the
//! devices by their destination. What happens on the way is [`Transit`]'s. Makes no namespace, starts no program.

mod transit;

use anyhow::{Context as _, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
pub(super) use transit::{Figures, Manner};
use transit::{Frame, Transit};
use tun_rs::{DeviceBuilder, SyncDevice};

/// Where a host is plugged in.
#[derive(Clone, Debug)]
pub(super) struct End {
    /// The network namespace, as `ip netns` knows it.
    pub(super) namespace: String,
    pub(super) address: Ipv4Addr,
    /// What happens to the frames that this host sends.
    pub(super) manner: Manner,
}

/// The line while it carries; dropping it takes the devices away.
#[derive(Debug)]
pub(super) struct Line {
    transit: Arc<Mutex<Transit>>,
    is_over: Arc<AtomicBool>,
    carrier: Option<JoinHandle<()>>,
}

impl Line {
    /// Plugs all `ends` in, whose namespaces have to be there, and begins to carry.
    ///
    /// # Errors
    ///
    /// If a namespace cannot be entered or a device not be made, which needs root and `/dev/net/tun`.
    pub(super) fn new(ends: Vec<End>, seed: u64) -> Result<Self> {
        let mut plugs = Vec::new();
        for end in ends {
            let device = device(&end).with_context(|| format!("plugging {} in", end.namespace))?;
            plugs.push(Plug { address: end.address, manner: end.manner, device });
        }
        let transit = Arc::new(Mutex::new(Transit::new(seed)));
        let is_over = Arc::new(AtomicBool::new(false));
        let (shared, over) = (Arc::clone(&transit), Arc::clone(&is_over));
        let carrier = thread::Builder::new().name("line".to_owned()).spawn(move || {
            if let Err(error) = carry(&plugs, &shared, &over) {
                eprintln!("the line breaks: {error:#}");
            }
        })?;
        Ok(Self { transit, is_over, carrier: Some(carrier) })
    }

    /// From now on nothing gets from the first to the second of each pair, and no host is told.
    pub(super) fn cut(&self, pairs: impl IntoIterator<Item = (Ipv4Addr, Ipv4Addr)>) {
        self.transit().cut(pairs);
    }

    /// Undoes every cut that was made.
    pub(super) fn mend(&self) {
        self.transit().mend();
    }

    /// What the line has done so far.
    pub(super) fn figures(&self) -> Figures {
        self.transit().figures()
    }

    fn transit(&self) -> MutexGuard<'_, Transit> {
        self.transit.lock().expect(UNBROKEN)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(carrier) = self.carrier.take() {
            // One that panicked has said so.
            let _panicked = carrier.join();
        }
    }
}

/// An end with its device.
struct Plug {
    address: Ipv4Addr,
    manner: Manner,
    device: SyncDevice,
}

/// Makes and opens a device in the namespace of `end`, by a thread that goes there and ends there.
fn device(end: &End) -> Result<SyncDevice> {
    thread::scope(|scope| {
        let inside = scope.spawn(|| {
            enter(&end.namespace)?;
            let device = DeviceBuilder::new()
                .name(DEVICE)
                .ipv4(end.address, PREFIX_BITS, None)
                .mtu(MTU)
                .build_sync()?;
            device.set_nonblocking(true)?;
            Ok(device)
        });
        inside.join().expect("opening a device does not panic")
    })
}

/// Moves the calling thread into a network namespace.
#[cfg(target_os = "linux")]
fn enter(namespace: &str) -> Result<()> {
    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
    use std::os::fd::AsFd as _;

    let link = std::fs::File::open(format!("/run/netns/{namespace}"))?;
    Ok(move_into_link_name_space(link.as_fd(), Some(LinkNameSpaceType::Network))?)
}

#[cfg(not(target_os = "linux"))]
fn enter(namespace: &str) -> Result<()> {
    anyhow::bail!("{namespace}: only Linux has network namespaces")
}

/// Takes frames from the devices and hands them to others when their time has come, until it is over.
fn carry(plugs: &[Plug], transit: &Mutex<Transit>, is_over: &AtomicBool) -> Result<()> {
    let by_address: BTreeMap<Ipv4Addr, &Plug> = plugs.iter().map(|plug| (plug.address, plug)).collect();
    let mut bytes = vec![0; usize::from(MTU)];
    while !is_over.load(Ordering::Relaxed) {
        let due = transit.lock().expect(UNBROKEN).due();
        wait(plugs, due)?;
        for plug in plugs {
            // A batch at most, so that a busy host does not keep the others waiting.
            for _ in 0..BATCH {
                let Ok(length) = plug.device.recv(&mut bytes) else {
                    // Nothing more to take, as a rule; one that is broken shows as silence.
                    break;
                };
                let Some(to) = destination(&bytes[..length]) else {
                    continue;
                };
                let frame = Frame { from: plug.address, to, bytes: bytes[..length].to_vec() };
                transit.lock().expect(UNBROKEN).enter(Instant::now(), &plug.manner, frame);
            }
        }
        let mut transit = transit.lock().expect(UNBROKEN);
        while let Some(frame) = transit.leave(Instant::now()) {
            let taken = by_address.get(&frame.to).is_some_and(|plug| plug.device.send(&frame.bytes).is_ok());
            transit.note_arrival(taken);
        }
    }
    Ok(())
}

/// Waits until a device has something, or until `due`.
fn wait(plugs: &[Plug], due: Option<Instant>) -> Result<()> {
    let mut polled: Vec<PollFd<'_>> =
        plugs.iter().map(|plug| PollFd::new(&plug.device, PollFlags::IN)).collect();
    let rest = due.map_or(LOOK, |due| due.saturating_duration_since(Instant::now()).min(LOOK));
    let timeout = Timespec { tv_sec: 0, tv_nsec: rest.subsec_nanos().into() };
    match poll(&mut polled, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error).context("polling the devices"),
    }
}

/// Where an IPv4 frame goes; nothing for others, such as IPv6's search for routers.
fn destination(frame: &[u8]) -> Option<Ipv4Addr> {
    let is_v4 = frame.first().is_some_and(|first| first >> 4 == 4);
    let address: [u8; 4] = frame.get(16..20)?.try_into().ok()?;
    is_v4.then(|| address.into())
}

const UNBROKEN: &str = "nobody panics with the lock held";
const DEVICE: &str = "line0";
const PREFIX_BITS: u8 = 24;
/// Largest frame, in bytes: Ethernet's.
const MTU: u16 = 1500;
/// Frames taken from one host before the next has its turn.
const BATCH: usize = 64;
/// Longest time between two looks at whether all is over. Below one second, as `wait` counts in its parts.
const LOOK: Duration = Duration::from_millis(50);
