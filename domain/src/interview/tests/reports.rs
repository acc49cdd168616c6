//! What one report does to an interview.

use super::*;

#[test]
fn first_report_creates_the_interview_with_what_it_says() {
    let mut desk = desk();
    desk.hear(CallReport { provider: Some(Provider::Vapi), ..report(CallStatus::Ringing) })
        .unwrap();
    assert_eq!(desk.shown().status, CallStatus::Ringing);
    assert_eq!(desk.shown().provider, Some(Provider::Vapi));
    assert_eq!(desk.shown().outcome, None);
    assert_eq!(desk.fact_names(), ["reported"]);
}

#[test]
fn first_report_without_a_known_status_is_taken_as_queued() {
    let mut desk = desk();
    desk.hear(CallReport::of(call_id())).unwrap();
    assert_eq!(desk.shown().status, CallStatus::Queued);
}

#[test]
fn status_may_skip_states_and_never_goes_back() {
    let mut desk = desk();
    desk.hear(report(CallStatus::Queued)).unwrap();
    desk.hear(report(CallStatus::InProgress)).unwrap();
    assert_eq!(desk.hear(report(CallStatus::Ringing)).unwrap_err(), Rejected::Backward);
    assert_eq!(desk.hear(report(CallStatus::InProgress)).unwrap_err(), Rejected::NothingNew);
    assert_eq!(desk.shown().status, CallStatus::InProgress);
}

#[test]
fn backward_report_with_news_enriches_without_lowering_the_status() {
    let mut desk = desk();
    desk.hear(ended(214.6, None)).unwrap();
    let late =
        CallReport { recording_url: Some("https://r".into()), ..report(CallStatus::Ringing) };
    desk.hear(late).unwrap();
    assert_eq!(desk.shown().status, CallStatus::Ended);
    assert_eq!(desk.shown().recording_url.as_deref(), Some("https://r"));
}

#[test]
fn ended_outranks_failed_in_either_order() {
    for reports in [
        [report(CallStatus::Failed), report(CallStatus::Ended)],
        [report(CallStatus::Ended), report(CallStatus::Failed)],
    ] {
        let mut desk = desk();
        for report in reports {
            let _ = desk.hear(report);
        }
        assert_eq!(desk.shown().status, CallStatus::Ended);
    }
}

#[test]
fn emptier_texts_and_turns_never_erase_fuller_ones() {
    let mut desk = desk();
    let said = |texts: &[&str]| {
        let turn = |text: &&str| SaidTurn {
            role: TurnRole::User,
            message: (*text).to_owned(),
            sequence_order: None,
        };
        Some(Turns::cleaned(texts.iter().map(turn).collect()))
    };
    let full =
        CallReport { messages: said(&["hello", "there"]), ..ended(90.0, Some("hello there")) };
    desk.hear(full).unwrap();
    let documents = desk.documents.len();
    for transcript in ["", "  ", "hello"] {
        let emptier = CallReport { messages: said(&["hello"]), ..ended(90.0, Some(transcript)) };
        assert_eq!(desk.hear(emptier).unwrap_err(), Rejected::NothingNew);
    }
    assert_eq!(desk.documents.len(), documents);
    assert_eq!((desk.shown().turns, desk.shown().transcript_chars), (2, 11));
}

#[test]
fn fuller_turns_replace_the_set_as_a_whole() {
    let mut desk = desk();
    let turns = |text: &str| {
        let said = SaidTurn { role: TurnRole::User, message: text.into(), sequence_order: None };
        Turns::cleaned(vec![said])
    };
    for text in ["hi", "hello"] {
        let messages = Some(turns(text));
        desk.hear(CallReport { messages, ..report(CallStatus::InProgress) }).unwrap();
    }
    assert_eq!(desk.documents.last(), Some(&Document::Turns(turns("hello"))));
}

#[test]
fn blank_turns_are_dropped_and_the_rest_is_ordered_and_numbered() {
    let said = |message: &str, sequence_order| SaidTurn {
        role: TurnRole::Assistant,
        message: message.to_owned(),
        sequence_order,
    };
    let turns = Turns::cleaned(vec![
        said("c", Some(9)),
        said(" \n", Some(1)),
        said("a", Some(-3)),
        said("", None),
    ]);
    let seen: Vec<_> =
        turns.as_slice().iter().map(|t| (t.message.as_str(), t.sequence_order)).collect();
    assert_eq!(seen, [("a", 0), ("c", 1)]);
    assert_eq!(TurnsMark::of(&Turns::cleaned(vec![said("  ", None)])), None);
}

