//! `_sim`: how demos and tests steer an engine and read what it did.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Inner;
use super::answers::{Refusal, parse};
use super::book::{Book, Entry};
use super::call::{Call, Order};
use super::faults::Faults;
use super::ledger::{CallEntry, Ledger, Origin, Totals};
use super::world::{Application, Start, World};
use crate::units::seconds;

/// The largest control body, in bytes: a world of some ten thousand applications.
const CONTROL_BYTES_MAX: usize = 16_000_000;

/// The body of `POST _sim/calls`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct StartCalls {
    /// Applications, spelled out.
    pub applications: Vec<Application>,
    /// So many more are made up.
    pub generate: u32,
    /// Over how many simulated seconds the first calls of the made up ones are spread.
    pub over_s: f64,
}

/// The answer to `POST _sim/calls`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    /// What became of each application, in order.
    pub calls: Vec<StartedCall>,
}

/// What became of one application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartedCall {
    /// The application.
    pub application_id: Uuid,
    /// Its first call, where it was begun at once.
    pub call_id: Option<String>,
    /// When its first call is due, where it is one of the engine's.
    pub starts_at: Option<DateTime<Utc>>,
}

/// The body of `POST _sim/reset`; it may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ResetRequest {
    /// Go on with this seed, from call number 0; without it the numbers go on.
    pub seed: Option<u64>,
}

/// Returns the control routes.
pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/_sim/ledger", get(get_ledger))
        .route("/_sim/faults", get(get_faults).put(put_faults))
        .route("/_sim/reset", post(reset))
        .route("/_sim/calls", post(post_calls))
        .layer(DefaultBodyLimit::max(CONTROL_BYTES_MAX))
}

async fn get_ledger(State(engine): State<Arc<Inner>>) -> Json<Ledger> {
    Json(ledger(&engine))
}

async fn get_faults(State(engine): State<Arc<Inner>>) -> Json<Faults> {
    Json(engine.book().faults.clone())
}

