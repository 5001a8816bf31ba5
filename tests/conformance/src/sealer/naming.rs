//! Rules about names.

use super::{SealerFactory, TEXT};
use crate::Outcome;
use anyhow::{Context as _, ensure};
use std::collections::BTreeSet;

/// At one sealer and at another with the same key; texts that differ in a byte are other texts.
///
/// # Errors
///
/// When the rule is broken.
pub fn equal_texts_have_equal_names_and_others_have_others(factory: &dyn SealerFactory) -> Outcome {
    let (sealer, same) = (factory.sealer(1)?, factory.sealer(1)?);
    let long = "x".repeat(10_000);
    let mut texts: Vec<String> =
        ["", "a", "b", "ab", "ba", "A", "a\0", "\0", "a\n", "é", &long].map(String::from).to_vec();
    texts.push(format!("{long}y"));
    texts.extend((0..1_000).map(|number| format!("r/{number}")));
    let mut names = BTreeSet::new();
    for text in &texts {
        let name = sealer.name(text);
        ensure!(sealer.name(text) == name && same.name(text) == name, "`{text}` has several names");
        names.insert(name);
    }
    ensure!(names.len() == texts.len(), "{} texts have {} names", texts.len(), names.len());
    Ok(())
}

/// Without the key, a name can neither be computed nor recognised.
///
/// # Errors
///
/// When the rule is broken.
pub fn without_the_key_a_name_is_another(factory: &dyn SealerFactory) -> Outcome {
    let (one, other) = (factory.sealer(1)?, factory.sealer(2)?);
    for text in ["", "a", "api.github.com/user"] {
        ensure!(one.name(text) != other.name(text), "`{text}` is called the same under another key");
    }
    Ok(())
}

/// No part of it, and not how it begins: texts with a common beginning have names without one.
///
/// # Errors
///
/// When the rule is broken.
pub fn a_name_shows_nothing_of_its_text(factory: &dyn SealerFactory) -> Outcome {
    let sealer = factory.sealer(1)?;
    let text = str::from_utf8(TEXT).context("the text is text")?;
    let name = sealer.name(text);
    for part in TEXT.windows(4) {
        ensure!(!name.windows(4).any(|shown| shown == part), "a name can be read");
    }
    let similar = sealer.name(&format!("{text}?page=2"));
    let same = name.iter().zip(&similar).filter(|(one, other)| one == other).count();
    ensure!(same < 8, "{same} of 32 bytes are the same for similar texts");
    Ok(())
}
