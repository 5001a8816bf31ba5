//! The hit rate of the HTTP door compared with that of nginx: same origin, same load, in turns.

use super::{
    Arguments, nginx,
    origin::{self, HEADERS},
    statistics::Sample,
    wrk,
};
use crate::{process::build_release, table::figures, web};
use anyhow::{Result, ensure};
use std::{net::SocketAddr, path::Path};

/// Measures and prints the table.
pub(super) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let daemon = build_release(root, "cache-cli", "fleet-cache")?;
    let directory = tempfile::tempdir()?;
    let (_origin, origin_address) = origin::start(root, arguments)?;
    let (_nginx, nginx_address) = nginx::start(origin_address, &directory.path().join("nginx"))?;
    let (mut ours, our_address) = origin::start_daemon(&daemon, origin_address, directory.path())?;
    ours.wait_ready(our_address)?;

    let mut contenders =
        [Contender::new("nginx, 1 worker", nginx_address), Contender::new("fleet-cache", our_address)];
    let body_bytes = warm(&contenders)?;
    let mut ratios = Sample::default();
    for round in 1..=arguments.rounds {
        let [nginx, ours] = &mut contenders;
        let theirs = nginx.measure(arguments.seconds)?;
        ratios.add(ours.measure(arguments.seconds)? / theirs);
        eprintln!("round {round} of {}", arguments.rounds);
    }
    println!(
        "door: hits of {body_bytes} bytes, wrk -t2 -c32, {} rounds of {} s; least / middle / greatest",
        arguments.rounds, arguments.seconds
    );
    println!("{}", render(&contenders));
    println!("fleet-cache : nginx, round by round = {} (bar for the middle: 1.50)", ratios.spread(2));
    Ok(())
}

struct Contender {
    name: &'static str,
    address: SocketAddr,
    rate: Sample,
    p50_ms: Sample,
    p99_ms: Sample,
}

impl Contender {
    fn new(name: &'static str, address: SocketAddr) -> Self {
        Self { name, address, rate: Sample::default(), p50_ms: Sample::default(), p99_ms: Sample::default() }
    }

    /// Puts it under load once. Returns its requests per second.
    fn measure(&mut self, seconds: u32) -> Result<f64> {
        let load = wrk::load(&format!("http://{}{PATH}", self.address), HEADERS, seconds)?;
        self.rate.add(load.requests_per_second);
        self.p50_ms.add(load.p50_ms);
        self.p99_ms.add(load.p99_ms);
        Ok(load.requests_per_second)
    }
}

/// Fills both caches. Returns how long the body is; both have to serve the same length.
fn warm(contenders: &[Contender]) -> Result<usize> {
    let mut lengths = Vec::new();
    for contender in contenders {
        for _turn in 0..3 {
            lengths.push(web::get(contender.address, PATH, HEADERS)?.len());
        }
    }
    let same = |length: &usize| length.abs_diff(lengths[0]) < LENGTHS_APART_BYTES_MAX;
    ensure!(lengths.iter().all(same), "bodies differ in length: {lengths:?}");
    Ok(lengths[0])
}

fn render(contenders: &[Contender]) -> String {
    let mut table = figures(["program", "requests/s", "p50 ms", "p99 ms"]);
    for contender in contenders {
        table.add_row([
            contender.name.to_owned(),
            contender.rate.spread(0),
            contender.p50_ms.spread(2),
            contender.p99_ms.spread(2),
        ]);
    }
    table.trim_fmt()
}

/// A file of 5,700 bytes as JSON: some 8 KiB.
const PATH: &str = "/repos/acme/widget-0/contents/big-5700.bin";

/// Our door rewrites addresses in bodies, which changes their length a little.
const LENGTHS_APART_BYTES_MAX: usize = 512;