#[test]
fn turns_without_a_number_stand_where_they_were_sent() {
    let said = |message: &str| SaidTurn {
        role: TurnRole::read("agent"),
        message: message.to_owned(),
        sequence_order: None,
    };
    let turns = Turns::cleaned(vec![said("one"), said(""), said("two")]);
    let seen: Vec<_> = turns.as_slice().iter().map(|t| t.message.as_str()).collect();
    assert_eq!(seen, ["one", "two"]);
    assert_eq!(turns.as_slice()[0].role, TurnRole::Unknown);
}

#[test]
fn real_needs_sixty_seconds_and_fifty_one_characters() {
    let outcome = |duration: f64, chars: usize| {
        let mut desk = desk();
        desk.hear(ended(duration, Some(&words(chars)))).unwrap();
        (desk.shown().outcome.unwrap(), desk.grades())
    };
    assert_eq!(outcome(60.0, 51), (InterviewOutcome::Completed, vec![Grade::Real]));
    assert_eq!(outcome(60.0, 50), (InterviewOutcome::TooShort, vec![Grade::Short]));
    assert_eq!(outcome(59.9, 51), (InterviewOutcome::TooShort, vec![Grade::Short]));
    assert_eq!(outcome(59.999_999, 51), (InterviewOutcome::TooShort, vec![Grade::Short]));
}

#[test]
fn answer_class_is_a_field_of_its_own() {
    let said = |role| {
        let said = SaidTurn { role, message: "hello".into(), sequence_order: None };
        Some(Turns::cleaned(vec![said]))
    };
    let class = |report: CallReport| {
        let mut desk = desk();
        desk.hear(report).unwrap();
        desk.shown().answered_by
    };
    let spoke = CallReport { messages: said(TurnRole::User), ..report(CallStatus::Ended) };
    assert_eq!(class(spoke.clone()), AnswerClass::Person);
    let voicemail = Some(FailureReason::Voicemail);
    assert_eq!(class(CallReport { failure_reason: voicemail, ..spoke }), AnswerClass::Voicemail);
    let alone = CallReport { messages: said(TurnRole::Assistant), ..report(CallStatus::Ended) };
    assert_eq!(class(alone), AnswerClass::Unknown);
    let live = CallReport { messages: said(TurnRole::User), ..report(CallStatus::InProgress) };
    assert_eq!(class(live), AnswerClass::Unknown);
}

#[test]
fn failure_keeps_its_reason_beside_the_outcome() {
    let mut desk = desk();
    let busy = Some(FailureReason::Busy);
    desk.hear(CallReport { failure_reason: busy, ..report(CallStatus::Failed) }).unwrap();
    assert_eq!(desk.shown().outcome, Some(InterviewOutcome::NotReached(busy)));
    assert_eq!(desk.shown().failure_reason, busy);
}

#[test]
fn report_cannot_give_a_reason_of_ours() {
    let mut desk = desk();
    let ours = Some(FailureReason::Cancelled);
    desk.hear(CallReport { failure_reason: ours, ..report(CallStatus::Failed) }).unwrap();
    assert_eq!(desk.shown().failure_reason, None);
    assert!(FailureReason::parse_reported("cancelled").is_err());
}

#[test]
fn report_of_another_call_is_out_of_phase() {
    let mut desk = desk();
    desk.hear(report(CallStatus::Queued)).unwrap();
    let other = CallReport::of(CallId::parse("call_02").unwrap());
    assert_eq!(desk.hear(other).unwrap_err(), Rejected::OutOfPhase);
}

#[test]
fn screening_is_told_once_for_every_rise_of_the_grade() {
    let mut desk = desk();
    let known = Some(application());
    desk.hear(CallReport { application: known, ..report(CallStatus::Failed) }).unwrap();
    desk.hear(CallReport { cost: cost(0.1), ..report(CallStatus::Failed) }).unwrap();
    desk.hear(ended(90.0, None)).unwrap();
    desk.hear(ended(90.0, Some(&words(10)))).unwrap();
    desk.hear(ended(90.0, Some(&words(60)))).unwrap();
    desk.hear(CallReport { cost: cost(0.2), ..report(CallStatus::Ended) }).unwrap();
    assert_eq!(desk.grades(), [Grade::Failed, Grade::Pending, Grade::Short, Grade::Real]);
}

