//! How a call that we order begins.

use chrono::Duration;

use super::*;
use crate::machine::{Claim, IntentMove, Nudge, Reach};
use crate::testing::{Row, at};

#[test]
fn order_plans_one_dial_that_rings_the_callee() {
    let mut desk = desk();
    let decided = desk.tell(InterviewEvent::PlacingAsked(order())).unwrap().decision;
    let [IntentMove::Plan(plan)] = &decided.intents[..] else { panic!("no plan") };
    assert_eq!((plan.operation, plan.reach, plan.due), ("dial", Reach::Rings, desk.now));
    assert_eq!(plan.callee, Some(order().phone));
    assert_eq!(plan.effect, Effect::Dial(order()));
    assert_eq!(desk.shown().status, CallStatus::Queued);
    let again = desk.tell(InterviewEvent::PlacingAsked(order()));
    assert_eq!(again.unwrap_err(), Rejected::OutOfPhase);
}

#[test]
fn order_at_night_is_due_in_the_morning() {
    let mut desk = desk();
    desk.now = at("2026-11-20T16:30:00Z"); // 22:00 in India: closed.
    desk.tell(InterviewEvent::PlacingAsked(order())).unwrap();
    assert_eq!(desk.due(dial_intent(&desk)), at("2026-11-21T03:30:00Z"));
}

#[test]
fn window_is_judged_when_the_dial_is_sent_and_must_outlast_the_request() {
    let mut desk = desk();
    desk.tell(InterviewEvent::PlacingAsked(order())).unwrap();
    let closes = at("2026-11-20T16:30:00Z");
    desk.now = closes - Duration::seconds(DIAL_SEND_TIMEOUT_S + 1);
    let mut late = desk.clone();
    late.now += Duration::seconds(1);
    desk.dispatch("dial").unwrap();
    assert_eq!(desk.intents[&dial_intent(&desk)].row, Row::Sending { attempt: 1 });
    late.dispatch("dial").unwrap();
    assert_eq!(late.due(dial_intent(&late)), at("2026-11-21T03:30:00Z"));
    assert_eq!(late.fact_names().last().unwrap(), "dial_postponed");
}

#[test]
fn answer_names_the_call_and_tells_the_screening() {
    let mut desk = sending();
    desk.tell(answered(&desk, 1)).unwrap();
    assert_eq!(desk.aliases, ["call_01"]);
    let placed = ScreeningEvent::DialPlaced { interview: desk.id, call_id: call_id() };
    let [Signal::Screening(to, event)] = &desk.signals[..] else { panic!("no signal") };
    assert_eq!((*to, event), (application(), &placed));
    assert_eq!(desk.shown().provider, Some(Provider::Vapi));
    assert_eq!(desk.shown().phone, Some(order().phone));
}

#[test]
fn webhook_that_overtakes_the_answer_names_the_call() {
    let mut desk = sending();
    let stranger = report(CallStatus::Ringing);
    assert_eq!(desk.hear(stranger.clone()).unwrap_err(), Rejected::OutOfPhase);
    let intent = Some(dial_intent(&desk));
    desk.hear(CallReport { intent, ..stranger }).unwrap();
    assert_eq!((desk.shown().status, desk.aliases.len()), (CallStatus::Ringing, 1));
    desk.tell(answered(&desk, 1)).unwrap(); // It still names the provider.
    assert_eq!(desk.tell(answered(&desk, 1)).unwrap_err(), Rejected::Backward);
    assert_eq!(desk.intents[&dial_intent(&desk)].row, Row::Done);
    assert_eq!((desk.aliases.len(), desk.signals.len()), (1, 1));
}

#[test]
fn report_does_not_override_what_we_ordered() {
    let mut desk = sending();
    desk.tell(answered(&desk, 1)).unwrap();
    let other = CallReport {
        application: Some(EntityId(uuid::Uuid::max())),
        phone: Some(Phone::parse("+4915112345678").unwrap()),
        ..report(CallStatus::Queued)
    };
    assert_eq!(desk.hear(other).unwrap_err(), Rejected::NothingNew);
}

#[test]
fn answer_with_another_call_id_is_out_of_phase() {
    let mut desk = sending();
    desk.tell(answered(&desk, 1)).unwrap();
    let other = InterviewEvent::DialAnswered {
        intent: dial_intent(&desk),
        attempt: 1,
        call_id: CallId::parse("call_02").unwrap(),
        provider: None,
    };
    assert_eq!(desk.tell(other).unwrap_err(), Rejected::OutOfPhase);
}

