//! Durations as people write them, in settings and in rules for routes alike.

use std::{ops::RangeInclusive, time::Duration};

/// Reads `300`, which is in seconds, or `500ms`, `90s`, `5m`, `2h`, `1d`, and these put together, as in `1h 30m`.
///
/// ```
/// # use {cache_origin_github::parse_duration, std::time::Duration};
/// let day = Duration::from_secs(24 * 60 * 60);
/// assert_eq!(parse_duration("1d", Duration::ZERO..=day), Ok(day));
/// let error = parse_duration("25h", Duration::ZERO..=day).unwrap_err();
/// assert_eq!(error.to_string(), "is out of range; write 0s to 86400s");
/// ```
///
/// # Errors
///
/// When `text` is not a duration, or one that is not in `range`.
pub fn parse_duration(text: &str, range: RangeInclusive<Duration>) -> Result<Duration, DurationError> {
    let text = text.trim();
    let duration = match text.parse::<u64>() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        // To humantime `M` is a month, which is not what a user means by capitals for minutes.
        Err(_units) if text.contains('M') => return Err(DurationError::Malformed),
        Err(_units) => humantime::parse_duration(text),
    };
    match duration {
        Ok(duration) if range.contains(&duration) => Ok(duration),
        Ok(_) | Err(humantime::DurationError::NumberOverflow) => {
            Err(DurationError::OutOfRange { min: *range.start(), max: *range.end() })
        }
        Err(_malformed) => Err(DurationError::Malformed),
    }
}

/// What is wrong with a text that should be a duration, and what to write instead. Does not repeat the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DurationError {
    /// It is not a duration.
    #[error("is not a duration; write seconds such as `300`, or `500ms`, `90s`, `5m`, `2h`, `1d`")]
    Malformed,
    /// It is shorter or longer than may be.
    #[error("is out of range; write {} to {}", bound(*min), bound(*max))]
    OutOfRange {
        /// The shortest that is allowed.
        min: Duration,
        /// The longest that is allowed.
        max: Duration,
    },
}

/// As `parse_duration` reads it: in seconds, or in a smaller unit if it is no whole number of them.
fn bound(duration: Duration) -> String {
    if duration.subsec_nanos() == 0 { format!("{}s", duration.as_secs()) } else { format!("{duration:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(u64::MAX);

    #[test]
    fn a_bare_number_is_seconds_and_units_multiply_and_add_up() {
        for (text, seconds) in [
            ("0", 0),
            ("300", 300),
            ("5m", 300),
            ("2h", 7200),
            ("1d", 86_400),
            (" 90 s ", 90),
            ("1h 30m", 5400),
            ("1h30m", 5400),
            ("2 hours", 7200),
            ("1w", 604_800),
        ] {
            assert_eq!(parse_duration(text, ANY), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_duration("500ms", ANY), Ok(Duration::from_millis(500)));
    }

    #[test]
    fn what_is_no_duration_or_out_of_range_is_refused_with_what_to_write() {
        for text in ["", " ", "m", "-1", "5 parsecs", "5M", "soon", "1h 30", "0x10"] {
            assert_eq!(parse_duration(text, ANY), Err(DurationError::Malformed), "{text:?}");
        }
        let range = Duration::from_millis(10)..=Duration::from_secs(3600);
        for text in ["0", "9ms", "1h 1ms", "2h", "99999999999999999999d", "9999999999999999999d"] {
            let error = parse_duration(text, range.clone()).unwrap_err();
            assert_eq!(error.to_string(), "is out of range; write 10ms to 3600s", "{text}");
        }
    }
}
