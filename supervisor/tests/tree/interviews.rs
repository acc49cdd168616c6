//! Whose call a report is about: known, created, or not to be told before a dial is answered.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use domain::interview::{CallReport, CallStatus, Interview};
use domain::ports::{
    BoxFuture, CallEngine, InterviewDetail, InterviewFilter, InterviewOwners, InterviewPage,
    InterviewQueries, InterviewStats, PageRequest, Scope, Store, StoreError,
};
use domain::{CallId, EntityId, Phone, TenantId};
use supervisor::{Interviews, Reported, Routed, Unavailable};

use crate::signals::{Engine, Process, application, imported, start, tell};
use crate::world::{World, pass_s};

/// Nothing is read here.
struct NoQueries;

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

fn away<'a, T>() -> Answer<'a, T> {
    Box::pin(async { Err(StoreError::Away(anyhow::anyhow!("nothing is read here"))) })
}

impl InterviewQueries for NoQueries {
    fn page(&self, _: Scope, _: InterviewFilter, _: PageRequest) -> Answer<'_, InterviewPage> {
        away()
    }

    fn detail(&self, _: Scope, _: EntityId) -> Answer<'_, Option<InterviewDetail>> {
        away()
    }

    fn owners(&self, _: TenantId, _: Vec<EntityId>) -> Answer<'_, InterviewOwners> {
        away()
    }

    fn stats(&self, _: Scope, _: InterviewFilter) -> Answer<'_, InterviewStats> {
        away()
    }

    fn settled(&self, _: TenantId, _: Vec<String>) -> Answer<'_, Vec<String>> {
        away()
    }

    fn stale(&self, _: TenantId, _: chrono::DateTime<chrono::Utc>) -> Answer<'_, bool> {
        away()
    }
}

fn service(world: &World, process: &Process, engine: &Arc<Engine>) -> Arc<Interviews> {
    Interviews::new(
        Arc::clone(&process.interviews),
        Arc::new(world.memory.clone()) as Arc<dyn Store>,
        Arc::clone(engine) as Arc<dyn CallEngine>,
        Arc::new(NoQueries),
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
    pass_s(10).await;

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
