//! Runs simulations: `sim --seed 1 --seeds 100`.

use cache_core::Guest;
use cache_simulator::{
    Figures, Plan, Report, Sort,
    document::{Document, Extent},
    hunt,
    ramp::{self, Ramp},
    run,
    scale::{self, MINUTES_MIN, Measured, ScalePage, Step},
    scenarios, shrink, spent,
};
use clap::{Parser, Subcommand};
use std::{
    error::Error,
    fmt::Write as _,
    fs,
    num::NonZeroUsize,
    panic,
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
    time::{Duration, Instant},
};

/// Runs whole fleets on virtual time and checks every answer.
#[derive(Parser)]
#[command(name = "sim", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The first seed, which decides the plan and all chances.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds to run, one after the other.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Run a scenario with a name in place of the seed's own plan; `list` names them.
    #[arg(long)]
    scenario: Option<String>,
    /// The sort of world, in place of what the seed chooses: `changing`, `dialing`, `districts`,
    /// `lying`, `plain`, `returning` or `rights`.
    #[arg(long)]
    sort: Option<Sort>,
    /// Replay a trace in place of the seed's own plan: lines of `SECONDS NODE EVENT [RESOURCE]`.
    ///
    /// Events are `get`, `refresh`, `put` and `invalidate` with a resource, and `join`, `leave` and `crash` without.
    /// A node whose first event is `join` comes then; all others are there from the beginning. `#` begins a comment.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scenario", "sort", "hunt"])]
    replay: Option<PathBuf>,
    /// Nodes in the fleet, in place of what the plan says: a number, or a range as `5..50`, from which each seed takes
    /// its own.
    #[arg(long)]
    nodes: Option<Nodes>,
    /// Most members of a district, in place of what the plan says.
    #[arg(long, value_name = "MEMBERS")]
    district_max: Option<usize>,
    /// Makes a third of all nodes, the last ones, guests: `always` or `auto`.
    #[arg(long, value_name = "WHEN", value_parser = guest)]
    guests: Option<Guest>,
    /// Only the first nodes of a scenario, which is as it is for all of them.
    #[arg(long, value_name = "NODES", requires = "scenario")]
    cut_to: Option<NonZeroUsize>,
    /// Only these events of the plan, by number; none if there is no number.
    #[arg(long, value_delimiter = ',', num_args = 0..)]
    only: Option<Vec<usize>>,
    /// Hand messages over as they are, not as bytes.
    #[arg(long)]
    no_codec: bool,
    /// Do not look for a smaller plan when one fails.
    #[arg(long)]
    no_shrink: bool,
    /// Go on after a failure.
    #[arg(long)]
    keep_going: bool,
    /// Print the plan and everything that happens.
    #[arg(long)]
    trace: bool,
    /// Print figures as JSON.
    #[arg(long)]
    json: bool,
    /// Run every scenario and then the seeds, and say as JSON which rule is broken first, if any.
    #[arg(long)]
    hunt: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Compare ways to spare an origin calls, in the same world, and write `policies.md` and `policies.svg`.
    Policies {
        /// The seed, which decides everything random.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Sizes of the fleets in which all policies are compared.
        #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 5, 10, 100, 1000])]
        nodes: Vec<usize>,
        /// Sizes of the fleets whose economy is measured; a thousand nodes take half an hour.
        #[arg(long, value_delimiter = ',', default_values_t = [2, 5, 20, 100, 200, 1000])]
        fleets: Vec<usize>,
        /// The folder to write to.
        #[arg(long, default_value = "docs")]
        folder: PathBuf,
    },
    /// Show how calls return after a pause that the origin asked for, and write `return.svg`.
    Return {
        /// The seed, which decides everything random.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Sizes of the fleets, three or more nodes each.
        #[arg(long, value_delimiter = ',', default_values_t = [20, 1000])]
        nodes: Vec<usize>,
        /// The largest fleet in which messages cross links as bytes; in larger ones they are handed over as they are.
        #[arg(long, default_value_t = 300)]
        codec_max: usize,
        /// The folder to write to.
        #[arg(long, default_value = "docs")]
        folder: PathBuf,
    },
    /// Measure what fleets of two to ten thousand nodes cost, and write `scale.md` and `scale.svg`.
    Scale {
        /// The seed, which decides everything random.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Sizes of the fleets.
        #[arg(long, value_delimiter = ',', default_values_t = [2, 10, 100, 256, 257, 300, 1000, 5000, 10_000])]
        nodes: Vec<usize>,
        /// Minutes of virtual time.
        #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(MINUTES_MIN..))]
        minutes: u64,
        /// The largest fleet in which messages cross links as bytes; in larger ones they are handed over as they are.
        #[arg(long, default_value_t = 300)]
        codec_max: usize,
        /// Print figures as JSON, a line for each fleet, and write nothing.
        #[arg(long)]
        json: bool,
        /// Write the page of figures that `--json` has printed with the same seed, minutes and sizes, and run nothing.
        #[arg(long, conflicts_with = "json")]
        figures: Option<PathBuf>,
        /// The folder to write to.
        #[arg(long, default_value = "docs")]
        folder: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(command) = arguments.command {
        let written = write(command);
        written.as_ref().err().into_iter().for_each(|fault| eprintln!("error: {fault}"));
        return if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    if arguments.scenario.as_deref() == Some("list") {
        scenarios::ALL.iter().chain(scenarios::LARGE).for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    }
    if !arguments.trace {
        // A panic of an engine is a rule broken like any other.
        panic::set_hook(Box::new(|_| {}));
    }
    if arguments.hunt {
        println!("{}", hunt(arguments.seeds));
        return ExitCode::SUCCESS;
    }
    let begun = Instant::now();
    let (mut sums, mut failures) = (Figures::default(), 0);
    for seed in (arguments.seed..).take(usize::try_from(arguments.seeds).unwrap_or(usize::MAX)) {
        let plan = match plan(&arguments, seed) {
            Ok(plan) => plan,
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::FAILURE;
            }
        };
        if arguments.trace {
            eprintln!("{plan:#?}");
        }
        let report = run(&plan, arguments.trace);
        sums.add(&report.figures);
        if report.violation.is_some() {
            failures += 1;
            tell(&arguments, seed, &plan, &report);
            if !arguments.keep_going {
                break;
            }
        } else if arguments.seeds == 1 {
            println!("seed {seed}: digest {:032x}", report.digest);
        }
    }
    if arguments.json {
        println!("{}", sums.json());
    } else {
        println!("{sums}");
    }
    println!(
        "{} seeds, {failures} failed, {:.1?}, {:.0?} simulated",
        arguments.seeds,
        begun.elapsed(),
        sums.lasted
    );
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Measures what `command` asks for, and writes it.
fn write(command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Policies { seed, nodes, fleets, folder } => {
            write_policies(&Extent { seed, nodes, fleets }, &folder)
        }
        Command::Return { seed, nodes, codec_max, folder } => write_return(seed, &nodes, codec_max, &folder),
        Command::Scale { seed, nodes, minutes, codec_max, json, figures, folder } => {
            let extent = scale::Extent { seed, nodes, minutes, codec_max };
            let page = match figures {
                Some(file) => read_scale(&extent, &file),
                None => measure_scale(&extent, json),
            };
            page.and_then(|page| if json { Ok(()) } else { write_scale(&page, &folder) })
        }
    }
}

