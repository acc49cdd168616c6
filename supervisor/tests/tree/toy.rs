//! A small machine with every way of misbehaving that the shell must bear.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actors::{Found, Performed, Performer, Sent};
use chrono::{DateTime, Utc};
use domain::policy::{CallingWindow, held_until};
use domain::ports::{BoxFuture, Clock, Repository};
use domain::{
    Attempt, Claim, Decision, EntityId, IntentId, IntentMove, Kind, Machine, Named, NewIntent,
    Nudge, OperationClass, Phone, Reach, Rejected,
};
use serde::{Deserialize, Serialize};

use crate::panics::PLANNED;

/// The time a request of a toy may take to leave.
pub const SEND_TIMEOUT: chrono::Duration = chrono::Duration::seconds(10);
/// How long after that its outcome may still come by itself.
pub const SETTLING: Duration = Duration::from_secs(20);

/// What panics when a toy is told of it; a test cures it by taking it out.
static POISON: Mutex<Option<HashSet<u32>>> = Mutex::new(None);

/// Makes `Note(n)` a poison, or cures it.
pub fn poison(n: u32, is_poison: bool) {
    let mut poison = POISON.lock().unwrap_or_else(PoisonError::into_inner);
    let set = poison.get_or_insert_default();
    if is_poison {
        set.insert(n)
    } else {
        set.remove(&n)
    };
}

