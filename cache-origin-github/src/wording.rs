//! In whose words the origin is asked, and with whose validators.
//!
//! GitHub's tags depend on the text of `Accept` and `Authorization`, not on what it means ([`crate::recipe`]). Questions
//! are put in words of our own, so that all clients come to know one tag. A client that brings a tag from elsewhere
//! got it in its own words, and only in those does the origin know it again.

use crate::{
    credential::Credential,
    form::{lists_any_tag, lists_tag},
    plan::{Fields, is_date},
    recipe,
};
use http::{HeaderMap, HeaderValue, header};

/// The fields on whose text a tag depends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Wording {
    pub(crate) accept: Option<HeaderValue>,
    pub(crate) authorization: Option<HeaderValue>,
}

impl Wording {
    /// Puts the words into a request.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let words = [(header::ACCEPT, &self.accept), (header::AUTHORIZATION, &self.authorization)];
        headers.extend(words.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    }

    /// The tag that the origin gives to `body` in these words, as far as the recipe holds.
    pub(crate) fn tag(&self, body: &[u8]) -> String {
        let [accept, authorization] = self.texts();
        recipe::tag(accept, authorization, body)
    }

    /// The scope in which a tag given in these words holds.
    pub(crate) fn scope(&self) -> [u8; 8] {
        let [accept, authorization] = self.texts();
        recipe::scope(accept, authorization)
    }

    fn texts(&self) -> [Option<&[u8]>; 2] {
        [&self.accept, &self.authorization].map(|value| value.as_ref().map(HeaderValue::as_bytes))
    }
}

/// The validators that a client brings, for when there is nothing here that its request could be answered from.
#[derive(Clone, Debug)]
pub(crate) struct Brought {
    /// The client's own words.
    pub(crate) wording: Wording,
    if_modified_since: Option<HeaderValue>,
    if_none_match: Option<HeaderValue>,
}

impl Brought {
    /// What a request with `fields` brings, if there is anything and it is asked in `usual` words or its own.
    ///
    /// `credential` is what the call is made with. Without one this returns `None`: a 304 then costs as much as an
    /// answer, and nothing of it could be kept for the next client.
    pub(crate) fn by(fields: &Fields<'_>, usual: &Wording, credential: Option<&Credential>) -> Option<Self> {
        credential?;
        let if_none_match = fields.if_none_match.filter(|tags| lists_any_tag(tags)).cloned();
        let if_modified_since = match fields.if_none_match {
            None => fields.if_modified_since.filter(|date| is_date(date)).cloned(),
            Some(_) => None,
        };
        if if_none_match.is_none() && if_modified_since.is_none() {
            return None;
        }
        let authorization = fields.authorization.cloned().map(|mut value| {
            value.set_sensitive(true);
            value
        });
        let wording = if fields.accept_many {
            usual.clone()
        } else {
            let authorization = authorization.or_else(|| usual.authorization.clone());
            Wording { accept: fields.accept.cloned(), authorization }
        };
        Some(Self { wording, if_modified_since, if_none_match })
    }

    /// Puts the validators into a request.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let validators = [
            (header::IF_MODIFIED_SINCE, &self.if_modified_since),
            (header::IF_NONE_MATCH, &self.if_none_match),
        ];
        headers.extend(validators.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    }

    /// Whether one of the tags is what `body` has in `wording`.
    pub(crate) fn knows(&self, body: &[u8], wording: &Wording) -> bool {
        self.if_none_match.as_ref().is_some_and(|tags| lists_tag(tags, &wording.tag(body)))
    }
}
