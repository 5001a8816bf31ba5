//! The commands `peers` and `ping`: which peers the daemon is connected with, and how well.

use crate::{
    admin::{Admin, PingAnswer, PingOrder, Pinged},
    exit::CommandError,
    output::{Rendering, print, print_json},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Write;

/// Shows every peer that the daemon knows of.
///
/// # Errors
///
/// When the daemon goes away or the output cannot be written.
pub(crate) async fn show(
    admin: &mut Admin,
    rendering: Rendering,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let shown: Value = admin.show("/peers").await?;
    if rendering == Rendering::Json {
        return print_json(out, &shown);
    }
    let shown: Shown = serde_json::from_value(shown)
        .map_err(|error| CommandError::failed("the daemon's answer cannot be read", error))?;
    print(out, &table(&shown))
}

/// Has the daemon ask a peer whether it answers.
///
/// # Errors
///
/// [`CommandError::Unanswered`] when it does not; else when the daemon knows no such peer or goes away.
pub(crate) async fn ping(
    admin: &mut Admin,
    peer: String,
    rendering: Rendering,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let pinged: Pinged = admin.order("/ping", &PingOrder { peer }).await?;
    match (rendering, &pinged.answer) {
        (Rendering::Json, _) => print_json(out, &json!(pinged))?,
        (Rendering::Text, PingAnswer::Answered { round_trip_micros, skew_millis }) => {
            let millis = *round_trip_micros as f64 / 1000.0;
            let peer = &pinged.peer;
            print(
                out,
                &format!("{peer} answers in {millis:.2} ms; its clock is {}\n", skew_text(*skew_millis)),
            )?;
        }
        (Rendering::Text, PingAnswer::Failed { .. }) => {}
    }
    match pinged.answer {
        PingAnswer::Answered { .. } => Ok(()),
        PingAnswer::Failed { reason } => Err(CommandError::Unanswered { peer: pinged.peer, reason }),
    }
}

#[derive(Debug, Deserialize)]
struct Shown {
    sharing: String,
    peer_id: Option<String>,
    addresses: Vec<String>,
    /// Of an older daemon, none.
    #[serde(default)]
    discovery: Vec<WayLine>,
    peers: Vec<Line>,
}

#[derive(Debug, Deserialize)]
struct WayLine {
    way: String,
    found: usize,
    seconds: Option<u64>,
    fault: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Line {
    id: Option<String>,
    address: Option<String>,
    state: String,
    source: String,
    found_by: Option<String>,
    seconds: Option<u64>,
    score: i32,
    reason: Option<String>,
    received_bytes: u64,
    sent_bytes: u64,
    round_trip_micros: Option<u64>,
}

fn table(shown: &Shown) -> String {
    let mut text = format!("sharing: {}\n", shown.sharing);
    if let Some(id) = &shown.peer_id {
        text.push_str(&format!("this node: {id}\n"));
    }
    for address in &shown.addresses {
        text.push_str(&format!("reached at: {address}\n"));
    }
    for WayLine { way, found, seconds, fault } in &shown.discovery {
        let ago = seconds.map_or_else(|| "not asked yet".to_owned(), |seconds| format!("{seconds} s ago"));
        let fault = fault.as_ref().map_or_else(String::new, |fault| format!("; {fault}"));
        text.push_str(&format!("looks by {way}: {found} addresses, {ago}{fault}\n"));
    }
    text.push('\n');
    if shown.peers.is_empty() {
        text.push_str("no peers are known; give the address of one with --bootstrap, or a way to find them with --discover\n");
        return text;
    }
    let head = ["STATE", "FOR", "NEXT TRY", "ROUND TRIP", "SCORE", "RECEIVED", "SENT", "KNOWN BY", "PEER"]
        .map(str::to_owned);
    let rows: Vec<_> = [head].into_iter().chain(shown.peers.iter().map(cells)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..LAST).map(width).collect();
    for row in &rows {
        for (cell, width) in row.iter().zip(&widths) {
            text.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(&row[LAST]);
        text.push('\n');
    }
    text
}

/// One row; the last cell says which peer it is, where it is, and what is wrong with it.
fn cells(line: &Line) -> [String; LAST + 1] {
    let dash = || "-".to_owned();
    // An address ends in the id.
    let mut who = line.address.clone().or_else(|| line.id.clone()).unwrap_or_else(dash);
    if let Some(id) = line.id.as_ref().filter(|id| !who.ends_with(id.as_str())) {
        who.push_str(&format!("  {id}"));
    }
    if let Some(reason) = &line.reason {
        who.push_str(&format!("  ({reason})"));
    }
    let seconds = line.seconds;
    let is_connected = matches!(line.state.as_str(), "connected" | "silent");
    [
        line.state.clone(),
        seconds.filter(|_| is_connected).map_or_else(dash, |seconds| format!("{seconds} s")),
        seconds.filter(|_| !is_connected).map_or_else(dash, |seconds| format!("in {seconds} s")),
        line.round_trip_micros.map_or_else(dash, |micros| format!("{:.2} ms", micros as f64 / 1000.0)),
        line.score.to_string(),
        size(line.received_bytes),
        size(line.sent_bytes),
        line.found_by.clone().unwrap_or_else(|| line.source.clone()),
        who,
    ]
}

/// The column without a width of its own.
const LAST: usize = 8;

fn size(bytes: u64) -> String {
    match bytes {
        0..=9_999 => format!("{bytes} B"),
        10_000..=9_999_999 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

fn skew_text(millis: i64) -> String {
    match millis {
        ..0 => format!("{} ms behind", millis.unsigned_abs()),
        0 => "the same".to_owned(),
        1.. => format!("{millis} ms ahead"),
    }
}
