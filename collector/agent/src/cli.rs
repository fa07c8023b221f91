//! What can be typed: commands, arguments and their help, nothing else. What an argument means is decided by the
//! command that takes it.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Where `run` and `check-config` look when `--config` is absent: the place of a system service's settings.
pub(crate) const DEFAULT_CONFIG: &str = "/etc/enigma/collector.toml";

/// Mirrored packets in, Zeek-style flow records out, and an exact account of what was lost.
#[derive(Debug, Parser)]
#[command(name = "enigma-collector", version, about, propagate_version = true, after_help = crate::exit::HELP)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands, one variant each.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Receive mirrored packets (VXLAN over UDP) and write records until told to stop (SIGTERM, SIGINT)
    Run(RunArgs),
    /// Read capture files through the same pipeline and write the records
    Replay(ReplayArgs),
    /// Send a capture as a mirror session would: each frame in VXLAN, one datagram a frame
    Send(SendArgs),
    /// Check a configuration file and report every mistake in it
    CheckConfig(CheckArgs),
    /// Print the reference page of the configuration file (Markdown)
    ConfigReference,
    /// Print the reference page of the records (Markdown)
    RecordsReference,
    /// Print the JSON Schema of the records
    RecordsSchema,
}

/// `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Configuration file [default: /etc/enigma/collector.toml when it exists, else built-in defaults]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Once packets are received and HTTP answers, write the bound addresses there as one JSON object; for
    /// scripts that listen on port 0
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
}

/// `replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Captures in the order of their time: pcap or pcapng, plain, gzip or zstd; `-` is standard input. Flows
    /// continue from one file to the next
    #[arg(required = true, value_name = "CAPTURE")]
    pub(crate) captures: Vec<PathBuf>,
    /// Write DIR/conn.log and so on there (replacing files of these names); without it records go to standard
    /// output
    #[arg(long, short, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// What the frames are
    #[arg(long, value_enum, default_value_t = Mode::Auto)]
    pub(crate) mode: Mode,
    /// Count flows and do not look into them: `conn` (and `tunnel`) records only, in half the time. `run` does so with
    /// `flow.content_memory = "0B"`
    #[arg(long)]
    pub(crate) flows_only: bool,
    /// Configuration file, of which `flow`, `enrich` and `receive.allow` are used [default: built-in defaults]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// How `replay` looks at a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Mirror traffic where a frame is VXLAN on its port (or GENEVE that holds it), plain traffic otherwise
    Auto,
    /// Every frame is the traffic itself; tunnels in it are not opened
    Plain,
    /// Every frame is mirror traffic; what is not is counted as dropped
    Vxlan,
}

/// `send`.
#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// The capture to send; `-` is standard input
    #[arg(value_name = "CAPTURE")]
    pub(crate) capture: PathBuf,
    /// Where to send, for example 10.0.3.7:4789 or collector.internal:4789
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) to: String,
    /// The session's VXLAN network identifier
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=0xff_ffff))]
    pub(crate) vni: u32,
    /// Datagrams a second [default: as fast as the socket takes them]
    #[arg(long, value_name = "PPS", conflicts_with = "realtime", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,
    /// Keep the capture's own pace
    #[arg(long)]
    pub(crate) realtime: bool,
    /// Send the capture this many times
    #[arg(long = "loop", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeat: u32,
    /// The address to send from: it plays the mirrored interface (must be an address of this host)
    #[arg(long, value_name = "IP")]
    pub(crate) source: Option<IpAddr>,
}

/// `check-config`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The file to check
    #[arg(value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub(crate) file: PathBuf,
}
