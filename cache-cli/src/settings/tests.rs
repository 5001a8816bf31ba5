//! Precedence, faults and what is refused.

use super::*;
use std::path::Path;

fn given(pairs: &[(&'static str, &str)]) -> Given {
    let mut given = Given::default();
    for (name, text) in pairs {
        given.put(definition(name), vec![(*text).to_owned()], Source::Flag(name));
    }
    given
}

fn resolved(pairs: &[(&'static str, &str)]) -> Result<Settings, String> {
    let defaults = Defaults { cache_dir: Some("/var/cache/f".into()), ..Defaults::default() };
    Settings::resolve(&given(pairs), &defaults).map_err(|error| error.to_string())
}

fn listens(settings: &Settings) -> Vec<String> {
    settings.fleet.listen.iter().map(ToString::to_string).collect()
}

#[test]
fn without_a_word_from_the_user_the_documented_defaults_hold() {
    let settings = resolved(&[]).unwrap();
    assert_eq!(settings.listen, Some("127.0.0.1:8484".parse().unwrap()));
    assert_eq!(settings.origin.to_string(), "https://api.github.com");
    assert_eq!(settings.default_lifetime, Duration::from_secs(300));
    assert_eq!(settings.memory, Limits { entries_max: 1000, bytes_max: 64 << 20 });
    assert!(settings.fleet.enabled);
    assert_eq!(
        listens(&settings),
        [
            "/ip4/0.0.0.0/tcp/9100",
            "/ip6/::/tcp/9100",
            "/ip4/0.0.0.0/udp/9100/quic-v1",
            "/ip6/::/udp/9100/quic-v1"
        ]
    );
    assert_eq!(settings.fleet.transport, Transport::Libp2p);
    assert_eq!(settings.cache_dir, Path::new("/var/cache/f"));
}

#[test]
fn a_flag_beats_a_variable_and_a_variable_beats_the_file() {
    let mut given = Given::default();
    let from_file = Source::File { path: Path::new("f.toml").into(), line: 1 };
    for name in ["default-ttl", "max-entries", "p2p-port"] {
        given.put(definition(name), vec!["1".to_owned()], from_file.clone());
    }
    let mut given = given
        .with_environment(&|name| match name {
            "CACHE_DEFAULT_TTL" | "CACHE_MAX_ENTRIES" => Some("2".into()),
            _other => None,
        })
        .unwrap();
    let flag = Source::Flag("default-ttl");
    given.put(definition("default-ttl"), vec!["3".to_owned()], flag);
    let defaults = Defaults { cache_dir: Some("/d".into()), ..Defaults::default() };
    let settings = Settings::resolve(&given, &defaults).unwrap();
    assert_eq!(settings.default_lifetime, Duration::from_secs(3));
    assert_eq!(settings.memory.entries_max, 2);
    assert_eq!(listens(&settings)[0], "/ip4/0.0.0.0/tcp/1");
}

#[test]
fn a_bad_value_names_itself_its_source_and_the_remedy() {
    assert_eq!(
        resolved(&[("default-ttl", "soon")]).unwrap_err(),
        "default-ttl \"soon\" (flag --default-ttl) is not a duration; \
         write seconds such as `300`, or `500ms`, `90s`, `5m`, `2h`, `1d`"
    );
}

#[test]
fn all_faults_are_reported_together() {
    let text = resolved(&[("default-ttl", "soon"), ("max-bytes", "much")]).unwrap_err();
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn an_address_that_others_reach_needs_both_the_flag_and_a_token() {
    let listen = ("listen", "0.0.0.0:8484");
    let allow = ("allow-remote", "true");
    let token = ("client-token", "sesame sesame 123");
    for pairs in [&[listen][..], &[listen, allow], &[listen, token]] {
        let text = resolved(pairs).unwrap_err();
        assert!(text.contains("--allow-remote and --client-token-file"), "{text}");
        assert!(!text.contains("sesame"));
    }
    assert!(resolved(&[listen, allow, token]).is_ok());
    let guessable = resolved(&[listen, allow, ("client-token", "sesame")]).unwrap_err();
    assert!(guessable.starts_with("client-token (flag --client-token) is shorter than 16"), "{guessable}");
    assert!(resolved(&[("client-token", "sesame")]).is_ok(), "nobody else reaches the door");
    assert!(resolved(&[("listen", "[::1]:8484")]).is_ok());
}

#[test]
fn an_origin_that_is_reached_in_clear_is_warned_about_unless_it_is_here() {
    let warnings = |origin| resolved(&[("origin", origin)]).unwrap().warnings;
    for here in ["http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9", "https://ghe.example/api/v3"] {
        assert!(warnings(here).is_empty(), "{here}");
    }
    for elsewhere in ["http://ghe.example/api/v3", "http://192.0.2.1"] {
        assert!(warnings(elsewhere)[0].contains("in clear"), "{elsewhere}");
    }
}

#[test]
fn a_proxy_is_taken_from_where_other_programs_look_for_it_and_its_password_is_not_shown() {
    let environment = |name: &'static str, text: &'static str| {
        let given = Given::default().with_environment(&|asked| (asked == name).then(|| text.into())).unwrap();
        let defaults = Defaults { cache_dir: Some("/d".into()), ..Defaults::default() };
        (Settings::resolve(&given, &defaults), Report::new(&given, &defaults))
    };
    for name in ["CACHE_PROXY", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let (settings, report) = environment(name, "http://user:hunter2@proxy.example:3128");
        let settings = settings.unwrap();
        assert_eq!(settings.proxy.as_ref().map(Proxy::host), Some("proxy.example"), "{name}");
        assert!(!report.to_string().contains("hunter2") && !format!("{settings:?}").contains("hunter2"));
    }
    assert!(environment("CACHE_PROXY", "none").0.unwrap().proxy.is_none());
    let refused = environment("HTTPS_PROXY", "socks5://user:hunter2@p:1").0.unwrap_err().to_string();
    assert!(refused.starts_with("proxy (environment HTTPS_PROXY) cannot be used"), "{refused}");
    assert!(!refused.contains("hunter2"), "{refused}");
}

#[test]
fn metrics_are_told_to_other_machines_only_with_the_flag() {
    assert_eq!(resolved(&[]).unwrap().metrics_listen, None);
    let listen = ("metrics-listen", "0.0.0.0:9464");
    assert!(resolved(&[listen]).unwrap_err().contains("--allow-remote"));
    let settings = resolved(&[listen, ("allow-remote", "true")]).unwrap();
    assert_eq!(settings.metrics_listen, Some("0.0.0.0:9464".parse().unwrap()));
    assert!(resolved(&[("metrics-listen", "[::1]:9464")]).is_ok());
}

#[test]
fn the_page_is_off_by_default_and_shown_to_other_machines_only_with_the_flag_and_a_warning() {
    assert_eq!(resolved(&[]).unwrap().dashboard, None);
    let (allow, remote) = (("allow-remote", "true"), ("dashboard", "0.0.0.0:8486"));
    let refused = resolved(&[remote]).unwrap_err();
    assert!(refused.starts_with("dashboard \"0.0.0.0:8486\" (flag --dashboard) is reached by"), "{refused}");
    assert!(refused.contains("give 127.0.0.1:8486, or --allow-remote"), "{refused}");
    let settings = resolved(&[remote, allow]).unwrap();
    assert_eq!(settings.dashboard, Some("0.0.0.0:8486".parse().unwrap()));
    assert!(settings.warnings.iter().any(|it| it.contains("in clear")), "{:?}", settings.warnings);
    for here in ["127.0.0.1:8486", "[::1]:8486"] {
        assert!(resolved(&[("dashboard", here), allow]).unwrap().warnings.is_empty(), "{here}");
    }
    assert_eq!(
        resolved(&[("dashboard", "8486")]).unwrap().dashboard,
        Some("127.0.0.1:8486".parse().unwrap())
    );
    let refused = resolved(&[("dashboard", "somewhere")]).unwrap_err();
    assert!(refused.starts_with("dashboard \"somewhere\" (flag --dashboard)"), "{refused}");
}

#[test]
fn a_secret_shows_neither_in_faults_nor_in_the_report_nor_in_debug() {
    let long = "hunter2 hunter2 hunter2";
    let pairs = [("shared-secret", long), ("accept-secret", long), ("client-token", "hunter2")];
    let given = given(&pairs);
    let report = Report::new(&given, &Defaults::default());
    let settings = resolved(&pairs).unwrap();
    let report = report.with_secret(settings.fleet.secret.found().map(SecretReport::of));
    let json = serde_json::to_string(&report).unwrap();
    for text in [json, report.to_string(), format!("{settings:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    let both = [("client-token", "hunter2"), ("client-token-file", "/dev/null")];
    let short = [("shared-secret", "hunter2"), ("accept-secret", "hunter2")];
    for pairs in [&both[..], &short, &[("origin", "https://me:hunter2@ghe.corp")]] {
        let text = resolved(pairs).unwrap_err();
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn the_report_tells_where_each_value_came_from() {
    let report = Report::new(&given(&[("default-ttl", "60")]), &Defaults::default());
    let line = |name: &str| report.settings.iter().find(|line| line.name == name).unwrap();
    assert_eq!(line("default-ttl").values, ["60"]);
    assert_eq!(line("default-ttl").source, "flag --default-ttl");
    assert_eq!(line("max-entries").values, ["1000"]);
    assert_eq!(line("max-entries").source, "default");
    assert!(line("unix").values.is_empty());
}

#[test]
fn the_cache_directory_follows_the_platform() {
    let home = |name: &str| (name == "HOME").then(|| OsString::from("/home/me"));
    let expected = if cfg!(target_os = "macos") {
        "/home/me/Library/Caches/fleet-cache"
    } else {
        "/home/me/.cache/fleet-cache"
    };
    assert_eq!(Defaults::of_environment(&home).cache_dir, Some(PathBuf::from(expected)));
    assert_eq!(Defaults::of_environment(&|_name| None).cache_dir, None);
    // Programs that embed a node find what the daemon keeps, whatever is set.
    let chosen =
        |name: &str| Some(OsString::from(if name == "XDG_CACHE_HOME" { "/caches" } else { "relative" }));
    let relative = |name: &str| Some(OsString::from(if name == "HOME" { "/home/ci" } else { "caches" }));
    let variables: [environment::Variable<'_>; 3] = [&home, &chosen, &relative];
    for variable in variables {
        assert_eq!(Defaults::of_environment(variable).cache_dir, environment::cache_directory(variable));
    }
}

#[test]
fn what_is_kept_from_a_class_is_said_once() {
    let kept = |texts: &[&str]| {
        let mut given = Given::default();
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        given.put(definition("reserve"), texts, Source::Flag("reserve"));
        let defaults = Defaults { cache_dir: Some("/d".into()), ..Defaults::default() };
        Settings::resolve(&given, &defaults)
            .map(|settings| settings.reserves)
            .map_err(|error| error.to_string())
    };
    let reserves = kept(&["normal=5%", "batch=20%"]).unwrap();
    assert_eq!(Priority::ALL.map(|class| reserves.percent(class)), [20, 5, 0]);
    let error = kept(&["batch=20%", "normal=5%", "batch=30%"]).unwrap_err();
    for part in ["--reserve", "batch=20%", "says twice what is kept from batch requests"] {
        assert!(error.contains(part), "{error}");
    }
}

/// The forms of values for which `-1`, `-1s` or a word can be right.
const FREE_FORMS: [&str; 7] = ["DIR", "FILE", "HOSTS", "NAME", "PATH", "SECRET", "TOKEN"];

#[test]
fn whatever_bad_value_an_option_is_given_its_fault_names_it_the_value_and_what_to_write() {
    let mut unclear = Vec::new();
    for definition in DEFINITIONS {
        let (name, form) = match definition.shape {
            Shape::Many(form) | Shape::One(form) => (definition.name, form),
            Shape::Disabled(_) | Shape::Enabled => (definition.name, "true|false"),
        };
        // A proxy may be a name alone, and a level of the log a target's.
        let is_free = FREE_FORMS.contains(&form) || ["log", "proxy"].contains(&name);
        for bad in ["-1", "-1s", "-5MiB", "-20%", "=", "1 parsec", "99999999999999999999999"] {
            let Err(fault) = resolved(&[(name, bad)]) else {
                unclear.extend((!is_free).then(|| format!("{name} {bad:?} is taken")));
                continue;
            };
            let is_shown = definition.shown == Shown::Whole;
            let shown = if is_shown { format!(" {bad:?}") } else { String::new() };
            let begins = format!("{name}{shown} (flag --{name}) ");
            let is_named = fault.lines().any(|line| line.starts_with(&begins));
            let tells = REMEDIES.iter().any(|word| fault.contains(word));
            unclear.extend((!is_named || !tells).then_some(fault));
        }
    }
    assert!(unclear.is_empty(), "{}", unclear.join("\n"));
}

/// How a fault begins to say what to do instead.
const REMEDIES: [&str; 6] = ["write ", "give ", "name ", "lists them", "make one", "set "];

#[test]
fn a_file_that_cannot_be_read_is_named_with_its_option_the_cause_and_what_to_name() {
    let is_read = |definition: &&Definition| {
        definition.shape == Shape::One("FILE") || definition.shape == Shape::Many("FILE")
    };
    for definition in DEFINITIONS.iter().filter(is_read) {
        // These are opened when the daemon starts.
        if ["access-log", "ca-file"].contains(&definition.name) {
            continue;
        }
        let fault = resolved(&[(definition.name, "/nope/nothing")]).unwrap_err();
        let begins = format!(
            "{} \"/nope/nothing\" (flag --{}) cannot be read: No such file",
            definition.name, definition.name
        );
        assert!(fault.starts_with(&begins) && fault.contains("; name a file"), "{fault}");
    }
}

#[test]
fn two_settings_that_name_one_address_are_refused_by_both_names() {
    let faults = |pairs: &[(&'static str, &str)]| resolved(pairs).map(drop).unwrap_err();
    let fault = faults(&[("dashboard", "8484")]);
    assert!(
        fault.starts_with("dashboard \"8484\" (flag --dashboard) is what listen (default) has too"),
        "{fault}"
    );
    assert!(fault.contains("--dashboard 127.0.0.1:8486"), "{fault}");
    let fault = faults(&[("dashboard", "127.0.0.1:8485"), ("metrics-listen", "localhost:8485")]);
    assert!(fault.contains("metrics-listen (flag --metrics-listen)"), "{fault}");
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef").unwrap();
    let secret = ("webhook-secret-file", secret.path().to_str().unwrap());
    let fault = faults(&[secret, ("webhook-listen", "8486"), ("dashboard", "8486")]);
    assert!(
        fault.contains("what webhook-listen (flag --webhook-listen) has") && fault.contains("127.0.0.1:8487"),
        "{fault}"
    );
    assert!(resolved(&[("dashboard", "8486"), ("metrics-listen", "8485")]).is_ok());
    assert!(resolved(&[("dashboard", "0"), ("metrics-listen", "0"), ("listen", "0")]).is_ok());
}
