//! Working out what one write touches: its own family, and what the table adds.

use super::table::{ALONE, BESIDE, GROUPS, Row};
use std::collections::BTreeSet;

/// How the paths begin, from the API's root, that a write makes stale.
#[derive(Debug, Default)]
pub(crate) struct Effect {
    /// The resources that it changed.
    pub(super) forgotten: BTreeSet<String>,
    /// The resources that may show the change as well.
    pub(super) doubted: BTreeSet<String>,
}

/// What a carried-out write with `method` to `path`, in normal form, touches.
pub(super) fn effect(method: &str, path: &str) -> Effect {
    let mut effect = Effect::default();
    if path == "/" {
        effect.forget(path, true);
    } else {
        effect.add_write(method, &Write::of(path));
    }
    effect
}

/// The path of a write in segments, as if what is named by number had a name.
pub(super) struct Write<'a> {
    /// `/repositories/17/issues` is `["repos", "", "", "issues"]`: a name that is not known is empty.
    segments: Vec<&'a str>,
    /// `/repositories/17`, if that is how the path begins.
    by_number: Option<String>,
}

/// What a template's names stand for in a path.
pub(super) type Names<'a> = Vec<(&'static str, &'a str)>;

impl<'a> Write<'a> {
    pub(super) fn of(path: &'a str) -> Self {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let (named, number, rest): (&[&str], &str, &[&str]) = match segments[..] {
            ["repositories", number, ref rest @ ..] => (&["repos", "", ""], number, rest),
            ["organizations", number, ref rest @ ..] => (&["orgs", ""], number, rest),
            ["user", number, ref rest @ ..] if is_number(number) => (&["users", ""], number, rest),
            [..] => return Self { segments, by_number: None },
        };
        let by_number = Some(format!("/{}/{number}", segments[0]));
        Self { segments: named.iter().chain(rest).copied().collect(), by_number }
    }

    /// What the names in `template` stand for, if it fits.
    fn captures(&self, template: &'static str) -> Option<Names<'a>> {
        let mut names = Vec::new();
        let wanted: Vec<&'static str> = segments_of(template).collect();
        captured(&wanted, &self.segments, &mut names).then_some(names)
    }
}

impl Effect {
    /// The same without what something shorter covers.
    pub(super) fn shortest(mut self) -> Self {
        for paths in [&mut self.forgotten, &mut self.doubted] {
            let mut kept: Option<String> = None;
            // What begins like another comes behind it.
            paths.retain(|path| {
                let is_covered = kept.as_ref().is_some_and(|kept| path.starts_with(&**kept));
                if !is_covered {
                    kept = Some(path.clone());
                }
                !is_covered
            });
        }
        self
    }

    /// What a carried-out write with `method` touches.
    pub(super) fn add_write(&mut self, method: &str, write: &Write<'_>) {
        let fitting = |rows: &'static [Row]| {
            let named = rows.iter().filter(move |(methods, _, _)| {
                methods.is_empty() || methods.split(' ').any(|named| named == method)
            });
            named.filter_map(|(_, template, touched)| Some((write.captures(template)?, *touched)))
        };
        if let Some((names, touched)) = fitting(ALONE).next() {
            return self.add_all(write, &names, touched);
        }
        let mut is_known = false;
        for (names, touched) in fitting(BESIDE) {
            is_known = true;
            self.add_all(write, &names, touched);
        }
        self.add_own(write, is_known);
    }

    /// The family of resources that the path lies in, and what they belong to.
    fn add_own(&mut self, write: &Write<'_>, is_known: bool) {
        let segments = &write.segments;
        let (belongings, template, names): (usize, _, &[&'static str]) = match segments[..] {
            ["repos", _, _, ..] => (3, REPOSITORY, &["owner", "repo"]),
            ["orgs", _, ..] => (2, "/orgs/{org}", &["org"]),
            ["users", _, ..] => (2, "/users/{username}", &["username"]),
            ["enterprises", _, ..] => (2, "/enterprises/{enterprise}", &["enterprise"]),
            ["user", ..] => (1, "/user", &[]),
            [..] => (0, "", &[]),
        };
        let values = segments.iter().skip(1).copied();
        let names: Names<'_> = names.iter().copied().zip(values).collect();
        if belongings > 0 {
            self.add(write, &names, &format!("={template}"));
        }
        let family = segments.get(belongings).filter(|_| is_known || belongings == 0);
        match family {
            Some(family) => self.add(write, &names, &format!("{template}/{family}")),
            // The account of a credential has too many families that have nothing to do with one another.
            None if is_known && template == "/user" => {}
            None => self.add(write, &names, &format!("{template}/")),
        }
        if !is_known && template == REPOSITORY {
            self.add_all(write, &names, &["@lists"]);
        }
    }

    pub(super) fn add_all(&mut self, write: &Write<'_>, names: &Names<'_>, touched: &[&str]) {
        for item in touched {
            match GROUPS.iter().find(|(group, _)| group == item) {
                Some((_, members)) => self.add_all(write, names, members),
                None => self.add(write, names, item),
            }
        }
    }

    /// Adds what one item of a row means, by name, and by number where GitHub has both.
    fn add(&mut self, write: &Write<'_>, names: &Names<'_>, item: &str) {
        let (is_doubt, item) = item.strip_prefix('?').map_or((false, item), |item| (true, item));
        let (is_exact, item) = item.strip_prefix('=').map_or((false, item), |item| (true, item));
        let template = item.replacen('~', REPOSITORY, 1);
        let (begin, is_whole) = rendered(&template, names);
        if is_doubt || !is_whole {
            self.doubted.insert(begin);
        } else {
            self.forget(&begin, is_exact);
        }
        let Some(twin) = TWINS.iter().find(|twin| template.starts_with(twin.by_name)) else { return };
        let is_below = |number: &&str| twin.by_number.iter().any(|begin| number.starts_with(begin));
        let number = write.by_number.as_deref().filter(is_below);
        match number.zip(template.strip_prefix(twin.one)) {
            Some((number, rest)) if !is_doubt => self.forget(&format!("{number}{rest}"), is_exact),
            // Which number the name has, the path does not tell.
            _other => self.doubted.extend(twin.by_number.iter().map(|begin| (*begin).to_owned())),
        }
    }

    fn forget(&mut self, path: &str, is_exact: bool) {
        if is_exact {
            // With a query behind it, or its class of representation.
            self.forgotten.insert(format!("{path}?"));
            self.forgotten.insert(format!("{path} "));
        } else {
            self.forgotten.insert(path.to_owned());
        }
    }
}

