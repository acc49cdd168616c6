//! The one place that knows the `backoff` crate: repeating what is safe to repeat.

use std::time::Duration;

use backoff::{ExponentialBackoffBuilder, future::retry_notify};
use domain::ports::EngineError;
use tracing::debug;

/// The first wait between two attempts of a read; it doubles, with jitter.
const WAIT_FIRST: Duration = Duration::from_millis(200);
/// How long a read is repeated in all.
const PATIENCE: Duration = Duration::from_secs(3);

/// Repeats a read while its outcome is open. For reads alone: a dial is never repeated here.
pub(crate) async fn read<T, F>(attempt: impl FnMut() -> F) -> Result<T, EngineError>
where
    F: Future<Output = Result<T, EngineError>>,
{
    let mut attempt = attempt;
    let policy = ExponentialBackoffBuilder::new()
        .with_initial_interval(WAIT_FIRST)
        .with_max_elapsed_time(Some(PATIENCE))
        .build();
    let tried = || {
        let attempt = attempt();
        async {
            attempt.await.map_err(|failure| match failure {
                EngineError::Unsure(_) | EngineError::NotSent => backoff::Error::transient(failure),
                EngineError::Off
                | EngineError::Throttled { .. }
                | EngineError::NotAdmitted { .. }
                | EngineError::Refused { .. }
                | EngineError::NotFound => backoff::Error::permanent(failure),
            })
        }
    };
    retry_notify(policy, tried, |failure: EngineError, wait| {
        debug!(error = &failure as &dyn std::error::Error, "a read is repeated in {wait:?}");
    })
    .await
}
