//! Which processor each worker runs on, if that was asked for. What is asked is held against what the process may use
//! before anything is opened; a worker then pins itself, and a sandbox that refuses that costs a warning. Knows nothing of
//! which processor is near which network card.

use std::io;
use std::sync::{Arc, Once};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tracing::warn;

use crate::config::receive::Pin;

/// Where the kernel says which processors run (sysfs-devices-system-cpu), in the form of [`ranges`].
const ONLINE: &str = "/sys/devices/system/cpu/online";

/// What was asked for cannot be had on this host.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum PinError {
    #[error(
        "receive.pin names processor {processor}, which does not run on this host: {} do",
        ranges(online)
    )]
    Absent { processor: usize, online: Vec<usize> },
    #[error(
        "receive.pin names processor {processor}, which the collector may not use: its service manager, control group or \
         container leaves it {}",
        ranges(allowed)
    )]
    NotAllowed { processor: usize, allowed: Vec<usize> },
    #[error(
        "receive.pin = \"on\" takes a processor for each of {workers} workers, and the collector may use only {}: lower \
         receive.workers, or allow it more",
        ranges(allowed)
    )]
    TooFew { workers: usize, allowed: Vec<usize> },
}

/// The processors of a run's workers.
pub(super) struct Pins {
    /// By worker; none where none was asked for.
    processors: Vec<usize>,
    /// The same sandbox refuses it to all: it is told once.
    told: Arc<Once>,
}

impl Pins {
    /// Holds what is asked for against what this host has.
    ///
    /// # Errors
    /// When a processor that is asked for cannot be had.
    pub(super) fn find(pin: &Pin, workers: usize) -> Result<Self, PinError> {
        let processors = match allowed() {
            _ if *pin == Pin::Off => Vec::new(),
            Ok(allowed) => choose(pin, workers, &allowed, online().as_deref())?,
            Err(error) => {
                warn!("workers are not pinned, the processors that they may use cannot be told: {error}");
                Vec::new()
            }
        };
        Ok(Self { processors, told: Arc::new(Once::new()) })
    }

    /// What the thread of this worker does first.
    pub(super) fn of(&self, worker: usize) -> impl FnOnce() + Send + 'static {
        let (processor, told) = (self.processors.get(worker).copied(), Arc::clone(&self.told));
        move || {
            if let Some(Err(error)) = processor.map(stay_on) {
                told.call_once(|| {
                    warn!(
                        "workers are not pinned (receive.pin), because the sandbox refuses it (under systemd: \
                         SystemCallFilter=sched_setaffinity): {error}"
                    );
                });
            }
        }
    }
}

/// The processors that this thread may use, in their order. Threads that it starts may use the same.
///
/// # Errors
/// Where a sandbox refuses sched_getaffinity(2), or the host has more than 1024 processors.
fn allowed() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|processor| set.is_set(*processor)).collect())
}

/// The processors that run; `None` where the host does not say.
fn online() -> Option<Vec<usize>> {
    parse(&std::fs::read_to_string(ONLINE).ok()?)
}

/// The processor of each worker; none where none was asked for.
///
/// # Errors
/// When one that is asked for cannot be had.
fn choose(
    pin: &Pin,
    workers: usize,
    allowed: &[usize],
    online: Option<&[usize]>,
) -> Result<Vec<usize>, PinError> {
    match pin {
        Pin::Off => Ok(Vec::new()),
        Pin::On => match allowed.get(..workers) {
            Some(first) => Ok(first.to_vec()),
            None => Err(PinError::TooFew { workers, allowed: allowed.to_vec() }),
        },
        Pin::To(list) => match list.iter().find(|processor| !allowed.contains(processor)) {
            None => Ok(list.clone()),
            Some(&processor) => Err(match online.filter(|online| !online.contains(&processor)) {
                Some(online) => PinError::Absent { processor, online: online.to_vec() },
                None => PinError::NotAllowed { processor, allowed: allowed.to_vec() },
            }),
        },
    }
}

/// Keeps the calling thread on one processor, of those that [`allowed`] has named.
///
/// # Errors
/// Where a sandbox refuses sched_setaffinity(2), or the processor has been taken away meanwhile.
fn stay_on(processor: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(processor);
    Ok(sched_setaffinity(None, &set)?)
}

/// Processors in the kernel's list format (cpuset(7)), such as `0-3,8`.
fn ranges(processors: &[usize]) -> String {
    let runs = processors.chunk_by(|before, after| before + 1 == *after);
    let shown: Vec<String> = runs
        .map(|run| match run {
            [first, .., last] => format!("{first}-{last}"),
            run => run.iter().map(usize::to_string).collect(),
        })
        .collect();
    shown.join(",")
}

fn parse(list: &str) -> Option<Vec<usize>> {
    let mut processors = Vec::new();
    for run in list.trim().split(',') {
        let (first, last) = run.split_once('-').unwrap_or((run, run));
        processors.extend(first.parse().ok()?..=last.parse::<usize>().ok()?);
    }
    Some(processors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_get_what_was_asked_in_its_order_or_a_reason() {
        let allowed = [0, 1, 2, 6];
        let online: Vec<usize> = (0..8).collect();
        let choose = |pin: &Pin, workers| choose(pin, workers, &allowed, Some(&online));
        assert_eq!(choose(&Pin::Off, 64), Ok(vec![]));
        assert_eq!(choose(&Pin::On, 3), Ok(vec![0, 1, 2]));
        assert_eq!(choose(&Pin::On, 4), Ok(vec![0, 1, 2, 6]));
        let few = choose(&Pin::On, 5).unwrap_err().to_string();
        assert!(few.contains("each of 5 workers") && few.contains("only 0-2,6:"), "{few}");
        assert_eq!(choose(&Pin::To(vec![6, 0]), 2), Ok(vec![6, 0]));
        let refused = choose(&Pin::To(vec![6, 7]), 2).unwrap_err().to_string();
        assert!(refused.contains("processor 7, which the collector may not use"), "{refused}");
        let absent = choose(&Pin::To(vec![8]), 1).unwrap_err().to_string();
        assert!(absent.contains("processor 8, which does not run on this host: 0-7 do"), "{absent}");
        // Without a word of the host's, what is allowed is all there is to say.
        let unknown = super::choose(&Pin::To(vec![8]), 1, &allowed, None);
        assert_eq!(unknown, Err(PinError::NotAllowed { processor: 8, allowed: allowed.to_vec() }));
    }

    #[test]
    fn lists_are_read_and_written_as_the_kernel_does() {
        for text in ["0", "0-1", "0-3,8", "1,3,5-7,1023"] {
            assert_eq!(ranges(&parse(&format!("{text}\n")).unwrap()), text);
        }
        assert_eq!(parse("0-"), None);
        assert_eq!(parse(""), None);
        // The kernel's own, of this very process.
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
        assert_eq!(ranges(&allowed().unwrap()), list.trim());
    }
}
