//! What settings amounted to when they were read, fit to be compared with another reading, secrets included.

use super::definition::{DEFINITIONS, Definition};
use super::given::Given;
use std::{
    collections::BTreeMap,
    fs::File,
    hash::{BuildHasher as _, RandomState},
    io::Read as _,
    sync::LazyLock,
};

/// One number for each setting, from its values and from what is in the files that they name.
///
/// The numbers come from a key that no other process has, so that they tell nothing of a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Imprint(BTreeMap<&'static str, u64>);

impl Imprint {
    /// That of what was `given`.
    pub(crate) fn of(given: &Given) -> Self {
        let number = |definition: &'static Definition| {
            let texts = given.value(definition).map_or_else(Vec::new, |value| value.texts);
            let held = texts.iter().map(|text| FILES.contains(&definition.name).then(|| contents(text)));
            let held: Vec<_> = held.collect();
            (definition.name, KEY.hash_one((texts, held)))
        };
        Self(DEFINITIONS.iter().map(number).collect())
    }

    /// The settings that are others than in `earlier`, in the order of the table.
    pub(crate) fn changed_since(&self, earlier: &Self) -> Vec<&'static str> {
        let names = DEFINITIONS.iter().map(|definition| definition.name);
        names.filter(|name| self.0.get(name) != earlier.0.get(name)).collect()
    }

    /// Takes what `later` says of `names`.
    pub(crate) fn take(&mut self, names: &[&'static str], later: &Self) {
        self.0.extend(names.iter().filter_map(|name| Some((*name, *later.0.get(name)?))));
    }
}

/// The contents of the file at `path`; `None` if it cannot be read, or cannot be read twice, such as a pipe.
fn contents(path: &str) -> Vec<u8> {
    let mut contents = Vec::new();
    if !std::fs::metadata(path).is_ok_and(|found| found.is_file()) {
        return contents;
    }
    let read = File::open(path).and_then(|file| file.take(CONTENTS_BYTES_MAX).read_to_end(&mut contents));
    if read.is_ok() { contents } else { Vec::new() }
}

/// The settings that name a file which is read at the start.
const FILES: [&str; 5] =
    ["accept-secret-file", "anonymous-as", "ca-file", "client-token-file", "shared-secret-file"];

/// Most that is looked at of a file: more than any bundle of certificates has.
const CONTENTS_BYTES_MAX: u64 = 4 * 1024 * 1024;

static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Source, definition};

    fn given(name: &'static str, text: &str) -> Given {
        let mut given = Given::default();
        given.put(definition(name), vec![text.to_owned()], Source::Default);
        given
    }

    #[test]
    fn a_secret_that_is_another_is_a_change_although_it_is_not_shown() {
        let of = |text| Imprint::of(&given("shared-secret", text));
        assert_eq!(of("one").changed_since(&of("one")), [""; 0]);
        assert_eq!(of("one").changed_since(&of("two")), ["shared-secret"]);
    }

    #[test]
    fn a_file_with_other_contents_is_a_change_of_the_setting_that_names_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for name in FILES {
            let of = || Imprint::of(&given(name, file.path().to_str().unwrap()));
            std::fs::write(file.path(), "one").unwrap();
            let mut before = of();
            assert_eq!(of(), before);
            std::fs::write(file.path(), "two").unwrap();
            assert_eq!(of().changed_since(&before), [name]);
            before.take(&[name], &of());
            assert_eq!(of(), before);
        }
    }
}
