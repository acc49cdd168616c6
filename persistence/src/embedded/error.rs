//! What can go wrong with the embedded server.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::installation::MAJOR_MIN;

/// Everything the embedded server can fail with.
///
/// Each message is one line that a person at the terminal can act on; the cause is in `source()`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// No usable PostgreSQL on this machine.
    #[error(
        "no postgresql {MAJOR_MIN} or later was found in {looked}: install it with `{install}`"
    )]
    NotInstalled {
        /// Where it was looked for.
        looked: String,
        /// The command that installs it here.
        install: &'static str,
    },
    /// The newest PostgreSQL found is older than we support.
    #[error(
        "postgresql {version} in {} is too old, {MAJOR_MIN} or later is needed: install it with `{install}`",
        folder.display()
    )]
    TooOld {
        /// The newest version found.
        version: String,
        /// The folder of its programs.
        folder: PathBuf,
        /// The command that installs a newer one here.
        install: &'static str,
    },
    /// The data was made by a major version that is not installed.
    #[error(
        "the database in {} was made by postgresql {needed}, but only {found} is installed: install {needed} or move the data with pg_upgrade",
        data.display()
    )]
    OtherMajor {
        /// The data folder.
        data: PathBuf,
        /// The major version that made it.
        needed: u32,
        /// The versions that are installed.
        found: String,
    },
    /// Another server holds the home.
    #[error("{} is in use by another server (process {pid})", folder.display())]
    HomeInUse {
        /// The folder that is held.
        folder: PathBuf,
        /// The holder's process id, or `unknown`.
        pid: String,
    },
    /// We are root and found nobody to run the cluster as.
    #[error("postgresql refuses to run as root, and no user `postgres` or `nobody` exists here")]
    NoAccount,
    /// The data belongs to an account that we cannot run a cluster as.
    #[error("the database in {} belongs to user id {uid}: run as that user (never root's)", data.display())]
    ForeignData {
        /// The data folder.
        data: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// The home once had a database, and it is gone.
    #[error(
        "the database of this home was in {} and is gone: bring it back, or delete {} to begin with an empty one",
        data.display(), record.display()
    )]
    DataMissing {
        /// Where the data was.
        data: PathBuf,
        /// The file that remembers it.
        record: PathBuf,
    },
    /// `initdb` refused.
    #[error("initdb failed: {said}")]
    InitFailed {
        /// Its last line.
        said: String,
    },
    /// An outside program took longer than we wait for it.
    #[error("{program} did not finish within {limit_s} s")]
    Slow {
        /// The program.
        program: &'static str,
        /// The limit, in seconds.
        limit_s: u64,
    },
    /// The postmaster ended before it accepted connections.
    #[error("postgresql ended while starting: {said}")]
    ExitedEarly {
        /// The line of its log that says why.
        said: String,
    },
    /// The postmaster runs, but did not accept connections in time.
    #[error("postgresql accepted no connection within {limit_s} s; its log is {}", log.display())]
    NotReady {
        /// The limit, in seconds.
        limit_s: u64,
        /// Its log file.
        log: PathBuf,
    },
    /// The postmaster outlived both ways of stopping it.
    #[error("postgresql (process {pid}) did not stop within {limit_s} s")]
    WouldNotStop {
        /// The postmaster.
        pid: i32,
        /// The limit, in seconds.
        limit_s: u64,
    },
    /// The database is older than we support.
    #[error("the database server has version {version}, {MAJOR_MIN} or later is needed")]
    ServerTooOld {
        /// `server_version`.
        version: String,
    },
    /// A setting would let an acknowledged commit be lost.
    #[error("the database setting {name} is {value}, it must be {wanted}: a commit could be lost")]
    NotDurable {
        /// The setting.
        name: &'static str,
        /// Its value in this session.
        value: String,
        /// What is accepted.
        wanted: &'static str,
    },
    /// The operating system refused something.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file, folder or program.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The home's record does not parse.
    #[error("could not read the record {}", path.display())]
    Record {
        /// The record's file.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
    /// The database refused something.
    #[error("the database could not {action}")]
    Database {
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: sqlx::Error,
    },
    /// The task that watches the postmaster ended by itself.
    #[error("the task that watches postgresql is gone")]
    KeeperGone {
        /// How it ended.
        source: tokio::task::JoinError,
    },
}

impl EmbeddedError {
    /// Names the deed and the path that an I/O error belongs to.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Names the deed that a database error belongs to.
    pub(super) fn database(action: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { action, source }
    }
}
