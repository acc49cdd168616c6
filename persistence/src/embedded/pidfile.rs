//! What a cluster's lock files say about the postmaster that wrote them.

use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tracing::warn;

use super::error::EmbeddedError;

/// The file in the data folder that a postmaster keeps while it runs.
const PID_FILE: &str = "postmaster.pid";

/// The lock file that it keeps beside its socket; same lines, fewer of them.
const SOCKET_LOCK: &str = ".s.PGSQL.5432.lock";

/// What a running postmaster says of itself. Lines as in PostgreSQL's `pidfile.h`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PidFile {
    /// Line 1.
    pub pid: i32,
    /// Line 5.
    pub sockets: PathBuf,
    /// Line 8 is `ready`: it accepts connections.
    pub ready: bool,
}

impl PidFile {
    /// Reads the pid file of a data folder; `None` when there is none, or not a whole one yet.
    pub fn read(data: &Path) -> Option<Self> {
        let text = fs::read_to_string(data.join(PID_FILE)).ok()?;
        let line = |number: usize| text.lines().nth(number - 1).map(str::trim);
        Some(Self {
            // A standalone backend writes its pid negated.
            pid: line(1)?.parse().ok().filter(|&pid| pid > 0)?,
            sockets: line(5).unwrap_or_default().into(),
            ready: line(8) == Some("ready"),
        })
    }
}

/// Returns the data folder whose postmaster last held the socket in `sockets`.
pub(super) fn socket_holder(sockets: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(sockets.join(SOCKET_LOCK)).ok()?;
    text.lines().nth(1).map(|line| line.trim().into())
}

/// Who has the process id that a pid file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Nobody,
    OurPostmaster,
    Stranger,
    Unclear,
}

/// Returns the pid file of the postmaster that runs on `data`, if one does.
///
/// A pid file whose process id went to somebody else is removed: PostgreSQL asks only whether that
/// process is alive, and would refuse to start for as long as it is.
pub(super) fn running(data: &Path) -> Result<Option<PidFile>, EmbeddedError> {
    let Some(file) = PidFile::read(data) else { return Ok(None) };
    match owner(file.pid, data) {
        Owner::OurPostmaster => Ok(Some(file)),
        Owner::Nobody | Owner::Unclear => Ok(None), // PostgreSQL itself clears or refuses these.
        Owner::Stranger => {
            let path = data.join(PID_FILE);
            warn!(path = %path.display(), pid = file.pid, "removing the pid file of a dead postmaster");
            fs::remove_file(&path).map_err(EmbeddedError::io("remove", &path))?;
            Ok(None)
        }
    }
}

/// Says whether process `pid` is a postmaster on `data`, now.
pub(super) fn serves(pid: i32, data: &Path) -> bool {
    owner(pid, data) == Owner::OurPostmaster
}

fn owner(pid: i32, data: &Path) -> Owner {
    if kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH) {
        return Owner::Nobody;
    }
    match command_line(pid) {
        Some(words) => judge(&words, data),
        None => Owner::Unclear,
    }
}

/// Judges a command line. A zombie has an empty one.
fn judge(words: &[String], data: &Path) -> Owner {
    let Some(program) = words.first() else { return Owner::Stranger };
    let program = program.rsplit('/').next().unwrap_or_default();
    if !program.starts_with("postgres") && !program.starts_with("postmaster") {
        return Owner::Stranger;
    }
    let folder = words.iter().skip_while(|word| *word != "-D").nth(1).map(PathBuf::from);
    match folder.and_then(|folder| folder.canonicalize().ok()) {
        Some(folder) if data.canonicalize().is_ok_and(|data| data == folder) => {
            Owner::OurPostmaster
        }
        Some(_) => Owner::Stranger,
        None => Owner::Unclear, // A backend, or a data folder that was moved since.
    }
}

/// Reads the command line of a process; world-readable, unlike its working folder.
fn command_line(pid: i32) -> Option<Vec<String>> {
    if let Ok(raw) = fs::read(format!("/proc/{pid}/cmdline")) {
        let words = raw.split(|&byte| byte == 0).filter(|word| !word.is_empty());
        return Some(words.map(|word| String::from_utf8_lossy(word).into_owned()).collect());
    }
    if Path::new("/proc/self").exists() {
        return None;
    }
    // No /proc, as on macOS. A path with spaces ends as unclear, which is the careful answer.
    let mut ps = std::process::Command::new("ps");
    let output = ps.args(["-o", "command=", "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_pid_file_tells_who_runs_where_and_whether_it_is_ready() {
        let data = tempfile::tempdir().unwrap();
        let write = |text: &str| fs::write(data.path().join(PID_FILE), text).unwrap();
        assert_eq!(PidFile::read(data.path()), None);
        write("");
        assert_eq!(PidFile::read(data.path()), None);
        write("42\n/data\n1700000000\n5432\n/tmp/s\n\n  123  456\nready   \n");
        let file = PidFile { pid: 42, sockets: "/tmp/s".into(), ready: true };
        assert_eq!(PidFile::read(data.path()), Some(file));
        write("42\n/data\n1700000000\n5432\n/tmp/s\n\n  123  456\nstarting\n");
        assert!(!PidFile::read(data.path()).unwrap().ready);
    }

    #[test]
    fn only_a_postmaster_on_this_data_is_ours() {
        let (ours, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let data = ours.path().canonicalize().unwrap();
        let judged = |line: &str| judge(&words(line), &data);
        let on = |folder: &Path| format!("/usr/bin/postgres -D {} -c x=y", folder.display());
        assert_eq!(judged(&on(&data)), Owner::OurPostmaster);
        assert_eq!(judged(&on(other.path())), Owner::Stranger);
        assert_eq!(judged(&on(Path::new("/moved/away"))), Owner::Unclear);
        assert_eq!(judged("postgres: checkpointer"), Owner::Unclear);
        assert_eq!(judged("/bin/bash -l"), Owner::Stranger);
        assert_eq!(judge(&[], &data), Owner::Stranger);
    }

    #[test]
    fn a_pid_file_that_names_a_stranger_is_cleared_away() {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join(PID_FILE);
        fs::write(&file, format!("{}\n{}\n0\n5432\n/tmp\n", std::process::id(), "x")).unwrap();
        assert_eq!(running(data.path()).unwrap(), None);
        assert!(!file.exists());
    }
}
