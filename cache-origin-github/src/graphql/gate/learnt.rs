//! What looking has taught: what ids stand for, which shapes of queries can be believed, which are left alone, and how much
//! each credential was made to look at. All of it is bounded, and the least lately used is forgotten first.

use super::super::{
    cover::{IdAt, Reading, Subject},
    query::beginning,
};
use crate::remembered::{Age, Remembered};
use cache_core::{Payer, Timestamp};
use parking_lot::Mutex;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// What the gate has learnt.
#[derive(Debug)]
pub(crate) struct Gates {
    shapes: Mutex<Remembered<Trust>>,
    places: Mutex<Remembered<Place>>,
    /// The answers from which places were learnt.
    learnt: Mutex<Remembered<()>>,
    /// Queries with a cover that could not be looked at, and until when nobody tries again.
    paused: Mutex<Remembered<Timestamp>>,
    /// How much each credential was made to look at in the present minute.
    looks: Mutex<Remembered<(u64, u32)>>,
}

/// How far the answers to queries of one shape were the same where the resources were.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Trust {
    Agreed(u8),
    /// They differed once, and have agreed so often since.
    Differed(u8),
    Dropped,
}

/// What an id stands for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    /// As `owner/name`.
    pub(crate) repository: Arc<str>,
    pub(crate) number: Option<u64>,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            shapes: Mutex::new(Remembered::new(SHAPES_MAX)),
            places: Mutex::new(Remembered::new(PLACES_MAX)),
            learnt: Mutex::new(Remembered::new(LEARNT_MAX)),
            paused: Mutex::new(Remembered::new(PAUSED_MAX)),
            looks: Mutex::new(Remembered::new(LOOKERS_MAX)),
        }
    }
}

impl Gates {
    pub(super) fn place(&self, subject: &Subject) -> Option<Place> {
        match subject {
            Subject::Repository(name) => Some(Place { repository: Arc::from(&**name), number: None }),
            Subject::Id(id) => self.place_of_id(id),
        }
    }

    /// What `id` stands for, as an answer has told. It is the same for all credentials.
    pub(crate) fn place_of_id(&self, id: &str) -> Option<Place> {
        let found = self.places.lock().get(OF_ALL, digest(id)).map(|(place, _)| place);
        found.filter(|place| *place.repository != *SEVERAL_NAMES)
    }

    /// Notes that `id` stands for what has the `number` in the `repository`, or for that itself. If it stood for something in
    /// another, the repository has two names, and nothing is known of it any more.
    pub(crate) fn learn_place(&self, id: &str, repository: &str, number: Option<u64>) {
        let mut places = self.places.lock();
        let known = places.get(OF_ALL, digest(id)).map(|(place, _)| place.repository);
        let is_one = known.is_none_or(|known| *known == *repository);
        let repository = if is_one { repository } else { SEVERAL_NAMES };
        places.insert(OF_ALL, digest(id), Place { repository: repository.into(), number });
    }