fn is_poison(n: u32) -> bool {
    let poison = POISON.lock().unwrap_or_else(PoisonError::into_inner);
    poison.as_ref().is_some_and(|set| set.contains(&n))
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Toy {
    pub id: EntityId,
    pub count: u64,
    pub notes: Vec<u32>,
    pub wake: Option<DateTime<Utc>>,
    pub woken: u32,
    pub owed: BTreeMap<u32, Owed>,
    /// Those that ring a phone, and whether the call outlasts the answer.
    pub rings: BTreeMap<u32, Lasts>,
    /// What came of what it owed, in order.
    pub heard: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owed {
    Waiting(Attempt),
    Sent(Attempt),
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lasts {
    UntilAnswered,
    UntilHungUp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    Count,
    Note(u32),
    Dull,
    WakeAt(DateTime<Utc>),
    Owe {
        ordinal: u32,
        class: String,
        reach: String,
        callee: Option<Phone>,
    },
    /// The call that was dialled is over.
    HungUp(u32),
    /// It is wanted no longer.
    Forgo(u32),
    Done {
        intent: IntentId,
        said: String,
    },
    Unsure {
        intent: IntentId,
    },
    Held {
        intent: IntentId,
        until: DateTime<Utc>,
    },
    Woke,
    IntentDue {
        intent: IntentId,
        attempt: Attempt,
    },
    IntentUnknown {
        intent: IntentId,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    Counted,
    Noted(u32),
    WakeSet(Option<DateTime<Utc>>),
    Woken,
    Rings(u32, Lasts),
    HungUp,
    Moved(u32, String),
    Heard(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Effect {
    pub ordinal: u32,
}

impl From<Nudge> for Event {
    fn from(nudge: Nudge) -> Self {
        match nudge {
            Nudge::Woke => Self::Woke,
            Nudge::IntentDue { intent, attempt } => Self::IntentDue { intent, attempt },
            Nudge::IntentUnknown { intent } => Self::IntentUnknown { intent },
        }
    }
}

impl Event {
    pub fn owe(ordinal: u32, class: OperationClass, reach: Reach) -> Self {
        let (class, reach) = (class.as_str().to_owned(), reach.as_str().to_owned());
        Self::Owe { ordinal, class, reach, callee: None }
    }

    /// A dial to somebody, whose call lasts until they hang up.
    pub fn ring(phone: &str) -> Self {
        Self::Owe {
            ordinal: 1,
            class: OperationClass::Blind.as_str().to_owned(),
            reach: Reach::Rings.as_str().to_owned(),
            callee: Some(Phone::parse(phone).unwrap()),
        }
    }
}

impl Named for Fact {
    fn name(&self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Noted(_) => "noted",
            Self::WakeSet(_) => "wake_set",
            Self::Woken => "woken",
            Self::Rings(..) => "rings",
            Self::HungUp => "hung_up",
            Self::Moved(..) => "moved",
            Self::Heard(_) => "heard",
        }
    }
}

/// Returns the id of what a toy owes.
pub fn intent(id: EntityId, ordinal: u32) -> IntentId {
    IntentId::derived(id, "toy", ordinal)
}

impl Toy {
    fn ordinal(&self, id: IntentId) -> Result<u32, Rejected> {
        let mut ordinals = self.owed.keys().copied();
        ordinals.find(|ordinal| intent(self.id, *ordinal) == id).ok_or(Rejected::Absent)
    }

    fn claim(&self, ordinal: u32, now: DateTime<Utc>, not_after: DateTime<Utc>) -> Claim {
        if !self.rings.contains_key(&ordinal) {
            return Claim::Nothing;
        }
        // A toy's callee is awake whatever the clock says.
        let noon = now.date_naive().and_hms_opt(6, 30, 0).unwrap().and_utc();
        let verdict = CallingWindow::default().judge(noon, noon).unwrap();
        Claim::Callee { until: held_until(not_after), verdict }
    }

    fn due(&self, id: IntentId, attempt: Attempt, now: DateTime<Utc>) -> Decided {
        let ordinal = self.ordinal(id)?;
        match self.owed[&ordinal] {
            Owed::Over => Err(Rejected::OutOfPhase),
            Owed::Waiting(last) | Owed::Sent(last) if attempt <= last => Err(Rejected::Stale),
            Owed::Waiting(_) | Owed::Sent(_) => {
                let not_after = now + SEND_TIMEOUT;
                let claim = self.claim(ordinal, now, not_after);
                let send = IntentMove::Send { intent: id, attempt, not_after, claim };
                Ok(moved(ordinal, Owed::Sent(attempt), Some(send)))
            }
        }
    }
}

type Decided = Result<Decision<Toy>, Rejected>;

fn moved(ordinal: u32, to: Owed, step: Option<IntentMove<Effect>>) -> Decision<Toy> {
    let fact = Fact::Moved(ordinal, serde_json::to_string(&to).unwrap());
    Decision { intents: step.into_iter().collect(), ..Decision::of(fact) }
}

impl Machine for Toy {
    const KIND: Kind = Kind::Interview;
    const SCHEMA: u16 = 1;
    type Event = Event;
    type Fact = Fact;
    type Effect = Effect;
    type Document = ();

    fn absent(id: EntityId) -> Self {
        Self {
            id,
            count: 0,
            notes: Vec::new(),
            wake: None,
            woken: 0,
            owed: BTreeMap::new(),
            rings: BTreeMap::new(),
            heard: Vec::new(),
        }
    }

    fn decide(&self, event: &Event, now: DateTime<Utc>) -> Decided {
        match event {
            Event::Count => Ok(Decision::of(Fact::Counted)),
            Event::Note(n) if is_poison(*n) => panic!("{PLANNED} note {n} is poison"),
            Event::Note(n) => Ok(Decision::of(Fact::Noted(*n))),
            Event::Dull => Err(Rejected::NothingNew),
            Event::WakeAt(at) => Ok(Decision::of(Fact::WakeSet(Some(*at)))),
            Event::Owe { ordinal, class, reach, callee } => {
                let reach = Reach::parse(reach).unwrap();
                let plan = IntentMove::Plan(NewIntent {
                    id: intent(self.id, *ordinal),
                    operation: "toy",
                    class: OperationClass::parse(class).unwrap(),
                    reach,
                    callee: callee.clone(),
                    effect: Effect { ordinal: *ordinal },
                    due: now,
                });
                let mut decision = moved(*ordinal, Owed::Waiting(0), Some(plan));
                if reach == Reach::Rings {
                    let lasts =
                        if callee.is_some() { Lasts::UntilHungUp } else { Lasts::UntilAnswered };
                    decision.facts.push(Fact::Rings(*ordinal, lasts));
                }
                Ok(decision)
            }
            Event::HungUp(ordinal) => {
                let release = IntentMove::Release { intent: intent(self.id, *ordinal) };
                Ok(Decision { intents: vec![release], ..Decision::of(Fact::HungUp) })
            }
            Event::Forgo(ordinal) => Ok(moved(*ordinal, Owed::Over, None)),
            Event::Done { intent, said } => {
                let ordinal = self.ordinal(*intent)?;
                let is_over = self.rings.get(&ordinal) == Some(&Lasts::UntilAnswered);
                let release = is_over.then_some(IntentMove::Release { intent: *intent });
                let mut decision = moved(ordinal, Owed::Over, release);
                decision.facts.push(Fact::Heard(said.clone()));
                Ok(decision)
            }
            Event::Unsure { .. } => Ok(Decision::of(Fact::Heard("unsure".to_owned()))),
            Event::Held { intent, until } => {
                let ordinal = self.ordinal(*intent)?;
                let Owed::Sent(attempt) = self.owed[&ordinal] else { return Err(Rejected::Stale) };
                let step = IntentMove::Postpone { intent: *intent, due: *until };
                let mut decision = moved(ordinal, Owed::Waiting(attempt), Some(step));
                decision.facts.push(Fact::Heard("held".to_owned()));
                Ok(decision)
            }
            Event::Woke if self.wake.is_some_and(|at| at <= now) => {
                let mut decision = Decision::of(Fact::Woken);
                decision.facts.push(Fact::WakeSet(None));
                Ok(decision)
            }
            Event::Woke => Err(Rejected::Stale),
            Event::IntentDue { intent, attempt } => self.due(*intent, *attempt, now),
            Event::IntentUnknown { intent } => {
                let mut decision = moved(self.ordinal(*intent)?, Owed::Over, None);
                decision.facts.push(Fact::Heard("unknown".to_owned()));
                Ok(decision)
            }
        }
    }

    fn evolve(&mut self, fact: &Fact) {
        match fact {
            Fact::Counted => self.count += 1,
            Fact::Noted(n) => self.notes.push(*n),
            Fact::WakeSet(at) => self.wake = *at,
            Fact::Woken => self.woken += 1,
            Fact::Rings(ordinal, lasts) => {
                self.rings.insert(*ordinal, *lasts);
            }
            Fact::HungUp => {}
            Fact::Moved(ordinal, to) => {
                self.owed.insert(*ordinal, serde_json::from_str(to).unwrap());
            }
            Fact::Heard(what) => self.heard.push(what.clone()),
        }
    }

    fn wake_at(&self) -> Option<DateTime<Utc>> {
        self.wake
    }
}

/// A repository of a kind without a projection.
pub struct NoColumns;

impl<M: Machine> Repository<M> for NoColumns {
    fn columns(&self, _: &M, _: &[M::Document]) -> Vec<Option<String>> {
        Vec::new()
    }
}

/// What the outside does with what toys owe.
pub struct Outside {
    clock: Arc<dyn Clock>,
    state: Mutex<Script>,
}

#[derive(Default)]
struct Script {
    calls: Vec<Call>,
    lookups: Vec<DateTime<Utc>>,
    takes: Duration,
    answers: VecDeque<Does>,
    finds: VecDeque<Finds>,
}

/// One request that left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    pub intent: IntentId,
    pub attempt: Attempt,
    pub at: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug)]
pub enum Does {
    Answers,
    IsUnsure,
    /// Never answers.
    Hangs,
}

#[derive(Clone, Copy, Debug)]
pub enum Finds {
    Done,
    Nothing,
    SomethingLikeIt,
    NoAnswer,
}

impl Outside {
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, state: Mutex::default() })
    }

    /// Says what comes of the next requests; those after them are answered.
    pub fn will(&self, answers: impl IntoIterator<Item = Does>) {
        self.state.lock().unwrap().answers.extend(answers);
    }

    /// Says what the next lookups find; those after them get no answer.
    pub fn will_find(&self, finds: impl IntoIterator<Item = Finds>) {
        self.state.lock().unwrap().finds.extend(finds);
    }

    /// Says how long an answer takes.
    pub fn takes(&self, time: Duration) {
        self.state.lock().unwrap().takes = time;
    }

    pub fn calls(&self) -> Vec<Call> {
        self.state.lock().unwrap().calls.clone()
    }

    pub fn lookups(&self) -> Vec<DateTime<Utc>> {
        self.state.lock().unwrap().lookups.clone()
    }
}

