//! What holds of every interview, whatever happens in whatever order.

use chrono::Duration;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::machine::{Machine, Nudge, Reach};
use crate::policy::CallingWindow;
use crate::testing::{Row, json, noon, reread};

/// A value drawn from what providers send: short lists, so that reports contradict each other often.
fn maybe<T: Clone + std::fmt::Debug + 'static>(values: Vec<T>) -> impl Strategy<Value = Option<T>> {
    prop_oneof![2 => Just(None), 3 => select(values).prop_map(Some)]
}

fn any_turns() -> impl Strategy<Value = Option<Turns>> {
    let role = select(vec![TurnRole::Assistant, TurnRole::User, TurnRole::Tool]);
    let text = select(vec!["", "  ", "yes", "no!", "hello there"]);
    let said =
        (role, text, proptest::option::of(0..4_i64)).prop_map(|(role, message, sequence_order)| {
            SaidTurn { role, message: message.to_owned(), sequence_order }
        });
    proptest::option::of(proptest::collection::vec(said, 0..4).prop_map(Turns::cleaned))
}

fn any_duration() -> impl Strategy<Value = Option<Seconds>> {
    let edges = select(vec![0.0, 59.9, 60.0, 214.6]);
    let value = prop_oneof![edges, 0.0..7_200.0_f64];
    proptest::option::of(value.prop_map(|value| Seconds::parse(value).unwrap()))
}

fn any_cost() -> impl Strategy<Value = Option<CostUsd>> {
    proptest::option::of((0.0..3.0_f64).prop_map(|value| CostUsd::parse(value).unwrap()))
}

fn any_text() -> impl Strategy<Value = Option<String>> {
    let same_length = (words(51), "a".repeat(51));
    maybe(vec![String::new(), " ".into(), words(50), same_length.0, same_length.1, words(300)])
}

/// Any report of the test's call, as a webhook or a poll may bring it.
fn any_report() -> impl Strategy<Value = CallReport> {
    let phones = ["+919529117230", "+4915112345678"].map(|text| Phone::parse(text).unwrap());
    let ids = [77, 78].map(|id| EntityId(uuid::Uuid::from_u128(id)));
    let how = (maybe(CallStatus::ALL.to_vec()), maybe(FailureReason::REPORTED.to_vec()));
    let size = (any_duration(), any_cost());
    let texts = (any_text(), any_text(), any_turns());
    let names = (
        maybe(Provider::ALL.to_vec()),
        maybe(phones.to_vec()),
        maybe(vec!["Asha".to_owned(), "Asha Rao".to_owned(), " ".to_owned()]),
        maybe(vec!["https://a/1".to_owned(), "https://b/2".to_owned()]),
        maybe(ids.to_vec()),
        maybe(ids.map(|id| id.0).to_vec()),
    );
    (how, size, texts, names).prop_map(|(how, size, texts, names)| CallReport {
        status: how.0,
        failure_reason: how.1,
        duration: size.0,
        cost: size.1,
        transcript: texts.0,
        summary: texts.1,
        messages: texts.2,
        provider: names.0,
        phone: names.1,
        candidate_name: names.2,
        recording_url: names.3,
        application: names.4,
        belongs_to: names.5,
        intent: Some(desk().machine.dial_id()),
        ..CallReport::of(call_id())
    })
}

/// One thing that happens; those that answer something are skipped while nothing asks.
#[derive(Clone, Debug)]
enum Happening {
    Reported(CallReport),
    Placed(DialOrder),
    AskedAgain(bool),
    CancelAsked,
    Deleted,
    Imported,
    TakenOver(CallReport),
    Passed { minutes: i64 },
    Woke,
    Offered(Index),
    Dialed(Index, DialEnd),
    Fetched(Index, Option<CallReport>),
    Unknown(Index),
}

#[derive(Clone, Copy, Debug)]
enum DialEnd {
    Answered,
    Refused,
    Postponed,
    Unsure,
}

/// A screening's order, the pipeline's, or a person's.
fn any_order() -> impl Strategy<Value = DialOrder> {
    let asked = Asked { request: Some(request()), ..Asked::default() };
    select(vec![order(), DialOrder { asked, ..order() }, requested()])
}

