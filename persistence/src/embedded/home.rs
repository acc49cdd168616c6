//! The home folder: held by one server at a time, and the record of where its cluster lies.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::error::EmbeddedError;

/// The lock file's name; it holds the holder's process id.
const LOCK_NAME: &str = "lock";

/// A home folder, held until the value is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Home {
    folder: PathBuf,
    fresh: bool,
    _lock: File,
}

/// What the home remembers of its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The folder of the cluster when it is not the home itself. A home that is moved takes the
    /// cluster inside it along, so the home's own path is never written down.
    pub outside: Option<PathBuf>,
    /// The folder of the socket.
    pub sockets: PathBuf,
    /// Whether there was ever a complete cluster. If so, its absence is an alarm, not a beginning.
    pub initialized: bool,
}

impl Home {
    /// Creates the folder when needed, private to us, and takes its lock.
    pub fn open(folder: &Path) -> Result<Self, EmbeddedError> {
        create_folder(folder, 0o700)?;
        let folder = folder.canonicalize().map_err(EmbeddedError::io("resolve", folder))?;
        let lock = hold(&folder)?;
        let entries = fs::read_dir(&folder).map_err(EmbeddedError::io("list", &folder))?;
        let fresh = entries.flatten().all(|entry| entry.file_name() == LOCK_NAME);
        Ok(Self { folder, fresh, _lock: lock })
    }

    /// Says whether nothing but our lock is in it, so that its modes are ours to set.
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the file that the postmaster's own output goes to.
    pub fn log_file(&self) -> PathBuf {
        self.folder.join("postgres.log")
    }

    pub fn record_file(&self) -> PathBuf {
        self.folder.join("cluster.json")
    }

    /// Sets who besides the owner may pass through: nobody (`None`), or one group.
    pub fn open_to(&self, gid: Option<u32>) -> Result<(), EmbeddedError> {
        if gid.is_some() {
            std::os::unix::fs::chown(&self.folder, None, gid)
                .map_err(EmbeddedError::io("hand over", &self.folder))?;
        }
        let mode = if gid.is_some() { 0o710 } else { 0o700 };
        fs::set_permissions(&self.folder, Permissions::from_mode(mode))
            .map_err(EmbeddedError::io("protect", &self.folder))
    }

    /// Reads the record; `None` in a new home.
    pub fn record(&self) -> Result<Option<Record>, EmbeddedError> {
        let path = self.record_file();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(EmbeddedError::io("read", &path)(error)),
        };
        let record = serde_json::from_slice(&text);
        record.map(Some).map_err(|source| EmbeddedError::Record { path, source })
    }

    /// Replaces the record as a whole, durably: half of one must never be read.
    pub fn write_record(&self, record: &Record) -> Result<(), EmbeddedError> {
        let path = self.record_file();
        let failed = || EmbeddedError::io("write", &path);
        let text = serde_json::to_vec_pretty(record)
            .map_err(|source| EmbeddedError::Record { path: path.clone(), source })?;
        let mut file = NamedTempFile::new_in(&self.folder).map_err(failed())?;
        file.write_all(&text).map_err(failed())?;
        file.as_file().sync_all().map_err(failed())?;
        file.persist(&path).map_err(|error| failed()(error.error))?;
        sync_folder(&self.folder)
    }
}

/// Takes the lock of a folder and leaves our process id in it, for whoever comes second.
///
/// # Errors
/// [`EmbeddedError::HomeInUse`] when somebody has it.
pub(super) fn hold(folder: &Path) -> Result<File, EmbeddedError> {
    let path = folder.join(LOCK_NAME);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false) // It may name another server; we only write once we hold it.
        .mode(0o600)
        .open(&path)
        .map_err(EmbeddedError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let read = file.read_to_string(&mut pid).is_ok() && !pid.trim().is_empty();
            let pid = if read { pid.trim().to_owned() } else { "unknown".to_owned() };
            return Err(EmbeddedError::HomeInUse { folder: folder.to_owned(), pid });
        }
        Err(TryLockError::Error(error)) => return Err(EmbeddedError::io("lock", &path)(error)),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(EmbeddedError::io("write", &path))?;
    Ok(file)
}

/// Creates a folder with `mode`, and with the usual modes what is missing above it.
///
/// One that exists stays as it is.
pub(super) fn create_folder(folder: &Path, mode: u32) -> Result<(), EmbeddedError> {
    let failed = EmbeddedError::io("create", folder);
    let above = folder.parent().map_or(Ok(()), fs::create_dir_all);
    match above.and_then(|()| DirBuilder::new().mode(mode).create(folder)) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(failed(error)),
        _ => Ok(()),
    }
}

/// Makes a rename inside `folder` survive a power failure.
pub(super) fn sync_folder(folder: &Path) -> Result<(), EmbeddedError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(EmbeddedError::io("sync", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_private_and_held_by_one_server_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("home");
        let home = Home::open(&folder).unwrap();
        let mode = fs::metadata(home.folder()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);

        let second = Home::open(&folder).unwrap_err();
        let told = format!("is in use by another server (process {})", std::process::id());
        assert!(second.to_string().ends_with(&told), "{second}");

        drop(home);
        Home::open(&folder).unwrap();
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let parent = tempfile::tempdir().unwrap();
        let home = Home::open(parent.path()).unwrap();
        assert_eq!(home.record().unwrap(), None);
        let record =
            Record { outside: Some("/far".into()), sockets: "/tmp/s".into(), initialized: true };
        home.write_record(&record).unwrap();
        assert_eq!(home.record().unwrap(), Some(record));
    }
}
