//! `enigma-aws-sim`: the simulator as a program, for people, scripts and other languages.

#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use enigma_aws_sim::{Options, Sim, World};

/// EC2 traffic mirroring and STS on loopback, stricter than AWS
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// World file: accounts, networks and machines
    #[arg(long, value_name = "FILE")]
    world: PathBuf,
    /// Loopback address to listen on; port 0 finds a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// moto server that answers what the simulator does not own
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
}

#[expect(clippy::print_stdout, reason = "the one line that tells scripts where to connect")]
fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let world = World::load(&arguments.world)
        .with_context(|| format!("simulator did not start from {}", arguments.world.display()))?;
    let options = Options { listen: arguments.listen, upstream: arguments.upstream, ..Options::default() };
    let sim = Sim::start_with(&world, options).context("simulator did not start")?;
    println!("listening on {}", sim.endpoint());
    sim.wait();
    Ok(())
}