/// Writes the comparison, telling of each result as it comes.
fn write_policies(extent: &Extent, folder: &Path) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let mut on_step = |line: &str| eprintln!("{:>7.1?} {line}", begun.elapsed());
    let document = Document::make(extent, &mut on_step)?;
    fs::write(folder.join("policies.md"), document.page)?;
    fs::write(folder.join("policies.svg"), document.picture)?;
    Ok(())
}

/// Draws how calls return, telling of each fleet as it comes.
fn write_return(seed: u64, nodes: &[usize], codec_max: usize, folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut ramps = Vec::new();
    for &nodes in nodes {
        if nodes < SCENARIO_NODES_MIN {
            return Err(format!("`--nodes` takes {SCENARIO_NODES_MIN} or more, not {nodes}").into());
        }
        let begun = Instant::now();
        let ramp = Ramp::measure(seed, nodes, nodes <= codec_max)?;
        eprintln!("{:>7.1?} {nodes} nodes, calls by second: {:?}", begun.elapsed(), ramp.first(12));
        ramps.push(ramp);
    }
    fs::write(folder.join("return.svg"), ramp::picture(&ramps)?)?;
    Ok(())
}

/// Measures fleets, telling how far that has come, of each as it comes, and of what its run took.
fn measure_scale(extent: &scale::Extent, json: bool) -> Result<ScalePage, Box<dyn Error>> {
    let (begun, mut spent) = (Instant::now(), Duration::ZERO);
    ScalePage::make(extent, &mut |step| match step {
        Step::Begins { nodes, phase } => eprintln!("{:>7.1?} {nodes} nodes: {phase}", begun.elapsed()),
        Step::Measured(row) => {
            let now = spent::processor_time().unwrap_or_default();
            let peak = spent::memory_peak_bytes().unwrap_or_default();
            let took = now.saturating_sub(spent).as_secs_f64();
            spent = now;
            let mut line = row.json();
            line["processor_seconds"] = took.into();
            line["memory_peak_bytes"] = peak.into();
            if json { println!("{line}") } else { eprintln!("{line}") }
        }
    })
}

