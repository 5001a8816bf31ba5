//! Bugs planted one at a time: in the core, where the simulator must notice each, and below it ([`worlds`]).
//!
//! A check of the checks: a rule that no planted bug breaks may be one that holds whatever happens. The bugs are in
//! [`planted`]; this runs them. Each is applied to a copy of the sources, never to the sources themselves, and all
//! share one folder of their own for what is built, so that only the core and the simulator are built again.

mod planted;
mod worlds;

use crate::cargo::{cargo, output, target_directory};
use anyhow::{Context as _, Result, bail, ensure};
use comfy_table::Table;
use planted::{BELOW, HARMLESS, PLANTED};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::sync_channel,
    thread,
    time::{Duration, Instant},
};

/// What to plant, and how long to look for it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only bugs whose name contains one of these texts.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Most seeds to run until a bug is noticed, after all scenarios.
    #[arg(long, default_value_t = SEEDS_MAX)]
    seeds: u64,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// A bug: `new` in place of `old` in one file.
struct Mutant {
    name: &'static str,
    /// From the root on; of the core, below `cache-core/src`.
    file: &'static str,
    old: &'static str,
    new: &'static str,
}

/// What came of looking for a bug.
struct Finding {
    name: &'static str,
    /// Which rule was broken first, and by which scenario or seed; `None` if none was.
    caught: Option<(String, String)>,
    seconds: f64,
}

/// Plants bugs one by one. Returns whether the simulator noticed each, and nothing where there was none.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<bool> {
    let only = &arguments.only;
    let is_wanted = |mutant: &&Mutant| only.is_empty() || only.iter().any(|text| mutant.name.contains(text));
    let mut wanted: Vec<&Mutant> = PLANTED.iter().copied().flatten().filter(is_wanted).collect();
    let below: Vec<&worlds::Below> = BELOW.iter().filter(|below| is_wanted(&&below.mutant)).collect();
    ensure!(!wanted.is_empty() || !below.is_empty(), "no bug has such a name");
    if only.is_empty() {
        wanted.insert(0, &NONE);
    }
    let copy = Copy::new(root)?;
    for mutant in wanted.iter().copied().chain(below.iter().map(|below| &below.mutant)) {
        mutant.applied(root).with_context(|| format!("bug {:?}", mutant.name))?;
    }
    let mut findings = worlds::look_for(&below, only.is_empty(), &copy, arguments)?;
    findings.extend(look_for(&wanted, &copy, arguments)?);
    let missed: Vec<&str> =
        findings.iter().filter(|finding| finding.is_wrong()).map(|finding| finding.name).collect();
    if arguments.json {
        println!("{}", Value::Array(findings.iter().map(Finding::json).collect()));
    } else {
        println!("{}", table(&findings));
        println!("{} bugs, {} not as they should be: {}", findings.len(), missed.len(), missed.join(", "));
    }
    Ok(missed.is_empty())
}

