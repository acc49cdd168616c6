//! What holds of every screening, whatever it is told in whatever order.

use chrono::Duration;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::interview::Tally;
use crate::machine::{Machine, Nudge};
use crate::policy::{ATTEMPTS_MAX, CallingWindow};
use crate::testing::{Row, json, reread};

#[derive(Clone, Debug)]
enum Happening {
    Imported,
    Ended(Which, Grade, Option<FailureReason>),
    Placed(Which),
    Passed { minutes: i64 },
    Woke,
    Offered(Index),
    Analyzed(Index, f64),
    Failed(Index, Option<u32>),
    Unknown(Index),
}

#[derive(Clone, Copy, Debug)]
enum Which {
    Outside(u128),
    Ordered(u32),
}

impl Which {
    fn interview(self) -> EntityId {
        match self {
            Self::Outside(number) => outside(number),
            Self::Ordered(order) => ordered(order),
        }
    }

    /// One of those from outside is a call that a person has placed beside the attempts.
    fn tally(self) -> Tally {
        match self {
            Self::Outside(4) => Tally::Extra,
            Self::Outside(_) | Self::Ordered(_) => Tally::Attempt,
        }
    }
}

fn any_happening() -> impl Strategy<Value = Happening> {
    let which = || {
        let outside = (1..5_u128).prop_map(Which::Outside);
        prop_oneof![outside, (1..4_u32).prop_map(Which::Ordered)]
    };
    let grade = select(vec![
        Grade::Unknown,
        Grade::Failed,
        Grade::Failed,
        Grade::Failed,
        Grade::Pending,
        Grade::Short,
        Grade::Short,
        Grade::Real,
    ]);
    let reason = proptest::option::of(select(vec![FailureReason::Busy, FailureReason::Cancelled]));
    let overall = prop_oneof![4 => 0.0..=100.0_f64, 1 => select(vec![-1.0, 100.5])];
    prop_oneof![
        1 => Just(Happening::Imported),
        8 => (which(), grade, reason).prop_map(|(which, grade, why)| Happening::Ended(which, grade, why)),
        2 => which().prop_map(Happening::Placed),
        2 => (0..900_i64).prop_map(|minutes| Happening::Passed { minutes }),
        6 => Just(Happening::Woke),
        4 => any::<Index>().prop_map(Happening::Offered),
        1 => (any::<Index>(), overall).prop_map(|(which, score)| Happening::Analyzed(which, score)),
        2 => (any::<Index>(), proptest::option::of(0..9_000_u32))
            .prop_map(|(which, after)| Happening::Failed(which, after)),
        1 => any::<Index>().prop_map(Happening::Unknown),
    ]
}

fn any_story() -> impl Strategy<Value = Vec<Happening>> {
    proptest::collection::vec(any_happening(), 1..40)
}

impl Desk {
    fn happen(&mut self, happening: &Happening) -> Result<Transition<Screening>, Rejected> {
        let ids: Vec<_> = self.intents.keys().copied().collect();
        let pick =
            |which: &Index| ids.get(which.index(ids.len().max(1))).copied().ok_or(Rejected::Absent);
        let was_sent = |id: IntentId| {
            if self.intents[&id].sent.is_empty() { Err(Rejected::Absent) } else { Ok(id) }
        };
        let event: ScreeningEvent = match happening {
            Happening::Imported => ScreeningEvent::ApplicationImported(Box::new(profile())),
            Happening::Ended(which, grade, failure_reason) => {
                let end = InterviewEnd {
                    failure_reason: *failure_reason,
                    tally: which.tally(),
                    ..end(which.interview(), *grade)
                };
                ScreeningEvent::InterviewEnded(end)
            }
            Happening::Placed(which) => {
                let interview = which.interview();
                ScreeningEvent::DialPlaced { interview, call_id: call_id(interview) }
            }
            Happening::Passed { minutes } => {
                self.pass(Duration::minutes(*minutes));
                return Err(Rejected::NothingNew);
            }
            Happening::Woke => {
                self.now = self.machine.wake_at().map_or(self.now, |due| due.max(self.now));
                Nudge::Woke.into()
            }
            Happening::Offered(which) => {
                let intent = pick(which)?;
                let attempt = match self.intents[&intent].row {
                    Row::Planned { due, attempt } => {
                        self.now = self.now.max(due);
                        attempt + 1
                    }
                    Row::Sending { attempt } => attempt + 1,
                    Row::Done | Row::Cancelled => 1,
                };
                Nudge::IntentDue { intent, attempt }.into()
            }
            Happening::Analyzed(which, overall) => {
                let intent = was_sent(pick(which)?)?;
                ScreeningEvent::Analyzed { intent, result: scored(*overall) }
            }
            Happening::Failed(which, retry_after_s) => {
                let (intent, why) = (was_sent(pick(which)?)?, AnalysisFailure::Throttled);
                ScreeningEvent::AnalysisFailed { intent, retry_after_s: *retry_after_s, why }
            }
            Happening::Unknown(which) => Nudge::IntentUnknown { intent: pick(which)? }.into(),
        };
        self.tell(event)
    }

