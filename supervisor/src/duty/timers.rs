//! Wake times: taken when due, pushed ahead in the same statement, so a crash only delays them.

use std::time::Duration;

use tracing::warn;

use super::Duty;

/// Wake times taken at once; what is due beyond it follows a moment later, which spreads a backlog.
const TAKE_MAX: u32 = 500;
/// How late a timer may be.
const TICK: Duration = Duration::from_millis(250);

pub(super) async fn run(duty: Duty) {
    while duty.rest(TICK).await {
        let now = duty.clock.now();
        match duty.store.take_due(now, TAKE_MAX).await {
            Ok(due) => {
                fail::fail_point!("timers-after-take", !due.is_empty(), |_| std::process::abort());
                for wake in due {
                    let late = (now - wake.due).to_std().unwrap_or_default();
                    metrics::histogram!("ringmaster_timer_lateness_seconds")
                        .record(late.as_secs_f64());
                    if let Some(branch) = duty.hub.branch(wake.key.kind) {
                        branch.woke(wake.key.id, wake.tenant);
                    }
                }
            }
            Err(failure) => {
                warn!(error = &failure as &dyn std::error::Error, "wake times cannot be taken")
            }
        }
    }
}
