//! Words of the field are used in one sense; these say the same in another word.

use crate::{
    rust_code::RustCode,
    sources::{Fault, Source},
};

/// Names of our own avoid words that the vocabulary replaces.
///
/// Only those that no dependency and no standard forces upon us; the rest is for reviewers.
pub(super) fn vocabulary(source: &Source) -> Vec<Fault> {
    let code = RustCode::of(source);
    let mut faults = Vec::new();
    for (line, name) in code.identifiers() {
        if source.path.contains("membership") && FORCED.contains(&name) {
            continue;
        }
        for part in parts(name) {
            if let Some((word, ours)) = REPLACED.iter().find(|(word, _)| *word == part) {
                faults.push(source.fault(line, format!("`{name}`: we say {ours}, not {word}")));
            }
        }
    }
    faults
}

/// The words of a name in either case, in lower case.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut previous_is_lower = false;
    for c in name.chars() {
        let starts_word = c == '_' || (c.is_uppercase() && previous_is_lower);
        if starts_word {
            parts.push(String::new());
        }
        if c != '_' {
            let part = parts.last_mut().expect("there is one from the start");
            part.extend(c.to_lowercase());
        }
        previous_is_lower = c.is_lowercase();
    }
    parts
}

/// Names that foca gives to what we call by others, where it is used.
const FORCED: &[&str] =
    &["Gossip", "PeriodicGossip", "gossip", "leave_cluster", "max_packet_size", "periodic_gossip"];

const REPLACED: &[(&str, &str)] = &[
    ("cluster", "fleet"),
    ("deduped", "collapsed"),
    ("gossip", "announce"),
    ("manager", "what it does"),
    ("packet", "frame or message"),
    ("tenant", "domain"),
    ("upstream", "origin"),
];

#[cfg(test)]
mod tests {
    use super::{super::texts, *};

    #[test]
    fn a_replaced_word_in_a_name_is_a_fault_in_either_case() {
        let expected = [
            "a.rs:1: `UpstreamReply`: we say origin, not upstream",
            "a.rs:2: `upstream_url`: we say origin, not upstream",
        ];
        assert_eq!(texts(vocabulary, "a.rs", "struct UpstreamReply;\nfn upstream_url() {}\n"), expected);
    }

    #[test]
    fn a_name_that_a_dependency_forces_upon_us_is_none() {
        let text = "fn f() { foca.leave_cluster(); }\n";
        assert_eq!(texts(vocabulary, "membership.rs", text), [""; 0]);
        assert_eq!(texts(vocabulary, "a.rs", text), ["a.rs:1: `leave_cluster`: we say fleet, not cluster"]);
    }

    #[test]
    fn a_word_that_merely_contains_a_replaced_one_is_none() {
        assert_eq!(texts(vocabulary, "a.rs", "fn packets_are_not_split() {}\n"), [""; 0]);
    }
}
