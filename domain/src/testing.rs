//! A bench that drives a machine as shell, journal and dispatcher do, and checks what must always hold.

pub mod shapes;

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};

use crate::ids::{EntityId, IntentId};
use crate::machine::{
    Attempt, Claim, IntentMove, Machine, Named, Nudge, Reach, Rejected, Transition,
};
use crate::signal::Signal;

/// Noon in India on a Friday: a good time to ring there.
pub fn noon() -> DateTime<Utc> {
    at("2026-11-20T06:30:00Z")
}

pub fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

/// Returns the outcome's intent, if the event is what came of one.
pub trait Outcome {
    fn outcome_of(&self) -> Option<IntentId>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    Planned { due: DateTime<Utc>, attempt: Attempt },
    Sending { attempt: Attempt },
    Done,
    Cancelled,
}

#[derive(Clone, Debug)]
pub struct Intent {
    pub row: Row,
    pub operation: &'static str,
    pub reach: Reach,
    /// When it was sent.
    pub sent: Vec<DateTime<Utc>>,
    /// Whether it holds its callee.
    pub holds: bool,
}

#[derive(Clone, Debug)]
pub struct Bench<M: Machine> {
    pub id: EntityId,
    pub machine: M,
    pub now: DateTime<Utc>,
    pub intents: BTreeMap<IntentId, Intent>,
    pub documents: Vec<M::Document>,
    pub signals: Vec<Signal>,
    pub aliases: Vec<String>,
    pub facts: Vec<String>,
    /// Everything that is stored, where somebody collects it.
    pub life: Option<shapes::Life>,
}

