//! The `fleet-cache` binary; all of it is in the library of this package.

fn main() -> std::process::ExitCode {
    cache_cli::run()
}
