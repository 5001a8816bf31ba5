//! Names that say too little.

use crate::sources::{Fault, Source};
use syn::{
    ItemFn,
    visit::{self, Visit},
};

/// A file is named after what it owns.
pub(super) fn files(source: &Source) -> Vec<Fault> {
    let name = source.file_name();
    if !matches!(name, "common.rs" | "helpers.rs" | "manager.rs" | "misc.rs" | "util.rs" | "utils.rs") {
        return Vec::new();
    }
    vec![source.fault(1, format!("`{name}` says nothing about what is in the file"))]
}

/// A test is named as the sentence it proves.
pub(super) fn tests(source: &Source) -> Vec<Fault> {
    let Some(file) = source.is_rust().then(|| syn::parse_file(&source.text).ok()).flatten() else {
        return Vec::new();
    };
    let mut named = PrefixedTests { source, faults: Vec::new() };
    named.visit_file(&file);
    named.faults
}

struct PrefixedTests<'a> {
    source: &'a Source,
    faults: Vec<Fault>,
}

impl<'ast> Visit<'ast> for PrefixedTests<'_> {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        let last_segment_is_test = |attribute: &syn::Attribute| {
            attribute.path().segments.last().is_some_and(|last| last.ident == "test")
        };
        let name = item.sig.ident.to_string();
        if name.starts_with("test_") && item.attrs.iter().any(last_segment_is_test) {
            let line = item.sig.fn_token.span.start().line;
            let problem = format!("test `{name}` is not named as the sentence it proves");
            self.faults.push(self.source.fault(line, problem));
        }
        visit::visit_item_fn(self, item);
    }
}

#[cfg(test)]
mod rules {
    use super::{super::texts, *};

    #[test]
    fn a_file_named_after_nothing_is_a_fault() {
        let expected = ["a/src/helpers.rs:1: `helpers.rs` says nothing about what is in the file"];
        assert_eq!(texts(files, "a/src/helpers.rs", ""), expected);
        assert_eq!(texts(files, "a/src/entry.rs", ""), [""; 0]);
    }

    #[test]
    fn a_prefixed_test_is_a_fault_and_another_function_of_that_name_is_not() {
        for attribute in ["#[test]", "#[tokio::test]"] {
            let text = format!("mod m {{\n    {attribute}\n    fn test_it() {{}}\n}}\n");
            let expected = ["a.rs:3: test `test_it` is not named as the sentence it proves"];
            assert_eq!(texts(tests, "a.rs", &text), expected);
        }
        assert_eq!(texts(tests, "a.rs", "fn test_pattern() {}\n"), [""; 0]);
    }
}
