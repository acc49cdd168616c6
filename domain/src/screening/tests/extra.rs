//! Calls that a person has placed beside a screening's own, and the pipeline's that never left.

use super::*;
use crate::interview::Tally;
use crate::machine::Machine as _;

fn hear_extra(desk: &mut Desk, grade: Grade) -> Result<Transition<Screening>, Rejected> {
    let end = InterviewEnd { tally: Tally::Extra, ..end(outside(9), grade) };
    desk.tell(ScreeningEvent::InterviewEnded(end))
}

#[test]
fn extra_call_that_came_to_nothing_is_no_attempt_and_plans_no_retry() {
    for grade in [Grade::Unknown, Grade::Failed, Grade::Pending, Grade::Short] {
        let mut desk = imported();
        assert_eq!(hear_extra(&mut desk, grade).unwrap_err(), Rejected::NothingNew);
        desk.hear(outside(1), Grade::Failed).unwrap();
        assert_eq!(hear_extra(&mut desk, grade).unwrap_err(), Rejected::NothingNew);
        let view = desk.machine.view().unwrap();
        assert_eq!(view.attempts, 1, "{grade:?}");
    }
}

#[test]
fn first_call_that_was_never_sent_is_no_attempt_and_the_screening_rings_instead() {
    let mut desk = imported();
    let failure_reason = Some(FailureReason::Cancelled);
    let never = InterviewEnd { failure_reason, ..end(outside(1), Grade::Failed) };
    desk.tell(ScreeningEvent::InterviewEnded(never.clone())).unwrap();
    let view = desk.machine.view().unwrap();
    assert_eq!(view.attempts, 0);
    assert!(desk.machine.wake_at().is_some(), "a call is planned");
    let again = desk.tell(ScreeningEvent::InterviewEnded(never));
    assert_eq!(again.unwrap_err(), Rejected::NothingNew);
}

#[test]
fn extra_call_that_can_be_scored_is_and_takes_the_retry_back() {
    let mut desk = imported();
    desk.hear(outside(1), Grade::Failed).unwrap();
    hear_extra(&mut desk, Grade::Real).unwrap();
    assert_eq!(desk.open("analyze").len(), 1);
    assert!(desk.machine.wake_at().is_some());
    assert_eq!(hear_extra(&mut desk, Grade::Real).unwrap_err(), Rejected::Duplicate);
}
