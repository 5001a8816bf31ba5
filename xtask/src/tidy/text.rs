//! What any text file keeps to.

use crate::sources::{Fault, Source};

/// Every package takes the lints of the workspace, which forbid unsafe code.
pub(super) fn manifests(source: &Source) -> Vec<Fault> {
    if !source.is_manifest() {
        return Vec::new();
    }
    let has = |wanted: &str| source.text.contains(wanted);
    let mut faults = Vec::new();
    if has("[package]") && !has("[lints]\nworkspace = true\n") {
        faults.push(source.fault(1, "the lints of the workspace are not taken: `[lints] workspace = true`"));
    }
    if has("[workspace.lints.rust]") && !has("unsafe_code = \"forbid\"\n") {
        faults.push(source.fault(1, "unsafe code is not forbidden"));
    }
    faults
}

/// What is left to do is an issue; a mark in the code names it.
pub(super) fn marks(source: &Source) -> Vec<Fault> {
    if is_about_faults(source) || source.path.ends_with(".md") {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for (line, text) in source.lines() {
        for mark in ["TODO", "FIXME", "XXX"] {
            let is_word = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
            let bare = text.split(mark).skip(1).any(|rest| is_word(rest) && !rest.starts_with("(#"));
            if bare {
                faults.push(source.fault(line, format!("`{mark}` without an issue")));
            }
        }
    }
    faults
}

/// Paths that exist on one machine only.
pub(super) fn private_paths(source: &Source) -> Vec<Fault> {
    if is_about_faults(source) {
        return Vec::new();
    }
    let private = |text: &str| ["/root/", "/work/", "../shared"].into_iter().find(|path| text.contains(path));
    let found = source.lines().filter_map(|(line, text)| Some((line, private(text)?)));
    found.map(|(line, path)| source.fault(line, format!("`{path}` exists on one machine only"))).collect()
}

/// No white space that an editor would change.
pub(super) fn whitespace(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (line, text) in source.lines() {
        if text.contains('\t') {
            faults.push(source.fault(line, "tab"));
        }
        if text.ends_with([' ', '\t', '\r']) {
            faults.push(source.fault(line, "white space at the end of the line"));
        }
    }
    if !source.text.is_empty() && !source.text.ends_with('\n') {
        faults.push(source.fault(source.text.lines().count(), "no newline at the end of the file"));
    }
    faults
}

/// These files name what they look for.
fn is_about_faults(source: &Source) -> bool {
    source.path.starts_with("xtask/src/tidy/")
}

#[cfg(test)]
mod tests {
    use super::{super::texts, *};

    #[test]
    fn a_package_without_the_lints_of_the_workspace_is_a_fault() {
        assert_eq!(texts(manifests, "a/Cargo.toml", "[package]\n").len(), 1);
        assert_eq!(texts(manifests, "a/Cargo.toml", "[package]\n\n[lints]\nworkspace = true\n"), [""; 0]);
    }

    #[test]
    fn a_workspace_that_does_not_forbid_unsafe_code_is_a_fault() {
        let expected = ["Cargo.toml:1: unsafe code is not forbidden"];
        assert_eq!(
            texts(manifests, "Cargo.toml", "[workspace.lints.rust]\nunsafe_code = \"deny\"\n"),
            expected
        );
    }

    #[test]
    fn a_mark_without_an_issue_is_a_fault() {
        let text = "// TODO: later\n// TODO(#12): then\n// XXXL\n";
        assert_eq!(texts(marks, "a.rs", text), ["a.rs:1: `TODO` without an issue"]);
    }

    #[test]
    fn a_path_of_one_machine_is_a_fault() {
        let expected = ["README.md:1: `/root/` exists on one machine only"];
        assert_eq!(texts(private_paths, "README.md", "see /root/x\n"), expected);
    }

    #[test]
    fn stray_white_space_is_a_fault() {
        let expected = [
            "a.rs:1: tab",
            "a.rs:2: white space at the end of the line",
            "a.rs:3: no newline at the end of the file",
        ];
        assert_eq!(texts(whitespace, "a.rs", "a\tb\nc \nd"), expected);
    }
}
