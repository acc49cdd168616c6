//! Tells the engine that a recruiter's provider may have changed. Best effort: it never fails nor delays
//! the change itself, and is counted.

use std::sync::Arc;
use std::time::Duration;

use domain::ports::{EngineError, ProviderRefresh};
use metrics::counter;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::debug;
use uuid::Uuid;

/// How long one may take, whatever the client's own limits are.
const REFRESH_MAX: Duration = Duration::from_secs(10);
/// How many may be under way; beyond them one is dropped, since the engine asks us at each call anyway.
const REFRESHES_MAX: usize = 16;

/// Sends refreshes in the background.
pub struct Refresher {
    engine: Arc<dyn ProviderRefresh>,
    places: Arc<Semaphore>,
}

impl Refresher {
    /// Makes one that tells `engine`.
    pub fn new(engine: Arc<dyn ProviderRefresh>) -> Self {
        Self { engine, places: Arc::new(Semaphore::new(REFRESHES_MAX)) }
    }

    /// Tells the engine about `user`; returns at once.
    pub fn tell(&self, user: Uuid) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return count("dropped");
        };
        let engine = Arc::clone(&self.engine);
        tokio::spawn(async move {
            let answer = timeout(REFRESH_MAX, engine.refresh_provider(user)).await;
            count(match answer {
                Ok(Ok(())) => "sent",
                Ok(Err(EngineError::Off)) => "off",
                Ok(Err(failure)) => {
                    debug!(user.id = %user, "the engine was not told of {user}: {failure}");
                    "failed"
                }
                Err(_) => "timed_out",
            });
            drop(place);
        });
    }
}

fn count(outcome: &'static str) {
    counter!("ringmaster_provider_refresh_total", "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use domain::ports::BoxFuture;

    use super::*;

    /// Never answers, and counts how often it is asked.
    #[derive(Default)]
    struct Mute(AtomicUsize);

    impl ProviderRefresh for Mute {
        fn refresh_provider(&self, _: Uuid) -> BoxFuture<'_, Result<(), EngineError>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Box::pin(pending())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn engine_that_never_answers_costs_some_places_for_a_while() {
        let engine = Arc::new(Mute::default());
        let refresher = Refresher::new(Arc::clone(&engine) as _);
        let tell = async |times: usize| {
            (0..times).for_each(|_| refresher.tell(Uuid::nil()));
            tokio::task::yield_now().await;
            engine.0.load(Ordering::Relaxed)
        };
        assert_eq!(tell(REFRESHES_MAX + 5).await, REFRESHES_MAX);
        tokio::time::sleep(REFRESH_MAX + Duration::from_secs(1)).await; // Virtual: the test takes no time.
        assert_eq!(tell(1).await, REFRESHES_MAX + 1);
    }
}
