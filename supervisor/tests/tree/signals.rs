//! Between the real kinds: the end of an interview reaches its screening exactly once.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actors::kinds::{InterviewPerformer, ScreeningPerformer};
use chrono::DateTime;
use domain::calling::{AllowedProviders, EnabledProviders, ProviderChoice, resolve};
use domain::interview::{CallReport, CallStatus, Interview, InterviewEvent};
use domain::policy::Zone;
use domain::ports::{
    Analysis, AnalysisRequest, Analyzer, BoxFuture, CallEngine, CallingSettings, DialRequest,
    EngineError, EngineListing, LostDial, Sighting, StoreError, Transcripts,
};
use domain::prompt::{ActivePrompt, Fit, Platform, Prompt};
use domain::screening::{
    ApplicationProfile, CandidateInfo, JobPolicy, Screening, ScreeningEvent, ScreeningStatus,
    StageScores,
};
use domain::{CallId, Cause, EntityId, Kind, Machine, Phone, Provider, Seconds, TenantId};
use supervisor::{Branch, Tree, TreeSettings};
use uuid::Uuid;

use crate::toy::NoColumns;
use crate::world::{World, delivery_key, incoming, is_applied, pass_s};

/// An engine that takes every dial and scores every transcript.
#[derive(Default)]
pub struct Engine {
    pub analyses: AtomicUsize,
    pub dials: AtomicUsize,
    /// How long a dial's answer takes, in seconds.
    pub dial_s: AtomicU64,
    /// What it lists, and says again when it is asked for one.
    pub listed: Mutex<Vec<EngineListing>>,
    /// How often it listed.
    pub lists: AtomicUsize,
    /// Which calls it was asked for.
    pub asked: Mutex<Vec<String>>,
    /// What its dials said, and by whom.
    pub said: Mutex<Vec<(Option<Provider>, String)>>,
    /// Whether the settings cannot be read.
    pub is_mute: AtomicBool,
}

impl CallEngine for Engine {
    fn is_on(&self) -> bool {
        true
    }

    fn dial(
        &self,
        request: DialRequest,
    ) -> BoxFuture<'_, Result<(CallId, Option<Provider>), EngineError>> {
        self.said.lock().unwrap().push((request.provider, request.system_prompt));
        let n = self.dials.fetch_add(1, Ordering::SeqCst);
        let takes_s = self.dial_s.load(Ordering::SeqCst);
        Box::pin(async move {
            pass_s(takes_s).await;
            Ok((CallId::parse(&format!("dialled-{n}")).unwrap(), None))
        })
    }

    fn find(&self, _: LostDial) -> BoxFuture<'_, Result<Sighting, EngineError>> {
        Box::pin(async { Ok(Sighting::Unclear) })
    }

    fn call(&self, id: CallId) -> BoxFuture<'_, Result<CallReport, EngineError>> {
        self.asked.lock().unwrap().push(id.as_str().to_owned());
        let listed = self.listed.lock().unwrap();
        let status = listed.iter().find(|call| call.call_id == id).map(|call| call.status);
        Box::pin(async move {
            let status = Some(status.ok_or(EngineError::NotFound)?);
            Ok(CallReport { status, ..CallReport::of(id) })
        })
    }

    fn calls(&self) -> BoxFuture<'_, Result<Vec<EngineListing>, EngineError>> {
        self.lists.fetch_add(1, Ordering::SeqCst);
        let listed = self.listed.lock().unwrap().clone();
        Box::pin(async move { Ok(listed) })
    }
}

/// The settings of a recruiter who uses one provider and wrote one prompt.
impl CallingSettings for Engine {
    fn active_prompt(
        &self,
        _: TenantId,
        _: Option<Uuid>,
        _: Option<Platform>,
    ) -> BoxFuture<'_, Result<ActivePrompt, StoreError>> {
        let prompt = Prompt {
            id: Uuid::nil(),
            name: "Screening".to_owned(),
            system_prompt: "Ring {{candidateName}} about {{role}}.".to_owned(),
            platform: None,
            belongs_to: None,
            is_active: true,
            version: 1,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        };
        Box::pin(async { Ok(ActivePrompt::Stored { prompt, fit: Fit::OwnForAny }) })
    }

    fn provider(
        &self,
        _: TenantId,
        _: Option<Uuid>,
        order: Option<Provider>,
    ) -> BoxFuture<'_, Result<ProviderChoice, StoreError>> {
        let is_mute = self.is_mute.load(Ordering::SeqCst);
        let own = AllowedProviders::only(Provider::Elevenlabs);
        Box::pin(async move {
            if is_mute {
                return Err(StoreError::Away(anyhow::anyhow!("nobody answers")));
            }
            Ok(resolve(order, Some(&own), None, &EnabledProviders::all()))
        })
    }
}

