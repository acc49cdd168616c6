//! What a demo remembers between its runs: secrets, and how far simulated time got.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::{DateTime, Days, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use simulations::product::Keys;

/// The hour of India's clock at which a run begins: the calling window opens.
const BEGINS_HOUR: u32 = 9;

/// The folder of a demo.
pub(super) struct Home {
    folder: PathBuf,
    memory: Memory,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    keys: Keys,
    /// How many runs there were, this one included.
    runs: u32,
    /// No run wrote anything later than this, by its simulated clock.
    reached: DateTime<Utc>,
}

impl Home {
    /// Opens a folder and counts this run; makes secrets where there are none.
    pub(super) fn open(folder: &Path, now: DateTime<Utc>) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let path = folder.join("demo.json");
        let memory = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .with_context(|| format!("cannot use {}; it may be deleted", path.display()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Memory { keys: Keys::draw(), runs: 0, reached: now }
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {path:?}")),
        };
        let mut home = Self { folder: folder.to_owned(), memory };
        home.memory.runs += 1;
        home.memory.reached = home.memory.reached.max(now);
        home.save()?;
        Ok(home)
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.memory.keys
    }

    /// Returns the folder of the server's data.
    pub(super) fn server(&self) -> PathBuf {
        self.folder.join("server")
    }

    /// Returns a file of the demo's own.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Returns the seed of this run: the first run has `seed` itself, and no two share their calls.
    pub(super) fn seed(&self, seed: u64) -> u64 {
        seed ^ (u64::from(self.memory.runs - 1) << 24)
    }

    /// Returns the next morning in India that no run has seen.
    pub(super) fn morning(&self) -> DateTime<Utc> {
        let reached = self.memory.reached.with_timezone(&Tz::Asia__Kolkata);
        let opens = NaiveTime::from_hms_opt(BEGINS_HOUR, 0, 0).unwrap_or_default();
        let days = [0, 1].into_iter().filter_map(|days| {
            let day = reached.date_naive().checked_add_days(Days::new(days))?;
            Tz::Asia__Kolkata.from_local_datetime(&day.and_time(opens)).single()
        });
        let next = days.map(|morning| morning.to_utc()).find(|at| *at > self.memory.reached);
        next.unwrap_or(self.memory.reached)
    }

    /// Remembers that simulated time gets as far as `until` before the next time this is said.
    pub(super) fn reach(&mut self, until: DateTime<Utc>) -> anyhow::Result<()> {
        self.memory.reached = self.memory.reached.max(until);
        self.save()
    }

    /// Writes it whole: half of one must never be read.
    fn save(&self) -> anyhow::Result<()> {
        let (path, new) = (self.file("demo.json"), self.file("demo.json.new"));
        write_private(&new, &serde_json::to_vec_pretty(&self.memory)?)
            .and_then(|()| fs::rename(&new, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Writes a secret that nobody else on this machine may read.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn later_run_begins_on_a_later_morning_with_the_same_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let now = at("2026-11-20T12:00:00Z");
        let mut first = Home::open(folder.path(), now).unwrap();
        assert_eq!(first.morning(), at("2026-11-21T03:30:00Z"));
        assert_eq!(first.seed(42), 42);
        first.reach(at("2026-11-22T03:40:00Z")).unwrap();

        let second = Home::open(folder.path(), now).unwrap();
        assert_eq!(second.morning(), at("2026-11-23T03:30:00Z"));
        assert_ne!(second.seed(42), 42);
        assert!(second.keys() == first.keys());
        let mode = fs::metadata(second.file("demo.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "its secrets are nobody else's");
    }
}
