//! Searches for issues, pull requests and repositories, by the terms that gh writes.

use super::{
    super::subject::Subject,
    connection::connection,
    object::{Arguments, Failure, Scene, Seed},
    query::ORGANIZATION,
};
use serde_json::json;

impl Scene<'_> {
    pub(super) fn search(&self, arguments: &Arguments) -> Result<Seed, Failure> {
        let terms = Terms(arguments.text("query"));
        let (issues, repositories) = match arguments.text("type") {
            "ISSUE" => (self.found(terms), Vec::new()),
            "REPOSITORY" => {
                let views = (0..60).filter_map(|number| self.named(&format!("widget-{number}")));
                (Vec::new(), views.map(Seed::Repository).collect())
            }
            _other => (Vec::new(), Vec::new()),
        };
        let more = json!({ "issueCount": issues.len(), "repositoryCount": repositories.len() });
        connection("SearchResultItemConnection", &[issues, repositories].concat(), &more, arguments)
    }

    fn found(&self, terms: Terms<'_>) -> Vec<Seed> {
        let full_name = terms.after("repo").unwrap_or_default();
        let (owner, name) = full_name.split_once('/').unwrap_or_default();
        let named = Some(name).filter(|_| owner == ORGANIZATION);
        let Some(view) = named.and_then(|name| self.named(name)) else { return Vec::new() };
        let mut subjects = self.world.borrow().subjects(&view, false);
        subjects.retain(|subject| self.fits(subject, terms));
        subjects.into_iter().map(|subject| Seed::Subject(view, Box::new(subject))).collect()
    }

    fn fits(&self, subject: &Subject, terms: Terms<'_>) -> bool {
        let is = |what: &str| ["is", "type", "state"].into_iter().any(|name| terms.has(name, what));
        let author = terms.after("author");
        let author = author.map(|login| if login == "@me" { self.asker.payer() } else { login });
        let of_nobody = ["assignee", "commenter", "involves", "mentions", "review-requested", "reviewed-by"];
        !(is("pr") && !subject.is_pull()
            || is("issue") && subject.is_pull()
            || is("open") && !subject.is_open()
            || is("closed") && subject.is_open()
            || is("draft") && !subject.is_draft
            || author.is_some_and(|login| login != subject.author)
            || terms.after("head").is_some_and(|head| head != subject.head())
            || terms.after("base").is_some_and(|base| base != subject.base)
            || terms.after("label").is_some_and(|name| !subject.labels.iter().any(|label| label == name))
            || of_nobody.into_iter().any(|name| terms.after(name).is_some()))
    }
}

/// The words of a search, apart by spaces.
#[derive(Clone, Copy)]
struct Terms<'a>(&'a str);

impl<'a> Terms<'a> {
    /// What stands behind the first `name:`, without quotation marks.
    fn after(self, name: &str) -> Option<&'a str> {
        self.all(name).next()
    }

    fn has(self, name: &str, value: &str) -> bool {
        self.all(name).any(|found| found == value)
    }

    fn all(self, name: &str) -> impl Iterator<Item = &'a str> {
        let pairs = self.0.split_whitespace().filter_map(|word| word.split_once(':'));
        pairs.filter(move |(found, _)| *found == name).map(|(_, value)| value.trim_matches('"'))
    }
}
