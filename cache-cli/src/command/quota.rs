//! The command `quota`: how the allowances of all payers stand, and when they will be gone.

use crate::{
    admin::{Admin, AllowanceLine, WritesLine},
    exit::CommandError,
    output::{Rendering, print, print_json},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::Write,
    time::{SystemTime, UNIX_EPOCH},
};

/// Shows every allowance that any member has told of.
///
/// # Errors
///
/// When the daemon goes away or the output cannot be written.
pub(crate) async fn show(
    admin: &mut Admin,
    rendering: Rendering,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let stats: Value = admin.show("/stats").await?;
    let quotas = stats.pointer("/origin/quotas").cloned().unwrap_or_default();
    if rendering == Rendering::Json {
        return print_json(out, &json!({ "quotas": quotas }));
    }
    let unreadable = |error| CommandError::failed("the daemon's answer cannot be read", error);
    let mut lines: Vec<AllowanceLine> = serde_json::from_value(quotas).map_err(unreadable)?;
    // Those with the latest news first.
    lines.reverse();
    print(out, &(table(&lines, now()) + &writes(&lines)))
}

/// A line for each payer that has written lately, below the table.
fn writes(lines: &[AllowanceLine]) -> String {
    let mut seen = BTreeSet::new();
    let lines = lines.iter().filter(|line| line.writes != WritesLine::default() && seen.insert(&line.domain));
    let told = lines.map(|line| {
        let WritesLine { in_minute, in_hour, waiting } = line.writes;
        let waiting = if waiting > 0 { format!(", {waiting} wait here") } else { String::new() };
        format!("writes of {}: {in_minute} in a minute, {in_hour} in an hour{waiting}\n", payers(line))
    });
    told.collect()
}

/// The present, in seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A line for each of `lines`, in their order, below a head.
pub(super) fn table(lines: &[AllowanceLine], now: u64) -> String {
    if lines.is_empty() {
        return "no call to the API has shown an allowance yet, here or at any member\n".to_owned();
    }
    let head = ["PAYER", "ALLOWANCE", "LIMIT", "USED", "LEFT", "NEW IN", "PER HOUR", "FORECAST"];
    let rows = [head.map(str::to_owned)].into_iter().chain(lines.iter().map(|line| cells(line, now)));
    let rows: Vec<_> = rows.collect();
    let widths: [usize; 8] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn cells(line: &AllowanceLine, now: u64) -> [String; 8] {
    let is_over = line.reset <= now;
    [
        payers(line),
        line.resource.clone(),
        line.limit.to_string(),
        line.used.to_string(),
        line.remaining.to_string(),
        if is_over { "-".to_owned() } else { time(line.reset.saturating_sub(now)) },
        line.per_hour.map_or_else(|| "-".to_owned(), |rate| rate.to_string()),
        forecast(line, now),
    ]
}

/// All that draw on it.
fn payers(line: &AllowanceLine) -> String {
    let others = line.also.iter().map(|other| format!(" + {other}"));
    others.fold(line.domain.clone(), |payers, other| payers + &other)
}

/// The outlook of `line` in words.
pub(super) fn forecast(line: &AllowanceLine, now: u64) -> String {
    let left = |moment: u64| time(moment.saturating_sub(now));
    match (line.paused_until.filter(|until| *until > now), line.spent_at) {
        (Some(until), _) => {
            let why = if line.paused_by.as_deref() == Some("pace") { "called too often" } else { "spent" };
            format!("{why}: no calls for {}", left(until))
        }
        (None, _) if line.reset <= now => "a new window has begun".to_owned(),
        (None, _) if line.remaining == 0 => "spent".to_owned(),
        (None, Some(gone)) => format!(
            "gone in {}, {} before it is new",
            left(gone),
            time(line.reset.saturating_sub(gone.max(now)))
        ),
        (None, None) if line.per_hour.is_none() => "too few calls to tell".to_owned(),
        (None, None) => "lasts".to_owned(),
    }
}

fn time(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        _ => format!("{} min", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> AllowanceLine {
        let mut value = json!({
            "domain": "ci 1a2b3c4d", "resource": "core", "limit": 5000, "remaining": 100, "used": 4900, "reset": 4600,
        });
        let more: Value = serde_json::from_str(text).unwrap();
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn each_allowance_has_a_row_with_what_is_left_and_for_how_long() {
        let mut lines = [
            line("{}"),
            line(r#"{"per_hour": 600, "spent_at": 1600}"#),
            line(r#"{"per_hour": 60}"#),
            line(r#"{"paused_until": 1060, "paused_by": "pace"}"#),
            line(r#"{"paused_until": 4600, "paused_by": "window", "remaining": 0, "used": 5000}"#),
            line(r#"{"reset": 900, "remaining": 0}"#),
        ];
        lines.reverse();
        let expected = "\
PAYER        ALLOWANCE  LIMIT  USED  LEFT  NEW IN  PER HOUR  FORECAST
ci 1a2b3c4d  core       5000   4900  0     -       -         a new window has begun
ci 1a2b3c4d  core       5000   5000  0     60 min  -         spent: no calls for 60 min
ci 1a2b3c4d  core       5000   4900  100   60 min  -         called too often: no calls for 60 s
ci 1a2b3c4d  core       5000   4900  100   60 min  60        lasts
ci 1a2b3c4d  core       5000   4900  100   60 min  600       gone in 10 min, 50 min before it is new
ci 1a2b3c4d  core       5000   4900  100   60 min  -         too few calls to tell
";
        assert_eq!(table(&lines, 1_000), expected);
        assert!(table(&[], 0).contains("no call"));
        let busy = line(r#"{"writes": {"in_minute": 80, "in_hour": 212, "waiting": 3}}"#);
        let told = "writes of ci 1a2b3c4d: 80 in a minute, 212 in an hour, 3 wait here\n";
        assert_eq!(writes(&[busy.clone(), line("{}"), busy]), told);
        let joined = line(r#"{"also": ["5e6f7a8b", "9c0d1e2f"]}"#);
        assert_eq!(payers(&joined), "ci 1a2b3c4d + 5e6f7a8b + 9c0d1e2f");
    }
}
