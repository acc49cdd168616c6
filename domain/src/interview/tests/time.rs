//! What silence does to an interview.

use chrono::Duration;

use super::*;
use crate::machine::Nudge;

#[test]
fn every_live_status_has_its_maximum_age() {
    for (status, limit) in
        [(CallStatus::Queued, 10), (CallStatus::Ringing, 5), (CallStatus::InProgress, 130)]
    {
        let mut desk = desk();
        desk.hear(report(status)).unwrap();
        let due = desk.machine.deadline().unwrap();
        assert_eq!(minutes(desk.now, due), limit);
        desk.now = due - Duration::seconds(1);
        assert_eq!(desk.tell(Nudge::Woke).unwrap_err(), Rejected::Stale);
        desk.wake().unwrap();
        assert_eq!(desk.open("fetch_call").len(), 1);
        assert_eq!(desk.shown().status, status);
    }
}

#[test]
fn engine_is_asked_again_with_growing_pauses() {
    let mut desk = desk();
    desk.hear(report(CallStatus::Ringing)).unwrap();
    desk.wake().unwrap();
    let mut pauses = Vec::new();
    for _ in 0..7 {
        desk.miss();
        let next = desk.due(desk.open("fetch_call")[0]);
        pauses.push(minutes(desk.now, next));
    }
    assert_eq!(pauses, [1, 2, 5, 10, 15, 15, 15]);
}

#[test]
fn answer_with_progress_ends_the_questions() {
    let mut desk = desk();
    desk.hear(report(CallStatus::Ringing)).unwrap();
    desk.wake().unwrap();
    let intent = desk.dispatch("fetch_call").unwrap();
    let report = Box::new(report(CallStatus::InProgress));
    desk.tell(InterviewEvent::Fetched { intent, report }).unwrap();
    assert_eq!(desk.open("fetch_call"), []);
    assert_eq!(minutes(desk.now, desk.machine.deadline().unwrap()), 130);
}

#[test]
fn answer_without_news_is_followed_by_another_question() {
    let mut desk = desk();
    desk.hear(report(CallStatus::Ringing)).unwrap();
    desk.wake().unwrap();
    let intent = desk.dispatch("fetch_call").unwrap();
    let stale = Box::new(report(CallStatus::Queued));
    desk.tell(InterviewEvent::Fetched { intent, report: stale }).unwrap();
    assert_eq!(desk.fact_names().last().unwrap(), "fetch_missed");
    assert_eq!(desk.open("fetch_call").len(), 1);
}

#[test]
fn answer_that_only_enriches_does_not_end_the_questions() {
    let mut desk = desk();
    desk.hear(report(CallStatus::InProgress)).unwrap();
    desk.wake().unwrap();
    let give_up = desk.machine.deadline().unwrap();
    let intent = desk.dispatch("fetch_call").unwrap();
    let longer = CallReport { cost: cost(0.2), ..report(CallStatus::InProgress) };
    desk.tell(InterviewEvent::Fetched { intent, report: Box::new(longer) }).unwrap();
    assert_eq!(desk.open("fetch_call").len(), 1);
    assert_eq!(desk.machine.deadline().unwrap(), give_up);
}

#[test]
fn webhook_that_comes_first_takes_the_question_back() {
    let mut desk = desk();
    desk.hear(report(CallStatus::Ringing)).unwrap();
    desk.wake().unwrap();
    let intent = desk.open("fetch_call")[0];
    desk.hear(report(CallStatus::InProgress)).unwrap();
    assert_eq!(desk.open("fetch_call"), []);
    let late = Nudge::IntentDue { intent, attempt: 1 };
    assert_eq!(desk.tell(late).unwrap_err(), Rejected::Stale);
}

#[test]
fn silent_call_is_given_up_after_a_day_of_asking() {
    let mut desk = desk();
    desk.hear(CallReport { application: Some(application()), ..report(CallStatus::Ringing) })
        .unwrap();
    desk.wake().unwrap();
    let asked = desk.now;
    while desk.due(desk.open("fetch_call")[0]) < desk.machine.deadline().unwrap() {
        desk.miss();
    }
    desk.wake().unwrap();
    assert_eq!(desk.now - asked, Duration::hours(24));
    assert_eq!(desk.shown().status, CallStatus::Failed);
    assert_eq!(desk.shown().outcome, Some(InterviewOutcome::OutcomeUnknown));
    assert_eq!(desk.shown().failure_reason, Some(FailureReason::OutcomeUnknown));
    assert_eq!(desk.grades(), [Grade::Unknown]);
    assert_eq!((desk.open("fetch_call"), desk.machine.deadline()), (vec![], None));
}

