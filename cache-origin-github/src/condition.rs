//! How the origin is asked about what is known already, and which of it a 304 is about.

use crate::{GitHub, Question, RecipeState, form, page};
use cache_core::{Candidate, Content, Entry, Source};
use http::{HeaderMap, HeaderValue, StatusCode, header, response};
use std::{sync::Arc, time::Instant};

/// What the origin is asked about: an entry, or two at once.
pub(crate) struct Conditions {
    /// The likelier to hold.
    first: Condition,
    /// Asked about by its tag, as the first one is.
    second: Option<Condition>,
}

/// How an entry is asked about.
pub(crate) struct Condition {
    pub(crate) entry: Arc<Entry>,
    validator: Validator,
    /// Whether a 304 must bring a `Link` of its own to be believed.
    doubts_link: bool,
    pub(crate) whose: Whose,
}

/// Which credential was given the entry that is asked about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Whose {
    /// One of the readers that ask, all alike.
    Own,
    /// Another credential of a domain in which each proves what it may read.
    Shared,
    /// A credential of another domain.
    Borrowed,
}

enum Validator {
    Tag(Box<str>),
    Date(Box<str>),
}

/// The origin says "unchanged", and that is not enough.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Doubt {
    /// It may be about another answer, or not say all.
    OfTheAnswer,
    /// It was asked about two, and does not say which it is.
    WhichOfTwo,
}

impl Condition {
    /// The tag that the origin is asked with.
    pub(crate) fn tag(&self) -> Option<&str> {
        match &self.validator {
            Validator::Tag(tag) => Some(tag),
            Validator::Date(_) => None,
        }
    }
}

impl Conditions {
    /// `borrowed` is the younger of the two where there are two.
    fn of(own: Option<Condition>, borrowed: Option<Condition>) -> Option<Self> {
        match (borrowed, own) {
            (Some(first), own) => Some(Self { first, second: own.filter(|own| own.tag().is_some()) }),
            (None, Some(first)) => Some(Self { first, second: None }),
            (None, None) => None,
        }
    }

    /// The same about the likelier one alone.
    pub(crate) fn of_the_likelier(self) -> Self {
        Self { second: None, ..self }
    }

    /// What belongs to another credential.
    pub(crate) fn borrowed(&self) -> Option<&Arc<Entry>> {
        self.all().find(|condition| condition.whose == Whose::Borrowed).map(|condition| &condition.entry)
    }

    /// Puts them into a request.
    pub(crate) fn write(&self, headers: &mut HeaderMap) -> Result<(), http::Error> {
        let tags: Vec<&str> = self.all().filter_map(Condition::tag).collect();
        if !tags.is_empty() {
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(&tags.join(", "))?);
        }
        if let Validator::Date(date) = &self.first.validator {
            headers.insert(header::IF_MODIFIED_SINCE, HeaderValue::from_str(date)?);
        }
        Ok(())
    }

    /// The one that a 304 with `head` is about, if that can be believed.
    pub(crate) fn held_by(&self, head: &response::Parts) -> Result<&Condition, Doubt> {
        let given = head.headers.get(header::ETAG).and_then(|value| value.to_str().ok());
        // RFC 9111, section 4.3.4: a 304 that names another tag is about another answer.
        let is_meant = |condition: &&Condition| match (condition.tag(), given) {
            (Some(sent), Some(given)) => form::strong(sent) == form::strong(given),
            (_, None) | (None, _) => true,
        };
        if given.is_none() && self.second.is_some() {
            return Err(Doubt::WhichOfTwo);
        }
        let held = self.all().find(is_meant).ok_or(Doubt::OfTheAnswer)?;
        let is_whole = !held.doubts_link || head.headers.contains_key(header::LINK);
        is_whole.then_some(held).ok_or(Doubt::OfTheAnswer)
    }

    fn all(&self) -> impl Iterator<Item = &Condition> {
        [&self.first].into_iter().chain(&self.second)
    }
}

impl GitHub {
    /// How to ask about `candidate`, if there is a way.
    pub(crate) fn conditions(&self, question: &Question, candidate: &Candidate) -> Option<Conditions> {
        let own = candidate.own().and_then(|own| Self::condition_of_own(question, own));
        let borrowed = candidate.borrowed();
        Conditions::of(own, borrowed.and_then(|borrowed| self.condition_of_borrowed(question, borrowed)))
    }

    /// How to ask whether `entry` still holds, if there is a way.
    ///
    /// A tag computed for the credential at hand is best: unlike a stored one, it vouches for the very body that is
    /// kept. It is tried before the recipe has proved right, since a peer that sent an entry may have put its stored
    /// tag with another body. If the recipe fails, that costs one call. A stored tag serves only under the credential
    /// that it was given to.
    ///
    /// Where another credential of the domain was given the entry, the 304 must bring links of its own if there are any.
    fn condition_of_own(question: &Question, entry: &Arc<Entry>) -> Option<Condition> {
        let content = entry.content();
        let validators = entry.validators();
        let words = question.usual_words();
        let ours = validators.etag_scope.is_none_or(|scope| scope == words.scope());
        let is_shared = question.readers.prove_each() && validators.etag_scope != Some(words.scope());
        let whose = if is_shared { Whose::Shared } else { Whose::Own };
        let state = question.rules.recipes.state(question.recipe_class(), Instant::now());
        let computable = content.status == 200 && validators.etag.is_some();
        let computed = || Validator::Tag(words.tag(&content.body).into());
        let stored = || validators.etag.clone().filter(|_| ours).map(Validator::Tag);
        let dated = || validators.last_modified.clone().filter(|_| ours).map(Validator::Date);
        let validator = match (state, entry.source()) {
            (RecipeState::Trusted | RecipeState::Untested, _) if computable => Some(computed()),
            (RecipeState::Trusted | RecipeState::Untested, Source::Peer) => None,
            (RecipeState::Distrusted, Source::Peer) => stored(),
            (RecipeState::Distrusted | RecipeState::Trusted | RecipeState::Untested, Source::Own) => {
                stored().or_else(dated)
            }
        };
        Some(Condition {
            validator: validator?,
            doubts_link: page::is_full_and_last(content, question.query.as_deref())
                || (whose == Whose::Shared && has_link(content)),
            whose,
            entry: Arc::clone(entry),
        })
    }

    /// How to ask whether the credential at hand would be given the body of `entry`, which another was given.
    ///
    /// Only the tag that the recipe makes for this credential and that body can show it. The links of a page may count what
    /// the other reader sees, so the 304 must bring links of its own where there are any; and of a full page without links
    /// no 304 can say that there is no next one for this reader.
    fn condition_of_borrowed(&self, question: &Question, entry: &Arc<Entry>) -> Option<Condition> {
        let content = entry.content();
        let is_lent = content.status == StatusCode::OK && self.may_borrow(question, entry.key());
        let tag = is_lent.then(|| question.usual_words().tag(&content.body))?;
        let has_link = has_link(content);
        if !has_link && page::is_full_and_last(content, question.query.as_deref()) {
            return None;
        }
        Some(Condition {
            validator: Validator::Tag(tag.into()),
            doubts_link: has_link,
            whose: Whose::Borrowed,
            entry: Arc::clone(entry),
        })
    }
}

fn has_link(content: &Content) -> bool {
    content.headers.get(header::LINK.as_str()).is_some()
}
