//! A screening and its interviews together, as the inbox connects them.

use std::collections::BTreeMap;

use chrono::Duration;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::interview::{CallReport, CallStatus, FetchFailure, Interview};
use crate::machine::{Machine, Nudge, Reach};
use crate::policy::{ATTEMPTS_MAX, CallingWindow};
use crate::testing::Row;
use crate::value::Seconds;

/// Which of our calls something is about, counted modulo those there are.
const ORDERED: usize = 12;

/// Everything on one clock; signals arrive in order, before anything else happens.
struct World {
    screening: Desk,
    interviews: BTreeMap<EntityId, Bench<Interview>>,
    /// How many signals of each sender were delivered.
    delivered: BTreeMap<EntityId, usize>,
    now: DateTime<Utc>,
}

/// What the engine reports about one of the calls.
#[derive(Clone, Copy, Debug)]
enum Said {
    Ringing,
    Busy,
    NoTranscriptYet,
    Brief,
    Real,
}

#[derive(Clone, Debug)]
enum Happening {
    /// Somebody else's call is reported on.
    Outside(u128, Said),
    /// A call of ours is reported on, by our intent.
    Ours(usize, Said),
    /// The dispatcher offers the next planned intent; a dial is answered, or not.
    Dispatched { answered: bool },
    /// The next wake time comes.
    Woke,
    /// An outcome is given up.
    Unknown(usize),
}

fn any_story() -> impl Strategy<Value = Vec<Happening>> {
    let said = || {
        select(vec![
            Said::Ringing,
            Said::Busy,
            Said::Busy,
            Said::NoTranscriptYet,
            Said::Brief,
            Said::Real,
        ])
    };
    let happening = prop_oneof![
        3 => (1..3_u128, said()).prop_map(|(number, said)| Happening::Outside(number, said)),
        4 => (0..ORDERED, said()).prop_map(|(which, said)| Happening::Ours(which, said)),
        5 => any::<bool>().prop_map(|answered| Happening::Dispatched { answered }),
        5 => Just(Happening::Woke),
        1 => (0..ORDERED).prop_map(Happening::Unknown),
    ];
    proptest::collection::vec(happening, 1..60)
}

fn report(interview: EntityId, said: Said) -> CallReport {
    let report = CallReport {
        application: Some(application()),
        intent: Some(IntentId::derived(interview, "dial", 1)),
        ..CallReport::of(call_id(interview))
    };
    let ended = |seconds: f64, chars: usize| CallReport {
        status: Some(CallStatus::Ended),
        duration: Some(Seconds::parse(seconds).unwrap()),
        transcript: Some("x".repeat(chars)),
        ..report.clone()
    };
    match said {
        Said::Ringing => CallReport { status: Some(CallStatus::Ringing), ..report },
        Said::Busy => CallReport {
            status: Some(CallStatus::Failed),
            failure_reason: Some(FailureReason::Busy),
            ..report
        },
        Said::NoTranscriptYet => ended(90.0, 0),
        Said::Brief => ended(20.0, 30),
        Said::Real => ended(90.0, 60),
    }
}

impl World {
    fn new() -> Self {
        let screening = imported();
        let now = screening.now;
        Self { screening, interviews: BTreeMap::new(), delivered: BTreeMap::new(), now }
    }

    fn interview(&mut self, id: EntityId) -> &mut Bench<Interview> {
        let now = self.now;
        let bench = self.interviews.entry(id).or_insert_with(|| Bench::new(id));
        bench.now = now;
        bench
    }

    fn happen(&mut self, happening: &Happening) {
        let ours: Vec<_> =
            self.screening.orders().into_iter().map(|(interview, _)| interview).collect();
        let pick = |which: &usize| ours.get(which % ours.len().max(1)).copied();
        match happening {
            Happening::Outside(number, said) => {
                let id = outside(*number);
                let _ = self.interview(id).tell(report(id, *said));
            }
            Happening::Ours(which, said) => {
                let Some(id) = pick(which) else { return };
                let was_sent = |intent: &crate::testing::Intent| {
                    intent.operation == "dial" && !intent.sent.is_empty()
                };
                if self.interview(id).intents.values().any(was_sent) {
                    let _ = self.interview(id).tell(report(id, *said));
                }
            }
            Happening::Dispatched { answered } => self.dispatch(*answered),
            Happening::Woke => self.wake(),
            Happening::Unknown(which) => {
                let Some(id) = pick(which) else { return };
                let intent = IntentId::derived(id, "dial", 1);
                let _ = self.interview(id).tell(Nudge::IntentUnknown { intent });
            }
        }
        self.deliver();
        self.check();
    }

    /// Offers the interviews' planned intent that is due first, if it is due before the next wake time.
    fn dispatch(&mut self, answered: bool) {
        let planned = self.interviews.iter().flat_map(|(id, bench)| {
            bench.intents.iter().filter_map(|(intent, row)| match row.row {
                Row::Planned { due, attempt } => Some((due, *id, *intent, attempt + 1)),
                _ => None,
            })
        });
        let Some((due, id, intent, attempt)) = planned.min() else { return };
        if self.next_wake().is_some_and(|(wake, _)| wake < due) {
            return self.wake();
        }
        self.now = self.now.max(due);
        let bench = self.interview(id);
        if bench.tell(Nudge::IntentDue { intent, attempt }).is_err() {
            return;
        }
        if bench.intents[&intent].operation == "fetch_call" {
            let why = FetchFailure::Unreachable;
            bench.tell(InterviewEvent::FetchFailed { intent, why }).unwrap();
        } else if answered && !bench.intents[&intent].sent.is_empty() {
            let call_id = call_id(id);
            let event = InterviewEvent::DialAnswered { intent, attempt, call_id, provider: None };
            let _ = bench.tell(event);
        }
    }