async fn put_faults(
    State(engine): State<Arc<Inner>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Faults>, Refusal> {
    let faults: Faults = parse(body)?;
    engine.book().faults = faults.clone();
    Ok(Json(faults))
}

async fn reset(State(engine): State<Arc<Inner>>, body: Bytes) -> Result<http::StatusCode, Refusal> {
    let request: ResetRequest = if body.is_empty() { Default::default() } else { parse(Ok(body))? };
    engine.book().reset(request.seed);
    Ok(http::StatusCode::NO_CONTENT)
}

async fn post_calls(
    State(engine): State<Arc<Inner>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Started>, Refusal> {
    let request: StartCalls = parse(body)?;
    let seed = engine.book().seed;
    let mut world = World::generate(seed, request.generate, request.over_s.max(0.0));
    world.applications.splice(0..0, request.applications);
    Ok(Json(start_calls(&engine, world)))
}

/// Makes the applications known and begins or schedules their first calls.
pub(super) fn start_calls(engine: &Arc<Inner>, world: World) -> Started {
    let calls = world.applications.into_iter().map(|one| start(engine, one)).collect();
    Started { calls }
}

fn start(engine: &Arc<Inner>, application: Application) -> StartedCall {
    let application_id = application.application_id;
    let starts_at = match application.start {
        Start::Now => Some(engine.clock.now()),
        Start::AfterS(after_s) => Some(engine.clock.now() + seconds(after_s)),
        Start::At(at) => Some(at),
        Start::Never => None,
    };
    let mut book = engine.book();
    book.register(application.clone());
    let Some(at) = starts_at else {
        return StartedCall { application_id, call_id: None, starts_at };
    };
    if at > engine.clock.now() {
        book.scheduled += 1;
        let later = start_later(Arc::clone(engine), application, at);
        super::spawn_in(&book.epoch, later);
        return StartedCall { application_id, call_id: None, starts_at };
    }
    let call = begin(engine, &mut book, application);
    drop(book);
    let call_id = call.map(|call| {
        let call_id = call.call_id.clone();
        engine.run(call);
        call_id
    });
    StartedCall { application_id, call_id, starts_at }
}

async fn start_later(engine: Arc<Inner>, application: Application, at: DateTime<Utc>) {
    engine.clock.sleep_until(at).await;
    let call = {
        let mut book = engine.book();
        book.scheduled = book.scheduled.saturating_sub(1);
        begin(&engine, &mut book, application)
    };
    if let Some(call) = call {
        engine.run(call);
    }
}

/// Begins an application's first call, if there is room. The engine's own calls may exceed the
/// lines: it takes no orders for them.
fn begin(engine: &Inner, book: &mut Book, application: Application) -> Option<Arc<Call>> {
    if book.is_full() {
        tracing::error!("the simulated engine remembers no more calls; reset it");
        return None;
    }
    let order = Order {
        origin: Origin::World,
        application_id: Some(application.application_id),
        attempt: 0,
        phone_number: application.phone_number,
        candidate_name: application.candidate_name,
        role: application.role,
        provider: application.provider,
        belongs_to: application.belongs_to,
        metadata: None,
        idempotency_key: None,
    };
    Some(book.begin(order, &engine.settings.profile, &engine.clock))
}

/// Returns what the engine did and saw so far.
pub(super) fn ledger(engine: &Inner) -> Ledger {
    let at = engine.clock.moment();
    let book = engine.book();
    let calls: Vec<_> = book.entries().iter().map(|entry| describe(engine, entry)).collect();
    Ledger {
        seed: book.seed,
        speed: engine.clock.speed().factor(),
        at,
        totals: sums(&book, at.simulated),
        requests: book.requests.clone(),
        calls,
        analyses: book.analyses.clone(),
        refreshes: book.refreshes.clone(),
    }
}

/// Returns the sums alone, which costs little.
pub(super) fn totals(engine: &Inner) -> Totals {
    sums(&engine.book(), engine.clock.now())
}

fn sums(book: &Book, now: DateTime<Utc>) -> Totals {
    let entries = book.entries();
    let count =
        |holds: &dyn Fn(&Entry) -> bool| entries.iter().filter(|entry| holds(entry)).count() as u64;
    let sum = |of: fn(&Entry) -> u32| entries.iter().map(|entry| u64::from(of(entry))).sum();
    Totals {
        calls: entries.len() as u64,
        live: count(&|entry| entry.call.over_at() > now),
        finished: count(&|entry| is_complete(&entry.call, now)),
        unsettled: count(&|entry| entry.tally.open() > 0),
        scheduled: book.scheduled,
        webhooks_sent: sum(|entry| entry.tally.sent),
        webhooks_acknowledged: sum(|entry| entry.tally.acknowledged),
        webhooks_lost: sum(|entry| entry.tally.lost),
        webhooks_abandoned: sum(|entry| entry.tally.abandoned),
        analyses: book.analyses.len() as u64,
    }
}

/// Says whether the last state is reached, the final transcript included.
fn is_complete(call: &Call, now: DateTime<Utc>) -> bool {
    let (_, stage) = call.stage_at(now);
    call.course.stages.last().is_some_and(|(_, last)| *last == stage)
}

fn describe(engine: &Inner, entry: &Entry) -> CallEntry {
    let call = &entry.call;
    let now = engine.clock.now();
    let (_, stage) = call.stage_at(now);
    let rang_at = call.course.rings_at.map(|after| call.created_at + after);
    CallEntry {
        number: call.number,
        call_id: call.call_id.clone(),
        origin: call.order.origin,
        application_id: call.order.application_id,
        attempt: call.order.attempt,
        phone_number: call.order.phone_number.clone(),
        candidate_name: call.order.candidate_name.clone(),
        provider: call.order.provider,
        idempotency_key: call.order.idempotency_key.clone(),
        created_at: engine.clock.moment_of(call.created_at),
        rang_at: rang_at.filter(|at| *at <= now).map(|at| engine.clock.moment_of(at)),
        status: stage.status(),
        final_status: is_complete(call, now).then(|| stage.status()),
        outcome: call.course.outcome,
        duration_s: call.course.talk_s,
        transcript_chars: call.talk_size.transcript_chars,
        turns: call.talk_size.turns,
        turns_not_blank: call.talk_size.turns_not_blank,
        webhooks: entry.tally.clone(),
        acknowledged: entry.acknowledged.clone(),
        metadata_forgotten: entry.metadata_forgotten,
    }
}
