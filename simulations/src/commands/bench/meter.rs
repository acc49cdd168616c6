//! What processes cost, read from `/proc`.

use std::collections::HashMap;
use std::fs;

use anyhow::Context;
use tokio::time::Instant;

/// Units of CPU time in a second. Source: proc(5); it is 100 on every Linux of today.
const TICKS_PER_SECOND: f64 = 100.0;
/// Fields of `/proc/<pid>/stat` after the name: parent, then utime, stime, cutime, cstime.
const PARENT: usize = 1;
/// See [`PARENT`].
const TIMES: std::ops::RangeInclusive<usize> = 11..=14;
/// Fields of the first line of `/proc/stat`: user, nice, system, steal. Interrupts belong to nobody.
const BUSY: [usize; 4] = [1, 2, 3, 8];

/// Measures what some processes use, their children included, and what is not ours at all.
pub(super) struct Meter {
    measured: Vec<i32>,
    ours: Vec<i32>,
    start: Reading,
    began: Instant,
}

/// What was used between two moments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// CPU seconds of the measured processes.
    pub cpu_s: f64,
    /// The share of the machine's CPU that went to processes that are not part of the bench.
    pub foreign: f64,
}

struct Reading {
    measured: u64,
    ours: u64,
    busy: u64,
}

impl Meter {
    /// Begins to measure the trees below `measured`. What is below this process or `others` is ours too:
    /// a database outlives its server, and is then nobody's child.
    pub(super) fn start(measured: &[i32], others: &[i32]) -> anyhow::Result<Self> {
        let measured = measured.to_vec();
        let ours = [&measured[..], others, &[i32::try_from(std::process::id())?]].concat();
        let start = Reading::take(&measured, &ours)?;
        Ok(Self { measured, ours, start, began: Instant::now() })
    }

    /// Returns what was used since then.
    pub(super) fn stop(self) -> anyhow::Result<Usage> {
        let end = Reading::take(&self.measured, &self.ours)?;
        let seconds = |ticks: u64| ticks as f64 / TICKS_PER_SECOND;
        let cores = std::thread::available_parallelism()?.get() as f64;
        let ours = seconds(end.ours.saturating_sub(self.start.ours));
        let busy = seconds(end.busy.saturating_sub(self.start.busy));
        let had = self.began.elapsed().as_secs_f64() * cores;
        Ok(Usage {
            cpu_s: seconds(end.measured.saturating_sub(self.start.measured)),
            foreign: ((busy - ours) / had.max(f64::EPSILON)).clamp(0.0, 1.0),
        })
    }
}

impl Reading {
    fn take(measured: &[i32], ours: &[i32]) -> anyhow::Result<Self> {
        let processes = processes();
        let stat = fs::read_to_string("/proc/stat").context("only Linux says what a run costs")?;
        let total: Vec<&str> = stat.lines().next().unwrap_or_default().split_whitespace().collect();
        let busy = BUSY.iter().filter_map(|field| total.get(*field)?.parse::<u64>().ok()).sum();
        Ok(Self { measured: ticks(&processes, measured), ours: ticks(&processes, ours), busy })
    }
}

struct Process {
    parent: i32,
    /// Its own and those of its children that ended.
    ticks: u64,
}

fn processes() -> HashMap<i32, Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, process(pid)?))).collect()
}

/// Reads one process; it may be gone.
fn process(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = TIMES.filter_map(|field| fields.get(field)?.parse::<u64>().ok()).sum();
    Some(Process { parent: fields.get(PARENT)?.parse().ok()?, ticks })
}

/// Adds up the trees below `roots`, each process once.
fn ticks(processes: &HashMap<i32, Process>, roots: &[i32]) -> u64 {
    let is_below = |pid: &i32| {
        let mut at = Some(*pid);
        // A parent may have ended while the list was read; then the way up ends.
        while let Some(pid) = at {
            if roots.contains(&pid) {
                return true;
            }
            at = processes.get(&pid).map(|process| process.parent);
        }
        false
    };
    processes.iter().filter(|(pid, _)| is_below(pid)).map(|(_, process)| process.ticks).sum()
}

/// What a process holds, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    /// All its pages that are in memory.
    pub rss: u64,
    /// The same, with what it shares counted in parts.
    pub pss: u64,
}

impl Memory {
    /// Reads what the process holds now.
    pub(super) fn of(pid: i32) -> anyhow::Result<Self> {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let bytes = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
            number.map(|kib| kib * 1024).with_context(|| format!("{path} does not say {name}"))
        };
        Ok(Self { rss: bytes("Rss:")?, pss: bytes("Pss:")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_added_up_once_whatever_its_roots_are() {
        let process = |parent, ticks| Process { parent, ticks };
        let processes = HashMap::from([
            (1, process(0, 1_000)),
            (10, process(1, 1)),
            (11, process(10, 2)),
            (12, process(11, 4)),
            (20, process(1, 8)),
        ]);
        assert_eq!(ticks(&processes, &[10]), 7);
        assert_eq!(ticks(&processes, &[10, 12, 20]), 15);
        assert_eq!(ticks(&processes, &[99]), 0);
    }

    #[test]
    fn this_process_is_found_and_costs_something() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(processes().contains_key(&own));
        let memory = Memory::of(own).unwrap();
        assert!(memory.pss > 0 && memory.pss <= memory.rss, "{memory:?}");
    }
}
