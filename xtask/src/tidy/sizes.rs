//! How long files and functions may be.

use crate::sources::{Fault, Source};
use syn::{
    ImplItemFn, ItemFn, Signature, TraitItemFn,
    spanned::Spanned as _,
    visit::{self, Visit},
};

/// Files end before they need a table of contents.
pub(super) fn files(source: &Source) -> Vec<Fault> {
    let lines = source.text.lines().count();
    if !source.is_rust() || lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    vec![source.fault(lines, format!("file has {lines} lines, the limit is {FILE_LINES_MAX}"))]
}

/// Functions, from `fn` to the closing brace, tests included.
pub(super) fn functions(source: &Source) -> Vec<Fault> {
    if !source.is_rust() {
        return Vec::new();
    }
    let file = match syn::parse_file(&source.text) {
        Ok(file) => file,
        Err(error) => {
            return vec![source.fault(error.span().start().line, format!("cannot be parsed: {error}"))];
        }
    };
    let mut long = LongFunctions { source, faults: Vec::new() };
    long.visit_file(&file);
    long.faults
}

struct LongFunctions<'a> {
    source: &'a Source,
    faults: Vec<Fault>,
}

impl LongFunctions<'_> {
    fn measure(&mut self, signature: &Signature, block: &syn::Block) {
        let first = signature.fn_token.span.start().line;
        let last = block.span().end().line;
        let lines = last + 1 - first;
        if lines > FUNCTION_LINES_MAX {
            let name = &signature.ident;
            let problem = format!("function `{name}` has {lines} lines, the limit is {FUNCTION_LINES_MAX}");
            self.faults.push(self.source.fault(first, problem));
        }
    }
}

impl<'ast> Visit<'ast> for LongFunctions<'_> {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(block) = &item.default {
            self.measure(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

#[cfg(test)]
mod tests {
    use super::{super::texts, *};

    fn function(lines: usize) -> String {
        format!("fn f() {{\n{}}}\n", "    g();\n".repeat(lines - 2))
    }

    #[test]
    fn a_file_of_one_line_too_many_is_a_fault() {
        let text = "//\n".repeat(FILE_LINES_MAX + 1);
        assert_eq!(texts(files, "a.rs", &text), ["a.rs:601: file has 601 lines, the limit is 600"]);
        assert_eq!(texts(files, "a.rs", &text[3..]), [""; 0]);
    }

    #[test]
    fn a_function_of_one_line_too_many_is_a_fault() {
        let expected = ["a.rs:1: function `f` has 71 lines, the limit is 70"];
        assert_eq!(texts(functions, "a.rs", &function(71)), expected);
        assert_eq!(texts(functions, "a.rs", &function(70)), [""; 0]);
    }

    #[test]
    fn methods_and_nested_functions_are_measured_as_well() {
        let nested = format!("impl S {{\n    fn m() {{\n{}    }}\n}}\n", function(71));
        assert_eq!(texts(functions, "a.rs", &nested).len(), 2);
        let default = format!("trait T {{\n{}}}\n", function(71));
        assert_eq!(texts(functions, "a.rs", &default).len(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_parsed_is_reported_as_such() {
        assert!(texts(functions, "a.rs", "fn {")[0].contains("cannot be parsed"));
    }
}