/// Builds one simulator after the other, and runs each while the next is built.
fn look_for(wanted: &[&'static Mutant], copy: &Copy, arguments: &Arguments) -> Result<Vec<Finding>> {
    thread::scope(|scope| {
        let (built, to_run) = sync_channel(0);
        let builder = scope.spawn(move || -> Result<()> {
            for mutant in wanted {
                built.send((*mutant, copy.build(mutant)?)).context("nobody runs what is built")?;
            }
            Ok(())
        });
        let mut findings = Vec::new();
        for (mutant, program) in to_run {
            let finding = hunt(mutant.name, &program, arguments.seeds)?;
            if !arguments.json {
                eprintln!("{}", finding.line());
            }
            findings.push(finding);
        }
        match builder.join() {
            Ok(outcome) => outcome.map(|()| findings),
            Err(_panic) => bail!("the builder panicked"),
        }
    })
}

/// Runs the simulator until a rule is broken. One that takes for ever counts as noticed.
fn hunt(name: &'static str, program: &Path, seeds: u64) -> Result<Finding> {
    let begun = Instant::now();
    let mut command = Command::new(program);
    command.args(["--hunt", "--seeds", &seeds.to_string()]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let caught = match wait(&mut child, begun + RUN_MAX)? {
        None => Some(("Hangs".to_owned(), format!("after {RUN_MAX:?}"))),
        Some(()) => {
            let output = child.wait_with_output()?;
            let said = serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default();
            let text = |name: &str| said[name].as_str().map(str::to_owned);
            match (text("rule"), said["place"].as_str()) {
                (Some(rule), place) => Some((rule, place.unwrap_or_default().to_owned())),
                (None, _) if output.status.success() => None,
                (None, _) => Some(("Ends".to_owned(), output.status.to_string())),
            }
        }
    };
    Ok(Finding { name, caught, seconds: begun.elapsed().as_secs_f64() })
}

/// Waits for `child` until `end`, then kills it.
fn wait(child: &mut Child, end: Instant) -> Result<Option<()>> {
    while child.try_wait()?.is_none() {
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(Some(()))
}

impl Mutant {
    /// The file with the bug in it.
    fn applied(&self, root: &Path) -> Result<(PathBuf, String)> {
        let is_of_core = !self.file.contains("src/");
        let path = if is_of_core { root.join("cache-core/src") } else { root.to_owned() }.join(self.file);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let count = text.matches(self.old).count();
        ensure!(count == 1, "its old text is in {} {count} times, not once", self.file);
        Ok((path, text.replacen(self.old, self.new, 1)))
    }
}

/// A copy of the sources, and where it is built.
struct Copy {
    sources: PathBuf,
    target: PathBuf,
}

impl Copy {
    /// Copies what git knows below `root`, or would; leaves alone what is the same already.
    fn new(root: &Path) -> Result<Self> {
        let folder = target_directory(root)?.join("mutants");
        let copy = Self { sources: folder.join("sources"), target: folder.join("build") };
        let mut command = Command::new("git");
        command.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
        let listed = output(&mut command)?;
        for path in listed.split('\0').filter(|path| !path.is_empty() && root.join(path).is_file()) {
            write(&copy.sources.join(path), &fs::read(root.join(path))?)?;
        }
        Ok(copy)
    }

    /// The simulator with the bug in it.
    fn build(&self, mutant: &Mutant) -> Result<PathBuf> {
        self.with(mutant, || self.compile(mutant.name))
    }

    /// What `build` makes of the copy with the bug in it, which is as it was afterwards.
    fn with(&self, mutant: &Mutant, build: impl FnOnce() -> Result<PathBuf>) -> Result<PathBuf> {
        let (path, text) = mutant.applied(&self.sources)?;
        let sound = fs::read(&path)?;
        write(&path, text.as_bytes())?;
        let built = build();
        write(&path, &sound)?;
        built
    }

    fn sources(&self) -> &Path {
        &self.sources
    }

    fn target(&self) -> &Path {
        &self.target
    }

    fn compile(&self, name: &str) -> Result<PathBuf> {
        let mut command = cargo(&self.sources);
        command
            .args(["build", "--quiet", "--release", "--package", "cache-simulator", "--bin", "sim"])
            .env("CARGO_TARGET_DIR", &self.target)
            .envs(PROFILE.iter().copied())
            // A bug may leave something unused.
            .env("RUSTFLAGS", "--allow warnings");
        ensure!(command.status()?.success(), "bug {name:?} does not build");
        let program = self.target.join(format!("sim-{name}"));
        fs::copy(self.target.join("release/sim"), &program)?;
        Ok(program)
    }
}

impl Finding {
    /// Whether a bug was missed, or one found where there is none.
    fn is_wrong(&self) -> bool {
        let may_be_missed = self.name == NONE.name || self.harmless().is_some();
        if self.caught.is_some() { self.name == NONE.name } else { !may_be_missed }
    }

    /// Why it may be missed.
    fn harmless(&self) -> Option<&'static str> {
        HARMLESS.iter().find(|(name, _)| *name == self.name).map(|(_, why)| *why)
    }

    fn line(&self) -> String {
        let (rule, place) = self.caught.as_ref().map_or(("-", "-"), |(rule, place)| (rule, place));
        format!("{}: {rule}, {place}, {:.1} s", self.name, self.seconds)
    }

    fn json(&self) -> Value {
        let (rule, place) = self.caught.clone().unzip();
        json!({ "name": self.name, "rule": rule, "place": place, "seconds": self.seconds })
    }
}

fn table(findings: &[Finding]) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header([
        "bug",
        "rule that it breaks",
        "by",
        "seconds",
    ]);
    for finding in findings {
        let missed = ("-".to_owned(), finding.harmless().unwrap_or("-").to_owned());
        let (rule, place) = finding.caught.clone().unwrap_or(missed);
        table.add_row([finding.name.to_owned(), rule, place, format!("{:.1}", finding.seconds)]);
    }
    table.trim_fmt()
}

/// Writes a file unless it says that already, so that what was built of it holds.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}

/// The core as it is: nothing is to be found.
static NONE: Mutant = NOTHING;

const NOTHING: Mutant = Mutant { name: "none", file: "lib.rs", old: "#![no_std]", new: "#![no_std]" };

/// Built quickly, and as tests are, so that a broken assertion counts.
const PROFILE: &[(&str, &str)] = &[
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "64"),
    ("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true"),
    ("CARGO_PROFILE_RELEASE_INCREMENTAL", "true"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "2"),
];

/// Most seeds by default: a minute or two for a bug that is not noticed.
const SEEDS_MAX: u64 = 200;

/// Longest run of one simulator.
const RUN_MAX: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::workspace_root;
    use std::collections::BTreeSet;

    #[test]
    fn every_bug_can_still_be_planted() {
        let root = workspace_root();
        let below = BELOW.iter().map(|below| &below.mutant);
        for mutant in PLANTED.iter().copied().flatten().chain([&NONE]).chain(below) {
            assert!(mutant.applied(&root).is_ok(), "{}: {:?}", mutant.name, mutant.applied(&root).err());
        }
    }

    #[test]
    fn every_bug_has_a_name_of_its_own_and_changes_something() {
        let below = BELOW.iter().map(|below| &below.mutant);
        let all: Vec<&Mutant> = PLANTED.iter().copied().flatten().chain(below).collect();
        let names: BTreeSet<&str> = all.iter().map(|mutant| mutant.name).collect();
        assert_eq!(names.len(), all.len());
        assert!(all.iter().all(|mutant| mutant.old != mutant.new));
        assert!(HARMLESS.iter().all(|(name, _)| names.contains(name)));
    }
}