    fn check(&self) {
        let Some(shown) = self.machine.view() else { return };
        let live = matches!(
            shown.call_status,
            CallState::Calling | CallState::RetryScheduled | CallState::Analyzing
        );
        assert_eq!(
            live,
            self.machine.wake_at().is_some(),
            "live without a wake time, or the reverse"
        );
        let planned = |id: &IntentId| matches!(self.intents[id].row, Row::Planned { .. });
        let owed = self.open("analyze").iter().filter(|id| planned(id)).count();
        let analyzing = usize::from(shown.call_status == CallState::Analyzing);
        assert!(owed <= analyzing, "a request owed twice, or for nothing");
        let waits = shown.call_status == CallState::RetryScheduled;
        assert_eq!(waits, shown.next_attempt_at.is_some());
        assert!(!waits || (shown.call_id.is_none() && shown.call_processed_at.is_none()));
        let decided = shown.final_score.is_some();
        assert_eq!(decided, shown.call_processed_at.is_some());
    }

    /// What must hold of an order given at this instant, by all that was told before.
    fn check_order(&self, order: &DialOrder, before: &Told) {
        let window = CallingWindow::of(order.zone);
        assert!(window.contains(self.now), "ordered outside the window");
        assert!(order.attempt <= ATTEMPTS_MAX, "attempt {}", order.attempt);
        assert!(!before.real && !before.unknown, "ordered after a real or an unknown end");
    }
}

/// What a screening was told and took.
#[derive(Default)]
struct Told {
    real: bool,
    unknown: bool,
}

#[test]
fn everything_that_was_ever_stored_is_read_and_folds() {
    crate::testing::shapes::check(any_story(), |desk: &mut Desk, story| {
        desk.tell(ScreeningEvent::ApplicationImported(Box::new(profile()))).unwrap();
        for happening in &story {
            let _ = desk.happen(happening);
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn orders_keep_to_window_attempts_and_what_was_told(story in any_story()) {
        let mut desk = imported();
        let mut told = Told::default();
        for happening in &story {
            let orders = desk.orders().len();
            let taken = desk.happen(happening).is_ok();
            desk.check();
            if let Some((_, order)) = desk.orders().get(orders) {
                desk.check_order(order, &told);
            }
            if let (Happening::Ended(_, grade, _), true) = (happening, taken) {
                told.real |= *grade == Grade::Real;
                told.unknown |= *grade == Grade::Unknown;
            }
        }
        let interviews: std::collections::BTreeSet<_> =
            desk.orders().into_iter().map(|(interview, _)| interview).collect();
        prop_assert_eq!(interviews.len(), desk.orders().len(), "an interview ordered twice");
        prop_assert!(desk.orders().len() <= usize::try_from(ORDERS_MAX).unwrap());
    }

    #[test]
    fn score_once_given_stands(story in any_story()) {
        let mut desk = imported();
        let mut completed = None;
        for happening in &story {
            let _ = desk.happen(happening);
            let shown = desk.shown();
            if let Some(before) = completed.replace(shown.clone()).filter(|before: &ScreeningView| {
                before.call_status == CallState::Completed
            }) {
                prop_assert_eq!(before, shown);
            }
        }
        prop_assert!(desk.documents.len() <= 1, "an analysis paid twice");
    }

    #[test]
    fn every_screening_comes_to_rest_within_ten_days_of_silence(story in any_story()) {
        let mut desk = imported();
        for happening in &story {
            let _ = desk.happen(happening);
        }
        let begun = desk.now;
        let mut bound = 500;
        while desk.machine.wake_at().is_some() {
            desk.wake().unwrap();
            desk.check();
            bound -= 1;
            prop_assert!(bound > 0, "it never ends: {}", json(&desk.machine));
        }
        prop_assert!(desk.now - begun <= Duration::days(10));
    }

    #[test]
    fn scores_survive_json_bit_for_bit(overall in 0.0..=100.0_f64, cost in 0.0..10.0_f64) {
        let cost = Some(CostUsd::parse(cost).unwrap());
        let result = AnalysisResult { cost, ..*scored(overall) };
        prop_assert_eq!(reread(&result), result);
    }
}
