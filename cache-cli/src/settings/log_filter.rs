//! What may be said of what to log.
//!
//! `tracing` takes a word that it does not know for the name of a part of the program, so that a misspelt level logs
//! nothing at all. Here each part of a filter ends in a level.

use super::Problem;
use tracing_subscriber::EnvFilter;

/// Takes a level, or a list such as `warn,fleet_cache=debug`, and gives it back as text.
pub(crate) fn parse(text: &str) -> Result<String, Problem> {
    for part in text.split(',').map(str::trim) {
        let level = part.rsplit_once('=').map_or(part, |(_target, level)| level);
        // Values of fields stand in brackets and may hold anything; `tracing` reads those.
        if !part.contains('[') && !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
            return Err(format!(
                "names no level in {part:?}; write one of {}, or for a part of the program `fleet_cache=debug`",
                LEVELS.join(", ")
            ));
        }
    }
    EnvFilter::try_new(text)
        .map(|_filter| text.to_owned())
        .map_err(|_error| format!("is not a filter; write one of {}", LEVELS.join(", ")))
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_levels_of_parts_are_taken_as_they_are() {
        for text in [
            "info",
            "OFF",
            "warn,fleet_cache=debug",
            "fleet_cache::driver=trace, error",
            "[span{id=1}]=debug",
        ] {
            assert_eq!(parse(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn a_word_that_is_no_level_is_refused_by_name() {
        for text in ["loud", "", "info,", "verbose,info", "fleet_cache=loud", "inf", "fleet_cache", "5", "="]
        {
            let refused = parse(text).expect_err(text);
            assert!(refused.contains("error, warn, info, debug, trace"), "{refused}");
        }
        assert!(parse("info,loud").unwrap_err().contains("\"loud\""));
    }
}