impl Analyzer for Engine {
    fn analyze(&self, _: AnalysisRequest) -> BoxFuture<'_, Result<Analysis, EngineError>> {
        self.analyses.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {
            Ok(Analysis {
                communication: 80.0,
                technical: 70.0,
                overall: 75.0,
                candidate: CandidateInfo::default(),
                cost: None,
            })
        })
    }
}

impl Transcripts for Engine {
    fn transcript(&self, _: EntityId) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        Box::pin(async { Ok(Some("x".repeat(500))) })
    }
}

pub struct Process {
    pub tree: Arc<Tree>,
    pub interviews: Arc<Branch<Interview>>,
    pub screenings: Arc<Branch<Screening>>,
}

pub async fn start(world: &World, engine: &Arc<Engine>) -> Process {
    let tree = Arc::new(Tree::build(world.ports(), TreeSettings::default()));
    let calls = Arc::clone(engine) as Arc<dyn CallEngine>;
    let interviews = tree.add(
        Arc::new(NoColumns),
        Arc::new(InterviewPerformer::new(
            calls,
            Arc::clone(engine) as Arc<dyn CallingSettings>,
            Arc::clone(&world.clock),
        )),
    );
    let screenings = tree.add(
        Arc::new(NoColumns),
        Arc::new(ScreeningPerformer::new(
            Arc::clone(engine) as Arc<dyn Analyzer>,
            Arc::clone(engine) as Arc<dyn Transcripts>,
        )),
    );
    tree.start().await.unwrap();
    Process { tree, interviews, screenings }
}

pub async fn tell<M: Machine>(
    world: &World,
    branch: &Arc<Branch<M>>,
    id: EntityId,
    n: u128,
    event: impl Into<M::Event>,
) -> Result<supervisor::Routed, supervisor::Unavailable> {
    let cause = Cause::Pushed { key: delivery_key(n), raw: Arc::from(*b"{}") };
    branch.route(incoming(id, cause, event.into(), world.clock.now())).await
}

pub fn application() -> EntityId {
    EntityId(Uuid::from_u128(0xa991))
}

fn interview() -> EntityId {
    EntityId(Uuid::from_u128(0x1e71))
}

pub fn imported() -> ScreeningEvent {
    ScreeningEvent::ApplicationImported(Box::new(ApplicationProfile {
        phone: Phone::parse("+919876543210").unwrap(),
        candidate_name: "Asha".to_owned(),
        job_title: "Engineer".to_owned(),
        job_description: "Builds".to_owned(),
        zone: Zone::default(),
        belongs_to: None,
        stages: StageScores::default(),
        policy: JobPolicy::default(),
    }))
}

fn ended() -> InterviewEvent {
    let call_id = CallId::parse("call-1").unwrap();
    InterviewEvent::from(CallReport {
        status: Some(CallStatus::Ended),
        duration: Some(Seconds::parse(300.0).unwrap()),
        transcript: Some("x".repeat(500)),
        application: Some(application()),
        ..CallReport::of(call_id)
    })
}

fn status(world: &World) -> ScreeningStatus {
    world.memory.state::<Screening>(application()).view().unwrap().status
}

fn heard(world: &World) -> usize {
    let is_heard = |fact: &&domain::ports::StoredFact| {
        fact.key.kind == Kind::Screening && fact.name.contains("heard")
    };
    world.memory.facts().iter().filter(is_heard).count()
}

#[tokio::test(start_paused = true)]
async fn end_of_an_interview_reaches_its_screening_once() {
    let world = World::new();
    let engine = Arc::new(Engine::default());
    let process = start(&world, &engine).await;
    tell(&world, &process.screenings, application(), 1, imported()).await.unwrap();

    assert!(is_applied(&tell(&world, &process.interviews, interview(), 2, ended()).await));
    tell(&world, &process.interviews, interview(), 2, ended()).await.unwrap();
    pass_s(2).await;

    assert_eq!(heard(&world), 1, "{:?}", world.memory.facts());
    assert_eq!(engine.analyses.load(Ordering::SeqCst), 1);
    assert_eq!(status(&world), ScreeningStatus::ScoringComplete);
    assert!(world.memory.rows(application()).is_empty());
    pass_s(300).await;
    assert_eq!(heard(&world), 1);
    drop(process.tree);
}

