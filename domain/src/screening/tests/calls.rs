//! What the ends of an application's calls lead to.

use chrono::Duration;

use super::*;
use crate::machine::Nudge;

#[test]
fn nothing_but_an_import_creates_a_screening() {
    let mut desk = Desk::new(application());
    assert_eq!(desk.hear(outside(1), Grade::Real).unwrap_err(), Rejected::Absent);
    assert_eq!(desk.tell(Nudge::Woke).unwrap_err(), Rejected::Absent);
    assert_eq!(desk.machine.view(), None);
}

#[test]
fn import_again_updates_until_the_final_score_stands() {
    let mut desk = imported();
    let import = |profile| ScreeningEvent::ApplicationImported(Box::new(profile));
    assert_eq!(desk.tell(import(profile())).unwrap_err(), Rejected::NothingNew);
    let renamed = ApplicationProfile { job_title: "Engineer".into(), ..profile() };
    desk.tell(import(renamed.clone())).unwrap();
    desk.hear(outside(1), Grade::Real).unwrap();
    let intent = desk.request();
    desk.tell(ScreeningEvent::Analyzed { intent, result: scored(71.0) }).unwrap();
    assert_eq!(desk.tell(import(renamed)).unwrap_err(), Rejected::NothingNew);
    assert_eq!(desk.tell(import(profile())).unwrap_err(), Rejected::OutOfPhase);
}

#[test]
fn failed_call_is_followed_by_another_after_four_and_then_eight_hours() {
    let mut desk = imported();
    desk.now = at("2026-11-20T04:00:00Z");
    desk.hear(outside(1), Grade::Failed).unwrap();
    let shown = desk.shown();
    assert_eq!((shown.call_status, shown.attempts), (CallState::RetryScheduled, 1));
    assert_eq!((shown.call_id, shown.call_processed_at), (None, None));
    assert_eq!(shown.next_attempt_at, Some(desk.now + Duration::hours(4)));
    assert_eq!(shown.failure_reason, Some("no-answer"));
    desk.wake().unwrap();
    assert_eq!(desk.orders().len(), 1);
    let (interview, order) = desk.orders()[0].clone();
    assert_eq!((interview, order.attempt, order.phone), (ordered(1), 2, profile().phone));
    desk.now = at("2026-11-20T08:30:00Z");
    desk.hear(interview, Grade::Short).unwrap();
    assert_eq!(
        desk.shown().next_attempt_at,
        Some(desk.now + Duration::hours(8)).map(|due| {
            assert_eq!(due, at("2026-11-20T16:30:00Z")); // Closed: the retry waits for the morning.
            at("2026-11-21T03:30:00Z")
        })
    );
    assert_eq!(desk.shown().failure_reason, Some("too_short"));
}

#[test]
fn retry_that_is_woken_outside_the_window_moves_into_it() {
    let mut desk = imported();
    desk.hear(outside(1), Grade::Failed).unwrap();
    desk.now = at("2026-11-20T20:00:00Z"); // We were away; it is 01:30 in India.
    desk.tell(Nudge::Woke).unwrap();
    assert_eq!(desk.orders().len(), 0);
    assert_eq!(desk.wakes_at(), at("2026-11-21T03:30:00Z"));
    desk.wake().unwrap();
    assert_eq!(desk.orders().len(), 1);
}

#[test]
fn third_failure_scores_zero_with_its_reason() {
    let mut desk = imported();
    desk.hear(outside(1), Grade::Failed).unwrap();
    desk.wake().unwrap();
    desk.hear(ordered(1), Grade::Failed).unwrap();
    desk.wake().unwrap();
    desk.hear(ordered(2), Grade::Short).unwrap();
    let shown = desk.shown();
    assert_eq!(
        (shown.call_status, shown.status),
        (CallState::Exhausted, ScreeningStatus::Rejected)
    );
    assert_eq!((shown.attempts, shown.failure_reason), (3, Some("too_short")));
    assert_eq!((shown.call_score, shown.final_score), (Some(0.0), Some(35.0)));
    assert_eq!(shown.call_processed_at, Some(desk.now));
    assert_eq!(shown.call_id, Some(call_id(ordered(2))));
    assert!(desk.machine.is_settled());
}

#[test]
fn call_is_counted_once_however_often_it_is_told() {
    let mut desk = imported();
    desk.hear(outside(1), Grade::Failed).unwrap();
    assert_eq!(desk.hear(outside(1), Grade::Failed).unwrap_err(), Rejected::Duplicate);
    let due = desk.wakes_at();
    desk.hear(outside(1), Grade::Short).unwrap();
    assert_eq!(desk.hear(outside(1), Grade::Failed).unwrap_err(), Rejected::Duplicate);
    assert_eq!((desk.shown().attempts, desk.wakes_at()), (1, due));
    assert_eq!(desk.shown().failure_reason, Some("too_short"));
}

#[test]
fn real_end_after_a_failure_cancels_the_planned_retry() {
    let mut desk = imported();
    desk.hear(outside(1), Grade::Failed).unwrap();
    desk.hear(outside(1), Grade::Real).unwrap();
    let shown = desk.shown();
    assert_eq!((shown.call_status, shown.attempts), (CallState::Analyzing, 1));
    assert_eq!(shown.next_attempt_at, None);
    assert_eq!(desk.orders(), []);
}