#[test]
fn callee_is_held_from_the_dial_to_the_end_of_the_call() {
    let mut desk = sending();
    let intent = dial_intent(&desk);
    desk.tell(answered(&desk, 1)).unwrap();
    desk.hear(report(CallStatus::InProgress)).unwrap();
    assert!(desk.intents[&intent].holds);
    desk.hear(ended(90.0, Some(&words(60)))).unwrap();
    assert!(!desk.intents[&intent].holds);

    let mut refused = sending();
    let code = "invalid_phone".into();
    refused.tell(InterviewEvent::DialRefused { intent, attempt: 1, code }).unwrap();
    assert!(!refused.intents[&intent].holds);
}

#[test]
fn callee_of_a_call_in_doubt_stays_held() {
    let mut desk = sending();
    let intent = dial_intent(&desk);
    desk.tell(Nudge::IntentUnknown { intent }).unwrap();
    assert!(desk.intents[&intent].holds, "until the claim ends by itself");
    let late = CallReport { intent: Some(intent), ..ended(90.0, Some(&words(60))) };
    desk.hear(late).unwrap();
    assert!(!desk.intents[&intent].holds);
}

#[test]
fn dial_says_why_the_phone_may_ring_and_whom_it_holds() {
    let mut desk = desk();
    desk.tell(InterviewEvent::PlacingAsked(order())).unwrap();
    let due = Nudge::IntentDue { intent: dial_intent(&desk), attempt: 1 };
    let decided = desk.tell(due).unwrap().decision;
    let [IntentMove::Send { claim: Claim::Callee { until, verdict }, not_after, .. }] =
        &decided.intents[..]
    else {
        panic!("no dial with a claim")
    };
    assert_eq!(*until - *not_after, Duration::minutes(130));
    assert_eq!(verdict.zone.name(), "Asia/Kolkata");
    assert_eq!(verdict.local_time.to_rfc3339(), "2026-11-20T12:00:00+05:30");
    assert_eq!((verdict.opens_hour, verdict.closes_hour), (9, 22));
}

#[test]
fn refusal_is_a_failure_with_its_reason() {
    for (code, reason) in [
        ("invalid_phone", FailureReason::InvalidNumber),
        ("400", FailureReason::InvalidNumber),
        ("provider_not_allowed", FailureReason::ProviderError),
    ] {
        let mut desk = sending();
        let intent = dial_intent(&desk);
        desk.tell(InterviewEvent::DialRefused { intent, attempt: 1, code: code.into() }).unwrap();
        assert_eq!(desk.shown().outcome, Some(InterviewOutcome::NotReached(Some(reason))));
        assert_eq!(desk.grades(), [Grade::Failed]);
    }
}

#[test]
fn outcome_of_an_earlier_attempt_is_stale() {
    let mut desk = sending();
    let intent = dial_intent(&desk);
    desk.tell(InterviewEvent::DialUnsure { intent, attempt: 1 }).unwrap();
    desk.dispatch("dial").unwrap();
    for event in [
        InterviewEvent::DialRefused { intent, attempt: 1, code: "x".into() },
        InterviewEvent::DialUnsure { intent, attempt: 1 },
    ] {
        assert_eq!(desk.tell(event).unwrap_err(), Rejected::Stale);
    }
}

#[test]
fn dial_that_provably_did_not_happen_waits_inside_the_window() {
    let mut desk = sending();
    let (intent, attempt) = (dial_intent(&desk), 1);
    let until = at("2026-11-20T17:00:00Z"); // 22:30 in India.
    desk.tell(InterviewEvent::DialPostponed { intent, attempt, until }).unwrap();
    assert_eq!(desk.due(intent), at("2026-11-21T03:30:00Z"));
    desk.tell(InterviewEvent::CancelAsked).unwrap();
    assert_eq!(desk.intents[&intent].row, Row::Cancelled);
    assert_eq!(desk.shown().outcome, Some(InterviewOutcome::Cancelled));
    assert_eq!(desk.told()[0].failure_reason, Some(FailureReason::Cancelled));
}

#[test]
fn dial_that_may_have_happened_cannot_be_taken_back() {
    let mut desk = sending();
    assert_eq!(desk.tell(InterviewEvent::CancelAsked).unwrap_err(), Rejected::OutOfPhase);
    let intent = dial_intent(&desk);
    desk.tell(InterviewEvent::DialUnsure { intent, attempt: 1 }).unwrap();
    desk.dispatch("dial").unwrap();
    assert_eq!(desk.tell(InterviewEvent::CancelAsked).unwrap_err(), Rejected::OutOfPhase);
    // It was looked for and not found before it was sent again, and now it was held back.
    let until = desk.now;
    desk.tell(InterviewEvent::DialPostponed { intent, attempt: 2, until }).unwrap();
    desk.tell(InterviewEvent::CancelAsked).unwrap();
    assert_eq!(desk.intents[&intent].row, Row::Cancelled);
}