/// The page of the figures in `file`, which must be of the fleets that `extent` names.
fn read_scale(extent: &scale::Extent, file: &Path) -> Result<ScalePage, Box<dyn Error>> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {name}: {error}"))?;
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let value = serde_json::from_str(line).map_err(|error| format!("{name}, line {number}: {error}"))?;
        let row = Measured::of_json(&value);
        rows.push(row.ok_or_else(|| format!("{name}, line {number}: not the figures of a fleet"))?);
    }
    let sizes: Vec<usize> = rows.iter().map(|row| row.nodes).collect();
    if sizes != extent.nodes {
        return Err(
            format!("{name} has fleets of {sizes:?} nodes, and `--nodes` says {:?}", extent.nodes).into()
        );
    }
    ScalePage::of(extent, &rows)
}

fn write_scale(made: &ScalePage, folder: &Path) -> Result<(), Box<dyn Error>> {
    fs::write(folder.join("scale.md"), &made.page)?;
    fs::write(folder.join("scale.svg"), &made.picture)?;
    Ok(())
}

fn plan(arguments: &Arguments, seed: u64) -> Result<Plan, Box<dyn Error>> {
    let nodes = arguments.nodes.map(|nodes| nodes.of_seed(seed));
    let mut plan = match (&arguments.scenario, &arguments.replay) {
        (None, None) => Plan::from_seed_in(seed, arguments.sort),
        (None, Some(file)) => replay(seed, file)?,
        (Some(name), _) => {
            let made = scenarios::ALL.iter().chain(scenarios::LARGE).find(|(named, _)| named == name);
            let (_, make) = made.ok_or("there is no such scenario; `--scenario list` names them")?;
            let nodes = nodes.unwrap_or(SCENARIO_NODES);
            if nodes < SCENARIO_NODES_MIN {
                let text = format!("a scenario takes {SCENARIO_NODES_MIN} nodes or more, not {nodes}");
                return Err(text.into());
            }
            make(seed, nodes)
        }
    };
    if let Some(kept) = &arguments.only {
        plan = plan.only(kept);
    }
    // A scenario has as many as it was asked for, and more where it needs them.
    if let (Some(nodes), None) = (nodes, &arguments.scenario) {
        plan = plan.with_nodes(nodes);
    }
    if let Some(nodes) = arguments.cut_to {
        plan = plan.with_nodes(nodes.get());
    }
    if let Some(most) = arguments.district_max {
        plan.limits.district_max = most;
    }
    if let Some(guest) = arguments.guests {
        plan.guests = (plan.nodes - plan.nodes / 3..plan.nodes, guest);
    }
    plan.encodes &= !arguments.no_codec;
    Ok(plan)
}