fn any_happening() -> impl Strategy<Value = Happening> {
    let end = select(vec![
        DialEnd::Answered,
        DialEnd::Refused,
        DialEnd::Postponed,
        DialEnd::Unsure,
        DialEnd::Unsure,
    ]);
    prop_oneof![
        6 => any_report().prop_map(Happening::Reported),
        3 => any_order().prop_map(Happening::Placed),
        1 => any::<bool>().prop_map(Happening::AskedAgain),
        1 => Just(Happening::CancelAsked),
        1 => Just(Happening::Deleted),
        1 => Just(Happening::Imported),
        1 => any_report().prop_map(Happening::TakenOver),
        3 => (0..900_i64).prop_map(|minutes| Happening::Passed { minutes }),
        4 => Just(Happening::Woke),
        6 => any::<Index>().prop_map(Happening::Offered),
        3 => (any::<Index>(), end).prop_map(|(which, end)| Happening::Dialed(which, end)),
        4 => (any::<Index>(), proptest::option::of(any_report()))
            .prop_map(|(which, report)| Happening::Fetched(which, report)),
        1 => any::<Index>().prop_map(Happening::Unknown),
    ]
}

/// A story begins with an order as often as with a report.
fn any_story() -> impl Strategy<Value = Vec<Happening>> {
    let story = proptest::collection::vec(any_happening(), 1..30);
    (proptest::option::of(any_order()), story).prop_map(|(order, mut story)| {
        if let Some(order) = order {
            story.insert(0, Happening::Placed(order));
        }
        story
    })
}

impl Desk {
    fn happen(&mut self, happening: &Happening) {
        let ids: Vec<_> = self.intents.keys().copied().collect();
        let pick = |which: &Index| (!ids.is_empty()).then(|| ids[which.index(ids.len())]);
        let event: InterviewEvent = match happening {
            Happening::Reported(report) => report.clone().into(),
            Happening::Placed(order) => InterviewEvent::PlacingAsked(order.clone()),
            Happening::AskedAgain(is_same) => InterviewEvent::AskedAgain {
                request: if *is_same { request() } else { RequestMark(uuid::Uuid::nil()) },
            },
            Happening::CancelAsked => InterviewEvent::CancelAsked,
            Happening::Deleted => InterviewEvent::Deleted { by: "admin".into() },
            Happening::Imported => {
                InterviewEvent::ApplicationImported { application: application() }
            }
            Happening::TakenOver(report) => InterviewEvent::Imported(Box::new(report.clone())),
            Happening::Passed { minutes } => return self.pass(Duration::minutes(*minutes)),
            Happening::Woke => {
                self.now = self.machine.wake_at().map_or(self.now, |due| due.max(self.now));
                Nudge::Woke.into()
            }
            Happening::Offered(which) => {
                let Some(intent) = pick(which) else { return };
                let attempt = match self.intents[&intent].row {
                    Row::Planned { due, attempt } => {
                        self.now = self.now.max(due);
                        attempt + 1
                    }
                    Row::Sending { attempt } => attempt + 1,
                    Row::Done | Row::Cancelled => 1, // A nudge that comes too late.
                };
                Nudge::IntentDue { intent, attempt }.into()
            }
            Happening::Dialed(which, end) => {
                let Some((intent, attempt)) = self.sent(pick(which), "dial") else { return };
                self.dial_event(intent, attempt, *end)
            }
            Happening::Fetched(which, report) => {
                let Some((intent, _)) = self.sent(pick(which), "fetch_call") else { return };
                match report {
                    Some(report) => {
                        InterviewEvent::Fetched { intent, report: Box::new(report.clone()) }
                    }
                    None => InterviewEvent::FetchFailed { intent, why: FetchFailure::NotFound },
                }
            }
            Happening::Unknown(which) => {
                let Some(intent) = pick(which) else { return };
                Nudge::IntentUnknown { intent }.into()
            }
        };
        let _ = self.tell(event);
    }

    /// Returns the intent and its attempt if it is of that kind and was ever sent.
    fn sent(&self, intent: Option<IntentId>, operation: &str) -> Option<(IntentId, u32)> {
        let id = intent?;
        let intent = &self.intents[&id];
        let attempt = u32::try_from(intent.sent.len()).unwrap();
        (intent.operation == operation && attempt > 0).then_some((id, attempt))
    }