/// How the paths begin that name by number what `path` names.
pub(super) fn by_number(path: &str) -> &'static [&'static str] {
    TWINS.iter().find(|twin| path.starts_with(twin.by_name)).map_or(&[], |twin| twin.by_number)
}

/// `template` with `names` put in, up to the first that is not known; and whether that is all of it.
pub(super) fn rendered(template: &str, names: &Names<'_>) -> (String, bool) {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        out.push_str(before);
        let (name, behind) = behind.split_once('}').unwrap_or((behind, ""));
        match names.iter().find(|(named, _)| *named == name) {
            Some((_, value)) if !value.is_empty() => out.push_str(value),
            _unknown => return (out, false),
        }
        rest = behind;
    }
    out.push_str(rest);
    (out, true)
}

fn segments_of(template: &'static str) -> impl Iterator<Item = &'static str> {
    let (begin, rest) = template.strip_prefix('~').map_or(("", template), |rest| (REPOSITORY, rest));
    begin.split('/').chain(rest.split('/')).filter(|segment| !segment.is_empty())
}

/// Templates have a handful of segments and at most two `**`, which bounds the recursion.
fn captured<'a>(wanted: &[&'static str], given: &[&'a str], names: &mut Names<'a>) -> bool {
    let Some((first, rest)) = wanted.split_first() else {
        return given.is_empty();
    };
    if *first == "**" {
        return (0..=given.len()).any(|skipped| {
            let known = names.len();
            let fits = captured(rest, &given[skipped..], names);
            if !fits {
                names.truncate(known);
            }
            fits
        });
    }
    let Some((segment, behind)) = given.split_first() else {
        return false;
    };
    match first.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
        Some(name) => names.push((name, segment)),
        None if first == segment => {}
        None => return false,
    }
    captured(rest, behind, names)
}

/// What `~` stands for.
pub(super) const REPOSITORY: &str = "/repos/{owner}/{repo}";
/// How GitHub names one kind of thing by name and by number.
struct Twin {
    by_name: &'static str,
    by_number: &'static [&'static str],
    /// One of them by name, in the rows for writes that may come by number.
    one: &'static str,
}

const TWINS: &[Twin] = &[
    Twin { by_name: "/repos/", by_number: &["/repositories/"], one: REPOSITORY },
    Twin { by_name: "/orgs/", by_number: &["/organizations/"], one: "/orgs/{org}" },
    // `/user/repos` and the like are about the account that asks.
    Twin {
        by_name: "/users/",
        by_number: &[
            "/user/1", "/user/2", "/user/3", "/user/4", "/user/5", "/user/6", "/user/7", "/user/8", "/user/9",
        ],
        one: "/users/{username}",
    },
];
