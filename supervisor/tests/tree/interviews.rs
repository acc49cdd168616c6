//! Whose call a report is about: known, created, or not to be told before a dial is answered.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use domain::interview::{AnswerClass, CallReport, CallStatus, Interview, InterviewOutcome};
use domain::ports::{
    BoxFuture, CallEngine, EngineListing, InterviewDetail, InterviewFilter, InterviewOwners,
    InterviewPage, InterviewQueries, InterviewStats, InterviewSummary, KnownCall, PageRequest,
    Quarantine as _, Scope, Store, StoreError,
};
use domain::{CallId, EntityId, EntityKey, Kind, MR_HIRE, Phone, Rejected, TenantId};
use supervisor::{Interviews, Reported, Routed, Unavailable};

use crate::memory::{EntityRow, Memory};
use crate::signals::{Engine, Process, application, imported, start, tell};
use crate::world::{World, pass_s};

/// What the store holds of calls; nothing else is read here.
struct Rows(Memory);

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

fn away<'a, T>() -> Answer<'a, T> {
    Box::pin(async { Err(StoreError::Away(anyhow::anyhow!("nothing is read here"))) })
}

impl Rows {
    fn calls(&self) -> Vec<KnownCall> {
        let known = |row: EntityRow| {
            let view = serde_json::from_str::<Interview>(&row.state).ok()?.view()?;
            Some(KnownCall {
                call_id: view.call_id?.as_str().to_owned(),
                status: view.status,
                awaits_transcript: view.outcome == Some(InterviewOutcome::AwaitingTranscript),
                is_deleted: view.deleted_at.is_some(),
                updated_at: row.updated_at,
            })
        };
        self.0.entities().into_iter().filter_map(known).collect()
    }
}

impl InterviewQueries for Rows {
    fn page(&self, _: Scope, _: InterviewFilter, _: PageRequest) -> Answer<'_, InterviewPage> {
        away()
    }

    /// A row that shows a ringing call, whatever its checkpoint says.
    fn detail(&self, _: Scope, id: EntityId) -> Answer<'_, Option<InterviewDetail>> {
        let row = self.0.entity(id).map(|row| ringing(id, &row));
        Box::pin(async move { Ok(row) })
    }

    fn owners(&self, _: TenantId, _: Vec<EntityId>) -> Answer<'_, InterviewOwners> {
        away()
    }

    fn stats(&self, _: Scope, _: InterviewFilter) -> Answer<'_, InterviewStats> {
        away()
    }

    fn known(&self, _: TenantId, calls: Vec<String>) -> Answer<'_, Vec<KnownCall>> {
        let listed = self.calls().into_iter().filter(|known| calls.contains(&known.call_id));
        let known = listed.collect();
        Box::pin(async move { Ok(known) })
    }

    fn stale(&self, _: TenantId, before: DateTime<Utc>) -> Answer<'_, bool> {
        let is_stale = |known: &KnownCall| !known.status.is_over() && known.updated_at < before;
        let stale = self.calls().iter().any(is_stale);
        Box::pin(async move { Ok(stale) })
    }
}

fn ringing(id: EntityId, row: &EntityRow) -> InterviewDetail {
    let summary = InterviewSummary {
        id,
        call_id: Some("call".to_owned()),
        status: CallStatus::Ringing,
        answered_by: AnswerClass::Unknown,
        outcome: None,
        provider: None,
        phone_number: None,
        candidate_name: None,
        duration: None,
        cost: None,
        recording_url: None,
        summary: None,
        failure_reason: None,
        application_id: None,
        belongs_to: None,
        version: row.version,
        created_at: row.updated_at,
        updated_at: row.updated_at,
    };
    InterviewDetail { summary, transcript: None, turns: Vec::new(), seq: 0 }
}

fn service(world: &World, process: &Process, engine: &Arc<Engine>) -> Arc<Interviews> {
    Interviews::new(
        Arc::clone(&process.interviews),
        Arc::new(world.memory.clone()) as Arc<dyn Store>,
        Arc::clone(engine) as Arc<dyn CallEngine>,
        Arc::new(Rows(world.memory.clone())),
        Arc::clone(&world.clock),
    )
}

async fn report(
    interviews: &Interviews,
    call: &str,
    status: CallStatus,
) -> Result<Reported, Unavailable> {
    let report = CallReport {
        status: Some(status),
        phone: Some(Phone::parse("+919876543210").unwrap()),
        ..CallReport::of(CallId::parse(call).unwrap())
    };
    let raw = Arc::from(format!("{call} {status:?}").into_bytes());
    interviews.report(TenantId::DEFAULT, report, None, raw, None).await
}

