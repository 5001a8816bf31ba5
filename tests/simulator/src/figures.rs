//! What a run cost and how well it served.

use crate::{ledger::Rule, service::Service};
use cache_core::{
    Message, Outcome, Served,
    message::{Announced, Answer},
};
use std::{collections::BTreeMap, fmt, time::Duration};

/// Sums over a run.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Requests for entries that were made.
    pub requests: u64,
    /// Calls that the origin got.
    pub calls: u64,
    /// Calls that were counted against a quota.
    pub calls_paid: u64,
    /// Calls that one cache shared by all without delay would have made.
    pub calls_ideal: u64,
    /// Those of them for which there was nothing that could be asked about, whatever credential it was given to.
    pub calls_ideal_paid: u64,
    /// Requests by how they ended.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Requests whose node ended before they did.
    pub lost: u64,
    /// Messages sent, one for each receiver, by kind; and their bytes.
    pub messages: BTreeMap<&'static str, (u64, u64)>,
    /// How old answers were, in milliseconds.
    pub ages: Vec<u64>,
    /// How long requests took, in milliseconds.
    pub waits: Vec<u64>,
    /// Most outputs that followed from one input.
    pub outputs_most: usize,
    /// How well clients were served.
    pub service: Service,
    /// Calls that the origin got by the second in which they came.
    pub calls_by_second: BTreeMap<u64, u64>,
    /// Calls that broke a limit of the origin other than the quota.
    pub calls_excess: u64,
    /// Calls that the origin refused to take, or never answered.
    pub calls_vain: u64,
    /// How long after the last outage the last node knew that it is over.
    pub back_after: Option<Duration>,
    /// Requests that others' broken lines to the origin stopped.
    pub stopped: u64,
    /// Connections that were made.
    pub connections: u64,
    /// Nodes that came once the fleet stood, those that came back among them.
    pub joins: u64,
    /// Virtual time that passed.
    pub lasted: Duration,
    /// Entries that all nodes held at the end.
    pub entries: u64,
    /// How often each rule was broken, in a run that goes on.
    pub broken: BTreeMap<Rule, u64>,
}

impl Figures {
    pub(crate) fn count_outcome(&mut self, outcome: &Outcome) {
        *self.outcomes.entry(outcome_name(outcome)).or_default() += 1;
    }

    pub(crate) fn count_message(&mut self, message: &Message, receivers: usize, message_bytes: usize) {
        let (count, bytes) = self.messages.entry(message_name(message)).or_default();
        *count += receivers as u64;
        *bytes += (receivers * message_bytes) as u64;
    }

    /// How many requests ended so.
    pub fn outcome(&self, name: &str) -> u64 {
        self.outcomes.get(name).copied().unwrap_or(0)
    }

    /// Messages sent and their bytes.
    pub fn messages_total(&self) -> (u64, u64) {
        self.messages
            .values()
            .fold((0, 0), |(count, bytes), (more, more_bytes)| (count + more, bytes + more_bytes))
    }

    /// Most calls that the origin got within one second since `begin`.
    pub fn calls_peak(&self, begin: Duration) -> u64 {
        self.calls_by_second.range(begin.as_secs()..).map(|(_, calls)| *calls).max().unwrap_or(0)
    }

    /// The same as JSON, for other programs.
    pub fn json(&self) -> serde_json::Value {
        let (messages, bytes) = self.messages_total();
        serde_json::json!({
            "requests": self.requests,
            "calls": self.calls,
            "calls_paid": self.calls_paid,
            "calls_ideal": self.calls_ideal,
            "calls_ideal_paid": self.calls_ideal_paid,
            "outcomes": self.outcomes,
            "lost": self.lost,
            "messages": messages,
            "bytes": bytes,
            "age_millis": Quantiles::of(&self.ages).0,
            "wait_millis": Quantiles::of(&self.waits).0,
            "calls_vain": self.calls_vain,
            "back_after_millis": self.back_after.map(|back| back.as_millis() as u64),
            "stopped": self.stopped,
            "simulated_seconds": self.lasted.as_secs(),
        })
    }