#[test]
fn true_end_after_giving_up_is_still_taken() {
    let mut desk = desk();
    desk.hear(CallReport { application: Some(application()), ..report(CallStatus::Ringing) })
        .unwrap();
    desk.wake().unwrap();
    desk.wake().unwrap();
    assert_eq!(desk.hear(report(CallStatus::InProgress)).unwrap_err(), Rejected::Backward);
    desk.hear(ended(90.0, Some(&words(60)))).unwrap();
    assert_eq!(desk.shown().outcome, Some(InterviewOutcome::Completed));
    assert_eq!(desk.grades(), [Grade::Unknown, Grade::Real]);
}

#[test]
fn failure_reported_after_giving_up_is_a_failure() {
    let mut desk = desk();
    desk.hear(report(CallStatus::Ringing)).unwrap();
    desk.wake().unwrap();
    desk.wake().unwrap();
    let busy = Some(FailureReason::Busy);
    desk.hear(CallReport { failure_reason: busy, ..report(CallStatus::Failed) }).unwrap();
    assert_eq!(desk.shown().outcome, Some(InterviewOutcome::NotReached(busy)));
}

#[test]
fn missing_transcript_is_asked_for_before_the_screening_hears_of_it() {
    let mut desk = desk();
    desk.hear(ended(214.6, Some(" "))).unwrap();
    let end = desk.now;
    assert_eq!(desk.shown().outcome, Some(InterviewOutcome::AwaitingTranscript));
    let mut asked = Vec::new();
    while desk.due(desk.open("fetch_call")[0]) < desk.machine.deadline().unwrap() {
        asked.push((desk.due(desk.open("fetch_call")[0]) - end).num_seconds());
        desk.miss();
    }
    assert_eq!(asked, [15, 30, 60, 120, 240, 360, 480]);
    assert_eq!(desk.grades(), []);
    desk.wake().unwrap();
    assert_eq!(minutes(end, desk.now), 10);
    assert_eq!(desk.grades(), [Grade::Short]);
    assert_eq!(desk.shown().outcome, Some(InterviewOutcome::TooShort));
}

#[test]
fn late_transcript_is_asked_for_by_the_hour_for_a_day_and_still_counts() {
    let mut desk = desk();
    desk.hear(ended(214.6, None)).unwrap();
    desk.wake().unwrap();
    desk.miss();
    assert_eq!(minutes(desk.now, desk.due(desk.open("fetch_call")[0])), 60);
    let intent = desk.dispatch("fetch_call").unwrap();
    let report = Box::new(ended(214.6, Some(&words(60))));
    desk.tell(InterviewEvent::Fetched { intent, report }).unwrap();
    assert_eq!(desk.grades(), [Grade::Short, Grade::Real]);
    assert_eq!((desk.open("fetch_call"), desk.machine.deadline()), (vec![], None));
}

#[test]
fn transcript_that_never_comes_is_waited_for_no_longer_than_a_day() {
    let mut desk = desk();
    desk.hear(ended(214.6, None)).unwrap();
    desk.wake().unwrap();
    desk.wake().unwrap();
    assert!(desk.machine.is_settled());
    assert_eq!(desk.open("fetch_call"), []);
    assert_eq!(desk.shown().outcome, Some(InterviewOutcome::TooShort));
    desk.hear(CallReport { cost: cost(0.5), ..report(CallStatus::Ended) }).unwrap();
    assert!(desk.machine.is_settled());
}

#[test]
fn unknown_length_is_waited_for_like_a_missing_transcript() {
    let mut desk = desk();
    desk.hear(CallReport { duration: None, ..ended(1.0, Some(&words(60))) }).unwrap();
    assert_eq!(desk.shown().outcome, Some(InterviewOutcome::AwaitingTranscript));
    desk.hear(ended(61.0, None)).unwrap();
    assert_eq!(desk.grades(), [Grade::Real]);
}

#[test]
fn question_whose_answer_a_crash_lost_is_asked_once_more() {
    let mut desk = desk();
    desk.hear(ended(214.6, None)).unwrap();
    let first = desk.dispatch("fetch_call").unwrap();
    desk.pass(Duration::minutes(2));
    assert_eq!(desk.dispatch("fetch_call"), Ok(first));
    desk.tell(Nudge::IntentUnknown { intent: first }).unwrap();
    assert_ne!(desk.open("fetch_call"), [first]);
}