#[test]
fn report_that_names_the_dial_settles_it() {
    let mut desk = sending();
    let intent = dial_intent(&desk);
    desk.tell(InterviewEvent::DialUnsure { intent, attempt: 1 }).unwrap();
    assert_eq!(desk.intents[&intent].row, Row::Sending { attempt: 1 });
    desk.hear(CallReport { intent: Some(intent), ..report(CallStatus::Ringing) }).unwrap();
    assert_eq!(desk.intents[&intent].row, Row::Done);
    assert!(desk.intents[&intent].holds, "the call is under way");
}

#[test]
fn dial_in_doubt_is_not_sent_again_at_night() {
    let mut desk = sending();
    let intent = dial_intent(&desk);
    desk.tell(InterviewEvent::DialUnsure { intent, attempt: 1 }).unwrap();
    desk.now = at("2026-11-20T16:30:00Z");
    desk.dispatch("dial").unwrap();
    assert_eq!(desk.intents[&intent].sent.len(), 1);
    assert_eq!(desk.due(intent), at("2026-11-21T03:30:00Z"));
}

#[test]
fn dial_in_doubt_is_never_sent_after_the_engine_forgot_its_key() {
    let mut desk = sending();
    let intent = dial_intent(&desk);
    desk.tell(InterviewEvent::DialUnsure { intent, attempt: 1 }).unwrap();
    desk.pass(Duration::hours(22));
    desk.tell(Nudge::IntentDue { intent, attempt: 2 }).unwrap();
    assert_eq!(desk.intents[&intent].sent.len(), 1);
    assert_eq!(desk.shown().outcome, Some(InterviewOutcome::OutcomeUnknown));
}

#[test]
fn dial_whose_fate_cannot_be_found_out_is_unknown() {
    let mut desk = sending();
    desk.tell(Nudge::IntentUnknown { intent: dial_intent(&desk) }).unwrap();
    assert_eq!(desk.shown().outcome, Some(InterviewOutcome::OutcomeUnknown));
    assert_eq!(desk.grades(), [Grade::Unknown]);
    let late = CallReport { intent: Some(dial_intent(&desk)), ..ended(90.0, Some(&words(60))) };
    desk.hear(late).unwrap();
    assert_eq!((desk.grades(), desk.aliases.len()), (vec![Grade::Unknown, Grade::Real], 1));
}

#[test]
fn dial_that_nobody_could_send_for_a_day_is_cancelled() {
    let mut desk = desk();
    desk.tell(InterviewEvent::PlacingAsked(order())).unwrap();
    let ordered = desk.now;
    desk.wake().unwrap();
    assert_eq!(desk.now - ordered, Duration::hours(24));
    assert_eq!(desk.shown().outcome, Some(InterviewOutcome::Cancelled));
    assert_eq!(desk.open("dial"), []);
}

#[test]
fn order_that_outlived_an_outage_is_not_sent_any_more() {
    let mut desk = desk();
    desk.tell(InterviewEvent::PlacingAsked(order())).unwrap();
    desk.pass(Duration::hours(24));
    let intent = dial_intent(&desk);
    desk.tell(Nudge::IntentDue { intent, attempt: 1 }).unwrap();
    assert_eq!(desk.intents[&intent].row, Row::Cancelled);
    assert_eq!(desk.shown().outcome, Some(InterviewOutcome::Cancelled));
}

#[test]
fn evidence_of_a_call_takes_a_waiting_dial_back() {
    let mut desk = sending();
    let intent = dial_intent(&desk);
    desk.tell(InterviewEvent::DialUnsure { intent, attempt: 1 }).unwrap();
    desk.dispatch("dial").unwrap();
    let until = desk.now;
    desk.tell(InterviewEvent::DialPostponed { intent, attempt: 2, until }).unwrap();
    desk.hear(CallReport { intent: Some(intent), ..report(CallStatus::Ringing) }).unwrap();
    assert_eq!(desk.intents[&intent].row, Row::Cancelled);
}

#[test]
fn deleting_an_order_cancels_its_dial() {
    let mut desk = desk();
    desk.tell(InterviewEvent::PlacingAsked(order())).unwrap();
    desk.tell(InterviewEvent::Deleted { by: "admin".into() }).unwrap();
    assert_eq!((desk.open("dial"), desk.grades()), (vec![], vec![Grade::Unknown]));
}