#[test]
fn pending_end_cancels_the_planned_retry_and_waits() {
    let mut desk = imported();
    assert_eq!(desk.hear(outside(1), Grade::Pending).unwrap_err(), Rejected::NothingNew);
    desk.hear(outside(1), Grade::Failed).unwrap();
    desk.hear(outside(1), Grade::Pending).unwrap();
    let shown = desk.shown();
    assert_eq!((shown.call_status, shown.attempts), (CallState::Calling, 1));
    assert_eq!(shown.call_id, Some(call_id(outside(1))));
    desk.hear(outside(1), Grade::Short).unwrap();
    assert_eq!((desk.shown().call_status, desk.shown().attempts), (CallState::RetryScheduled, 1));
}

#[test]
fn real_end_of_an_earlier_call_takes_the_ordered_one_back() {
    let mut desk = imported();
    desk.hear(outside(1), Grade::Failed).unwrap();
    desk.wake().unwrap();
    desk.hear(outside(1), Grade::Real).unwrap();
    assert_eq!(desk.taken_back(), [ordered(1)]);
    assert_eq!(desk.shown().call_status, CallState::Analyzing);
}

#[test]
fn pending_end_of_an_earlier_call_waits_for_the_ordered_one_to_be_taken_back() {
    let mut desk = imported();
    desk.hear(outside(1), Grade::Failed).unwrap();
    desk.wake().unwrap();
    desk.hear(outside(1), Grade::Pending).unwrap();
    assert_eq!(desk.taken_back(), [ordered(1)]);
    let cancelled = Some(FailureReason::Cancelled);
    let never = InterviewEnd { failure_reason: cancelled, ..end(ordered(1), Grade::Failed) };
    desk.tell(ScreeningEvent::InterviewEnded(never)).unwrap();
    assert_eq!(desk.shown().call_status, CallState::Calling);
    desk.hear(outside(1), Grade::Short).unwrap();
    assert_eq!((desk.shown().call_status, desk.shown().attempts), (CallState::RetryScheduled, 1));
    desk.wake().unwrap();
    assert_eq!(desk.orders()[1].0, ordered(2), "a call that was taken back is not ordered again");
    assert_eq!(desk.orders()[1].1.attempt, 2);
}

#[test]
fn call_that_was_placed_is_not_taken_back() {
    let mut desk = imported();
    desk.hear(outside(1), Grade::Failed).unwrap();
    desk.wake().unwrap();
    let placed = |interview| ScreeningEvent::DialPlaced { interview, call_id: call_id(interview) };
    desk.tell(placed(ordered(1))).unwrap();
    assert_eq!(desk.tell(placed(ordered(1))).unwrap_err(), Rejected::NothingNew);
    assert_eq!(desk.tell(placed(outside(9))).unwrap_err(), Rejected::OutOfPhase);
    assert_eq!(desk.shown().call_id, Some(call_id(ordered(1))));
    desk.hear(outside(1), Grade::Pending).unwrap();
    assert_eq!(desk.taken_back(), []);
    desk.hear(ordered(1), Grade::Failed).unwrap();
    assert_eq!(desk.shown().call_status, CallState::Calling);
    desk.hear(outside(1), Grade::Short).unwrap();
    assert_eq!(desk.shown().attempts, 2);
}

#[test]
fn unknown_outcome_is_not_called_again_and_not_scored() {
    let mut desk = imported();
    desk.hear(outside(1), Grade::Unknown).unwrap();
    let shown = desk.shown();
    assert_eq!(
        (shown.status, shown.call_status),
        (ScreeningStatus::OutcomeUnknown, CallState::Unknown)
    );
    assert_eq!((shown.call_score, shown.final_score), (None, None));
    assert!(desk.machine.is_settled());
    desk.hear(outside(1), Grade::Failed).unwrap();
    assert!(desk.machine.is_settled());
    desk.hear(outside(1), Grade::Real).unwrap();
    assert_eq!(desk.shown().call_status, CallState::Analyzing);
}

#[test]
fn silent_call_is_unknown_after_its_patience() {
    let mut desk = imported();
    desk.hear(outside(1), Grade::Failed).unwrap();
    desk.wake().unwrap();
    let ordered_at = desk.now;
    desk.wake().unwrap();
    assert_eq!(desk.now - ordered_at, Duration::hours(CALLING_HOURS_MAX));
    assert_eq!(desk.shown().status, ScreeningStatus::OutcomeUnknown);
}

#[test]
fn transcript_that_comes_after_the_last_attempt_corrects_the_zero() {
    let mut desk = imported();
    for number in 1..=3 {
        desk.hear(outside(number), Grade::Short).unwrap();
    }
    assert_eq!(desk.shown().call_status, CallState::Exhausted);
    desk.hear(outside(3), Grade::Real).unwrap();
    assert_eq!(desk.shown().call_status, CallState::Analyzing);
    assert_eq!(desk.shown().final_score, None);
}

#[test]
fn call_that_could_never_be_sent_does_not_count_and_is_ordered_anew_a_few_times_only() {
    let mut desk = imported();
    desk.hear(outside(1), Grade::Failed).unwrap();
    for _ in 0..20 {
        if desk.shown().call_status != CallState::RetryScheduled {
            break;
        }
        desk.wake().unwrap();
        let Some((interview, _)) = desk.orders().last().cloned() else { continue };
        let cancelled = Some(FailureReason::Cancelled);
        let never = InterviewEnd { failure_reason: cancelled, ..end(interview, Grade::Failed) };
        let _ = desk.tell(ScreeningEvent::InterviewEnded(never));
    }
    assert_eq!(desk.orders().len(), usize::try_from(ORDERS_MAX).unwrap());
    assert_eq!(desk.shown().status, ScreeningStatus::OutcomeUnknown);
}
