//! The monitor on a terminal: takes it over, draws at every update, and gives it back whatever happens.

use super::{Source, reading::Reading, screen::Screen};
use crate::{
    daemon::StopSignals,
    exit::{CommandError, chain},
};
use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures::StreamExt;
use ratatui::DefaultTerminal;
use std::time::Duration;
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};

/// Draws what `source` tells every `interval` until the user ends it.
///
/// A daemon that goes away is reported on the screen and looked for until it is back.
///
/// # Errors
///
/// When there is no daemon to begin with, or the terminal cannot be used.
pub(super) async fn run(mut source: Source, interval: Duration) -> Result<(), CommandError> {
    let screen = Screen::new(source.read().await?);
    let signals = StopSignals::take_over().map_err(|error| CommandError::failed(TAKE_OVER, error))?;
    let (sender, updates) = mpsc::channel(1);
    let mut reading = JoinSet::new();
    reading.spawn(read(source, interval, sender));
    // From here on a panic gives the terminal back as well.
    let mut terminal = ratatui::try_init().map_err(|error| CommandError::failed(TAKE_OVER, error))?;
    let given_back = GivenBack;
    let outcome = show(&mut terminal, screen, updates, signals).await;
    drop(given_back);
    outcome.map_err(|error| CommandError::failed("the terminal cannot be used", error))
}

/// Gives the terminal back when dropped.
struct GivenBack;

impl Drop for GivenBack {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Reads on a task of its own, so that keys are heard while the daemon takes its time.
async fn read(mut source: Source, interval: Duration, updates: Sender<Result<Reading, CommandError>>) {
    let mut ticks = tokio::time::interval_at(Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if updates.send(source.read().await).await.is_err() {
            return;
        }
    }
}

async fn show(
    terminal: &mut DefaultTerminal,
    mut screen: Screen,
    mut updates: Receiver<Result<Reading, CommandError>>,
    mut signals: StopSignals,
) -> std::io::Result<()> {
    let mut events = EventStream::new();
    loop {
        terminal.draw(|frame| screen.draw(frame))?;
        tokio::select! {
            () = signals.first() => return Ok(()),
            event = events.next() => match event {
                Some(Ok(Event::Key(key))) if ends(key) => return Ok(()),
                // Above all a terminal of another size, which the next drawing fits.
                Some(Ok(_other)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
            Some(update) = updates.recv() => match update {
                Ok(reading) => screen.take(reading),
                Err(error) => screen.fail(chain(&error)),
            },
        }
    }
}

/// Whether a key ends the monitor: `q`, Escape, or Ctrl-C, which the terminal does not turn into a signal here.
fn ends(key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press
        && match key.code {
            KeyCode::Char('c') => control,
            KeyCode::Char('q') | KeyCode::Esc => true,
            _other_keys => false,
        }
}

const TAKE_OVER: &str = "cannot take the terminal over";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_escape_and_control_c_end_and_nothing_else_does() {
        let key = |code, modifiers| ends(KeyEvent::new(code, modifiers));
        assert!(key(KeyCode::Char('q'), KeyModifiers::NONE));
        assert!(key(KeyCode::Esc, KeyModifiers::NONE));
        assert!(key(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert!(!key(KeyCode::Char('c'), KeyModifiers::NONE));
        assert!(!key(KeyCode::Enter, KeyModifiers::NONE));
    }
}
