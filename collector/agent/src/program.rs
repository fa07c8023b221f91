//! The commands, from arguments to an exit code: reads files, starts logging, says how it ended.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::SystemTime;

use clap::Parser as _;

use crate::cli::{self, Cli, Command, ReplayArgs, RunArgs, SendArgs};
use crate::config::http::TlsFiles;
use crate::config::{self, Config, Problems};
use crate::exit::Exit;
use crate::http::identity::Identity;
use crate::http::token::Token;
use crate::logging::{self, Logging};
use crate::run::{self, Reload, Settings};
use crate::{replay, report, schema, send};

/// What the environment says. Nothing in the library reads it by itself.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `ENIGMA_LOG`: the level of messages for the moment, without an edit of the file.
    pub level: Option<String>,
    /// `ENIGMA_HTTP_TOKEN`: the bearer token of the API, before that of `http.token_file`.
    pub http_token: Option<String>,
}

/// The program: takes the arguments of the process and does what they say.
pub fn main(environment: Environment) -> ExitCode {
    let exit = match Cli::parse().command {
        Command::Run(args) => run(args, environment),
        Command::Replay(args) => replay(&args, &environment),
        Command::Send(args) => send(&args),
        Command::CheckConfig(args) => check_config(&args.file),
        Command::ConfigReference => print(&config::reference::page()),
        Command::RecordsReference => print(&schema::page()),
        Command::RecordsSchema => print(&schema::schema()),
    };
    exit.unwrap_or_else(|exit| exit).into()
}

/// A page on standard output.
fn print(page: &str) -> Result<Exit, Exit> {
    // A closed pipe is the reader's choice.
    drop(io::stdout().write_all(page.as_bytes()));
    Ok(Exit::Whole)
}

/// Reads and checks a configuration file. Without a path: the usual one where it exists, else the defaults.
fn load(path: Option<&Path>) -> Result<Config, Exit> {
    read_config(path).map_err(|text| {
        say(&text);
        Exit::Usage
    })
}

fn read_config(path: Option<&Path>) -> Result<Config, String> {
    Ok(File::read(path)?.map_or_else(Config::default, |file| file.config))
}

/// The same with the files that a running collector needs of those it names.
fn read_settings(path: Option<&Path>) -> Result<Settings, String> {
    let Some(File { name, text, config }) = File::read(path)? else {
        return Ok(Settings { config: Config::default(), identity: None });
    };
    let identity = config.http.tls.as_ref().map(Identity::load).transpose().map_err(|errors| {
        let wrong = errors.iter().map(|error| (TlsFiles::named_by(error.is_of_key()), report::chain(error)));
        Problems::of_files(&name, &text, wrong.collect()).to_string()
    })?;
    Ok(Settings { config, identity })
}

fn load_settings(path: Option<&Path>) -> Result<Settings, Exit> {
    read_settings(path).map_err(|text| {
        say(&text);
        Exit::Usage
    })
}

/// A configuration file without mistakes.
struct File {
    name: String,
    text: String,
    config: Config,
}

impl File {
    /// `None` where no path is given and there is no file at the usual one.
    fn read(path: Option<&Path>) -> Result<Option<Self>, String> {
        let usual = Path::new(cli::DEFAULT_CONFIG);
        let path = match path {
            Some(path) => path,
            None if usual.exists() => usual,
            None => return Ok(None),
        };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read the configuration file {name}: {error}"))?;
        let config = Config::parse(&text, &name).map_err(|problems| problems.to_string())?;
        Ok(Some(Self { name, text, config }))
    }
}

fn check_config(file: &Path) -> Result<Exit, Exit> {
    let settings = load_settings(Some(file))?;
    if let Some(doubt) = settings.identity.and_then(|identity| identity.doubt(SystemTime::now())) {
        say(&format!("warning: {doubt}"));
    }
    say(&format!("{}: no mistakes", file.display()));
    Ok(Exit::Whole)
}

