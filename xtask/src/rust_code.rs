//! Rust as rules look at it: tokens with their lines, and which lines are there for tests alone.
//!
//! Tokens know neither comments nor the insides of strings, so a rule that looks for a name finds uses.

use crate::sources::Source;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::ops::RangeInclusive;
use syn::{
    Attribute, ImplItemFn, Item, ItemUse, UseTree,
    spanned::Spanned as _,
    visit::{self, Visit},
};

/// One file, taken apart.
#[derive(Debug, Default)]
pub(crate) struct RustCode {
    tokens: Vec<Token>,
    /// Full paths of all imports, with their lines.
    pub(crate) imports: Vec<(usize, String)>,
    test_lines: Vec<RangeInclusive<usize>>,
    is_test_file: bool,
}

impl RustCode {
    /// Takes `source` apart; what cannot be parsed is empty, which another rule reports.
    pub(crate) fn of(source: &Source) -> Self {
        let mut code = Self { is_test_file: is_test_file(&source.path), ..Self::default() };
        if let Some(Ok(stream)) = source.is_rust().then(|| source.text.parse()) {
            flatten(stream, &mut code.tokens);
        }
        if let Some(Ok(file)) = source.is_rust().then(|| syn::parse_file(&source.text)) {
            code.visit_file(&file);
        }
        code
    }

    /// Every place where the tokens `sequence` follow one another, as the position and line of the first.
    pub(crate) fn find<'a>(&'a self, sequence: &'a [&str]) -> impl Iterator<Item = (usize, usize)> {
        let windows = self.tokens.windows(sequence.len()).enumerate();
        windows
            .filter(move |(_, window)| window.iter().zip(sequence).all(|(token, text)| token.text == *text))
            .map(|(position, window)| (position, window[0].line))
    }

    /// The text of the token at `position`, empty beyond either end.
    pub(crate) fn text(&self, position: Option<usize>) -> &str {
        let token = position.and_then(|position| self.tokens.get(position));
        token.map_or("", |token| &token.text)
    }

    /// Identifiers with their lines.
    pub(crate) fn identifiers(&self) -> impl Iterator<Item = (usize, &str)> {
        let starts_name = |text: &str| text.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let names =
            self.tokens.iter().filter(move |token| token.kind == Kind::Name && starts_name(&token.text));
        names.map(|token| (token.line, token.text.as_str()))
    }

    /// Paths of two or more segments as they are written in code, imports and macros included.
    pub(crate) fn paths(&self) -> Vec<(usize, String)> {
        let mut paths = Vec::new();
        let mut position = 0;
        while position < self.tokens.len() {
            let mut end = position;
            let is_start = self.tokens[position].kind == Kind::Name;
            while is_start
                && self.text(Some(end + 1)) == "::"
                && self.tokens.get(end + 2).is_some_and(|token| token.kind == Kind::Name)
            {
                end += 2;
            }
            if end > position {
                let path = self.tokens[position..=end].iter().map(|token| token.text.as_str()).collect();
                paths.push((self.tokens[position].line, path));
            }
            position = end + 1;
        }
        paths
    }

    /// Whether `line` is compiled for tests, benchmarks or examples alone.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.is_test_file || self.test_lines.iter().any(|lines| lines.contains(&line))
    }
}

impl<'ast> Visit<'ast> for RustCode {
    fn visit_item(&mut self, item: &'ast Item) {
        if attributes(item).iter().any(is_for_tests) {
            self.test_lines.push(lines(item));
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if item.attrs.iter().any(is_for_tests) {
            self.test_lines.push(lines(item));
        }
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let line = item.use_token.span.start().line;
        spell_out(&item.tree, "", line, &mut self.imports);
    }
}

/// A token and where it begins.
#[derive(Debug)]
struct Token {
    line: usize,
    text: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Name,
    Other,
}

fn is_test_file(path: &str) -> bool {
    if PROGRAMS.iter().any(|program| path.starts_with(program)) {
        return path.ends_with("/tests.rs");
    }
    // The crate in the folder `tests` is test code, including its library.
    let in_folder = |folder: &str| path.starts_with(folder) || path.contains(&format!("/{folder}"));
    path.ends_with("/tests.rs") || ["tests/", "benches/", "examples/"].into_iter().any(in_folder)
}

/// Programs that happen to live beside the tests: what they may use and how they wait is judged as a product's is.
const PROGRAMS: &[&str] = &["tests/simulator/src/", "tests/system/src/"];

fn is_for_tests(attribute: &Attribute) -> bool {
    let last_is_test = |path: &syn::Path| path.segments.last().is_some_and(|last| last.ident == "test");
    let is_cfg_test = || {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    };
    last_is_test(attribute.path()) || is_cfg_test()
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        // Foreign blocks, unions and trait aliases do not occur here; the enum is not exhaustive.
        _ => &[],
    }
}