    /// Notes what the ids stand for that an answer with `body` tells: what the query names by number, and whatever else is
    /// shown of the repository, if nothing but that is.
    pub(crate) fn learn(&self, reading: &Reading, body: &[u8]) {
        let Subject::Repository(repository) = &reading.subject else { return };
        if body.len() > LEARNT_FROM_MAX {
            return;
        }
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return };
        let mut ids = Vec::new();
        if reading.is_within {
            ids_in(&body, &mut ids);
        }
        for id in ids {
            let number = self.place_of_id(id).and_then(|known| known.number);
            self.learn_place(id, repository, number);
        }
        for IdAt { pointer, number } in &reading.ids {
            if let Some(id) = body.pointer(pointer).and_then(Value::as_str) {
                self.learn_place(id, repository, *number);
            }
        }
    }

    /// Whether nothing was learnt yet from what `about` names.
    pub(super) fn is_new(&self, about: &str) -> bool {
        let about = digest(about);
        let mut learnt = self.learnt.lock();
        let is_new = learnt.get(OF_ALL, about).is_none();
        if is_new {
            learnt.insert(OF_ALL, about, ());
        }
        is_new
    }

    /// Whether the credential of `payer` may look at `count` resources more in this minute. If so they are counted.
    pub(super) fn may_look(&self, payer: Payer, count: usize, now: Timestamp) -> bool {
        let minute = now.as_unix_millis() / 60_000;
        let mut looks = self.looks.lock();
        let before =
            looks.get(payer, 0).filter(|((of, _), _)| *of == minute).map_or(0, |((_, count), _)| count);
        let after = u32::try_from(count).map_or(u32::MAX, |count| before.saturating_add(count));
        let may_look = after <= LOOKS_PER_MINUTE;
        if may_look {
            looks.insert(payer, 0, (minute, after));
        }
        may_look
    }

    /// Whether the gate of a query was left alone at `now`, by the credential of `payer`.
    pub(super) fn is_paused(&self, payer: Payer, query: u64, now: Timestamp) -> bool {
        self.paused.lock().get(payer, query).is_some_and(|(until, _)| now < until)
    }

    /// Leaves the gate of a query alone until then, for the credential of `payer`.
    pub(super) fn pause(&self, payer: Payer, query: u64, until: Timestamp) {
        self.paused.lock().insert(payer, query, until);
    }

    pub(super) fn trust(&self, shape: u64) -> Trust {
        let mut shapes = self.shapes.lock();
        let Some((trust, age)) = shapes.get(OF_ALL, shape) else { return Trust::Agreed(0) };
        if age == Age::Old {
            shapes.insert(OF_ALL, shape, trust);
        }
        trust
    }

    /// Whether an answer of this shape holds where its resources are unchanged.
    pub(super) fn is_believed(&self, shape: u64) -> bool {
        matches!(self.trust(shape), Trust::Agreed(AGREEMENTS) | Trust::Differed(AGREEMENTS))
    }

    pub(super) fn agree(&self, shape: u64) {
        let trust = match self.trust(shape) {
            Trust::Agreed(times) => Trust::Agreed(times.saturating_add(1).min(AGREEMENTS)),
            Trust::Differed(times) => Trust::Differed(times.saturating_add(1).min(AGREEMENTS)),
            Trust::Dropped => return,
        };
        self.shapes.lock().insert(OF_ALL, shape, trust);
    }

    /// An answer differed where the resources did not: by chance, if the change came between looking and asking. Returns
    /// whether it is the second time, and the shape is dropped.
    pub(super) fn differ(&self, shape: u64) -> bool {
        let is_dropped = matches!(self.trust(shape), Trust::Differed(_) | Trust::Dropped);
        let trust = if is_dropped { Trust::Dropped } else { Trust::Differed(0) };
        self.shapes.lock().insert(OF_ALL, shape, trust);
        is_dropped
    }
}

/// The ids of the objects in `value`, but for those of accounts, which are of no repository.
fn ids_in<'a>(value: &'a Value, ids: &mut Vec<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| ids_in(item, ids)),
        Value::Object(members) if ids.len() < LEARNT_IDS_MAX => {
            let id = members.get("id").and_then(Value::as_str);
            ids.extend(id.filter(|_| !members.contains_key("login")));
            members.values().for_each(|member| ids_in(member, ids));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {}
    }
}

fn digest(text: &str) -> u64 {
    beginning(&Sha256::digest(text.as_bytes()).into())
}

/// Stands for the repository of an id that was shown under two names.
const SEVERAL_NAMES: &str = "";
/// What is learnt here is the same for all credentials.
const OF_ALL: Payer = Payer::HOST;
/// How often the answers to queries of a shape must have been the same where the resources were.
const AGREEMENTS: u8 = 2;
/// Most shapes of queries of which it is remembered whether they can be believed.
const SHAPES_MAX: usize = 1024;
/// Most ids of which it is remembered what they stand for.
const PLACES_MAX: usize = 16 * 1024;
/// Most answers of which it is remembered that their ids were learnt.
const LEARNT_MAX: usize = 4 * 1024;
/// Most queries that are remembered for that.
const PAUSED_MAX: usize = 4 * 1024;
/// Most resources that one credential is made to look at in a minute, on one node. GitHub lets one user read 900 times a
/// minute, and its clients have to read as well.
const LOOKS_PER_MINUTE: u32 = 300;
/// Most credentials whose looks are counted.
const LOOKERS_MAX: usize = 1024;
/// Most ids that are learnt from one answer.
const LEARNT_IDS_MAX: usize = 1000;
/// Longest answer from which ids are learnt.
const LEARNT_FROM_MAX: usize = 256 * 1024;
