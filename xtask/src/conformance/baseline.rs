//! What came of each test before, and the table that users read.

use super::verdict::{Judged, Kind, Verdict};
use anyhow::{Context as _, Result};
use std::{collections::BTreeMap, fmt, fs, path::Path};

/// What came of each test before.
pub(super) struct Baseline(BTreeMap<String, Verdict>);

/// A test of which something else came than before.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Change {
    id: String,
    before: Option<Verdict>,
    now: Option<Verdict>,
}

impl Baseline {
    /// Reads what [`text`] wrote; nothing if the file is not there yet.
    pub(super) fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self(BTreeMap::new()));
        }
        let text = fs::read_to_string(path)?;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let entries = lines.map(|line| {
            let mut words = line.split_whitespace().rev();
            let (verdict, id) = (words.next(), words.next());
            let (verdict, id) = verdict.zip(id).with_context(|| format!("{line:?} names no test"))?;
            Ok((id.to_owned(), verdict.parse()?))
        });
        Ok(Self(entries.collect::<Result<_>>()?))
    }

    /// What differs in `judged`.
    pub(super) fn changes(&self, judged: &[Judged]) -> Vec<Change> {
        let now: BTreeMap<_, _> = judged.iter().map(|judged| (judged.id.as_str(), judged.verdict)).collect();
        let ids = self.0.keys().map(String::as_str).chain(now.keys().copied());
        let ids: std::collections::BTreeSet<_> = ids.collect();
        let changes = ids.into_iter().map(|id| Change {
            id: id.to_owned(),
            before: self.0.get(id).copied(),
            now: now.get(id).copied(),
        });
        changes.filter(|change| change.before != change.now).collect()
    }
}

impl Change {
    /// Whether a test that passed does not any more.
    pub(super) fn is_worse(&self) -> bool {
        self.before.is_some_and(Verdict::is_passed)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told =
            |verdict: Option<Verdict>| verdict.map_or_else(|| "is not there".to_owned(), |it| it.to_string());
        write!(f, "{}: {} now; before: {}", self.id, told(self.now), told(self.before))
    }
}

/// The file that says what came of each test.
pub(super) fn text(judged: &[Judged]) -> String {
    let lines =
        judged.iter().map(|Judged { suite, id, kind, verdict }| format!("{suite} {kind} {id} {verdict}\n"));
    format!("{HEAD}{}", lines.collect::<String>())
}

/// How many tests of each chapter and kind pass, as Markdown.
pub(super) fn table(judged: &[Judged]) -> String {
    let mut chapters: Vec<&str> = judged.iter().map(|judged| judged.suite.as_str()).collect();
    chapters.dedup();
    let mut table = "| chapter | required | optimal | check |\n|---|---|---|---|\n".to_owned();
    for chapter in chapters.into_iter().map(Some).chain([None]) {
        let tallies = [Kind::Required, Kind::Optimal, Kind::Check].map(|kind| {
            let of_both = |judged: &&Judged| {
                judged.kind == kind && chapter.is_none_or(|chapter| judged.suite == chapter)
            };
            let found: Vec<_> = judged.iter().filter(of_both).collect();
            let passed = found.iter().filter(|judged| judged.verdict.is_passed()).count();
            if found.is_empty() { "–".to_owned() } else { format!("{passed} of {}", found.len()) }
        });
        table += &format!("| {} | {} |\n", chapter.unwrap_or("**all**"), tallies.join(" | "));
    }
    table
}

/// Puts the table between its marks in the page at `path`.
pub(super) fn write_table(path: &Path, judged: &[Judged]) -> Result<()> {
    let page = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.with_context(|| format!("{} has no place for the table", path.display()))?;
    fs::write(path, format!("{before}{BEGIN}\n{}{END}{after}", table(judged)))?;
    Ok(())
}

const BEGIN: &str = "<!-- Made by `cargo xtask conformance --bless`. -->";
const END: &str = "<!-- The end of that. -->";
const HEAD: &str = "\
# What came of each test of http-cache-tests 0.4.5: chapter, kind, test, verdict. docs/conformance.md says why.
# Made by `cargo xtask conformance --bless`.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(id: &str, verdict: Verdict) -> Judged {
        Judged { suite: "s".to_owned(), id: id.to_owned(), kind: Kind::Optimal, verdict }
    }

    #[test]
    fn what_is_written_is_read_back_and_what_differs_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("baseline.txt");
        let before = [judged("a", Verdict::Passes), judged("b", Verdict::Fails), judged("c", Verdict::Setup)];
        assert_eq!(Baseline::read(&path).unwrap().changes(&before).len(), 3);
        fs::write(&path, text(&before)).unwrap();
        let baseline = Baseline::read(&path).unwrap();
        assert_eq!(baseline.changes(&before), []);
        let now = [judged("a", Verdict::Depends), judged("b", Verdict::Passes), judged("c", Verdict::Setup)];
        let changes = baseline.changes(&now);
        assert_eq!(changes.iter().map(Change::is_worse).collect::<Vec<_>>(), [true, false]);
        assert_eq!(changes[0].to_string(), "a: depends now; before: passes");
        assert!(baseline.changes(&now[1..])[0].is_worse(), "a test that is gone");
    }

    #[test]
    fn a_table_is_put_in_its_place_and_nowhere_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("page.md");
        fs::write(&path, format!("a\n{BEGIN}\nold\n{END}\nb\n")).unwrap();
        write_table(&path, &[judged("a", Verdict::Passes), judged("b", Verdict::Fails)]).unwrap();
        let page = fs::read_to_string(&path).unwrap();
        assert!(page.starts_with("a\n") && page.ends_with("\nb\n") && !page.contains("old"));
        assert!(page.contains("| s | – | 1 of 2 | – |\n| **all** | – | 1 of 2 | – |\n"), "{page}");
        fs::write(&path, "no place").unwrap();
        assert!(write_table(&path, &[]).is_err());
    }
}
