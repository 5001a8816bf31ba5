//! The command line: what can be asked ([`grammar`]), and how the settings behind it are gathered.

mod grammar;

use crate::{
    admin::InvalidateOrder,
    command::{
        By, CaOrder, DaemonOrder, LocalOrder, MonitorOptions, Of, Repeat, SecretOrder, Syntax, UpWishes, demo,
    },
    exit::CommandError,
    output::Rendering,
    settings::{CONFIG_VARIABLE, DEFINITIONS, Defaults, Given, Shape, Source, definition},
};
use clap::{Arg, ArgMatches, Command};
use fleet_cache::environment;
use grammar::command;
use std::{ffi::OsString, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

/// One order of the user.
pub(crate) enum Order {
    /// For a daemon that runs.
    Daemon(DaemonOrder),
    /// For this process, whether a daemon runs or not.
    Local(LocalOrder),
    /// To be the daemon.
    Serve,
}

/// The order and what was given for the settings.
pub(crate) struct Invocation {
    /// The command to run.
    pub(crate) order: Order,
    /// The settings that the command line gives.
    pub(crate) given: Given,
    /// What the machine implies.
    pub(crate) defaults: Defaults,
}

impl Invocation {
    /// Reads the command line, the environment (through `variable`, whose names are `variables`) and the settings
    /// file.
    ///
    /// # Errors
    ///
    /// When the file or the environment cannot be read. A wrong command line, and `--help`, end the
    /// process as `clap` does.
    pub(crate) fn read(
        arguments: impl IntoIterator<Item = OsString>,
        variable: &dyn Fn(&str) -> Option<OsString>,
        variables: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, CommandError> {
        let command = command();
        let arguments = with_dashed_values(&command, arguments);
        let matches = command.get_matches_from(arguments);
        let (name, matches) = matches.subcommand().expect("a subcommand is required");
        // `secret` has commands of its own, and these have the flags.
        let flags = matches.subcommand().map_or(matches, |(_name, matches)| matches);
        let mut given = Given::default();
        if let Some((path, named_by)) = settings_file(flags, variable) {
            crate::settings::read_file(&path, named_by, &mut given)?;
            warn_if_readable(&path, &mut given);
        }
        let mut given = given.with_environment(variable)?;
        given.warn_of_unknown(variables.into_iter());
        take_flags(flags, &mut given);
        Ok(Self { order: order(name, matches), given, defaults: Defaults::of_environment(variable) })
    }
}

fn order(name: &str, matches: &ArgMatches) -> Order {
    if name == "serve" {
        return Order::Serve;
    }
    let local = local_order(name, matches).map(Order::Local);
    let order = local.or_else(|| daemon_order(name, matches).map(Order::Daemon));
    order.unwrap_or_else(|| unreachable!("clap lets no command {name} pass"))
}

fn daemon_order(name: &str, matches: &ArgMatches) -> Option<DaemonOrder> {
    let rendering = || rendering(matches);
    let text = |id: &str| matches.get_one::<String>(id).cloned();
    Some(match name {
        "clear" => DaemonOrder::Clear,
        "config" => DaemonOrder::Config(rendering()),
        "get" => DaemonOrder::Get {
            path: text("path").expect("the path is required"),
            headers: matches.get_many("header").map_or_else(Vec::new, |headers| headers.cloned().collect()),
            with_headers: matches.get_flag("include"),
        },
        "invalidate" => DaemonOrder::Invalidate(match text("prefix") {
            Some(prefix) => InvalidateOrder::Prefix(prefix),
            None => InvalidateOrder::Path(text("path").expect("a path is required where no prefix is given")),
        }),
        "monitor" => DaemonOrder::Monitor(MonitorOptions { repeat: repeat(matches), rendering: rendering() }),
        "peers" => DaemonOrder::Peers(rendering()),
        "ping" => {
            let peer = text("peer").expect("the peer is required");
            DaemonOrder::Ping { peer, rendering: rendering() }
        }
        "quota" => DaemonOrder::Quota(rendering()),
        "stats" => DaemonOrder::Stats(rendering()),
        "top" => {
            let by = *matches.get_one::<By>("by").expect("what to count by has a default");
            let of = if matches.get_flag("node") { Of::Node } else { Of::Fleet };
            DaemonOrder::Top { by, of, rendering: rendering() }
        }
        _local => return None,
    })
}

fn local_order(name: &str, matches: &ArgMatches) -> Option<LocalOrder> {
    let rendering = || rendering(matches);
    let number = |id: &str| {
        let number = *matches.get_one::<u64>(id).expect("every number has a default");
        usize::try_from(number).expect("its range is small")
    };
    Some(match name {
        "ca" => {
            let (name, matches) = matches.subcommand().expect("a subcommand is required");
            LocalOrder::Ca(ca_order(name, self::rendering(matches)))
        }
        "config" if matches.get_flag("check") => LocalOrder::ConfigCheck(rendering()),
        "demo" => LocalOrder::Demo(demo::Wishes {
            nodes: number("nodes"),
            repositories: number("repos"),
            transport: *matches.get_one("transport").expect("the transport has a default"),
            rendering: rendering(),
        }),
        "doctor" => LocalOrder::Doctor(rendering()),
        "down" => LocalOrder::Down(rendering()),
        "env" => {
            let shell = *matches.get_one::<Syntax>("shell").expect("the shell has a default");
            LocalOrder::Env { shell, rendering: rendering() }
        }
        "id" => LocalOrder::Id(rendering()),
        "mcp" => LocalOrder::Mcp,
        "run" => {
            let command = matches.get_many::<OsString>("command").expect("the command is required");
            LocalOrder::Run { command: command.cloned().collect() }
        }
        "secret" => {
            let (name, matches) = matches.subcommand().expect("a subcommand is required");
            LocalOrder::Secret(secret_order(name, matches))
        }
        "status" => LocalOrder::Status(rendering()),
        "up" => LocalOrder::Up(UpWishes {
            config: matches.get_one::<String>("config").cloned(),
            leaves_gh: matches.get_flag("no-gh"),
            rendering: rendering(),
        }),
        _a_daemons => return None,
    })
}

fn ca_order(name: &str, rendering: Rendering) -> CaOrder {
    match name {
        "path" => CaOrder::Path(rendering),
        "remove" => CaOrder::Remove(rendering),
        "renew" => CaOrder::Renew(rendering),
        "show" => CaOrder::Show(rendering),
        other => unreachable!("clap lets no command ca {other} pass"),
    }
}

fn secret_order(name: &str, matches: &ArgMatches) -> SecretOrder {
    match name {
        "fingerprint" if matches.contains_id("input") => SecretOrder::FingerprintOfInput(rendering(matches)),
        "fingerprint" => SecretOrder::Fingerprint(rendering(matches)),
        "generate" => SecretOrder::Generate(rendering(matches)),
        other => unreachable!("clap lets no command secret {other} pass"),
    }
}

fn rendering(matches: &ArgMatches) -> Rendering {
    if matches.get_flag("json") { Rendering::Json } else { Rendering::Text }
}

fn repeat(matches: &ArgMatches) -> Repeat {
    let seconds = *matches.get_one::<u64>("interval").expect("the interval has a default");
    if matches.get_flag("once") { Repeat::Once } else { Repeat::Every(Duration::from_secs(seconds)) }
}

fn take_flags(matches: &ArgMatches, given: &mut Given) {
    for definition in DEFINITIONS {
        let texts: Vec<String> = match definition.shape {
            Shape::Enabled | Shape::Disabled(_) => match matches.try_get_one::<bool>(definition.name) {
                Ok(Some(true)) => vec![(definition.shape == Shape::Enabled).to_string()],
                Ok(_) | Err(_) => continue,
            },
            Shape::Many(_) | Shape::One(_) => match matches.try_get_many::<String>(definition.name) {
                Ok(Some(texts)) => texts.cloned().collect(),
                Ok(None) | Err(_) => continue,
            },
        };
        given.put(definition, texts, Source::Flag(definition.flag()));
    }
}

/// The file that was named, or the platform's if it exists, and what names it.
fn settings_file(
    matches: &ArgMatches,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Option<(PathBuf, &'static str)> {
    let set = |name: &str| variable(name).filter(|text| !text.is_empty()).map(PathBuf::from);
    // A command without this flag has no settings.
    let flag = matches.try_get_one::<String>("config").ok()?.map(PathBuf::from);
    let named = flag.map(|path| (path, "flag --config"));
    named.or_else(|| Some((set(CONFIG_VARIABLE)?, CONFIG_SOURCE))).or_else(|| {
        let usual = environment::settings_directory(variable)?.join("config.toml");
        usual.exists().then_some((usual, "the usual place"))
    })
}

/// How the variable [`CONFIG_VARIABLE`] is spoken of as a source.
const CONFIG_SOURCE: &str = "environment CACHE_CONFIG";

/// `arguments` with each value that begins with a dash joined to its option by `=`.
///
/// `clap` takes `-1` behind `--settle` for a flag that it does not know, and does not say what it stood behind. Joined, it comes
/// to the setting, which says what to write instead.
fn with_dashed_values(command: &Command, arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::new();
    let mut arguments = arguments.into_iter();
    for argument in arguments.by_ref() {
        if argument == "--" {
            joined.push(argument);
            break;
        }
        let text = argument.to_str().unwrap_or_default();
        let is_dashed = text.len() > 1 && text.starts_with('-') && !text.starts_with("--");
        let option = joined.last_mut().filter(|before| {
            let option = before.to_str().and_then(|before| before.strip_prefix("--"));
            is_dashed && option.is_some_and(|option| takes_value(command, option)) && !is_short(command, text)
        });
        match option {
            Some(option) => {
                option.push("=");
                option.push(&argument);
            }
            None => joined.push(argument),
        }
    }
    // What follows is another program's.
    joined.extend(arguments);
    joined
}

/// Whether an option of this name, of any command, takes a value.
fn takes_value(command: &Command, name: &str) -> bool {
    let of = |argument: &Arg| argument.get_long() == Some(name) && argument.get_action().takes_values();
    command.get_arguments().any(of) || command.get_subcommands().any(|command| takes_value(command, name))
}

/// Whether `text` begins as a short flag of any command does, those that `clap` has by itself too.
fn is_short(command: &Command, text: &str) -> bool {
    let short = text.chars().nth(1);
    let is_own = matches!(short, Some('h' | 'V'));
    is_own
        || command.get_arguments().any(|argument| argument.get_short() == short)
        || command.get_subcommands().any(|command| is_short(command, text))
}

fn warn_if_readable(path: &std::path::Path, given: &mut Given) {
    let secret = ["shared-secret", "accept-secret", "client-token"]
        .into_iter()
        .find(|name| given.value(definition(name)).is_some());
    let open = path.metadata().is_ok_and(|found| found.permissions().mode() & 0o077 != 0);
    if let Some(name) = secret.filter(|_name| open) {
        given.warn(format!(
            "{} holds the setting {name} and can be read by other users; run `chmod 600` on it",
            path.display()
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn invocation(arguments: &[&str]) -> Invocation {
        let arguments = ["fleet-cache"].iter().chain(arguments).map(OsString::from);
        let variable = |name: &str| (name == "HOME").then(|| "/nonexistent".into());
        Invocation::read(arguments, &variable, []).unwrap()
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_command_is_an_order() {
        for known in command().get_subcommands() {
            let order = match known.get_name() {
                "get" | "invalidate" => invocation(&[known.get_name(), "/user"]).order,
                "ping" => invocation(&["ping", "x"]).order,
                "secret" => invocation(&["secret", "generate"]).order,
                "ca" => invocation(&["ca", "show"]).order,
                "run" => invocation(&["run", "--", "true"]).order,
                name => invocation(&[name]).order,
            };
            let is_serve = known.get_name() == "serve";
            assert_eq!(matches!(order, Order::Serve), is_serve, "{}", known.get_name());
        }
        assert!(matches!(invocation(&["config"]).order, Order::Daemon(_)));
        assert!(matches!(invocation(&["config", "--check"]).order, Order::Local(_)));
    }

    #[test]
    fn the_documented_flags_of_serve_are_taken() {
        let read = invocation(&[
            "serve",
            "--listen",
            "127.0.0.1:1",
            "--unix",
            "/s",
            "--origin",
            "http://o",
            "--cache-dir",
            "/d",
            "--default-ttl",
            "9",
            "--no-p2p",
        ]);
        let settings = Settings::resolve(&read.given, &read.defaults).unwrap();
        assert_eq!(settings.listen, Some("127.0.0.1:1".parse().unwrap()));
        assert_eq!(settings.unix, Some("/s".into()));
        assert_eq!(settings.cache_dir, std::path::Path::new("/d"));
        assert_eq!(settings.default_lifetime.as_secs(), 9);
        assert!(!settings.fleet.enabled);
    }

    #[test]
    fn a_value_that_begins_with_a_dash_comes_to_its_option_and_flags_stay_flags() {
        let joined = |words: &[&str]| -> Vec<String> {
            let words = words.iter().map(OsString::from);
            with_dashed_values(&command(), words).into_iter().map(|it| it.into_string().unwrap()).collect()
        };
        assert_eq!(joined(&["serve", "--settle", "-1s", "-5"]), ["serve", "--settle=-1s", "-5"]);
        assert_eq!(
            joined(&["monitor", "--interval", "-1", "--once"]),
            ["monitor", "--interval=-1", "--once"]
        );
        for plain in [
            &["serve", "--settle", "--listen"][..],
            &["serve", "--settle", "-h"],
            &["serve", "--access-log", "-"],
            &["serve", "--settle=1", "-1"],
            &["serve", "--no-p2p", "-1"],
            &["get", "--config", "-i"],
            &["run", "--", "curl", "--config", "-1", "--settle", "-2"],
        ] {
            assert_eq!(joined(plain), plain);
        }
    }

    #[test]
    fn a_flag_that_may_be_repeated_keeps_every_value() {
        let read = invocation(&["serve", "--route", "/a=1", "--route", "/b=2"]);
        let settings = Settings::resolve(&read.given, &read.defaults).unwrap();
        assert_eq!(settings.routes.len(), 2);
    }

    #[test]
    fn the_file_is_weaker_than_a_flag() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "default-ttl = 7\nmax-entries = 8\n").unwrap();
        let path = file.path().to_str().unwrap();
        let read = invocation(&["serve", "--config", path, "--default-ttl", "9"]);
        let settings = Settings::resolve(&read.given, &read.defaults).unwrap();
        assert_eq!(settings.default_lifetime.as_secs(), 9);
        assert_eq!(settings.memory.entries_max, 8);
    }

    #[test]
    fn a_secret_in_a_file_that_others_can_read_is_warned_about() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "client-token = \"hunter2\"\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let read = invocation(&["serve", "--config", file.path().to_str().unwrap()]);
        assert_eq!(read.given.warnings().len(), 1);
        assert!(!read.given.warnings()[0].contains("hunter2"));
    }
}
