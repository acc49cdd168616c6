//! The call engine as this process finds it: whether it answers, and what it said last where it did not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SecondsFormat, Utc};
use domain::interview::CallReport;
use domain::ports::{
    Analysis, AnalysisRequest, Analyzer, BoxFuture, CallEngine, Clock, DialRequest, EngineError,
    EngineListing, LostDial, ProviderRefresh, Sighting,
};
use domain::{CallId, Provider};
use serde_json::json;
use supervisor::{SyncError, SyncReport};
use tokio::time::error::Elapsed;
use tracing::{info, warn};
use uuid::Uuid;

use crate::readiness::{Check, Report};

/// What is known of the engine; nobody asks it for this, it is what every request to it shows.
pub struct EngineHealth {
    is_on: bool,
    clock: Arc<dyn Clock>,
    seen: Mutex<Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    answered_at: Option<DateTime<Utc>>,
    /// That answer was that it has no room.
    is_at_limit: bool,
    failing: Option<Failing>,
}

/// A failure that no good answer followed yet.
#[derive(Clone, Debug)]
struct Failing {
    why: String,
    since: DateTime<Utc>,
    at: DateTime<Utc>,
}

impl EngineHealth {
    /// Knows nothing yet but whether there is an engine.
    pub fn new(is_on: bool, clock: Arc<dyn Clock>) -> Self {
        Self { is_on, clock, seen: Mutex::default() }
    }

    /// Takes note of what a request came to.
    fn note<T>(&self, answer: &Result<T, EngineError>) {
        match answer {
            Ok(_) | Err(EngineError::Refused { .. }) => self.answered(false),
            // Of one call that is an answer; below a wrong path it is the answer to everything.
            Err(EngineError::NotFound) => self.lock().answered_at = Some(self.clock.now()),
            Err(EngineError::Throttled { .. }) => self.answered(true),
            Err(EngineError::Off) => {}
            Err(EngineError::NotSent) => self.failed("the call engine cannot be reached"),
            Err(failure @ (EngineError::NotAdmitted { .. } | EngineError::Unsure(_))) => {
                self.failed(&failure.to_string());
            }
        }
    }

    /// Takes note of what a request for the list came to, which is there if the engine is.
    fn note_list<T>(&self, answer: &Result<T, EngineError>) {
        match answer {
            Err(EngineError::NotFound) => {
                self.failed("there is no list of calls at MR_HIRE_BACKEND_URL: is its path right?");
            }
            other => self.note(other),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered(&self, is_at_limit: bool) {
        let at = self.clock.now();
        let mut seen = self.lock();
        (seen.answered_at, seen.is_at_limit) = (Some(at), is_at_limit);
        if seen.failing.take().is_some() {
            info!("the call engine answers again");
        }
    }

    fn failed(&self, why: &str) {
        let at = self.clock.now();
        let mut seen = self.lock();
        let since = seen.failing.as_ref().map_or(at, |failing| failing.since);
        // Once: what fails every few seconds would hide everything else.
        if seen.failing.is_none() {
            warn!("{why}; said once, /readyz?verbose shows how it goes on");
        }
        seen.failing = Some(Failing { why: why.to_owned(), since, at });
    }
}

impl Check for EngineHealth {
    fn report(&self) -> Report {
        if !self.is_on {
            return Report::good().note("off");
        }
        let Seen { answered_at, is_at_limit, failing } = self.lock().clone();
        match (answered_at, failing) {
            (None, None) => Report::good().note("not asked yet"),
            (Some(at), None) => {
                let note = if is_at_limit { "reachable, at its limit" } else { "reachable" };
                Report::good().note(note).details(json!({"lastAnswerAt": text(at)}))
            }
            (answered_at, Some(Failing { why, since, at })) => Report::bad(why).details(json!({
                "failingSince": text(since), "lastFailureAt": text(at),
                "lastAnswerAt": answered_at.map(text),
            })),
        }
    }
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// An engine whose answers are taken note of.
pub struct Watched<E> {
    engine: E,
    health: Arc<EngineHealth>,
}

impl<E> Watched<E> {
    /// Shows `health` what `engine` answers.
    pub fn new(engine: E, health: Arc<EngineHealth>) -> Self {
        Self { engine, health }
    }
}

impl<E: CallEngine> CallEngine for Watched<E> {
    fn is_on(&self) -> bool {
        self.engine.is_on()
    }

    fn dial(
        &self,
        request: DialRequest,
    ) -> BoxFuture<'_, Result<(CallId, Option<Provider>), EngineError>> {
        let leave = request.leave.clone();
        Box::pin(async move {
            let answer = self.engine.dial(request).await;
            // One that was held back says nothing of the engine.
            if !matches!(answer, Err(EngineError::NotSent)) || leave.is_granted() {
                self.health.note(&answer);
            }
            answer
        })
    }

    fn find(&self, lost: LostDial) -> BoxFuture<'_, Result<Sighting, EngineError>> {
        Box::pin(async move {
            let answer = self.engine.find(lost).await;
            self.health.note_list(&answer);
            answer
        })
    }

    fn call(&self, id: CallId) -> BoxFuture<'_, Result<CallReport, EngineError>> {
        Box::pin(async move {
            let answer = self.engine.call(id).await;
            self.health.note(&answer);
            answer
        })
    }

    fn calls(&self) -> BoxFuture<'_, Result<Vec<EngineListing>, EngineError>> {
        Box::pin(async move {
            let answer = self.engine.calls().await;
            self.health.note_list(&answer);
            answer
        })
    }
}

