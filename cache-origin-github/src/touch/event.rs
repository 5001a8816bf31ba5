//! What an event touches: what writes of the same kind would, and what the table of events adds.

use super::effect::{Effect, REPOSITORY, Write, rendered};

/// What an event is about, by its names in normal form.
#[derive(Debug, Default)]
pub(crate) struct Subject {
    names: Vec<(&'static str, String)>,
    /// `/repositories/17`.
    by_number: Option<String>,
}

impl Subject {
    /// The repository `name` of `owner`, with this `number`; `account` is its organisation, if it has one. `None` if one of
    /// them cannot be a name.
    pub(crate) fn of_repository(
        (owner, name): (&str, &str),
        number: Option<u64>,
        account: &str,
    ) -> Option<Self> {
        let names = vec![("owner", normal(owner)?), ("repo", normal(name)?), ("org", normal(account)?)];
        Some(Self { names, by_number: number.map(|number| format!("/repositories/{number}")) })
    }

    /// An organisation or a user. `None` if it cannot be a name.
    pub(crate) fn of_account(account: &str) -> Option<Self> {
        let names = vec![("owner", normal(account)?), ("org", normal(account)?)];
        Some(Self { names, by_number: None })
    }

    /// Spares what is filed under the numbers of other repositories, where `effect` is about this one alone and its number is
    /// known. What is under its own number stays in doubt: by name and by number, there would be more than one
    /// invalidation can name.
    fn narrow(&self, effect: &mut Effect) {
        let (Some(by_number), Some(repository)) = (&self.by_number, self.repository()) else { return };
        let own = format!("/repos/{repository}");
        let is_of_others = |path: &String| path.starts_with("/repos/") && !path.starts_with(&own);
        if !effect.doubted.iter().chain(&effect.forgotten).any(is_of_others)
            && effect.doubted.remove("/repositories/")
        {
            effect.doubted.extend([" ", "?", "/"].map(|end| format!("{by_number}{end}")));
        }
    }

    /// `owner/name`, if it is a repository.
    pub(crate) fn repository(&self) -> Option<Box<str>> {
        let name = |wanted| self.names.iter().find(|(named, _)| *named == wanted).map(|(_, name)| name);
        Some(format!("{}/{}", name("owner")?, name("repo")?).into())
    }
}

/// What an event about `subject` touches that changes the same as `writes`, and what is `touched` besides. A write whose
/// path has a name that the event does not tell is left out: the event has no such.
pub(crate) fn effect_of_event<'a>(
    writes: &[&'static str],
    touched: impl IntoIterator<Item = &'a &'static str>,
    subject: &Subject,
) -> Effect {
    let names: Vec<_> = subject.names.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut effect = Effect::default();
    for write in writes {
        let (method, template) = write.split_once(' ').unwrap_or(("", write));
        let (path, is_whole) = rendered(&template.replacen('~', REPOSITORY, 1), &names);
        if is_whole {
            effect.add_write(method, &Write::of(&path));
        }
    }
    let nowhere = Write::of("");
    for item in touched {
        effect.add_all(&nowhere, &names, &[item]);
    }
    subject.narrow(&mut effect);
    effect.shortest()
}

/// A name of an account or a repository as keys have it.
fn normal(name: &str) -> Option<String> {
    let is_name = (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && name != "."
        && name != "..";
    is_name.then(|| name.to_ascii_lowercase())
}

/// Longest name of a repository at GitHub, in bytes; names of accounts are shorter.
const NAME_BYTES_MAX: usize = 100;