impl<M: Machine> Bench<M>
where
    M::Event: Outcome,
{
    pub fn new(id: EntityId) -> Self {
        Self {
            id,
            machine: M::absent(id),
            now: noon(),
            intents: BTreeMap::new(),
            documents: Vec::new(),
            signals: Vec::new(),
            aliases: Vec::new(),
            facts: Vec::new(),
            life: None,
        }
    }

    /// Tells the machine, after the event went through JSON, and keeps the tables as the journal does.
    pub fn tell(&mut self, event: impl Into<M::Event>) -> Result<Transition<M>, Rejected> {
        let event: M::Event = reread(&event.into());
        if let Some(life) = &mut self.life {
            life.events.push(serde_json::to_value(&event).unwrap());
        }
        let before = json(&self.machine);
        let answer = self.machine.apply(&event, self.now);
        let moved = match &answer {
            Ok(transition) => {
                assert!(
                    !transition.decision.facts.is_empty(),
                    "a decision without facts: {event:?}"
                );
                assert_eq!(transition.wake_at, self.machine.wake_at());
                self.record(transition)
            }
            Err(_) => {
                assert_eq!(
                    json(&self.machine),
                    before,
                    "a refused event changed the state: {event:?}"
                );
                Vec::new()
            }
        };
        if let Some(intent) = event.outcome_of().filter(|intent| !moved.contains(intent)) {
            self.settle(intent);
        }
        self.check_fold();
        answer
    }

    fn record(&mut self, transition: &Transition<M>) -> Vec<IntentId> {
        let decision = &transition.decision;
        self.facts.extend(decision.facts.iter().map(json));
        self.documents.extend(decision.documents.iter().cloned());
        self.signals.extend(decision.signals.iter().cloned());
        self.aliases.extend(decision.aliases.iter().map(|alias| alias.external.clone()));
        decision.intents.iter().filter_map(|step| self.step(step)).collect()
    }

    /// Moves an intent, and names it where that settles what an outcome would; what the journal would
    /// refuse is a defect.
    fn step(&mut self, step: &IntentMove<M::Effect>) -> Option<IntentId> {
        let id = match step {
            IntentMove::Plan(new) => {
                let effect: M::Effect = reread(&new.effect);
                if let Some(life) = &mut self.life {
                    life.effects.push(serde_json::to_value(&effect).unwrap());
                }
                let intent = Intent {
                    row: Row::Planned { due: new.due, attempt: 0 },
                    operation: new.operation,
                    reach: new.reach,
                    sent: Vec::new(),
                    holds: false,
                };
                assert!(self.intents.insert(new.id, intent).is_none(), "an intent planned twice");
                new.id
            }
            IntentMove::Send { intent, attempt, not_after, claim } => {
                assert!(*not_after > self.now);
                let now = self.now;
                let row = self.intents.get_mut(intent).expect("sent but never planned");
                let (Row::Planned { attempt: last, .. } | Row::Sending { attempt: last }) = row.row
                else {
                    panic!("sent from {:?}", row.row)
                };
                assert!(*attempt > last, "attempt {attempt} sent after {last}");
                assert_eq!(matches!(claim, Claim::Callee { .. }), row.reach == Reach::Rings);
                row.row = Row::Sending { attempt: *attempt };
                row.holds = row.reach == Reach::Rings;
                row.sent.push(now);
                *intent
            }
            IntentMove::Postpone { intent, due } => {
                let row = self.intents.get_mut(intent).expect("postponed but never planned");
                let (Row::Planned { attempt, .. } | Row::Sending { attempt }) = row.row else {
                    panic!("postponed from {:?}", row.row)
                };
                row.row = Row::Planned { due: *due, attempt };
                row.holds = false;
                *intent
            }
            IntentMove::Cancel { intent } => {
                let row = self.intents.get_mut(intent).expect("cancelled but never planned");
                assert!(matches!(row.row, Row::Planned { .. }), "cancelled from {:?}", row.row);
                row.row = Row::Cancelled;
                *intent
            }
            IntentMove::Close { intent } => {
                let row = self.intents.get_mut(intent).expect("closed but never planned");
                assert!(matches!(row.row, Row::Sending { .. }), "closed from {:?}", row.row);
                row.row = Row::Done;
                *intent
            }
            IntentMove::Release { intent } => {
                self.intents.get_mut(intent).expect("released but never planned").holds = false;
                return None;
            }
        };
        Some(id)
    }

    fn settle(&mut self, intent: IntentId) {
        if let Some(intent) = self.intents.get_mut(&intent)
            && matches!(intent.row, Row::Sending { .. })
        {
            intent.row = Row::Done;
        }
    }

    /// The fold of the facts, as they were stored, is the state, as it is stored.
    pub fn check_fold(&self) {
        let mut folded = M::absent(self.id);
        for fact in &self.facts {
            folded.evolve(&serde_json::from_str(fact).unwrap());
        }
        let state = json(&self.machine);
        assert_eq!(json(&folded), state, "the facts do not fold to the state");
        if self.machine.is_erased() {
            assert_eq!(json(&self.folded_erased()), state, "they do not once they are erased");
        }
        assert_eq!(json(&reread(&self.machine)), state, "the state does not survive JSON");
    }

    /// Folds the log as the journal leaves it of an entity that was erased.
    fn folded_erased(&self) -> M {
        let mut folded = M::absent(self.id);
        for fact in &self.facts {
            let fact: M::Fact = serde_json::from_str(fact).unwrap();
            let erased = serde_json::from_str(r#"{"type":"erased"}"#);
            folded.evolve(&if fact.name() == "deleted" { fact } else { erased.unwrap() });
        }
        folded
    }

    pub fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// Moves to the wake time and wakes.
    pub fn wake(&mut self) -> Result<Transition<M>, Rejected> {
        let due = self.machine.wake_at().expect("a wake time");
        self.now = self.now.max(due);
        self.tell(Nudge::Woke)
    }

    /// Returns the open intents of one kind.
    pub fn open(&self, operation: &str) -> Vec<IntentId> {
        let is_open = |row| matches!(row, Row::Planned { .. } | Row::Sending { .. });
        self.intents
            .iter()
            .filter(|(_, intent)| intent.operation == operation && is_open(intent.row))
            .map(|(id, _)| *id)
            .collect()
    }

    pub fn due(&self, id: IntentId) -> DateTime<Utc> {
        match self.intents[&id].row {
            Row::Planned { due, .. } => due,
            other => panic!("not planned but {other:?}"),
        }
    }

    /// Moves to the time of the one open intent of this kind and offers it for sending.
    pub fn dispatch(&mut self, operation: &str) -> Result<IntentId, Rejected> {
        let [id] = self.open(operation)[..] else { panic!("not one open {operation}") };
        let attempt = match self.intents[&id].row {
            Row::Planned { due, attempt } => {
                self.now = self.now.max(due);
                attempt + 1
            }
            Row::Sending { attempt } => attempt + 1,
            Row::Done | Row::Cancelled => unreachable!("it is open"),
        };
        self.tell(Nudge::IntentDue { intent: id, attempt }).map(|_| id)
    }
}

pub fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap()
}

pub fn reread<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&json(value)).unwrap()
}
