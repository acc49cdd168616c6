//! How an interview is scored.

use chrono::Duration;

use super::*;
use crate::machine::{IntentMove, Nudge};

fn analyzing() -> Desk {
    let mut desk = imported();
    desk.hear(outside(1), Grade::Real).unwrap();
    desk
}

#[test]
fn real_interview_is_sent_to_the_analyzer_with_its_job() {
    let mut desk = imported();
    let decided = desk.hear(outside(1), Grade::Real).unwrap().decision;
    let [IntentMove::Plan(plan)] = &decided.intents[..] else { panic!("no plan") };
    let effect = Effect::Analyze {
        interview: outside(1),
        call_id: call_id(outside(1)),
        application: application(),
        job_title: "Backend Engineer".into(),
        job_description: "Rust".into(),
    };
    assert_eq!((plan.operation, &plan.effect, plan.due), ("analyze", &effect, desk.now));
}

#[test]
fn final_score_decides_between_shortlisted_and_rejected() {
    for (overall, score, status) in
        [(70.0, 70.0, ScreeningStatus::Shortlisted), (69.9, 69.95, ScreeningStatus::Rejected)]
    {
        let mut desk = analyzing();
        let intent = desk.request();
        desk.tell(ScreeningEvent::Analyzed { intent, result: scored(overall) }).unwrap();
        let shown = desk.shown();
        assert_eq!((shown.status, shown.final_score), (status, Some(score)));
        assert_eq!((shown.call_score, shown.technical_score), (Some(overall), Some(68.0)));
        assert_eq!(shown.candidate.unwrap().location.as_deref(), Some("Pune"));
        assert_eq!(shown.call_processed_at, Some(desk.now));
        assert_eq!((shown.call_status, shown.attempts), (CallState::Completed, 1));
    }
}

#[test]
fn job_without_a_threshold_only_completes() {
    let mut desk = Desk::new(application());
    let profile = ApplicationProfile {
        policy: JobPolicy::default(),
        stages: StageScores::default(),
        ..profile()
    };
    desk.tell(ScreeningEvent::ApplicationImported(Box::new(profile))).unwrap();
    desk.hear(outside(1), Grade::Real).unwrap();
    let intent = desk.request();
    desk.tell(ScreeningEvent::Analyzed { intent, result: scored(12.0) }).unwrap();
    assert_eq!(desk.shown().status, ScreeningStatus::ScoringComplete);
    assert_eq!(desk.shown().final_score, Some(12.0));
}

#[test]
fn analysis_is_paid_for_once() {
    let mut desk = analyzing();
    let intent = desk.request();
    desk.tell(ScreeningEvent::Analyzed { intent, result: scored(71.0) }).unwrap();
    let again = desk.tell(ScreeningEvent::Analyzed { intent, result: scored(71.0) });
    assert_eq!(again.unwrap_err(), Rejected::Duplicate);
    let cost = CostUsd::parse(0.0061).unwrap();
    assert_eq!(desk.documents, [Document::AnalysisCost { call_id: call_id(outside(1)), cost }]);
}

#[test]
fn analyzer_is_asked_again_with_doubling_pauses() {
    let mut desk = analyzing();
    let mut pauses = Vec::new();
    for _ in 0..8 {
        desk.analysis_fails(None).unwrap();
        pauses.push((desk.due(desk.open("analyze")[0]) - desk.now).num_seconds());
    }
    assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1_800, 1_800]);
    desk.analysis_fails(Some(3_600)).unwrap();
    assert_eq!((desk.due(desk.open("analyze")[0]) - desk.now).num_seconds(), 3_600);
}

#[test]
fn outage_of_a_day_ends_as_unknown_and_never_as_zero() {
    let mut desk = analyzing();
    desk.analysis_fails(None).unwrap();
    let first = desk.now;
    while desk.due(desk.open("analyze")[0]) < desk.wakes_at() {
        desk.analysis_fails(None).unwrap();
    }
    desk.wake().unwrap();
    assert_eq!(desk.now - first, Duration::hours(24));
    let shown = desk.shown();
    assert_eq!(shown.status, ScreeningStatus::ScoringUnknown);
    assert_eq!((shown.call_score, shown.final_score, shown.call_processed_at), (None, None, None));
    assert_eq!(desk.open("analyze"), []);
}

#[test]
fn late_scores_after_an_outage_still_count() {
    let mut desk = analyzing();
    let intent = desk.request();
    desk.wake().unwrap();
    assert_eq!(desk.shown().status, ScreeningStatus::ScoringUnknown);
    let mut told_again = desk.clone();
    desk.tell(ScreeningEvent::Analyzed { intent, result: scored(71.0) }).unwrap();
    assert_eq!(desk.shown().call_status, CallState::Completed);
    told_again.hear(outside(1), Grade::Real).unwrap();
    assert_eq!(told_again.shown().call_status, CallState::Analyzing);
}

#[test]
fn scores_out_of_range_are_a_failed_analysis() {
    for overall in [-0.1, 100.1, 1e300] {
        let mut desk = analyzing();
        let intent = desk.request();
        desk.tell(ScreeningEvent::Analyzed { intent, result: scored(overall) }).unwrap();
        assert_eq!(desk.shown().call_status, CallState::Analyzing);
        assert_eq!(desk.open("analyze").len(), 1);
        assert_eq!(desk.documents, []);
    }
}

#[test]
fn scores_that_are_no_numbers_are_a_failed_analysis() {
    // JSON cannot carry them, so the machine is asked directly.
    let mut desk = analyzing();
    let intent = desk.request();
    let event = ScreeningEvent::Analyzed { intent, result: scored(f64::NAN) };
    let moved = crate::machine::Machine::decide(&desk.machine, &event, desk.now).unwrap();
    assert!(matches!(
        &moved.facts[..],
        [Fact::AnalysisMissed { why: AnalysisFailure::OutOfRange, .. }]
    ));
}

#[test]
fn request_whose_fate_is_unknown_is_followed_by_another_and_may_still_answer() {
    let mut desk = analyzing();
    let first = desk.request();
    desk.tell(Nudge::IntentUnknown { intent: first }).unwrap();
    assert_ne!(desk.open("analyze"), [first]);
    let failed = ScreeningEvent::AnalysisFailed {
        intent: first,
        retry_after_s: None,
        why: AnalysisFailure::Unreachable,
    };
    assert_eq!(desk.tell(failed).unwrap_err(), Rejected::Stale);
    desk.tell(ScreeningEvent::Analyzed { intent: first, result: scored(71.0) }).unwrap();
    assert_eq!(desk.open("analyze"), []);
    assert_eq!(desk.shown().call_status, CallState::Completed);
}

#[test]
fn nothing_reopens_a_scored_screening() {
    let mut desk = analyzing();
    let intent = desk.request();
    assert_eq!(desk.hear(outside(2), Grade::Real).unwrap_err(), Rejected::OutOfPhase);
    desk.tell(ScreeningEvent::Analyzed { intent, result: scored(71.0) }).unwrap();
    for grade in [Grade::Unknown, Grade::Failed, Grade::Pending, Grade::Short, Grade::Real] {
        assert!(desk.hear(outside(3), grade).is_err());
    }
    assert_eq!(desk.tell(Nudge::Woke).unwrap_err(), Rejected::Stale);
    assert_eq!(desk.tell(Nudge::IntentDue { intent, attempt: 2 }).unwrap_err(), Rejected::Stale);
}
