//! Faults of style that a program can see, all of them at once.
//!
//! Every rule is a function from one file to its faults. What needs judgement stays with reviewers.

mod code;
mod names;
mod prose;
mod readings;
mod sizes;
mod text;
mod words;

use crate::sources::{Fault, Source, read_all};
use anyhow::Result;
use std::path::Path;

/// Prints every fault below `root`. Returns whether there was none.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let sources = read_all(root)?;
    let faults = faults(&sources);
    for fault in &faults {
        println!("{fault}");
    }
    println!("tidy: {} files, {} faults", sources.len(), faults.len());
    Ok(faults.is_empty())
}

type Rule = fn(&Source) -> Vec<Fault>;

const RULES: &[Rule] = &[
    code::allow_without_reason,
    code::errors_by_hand,
    code::one_home_each,
    code::opening,
    code::ordered_maps_in_the_core,
    code::sleeping_tests,
    code::unfinished,
    names::files,
    names::tests,
    prose::fillers,
    prose::persons,
    readings::at_home,
    sizes::files,
    sizes::functions,
    text::manifests,
    text::marks,
    text::private_paths,
    text::whitespace,
    words::vocabulary,
];

fn faults(sources: &[Source]) -> Vec<Fault> {
    let mut faults: Vec<Fault> =
        sources.iter().flat_map(|source| RULES.iter().flat_map(|rule| rule(source))).collect();
    faults.sort();
    faults
}

/// Faults as text, so that tests of rules read well.
#[cfg(test)]
fn texts(rule: Rule, path: &str, text: &str) -> Vec<String> {
    let faults = rule(&Source::new(path, text));
    faults.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_found_at_once_and_in_order() {
        let sources = [
            Source::new("b/src/utils.rs", "fn f() {}\n"),
            Source::new("a/src/lib.rs", "//! A.\nfn f() {} \n"),
        ];
        let texts: Vec<String> = faults(&sources).iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "a/src/lib.rs:2: white space at the end of the line",
                "b/src/utils.rs:1: `utils.rs` says nothing about what is in the file",
                "b/src/utils.rs:1: a file opens by saying what it owns: `//! ...`",
            ]
        );
    }

    #[test]
    fn a_clean_file_has_no_faults() {
        let text = "//! A file.\n\n/// Does nothing, whatever comes.\npub fn nothing() {}\n";
        assert_eq!(faults(&[Source::new("a/src/lib.rs", text)]), []);
    }
}
