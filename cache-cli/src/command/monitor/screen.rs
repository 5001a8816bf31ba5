//! The monitor as a picture on the terminal. Draws what it is given and knows neither daemon nor keys.

use super::{
    reading::Reading,
    text::{LABEL_WIDTH, QUOTA, Section, banner, quota, sections},
};
use crate::admin::Urgency;
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Gauge, Paragraph, Sparkline, Wrap},
};
use std::collections::VecDeque;

/// Everything that is drawn.
pub(super) struct Screen {
    reading: Reading,
    /// Why there is no newer reading.
    trouble: Option<String>,
    /// Requests between readings, the oldest first.
    requests: VecDeque<u64>,
}

impl Screen {
    /// Shows `reading`, the first.
    pub(super) fn new(reading: Reading) -> Self {
        Self { reading, trouble: None, requests: VecDeque::new() }
    }

    /// Shows `reading` from now on.
    pub(super) fn take(&mut self, reading: Reading) {
        // A daemon that was started anew counts from zero.
        let before = self.reading.cache.requests.unwrap_or(0);
        let since = reading.cache.requests.map_or(0, |now| now.saturating_sub(before));
        if self.requests.len() == REQUESTS_MAX {
            self.requests.pop_front();
        }
        self.requests.push_back(since);
        self.reading = reading;
        self.trouble = None;
    }

    /// Keeps the last reading and tells why it is not the latest.
    pub(super) fn fail(&mut self, trouble: String) {
        self.trouble = Some(trouble);
    }

    /// Draws all of it.
    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let quota = quota_table(&self.reading);
        let rows = [
            Constraint::Length(2),
            Constraint::Length(quota.len() as u16 + 2),
            Constraint::Min(0),
            Constraint::Length(1),
        ];
        let [top, first, middle, bottom] = Layout::vertical(rows).areas(frame.area());
        self.draw_banner(frame, top);
        frame
            .render_widget(Paragraph::new(quota).block(Block::bordered().title(format!(" {QUOTA} "))), first);
        let sections = sections(&self.reading);
        let columns = [Constraint::Percentage(40), Constraint::Percentage(60)];
        let [left, right] = Layout::horizontal(columns).areas(middle);
        let (cache, others) = sections.split_first().expect("there are always sections");
        self.draw_cache(frame, left, cache);
        let heights = others.iter().map(|section| Constraint::Fill(section.lines.len() as u16 + 2));
        for (section, area) in others.iter().zip(Layout::vertical(heights).split(right).iter()) {
            frame.render_widget(paragraph(section).wrap(Wrap { trim: false }), *area);
        }
        frame.render_widget(Line::from(" q or Ctrl-C ends").style(Style::new().fg(Color::DarkGray)), bottom);
    }

    fn draw_banner(&self, frame: &mut Frame<'_>, area: Rect) {
        let [title, about] = banner(&self.reading);
        let second = match &self.trouble {
            Some(trouble) => Line::from(format!("NO ANSWER: {trouble}")).style(Style::new().fg(Color::Red)),
            None => Line::from(about),
        };
        let title = Line::from(title).style(Style::new().add_modifier(Modifier::BOLD));
        frame.render_widget(Paragraph::new(vec![title, second]), area);
    }

    fn draw_cache(&self, frame: &mut Frame<'_>, area: Rect, section: &Section) {
        let figures = section.lines.len() as u16 + 2;
        let rows = [Constraint::Length(figures), Constraint::Length(3), Constraint::Fill(1)];
        let [text, fill, requests] = Layout::vertical(rows).areas(area);
        frame.render_widget(paragraph(section), text);
        let share = self.reading.cache.fill_rate.unwrap_or(0.0).clamp(0.0, 1.0);
        let gauge = Gauge::default().block(Block::bordered().title(" FILL RATE ")).ratio(share);
        frame.render_widget(gauge, fill);
        let width = usize::from(requests.width.saturating_sub(2));
        let latest: Vec<u64> =
            self.requests.iter().copied().skip(self.requests.len().saturating_sub(width)).collect();
        let block = Block::bordered().title(" REQUESTS SINCE THE UPDATE BEFORE ");
        frame.render_widget(Sparkline::default().block(block).data(&latest), requests);
    }
}

