//! Which room of a crate may use which.
//!
//! A room is a module at the root of a crate. Rooms lie on floors, and what is in one uses what lies on lower floors:
//! then a room can be read, and moved, without those above it.

use crate::{
    rust_code::RustCode,
    sources::{Fault, Source},
};
use std::collections::BTreeSet;

/// A crate whose rooms have an order.
struct House {
    /// Where its sources are, from the root.
    folder: &'static str,
    /// From the bottom up. The rooms of one floor do not use each other.
    floors: &'static [&'static [&'static str]],
}

/// Every use of a room that does not lie below, and every room without a floor, outside of tests.
pub(super) fn breaches(sources: &[Source]) -> Vec<Fault> {
    HOUSES.iter().flat_map(|house| house.breaches(sources)).collect()
}

/// How many rooms have a floor.
pub(super) fn count() -> usize {
    HOUSES.iter().flat_map(|house| house.floors).map(|floor| floor.len()).sum()
}

impl House {
    fn breaches(&self, sources: &[Source]) -> BTreeSet<Fault> {
        let mut faults = BTreeSet::new();
        for source in sources.iter().filter(|source| source.is_rust()) {
            let Some(place) = source.path.strip_prefix(self.folder).map(place) else { continue };
            let room = place.first().map_or(ROOT, String::as_str);
            let Some(floor) = self.floor(room) else {
                faults.insert(
                    source.fault(1, format!("`{room}` has no place among the rooms of {}", self.folder)),
                );
                continue;
            };
            let code = RustCode::of(source);
            let mut paths = code.paths();
            paths.extend(code.imports.iter().cloned());
            for (line, path) in paths.into_iter().filter(|(line, _path)| !code.is_test(*line)) {
                if let Some(used) = self.room_of(&path, &place).filter(|used| *used != room)
                    && self.floor(used) >= Some(floor)
                {
                    faults.insert(
                        source.fault(line, format!("`{path}`: `{used}` does not lie below `{room}`")),
                    );
                }
            }
        }
        faults
    }

    /// The room that `path`, written in the module at `place`, leads to; `None` where it leads out of the crate.
    fn room_of<'a>(&self, path: &'a str, place: &'a [String]) -> Option<&'a str> {
        let mut steps = path.split("::").peekable();
        let from = match steps.next()? {
            "crate" => 0,
            "self" => place.len(),
            "super" => {
                let further = std::iter::from_fn(|| steps.next_if_eq(&"super")).count();
                place.len().saturating_sub(1 + further)
            }
            // The root itself names its rooms like this.
            first if place.is_empty() && self.floor(first).is_some() => return Some(first),
            _another_crate_or_own => return None,
        };
        let room = place[..from].first().map(String::as_str).or_else(|| steps.next())?;
        // What the root itself declares lies above everything.
        Some(if self.floor(room).is_some() { room } else { ROOT })
    }

    fn floor(&self, room: &str) -> Option<usize> {
        self.floors.iter().position(|rooms| rooms.contains(&room))
    }
}

/// The module that the file at `path` is, from the root of its crate; empty for the root.
fn place(path: &str) -> Vec<String> {
    let mut place: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if place == [ROOT] || place.last().is_some_and(|last| last == "mod") {
        place.pop();
    }
    place
}

/// The file at the root of a library.
const ROOT: &str = "lib";

const HOUSES: &[House] = &[House {
    folder: "cache-cli/src/",
    floors: &[
        &["exit"],
        &["output", "socket"],
        &["ca", "settings"],
        &["admin", "door"],
        &["daemon"],
        &["command"],
        &["arguments"],
        &[ROOT],
        &["main"],
    ],
}];

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, text: &str) -> Vec<String> {
        breaches(&[Source::new(path, text)]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_room_uses_what_lies_below_it_and_itself() {
        let text = "use super::host::Urls;\nuse crate::{exit::CommandError, settings::Secret};\n\
                    use other::door::X;\nfn f() { self::g(); super::super::settings::h(); }\n";
        assert_eq!(told("cache-cli/src/door/exchange.rs", text), [""; 0]);
        assert_eq!(told("cache-cli/src/lib.rs", "mod door;\nuse door::Door;\n"), [""; 0]);
    }

    #[test]
    fn a_use_of_a_room_above_or_beside_is_a_breach_however_it_is_written() {
        for (path, text, used) in [
            (
                "settings/value.rs",
                "use crate::door::Door;\n",
                "`crate::door::Door`: `door` does not lie below `settings`",
            ),
            (
                "settings/mod.rs",
                "fn f() { crate::daemon::run(); }\n",
                "`crate::daemon::run`: `daemon` does not lie below `settings`",
            ),
            (
                "exit.rs",
                "use super::settings::Given;\n",
                "`super::settings::Given`: `settings` does not lie below `exit`",
            ),
            (
                "door/host.rs",
                "use super::super::daemon::X;\n",
                "`super::super::daemon::X`: `daemon` does not lie below `door`",
            ),
            (
                "admin/mod.rs",
                "use crate::{door::Door as D};\n",
                "`crate::door::Door`: `door` does not lie below `admin`",
            ),
            (
                "command/id.rs",
                "fn f() { crate::chain(e); }\n",
                "`crate::chain`: `lib` does not lie below `command`",
            ),
        ] {
            assert_eq!(
                told(&format!("cache-cli/src/{path}"), text),
                [format!("cache-cli/src/{path}:1: {used}")]
            );
        }
    }

    #[test]
    fn tests_may_use_any_room() {
        let text = "#[cfg(test)]\nmod tests {\n    use crate::daemon::X;\n}\n";
        assert_eq!(told("cache-cli/src/door/host.rs", text), [""; 0]);
        assert_eq!(told("cache-cli/src/settings/tests.rs", "use crate::daemon::X;\n"), [""; 0]);
    }

    #[test]
    fn a_room_without_a_floor_is_a_breach() {
        let expected = "cache-cli/src/attic/x.rs:1: `attic` has no place among the rooms of cache-cli/src/";
        assert_eq!(told("cache-cli/src/attic/x.rs", ""), [expected]);
    }
}
