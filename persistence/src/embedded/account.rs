//! The account of the operating system that the cluster runs as.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;
use std::process::Stdio;

use nix::unistd::{Gid, Uid, User};
use tokio::process::Command;

use super::error::EmbeddedError;

/// What PostgreSQL's programs may see of our environment. All else stays with us: it holds secrets,
/// and `PG…` variables would change what they do.
const ENV_KEPT: [&str; 3] = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];

/// Who owns and runs a cluster: ourselves, or, when we are root, somebody without privileges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// Picks the account for a new cluster; as root, `postgres` before `nobody`.
    pub fn pick() -> Result<Self, EmbeddedError> {
        if !Uid::effective().is_root() {
            return Ok(Self::ourselves());
        }
        let user = ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .ok_or(EmbeddedError::NoAccount)?;
        Ok(Self { uid: user.uid.as_raw(), gid: user.gid.as_raw() })
    }

    /// Returns the owner of an existing cluster, who alone may run it.
    pub fn owning(data: &Path) -> Result<Self, EmbeddedError> {
        let metadata = fs::metadata(data).map_err(EmbeddedError::io("look at", data))?;
        let owner = Self { uid: metadata.uid(), gid: metadata.gid() };
        let usable = match Uid::effective() {
            us if us.is_root() => owner.uid != 0,
            us => owner.uid == us.as_raw(),
        };
        let uid = owner.uid;
        usable.then_some(owner).ok_or_else(|| EmbeddedError::ForeignData { data: data.into(), uid })
    }

    fn ourselves() -> Self {
        Self { uid: Uid::effective().as_raw(), gid: Gid::effective().as_raw() }
    }

    /// Says whether it is another account than the one we run as.
    pub fn is_another(self) -> bool {
        self.uid != Uid::effective().as_raw()
    }

    pub fn uid(self) -> u32 {
        self.uid
    }

    pub fn gid(self) -> u32 {
        self.gid
    }

    /// Prepares a program to run as this account, with an almost empty environment.
    pub fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
        command.envs(ENV_KEPT.iter().filter_map(|key| Some((key, std::env::var_os(key)?))));
        if self.is_another() {
            command.gid(self.gid).uid(self.uid); // Drops our supplementary groups, too.
        }
        command
    }

    /// Hands a file or folder over to this account.
    pub fn take(self, path: &Path) -> Result<(), EmbeddedError> {
        if !self.is_another() {
            return Ok(());
        }
        chown(path, Some(self.uid), Some(self.gid)).map_err(EmbeddedError::io("hand over", path))
    }

    /// Says whether this account can pass through `folder` and all that is above it.
    ///
    /// It is tried, not computed from the modes: access lists and mounts have a say as well.
    pub async fn can_enter(self, folder: &Path) -> bool {
        let mut test = self.command(Path::new("/bin/sh"));
        test.args(["-c", r#"test -x "$0""#]).arg(folder);
        test.status().await.is_ok_and(|status| status.success())
    }
}