    fn next_wake(&self) -> Option<(DateTime<Utc>, Option<EntityId>)> {
        let interviews = self.interviews.iter();
        let theirs =
            interviews.filter_map(|(id, bench)| Some((bench.machine.wake_at()?, Some(*id))));
        let own = self.screening.machine.wake_at().map(|due| (due, None));
        theirs.chain(own).min()
    }

    fn wake(&mut self) {
        let Some((due, who)) = self.next_wake() else { return };
        self.now = self.now.max(due);
        self.screening.now = self.now;
        let _ = match who {
            Some(id) => self.interview(id).tell(Nudge::Woke).map(drop),
            None => self.screening.tell(Nudge::Woke).map(drop),
        };
    }

    /// Delivers every message that was not delivered yet, and those that follow from them.
    fn deliver(&mut self) {
        while let Some(signal) = self.next_signal() {
            self.screening.now = self.now;
            let _ = match signal {
                Signal::Screening(_, event) => self.screening.tell(event).map(drop),
                Signal::Interview(to, event) => self.interview(to).tell(event).map(drop),
            };
        }
    }

    fn next_signal(&mut self) -> Option<Signal> {
        let own = std::iter::once((application(), &self.screening.signals));
        let theirs = self.interviews.iter().map(|(id, bench)| (*id, &bench.signals));
        for (sender, signals) in own.chain(theirs) {
            let done = self.delivered.entry(sender).or_default();
            if let Some(signal) = signals.get(*done) {
                *done += 1;
                return Some(signal.clone());
            }
        }
        None
    }

    /// Our calls that may ring or be talked in.
    fn open_calls(&self) -> usize {
        let ours = self.screening.orders();
        let is_open = |id: &EntityId| {
            let status = self.interviews.get(id).and_then(|bench| bench.machine.status());
            status.is_some_and(|status| !status.is_over())
        };
        ours.iter().filter(|(id, _)| is_open(id)).count()
    }

    fn check(&self) {
        assert!(self.open_calls() <= 1, "two calls to one candidate at once");
        let waits = self.screening.shown().call_status == CallState::RetryScheduled;
        assert!(!waits || self.open_calls() == 0, "a retry beside a call that is under way");
        let rung = self.interviews.values().flat_map(|bench| bench.intents.values());
        let window = CallingWindow::of(profile().zone);
        for intent in rung.filter(|intent| intent.reach == Reach::Rings) {
            assert!(intent.sent.iter().all(|at| window.contains(*at)), "rung at night");
        }
        assert!(self.screening.shown().attempts <= ATTEMPTS_MAX + 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn candidate_is_never_called_twice_at_once_nor_more_than_thrice(story in any_story()) {
        let mut world = World::new();
        for happening in &story {
            world.happen(happening);
        }
        let sent = |bench: &Bench<Interview>| {
            bench.intents.values().any(|intent| intent.reach == Reach::Rings && !intent.sent.is_empty())
        };
        let rung = world.interviews.values().filter(|bench| sent(bench)).count();
        prop_assert!(rung < usize::try_from(ATTEMPTS_MAX).unwrap(), "we rang {rung} times after a first call");
    }

    #[test]
    fn what_an_interview_is_worth_reaches_its_screening(said in select(vec![Said::Real, Said::Brief, Said::Busy])) {
        let mut world = World::new();
        world.happen(&Happening::Outside(1, said));
        let expected = match said {
            Said::Real => CallState::Analyzing,
            _ => CallState::RetryScheduled,
        };
        prop_assert_eq!(world.screening.shown().call_status, expected);
    }
}

#[test]
fn transcript_that_comes_while_the_retry_is_ordered_takes_the_retry_back() {
    let mut world = World::new();
    world.happen(&Happening::Outside(1, Said::Busy));
    world.happen(&Happening::Woke);
    assert_eq!(world.open_calls(), 1);
    world.happen(&Happening::Outside(1, Said::Real));
    assert_eq!(world.open_calls(), 0);
    assert_eq!(world.screening.shown().call_status, CallState::Analyzing);
    assert_eq!(world.interviews[&ordered(1)].machine.status(), Some(CallStatus::Failed));
}

#[test]
fn silent_candidate_is_called_three_times_and_scored_zero() {
    let mut world = World::new();
    world.happen(&Happening::Outside(1, Said::Busy));
    for order in 0..2 {
        world.happen(&Happening::Woke);
        world.happen(&Happening::Dispatched { answered: true });
        let which = Happening::Ours(order, Said::Busy);
        world.happen(&which);
        world.now += Duration::seconds(1);
    }
    let shown = world.screening.shown();
    assert_eq!((shown.call_status, shown.attempts), (CallState::Exhausted, 3));
    assert_eq!(shown.final_score, Some(35.0));
}
