//! wrk as the load, and what it reports.

use crate::process::output;
use anyhow::{Context as _, Result, bail};
use std::process::Command;

/// The figures of one measurement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) requests_per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// Loads `url` over 32 connections with one thread for `seconds`.
pub(super) fn load(url: &str, headers: &[(&str, &str)], seconds: u32) -> Result<Load> {
    let mut command = Command::new("wrk");
    command.args(["-t2", "-c32", &format!("-d{seconds}s"), "--latency"]);
    for (name, value) in headers {
        command.args(["-H", &format!("{name}: {value}")]);
    }
    command.arg(url);
    let report =
        output(&mut command).context("wrk is needed for the comparison: install the package `wrk`")?;
    read(&report)
}

fn read(report: &str) -> Result<Load> {
    if let Some(errors) =
        report.lines().find(|line| line.contains("Non-2xx") || line.contains("Socket errors"))
    {
        bail!("wrk: {}", errors.trim());
    }
    let after = |label: &str| {
        let line = report.lines().map(str::trim).find_map(|line| line.strip_prefix(label));
        line.map(str::trim).with_context(|| format!("wrk reports no {label}"))
    };
    Ok(Load {
        requests_per_second: after("Requests/sec:")?.parse()?,
        p50_ms: milliseconds(after("50%")?)?,
        p99_ms: milliseconds(after("99%")?)?,
    })
}

fn milliseconds(text: &str) -> Result<f64> {
    let units = [("us", 0.001), ("ms", 1.0), ("m", 60_000.0), ("s", 1000.0)];
    let unit = units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)));
    let (number, factor) = unit.with_context(|| format!("wrk reports a latency of {text}"))?;
    Ok(number.parse::<f64>()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "Running 5s test @ http://127.0.0.1:1/\n  Latency Distribution\n     50%  350.00us\n     \
                          75%  500.00us\n     90%    1.00ms\n     99%    1.20s \n  100 requests in 5.00s\n\
                          Requests/sec:  51234.56\nTransfer/sec:      1.00MB\n";

    #[test]
    fn a_report_is_read_in_milliseconds_whatever_its_units() {
        let load = read(REPORT).unwrap();
        let near = |figure: f64, expected: f64| (figure - expected).abs() < 1e-6;
        assert!(near(load.requests_per_second, 51_234.56), "{load:?}");
        assert!(near(load.p50_ms, 0.35) && near(load.p99_ms, 1200.0), "{load:?}");
    }

    #[test]
    fn a_report_of_errors_is_an_error() {
        let report = format!("{REPORT}  Non-2xx or 3xx responses: 7\n");
        assert!(read(&report).unwrap_err().to_string().contains("Non-2xx"));
    }
}
