//! The model origin as a process of its own, for benchmarks and for trying things out by hand.

use cache_model_origin::ModelOrigin;
use clap::Parser;
use std::{io, net::Ipv4Addr, thread};

/// A model of api.github.com on the loopback interface.
#[derive(Parser)]
struct Arguments {
    /// Port of 127.0.0.1 to listen at; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Print the port alone on the first line of standard output.
    #[arg(long)]
    print_port: bool,
    /// What the addresses in answers begin with.
    #[arg(long, default_value = "https://api.github.com")]
    public_url: String,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let origin = ModelOrigin::start_at((Ipv4Addr::LOCALHOST, arguments.port).into())?;
    origin.set_public_url(&arguments.public_url);
    if arguments.print_port {
        println!("{}", origin.address().port());
    } else {
        eprintln!("listening at {}", origin.url());
    }
    loop {
        thread::park();
    }
}
