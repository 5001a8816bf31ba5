//! Which known name a misspelt one may stand for.

/// The one of `names` that takes the fewest edits to reach from `word`; nothing where more than a third of it would
/// have to change.
pub(crate) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (edits, name) = names.map(|name| (distance(word, name), name)).min()?;
    (edits * 3 <= name.len().max(word.len())).then_some(name)
}

/// Levenshtein's distance, one row at a time.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, from) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, to) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_another_word_finds_none() {
        let names = ["listen", "default-ttl", "unix"];
        assert_eq!(nearest("defualt-ttl", names.into_iter()), Some("default-ttl"));
        assert_eq!(nearest("lisen", names.into_iter()), Some("listen"));
        assert_eq!(nearest("serve", names.into_iter()), None);
        assert_eq!(nearest("", names.into_iter()), None);
    }
}