impl<E: Analyzer> Analyzer for Watched<E> {
    fn analyze(&self, request: AnalysisRequest) -> BoxFuture<'_, Result<Analysis, EngineError>> {
        Box::pin(async move {
            let answer = self.engine.analyze(request).await;
            self.health.note(&answer);
            answer
        })
    }
}

impl<E: ProviderRefresh> ProviderRefresh for Watched<E> {
    // Best effort, and so no sign of how the engine is.
    fn refresh_provider(&self, user: Uuid) -> BoxFuture<'_, Result<(), EngineError>> {
        self.engine.refresh_provider(user)
    }
}

/// Says what came of the reconciliation of a start, for those who look and for the log.
pub(crate) fn reconciled(asked: Result<Result<SyncReport, SyncError>, Elapsed>) -> Report {
    let not = "not reconciled with the call engine";
    let instead = "each open call asks for itself";
    let SyncReport { listed, fetched, updated, failed } = match asked {
        Err(_) => return Report::bad(format!("{not}, which answers too slowly; {instead}")),
        Ok(Err(failure)) => return Report::bad(format!("{not}: {failure}; {instead}")),
        Ok(Ok(report)) => report,
    };
    let figures =
        json!({"listed": listed, "fetched": fetched, "updated": updated, "failed": failed});
    let said = format!("{fetched} of {listed} listed calls were asked for, {updated} moved");
    let report = match failed {
        0 => Report::good().note(format!("reconciled with the call engine: {said}")),
        failed => Report::bad(format!(
            "reconciled with the call engine but for {failed} calls, which ask for themselves: {said}"
        )),
    };
    report.details(figures)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> DateTime<Utc> {
            DateTime::from_timestamp(1_800_000_000, 0).unwrap()
        }
    }

    /// Answers every question alike.
    struct Engine(fn() -> EngineError);

    impl CallEngine for Engine {
        fn is_on(&self) -> bool {
            true
        }

        fn dial(
            &self,
            _: DialRequest,
        ) -> BoxFuture<'_, Result<(CallId, Option<Provider>), EngineError>> {
            Box::pin(async { Err(self.0()) })
        }

        fn find(&self, _: LostDial) -> BoxFuture<'_, Result<Sighting, EngineError>> {
            Box::pin(async { Ok(Sighting::Absent) })
        }

        fn call(&self, _: CallId) -> BoxFuture<'_, Result<CallReport, EngineError>> {
            Box::pin(async { Err(self.0()) })
        }

        fn calls(&self) -> BoxFuture<'_, Result<Vec<EngineListing>, EngineError>> {
            Box::pin(async { Err(self.0()) })
        }
    }

    fn watched(failure: fn() -> EngineError) -> (Watched<Engine>, Arc<EngineHealth>) {
        let health = Arc::new(EngineHealth::new(true, Arc::new(Noon)));
        (Watched::new(Engine(failure), Arc::clone(&health)), health)
    }

    fn note(health: &EngineHealth) -> (bool, String) {
        let report = health.report();
        (report.ok, report.note.unwrap_or_default())
    }

    #[tokio::test]
    async fn engine_is_shown_as_its_last_answer_was() {
        let off = EngineHealth::new(false, Arc::new(Noon));
        assert_eq!(note(&off), (true, "off".to_owned()));
        let (engine, health) = watched(|| EngineError::NotSent);
        assert_eq!(note(&health), (true, "not asked yet".to_owned()));
        assert!(engine.calls().await.is_err());
        assert_eq!(note(&health), (false, "the call engine cannot be reached".to_owned()));
        assert!(health.report().details["failingSince"].is_string());
        let lost = LostDial {
            intent: Uuid::nil().into(),
            phone: domain::Phone::parse("+919529117230").unwrap(),
            since: Noon.now(),
        };
        assert!(engine.find(lost).await.is_ok());
        assert_eq!(note(&health), (true, "reachable".to_owned()));
    }

    #[tokio::test]
    async fn answer_that_is_no_yes_is_an_answer_unless_the_list_itself_is_missing() {
        let (engine, health) = watched(|| EngineError::NotFound);
        assert!(engine.call(CallId::parse("c").unwrap()).await.is_err());
        assert_eq!(note(&health), (true, "reachable".to_owned()));
        assert!(engine.calls().await.is_err());
        assert!(note(&health).1.contains("MR_HIRE_BACKEND_URL"), "{:?}", note(&health));
        assert!(engine.call(CallId::parse("c").unwrap()).await.is_err());
        assert!(!note(&health).0, "a call that is not found brings no list back");
        let minute = || EngineError::Throttled { retry_after: chrono::Duration::minutes(1) };
        let (engine, health) = watched(minute);
        assert!(engine.calls().await.is_err());
        assert_eq!(note(&health), (true, "reachable, at its limit".to_owned()));
    }

    #[tokio::test]
    async fn reconciliation_is_claimed_only_where_there_was_one() {
        let report = SyncReport { listed: 9, fetched: 4, updated: 3, failed: 0 };
        let done = reconciled(Ok(Ok(report)));
        let said = "reconciled with the call engine: 4 of 9 listed calls were asked for, 3 moved";
        assert_eq!((done.ok, done.note.as_deref()), (true, Some(said)));
        let late = tokio::time::timeout(Duration::ZERO, std::future::pending()).await;
        for not in [
            reconciled(Ok(Err(SyncError::Engine(EngineError::NotSent)))),
            reconciled(late),
            reconciled(Ok(Ok(SyncReport { failed: 1, ..report }))),
        ] {
            assert!(!not.ok, "{not:?}");
        }
    }
}
