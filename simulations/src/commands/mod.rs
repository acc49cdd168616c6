//! One file per subcommand.

pub(crate) mod bench;
pub(crate) mod blind;
pub(crate) mod crash;
pub(crate) mod demo;
pub(crate) mod load;
pub(crate) mod providers;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Ended by a signal. Source: the shell's convention of 128 + SIGINT.
pub(crate) const EXIT_INTERRUPTED: u8 = 130;

/// Returns what is cancelled by the first signal that means "stop".
pub(crate) fn interrupted() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let mut signals = signal(kind).context("signals cannot be heard")?;
        let stop = stop.clone();
        tokio::spawn(async move {
            signals.recv().await;
            stop.cancel();
        });
    }
    Ok(stop)
}