    /// The figures of two runs together.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.calls += other.calls;
        self.calls_paid += other.calls_paid;
        self.calls_ideal += other.calls_ideal;
        self.calls_ideal_paid += other.calls_ideal_paid;
        self.lost += other.lost;
        self.service.add(&other.service);
        self.calls_excess += other.calls_excess;
        self.calls_vain += other.calls_vain;
        self.back_after = self.back_after.max(other.back_after);
        self.stopped += other.stopped;
        self.connections += other.connections;
        self.joins += other.joins;
        self.entries += other.entries;
        self.lasted += other.lasted;
        self.outputs_most = self.outputs_most.max(other.outputs_most);
        for (second, count) in &other.calls_by_second {
            *self.calls_by_second.entry(*second).or_default() += count;
        }
        for (name, count) in &other.outcomes {
            *self.outcomes.entry(name).or_default() += count;
        }
        for (name, (count, bytes)) in &other.messages {
            let sum = self.messages.entry(name).or_default();
            *sum = (sum.0 + count, sum.1 + bytes);
        }
        self.ages.extend(&other.ages);
        self.waits.extend(&other.waits);
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "requests {}, {} lost with their node", self.requests, self.lost)?;
        let ratio = self.calls as f64 / self.calls_ideal.max(1) as f64;
        writeln!(
            f,
            "calls    {} ({} paid), {} ideal ({} paid): {ratio:.3}",
            self.calls, self.calls_paid, self.calls_ideal, self.calls_ideal_paid
        )?;
        let (free, ideal) = (self.calls - self.calls_paid, self.calls_ideal - self.calls_ideal_paid);
        let ratios = [(self.calls_paid, self.calls_ideal_paid), (free, ideal)]
            .map(|(calls, ideal)| calls as f64 / ideal.max(1) as f64);
        writeln!(f, "of ideal {:.3} paid, {:.3} not", ratios[0], ratios[1])?;
        if self.joins > 0 {
            let needless = self.calls.saturating_sub(self.calls_ideal) as f64 / self.joins as f64;
            writeln!(f, "joined   {} later: {needless:.1} calls beyond ideal for each", self.joins)?;
        }
        if self.calls_vain > 0 {
            writeln!(f, "in vain  {} calls; back after {:?}", self.calls_vain, self.back_after)?;
        }
        write!(f, "ended   ")?;
        self.outcomes.iter().try_for_each(|(name, count)| write!(f, " {name} {count}"))?;
        let (messages, bytes) = self.messages_total();
        writeln!(f, "\nmessages {messages}, {bytes} bytes")?;
        for (name, (count, bytes)) in &self.messages {
            writeln!(f, "  {name:<20} {count:>9} {bytes:>12} bytes")?;
        }
        writeln!(f, "age      {} ms", Quantiles::of(&self.ages))?;
        write!(f, "wait     {} ms", Quantiles::of(&self.waits))
    }
}

/// A distribution in few words.
pub(crate) struct Quantiles([u64; 4]);

impl Quantiles {
    pub(crate) fn of(values: &[u64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        let at = |per_mille: usize| {
            let place = (sorted.len() * per_mille / 1000).min(sorted.len().saturating_sub(1));
            sorted.get(place).copied().unwrap_or(0)
        };
        Self([at(500), at(900), at(990), at(1000)])
    }
}

impl Quantiles {
    pub(crate) fn p50(&self) -> u64 {
        self.0[0]
    }

    pub(crate) fn p99(&self) -> u64 {
        self.0[2]
    }

    pub(crate) fn most(&self) -> u64 {
        self.0[3]
    }
}

impl fmt::Display for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p90, p99, most] = self.0;
        write!(f, "p50 {p50}, p90 {p90}, p99 {p99}, most {most}")
    }
}

fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Absent => "absent",
        Outcome::Answered { served: Served::Hit, .. } => "hit",
        Outcome::Answered { served: Served::Peer, .. } => "peer",
        Outcome::Answered { served: Served::Stale(_), .. } => "stale",
        Outcome::Answered { served: Served::Forwarded(forward), .. } if forward.collapsed => "collapsed",
        Outcome::Answered { served: Served::Forwarded(_), .. } => "forwarded",
        Outcome::Failed(_) => "failed",
        Outcome::Pass => "passed",
        Outcome::Relayed { .. } => "relayed",
    }
}

pub(crate) fn message_name(message: &Message) -> &'static str {
    match message {
        Message::Announce(Announced::Named { .. }) => "announce named",
        Message::Announce(Announced::ToPassOn(_)) => "announce to pass on",
        Message::Announce(Announced::Whole(_)) => "announce whole",
        Message::Answer { answer: Answer::Failed, .. } => "answer failed",
        Message::Answer { answer: Answer::Hit(_), .. } => "answer hit",
        Message::Answer { answer: Answer::Lease { .. }, .. } => "answer lease",
        Message::Answer { answer: Answer::Miss, .. } => "answer miss",
        Message::Answer { answer: Answer::Wait, .. } => "answer wait",
        Message::Ask { .. } => "ask",
        Message::CallNumbers(_) => "call-numbers",
        Message::Claim { .. } => "claim",
        Message::Digest(_) => "digest",
        Message::District(_) => "district",
        Message::Guest(_) => "guest",
        Message::Figures(_) => "figures",
        Message::Forgotten { .. } => "forgotten",
        Message::Invalidate(_) => "invalidate",
        Message::Membership(_) => "membership",
        Message::Origin { .. } => "origin",
        Message::Ping { .. } => "ping",
        Message::Pong { .. } => "pong",
        Message::Allowances(_) => "allowances",
        Message::Quota { .. } => "quota",
        Message::Writes(_) => "writes",
        Message::Release { .. } => "release",
        Message::WarmUp { .. } => "warm-up",
        Message::WarmedUp { .. } => "warmed-up",
    }
}