fn run(args: RunArgs, environment: Environment) -> Result<Exit, Exit> {
    let settings = load_settings(args.config.as_deref())?;
    let logging = Rc::new(start_logging(&settings.config, &environment)?);
    let token =
        Token::find(environment.http_token, settings.config.http.token_file.as_deref()).map_err(|error| {
            say(&format!("nothing was received: {}", report::chain(&error)));
            Exit::Failed
        })?;
    let reload = Reload {
        read: Box::new(move || read_settings(args.config.as_deref())),
        reopen_log: Box::new({
            let logging = Rc::clone(&logging);
            move || logging.reopen().map_err(|error| report::chain(&error))
        }),
        set_level: Box::new(move |to| logging.set_level(to)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        say(&format!("cannot start the runtime of signals and HTTP: {error}"));
        Exit::Failed
    })?;
    let outcome = runtime.block_on(run::run(settings, token, reload, args.ready_file));
    // Not by dropping it: that would wait for a writer that is stuck in a write for ever.
    runtime.shutdown_background();
    let outcome = outcome.map_err(|error| {
        say(&format!("nothing was received: {}", report::chain(&error)));
        Exit::Failed
    })?;
    say(&report::kernel(&outcome.totals));
    say(&report::account(&outcome.totals));
    Ok(match outcome.fault {
        Some(_) => Exit::Failed,
        None if outcome.totals.lossy() => Exit::Lossy,
        None => Exit::Whole,
    })
}

fn replay(args: &ReplayArgs, environment: &Environment) -> Result<Exit, Exit> {
    // Only a named file counts: an offline run must not change with the host's service.
    let mut config = args.config.as_deref().map_or_else(|| Ok(Config::default()), |path| load(Some(path)))?;
    if args.flows_only {
        config.flow.content_memory = 0;
    }
    start_logging(&config, environment)?;
    let outcome =
        replay::replay(&args.captures, args.output.clone(), args.mode, &config).map_err(|error| {
            say(&format!("nothing was replayed: {}", report::chain(&error)));
            Exit::Failed
        })?;
    for fault in &outcome.faults {
        say(&report::chain(fault));
    }
    let damaged = outcome.summary.damaged_blocks;
    if damaged > 0 {
        say(&format!("{damaged} pcapng blocks could not be read and were stepped over"));
    }
    say(&report::account(&outcome.totals));
    let nothing_read = outcome.summary.frames == 0 && outcome.faults.len() == args.captures.len();
    Ok(match () {
        () if nothing_read => Exit::Failed,
        () if damaged > 0 || !outcome.faults.is_empty() || outcome.totals.lossy() => Exit::Lossy,
        () => Exit::Whole,
    })
}

fn send(args: &SendArgs) -> Result<Exit, Exit> {
    let outcome = send::send(args).map_err(|error| {
        say(&format!("nothing was sent: {}", report::chain(&error)));
        Exit::Failed
    })?;
    say(&outcome.to_string());
    Ok(if outcome.whole() { Exit::Whole } else { Exit::Lossy })
}

fn start_logging(config: &Config, environment: &Environment) -> Result<Logging, Exit> {
    let level = match &environment.level {
        None => None,
        Some(word) => match config::log::LEVELS.iter().find(|(name, _)| name == word) {
            Some((_, level)) => Some(*level),
            None => {
                let allowed: Vec<&str> = config::log::LEVELS.iter().map(|(name, _)| *name).collect();
                say(&format!("ENIGMA_LOG: found {word:?}, allowed: {}", allowed.join(", ")));
                return Err(Exit::Usage);
            }
        },
    };
    logging::start(&config.log, level).map_err(|error| {
        say(&report::chain(&error));
        Exit::Failed
    })
}

/// One message to the person at the terminal (or the journal). Records may be on standard output.
fn say(text: &str) {
    // Standard error may be closed; then nobody is there to be told.
    drop(writeln!(io::stderr().lock(), "{text}"));
}
