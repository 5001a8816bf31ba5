//! A fleet at a steady rate, in turmoil, for as long as one likes, and whether its daemons grow.
//!
//! Clients write and hang up, and one of the three daemons is killed every half minute. The first quarter is warm-up: caches fill, threads start. What the daemons hold in the last quarter may exceed
//! what they held at the end of the first by a named allowance.

mod turmoil;

use super::{
    fleet::FleetSetting,
    members::{Fleet, Member},
    reader::{Diet, LIFETIME, Seen, reading},
    usage::{Usage, mib},
};
use crate::table::figures;
use anyhow::{Result, ensure};
use std::{
    thread,
    time::{Duration, Instant},
};
use turmoil::Turmoil;

/// Reads from three daemons for `length`. Returns the figures, or an error if a daemon grew.
pub(super) fn soak(setting: &FleetSetting<'_>, length: Duration) -> Result<String> {
    setting.stub.configure("core_limit=100000000")?;
    let mut fleet = Fleet::new(setting.program, setting.stub.url(), setting.transport)?;
    let route = format!("/**={}", LIFETIME.as_secs());
    // Few entries in memory and on disk, so that both are full after the warm-up and stay so.
    let bounds = ["--route", &route, "--max-entries", "200", "--disk-entries", "400"];
    fleet.arguments = bounds.map(str::to_owned).into();
    let mut members = fleet.grown(3)?;
    let doors: Vec<_> = members.iter().map(|member| member.door).collect();
    // The last one is killed and so begins anew; what it holds says nothing of growth.
    let standing = members[..2].iter().map(Member::id).collect::<Result<Vec<_>>>()?;
    let turmoil = Turmoil::new(&fleet);
    let (samples, seen) = reading(setting.stub, &doors, Diet::Mixed, READ_PERIOD, |reads| {
        turmoil.around(&mut members, reads, || sample(&standing, length))
    })?;
    println!("\n{}\n{turmoil}", table(&samples).trim_fmt());
    judge(&samples, &seen)?;
    let unconfirmed = members.iter().map(|member| member.figure(UNCONFIRMED)).sum::<Result<u64>>()?;
    turmoil.judge(unconfirmed)?;
    let calls = setting.calls("/repos")?;
    let ends = members.iter_mut().map(Member::end).collect::<Result<Vec<_>>>()?;
    let end = ends.into_iter().max().unwrap_or_default();
    ensure!(end <= END_MAX, "a daemon took {end:?} to end");
    Ok(format!(
        "{seen}; {turmoil}, {unconfirmed} writes unconfirmed; {calls} calls; ended within {} ms; \
         no growth beyond {} MiB, {DESCRIPTORS_MAX} descriptors, {THREADS_MAX} threads",
        end.as_millis(),
        mib(KIB_MAX)
    ))
}

/// What every daemon held, by daemon and then by time.
type Samples = Vec<Vec<Usage>>;

fn sample(ids: &[u32], length: Duration) -> Result<Samples> {
    let mut samples: Samples = vec![Vec::new(); ids.len()];
    let began = Instant::now();
    let period = (length / SAMPLES_MIN).min(PERIOD_MAX);
    while began.elapsed() < length {
        for (id, samples) in ids.iter().zip(&mut samples) {
            samples.push(Usage::of(*id)?);
        }
        thread::sleep(period);
    }
    Ok(samples)
}

/// First, last and largest figures of every quarter.
fn table(samples: &[Vec<Usage>]) -> comfy_table::Table {
    let mut table =
        figures(["daemon", "quarter", "MiB", "", "max", "descriptors", "", "max", "threads", "", "max"]);
    for (number, samples) in samples.iter().enumerate() {
        for (quarter, samples) in quarters(samples).enumerate() {
            let (first, last) = (samples[0], samples[samples.len() - 1]);
            let most = samples.iter().copied().fold(first, Usage::max);
            let of = |figure: fn(Usage) -> String| [first, last, most].map(figure);
            let [mib1, mib2, mib3] = of(|usage| mib(usage.resident_kib));
            let [descriptors1, descriptors2, descriptors3] = of(|usage| usage.descriptors.to_string());
            let [threads1, threads2, threads3] = of(|usage| usage.threads.to_string());
            table.add_row([
                (number + 1).to_string(),
                (quarter + 1).to_string(),
                mib1,
                mib2,
                mib3,
                descriptors1,
                descriptors2,
                descriptors3,
                threads1,
                threads2,
                threads3,
            ]);
        }
    }
    table
}

