//! Finding an installed PostgreSQL.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;
use tracing::debug;

use super::error::EmbeddedError;

/// The oldest major version we run on: `wal_compression = lz4` and `pg_database_owner` as owner of
/// the public schema came with it.
pub(super) const MAJOR_MIN: u32 = 15;

/// How long `postgres --version` or `pg_config` may take; both only print a line.
const PROBE_WAIT_MAX: Duration = Duration::from_secs(10);

/// A folder of PostgreSQL programs, and the version they have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The folder that holds `initdb` and `postgres`.
    pub folder: PathBuf,
    /// Its major version.
    pub major: u32,
    /// Its version as it says it, for people.
    pub version: String,
    minor: u32,
}

impl Installation {
    /// Finds the newest PostgreSQL on this machine.
    ///
    /// `pg_bin`, when given, is the only folder looked at.
    ///
    /// # Errors
    /// [`EmbeddedError::NotInstalled`] or [`EmbeddedError::TooOld`]; both name the command that
    /// installs it.
    pub async fn find(pg_bin: Option<&Path>) -> Result<Self, EmbeddedError> {
        Self::for_major(Self::find_all(pg_bin).await?, Path::new(""), None)
    }

    /// Finds every PostgreSQL that is recent enough, the newest first; there is at least one.
    pub(super) async fn find_all(pg_bin: Option<&Path>) -> Result<Vec<Self>, EmbeddedError> {
        Search::here(pg_bin).await.run().await
    }

    /// Takes the newest of `found`, or the newest that can open the `data` that `major` wrote.
    pub(super) fn for_major(
        found: Vec<Self>,
        data: &Path,
        major: Option<u32>,
    ) -> Result<Self, EmbeddedError> {
        let versions: Vec<_> = found.iter().map(|one| one.version.clone()).collect();
        let fits = |one: &Self| major.is_none_or(|major| one.major == major);
        found.into_iter().find(fits).ok_or_else(|| EmbeddedError::OtherMajor {
            data: data.to_owned(),
            needed: major.unwrap_or(MAJOR_MIN),
            found: versions.join(", "),
        })
    }

    /// Returns the path of one of its programs.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Where to look. A value of its own, so that tests can look elsewhere.
struct Search {
    folders: Vec<PathBuf>,
    looked: String,
    install: &'static str,
}

impl Search {
    async fn here(pg_bin: Option<&Path>) -> Self {
        let path: Vec<PathBuf> = std::env::var_os("PATH")
            .map(|path| std::env::split_paths(&path).collect())
            .unwrap_or_default();
        let install = install_command(&path);
        if let Some(folder) = pg_bin {
            let looked = folder.display().to_string();
            return Self { folders: vec![folder.to_owned()], looked, install };
        }
        let mut folders: Vec<PathBuf> = pg_config_folder().await.into_iter().collect();
        folders.extend(usual_folders());
        folders.extend(path);
        Self { folders, looked: "the usual folders and the PATH".to_owned(), install }
    }

    async fn run(self) -> Result<Vec<Installation>, EmbeddedError> {
        let Self { folders, looked, install } = self;
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        for folder in folders {
            let Ok(folder) = folder.canonicalize() else { continue };
            if seen.insert(folder.clone()) {
                found.extend(inspect(folder).await);
            }
        }
        found.sort_by_key(|one| std::cmp::Reverse((one.major, one.minor)));
        match found.first() {
            None => return Err(EmbeddedError::NotInstalled { looked, install }),
            Some(newest) if newest.major < MAJOR_MIN => {
                let Installation { folder, version, .. } = newest.clone();
                return Err(EmbeddedError::TooOld { version, folder, install });
            }
            Some(_) => found.retain(|one| one.major >= MAJOR_MIN),
        }
        Ok(found)
    }
}

/// Reads a folder as an installation, when it is one.
async fn inspect(folder: PathBuf) -> Option<Installation> {
    let postgres = folder.join("postgres");
    if !postgres.is_file() || !folder.join("initdb").is_file() {
        return None;
    }
    let said = first_line(Command::new(&postgres).arg("--version")).await;
    let parsed = said.as_deref().and_then(parse_version);
    let Some((version, major, minor)) = parsed else {
        debug!(folder = %folder.display(), ?said, "passing over a postgresql of unknown version");
        return None;
    };
    Some(Installation { folder, major, version, minor })
}

/// Takes `15.18` out of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`; `18beta1` is 18.0.
fn parse_version(said: &str) -> Option<(String, u32, u32)> {
    let version =
        said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let mut numbers = version.split('.').map(|part| {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..end].parse().ok()
    });
    let major = numbers.next()??;
    Some((version.to_owned(), major, numbers.next().flatten().unwrap_or(0)))
}

async fn pg_config_folder() -> Option<PathBuf> {
    first_line(Command::new("pg_config").arg("--bindir")).await.map(PathBuf::from)
}

