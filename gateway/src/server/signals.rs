//! Signals, and the promise that the process ends.

use std::io;
use std::process;
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::readiness::Readiness;

/// Ended by a second signal. Source: the shell's convention of 128 + SIGINT.
const EXIT_INTERRUPTED: i32 = 130;
/// Ended because the orderly way took too long.
const EXIT_OVERDUE: i32 = 1;

/// What happens on the first signal.
#[derive(Clone)]
pub struct ExitPlan {
    /// Turned off at once, so that nobody sends more work.
    pub readiness: Readiness,
    /// Cancelled then: everything stops in order.
    pub shutdown: CancellationToken,
    /// After this time the process ends whatever still runs: a second less than it has.
    pub exit_deadline: Duration,
}

impl ExitPlan {
    /// Ends 19 s after the first signal at the latest.
    pub const fn new(readiness: Readiness, shutdown: CancellationToken) -> Self {
        Self { readiness, shutdown, exit_deadline: Duration::from_secs(19) }
    }
}

/// Carries `plan` out when SIGTERM or SIGINT comes; a second one ends the process at once.
///
/// # Errors
/// When the signals cannot be listened to.
pub fn watch(plan: ExitPlan) -> io::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        let name = either(&mut term, &mut int).await;
        info!("{name} came, stopping");
        plan.begin();
        let name = either(&mut term, &mut int).await;
        warn!("{name} came again, ending at once");
        process::exit(EXIT_INTERRUPTED);
    });
    Ok(())
}

impl ExitPlan {
    /// Begins the end, as a signal does.
    pub fn begin(&self) {
        self.readiness.drain();
        end_after(self.exit_deadline);
        self.shutdown.cancel();
    }
}

/// Ends the process from a thread of its own: a runtime that hangs could not.
fn end_after(deadline: Duration) {
    thread::spawn(move || {
        thread::sleep(deadline);
        warn!("the orderly way took longer than {deadline:?}, ending at once");
        process::exit(EXIT_OVERDUE);
    });
}

async fn either(term: &mut Signal, int: &mut Signal) -> &'static str {
    tokio::select! {
        _ = term.recv() => "SIGTERM",
        _ = int.recv() => "SIGINT",
    }
}