impl Performer<Toy> for Outside {
    fn perform(&self, sent: Sent<Effect>) -> BoxFuture<'_, Performed<Toy>> {
        let call = Call { intent: sent.id, attempt: sent.attempt, at: self.clock.now() };
        let (does, takes) = {
            let mut script = self.state.lock().unwrap();
            script.calls.push(call);
            (script.answers.pop_front().unwrap_or(Does::Answers), script.takes)
        };
        Box::pin(async move {
            if !takes.is_zero() {
                tokio::time::sleep(takes).await;
            }
            let said = format!("done {}.{}", sent.effect.ordinal, sent.attempt);
            match does {
                Does::Answers => Performed::Settled(Event::Done { intent: sent.id, said }),
                Does::IsUnsure => Performed::Unsure(Event::Unsure { intent: sent.id }),
                Does::Hangs => std::future::pending().await,
            }
        })
    }

    fn withheld(&self, sent: &Sent<Effect>, until: DateTime<Utc>) -> Event {
        Event::Held { intent: sent.id, until }
    }

    fn look_up(&self, sent: Sent<Effect>) -> BoxFuture<'_, Found<Toy>> {
        let now = self.clock.now();
        let finds = {
            let mut script = self.state.lock().unwrap();
            script.lookups.push(now);
            script.finds.pop_front().unwrap_or(Finds::NoAnswer)
        };
        Box::pin(async move {
            match finds {
                Finds::Done => {
                    let said = format!("found {}.{}", sent.effect.ordinal, sent.attempt);
                    Found::Done(Event::Done { intent: sent.id, said })
                }
                Finds::Nothing => Found::Absent,
                Finds::SomethingLikeIt => Found::Unclear,
                Finds::NoAnswer => Found::Unsure,
            }
        })
    }

    fn settling(&self) -> Duration {
        SETTLING
    }
}