    fn dial_event(&self, intent: IntentId, attempt: u32, end: DialEnd) -> InterviewEvent {
        match end {
            DialEnd::Answered => answered(self, attempt),
            DialEnd::Refused => {
                InterviewEvent::DialRefused { intent, attempt, code: "invalid_phone".into() }
            }
            DialEnd::Postponed => {
                let until = self.now + Duration::minutes(1);
                InterviewEvent::DialPostponed { intent, attempt, until }
            }
            DialEnd::Unsure => InterviewEvent::DialUnsure { intent, attempt },
        }
    }

    /// What must hold between any two events; the bench itself checks folds, refusals and intents.
    fn check(&self) {
        let status = self.machine.status();
        let live = status.is_some_and(|status| !status.is_over()) && !self.machine.is_deleted();
        assert!(!live || self.machine.wake_at().is_some(), "a live one that nothing wakes");
        let window = CallingWindow::of(order().zone);
        for intent in self.intents.values() {
            let rings = intent.reach == Reach::Rings;
            assert!(!rings || intent.sent.iter().all(|at| window.contains(*at)), "rung at night");
        }
        assert!(self.open("fetch_call").len() <= 1, "two questions at once");
        let waits = |id: &IntentId| matches!(self.intents[id].row, Row::Planned { .. });
        let owed = self.open("fetch_call").iter().filter(|id| waits(id)).count();
        let wanted = self.machine.fetch().stage.due().is_some();
        assert_eq!(owed, usize::from(wanted), "a question nobody wants, or one nobody will ask");
        assert!(self.aliases.len() <= 1, "two names");
    }

    /// Lets time pass while every question and every dial gets no answer, until nothing is waited for.
    fn outlast(&mut self) {
        let mut bound = 2_000;
        while self.machine.wake_at().is_some() {
            let due = |id: &IntentId| match self.intents[id].row {
                Row::Planned { due, .. } => Some((due, *id)),
                _ => None,
            };
            let next = self.intents.keys().filter_map(due).min();
            let wake = self.machine.wake_at().expect("checked above");
            match next {
                Some((due, id)) if due <= wake => {
                    self.now = self.now.max(due);
                    let attempt = u32::try_from(self.intents[&id].sent.len()).unwrap() + 1;
                    let _ = self.tell(Nudge::IntentDue { intent: id, attempt });
                    self.fail(id);
                }
                _ => drop(self.wake()),
            }
            self.check();
            bound -= 1;
            assert!(bound > 0, "it never ends: {}", json(&self.machine));
        }
    }

    fn fail(&mut self, intent: IntentId) {
        let Row::Sending { attempt } = self.intents[&intent].row else { return };
        let event = if self.intents[&intent].operation == "dial" {
            InterviewEvent::DialUnsure { intent, attempt }
        } else {
            InterviewEvent::FetchFailed { intent, why: FetchFailure::Unreachable }
        };
        let _ = self.tell(event);
    }
}

/// What a store holds of one call after these events: the row, and each document as last written.
fn stored(begun: &Interview, events: &[InterviewEvent]) -> (InterviewView, Vec<String>) {
    let mut machine = begun.clone();
    let mut documents = vec![String::new(); 3];
    for (second, event) in (0..).zip(events) {
        let now = noon() + Duration::seconds(second);
        let Ok(moved) = machine.apply(event, now) else { continue };
        for document in moved.decision.documents {
            match document {
                Document::Transcript(text) => documents[0] = text,
                Document::Turns(turns) => documents[1] = json(&turns),
                Document::Summary(text) => documents[2] = text,
            }
        }
    }
    let view = machine.view().expect("at least one report");
    (InterviewView { ended_at: None, ..view }, documents)
}

/// Calls `each` with every order of `items` (Heap's algorithm).
fn permute<T>(items: &mut [T], size: usize, each: &mut impl FnMut(&[T])) {
    if size <= 1 {
        return each(items);
    }
    for index in 0..size {
        permute(items, size - 1, each);
        let swapped = if size.is_multiple_of(2) { index } else { 0 };
        items.swap(swapped, size - 1);
    }
}

