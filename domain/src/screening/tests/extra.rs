//! Calls that a person has placed beside a screening's own.

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
fn extra_call_that_can_be_scored_is_and_takes_the_retry_back() {
    let mut desk = imported();
    desk.hear(outside(1), Grade::Failed).unwrap();
    hear_extra(&mut desk, Grade::Real).unwrap();
    assert_eq!(desk.open("analyze").len(), 1);
    assert!(desk.machine.wake_at().is_some());
    assert_eq!(hear_extra(&mut desk, Grade::Real).unwrap_err(), Rejected::Duplicate);
}
