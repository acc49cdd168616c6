//! How many connections the open files of this process allow.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::warn;

use super::Limits;

/// Open files that are not for clients: the database's connections, the engine's, logs, timers.
const RESERVED: u64 = 256;

impl Limits {
    /// Returns the defaults, with no more connections than this process may have files open.
    ///
    /// What it may have is raised as far as the system lets it: a shell gives 1,024, which is fewer
    /// than the screens of one house. Out of files it could not reach its database any more, so some
    /// are kept back.
    pub fn of_this_process() -> Self {
        let limits = Self::default();
        let wanted = limits.connections_max as u64 + RESERVED;
        let files = match raised(wanted) {
            Ok(files) => files,
            Err(error) => {
                warn!(%error, "it is not known how many files may be open: {error}");
                return limits;
            }
        };
        let connections_max = limits.connections_max.min(connections_within(files));
        if connections_max < limits.connections_max {
            warn!(
                files,
                connections_max,
                "only {files} files may be open, so {connections_max} connections are taken at once"
            );
        }
        // One address leaves to the others what it would leave them of the whole.
        let connections_per_address_max =
            limits.connections_per_address_max * connections_max / limits.connections_max;
        Self { connections_max, connections_per_address_max, ..limits }
    }
}

/// Raises the limit to `wanted` where it is lower and may be; answers what it is now.
fn raised(wanted: u64) -> nix::Result<u64> {
    let (now, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let raised = wanted.min(most);
    if now >= raised {
        return Ok(now);
    }
    setrlimit(Resource::RLIMIT_NOFILE, raised, most)?;
    Ok(raised)
}

/// Returns how many connections fit into `files`, beside what is kept back.
fn connections_within(files: u64) -> usize {
    let reserved = RESERVED.min(files / 2);
    usize::try_from(files - reserved).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_files_are_always_kept_back() {
        assert_eq!(connections_within(1_024), 768);
        assert_eq!(connections_within(256), 128);
        assert_eq!(connections_within(0), 0);
    }

    #[test]
    fn what_may_be_open_is_raised_as_far_as_it_goes() {
        let (before, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let lower = before.min(512);
        setrlimit(Resource::RLIMIT_NOFILE, lower, most).unwrap();
        assert_eq!(raised(lower).unwrap(), lower);
        assert_eq!(raised(u64::MAX).unwrap(), most);
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (most, most));
    }
}