fn lines(spanned: &impl syn::spanned::Spanned) -> RangeInclusive<usize> {
    let span = spanned.span();
    span.start().line..=span.end().line
}

fn spell_out(tree: &UseTree, prefix: &str, line: usize, imports: &mut Vec<(usize, String)>) {
    let join = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}::{name}") };
    match tree {
        UseTree::Path(path) => spell_out(&path.tree, &join(&path.ident.to_string()), line, imports),
        UseTree::Name(name) => imports.push((line, join(&name.ident.to_string()))),
        UseTree::Rename(rename) => imports.push((line, join(&rename.ident.to_string()))),
        UseTree::Glob(_) => imports.push((line, join("*"))),
        UseTree::Group(group) => {
            for item in &group.items {
                let line = item.span().start().line;
                spell_out(item, prefix, line, imports);
            }
        }
    }
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        let mut push = |text: String, kind| tokens.push(Token { line, text, kind });
        match tree {
            TokenTree::Ident(name) => push(name.to_string(), Kind::Name),
            TokenTree::Literal(_) => push("\"\"".to_owned(), Kind::Other),
            TokenTree::Punct(punct) => match tokens.last_mut() {
                // The one operator of two characters that rules look for.
                Some(last) if last.text == ":" && punct.as_char() == ':' => last.text.push(':'),
                _ => tokens.push(Token { line, text: punct.as_char().to_string(), kind: Kind::Other }),
            },
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                    Delimiter::Parenthesis => ("(", ")"),
                };
                push(open.to_owned(), Kind::Other);
                let end = group.span_close().start().line;
                flatten(group.stream(), tokens);
                tokens.push(Token { line: end, text: close.to_owned(), kind: Kind::Other });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_hold_no_names() {
        let code = RustCode::of(&Source::new("a.rs", "// todo!()\nconst A: &str = \"todo!()\";\n"));
        assert_eq!(code.find(&["todo", "!"]).count(), 0);
    }

    #[test]
    fn grouped_imports_are_spelled_out_each_with_its_line() {
        let code = RustCode::of(&Source::new("a.rs", "use {\n    a::b,\n    c::{self as d, e::*},\n};\n"));
        let spelled: Vec<_> = code.imports.iter().map(|(line, path)| (*line, path.as_str())).collect();
        assert_eq!(spelled, [(2, "a::b"), (3, "c::self"), (3, "c::e::*")]);
    }

    #[test]
    fn paths_are_found_inside_macros_too() {
        let code = RustCode::of(&Source::new("a.rs", "fn f() {\n    m!(std::time::Instant::now());\n}\n"));
        assert_eq!(code.paths(), [(2, "std::time::Instant::now".to_owned())]);
    }

    #[test]
    fn lines_of_test_modules_and_test_files_are_for_tests_alone() {
        let text = "fn f() {}\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n";
        let code = RustCode::of(&Source::new("a/src/lib.rs", text));
        assert!(!code.is_test(1));
        assert!(code.is_test(4));
        for path in ["a/tests/x.rs", "tests/src/lib.rs", "a/benches/b.rs", "a/src/b/tests.rs"] {
            assert!(RustCode::of(&Source::new(path, text)).is_test(1), "{path}");
        }
        for path in ["tests/simulator/src/world.rs", "tests/system/src/main.rs"] {
            let code = RustCode::of(&Source::new(path, text));
            assert!(!code.is_test(1) && code.is_test(4), "{path}");
        }
    }
}
