//! Values of the environment as text, and the texts that stand for yes, a count and a port.
//!
//! Library and daemon read their settings with it, so that a value means the same to both.
//! [`cache_origin_github::parse_duration`] reads durations, since rules for routes need it too.

use std::ffi::OsString;

/// Looks a variable up by its name.
pub type Variable<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// What a variable holds; `None` if it is not set, or set to nothing.
///
/// # Errors
///
/// [`Misspelt::Encoding`].
pub fn text(variable: Variable<'_>, name: &str) -> Result<Option<String>, Misspelt> {
    let found = variable(name).filter(|text| !text.is_empty());
    found.map(|text| text.into_string().map_err(|_text| Misspelt::Encoding)).transpose()
}

/// Reads `true`, `yes`, `on`, `1`, or their opposites, in either case.
///
/// # Errors
///
/// [`Misspelt::Truth`].
pub fn truth(text: &str) -> Result<bool, Misspelt> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _other => Err(Misspelt::Truth),
    }
}

/// Reads a whole number from one.
///
/// # Errors
///
/// [`Misspelt::Count`].
pub fn count(text: &str) -> Result<usize, Misspelt> {
    text.trim().parse().ok().filter(|count| *count > 0).ok_or(Misspelt::Count)
}

/// Reads a port; 0 lets the system choose one.
///
/// # Errors
///
/// [`Misspelt::Port`].
pub fn port(text: &str) -> Result<u16, Misspelt> {
    text.trim().parse().map_err(|_malformed| Misspelt::Port)
}

/// What is wrong with a text, and what to write instead. Never repeats the text, which may be a secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Misspelt {
    /// The text is not a count.
    #[error("is not a count; write a whole number from 1")]
    Count,
    /// The bytes are not text.
    #[error("is not valid UTF-8")]
    Encoding,
    /// The text is not a port.
    #[error("is not a port; write a number from 0 to 65535")]
    Port,
    /// The text is neither true nor false.
    #[error("is neither true nor false; write `true` or `false`")]
    Truth,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_is_not_set_and_what_is_no_text_is_an_error() {
        assert_eq!(text(&|_name| None, "A"), Ok(None));
        assert_eq!(text(&|_name| Some(OsString::new()), "A"), Ok(None));
        assert_eq!(text(&|name| Some(name.into()), "A"), Ok(Some("A".to_owned())));
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStringExt as _;
            let latin = |_name: &str| Some(OsString::from_vec(b"caf\xe9".to_vec()));
            assert_eq!(text(&latin, "A"), Err(Misspelt::Encoding));
        }
    }

    #[test]
    fn yes_and_no_have_four_spellings_each_and_space_around_a_value_means_nothing() {
        for (yes, no) in [("true", "false"), ("Yes", "No"), (" on", "off "), ("1", "0")] {
            assert_eq!((truth(yes), truth(no)), (Ok(true), Ok(false)));
        }
        assert_eq!((count(" 7 "), port(" 0 ")), (Ok(7), Ok(0)));
    }

    #[test]
    fn what_is_misspelt_is_told_with_what_to_write() {
        for text in ["", "perhaps", "2", "tru e"] {
            assert_eq!(truth(text), Err(Misspelt::Truth), "{text:?}");
        }
        for text in ["", "0", "-1", "1.5", "many", "99999999999999999999"] {
            assert_eq!(count(text), Err(Misspelt::Count), "{text:?}");
        }
        for text in ["", "-1", "65536", "http"] {
            assert_eq!(port(text), Err(Misspelt::Port), "{text:?}");
        }
    }
}