/// Returns the first line that a program prints, `None` when it fails or takes too long.
async fn first_line(command: &mut Command) -> Option<String> {
    let output = timeout(PROBE_WAIT_MAX, command.kill_on_drop(true).output()).await.ok()?.ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}

/// Lists where packages put PostgreSQL: Debian, PGDG's RPMs, a source build, Homebrew.
fn usual_folders() -> Vec<PathBuf> {
    let mut folders = below("/usr/lib/postgresql", "");
    folders.extend(below("/usr", "pgsql-"));
    folders.push(PathBuf::from("/usr/local/pgsql"));
    folders.push(PathBuf::from("/usr/local"));
    folders.extend(below("/opt/homebrew/opt", "postgresql"));
    folders.extend(below("/usr/local/opt", "postgresql"));
    folders.into_iter().map(|folder| folder.join("bin")).collect()
}

/// Lists the entries of `parent` whose name begins with `prefix`.
fn below(parent: &str, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let named = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))
    };
    entries.flatten().map(|entry| entry.path()).filter(named).collect()
}

/// Names the command that installs PostgreSQL with the package manager of this machine.
fn install_command(path: &[PathBuf]) -> &'static str {
    const MANAGERS: [(&str, &str); 6] = [
        ("apt-get", "apt-get install postgresql"),
        ("dnf", "dnf install postgresql-server"),
        ("zypper", "zypper install postgresql-server"),
        ("apk", "apk add postgresql"),
        ("pacman", "pacman -S postgresql"),
        ("brew", "brew install postgresql@17"),
    ];
    let known = MANAGERS.iter().find(|(name, _)| path.iter().any(|dir| dir.join(name).is_file()));
    known.map_or("see https://www.postgresql.org/download/", |&(_, command)| command)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A folder that looks like an installation and says `version`.
    fn fake(parent: &Path, version: &str) -> PathBuf {
        let folder = parent.join(version);
        fs::create_dir(&folder).unwrap();
        for name in ["initdb", "postgres"] {
            let script = format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n");
            fs::write(folder.join(name), script).unwrap();
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        folder
    }

    fn search(folders: Vec<PathBuf>) -> Search {
        Search { folders, looked: "the test's folders".to_owned(), install: "apk add postgresql" }
    }

    #[test]
    fn versions_are_read_as_postgres_prints_them() {
        let read = |text| parse_version(text).map(|(_, major, minor)| (major, minor));
        assert_eq!(read("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some((15, 18)));
        assert_eq!(read("postgres (PostgreSQL) 18beta1"), Some((18, 0)));
        assert_eq!(read("postgres (PostgreSQL) 9.6.24"), Some((9, 6)));
        assert_eq!(read("postgres: not found"), None);
    }

    #[tokio::test]
    async fn the_newest_of_several_is_taken_and_the_old_ones_are_left_out() {
        let parent = tempfile::tempdir().unwrap();
        let folders = ["14.9", "16.4", "17.0", "16.10"].map(|v| fake(parent.path(), v)).to_vec();
        let found = search(folders).run().await.unwrap();
        let versions: Vec<_> = found.iter().map(|one| one.version.as_str()).collect();
        assert_eq!(versions, ["17.0", "16.10", "16.4"]);
    }

    #[tokio::test]
    async fn data_is_opened_by_the_major_version_that_made_it() {
        let parent = tempfile::tempdir().unwrap();
        let folders = ["16.4", "17.0"].map(|v| fake(parent.path(), v)).to_vec();
        let found = search(folders).run().await.unwrap();
        let take = |major| Installation::for_major(found.clone(), Path::new("/data"), major);
        assert_eq!(take(None).unwrap().version, "17.0");
        assert_eq!(take(Some(16)).unwrap().version, "16.4");
        let told = take(Some(15)).unwrap_err().to_string();
        assert!(told.contains("made by postgresql 15, but only 17.0, 16.4 is installed"), "{told}");
    }

    #[tokio::test]
    async fn nothing_found_and_too_old_both_name_the_install_command() {
        let parent = tempfile::tempdir().unwrap();
        let none = search(vec![parent.path().to_owned()]).run().await.err().unwrap();
        assert_eq!(
            none.to_string(),
            "no postgresql 15 or later was found in the test's folders: install it with `apk add postgresql`"
        );
        let old = search(vec![fake(parent.path(), "14.9")]).run().await.err().unwrap();
        assert!(old.to_string().ends_with("install it with `apk add postgresql`"), "{old}");
    }

    #[test]
    fn the_install_command_follows_the_package_manager_on_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = [folder.path().to_owned()];
        assert!(install_command(&path).contains("postgresql.org"));
        fs::write(folder.path().join("dnf"), "").unwrap();
        assert_eq!(install_command(&path), "dnf install postgresql-server");
    }
}
