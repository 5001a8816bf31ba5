//! Habits that a look at the tokens shows.

use crate::{
    rust_code::RustCode,
    sources::{Fault, Source},
};

/// An attribute that silences a lint says why.
pub(super) fn allow_without_reason(source: &Source) -> Vec<Fault> {
    let code = RustCode::of(source);
    let mut faults = Vec::new();
    for lint in ["allow", "expect"] {
        for (position, line) in code.find(&["[", lint, "("]) {
            let mut open = 1;
            let mut at = position + 3;
            let mut reasoned = false;
            while open > 0 && !code.text(Some(at)).is_empty() {
                match code.text(Some(at)) {
                    "(" => open += 1,
                    ")" => open -= 1,
                    "reason" => reasoned = true,
                    _other => {}
                }
                at += 1;
            }
            let before = code.text(position.checked_sub(1));
            if matches!(before, "#" | "!") && !reasoned {
                faults.push(source.fault(line, format!("`#[{lint}(..)]` without a `reason`")));
            }
        }
    }
    faults
}

/// Text and source of an error are derived: by hand they are written twice and drift apart.
pub(super) fn errors_by_hand(source: &Source) -> Vec<Fault> {
    let code = RustCode::of(source);
    let by_hand = code.find(&["Error", "for"]).filter(|(_, line)| !code.is_test(*line));
    by_hand.map(|(_, line)| source.fault(line, "an error derives `thiserror::Error`")).collect()
}

/// Some dependencies are named in one file alone, so that they can be replaced there.
pub(super) fn one_home_each(source: &Source) -> Vec<Fault> {
    let code = RustCode::of(source);
    let mut faults = Vec::new();
    for (name, home) in HOMES {
        let strays = code.identifiers().filter(|(_, found)| found == name && !is_home(&source.path, home));
        faults
            .extend(strays.map(|(line, _)| source.fault(line, format!("`{name}` is named in {home} alone"))));
    }
    faults
}

/// Whether `path` is the module `home`, or a file of it.
fn is_home(path: &str, home: &str) -> bool {
    let rest = path.strip_prefix(home);
    rest.is_some_and(|rest| matches!(rest.as_bytes().first(), Some(b'.' | b'/')))
}

/// The first line says what the file owns.
pub(super) fn opening(source: &Source) -> Vec<Fault> {
    if !source.is_rust() || source.text.starts_with("//! ") {
        return Vec::new();
    }
    vec![source.fault(1, "a file opens by saying what it owns: `//! ...`")]
}

/// Nothing in the core has an order that changes from run to run.
pub(super) fn ordered_maps_in_the_core(source: &Source) -> Vec<Fault> {
    if !source.path.starts_with("cache-core/src/") {
        return Vec::new();
    }
    let code = RustCode::of(source);
    let unordered = code.identifiers().filter(|(_, name)| matches!(*name, "HashMap" | "HashSet"));
    unordered
        .map(|(line, name)| source.fault(line, format!("`{name}` has no order that can be repeated")))
        .collect()
}

/// Tests wait for conditions, by the one helper that may let time pass.
pub(super) fn sleeping_tests(source: &Source) -> Vec<Fault> {
    if SLEEPERS.contains(&source.path.as_str()) {
        return Vec::new();
    }
    let code = RustCode::of(source);
    let calls = code.find(&["sleep", "("]).filter(|(position, line)| {
        let before = code.text(position.checked_sub(1));
        code.is_test(*line) && !matches!(before, "fn" | ".")
    });
    calls.map(|(_, line)| source.fault(line, "a test waits by `eventually`, not by sleeping")).collect()
}

/// Nothing is left for later without being said so by a type or an error.
pub(super) fn unfinished(source: &Source) -> Vec<Fault> {
    let code = RustCode::of(source);
    let mut faults = Vec::new();
    for name in ["dbg", "todo", "unimplemented"] {
        faults.extend(code.find(&[name, "!"]).map(|(_, line)| source.fault(line, format!("`{name}!`"))));
    }
    faults
}

const HOMES: &[(&str, &str)] = &[
    ("bincode", "cache-core/src/codec"),
    ("dashmap", "cache-store/src/read_index"),
    ("DashMap", "cache-store/src/read_index"),
];

/// The helper that polls.
const SLEEPERS: &[&str] = &["tests/conformance/src/eventually.rs"];

#[cfg(test)]
mod tests {
    use super::{super::texts, *};

    #[test]
    fn a_silenced_lint_without_a_reason_is_a_fault() {
        let text = "#![allow(dead_code)]\n#[expect(x, reason = \"y\")]\nfn f() {}\n";
        let expected = ["a.rs:1: `#[allow(..)]` without a `reason`"];
        assert_eq!(texts(allow_without_reason, "a.rs", text), expected);
    }

    #[test]
    fn an_error_by_hand_is_a_fault_outside_of_tests() {
        let text = "impl core::error::Error for E {}\nimpl From<Error> for E {}\n\
                    #[cfg(test)]\nmod tests {\n    impl Error for F {}\n}\n";
        assert_eq!(texts(errors_by_hand, "a.rs", text), ["a.rs:1: an error derives `thiserror::Error`"]);
    }

    #[test]
    fn a_dependency_outside_of_its_home_is_a_fault() {
        let text = "// bincode is mentioned\nuse bincode::Encode;\n";
        let expected = ["a.rs:2: `bincode` is named in cache-core/src/codec alone"];
        assert_eq!(texts(one_home_each, "a.rs", text), expected);
        assert_eq!(texts(one_home_each, "cache-core/src/codec.rs", text), [""; 0]);
    }

    #[test]
    fn a_file_that_does_not_say_what_it_owns_is_a_fault() {
        let expected = ["a.rs:1: a file opens by saying what it owns: `//! ...`"];
        assert_eq!(texts(opening, "a.rs", "fn f() {}\n"), expected);
        assert_eq!(texts(opening, "a.rs", "//! Owns f.\nfn f() {}\n"), [""; 0]);
    }

    #[test]
    fn an_unordered_map_is_a_fault_in_the_core_alone() {
        let text = "use std::collections::HashMap;\n";
        let expected = ["cache-core/src/a.rs:1: `HashMap` has no order that can be repeated"];
        assert_eq!(texts(ordered_maps_in_the_core, "cache-core/src/a.rs", text), expected);
        assert_eq!(texts(ordered_maps_in_the_core, "src/a.rs", text), [""; 0]);
    }

    #[test]
    fn a_test_that_sleeps_is_a_fault_and_a_driver_that_does_is_not() {
        let text = "fn f() {\n    std::thread::sleep(D);\n}\n#[tokio::test]\nasync fn g() {\n    sleep(D).await;\n}\n";
        let expected = ["src/a.rs:6: a test waits by `eventually`, not by sleeping"];
        assert_eq!(texts(sleeping_tests, "src/a.rs", text), expected);
        assert_eq!(texts(sleeping_tests, "tests/tests/a.rs", text).len(), 2);
        assert_eq!(texts(sleeping_tests, "tests/conformance/src/eventually.rs", text), [""; 0]);
    }

    #[test]
    fn unfinished_code_is_a_fault() {
        let text = "fn f() {\n    dbg!(1);\n    todo!()\n}\n";
        assert_eq!(texts(unfinished, "a.rs", text), ["a.rs:2: `dbg!`", "a.rs:3: `todo!`"]);
    }
}