/// A call that was never heard of and its reports; or one whose dial is under way, its reports, and
/// the answer to the dial among them.
fn any_call(reports_max: usize) -> impl Strategy<Value = (Interview, Vec<InterviewEvent>)> {
    let reports =
        proptest::collection::vec(any_report().prop_map(InterviewEvent::from), 1..=reports_max);
    (any::<bool>(), reports).prop_map(|(ordered, mut events)| {
        if !ordered {
            return (desk().machine, events);
        }
        let desk = sending();
        events[0] = answered(&desk, 1);
        (desk.machine, events)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_order_of_one_calls_reports_ends_alike(
        (begun, mut events) in any_call(6),
    ) {
        let expected = stored(&begun, &events);
        let size = events.len();
        permute(&mut events, size, &mut |order| assert_eq!(stored(&begun, order), expected));
    }
}

// Each of these lives through days of questions, so there are fewer.
proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_interview_is_over_within_four_days_of_silence(story in any_story()) {
        let mut desk = desk();
        for happening in &story {
            desk.happen(happening);
        }
        let begun = desk.now;
        desk.outlast();
        prop_assert!(desk.now - begun <= Duration::days(4), "{}", desk.now - begun);
        prop_assert!(desk.machine.status().is_none_or(CallStatus::is_over) || desk.machine.is_deleted());
    }
}

#[test]
fn everything_that_was_ever_stored_is_read_and_folds() {
    crate::testing::shapes::check(any_story(), |desk: &mut Desk, story| {
        story.iter().for_each(|happening| desk.happen(happening));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn duplicates_and_shuffles_of_one_calls_reports_end_alike(
        (begun, events, shuffled) in any_call(12).prop_flat_map(|(begun, events)| {
            let doubled = [events.clone(), events.clone()].concat();
            (Just(begun), Just(events), Just(doubled).prop_shuffle())
        }),
    ) {
        prop_assert_eq!(stored(&begun, &shuffled), stored(&begun, &events));
    }

    #[test]
    fn status_never_falls_and_every_step_keeps_the_invariants(story in any_story()) {
        let mut desk = desk();
        let mut rank = None;
        for happening in &story {
            desk.happen(happening);
            prop_assert!(desk.machine.status() >= rank, "{:?} after {:?}", desk.machine.status(), rank);
            rank = desk.machine.status();
            desk.check();
        }
    }

    #[test]
    fn request_that_led_to_a_call_is_known_as_long_as_the_call_is(story in any_story()) {
        let mut desk = desk();
        let mut led = false;
        for happening in &story {
            let was_absent = desk.machine.status().is_none();
            desk.happen(happening);
            if let (Happening::Placed(order), true) = (happening, was_absent) {
                led = order.asked.request.is_some();
            }
            let again = |order| desk.clone().tell(InterviewEvent::PlacingAsked(order));
            if desk.machine.status().is_some() && !desk.machine.is_deleted() {
                let known = if led { Rejected::Duplicate } else { Rejected::OtherRequest };
                prop_assert_eq!(again(requested()).unwrap_err(), known);
            }
            let dials = desk.intents.values().filter(|intent| intent.operation == "dial").count();
            prop_assert!(dials <= 1, "a second dial");
        }
    }

    #[test]
    fn grades_told_to_one_screening_only_rise(story in any_story()) {
        // An import has the same end told once more, and nothing else does.
        let is_repeated = story.iter().any(|happening| matches!(happening, Happening::Imported));
        let mut desk = desk();
        for happening in &story {
            desk.happen(happening);
        }
        let mut last: std::collections::BTreeMap<EntityId, Grade> = std::collections::BTreeMap::new();
        let mut previous = None;
        for signal in &desk.signals {
            let Signal::Screening(to, ScreeningEvent::InterviewEnded(end)) = signal else { continue };
            let repeated = previous == Some(*to);
            let rises = last.get(to) < Some(&end.grade);
            let stays = is_repeated && last.get(to) == Some(&end.grade);
            prop_assert!(!repeated || rises || stays);
            last.insert(*to, end.grade);
            previous = Some(*to);
        }
    }

    #[test]
    fn call_that_was_taken_over_rings_nobody_and_tells_no_screening(
        report in any_report(), story in any_story(),
    ) {
        let mut desk = desk();
        desk.tell(InterviewEvent::Imported(Box::new(report))).unwrap();
        for happening in &story {
            desk.happen(happening);
        }
        desk.outlast();
        prop_assert!(desk.signals.is_empty(), "{:?}", desk.signals);
        let rings = desk.intents.values().any(|intent| intent.reach == Reach::Rings);
        prop_assert!(!rings, "{:?}", desk.intents);
    }

    #[test]
    fn reports_survive_json_bit_for_bit(report in any_report()) {
        prop_assert_eq!(reread(&report), report);
    }
}