#[test]
fn interview_without_an_application_tells_once_it_learns_of_one() {
    let mut desk = desk();
    desk.hear(CallReport { application: None, ..ended(90.0, Some(&words(60))) }).unwrap();
    assert_eq!(desk.grades(), []);
    let known = Some(application());
    desk.hear(CallReport { application: known, ..CallReport::of(call_id()) }).unwrap();
    let told = desk.told();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].grade, told[0].transcript_chars), (Grade::Real, 60));
}

#[test]
fn end_that_no_screening_could_hear_is_told_again_when_the_application_is_imported() {
    let imported = |application| InterviewEvent::ApplicationImported { application };
    let mut desk = desk();
    assert_eq!(desk.tell(imported(application())).unwrap_err(), Rejected::Absent);
    desk.hear(CallReport { application: Some(application()), ..report(CallStatus::Ringing) })
        .unwrap();
    assert_eq!(desk.tell(imported(application())).unwrap_err(), Rejected::NothingNew);
    desk.hear(ended(90.0, Some(&words(60)))).unwrap();
    let before = desk.machine.clone();
    desk.tell(imported(application())).unwrap();
    assert_eq!(desk.machine, before);
    let told = desk.told();
    assert_eq!((told.len(), &told[0]), (2, &told[1]));
    let other = EntityId(uuid::Uuid::max());
    assert_eq!(desk.tell(imported(other)).unwrap_err(), Rejected::NothingNew);
}

#[test]
fn deleted_one_keeps_its_call_id_and_its_owner_and_refuses_everything() {
    let mut desk = desk();
    let owner = uuid::Uuid::from_u128(0xa);
    let said = CallReport { belongs_to: Some(owner), ..ended(90.0, Some(&words(60))) };
    desk.hear(said).unwrap();
    desk.tell(InterviewEvent::Deleted { by: "admin".into() }).unwrap();
    let shown = desk.shown();
    assert_eq!((shown.call_id, shown.status), (Some(call_id()), CallStatus::Ended));
    assert_eq!((shown.deleted_at, shown.duration), (Some(desk.now), None));
    assert_eq!(shown.belongs_to, Some(owner));
    assert_eq!(desk.machine.deadline(), None);
    for event in [
        InterviewEvent::from(report(CallStatus::Ended)),
        InterviewEvent::Deleted { by: "admin".into() },
        InterviewEvent::Woke,
        InterviewEvent::PlacingAsked(order()),
    ] {
        assert_eq!(desk.tell(event).unwrap_err(), Rejected::Deleted);
    }
    assert!(!crate::testing::json(&desk.machine).contains(&application().to_string()));
}

#[test]
fn deleting_a_live_one_tells_its_screening_that_the_outcome_is_unknown() {
    let mut desk = desk();
    desk.hear(CallReport { application: Some(application()), ..report(CallStatus::Ringing) })
        .unwrap();
    desk.tell(InterviewEvent::Deleted { by: "admin".into() }).unwrap();
    assert_eq!(desk.grades(), [Grade::Unknown]);
    assert_eq!(
        super::desk().tell(InterviewEvent::Deleted { by: "x".into() }).unwrap_err(),
        Rejected::Absent
    );
}

#[test]
fn live_state_stays_small() {
    let mut desk = desk();
    desk.hear(CallReport {
        provider: Some(Provider::OpenaiTwilio),
        phone: Some(Phone::parse("+919529117230").unwrap()),
        candidate_name: Some("Asha Rao".into()),
        application: Some(application()),
        belongs_to: Some(application().0),
        ..report(CallStatus::Ringing)
    })
    .unwrap();
    let state = crate::testing::json(&desk.machine);
    assert!(state.len() < 600, "{} bytes: {state}", state.len());
    let full = ended(214.6, Some(&words(900)));
    desk.hear(CallReport { recording_url: Some("u".repeat(100)), cost: cost(0.38), ..full })
        .unwrap();
    let state = crate::testing::json(&desk.machine);
    assert!(state.len() < 900, "{} bytes: {state}", state.len());
}
