//! Words of comments and pages: what every sentence should be without.
//!
//! Text in backticks, in double quotes and in blocks of code is quoted, and free.

use crate::sources::{Fault, Source};

/// A documentation comment says more than the name does: a unit, a bound, a reason.
pub(super) fn fillers(source: &Source) -> Vec<Fault> {
    if !source.is_rust() {
        return Vec::new();
    }
    let lines: Vec<&str> = source.text.lines().map(str::trim_start).collect();
    let is_doc = |index: Option<usize>| {
        index.and_then(|index| lines.get(index)).is_some_and(|line| line.starts_with("///"))
    };
    let alone =
        lines.iter().enumerate().filter(|(at, _)| !is_doc(at.checked_sub(1)) && !is_doc(Some(at + 1)));
    let fillers = alone.filter(|(_, line)| line.strip_prefix("/// ").is_some_and(is_filler));
    fillers.map(|(at, line)| source.fault(at + 1, format!("`{line}` says no more than the name"))).collect()
}

/// A few bare words and a full stop.
fn is_filler(text: &str) -> bool {
    text.strip_suffix('.').is_some_and(|text| {
        let is_bare = |word: &str| word.chars().all(char::is_alphanumeric);
        text.split(' ').count() <= FILLER_WORDS_MAX && text.split(' ').all(is_bare)
    })
}

/// A node, a token or a function is not a person: it is "it" or "which".
pub(super) fn persons(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut text = Text::default();
    for (number, line) in source.lines() {
        let Some(line) = text.prose(source, line) else {
            continue;
        };
        for word in line.split(|c: char| !(c.is_alphanumeric() || c == '\'')).filter(|word| !word.is_empty())
        {
            let asks = WHO.iter().any(|who| word.eq_ignore_ascii_case(who));
            if asks && !PERSONS.contains(&text.before.as_str()) {
                let problem = format!("`{word}` is for people; a node, a token or a request is a thing");
                faults.push(source.fault(number, problem));
            }
            text.before = word.to_lowercase();
        }
    }
    faults
}

/// Where a reader of one file is.
#[derive(Default)]
struct Text {
    /// The word before, in lower case.
    before: String,
    /// In a block of code.
    is_code: bool,
    /// The mark that ends the quotation, if one has begun.
    quotation: Option<char>,
}

impl Text {
    /// What `line` says in words of its own; `None` if it is not prose.
    fn prose(&mut self, source: &Source, line: &str) -> Option<String> {
        let line = line.trim_start();
        let line = if source.is_rust() { line.strip_prefix("//")? } else { line };
        let line = line.trim_start_matches(['/', '!']).trim();
        if line.starts_with("```") {
            self.is_code = !self.is_code;
        }
        if line.is_empty() || line.starts_with("```") {
            (self.before, self.quotation) = (String::new(), None);
            return None;
        }
        let is_page = source.path.ends_with(".md");
        (!self.is_code && (is_page || source.is_rust())).then(|| self.unquoted(line))
    }

    fn unquoted(&mut self, line: &str) -> String {
        let mut own = String::new();
        for c in line.chars() {
            match self.quotation {
                Some(end) if c == end => self.quotation = None,
                Some(_) => {}
                None if matches!(c, '`' | '"') => self.quotation = Some(c),
                None => own.push(c),
            }
        }
        own
    }
}

/// Longest filler, in words.
const FILLER_WORDS_MAX: usize = 3;

const WHO: &[&str] = &["who", "whoever", "whom", "whomever", "whosever"];

/// The words after which "who" stands for a person.
const PERSONS: &[&str] = &["anyone", "authors", "operator", "operators", "people", "person", "user", "users"];

#[cfg(test)]
mod tests {
    use super::{super::texts, *};

    #[test]
    fn a_documentation_comment_of_a_few_bare_words_is_a_fault() {
        let text = "/// Who.\nfield: PeerId,\n    /// The value given.\n    value: u32,\n";
        let expected = [
            "a.rs:1: `/// Who.` says no more than the name",
            "a.rs:3: `/// The value given.` says no more than the name",
        ];
        assert_eq!(texts(fillers, "a.rs", text), expected);
    }

    #[test]
    fn a_comment_that_goes_on_or_that_says_a_unit_is_no_filler() {
        let text = "/// Waits.\n///\n/// Returns once all have come.\nfn f() {}\n/// Length, in bytes.\nlength: u32,\n";
        assert_eq!(texts(fillers, "a.rs", text), [""; 0]);
        assert_eq!(texts(fillers, "a.rs", "/// The [`Peer`].\n"), [""; 0]);
    }

    #[test]
    fn who_for_a_node_is_a_fault_in_comments_and_pages() {
        let expected = ["a.rs:2: `who` is for people; a node, a token or a request is a thing"];
        assert_eq!(
            texts(persons, "a.rs", "fn whom() {}\n// The node\n// asks. who knows\n"),
            ["a.rs:3: `who` is for people; a node, a token or a request is a thing"]
        );
        assert_eq!(texts(persons, "a.rs", "/// A node\n/// who asks.\n"), expected);
        assert_eq!(texts(persons, "a.md", "Whoever asks.\n").len(), 1);
        assert_eq!(texts(persons, "a.toml", "# whoever asks\n"), [""; 0]);
    }

    #[test]
    fn who_for_a_person_and_in_a_quotation_is_none() {
        assert_eq!(
            texts(persons, "a.rs", "// for people\n// who read, `who` and \"whom\n// or who\".\n"),
            [""; 0]
        );
        assert_eq!(texts(persons, "a.md", "```text\nwho\n```\n"), [""; 0]);
        assert_eq!(texts(persons, "a.rs", "let text = \"who\";\n"), [""; 0]);
    }
}
