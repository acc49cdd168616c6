//! Calls that another system knew first.

use chrono::Duration;

use super::*;
use crate::machine::Machine as _;
use crate::testing::noon;

fn imported(report: CallReport) -> InterviewEvent {
    InterviewEvent::Imported(Box::new(report))
}

/// A call that ended two days ago.
fn long_ago(report: CallReport) -> CallReport {
    CallReport { occurred_at: Some(noon() - Duration::days(2)), ..report }
}

#[test]
fn final_call_stays_as_it_was_and_nothing_follows() {
    for (report, outcome) in [
        (ended(214.0, Some(&words(80))), InterviewOutcome::Completed),
        (ended(12.0, Some("No.")), InterviewOutcome::TooShort),
        (ended(214.0, None), InterviewOutcome::TooShort),
        (
            CallReport { application: Some(application()), ..report(CallStatus::Failed) },
            InterviewOutcome::NotReached(None),
        ),
    ] {
        let mut desk = desk();
        desk.tell(imported(long_ago(report))).unwrap();
        assert_eq!(desk.shown().outcome, Some(outcome));
        assert_eq!(desk.shown().ended_at, Some(noon() - Duration::days(2)));
        assert_eq!(desk.machine.wake_at(), None, "nobody wakes for it");
        assert!(desk.signals.is_empty() && desk.intents.is_empty());
        assert_eq!(desk.aliases, ["call_01"], "it keeps its old id, and is found by its call");
    }
}

#[test]
fn second_import_changes_nothing() {
    let mut desk = desk();
    let report = long_ago(ended(214.0, Some(&words(80))));
    desk.tell(imported(report.clone())).unwrap();
    assert_eq!(desk.tell(imported(report)).unwrap_err(), Rejected::NothingNew);
}

#[test]
fn application_that_comes_later_hears_nothing_of_it() {
    let mut desk = desk();
    desk.tell(imported(long_ago(ended(214.0, Some(&words(80)))))).unwrap();
    let known = InterviewEvent::ApplicationImported { application: application() };
    assert_eq!(desk.tell(known).unwrap_err(), Rejected::NothingNew);
    desk.tell(InterviewEvent::Deleted { by: "admin".into() }).unwrap();
    assert!(desk.signals.is_empty(), "not even its delete is told");
}

#[test]
fn call_under_way_is_asked_about_at_once_and_ends_quietly() {
    let mut desk = desk();
    let running = CallReport { application: Some(application()), ..report(CallStatus::InProgress) };
    desk.tell(imported(long_ago(running))).unwrap();
    assert!(desk.machine.wake_at().unwrap() < noon(), "it is older than a call can be");
    desk.tell(InterviewEvent::Woke).unwrap();
    let intent = desk.dispatch("fetch_call").unwrap();
    let report = Box::new(ended(214.0, Some(&words(80))));
    desk.tell(InterviewEvent::Fetched { intent, report }).unwrap();
    assert_eq!(desk.shown().outcome, Some(InterviewOutcome::Completed));
    assert!(desk.signals.is_empty() && desk.machine.is_settled());
}

#[test]
fn second_import_brings_a_call_under_way_to_its_end() {
    let mut desk = desk();
    desk.tell(imported(report(CallStatus::Ringing))).unwrap();
    desk.tell(imported(ended(214.0, Some(&words(80))))).unwrap();
    assert_eq!(desk.shown().outcome, Some(InterviewOutcome::Completed));
    assert!(desk.signals.is_empty() && desk.machine.is_settled());
}

#[test]
fn what_was_heard_or_ordered_here_is_not_the_other_systems() {
    let over = imported(ended(214.0, Some(&words(80))));
    let mut heard = desk();
    heard.hear(report(CallStatus::Ringing)).unwrap();
    assert_eq!(heard.tell(over.clone()).unwrap_err(), Rejected::NothingNew);
    assert_eq!(heard.shown().status, CallStatus::Ringing);
    assert_eq!(sending().tell(over.clone()).unwrap_err(), Rejected::NothingNew);

    let mut gone = desk();
    gone.hear(report(CallStatus::Ringing)).unwrap();
    gone.tell(InterviewEvent::Deleted { by: "admin".into() }).unwrap();
    assert_eq!(gone.tell(over).unwrap_err(), Rejected::Deleted);
}