fn replay(seed: u64, file: &Path) -> Result<Plan, Box<dyn Error>> {
    let name = file.display();
    let trace = fs::read_to_string(file).map_err(|error| format!("cannot read {name}: {error}"))?;
    Ok(Plan::from_trace(seed, &trace).map_err(|error| format!("{name}: {error}"))?)
}

fn guest(text: &str) -> Result<Guest, String> {
    match text {
        "always" => Ok(Guest::Always),
        "auto" => Ok(Guest::Auto),
        _other => Err("expected `always` or `auto`".to_owned()),
    }
}

/// How many nodes each seed has.
#[derive(Clone, Copy)]
struct Nodes {
    least: usize,
    most: usize,
}

impl Nodes {
    fn of_seed(self, seed: u64) -> usize {
        self.least + (seed % (self.most - self.least + 1) as u64) as usize
    }
}

impl FromStr for Nodes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        let nodes = least.parse().ok().zip(most.parse().ok());
        let nodes = nodes.filter(|(least, most)| (1..=*most).contains(least) && *most <= NODES_MAX);
        let (least, most) = nodes
            .ok_or_else(|| format!("expected a number from 1 to {NODES_MAX}, or a range of them as 5..50"))?;
        Ok(Self { least, most })
    }
}

/// Says how a plan failed, and the one command that repeats it.
fn tell(arguments: &Arguments, seed: u64, plan: &Plan, report: &Report) {
    let Some(violation) = &report.violation else { return };
    println!("seed {seed}: {violation}");
    let mut command = format!("cargo xtask sim --seed {seed}");
    if let Some(name) = &arguments.scenario {
        write!(command, " --scenario {name}").expect("a string takes everything");
    }
    if let Some(file) = &arguments.replay {
        write!(command, " --replay {}", file.display()).expect("a string takes everything");
    }
    if let Some(sort) = arguments.sort {
        write!(command, " --sort {}", format!("{sort:?}").to_lowercase()).expect("a string takes everything");
    }
    if let Some(most) = arguments.district_max {
        write!(command, " --district-max {most}").expect("a string takes everything");
    }
    if let Some(guest) = arguments.guests {
        write!(command, " --guests {}", format!("{guest:?}").to_lowercase())
            .expect("a string takes everything");
    }
    let nodes = arguments.nodes.map(|nodes| format!(" --nodes {}", nodes.of_seed(seed))).unwrap_or_default();
    let list = |numbers: &[usize]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    if let Some(kept) = &arguments.only {
        // It was made smaller before.
        let cut = arguments.cut_to.map(|nodes| format!(" --cut-to {nodes}")).unwrap_or_default();
        return println!("  repeat: {command}{nodes}{cut} --only {}", list(kept));
    }
    println!("  repeat: {command}{nodes}");
    let shrunk = if arguments.no_shrink { None } else { shrink(plan, SHRINK_RUNS_MAX) };
    if let Some(shrunk) = shrunk {
        println!("  shrunk: {} events, {} nodes, {} runs", shrunk.kept.len(), shrunk.plan.nodes, shrunk.runs);
        println!("          {}", shrunk.violation);
        let size = match arguments.scenario {
            None => format!(" --nodes {}", shrunk.plan.nodes),
            Some(_) => format!("{nodes} --cut-to {}", shrunk.plan.nodes),
        };
        println!("  repeat: {command}{size} --only {} --trace", list(&shrunk.kept));
    }
}

/// Most runs that the search for a smaller plan takes: a few seconds.
const SHRINK_RUNS_MAX: usize = 600;

/// Nodes of a scenario, and the fewest: one that has, one that asks, and one that something happens to.
const SCENARIO_NODES: usize = 5;
const SCENARIO_NODES_MIN: usize = 3;

/// Largest fleet that Fleet Cache is made for.
const NODES_MAX: usize = 10_000;
