//! What the page shows at the moment, in parts; each part is kept as the event that tells of it.

use bytes::Bytes;
use serde::Serialize;

/// What a part is about, in the order in which a page that opens is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Topic {
    /// The daemon: its version, its process, its doors.
    About,
    /// How allowances stood in the last hour. Told to a page that opens; it puts samples behind it by itself.
    History,
    /// How allowances stand, the most urgent first.
    Quota,
    /// The latest point of the history.
    Sample,
    /// Which clients use what, over the fleet.
    Usage,
    /// What this node did.
    Node,
    /// The members that this node knows.
    Fleet,
    /// The latest requests that were refused.
    Refusals,
    /// What the doctor found.
    Doctor,
    /// That all of this is as of now.
    Tick,
}

impl Topic {
    const ALL: [Self; TOPICS] = [
        Self::About,
        Self::History,
        Self::Quota,
        Self::Sample,
        Self::Usage,
        Self::Node,
        Self::Fleet,
        Self::Refusals,
        Self::Doctor,
        Self::Tick,
    ];

    /// The event's name.
    fn name(self) -> &'static str {
        match self {
            Self::About => "about",
            Self::History => "history",
            Self::Quota => "quota",
            Self::Sample => "sample",
            Self::Usage => "usage",
            Self::Node => "node",
            Self::Fleet => "fleet",
            Self::Refusals => "refusals",
            Self::Doctor => "doctor",
            Self::Tick => "tick",
        }
    }

    /// Whether one telling is enough for a page.
    fn is_told_once(self) -> bool {
        self == Self::History
    }
}

/// All parts, rendered once for all pages.
#[derive(Clone, Debug, Default)]
pub(super) struct Board {
    parts: [Option<Part>; TOPICS],
    edition: u64,
}

#[derive(Clone, Debug)]
struct Part {
    event: Bytes,
    edition: u64,
}

/// Which edition of each part a page has been told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told([u64; TOPICS]);

impl Board {
    /// Shows `content` under `topic`. What is shown already is no news.
    pub(super) fn put(&mut self, topic: Topic, content: &impl Serialize) {
        // Nothing that is shown has a map whose keys are no text.
        let Ok(content) = serde_json::to_string(content) else { return };
        let event = format!("event: {}\ndata: {content}\n\n", topic.name());
        let part = &mut self.parts[topic as usize];
        if part.as_ref().is_none_or(|part| part.event != event) {
            self.edition += 1;
            *part = Some(Part { event: event.into(), edition: self.edition });
        }
    }

    /// Shows nothing any more, as nobody looks.
    pub(super) fn clear(&mut self) {
        self.parts = Default::default();
    }

    /// Whether it shows nothing.
    pub(super) fn is_clear(&self) -> bool {
        self.parts.iter().all(Option::is_none)
    }

    /// What a page that has been told `told` does not know yet; it knows it from then on.
    pub(super) fn news(&self, told: &mut Told) -> Bytes {
        let is_news = |topic: &Topic, part: &Part, told: &Told| {
            let before = told.0[*topic as usize];
            part.edition > before && !(topic.is_told_once() && before > 0)
        };
        let mut news = Vec::new();
        for topic in Topic::ALL {
            if let Some(part) = self.parts[topic as usize].as_ref().filter(|part| is_news(&topic, part, told))
            {
                news.extend_from_slice(&part.event);
                told.0[topic as usize] = part.edition;
            }
        }
        news.into()
    }
}

const TOPICS: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(news: &Bytes) -> &str {
        std::str::from_utf8(news).unwrap()
    }

    #[test]
    fn a_page_that_opens_is_told_all_and_later_what_has_changed() {
        let (mut board, mut told) = (Board::default(), Told::default());
        board.put(Topic::Tick, &1);
        board.put(Topic::Quota, &"a\nb");
        let all = board.news(&mut told);
        assert_eq!(text(&all), "event: quota\ndata: \"a\\nb\"\n\nevent: tick\ndata: 1\n\n");
        board.put(Topic::Quota, &"a\nb");
        assert!(board.news(&mut told).is_empty());
        board.put(Topic::Tick, &2);
        assert_eq!(text(&board.news(&mut told)), "event: tick\ndata: 2\n\n");
        assert_eq!(text(&board.news(&mut Told::default())).matches("event: ").count(), 2);
    }

    #[test]
    fn the_history_is_told_once_and_its_samples_always() {
        let (mut board, mut told) = (Board::default(), Told::default());
        for round in 0..3 {
            board.put(Topic::History, &round);
            board.put(Topic::Sample, &round);
            let news = board.news(&mut told);
            assert_eq!(text(&news).contains("history"), round == 0, "{news:?}");
            assert!(text(&news).contains("sample"), "{news:?}");
        }
    }

    #[test]
    fn what_is_shown_after_nobody_looked_is_news() {
        let (mut board, mut told) = (Board::default(), Told::default());
        board.put(Topic::Usage, &1);
        board.news(&mut told);
        board.clear();
        assert!(board.is_clear() && board.news(&mut told).is_empty());
        board.put(Topic::Usage, &1);
        assert!(!board.news(&mut told).is_empty());
    }

    #[test]
    fn every_topic_has_a_place_of_its_own() {
        let places: Vec<usize> = Topic::ALL.iter().map(|topic| *topic as usize).collect();
        assert_eq!(places, (0..TOPICS).collect::<Vec<_>>());
    }
}
