//! The command line: what can be asked, and how the settings behind it are gathered.
//!
//! The flags of `serve` come from the table of settings, so this file names only what is no setting.

use crate::{
    admin::InvalidateOrder,
    command::{DaemonOrder, LocalOrder, MonitorOptions, Repeat, SecretOrder, demo},
    exit::{CommandError, EXIT_CODES_HELP},
    output::Rendering,
    settings::{
        CONFIG_VARIABLE, Change, DEFINITIONS, Defaults, Definition, Given, Shape, Source, Transport,
        definition,
    },
};
use clap::{
    Arg, ArgAction, ArgMatches, Command,
    builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser as _},
};
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
    /// What to do.
    pub(crate) order: Order,
    /// With which settings.
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
        let matches = command().get_matches_from(arguments);
        let (name, matches) = matches.subcommand().expect("a subcommand is required");
        // `secret` has commands of its own, and these have the flags.
        let flags = matches.subcommand().map_or(matches, |(_name, matches)| matches);
        let mut given = Given::default();
        if let Some(path) = settings_file(flags, variable) {
            crate::settings::read_file(&path, &mut given)?;
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
        "stats" => DaemonOrder::Stats(rendering()),
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
        "config" if matches.get_flag("check") => LocalOrder::ConfigCheck(rendering()),
        "demo" => LocalOrder::Demo(demo::Wishes {
            nodes: number("nodes"),
            repositories: number("repos"),
            transport: *matches.get_one("transport").expect("the transport has a default"),
            rendering: rendering(),
        }),
        "doctor" => LocalOrder::Doctor(rendering()),
        "id" => LocalOrder::Id(rendering()),
        "secret" => {
            let (name, matches) = matches.subcommand().expect("a subcommand is required");
            LocalOrder::Secret(secret_order(name, matches))
        }
        _a_daemons => return None,
    })
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

fn command() -> Command {
    let json = || Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON");
    let path = || Arg::new("path").value_name("PATH").value_parser(NonEmptyStringValueParser::new());
    let serve = Command::new("serve")
        .about("Run the daemon: HTTP doors, cache, admin socket")
        .after_help(hangup_help());
    Command::new("fleet-cache")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A cache for GitHub API responses: one call serves the whole fleet")
        .after_help(EXIT_CODES_HELP)
        .args_override_self(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            DEFINITIONS.iter().fold(with_file(serve), |serve, definition| serve.arg(setting(definition))),
        )
        .subcommand(
            client("get", "Get a path of the API through the daemon and print the body")
                .arg(path().required(true).help("Such as /repos/OWNER/REPO"))
                .arg(
                    Arg::new("include")
                        .short('i')
                        .long("include")
                        .action(ArgAction::SetTrue)
                        .help("Print the status and the headers before the body"),
                )
                .arg(
                    Arg::new("header")
                        .short('H')
                        .long("header")
                        .value_name("NAME: VALUE")
                        .action(ArgAction::Append)
                        .help("Without an Authorization here, GH_TOKEN or GITHUB_TOKEN is sent"),
                ),
        )
        .subcommand(client("stats", "Show what the daemon has done").arg(json()))
        .subcommand(invalidate())
        .subcommand(demo().arg(json()))
        .subcommand(client("peers", "Show the nodes that the daemon knows of, connected or not").arg(json()))
        .subcommand(
            client("ping", "See whether a node answers the daemon, how soon, and how its clock stands")
                .arg(Arg::new("peer").value_name("PEER").required(true).help("Its id, or the end of it"))
                .arg(json()),
        )
        .subcommand(client("doctor", "Find out whether sharing works, and what to do if not").arg(json()))
        .subcommand(monitor().arg(json()))
        .subcommand(client(
            "clear",
            "Forget everything on this node, in memory and on disk; other members keep what they have",
        ))
        .subcommand(config().arg(json()))
        .subcommand(
            ["cache-dir", "p2p-port", "p2p-listen", "transport"]
                .into_iter()
                .fold(with_file(Command::new("id")), |id, name| id.arg(setting(definition(name))))
                .about("Print the addresses of this node for the other nodes' CACHE_BOOTSTRAP_PEERS")
                .arg(json()),
        )
        .subcommand(secret())
}

/// What `serve --help` says of changes while the daemon runs.
fn hangup_help() -> String {
    let named = |definition: &&Definition| definition.change == Change::AtHangup;
    let names: Vec<_> = DEFINITIONS.iter().filter(named).map(|definition| definition.name).collect();
    format!(
        "SIGHUP has a running daemon read its settings again and take over {}; the log names what has changed and needs \
         a restart. Settings that do not fit change nothing.",
        names.join(", ")
    )
}

fn invalidate() -> Command {
    let path = Arg::new("path").value_name("PATH").value_parser(NonEmptyStringValueParser::new());
    client(
        "invalidate",
        "Forget one path, or all that begin alike, in every domain, here and at every member",
    )
    .arg(
        path.required_unless_present("prefix")
            .conflicts_with("prefix")
            .help("Such as /repos/OWNER/REPO; its query belongs to it"),
    )
    .arg(
        Arg::new("prefix")
            .long("prefix")
            .value_name("PREFIX")
            .help("Forget every path that begins so, such as /repos/OWNER/"),
    )
}

