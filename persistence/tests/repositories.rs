//! From a machine to its row and back, on a real PostgreSQL.

mod common;

use chrono::{DateTime, Utc};
use common::{World, rows, with_world};
use domain::interview::{
    CallReport, CallStatus, Interview, InterviewEvent, InterviewOutcome, SaidTurn, TurnRole, Turns,
};
use domain::policy::{Score, Zone};
use domain::ports::{InterviewQueries as _, Repository, Scope, ScreeningQueries as _};
use domain::screening::{
    ApplicationProfile, Document as ScreeningDocument, JobPolicy, Screening, ScreeningEvent,
    StageScores,
};
use domain::{
    CallId, CostUsd, EntityId, Kind, Machine, Phone, Provider, Seconds, TenantId, Transition,
};
use persistence::{InterviewRepository, ScreeningRepository};
use uuid::Uuid;

const TENANT: Scope = Scope::Tenant(TenantId::DEFAULT);

#[tokio::test]
async fn an_interview_is_stored_as_it_is_seen_and_kept_when_a_later_step_says_nothing() {
    with_world(async |world| {
        let now = world.now().await;
        let mut interview = Interview::absent(rows::id(1));
        let full = InterviewEvent::from(full_report());
        let transition = interview.apply(&full, now).unwrap();
        store(world, &InterviewRepository, &interview, &transition, 0, now).await;

        let stored = world.queries.detail(TENANT, rows::id(1)).await.unwrap().unwrap();
        let view = interview.view().unwrap();
        let row = &stored.summary;
        assert_eq!(row.call_id.as_deref(), Some("call-1"));
        assert_eq!((row.status, row.outcome), (view.status, view.outcome));
        assert_eq!(row.outcome, Some(InterviewOutcome::Completed));
        assert_eq!((row.duration, row.cost), (view.duration, view.cost));
        assert_eq!(row.cost, Some(0.1 + 0.2), "a number comes back to the last bit");
        assert_eq!(row.answered_by, view.answered_by);
        assert_eq!(row.provider, Some(Provider::Elevenlabs));
        assert_eq!(row.phone_number.as_deref(), Some("+919529117230"));
        assert_eq!(row.candidate_name.as_deref(), Some("Asha \"A\" Rao"));
        assert_eq!(row.recording_url.as_deref(), Some("https://api.twilio.com/RE1"));
        assert_eq!(
            (row.application_id, row.belongs_to),
            (Some(Uuid::from_u128(7)), view.belongs_to)
        );
        assert_eq!(row.summary.as_deref(), Some("fine"));
        assert_eq!(stored.transcript.as_deref(), Some(&*"said ".repeat(20)));
        let turns: Vec<_> = stored.turns.iter().map(|turn| turn.message.as_str()).collect();
        assert_eq!(turns, ["Hello", "Hi"]);

        let mut later = full_report();
        (later.transcript, later.messages, later.summary) = (None, None, None);
        later.cost = CostUsd::parse(0.5).ok();
        let transition = interview.apply(&InterviewEvent::from(later), now).unwrap();
        store(world, &InterviewRepository, &interview, &transition, 1, now).await;
        let stored = world.queries.detail(TENANT, rows::id(1)).await.unwrap().unwrap();
        assert_eq!((stored.summary.cost, stored.summary.version), (Some(0.5), 2));
        assert_eq!((stored.turns.len(), stored.summary.summary.as_deref()), (2, Some("fine")));
        assert!(stored.transcript.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_deleted_interview_keeps_nothing_personal() {
    with_world(async |world| {
        let now = world.now().await;
        let mut interview = Interview::absent(rows::id(1));
        let told = interview.apply(&InterviewEvent::from(full_report()), now).unwrap();
        store(world, &InterviewRepository, &interview, &told, 0, now).await;
        let deleted = InterviewEvent::Deleted { by: "admin".to_owned() };
        let deleted = interview.apply(&deleted, now).unwrap();
        store(world, &InterviewRepository, &interview, &deleted, 1, now).await;

        assert!(world.queries.detail(TENANT, rows::id(1)).await.unwrap().is_none());
        let kept = "select num_nonnulls(phone_number, candidate_name, recording_url, transcript,
                messages, summary)::bigint
            from voice_interviews where deleted_at is not null and call_id = 'call-1'";
        assert_eq!(world.count(kept).await, 0);
        let owner = full_report().belongs_to;
        assert!(owner.is_some());
        let found = world.queries.owners(TenantId::DEFAULT, vec![rows::id(1)]).await.unwrap();
        assert_eq!(found.owners, [(rows::id(1), owner)], "they have to hear that it is gone");
    })
    .await;
}

#[tokio::test]
async fn a_screening_is_stored_as_it_is_seen_with_what_its_analysis_cost() {
    with_world(async |world| {
        let now = world.now().await;
        let mut screening = Screening::absent(rows::id(1));
        let imported = ScreeningEvent::ApplicationImported(Box::new(profile()));
        let mut transition = screening.apply(&imported, now).unwrap();
        transition.decision.documents.push(ScreeningDocument::AnalysisCost {
            call_id: CallId::parse("call-1").unwrap(),
            cost: CostUsd::parse(0.0061).unwrap(),
        });
        store(world, &ScreeningRepository, &screening, &transition, 0, now).await;

        let stored = world.queries.screening(TENANT, rows::id(1).0).await.unwrap().unwrap();
        let view = screening.view().unwrap();
        assert_eq!(stored.status, view.status.as_str());
        assert_eq!(stored.call_status, view.call_status.as_str());
        assert_eq!(u32::try_from(stored.attempts), Ok(view.attempts));
        assert_eq!((stored.resume_score, stored.quiz_score), (Some(80.25), None));
        assert_eq!((stored.version, stored.application_id), (1, rows::id(1).0));
        let booked = "select count(*) from pipeline_cost_ledger
            where call_id = 'call-1' and cost_kind = 'transcript_analysis' and cost_usd = 0.0061";
        assert_eq!(world.count(booked).await, 1);
    })
    .await;
}

#[tokio::test]
async fn columns_are_as_many_as_the_function_takes() {
    let interview = Interview::absent(rows::id(1));
    assert_eq!(InterviewRepository.columns(&interview, &[]).len(), 18);
    let screening = Screening::absent(rows::id(1));
    assert_eq!(ScreeningRepository.columns(&screening, &[]).len(), 16);
}

/// Moves an entity on as the journal does, with nothing beside its row.
async fn store<M: Machine>(
    world: &World,
    repository: &dyn Repository<M>,
    machine: &M,
    transition: &Transition<M>,
    expected: i64,
    at: DateTime<Utc>,
) {
    let sql = match M::KIND {
        Kind::Interview => "select advance_interview($1, $2, $3, $4, $5, $6, $7)",
        Kind::Screening => "select advance_screening($1, $2, $3, $4, $5, $6, $7)",
    };
    let moved: i32 = sqlx::query_scalar(sql)
        .bind(vec![rows::id(1).0])
        .bind(vec![TenantId::DEFAULT.0])
        .bind(vec![expected])
        .bind(vec![1_i16])
        .bind(vec![serde_json::to_string(machine).expect("a state is JSON")])
        .bind(repository.columns(machine, &transition.decision.documents))
        .bind(at)
        .fetch_one(&mut world.journal().await)
        .await
        .expect("the columns fit");
    assert_eq!(moved, 1);
}

fn full_report() -> CallReport {
    let turn =
        |role, message: &str| SaidTurn { role, message: message.to_owned(), sequence_order: None };
    CallReport {
        status: Some(CallStatus::Ended),
        provider: Some(Provider::Elevenlabs),
        phone: Phone::parse("+919529117230").ok(),
        candidate_name: Some("Asha \"A\" Rao".to_owned()),
        duration: Seconds::parse(214.6).ok(),
        cost: CostUsd::parse(0.1 + 0.2).ok(),
        transcript: Some("said ".repeat(20)),
        recording_url: Some("https://api.twilio.com/RE1".to_owned()),
        summary: Some("fine".to_owned()),
        application: Some(EntityId(Uuid::from_u128(7))),
        belongs_to: Some(Uuid::from_u128(8)),
        messages: Some(Turns::cleaned(vec![
            turn(TurnRole::Assistant, "Hello"),
            turn(TurnRole::User, "Hi"),
        ])),
        ..report("call-1")
    }
}

fn report(call: &str) -> CallReport {
    serde_json::from_value(serde_json::json!({ "call_id": call })).expect("the rest is optional")
}

fn profile() -> ApplicationProfile {
    ApplicationProfile {
        phone: Phone::parse("+919529117230").expect("it is a number"),
        candidate_name: "Asha".to_owned(),
        zone: Zone::default(),
        belongs_to: None,
        job_title: "Engineer".to_owned(),
        job_description: String::new(),
        policy: JobPolicy::default(),
        stages: StageScores { resume: Score::parse(80.25).ok(), quiz: None },
    }
}