#[tokio::test(start_paused = true)]
async fn signal_survives_a_process_that_dies_between_the_commit_and_the_wake_up() {
    let world = World::new();
    let engine = Arc::new(Engine::default());
    let first = start(&world, &engine).await;
    tell(&world, &first.screenings, application(), 1, imported()).await.unwrap();
    tell(&world, &first.interviews, interview(), 9, queued()).await.unwrap();
    // The commit goes through; nobody lives to hear of it.
    world.memory.hold(true);
    let push = tokio::spawn({
        let (interviews, now) = (Arc::clone(&first.interviews), world.clock.now());
        let cause = Cause::Pushed { key: delivery_key(2), raw: Arc::from(*b"{}") };
        async move { interviews.route(incoming(interview(), cause, ended(), now)).await }
    });
    pass_s(1).await;
    push.abort();
    drop(first);
    pass_s(1).await;
    world.memory.hold(false);
    pass_s(1).await;
    assert_eq!(world.memory.rows(application()).len(), 1);
    assert_eq!(heard(&world), 0);

    let _second = start(&world, &engine).await;
    pass_s(3).await;
    assert_eq!(heard(&world), 1);
    assert_eq!(status(&world), ScreeningStatus::ScoringComplete);
    assert_eq!(engine.analyses.load(Ordering::SeqCst), 1);
    assert!(world.memory.rows(application()).is_empty());
}

fn queued() -> InterviewEvent {
    let call_id = CallId::parse("call-1").unwrap();
    InterviewEvent::from(CallReport {
        status: Some(CallStatus::Queued),
        application: Some(application()),
        ..CallReport::of(call_id)
    })
}

#[tokio::test(start_paused = true)]
async fn retry_of_a_failed_call_is_ordered_dialled_and_named_across_both_kinds() {
    let world = World::new();
    let engine = Arc::new(Engine::default());
    let process = start(&world, &engine).await;
    process.tree.come_up(async {}).await;
    tell(&world, &process.screenings, application(), 1, imported()).await.unwrap();
    let failed = CallReport {
        status: Some(CallStatus::Failed),
        application: Some(application()),
        ..CallReport::of(CallId::parse("call-1").unwrap())
    };
    let failed = InterviewEvent::from(failed);
    tell(&world, &process.interviews, interview(), 2, failed).await.unwrap();
    pass_s(3 * 3_600).await;
    assert_eq!(engine.dials.load(Ordering::SeqCst), 0);

    pass_s(3_600 + 60).await;

    assert_eq!(engine.dials.load(Ordering::SeqCst), 1);
    let screening = world.memory.state::<Screening>(application()).view().unwrap();
    assert_eq!(screening.call_id, Some(CallId::parse("dialled-0").unwrap()));
    let said = (Some(Provider::Elevenlabs), "Ring Asha about Engineer.".to_owned());
    assert_eq!(*engine.said.lock().unwrap(), [said], "as its owner's settings say when it leaves");
}

#[tokio::test(start_paused = true)]
async fn retry_waits_while_nobody_knows_what_it_has_to_say() {
    let world = World::new();
    let engine = Arc::new(Engine::default());
    let process = start(&world, &engine).await;
    process.tree.come_up(async {}).await;
    tell(&world, &process.screenings, application(), 1, imported()).await.unwrap();
    let failed = CallReport {
        status: Some(CallStatus::Failed),
        application: Some(application()),
        ..CallReport::of(CallId::parse("call-1").unwrap())
    };
    engine.is_mute.store(true, Ordering::SeqCst);
    tell(&world, &process.interviews, interview(), 2, InterviewEvent::from(failed)).await.unwrap();
    pass_s(4 * 3_600 + 120).await;
    assert_eq!(engine.dials.load(Ordering::SeqCst), 0);

    engine.is_mute.store(false, Ordering::SeqCst);
    pass_s(60).await;
    assert_eq!(engine.dials.load(Ordering::SeqCst), 1);
}
