//! The cost of a fleet as JSON, and read back from it.

use super::{Measured, Phase};
use serde_json::{Value, json};

impl Measured {
    /// The same as JSON, for other programs.
    pub fn json(&self) -> Value {
        json!({
            "nodes": self.nodes,
            "codec": self.encodes,
            "idle": self.idle.json(),
            "calm": self.calm.json(),
            "rough": self.rough.json(),
            "herd_calls": self.herd_calls,
            "herd_asks_most": self.herd_asks_most,
            "herd_wait_most_millis": self.herd_wait_most,
            "alone_calm": self.alone.0,
            "alone_rough": self.alone.1,
            "newcomer_bytes": self.newcomer_bytes,
            "newcomer_handshakes": self.newcomer_handshakes,
            "requests": self.requests,
            "failed": self.failed,
            "rules_broken": self.broken.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        })
    }

    /// What [`Self::json`] made of a fleet; `None` if a figure is missing.
    pub fn of_json(value: &Value) -> Option<Self> {
        let broken = value["rules_broken"].as_object()?.iter();
        Some(Self {
            nodes: count(value, "nodes")?,
            encodes: value["codec"].as_bool()?,
            idle: Phase::of_json(&value["idle"])?,
            calm: Phase::of_json(&value["calm"])?,
            rough: Phase::of_json(&value["rough"])?,
            herd_calls: value["herd_calls"].as_u64()?,
            herd_asks_most: count(value, "herd_asks_most")?,
            herd_wait_most: value["herd_wait_most_millis"].as_u64()?,
            alone: (count(value, "alone_calm")?, count(value, "alone_rough")?),
            newcomer_bytes: value["newcomer_bytes"].as_u64()?,
            newcomer_handshakes: value["newcomer_handshakes"].as_f64()?,
            requests: value["requests"].as_u64()?,
            failed: value["failed"].as_u64()?,
            broken: broken
                .map(|(rule, times)| Some((rule.clone(), times.as_u64()?)))
                .collect::<Option<_>>()?,
        })
    }
}

impl Phase {
    fn json(&self) -> Value {
        json!({
            "calls_of_ideal": self.calls,
            "connections": self.connections,
            "connections_most": self.connections_most,
            "bytes_per_second": self.bytes,
            "bytes_per_second_most": self.bytes_most,
            "messages_per_second": self.messages,
            "wait_p50_millis": self.waits.0,
            "wait_p99_millis": self.waits.1,
        })
    }

    fn of_json(value: &Value) -> Option<Self> {
        Some(Self {
            calls: value["calls_of_ideal"].as_f64()?,
            connections: value["connections"].as_f64()?,
            connections_most: count(value, "connections_most")?,
            bytes: value["bytes_per_second"].as_f64()?,
            bytes_most: value["bytes_per_second_most"].as_f64()?,
            messages: value["messages_per_second"].as_f64()?,
            waits: (value["wait_p50_millis"].as_u64()?, value["wait_p99_millis"].as_u64()?),
        })
    }
}

fn count(value: &Value, name: &str) -> Option<usize> {
    usize::try_from(value[name].as_u64()?).ok()
}
