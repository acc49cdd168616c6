//! Calls that somebody asks for over HTTP.

use super::*;
use crate::interview::InterviewEvent as E;
use crate::machine::IntentMove;

#[test]
fn request_plans_a_dial_with_its_provider_and_for_no_application() {
    let mut desk = desk();
    let decided = desk.tell(E::PlacingAsked(requested())).unwrap().decision;
    let [IntentMove::Plan(plan)] = &decided.intents[..] else { panic!("no plan") };
    assert_eq!(plan.effect, Effect::Dial(requested()));
    let shown = desk.shown();
    assert_eq!((shown.provider, shown.application), (Some(Provider::Elevenlabs), None));
}

#[test]
fn request_that_comes_again_is_told_from_another_one_in_every_phase() {
    let other = RequestMark::of("POST", "/api/mr-hire/call", b"{ }");
    let asked = |desk: &Desk, request| desk.clone().tell(E::AskedAgain { request }).unwrap_err();
    let check = |desk: &Desk, phase: &str| {
        assert_eq!(asked(desk, request()), Rejected::Duplicate, "{phase}");
        assert_eq!(asked(desk, other), Rejected::OtherRequest, "{phase}");
        let again = desk.clone().tell(E::PlacingAsked(requested()));
        assert_eq!(again.unwrap_err(), Rejected::Duplicate, "{phase}");
    };
    let mut desk = desk();
    assert_eq!(asked(&desk, request()), Rejected::Absent);
    desk.tell(E::PlacingAsked(requested())).unwrap();
    check(&desk, "dialing");
    desk.dispatch("dial").unwrap();
    desk.tell(answered(&desk, 1)).unwrap();
    check(&desk, "live");
    desk.hear(report(CallStatus::Failed)).unwrap();
    check(&desk, "over");
    desk.tell(E::Deleted { by: "admin".into() }).unwrap();
    assert_eq!(asked(&desk, request()), Rejected::Deleted, "what is deleted keeps no mark");
}

#[test]
fn method_path_and_body_make_a_request() {
    let mark = |method, path, body: &[u8]| RequestMark::of(method, path, body);
    let one = mark("POST", "/a", b"b");
    assert_eq!(one, mark("POST", "/a", b"b"));
    for other in [mark("PUT", "/a", b"b"), mark("POST", "/ab", b""), mark("POST", "/a", b"c")] {
        assert_ne!(one, other);
    }
}

#[test]
fn end_of_a_call_beside_the_attempts_says_so() {
    for (tally, application) in [(Tally::Extra, application()), (Tally::Attempt, application())] {
        let asked = Asked { tally, request: Some(request()) };
        let order = DialOrder { application: Some(application), asked, ..order() };
        let mut over = desk();
        over.tell(E::PlacingAsked(order.clone())).unwrap();
        over.dispatch("dial").unwrap();
        over.tell(answered(&over, 1)).unwrap();
        over.hear(report(CallStatus::Failed)).unwrap();
        assert_eq!(over.told()[0].tally, tally);

        let mut deleted = desk();
        deleted.tell(E::PlacingAsked(order)).unwrap();
        deleted.tell(E::Deleted { by: "admin".into() }).unwrap();
        assert_eq!(deleted.told()[0].tally, tally);
    }
}
