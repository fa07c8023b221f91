//! A child process in its own process group, whose output is kept and which never outlives its owner.
//!
//! Signals go to ids that this module got from the kernel when it started the child, never to names. The group makes
//! that reach grandchildren (a provider below Terraform) and keeps a terminal's Ctrl-C away from them.

use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, kill_process, kill_process_group};

pub use rustix::process::Signal;

/// How often the state of a child is asked for while waiting for its end.
const INTERVAL: Duration = Duration::from_millis(10);

/// Groups that are alive, for [`kill_all`].
static GROUPS: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Kills every process group that this process has started and not yet seen end.
///
/// For a program that is itself told to end: its children are in groups of their own and get no Ctrl-C from the
/// terminal.
pub fn kill_all() {
    for id in groups().drain(..) {
        if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
            kill_process_group(pid, Signal::KILL).ok();
        }
    }
}

fn groups() -> MutexGuard<'static, Vec<u32>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running child process. Dropping it kills its whole process group and reaps it.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    output: Arc<Output>,
    ended: Option<ExitStatus>,
}

/// What a child has printed so far.
#[derive(Debug, Default)]
struct Output {
    lines: Mutex<Lines>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    stdout: Vec<String>,
    stderr: Vec<String>,
    /// Streams that are still open; lines can come until it is 0.
    open: usize,
}

/// One of the two output streams.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stream {
    /// Standard error.
    Stderr,
    /// Standard output.
    Stdout,
}

impl Running {
    /// Starts `command` as the leader of a new process group, without input; its output is kept line by line.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(mut command: Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("`{name}` does not start"))?;
        groups().push(child.id());
        let output = Arc::new(Output::default());
        let streams = [
            (Stream::Stdout, child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>)),
            (Stream::Stderr, child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>)),
        ];
        output.lock().open = streams.len();
        for (stream, pipe) in streams {
            let output = Arc::clone(&output);
            std::thread::spawn(move || output.read(stream, pipe));
        }
        Ok(Self { name, child, output, ended: None })
    }

    /// Returns the process id, which is the id of the process group as well.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns what came on `stream` so far.
    #[must_use]
    pub fn text(&self, stream: Stream) -> String {
        self.output.lock().of(stream).iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    /// Waits until a line of `stream` gives a value, at most `limit` long. Lines already printed count.
    ///
    /// # Errors
    /// The limit passes or the streams close without such a line; with everything that was printed.
    pub fn line<T>(
        &self,
        stream: Stream,
        limit: Duration,
        mut pick: impl FnMut(&str) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + limit;
        let mut seen = 0;
        let mut lines = self.output.lock();
        loop {
            for line in &lines.of(stream)[seen..] {
                if let Some(value) = pick(line) {
                    return Ok(value);
                }
            }
            seen = lines.of(stream).len();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || lines.open == 0 {
                let why = if lines.open == 0 { "ends" } else { "goes on" };
                let said = [lines.stdout.join("\n"), lines.stderr.join("\n")].join("\n");
                bail!("`{}` {why} without the line that was waited for; it said:\n{said}", self.name);
            }
            lines = match self.output.more.wait_timeout(lines, left) {
                Ok((lines, _)) => lines,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// Sends `signal` to the process alone.
    ///
    /// # Errors
    /// The process has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid()?, signal).with_context(|| format!("{signal:?} to `{}`", self.name))
    }

    /// Sends `signal` to the whole process group, as a terminal does on Ctrl-C.
    ///
    /// # Errors
    /// The group has ended.
    pub fn signal_group(&self, signal: Signal) -> Result<()> {
        kill_process_group(self.pid()?, signal)
            .with_context(|| format!("{signal:?} to the group of `{}`", self.name))
    }

    /// Reports whether the process is still running.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn is_running(&mut self) -> Result<bool> {
        if self.ended.is_none() {
            // Reaped under the lock: as long as an id is in the list, it is ours.
            let mut groups = groups();
            self.ended = self.child.try_wait()?;
            if self.ended.is_some() {
                groups.retain(|id| *id != self.child.id());
            }
        }
        Ok(self.ended.is_none())
    }

    /// Waits for the process to end by itself and for its output to be complete, at most `limit` long.
    ///
    /// # Errors
    /// It is still running at the limit; it is left running, and dropping it kills it.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        while self.is_running()? {
            if Instant::now() >= deadline {
                bail!("`{}` still runs after {limit:?}; it said:\n{}", self.name, self.text(Stream::Stderr));
            }
            std::thread::sleep(INTERVAL);
        }
        let mut lines = self.output.lock();
        while lines.open > 0 && Instant::now() < deadline {
            // A grandchild may hold the pipe open; the limit holds for it, too.
            lines = match self.output.more.wait_timeout(lines, INTERVAL) {
                Ok((lines, _)) => lines,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        drop(lines);
        self.ended.context("a process that has ended has a status")
    }

    /// Asks the process to end with SIGTERM and waits for it, at most `limit` long.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn stop(&mut self, limit: Duration) -> Result<ExitStatus> {
        if self.is_running()? {
            self.signal(Signal::TERM)?;
        }
        self.wait(limit)
    }

    fn pid(&self) -> Result<Pid> {
        if self.ended.is_some() {
            bail!("`{}` has ended", self.name);
        }
        Pid::from_raw(i32::try_from(self.child.id())?).context("process id 0")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Once reaped, the id may belong to a stranger: a group whose leader has ended is not signalled any more.
        if self.is_running().unwrap_or(false) {
            self.signal_group(Signal::KILL).ok();
            let mut groups = groups();
            self.child.wait().ok();
            groups.retain(|id| *id != self.child.id());
        }
    }
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, stream: Stream, pipe: Option<Box<dyn Read + Send>>) {
        if let Some(pipe) = pipe {
            let mut reader = BufReader::new(pipe);
            let mut line = Vec::new();
            while matches!(reader.read_until(b'\n', &mut line), Ok(length) if length > 0) {
                let text = String::from_utf8_lossy(&line);
                let text = text.strip_suffix('\n').unwrap_or(&text).to_owned();
                self.lock().of_mut(stream).push(text);
                self.more.notify_all();
                line.clear();
            }
        }
        self.lock().open -= 1;
        self.more.notify_all();
    }
}

impl Lines {
    fn of(&self, stream: Stream) -> &Vec<String> {
        match stream {
            Stream::Stderr => &self.stderr,
            Stream::Stdout => &self.stdout,
        }
    }

    fn of_mut(&mut self, stream: Stream) -> &mut Vec<String> {
        match stream {
            Stream::Stderr => &mut self.stderr,
            Stream::Stdout => &mut self.stdout,
        }
    }
}

#[cfg(test)]
mod tests;
