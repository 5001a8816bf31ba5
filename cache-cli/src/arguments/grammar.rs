//! What the command line may hold, and what `--help` says of it.
//!
//! The flags of `serve` come from the table of settings, so this file names only what is not a setting.

use crate::{
    command::{By, Syntax, demo},
    exit::EXIT_CODES_HELP,
    settings::{Change, DEFINITIONS, Definition, Shape, Transport, definition},
};
use clap::{
    Arg, ArgAction, Command,
    builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser as _},
    value_parser,
};
use std::{ffi::OsString, ops::RangeInclusive};

/// Everything that can be written.
pub(super) fn command() -> Command {
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
        .subcommands([up(), down(), status()].map(|command| command.arg(json())))
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
        .subcommand(top().arg(json()))
        .subcommand(invalidate())
        .subcommand(demo().arg(json()))
        .subcommand(client("peers", "Show the nodes that the daemon knows of, connected or not").arg(json()))
        .subcommand(ping().arg(json()))
        .subcommand(
            client("quota", "Show how the API's allowances stand over the fleet, and when they will be gone")
                .arg(json()),
        )
        .subcommand(client("doctor", "Find out whether sharing works, and what to do if not").arg(json()))
        .subcommand(monitor().arg(json()))
        .subcommand(mcp())
        .subcommand(run())
        .subcommand(environment().arg(json()))
        .subcommand(ca())
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

fn down() -> Command {
    client("down", "Undo what `up` did: gh's settings are as before, and the daemon stops")
}

fn status() -> Command {
    client("status", "Tell whether a call would be saved: exits with 0 if a daemon runs and gh asks it")
}

fn up() -> Command {
    let no_gh = Arg::new("no-gh").long("no-gh").action(ArgAction::SetTrue);
    let up =
        Command::new("up").about("Start the daemon in the background, and lead gh to it; `down` undoes that");
    let flags = DEFINITIONS.iter().map(|definition| setting(definition).hide(definition.name != "cache-dir"));
    with_file(up)
        .args(flags)
        .arg(no_gh.help("Leave gh's settings as they are"))
        .after_help(format!("{UP_HELP}\n\n{EXIT_CODES_HELP}"))
}

/// What `up --help` says of what it does.
const UP_HELP: &str = "\
It takes all flags of `serve`, as well as their variables and file. Where these give no socket, no secret, it uses `api.sock`
and `fleet-secret` in the cache directory, and makes the secret if it is not there yet; `--no-p2p` shares with no other machine.
The daemon's log is `daemon.log` there. `http_unix_socket` of gh's settings is set to the socket; what they held before is
noted first, so that `down` can write it back, byte for byte.";

/// What `serve --help` says of changes while the daemon runs.
fn hangup_help() -> String {
    let named = |definition: &&Definition| definition.change == Change::AtHangup;
    let names: Vec<_> = DEFINITIONS.iter().filter(named).map(|definition| definition.name).collect();
    format!(
        "On SIGHUP a running daemon reads its settings again and applies {}; the log names what has changed and needs \
         a restart. Settings that do not fit change nothing.",
        names.join(", ")
    )
}

fn invalidate() -> Command {
    let path = Arg::new("path").value_name("PATH").value_parser(NonEmptyStringValueParser::new());
    client(
        "invalidate",
        "Forget one path, or all that begin with a prefix, in every domain, here and at every member",
    )
    .arg(
        path.required_unless_present("prefix")
            .conflicts_with("prefix")
            .help("Such as /repos/OWNER/REPO; a query is part of it"),
    )
    .arg(
        Arg::new("prefix")
            .long("prefix")
            .value_name("PREFIX")
            .help("Forget every path that begins with this, such as /repos/OWNER/"),
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
        .about("Make a fleet secret, or show how to recognise one")
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
                .about("Print the digits by which to recognise the fleet secret, its kind and its source")
                .arg(input)
                .arg(json()),
        )
}

fn demo() -> Command {
    let number = |id: &'static str, default: &'static str, range: RangeInclusive<usize>| {
        let range = *range.start() as u64..=*range.end() as u64;
        let parser = move |text: &str| number_in(&range, text);
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

fn top() -> Command {
    let by = PossibleValuesParser::new(By::NAMES).try_map(|text| text.parse::<By>());
    let by = Arg::new("by").long("by").value_name("WHAT").default_value(By::NAMES[0]).value_parser(by);
    let node = Arg::new("node").long("node").action(ArgAction::SetTrue);
    let about = "Show which client uses what since its node started: requests, and the calls and points that they cost; of all \
                 connected nodes together";
    client("top", about)
        .arg(by.help("What to count by: the client, the route of the API, or whose allowance is drawn on"))
        .arg(node.help("Show what this node alone has counted"))
        .after_help(format!("{TOP_HELP}\n\n{EXIT_CODES_HELP}"))
}

/// What `top --help` says of the table.
const TOP_HELP: &str = "\
A client is called by its X-Fleet-Client, else by the agent or the program that its User-Agent names, else, on the unix
socket, by the user that runs it. The table has:
  REQUESTS  requests that were answered
  HITS      of these, those that cost no call of their own
  REFUSED   of these, those that an allowance was spent or held back for
  CALLS     calls made to the API
  304       of these, calls answered with \"not modified\", which cost nothing with a token
  POINTS    what GraphQL queries cost, by GitHub's formula
  SENT      bytes of the bodies that clients were sent
  MEAN, MAX time from a request to the head of its answer
The heaviest 256 clients, 128 routes and 64 payers have rows of their own; \"(other)\" is all the rest.";

fn monitor() -> Command {
    let interval = Arg::new("interval").long("interval").value_name("SECONDS").default_value("10");
    let parser = |text: &str| number_in(&(1..=86_400), text);
    client("monitor", "Show what the daemon does, again and again; as text if the output is not a terminal")
        .arg(Arg::new("once").long("once").action(ArgAction::SetTrue).help("Show it once, as text"))
        .arg(interval.value_parser(parser).help("How often to look"))
}

/// Takes a number that is in `range`.
fn number_in(range: &RangeInclusive<u64>, text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("write a number from {} to {}", range.start(), range.end()))
}

fn ping() -> Command {
    let peer = Arg::new("peer").value_name("PEER").required(true);
    client("ping", "Ask a node whether it answers, how soon, and how far its clock is off")
        .arg(peer.help("The id of the node, or the end of it"))
}

fn mcp() -> Command {
    let about = "Answer an agent's questions about the daemon by the Model Context Protocol, on standard input and output";
    client("mcp", about).after_help(format!("{MCP_HELP}\n\n{EXIT_CODES_HELP}"))
}

/// What `mcp --help` says of the tools.
const MCP_HELP: &str = "\
An agent's program starts this and speaks to it; docs/agents.md says how to register it. It asks the daemon that runs with
the cache directory, needs no token, and changes nothing. Its tools:
  quota         how the API's allowances stand over the fleet, and when they will be gone
  why_refused   which allowance, reserve or pause holds a request, until when, and what to do
  top_spenders  which clients, routes or payers spend the most
  cache_status  what is kept of a path: how many copies, how old, how long fresh
  doctor        whether sharing works, and what to do if not";

fn run() -> Command {
    let command = Arg::new("command")
        .value_name("COMMAND")
        .last(true)
        .required(true)
        .num_args(1..)
        .value_parser(value_parser!(OsString))
        .help("The program and its arguments, behind `--`");
    with_token(client(
        "run",
        "Run a program with its HTTPS requests sent through the daemon, which intercepts",
    ))
    .arg(command)
    .after_help(format!("{RUN_HELP}\n\n{EXIT_CODES_HELP}"))
}

fn environment() -> Command {
    let shell = PossibleValuesParser::new(Syntax::NAMES).try_map(|text| text.parse::<Syntax>());
    let shell = Arg::new("shell")
        .long("shell")
        .value_name("NAME")
        .default_value(Syntax::NAMES[0])
        .value_parser(shell);
    with_token(client("env", "Print what `run` sets, for a shell: eval \"$(fleet-cache env)\""))
        .arg(shell.help("What is to read it; `github` is for the file that $GITHUB_ENV names"))
        .after_help(format!("{RUN_HELP}\n\n{EXIT_CODES_HELP}"))
}

fn with_token(command: Command) -> Command {
    let token = ["client-token", "client-token-file"].map(|name| setting(definition(name)));
    command.args(token)
}

/// What `run --help` and `env --help` say of the environment.
const RUN_HELP: &str = "\
The daemon has to run with --intercept. HTTPS_PROXY leads to it. SSL_CERT_FILE and the variables of curl, git, pip, requests,
cargo, Deno, Nix, the AWS tools and cargo-binstall name a file with the certificates that this machine trusts and the daemon's
own; NODE_EXTRA_CA_CERTS names the daemon's own. NO_PROXY keeps what it had, and this machine. GITHUB_API_URL names the door,
unless it asks for a client token or is an Enterprise Server's.";

fn ca() -> Command {
    let json = || Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON");
    Command::new("ca")
        .about("Look after the certificates by which programs trust an intercepting daemon")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(EXIT_CODES_HELP)
        .subcommand(
            client("show", "Show for which hosts it may sign, until when, and its digest").arg(json()),
        )
        .subcommand(
            client("path", "Print the path of the certificate that programs are to trust").arg(json()),
        )
        .subcommand(client("renew", "Make a new one; no daemon may run with the cache directory").arg(json()))
        .subcommand(client("remove", "Delete it; no daemon may run with the cache directory").arg(json()))
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
