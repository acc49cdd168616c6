//! Where a home's cluster and its socket lie, and which account owns them.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tracing::{info, warn};
use uuid::Uuid;

use super::account::Account;
use super::error::EmbeddedError;
use super::home::{Home, Record, create_folder, hold};
use super::pidfile::socket_holder;

/// Where clusters go whose own account cannot reach their home.
const OUTSIDE: &str = "/var/lib/ringmaster";

/// Where socket folders go. Not `XDG_RUNTIME_DIR`: that one vanishes when its user logs out, while
/// the server may run on. The name must leave room for `/.s.PGSQL.5432` within 107 bytes.
const SOCKETS: &str = "/tmp";

/// The name of the data folder within its place.
const DATA_NAME: &str = "data";

/// Everything that is settled before a cluster is made or started.
#[derive(Debug)]
pub(super) struct Place {
    /// The account that owns the cluster and runs it.
    pub account: Account,
    /// The data folder; it exists only once it is complete.
    pub data: PathBuf,
    /// What the home remembers from now on.
    pub record: Record,
    /// Two copies of one home share what lies outside, so that has a lock of its own.
    _outside_lock: Option<File>,
}

impl Place {
    /// Settles where the cluster of `home` lies, and records it before anything is made there.
    pub async fn settle(home: &Home) -> Result<Self, EmbeddedError> {
        let before = home.record()?;
        let outside = match &before {
            Some(record) => record.outside.clone(),
            None => choose(home).await?,
        };
        let outside_lock = outside.as_deref().map(hold).transpose()?;
        let data = outside.as_deref().unwrap_or(home.folder()).join(DATA_NAME);

        let exists = data.try_exists().map_err(EmbeddedError::io("look at", &data))?;
        if !exists && before.as_ref().is_some_and(|record| record.initialized) {
            return Err(EmbeddedError::DataMissing { data, record: home.record_file() });
        }
        let account = if exists { Account::owning(&data)? } else { Account::pick()? };
        let sockets = socket_folder(before.as_ref(), account, &data)?;
        let record = Record { outside, sockets, initialized: exists };
        if before.as_ref() != Some(&record) {
            home.write_record(&record)?;
        }
        Ok(Self { account, data, record, _outside_lock: outside_lock })
    }

    /// Records that the cluster is complete.
    pub fn completed(&mut self, home: &Home) -> Result<(), EmbeddedError> {
        self.record.initialized = true;
        home.write_record(&self.record)
    }
}

/// Chooses the place of a home's first cluster: `None` is the home itself.
async fn choose(home: &Home) -> Result<Option<PathBuf>, EmbeddedError> {
    let account = Account::pick()?;
    if home.folder().join(DATA_NAME).exists() || !account.is_another() {
        return Ok(None);
    }
    if home.is_fresh() {
        home.open_to(Some(account.gid()))?;
    }
    if account.can_enter(home.folder()).await {
        return Ok(None);
    }
    if home.is_fresh() {
        home.open_to(None)?;
    }
    let place = free_outside(home)?;
    info!(
        home = %home.folder().display(), place = %place.display(), user_id = account.uid(),
        "the account that runs postgresql cannot reach the home, so the data goes below {OUTSIDE}"
    );
    Ok(Some(place))
}

/// Creates the folder outside for a home that has none yet.
///
/// A place that has data is never taken over: it may belong to a home that was moved here from.
fn free_outside(home: &Home) -> Result<PathBuf, EmbeddedError> {
    let path = home.folder().as_os_str().as_encoded_bytes();
    let hash = Uuid::new_v5(&Uuid::NAMESPACE_URL, path).simple().to_string();
    let mut place = Path::new(OUTSIDE).join(&hash);
    for count in 2_u32.. {
        if !place.join(DATA_NAME).exists() {
            break;
        }
        warn!(place = %place.display(), "an earlier home at this path left its database behind");
        place = Path::new(OUTSIDE).join(format!("{hash}-{count}"));
    }
    create_folder(Path::new(OUTSIDE), 0o755)?;
    create_folder(&place, 0o711)?; // Root's own, to be passed through.
    Ok(place)
}

/// Returns the recorded socket folder while it is still private to the cluster, else a new one.
fn socket_folder(
    record: Option<&Record>,
    account: Account,
    data: &Path,
) -> Result<PathBuf, EmbeddedError> {
    if let Some(record) = record
        && is_private(&record.sockets, account)
        && socket_holder(&record.sockets).is_none_or(|holder| holder == data)
    {
        return Ok(record.sockets.clone());
    }
    let base = Path::new(SOCKETS);
    let folder = tempfile::Builder::new()
        .prefix("ringmaster-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(base)
        .map_err(EmbeddedError::io("create a folder in", base))?;
    account.take(folder.path())?;
    Ok(folder.keep())
}

/// Makes the recorded socket folder again where somebody cleaned it away: without it nothing starts.
///
/// # Errors
/// [`EmbeddedError::Io`] when it cannot be made, or lies there and is not private to the cluster.
pub(super) fn keep_sockets(folder: &Path, account: Account) -> Result<(), EmbeddedError> {
    if is_private(folder, account) {
        return Ok(());
    }
    let made = DirBuilder::new().mode(0o700).create(folder);
    made.map_err(EmbeddedError::io("create", folder))?;
    account.take(folder)
}

/// Says whether a folder is one, is the account's, and is open to nobody else.
fn is_private(folder: &Path, account: Account) -> bool {
    fs::symlink_metadata(folder).is_ok_and(|found| {
        found.is_dir() && found.uid() == account.uid() && found.permissions().mode() & 0o077 == 0
    })
}
