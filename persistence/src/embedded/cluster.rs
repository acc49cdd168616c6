//! The cluster: making it, and how its programs are called.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;
use tracing::{debug, info};

use super::account::Account;
use super::error::EmbeddedError;
use super::home::sync_folder;
use super::installation::Installation;
use super::place::{Place, keep_sockets};

/// The name of the superuser; it can only come over the private socket.
pub(super) const SUPERUSER: &str = "postgres";

/// How long `initdb` may take. It takes 1 to 3 s; a slow disk syncs for longer.
const INIT_WAIT_MAX: Duration = Duration::from_secs(180);

/// How long a question to the `postgres` program may take.
const PROBE_WAIT_MAX: Duration = Duration::from_secs(10);

/// The names that clusters in the making have.
const UNFINISHED_PREFIX: &str = "init-";

/// The settings every start gives on the command line, which outranks all files.
///
/// The first group is the promise that a commit is kept. Then: nothing listens but the socket. Then
/// what suits many small commits: few checkpoints, no plans compiled. Then a log that tells what
/// broke, without the values that were in the rows.
const SETTINGS: [&str; 16] = [
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    "max_connections=64",
    "shared_buffers=256MB",
    "max_wal_size=4GB",
    "min_wal_size=1GB",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    "log_checkpoints=off",
    "log_error_verbosity=terse",
    "logging_collector=off",
];

/// Cheaper compression, where PostgreSQL was built with it.
const SETTINGS_LZ4: [&str; 2] = ["wal_compression=lz4", "default_toast_compression=lz4"];

/// A cluster that exists, and all it takes to run it.
#[derive(Debug, Clone)]
pub(super) struct Cluster {
    account: Account,
    pub data: PathBuf,
    pub sockets: PathBuf,
    pub log: PathBuf,
    postgres: PathBuf,
    lz4: bool,
}

impl Cluster {
    /// Describes the cluster of `place`, to be run with `installation`.
    pub async fn new(
        installation: &Installation,
        place: &Place,
        log: PathBuf,
    ) -> Result<Self, EmbeddedError> {
        let (account, data) = (place.account, place.data.clone());
        let postgres = installation.program("postgres");
        let mut probe = account.command(&postgres);
        with_settings(probe.arg("-D").arg(&data), &SETTINGS_LZ4).args(["-C", "wal_compression"]);
        let lz4 = run(&mut probe, "postgres", PROBE_WAIT_MAX).await?.status.success();
        debug!(lz4, "asked postgresql whether it knows lz4");
        Ok(Self { account, data, sockets: place.record.sockets.clone(), log, postgres, lz4 })
    }

    /// Makes the socket folder again where somebody cleaned it away.
    ///
    /// # Errors
    /// [`EmbeddedError::Io`] as [`keep_sockets`].
    pub fn keep_sockets(&self) -> Result<(), EmbeddedError> {
        keep_sockets(&self.sockets, self.account)
    }

    /// Prepares the call that runs the postmaster.
    pub fn postmaster(&self) -> Command {
        let mut command = self.account.command(&self.postgres);
        with_settings(command.arg("-D").arg(&self.data), &SETTINGS);
        if self.lz4 {
            with_settings(&mut command, &SETTINGS_LZ4);
        }
        command.arg("-c").arg(format!("unix_socket_directories={}", self.sockets.display()));
        command
    }
}

/// Makes a new cluster and gives it the name `data` only when it is complete.
///
/// What a crash leaves behind has another name and is swept away by the next attempt. Each attempt
/// has a name of its own: an `initdb` may outlive the server that began it.
pub(super) async fn init(
    installation: &Installation,
    account: Account,
    data: &Path,
) -> Result<(), EmbeddedError> {
    let place = data.parent().unwrap_or(Path::new("/"));
    sweep(place);
    let folder = tempfile::Builder::new()
        .prefix(UNFINISHED_PREFIX)
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(place)
        .map_err(EmbeddedError::io("create a folder in", place))?;
    account.take(folder.path())?;

    let mut initdb = account.command(&installation.program("initdb"));
    initdb.arg("-D").arg(folder.path()).args([
        "--username",
        SUPERUSER,
        "--encoding=UTF8",
        "--locale=C",
        "--auth-local=trust", // The socket's folder is the guard.
        "--auth-host=reject",
        "--data-checksums",
        "--no-instructions",
    ]);
    let output = run(&mut initdb, "initdb", INIT_WAIT_MAX).await?;
    if !output.status.success() {
        return Err(EmbeddedError::InitFailed { said: reason(&output.stderr) });
    }
    fs::rename(folder.path(), data).map_err(EmbeddedError::io("rename to", data))?;
    let _gone = folder.keep(); // It has its final name now; nothing is left to remove.
    sync_folder(place)?;
    info!(data = %data.display(), version = installation.version, "made a new postgresql cluster");
    Ok(())
}

/// Returns the major version that made the cluster in `data`; `None` when there is none yet.
pub(super) fn major(data: &Path) -> Option<u32> {
    fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// Returns the line that says why a program of PostgreSQL gave up: the last fatal one, else the last.
pub(super) fn reason(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let grave = |line: &&str| ["FATAL:", "PANIC:", "error:"].iter().any(|word| line.contains(word));
    lines().rfind(grave).or_else(|| lines().next_back()).unwrap_or("it said nothing").to_owned()
}

fn with_settings<'a>(command: &'a mut Command, settings: &[&str]) -> &'a mut Command {
    settings.iter().fold(command, |command, setting| command.arg("-c").arg(setting))
}

async fn run(
    command: &mut Command,
    program: &'static str,
    limit: Duration,
) -> Result<Output, EmbeddedError> {
    let output = timeout(limit, command.kill_on_drop(true).output()).await;
    let slow = EmbeddedError::Slow { program, limit_s: limit.as_secs() };
    output.map_err(|_elapsed| slow)?.map_err(EmbeddedError::io("run", Path::new(program)))
}

/// Removes what interrupted attempts left behind. What resists is in nobody's way.
fn sweep(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED_PREFIX) {
            let (path, removed) = (entry.path(), fs::remove_dir_all(entry.path()));
            info!(path = %path.display(), removed = removed.is_ok(), "found an unfinished cluster");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_last_grave_line() {
        let log = b"LOG: starting\nFATAL:  lock file exists\nHINT: is another one running?\n";
        assert_eq!(reason(log), "FATAL:  lock file exists");
        assert_eq!(reason(b"a\nb\n\n"), "b");
        assert_eq!(reason(b""), "it said nothing");
    }
}
