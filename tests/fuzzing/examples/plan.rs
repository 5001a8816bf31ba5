//! Runs the plan in a file that a fuzzer found, makes it smaller, and prints what is left and, on standard error,
//! everything that happens in it: `plan FILE`.

use cache_simulator::{Plan, run, shrink};
use std::{env, fs, io, path::PathBuf};

fn main() -> io::Result<()> {
    let file = env::args_os().nth(1).map(PathBuf::from).ok_or(io::ErrorKind::InvalidInput)?;
    let plan = Plan::from_bytes(&fs::read(file)?);
    match shrink(&plan, RUNS_MAX) {
        Some(shrunk) => {
            run(&shrunk.plan, true);
            println!("{shrunk:#?}");
        }
        None => println!("no rule is broken"),
    }
    Ok(())
}

/// Runs spent on making the plan smaller.
const RUNS_MAX: usize = 200;