/// Four equal parts; there are at least [`SAMPLES_MIN`] samples.
fn quarters(samples: &[Usage]) -> impl Iterator<Item = &[Usage]> {
    let length = samples.len() / 4;
    (0..4).map(move |quarter| &samples[quarter * length..(quarter + 1) * length])
}

fn judge(samples: &[Vec<Usage>], seen: &Seen) -> Result<()> {
    ensure!(seen.errors == 0, "{seen}: {}", seen.examples.join("; "));
    ensure!(seen.outdated == 0, "{seen}, by up to {:?}", seen.oldest);
    ensure!(seen.longest < STUCK, "{seen}: a read was stuck");
    for (number, samples) in samples.iter().enumerate() {
        let most: Vec<Usage> = quarters(samples)
            .map(|quarter| quarter.iter().copied().fold(Usage::default(), Usage::max))
            .collect();
        let (warm, last) = (most[0], most[3]);
        let name = number + 1;
        let grown = |then: u64, now: u64| now.saturating_sub(then);
        let kib = grown(warm.resident_kib, last.resident_kib);
        ensure!(kib <= KIB_MAX, "daemon {name} grew by {} MiB after warm-up", mib(kib));
        let descriptors = grown(warm.descriptors, last.descriptors);
        ensure!(descriptors <= DESCRIPTORS_MAX, "daemon {name} has {descriptors} descriptors more");
        let threads = grown(warm.threads, last.threads);
        ensure!(threads <= THREADS_MAX, "daemon {name} has {threads} threads more");
    }
    Ok(())
}

/// Fifty reads in a second at each of three doors.
const READ_PERIOD: Duration = Duration::from_millis(20);
/// An answer that takes so long is taken for one that would never have come: the origin answers at once, and a member
/// that is killed is given up long before.
const STUCK: Duration = Duration::from_secs(10);
/// Longest from SIGTERM to the end: nothing is in flight then but what clients have broken off.
const END_MAX: Duration = Duration::from_secs(5);
const UNCONFIRMED: &str = "forgettings_unconfirmed";
/// Fewest samples of a run, so that every quarter has ten.
const SAMPLES_MIN: u32 = 40;
const PERIOD_MAX: Duration = Duration::from_secs(5);
/// Growth after warm-up, in KiB, that the allocator's habits explain.
const KIB_MAX: u64 = 4 * 1024;
/// The readers' connections of a moment.
const DESCRIPTORS_MAX: u64 = 8;
/// A pool that is needed late.
const THREADS_MAX: u64 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn held(resident_kib: u64) -> Usage {
        Usage { resident_kib, descriptors: 30, threads: 5 }
    }

    #[test]
    fn growth_in_the_first_quarter_is_warm_up_and_later_growth_is_not() {
        let mut samples = vec![held(10_000); 10];
        samples.extend(vec![held(30_000); 30]);
        assert!(judge(&[samples.clone()], &Seen::default()).is_err());
        samples[9] = held(30_000);
        assert!(judge(&[samples], &Seen::default()).is_ok());
    }

    #[test]
    fn descriptors_that_are_not_given_back_are_growth() {
        let mut samples = vec![held(10_000); 40];
        samples[39].descriptors += DESCRIPTORS_MAX + 1;
        assert!(judge(&[samples], &Seen::default()).is_err());
    }

    #[test]
    fn a_read_that_is_stuck_fails_the_soak() {
        let seen = Seen { longest: STUCK, ..Seen::default() };
        assert!(judge(&[vec![held(1); 40]], &seen).is_err());
    }

    #[test]
    fn an_error_of_a_reader_fails_the_soak() {
        let seen = Seen { errors: 1, ..Seen::default() };
        assert!(judge(&[vec![held(1); 40]], &seen).is_err());
    }
}
