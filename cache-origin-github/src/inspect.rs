//! What an answer's JSON says of itself: that it is not settled yet, or that it holds a credential.
//!
//! One pass over a body that came from the origin, never on the way of a hit. A body that is not JSON says nothing.

mod credential;
mod unsettled;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use unsettled::Row;

/// What was found in a body.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Findings {
    /// It holds something that opens a door: not to be kept, sent or written.
    pub(crate) credential: bool,
    /// It says "ask again": what it tells of is still under way.
    pub(crate) unsettled: bool,
}

/// Looks through `body`, JSON that was got from `path` (from the API's root and without a query).
pub(crate) fn inspect(path: &str, body: &[u8]) -> Findings {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let mut look = Look { row: unsettled::row(path), ..Look::default() };
    let mut values = serde_json::Deserializer::from_slice(body);
    // A body may be lines of JSON. Each value takes bytes, so this ends with them.
    while look.deserialize(&mut values).is_ok() {}
    Findings { credential: look.credential, unsettled: look.unsettled && !look.settled }
}

/// A walk through the values of a body.
#[derive(Default)]
struct Look {
    row: Option<&'static Row>,
    /// Where the walk is: `.jobs[].status`; `[0]` for the first item of a list and `[]` for the others.
    place: String,
    credential: bool,
    settled: bool,
    unsettled: bool,
}

impl Look {
    fn note(&mut self, value: &str) {
        match self.row {
            Some(row) => {
                self.unsettled |= row.is_sign(&self.place, value);
                self.settled |= row.is_end(&self.place, value);
            }
            None => self.unsettled |= unsettled::seems_unsettled(&self.place, value),
        }
    }
}

impl<'de> DeserializeSeed<'de> for &mut Look {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Look {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.note(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.note("null");
        Ok(())
    }

    fn visit_i64<E>(self, _number: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _number: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _number: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.credential |= credential::is_credential(field(&self.place), text);
        self.note(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let here = self.place.len();
        self.place.push_str("[0]");
        let mut is_empty = true;
        while items.next_element_seed(&mut *self)?.is_some() {
            is_empty = false;
            self.place.truncate(here);
            self.place.push_str("[]");
        }
        self.place.truncate(here);
        if is_empty {
            self.note(unsettled::EMPTY);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let here = self.place.len();
        while fields.next_key_seed(Step(&mut self.place))?.is_some() {
            fields.next_value_seed(&mut *self)?;
            self.place.truncate(here);
        }
        Ok(())
    }
}

/// Writes the name of a field behind the place of its object.
struct Step<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<(), D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for Step<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<(), E> {
        self.0.push('.');
        if name.len() <= FIELD_BYTES_MAX {
            self.0.push_str(name);
        }
        Ok(())
    }
}

/// The name of the field at `place`, that of the list for its items.
fn field(place: &str) -> &str {
    let name = place.rsplit('.').next().unwrap_or("");
    name.split('[').next().unwrap_or("")
}

/// Longest name of a field that is looked at; those looked for have at most 21 bytes.
const FIELD_BYTES_MAX: usize = 64;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use unsettled::rows as unsettled_rows;