/// Brings a screening to the point where its retry is being dialled.
async fn dialling(world: &World, engine: &Arc<Engine>, process: &Process, takes_s: u64) {
    process.tree.come_up(async {}).await;
    tell(world, &process.screenings, application(), 1, imported()).await.unwrap();
    let failed = CallReport {
        status: Some(CallStatus::Failed),
        application: Some(application()),
        ..CallReport::of(CallId::parse("first").unwrap())
    };
    let first = EntityId(uuid::Uuid::from_u128(0xf1));
    let failed = domain::interview::InterviewEvent::from(failed);
    tell(world, &process.interviews, first, 2, failed).await.unwrap();
    engine.dial_s.store(takes_s, Ordering::SeqCst);
    while engine.dials.load(Ordering::SeqCst) == 0 {
        pass_s(1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn report_of_a_stranger_creates_its_interview_and_the_next_one_finds_it() {
    let world = World::new();
    let engine = Arc::new(Engine::default());
    let process = start(&world, &engine).await;
    let interviews = service(&world, &process, &engine);

    let first = report(&interviews, "call-1", CallStatus::Ringing).await.unwrap();
    let second = report(&interviews, "call-1", CallStatus::InProgress).await.unwrap();

    assert!(matches!(first.routed, Routed::Applied { .. }));
    assert!(matches!(second.routed, Routed::Applied { .. }));
    assert_eq!(first.id, second.id);
}

#[tokio::test(start_paused = true)]
async fn report_that_overtakes_the_answer_to_its_dial_waits_and_reaches_the_right_interview() {
    let world = World::new();
    let engine = Arc::new(Engine::default());
    let process = start(&world, &engine).await;
    let interviews = service(&world, &process, &engine);
    dialling(&world, &engine, &process, 5).await;

    let early = report(&interviews, "dialled-0", CallStatus::Ringing).await.unwrap();
    assert_eq!(early.routed, Routed::Parked);
    // The store is away when the parked report could be routed; it is not routed wrongly for that.
    pass_s(3).await;
    world.memory.fail(|faults| faults.store_away = true);
    pass_s(10).await;
    world.memory.fail(|faults| faults.store_away = false);
    pass_s(40).await;

    let dialled = EntityId::of_attempt(application(), 1);
    let interview = world.memory.state::<Interview>(dialled);
    assert_eq!(interview.status(), Some(CallStatus::Ringing));
    assert!(world.memory.entity(early.id).is_none(), "nobody was created beside it");
    let late = report(&interviews, "dialled-0", CallStatus::InProgress).await.unwrap();
    assert_eq!(late.id, dialled);
    assert!(matches!(late.routed, Routed::Applied { .. }));
}

#[tokio::test(start_paused = true)]
async fn report_while_the_tree_is_drained_is_unavailable() {
    let world = World::new();
    let engine = Arc::new(Engine::default());
    let process = start(&world, &engine).await;
    let interviews = service(&world, &process, &engine);
    dialling(&world, &engine, &process, 60).await;
    process.tree.drain(std::time::Duration::from_secs(1)).await;

    let known = report(&interviews, "first", CallStatus::Ended).await;
    let waits = report(&interviews, "dialled-0", CallStatus::Ringing).await;

    assert!(matches!(known, Err(Unavailable::Away(_))), "{known:?}");
    assert!(matches!(waits, Err(Unavailable::Away(_))), "{waits:?}");
}

fn call(id: &str) -> CallId {
    CallId::parse(id).unwrap()
}

/// Lets the engine list these calls, and say as much of each when it is asked.
fn engine_lists(engine: &Engine, calls: &[(&str, CallStatus)]) {
    let listing =
        |(id, status): &(&str, CallStatus)| EngineListing { call_id: call(id), status: *status };
    *engine.listed.lock().unwrap() = calls.iter().map(listing).collect();
    engine.asked.lock().unwrap().clear();
}

fn asked(engine: &Engine) -> Vec<String> {
    engine.asked.lock().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn sync_asks_only_about_calls_that_are_missing_behind_or_stale() {
    use CallStatus::{Ended, Failed, InProgress, Queued, Ringing};
    let world = World::new();
    let engine = Arc::new(Engine::default());
    let process = start(&world, &engine).await;
    let interviews = service(&world, &process, &engine);
    for (id, status) in
        [("stale", Ringing), ("ended", Failed), ("gone", Ringing), ("failed", Failed)]
    {
        report(&interviews, id, status).await.unwrap();
    }
    let gone = report(&interviews, "gone", InProgress).await.unwrap().id;
    interviews.delete(TenantId::DEFAULT, gone, "admin".to_owned()).await.unwrap();
    pass_s(121).await;
    for (id, status) in [("same", Ringing), ("behind", Ringing), ("ahead", InProgress)] {
        report(&interviews, id, status).await.unwrap();
    }
    engine_lists(
        &engine,
        &[
            ("missing", Queued),
            ("stale", Ringing),
            ("ended", Ended),
            ("gone", Ended),
            ("failed", Failed),
            ("same", Ringing),
            ("behind", InProgress),
            ("ahead", Ringing),
        ],
    );

    let report = interviews.sync(TenantId::DEFAULT).await.unwrap();

    assert_eq!(asked(&engine), ["missing", "stale", "ended", "behind"]);
    assert_eq!((report.listed, report.fetched, report.updated, report.failed), (8, 4, 3, 0));
    let healed = EntityId::derived(TenantId::DEFAULT, MR_HIRE, "ended");
    assert_eq!(world.memory.state::<Interview>(healed).status(), Some(Ended));
}

#[tokio::test(start_paused = true)]
async fn background_sync_comes_each_minute_and_sooner_while_a_call_is_stale() {
    let world = World::new();
    let engine = Arc::new(Engine::default());
    let process = start(&world, &engine).await;
    let interviews = service(&world, &process, &engine);
    report(&interviews, "call", CallStatus::Ringing).await.unwrap();
    let synced = async |after_s: u64| {
        pass_s(after_s).await;
        let before = engine.lists.load(Ordering::SeqCst);
        interviews.sync_in_background(TenantId::DEFAULT);
        pass_s(1).await;
        engine.lists.load(Ordering::SeqCst) > before
    };

    assert!(synced(0).await, "the first one waits for nobody");
    assert!(!synced(20).await, "the call rang a moment ago");
    assert!(synced(40).await);
    assert!(synced(120).await);
    assert!(!synced(10).await);
    assert!(synced(5).await, "nothing was heard for two minutes");
    report(&interviews, "call", CallStatus::Ended).await.unwrap();
    assert!(!synced(20).await);
    assert!(synced(40).await);
}

/// Puts an interview into quarantine, with a report that waits for its release.
async fn quarantined(world: &World, interviews: &Interviews, process: &Process) -> EntityId {
    let id = report(interviews, "call", CallStatus::Ringing).await.unwrap().id;
    let key = EntityKey { kind: Kind::Interview, id };
    let put =
        world.memory.put(key, TenantId::DEFAULT, "poison".to_owned(), None, world.clock.now());
    put.await.unwrap();
    process.interviews.passivate(world.clock.now() + chrono::Duration::hours(1));
    let waits = report(interviews, "call", CallStatus::InProgress).await.unwrap();
    assert_eq!((waits.id, waits.routed), (id, Routed::Parked));
    id
}

#[tokio::test(start_paused = true)]
async fn interview_in_quarantine_is_deleted_and_what_waits_for_it_is_refused() {
    for is_readable in [true, false] {
        let world = World::new();
        let engine = Arc::new(Engine::default());
        let process = start(&world, &engine).await;
        let interviews = service(&world, &process, &engine);
        let id = quarantined(&world, &interviews, &process).await;
        if !is_readable {
            world.memory.garble(id);
        }

        let deleted = interviews.delete(TenantId::DEFAULT, id, "admin".to_owned()).await;

        assert!(matches!(deleted, Ok(Routed::Applied { .. })), "{deleted:?}");
        pass_s(1).await;
        assert!(world.memory.state::<Interview>(id).is_deleted());
        assert!(world.memory.list(9).await.unwrap().is_empty());
        assert!(world.memory.rows(id).is_empty(), "what waited was refused");
        let facts = world.memory.facts();
        let names: Vec<_> = facts.iter().map(|fact| fact.name.as_str()).collect();
        assert_eq!(names, ["reported", "deleted"]);
        assert_eq!(facts[0].data, r#"{"type":"erased"}"#);
        let again = interviews.delete(TenantId::DEFAULT, id, "admin".to_owned()).await;
        assert!(matches!(again, Ok(Routed::Rejected(Rejected::Deleted))), "{again:?}");
    }
}
