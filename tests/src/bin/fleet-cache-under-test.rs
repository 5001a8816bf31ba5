//! The `fleet-cache` binary under a name that tests of this package are given the path of.

use std::process::ExitCode;

fn main() -> ExitCode {
    cache_cli::run()
}