fn config() -> Command {
    let check = Arg::new("check").long("check").action(ArgAction::SetTrue).help(
        "Check what is given here, in the environment and in the file, as `serve` with the same flags would take it; \
         needs no daemon and changes nothing",
    );
    let flags = DEFINITIONS.iter().filter(|definition| definition.name != "cache-dir").map(setting);
    client(
        "config",
        "Show the running daemon's settings and where each came from, or check settings before a start",
    )
    .arg(check)
    .args(flags.map(|flag| flag.requires("check").hide(true)))
}

fn secret() -> Command {
    let json = || Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON");
    let input = Arg::new("input")
        .value_name("-")
        .value_parser(["-"])
        .hide_possible_values(true)
        .help("Read the secret from standard input, not from where `serve` would find it");
    Command::new("secret")
        .about("Make a fleet secret, or tell how to recognise one")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(EXIT_CODES_HELP)
        .subcommand(Command::new("generate").about("Print a new fleet secret").arg(json()))
        .subcommand(
            ["shared-secret", "shared-secret-file"]
                .into_iter()
                .fold(with_file(Command::new("fingerprint")), |fingerprint, name| {
                    fingerprint.arg(setting(definition(name)))
                })
                .about("Print by which digits the fleet secret is recognised, its kind and its source")
                .arg(input)
                .arg(json()),
        )
}

fn demo() -> Command {
    let number = |id: &'static str, default: &'static str, range: std::ops::RangeInclusive<usize>| {
        let range = *range.start() as u64..=*range.end() as u64;
        let parser = clap::value_parser!(u64).range(range);
        Arg::new(id).long(id).value_name("COUNT").default_value(default).value_parser(parser)
    };
    let transport = PossibleValuesParser::new(["libp2p", "quic"]).try_map(|text| text.parse::<Transport>());
    Command::new("demo")
        .about("Show on this machine what sharing saves, with real nodes and a model of GitHub's API")
        .after_help(
            "It needs no daemon, no token and no network, takes some seconds, and leaves nothing behind.",
        )
        .arg(number("nodes", "5", 2..=demo::NODES_MAX).help("How many nodes read"))
        .arg(
            number("repos", "3", 1..=demo::REPOSITORIES_MAX).help("How many repositories each of them reads"),
        )
        .arg(
            Arg::new("transport")
                .long("transport")
                .value_name("NAME")
                .default_value("libp2p")
                .value_parser(transport)
                .help("How the nodes talk to one another"),
        )
}

fn monitor() -> Command {
    let interval = Arg::new("interval").long("interval").value_name("SECONDS").default_value("10");
    client("monitor", "Show again and again what the daemon does; as text where there is no terminal")
        .arg(Arg::new("once").long("once").action(ArgAction::SetTrue).help("Show it one time, as text"))
        .arg(interval.value_parser(clap::value_parser!(u64).range(1..=86_400)).help("How often to look"))
}

/// A command that talks to a running daemon, which it finds by the cache directory.
fn client(name: &'static str, about: &'static str) -> Command {
    with_file(Command::new(name).about(about)).arg(setting(definition("cache-dir")))
}

fn with_file(command: Command) -> Command {
    let about = "The settings file, TOML with the names of the flags as keys [env: CACHE_CONFIG]";
    command.arg(Arg::new("config").long("config").value_name("FILE").help(about)).after_help(EXIT_CODES_HELP)
}

fn setting(definition: &'static Definition) -> Arg {
    let mut help = definition.help.to_owned();
    if let Some(default) = definition.default.filter(|_text| takes_value(definition)) {
        help.push_str(&format!(" [default: {default}]"));
    }
    if !definition.variables.is_empty() {
        help.push_str(&format!(" [env: {}]", definition.variables.join(", ")));
    }
    let argument = Arg::new(definition.name).long(definition.flag()).help(help);
    match definition.shape {
        Shape::Enabled | Shape::Disabled(_) => argument.action(ArgAction::SetTrue),
        Shape::Many(form) => argument.value_name(form).action(ArgAction::Append),
        Shape::One(form) => argument.value_name(form).action(ArgAction::Set),
    }
}

fn takes_value(definition: &Definition) -> bool {
    matches!(definition.shape, Shape::Many(_) | Shape::One(_))
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

/// The file that was named, or the platform's if it exists.
fn settings_file(matches: &ArgMatches, variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|text| !text.is_empty()).map(PathBuf::from);
    // A command without this flag has no settings.
    let named = matches.try_get_one::<String>("config").ok()?.map(PathBuf::from);
    named.or_else(|| set(CONFIG_VARIABLE)).or_else(|| {
        let home = || set("HOME").map(|home| home.join(".config"));
        let usual = set("XDG_CONFIG_HOME").or_else(home)?.join("fleet-cache/config.toml");
        usual.exists().then_some(usual)
    })
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
