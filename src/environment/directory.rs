//! Where the programs of a user keep their files, on each platform.
//!
//! Takes the environment as a function, since the libraries for this read the process's own, and then no test could
//! ask what happens elsewhere.

use super::Variable;
use std::{ffi::OsStr, path::PathBuf};

/// The cache directory of this project; `None` if no home is known.
///
/// `XDG_CACHE_HOME` counts on every platform, if it is absolute. Else it is in the platform's own place: `~/.cache`,
/// `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.
pub fn cache_directory(variable: Variable<'_>) -> Option<PathBuf> {
    Platform::HERE.cache_directory(variable)
}

/// The directory for this project's settings, which need not be there; `None` if no home is known.
///
/// `XDG_CONFIG_HOME` counts on every platform, if it is absolute. Else it is `~/.config`, or `%APPDATA%` on Windows.
pub fn settings_directory(variable: Variable<'_>) -> Option<PathBuf> {
    Platform::HERE.settings_directory(variable)
}

/// Systems that have the same places.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Platform {
    MacOs,
    Unix,
    Windows,
}

impl Platform {
    const HERE: Self = match (cfg!(windows), cfg!(target_os = "macos")) {
        (true, _) => Self::Windows,
        (false, true) => Self::MacOs,
        (false, false) => Self::Unix,
    };

    fn cache_directory(self, variable: Variable<'_>) -> Option<PathBuf> {
        let home = |name: &str, inside: &str| Some(self.absolute(variable, name)?.join(inside));
        let usual = || match self {
            Self::MacOs => home("HOME", "Library/Caches"),
            Self::Unix => home("HOME", ".cache"),
            Self::Windows => {
                home("LOCALAPPDATA", "").or_else(|| home("USERPROFILE", "AppData").map(|at| at.join("Local")))
            }
        };
        Some(self.absolute(variable, "XDG_CACHE_HOME").or_else(usual)?.join(DIRECTORY_NAME))
    }

    fn settings_directory(self, variable: Variable<'_>) -> Option<PathBuf> {
        let home = |name: &str, inside: &str| Some(self.absolute(variable, name)?.join(inside));
        let usual = || match self {
            Self::MacOs | Self::Unix => home("HOME", ".config"),
            Self::Windows => {
                home("APPDATA", "").or_else(|| home("USERPROFILE", "AppData").map(|at| at.join("Roaming")))
            }
        };
        Some(self.absolute(variable, "XDG_CONFIG_HOME").or_else(usual)?.join(DIRECTORY_NAME))
    }

    /// A variable that holds an absolute path; any other is to be ignored, as the XDG specification has it.
    fn absolute(self, variable: Variable<'_>, name: &str) -> Option<PathBuf> {
        variable(name).filter(|path| self.is_absolute(path)).map(PathBuf::from)
    }

    fn is_absolute(self, path: &OsStr) -> bool {
        match (self, path.as_encoded_bytes()) {
            (Self::MacOs | Self::Unix, path) => path.first() == Some(&b'/'),
            (Self::Windows, [b'\\', b'\\', ..]) => true,
            (Self::Windows, [drive, b':', b'\\' | b'/', ..]) => drive.is_ascii_alphabetic(),
            (Self::Windows, _relative) => false,
        }
    }
}

const DIRECTORY_NAME: &str = "fleet-cache";

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    /// Cache and settings of a user of `platform` with these variables, with `/` between all parts.
    fn directories(platform: Platform, table: &[(&str, &str)]) -> [Option<String>; 2] {
        let variable = |name: &str| {
            let found = table.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let found = [platform.cache_directory(&variable), platform.settings_directory(&variable)];
        found.map(|found| found.map(|path| path.to_str().unwrap().replace('\\', "/")))
    }

    #[test]
    fn every_platform_has_its_own_places() {
        for (platform, table, cache, settings) in [
            (Platform::Unix, &[("HOME", "/home/a")][..], "/home/a/.cache", "/home/a/.config"),
            (Platform::MacOs, &[("HOME", "/Users/a")], "/Users/a/Library/Caches", "/Users/a/.config"),
            (
                Platform::Windows,
                &[("LOCALAPPDATA", r"C:\Users\a\AppData\Local"), ("APPDATA", r"C:\Users\a\AppData\Roaming")],
                "C:/Users/a/AppData/Local",
                "C:/Users/a/AppData/Roaming",
            ),
            (
                Platform::Windows,
                &[("USERPROFILE", r"C:\Users\a"), ("HOME", "/c/Users/a")],
                "C:/Users/a/AppData/Local",
                "C:/Users/a/AppData/Roaming",
            ),
        ] {
            let expected = [cache, settings].map(|path| Some(format!("{path}/fleet-cache")));
            assert_eq!(directories(platform, table), expected, "{platform:?}");
        }
    }

    #[test]
    fn an_absolute_directory_that_the_user_chose_counts_on_every_platform() {
        for (platform, home, chosen) in [
            (Platform::Unix, ("HOME", "/home/a"), "/elsewhere"),
            (Platform::MacOs, ("HOME", "/Users/a"), "/elsewhere"),
            (Platform::Windows, ("USERPROFILE", r"C:\Users\a"), "D:/elsewhere"),
        ] {
            let table = [home, ("XDG_CACHE_HOME", chosen), ("XDG_CONFIG_HOME", chosen)];
            let expected = Some(format!("{chosen}/fleet-cache"));
            assert_eq!(directories(platform, &table), [expected.clone(), expected], "{platform:?}");
            // A relative one would be another directory wherever the program is started.
            let table = [home, ("XDG_CACHE_HOME", "caches"), ("XDG_CONFIG_HOME", "./settings")];
            assert_eq!(directories(platform, &table), directories(platform, &[home]), "{platform:?}");
        }
    }

    #[test]
    fn without_a_home_there_is_no_place() {
        for platform in [Platform::Unix, Platform::MacOs, Platform::Windows] {
            for home in ["", "home", "~"] {
                let table = ["HOME", "USERPROFILE", "LOCALAPPDATA", "APPDATA"].map(|name| (name, home));
                assert_eq!(directories(platform, &table), [None, None], "{platform:?} {home:?}");
            }
        }
    }
}