/// The lines about allowances, each in the colour of its urgency.
fn quota_table(reading: &Reading) -> Vec<Line<'static>> {
    let line = |(text, urgency): (String, Option<Urgency>)| {
        let style = match urgency {
            Some(Urgency::Held) => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
            Some(Urgency::RunsOut) => Style::new().fg(Color::Yellow),
            Some(Urgency::Lasts) => Style::new(),
            Some(Urgency::Over) | None => Style::new().fg(Color::DarkGray),
        };
        Line::from(format!(" {text}")).style(style)
    };
    quota(reading).into_iter().map(line).collect()
}

fn paragraph(section: &Section) -> Paragraph<'_> {
    let line = |(label, value): &(&'static str, String)| {
        let label = Span::styled(format!(" {label:LABEL_WIDTH$}"), Style::new().fg(Color::DarkGray));
        Line::from(vec![label, Span::raw(value.clone())])
    };
    let lines: Vec<Line<'_>> = section.lines.iter().map(line).collect();
    Paragraph::new(lines).block(Block::bordered().title(format!(" {} ", section.title)))
}

/// Most updates whose requests are remembered: more than a terminal has columns for.
const REQUESTS_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::{super::reading::tests::sample, *};
    use ratatui::{Terminal, backend::TestBackend};

    fn drawn(screen: &Screen, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| screen.draw(frame)).unwrap();
        let buffer = terminal.backend().buffer();
        let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect();
        (0..height).map(row).collect()
    }

    #[test]
    fn a_terminal_of_usual_size_shows_every_section_and_figure() {
        let rows = drawn(&Screen::new(sample()), 120, 30);
        assert!(rows[0].starts_with("FLEET CACHE MONITOR   UPDATE #3   Tue, 14 Nov 2023"), "{}", rows[0]);
        assert!(rows[1].contains("pid 42"));
        let all = rows.join("\n");
        assert!(rows[2].contains(" QUOTA ") && rows[4].contains("bot    core       5000"), "{all}");
        let mut terminal = Terminal::new(TestBackend::new(120, 30)).unwrap();
        terminal.draw(|frame| Screen::new(sample()).draw(frame)).unwrap();
        let colour = |row| terminal.backend().buffer()[(2, row)].fg;
        assert_eq!((colour(4), colour(5)), (Color::Yellow, Color::Reset));
        for section in sections(&sample()) {
            assert!(all.contains(section.title), "{all}");
            for (label, value) in section.lines {
                assert!(rows.iter().any(|row| row.contains(label) && row.contains(&value)), "{label}: {all}");
            }
        }
        assert!(rows[29].contains("q or Ctrl-C ends"));
    }

    #[test]
    fn requests_between_updates_are_drawn_and_a_restart_is_no_negative_number() {
        let mut screen = Screen::new(sample());
        for requests in [150, 10, 10] {
            let mut reading = sample();
            reading.cache.requests = Some(requests);
            screen.take(reading);
        }
        assert_eq!(screen.requests, [50, 0, 0]);
        assert!(drawn(&screen, 120, 40).join("").contains('█'));
    }

    #[test]
    fn no_more_is_remembered_than_can_be_shown() {
        let mut screen = Screen::new(sample());
        for _update in 0..2 * REQUESTS_MAX {
            screen.take(sample());
        }
        assert_eq!(screen.requests.len(), REQUESTS_MAX);
    }

    #[test]
    fn a_daemon_that_went_away_leaves_its_last_figures_and_the_reason() {
        let mut screen = Screen::new(sample());
        screen.fail("no fleet-cache is running".to_owned());
        let rows = drawn(&screen, 100, 30);
        assert!(rows[1].starts_with("NO ANSWER: no fleet-cache is running"), "{}", rows[1]);
        assert!(rows.join("\n").contains("local hits"));
        screen.take(sample());
        assert!(drawn(&screen, 100, 30)[1].contains("pid 42"));
    }

    #[test]
    fn a_terminal_of_any_size_can_be_drawn_on() {
        for (width, height) in [(1, 1), (5, 2), (20, 8), (500, 200)] {
            drawn(&Screen::new(sample()), width, height);
        }
    }
}
