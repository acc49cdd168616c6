//! What every supervised kind is: a pure machine that decides, and facts that say what was decided.

use std::fmt::Debug;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ids::{DedupeKey, EntityId, IntentId, Kind};
use crate::policy::DialVerdict;
use crate::signal::Signal;

/// How often an intent was handed to the outside; the first time is 1.
pub type Attempt = u32;

/// A state machine: state, the events it judges, the facts it records, the effects it owes.
///
/// `decide` judges and `evolve` moves, so the state is the fold of its facts by construction.
pub trait Machine: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Which kind this is.
    const KIND: Kind;
    /// The shape of the stored state, events, facts and effects; raised with every change of shape.
    const SCHEMA: u16;
    /// What can happen to it, in the past tense.
    type Event: Clone + Debug + From<Nudge> + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What was decided, enough to move the state.
    type Fact: Clone + Debug + PartialEq + Named + Serialize + DeserializeOwned + Send + Sync;
    /// What is owed to the outside.
    type Effect: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// Large values that live in the entity's row and not in its state.
    type Document: Clone + Debug + Send + Sync;

    /// Returns the machine of an entity that has no row yet.
    fn absent(id: EntityId) -> Self;

    /// Decides what `event` means at `now`; changes nothing.
    ///
    /// # Errors
    /// [`Rejected`] when the event does not fit.
    fn decide(&self, event: &Self::Event, now: DateTime<Utc>) -> Result<Decision<Self>, Rejected>;

    /// Moves the state by one fact.
    fn evolve(&mut self, fact: &Self::Fact);

    /// Returns when the machine must be woken if nothing happens before.
    fn wake_at(&self) -> Option<DateTime<Utc>>;

    /// Whether all that is left of it is a tombstone.
    ///
    /// Then every step of it erases what was stored about it before. Its log must fold to the same state
    /// when all its facts but the one called `deleted` read `{"type":"erased"}`.
    fn is_erased(&self) -> bool {
        false
    }

    /// Decides `event` and moves; a refused event leaves the machine exactly as it was.
    ///
    /// # Errors
    /// [`Rejected`] when the event does not fit.
    fn apply(
        &mut self,
        event: &Self::Event,
        now: DateTime<Utc>,
    ) -> Result<Transition<Self>, Rejected> {
        let decision = self.decide(event, now)?;
        for fact in &decision.facts {
            self.evolve(fact);
        }
        Ok(Transition { decision, wake_at: self.wake_at() })
    }
}

/// A value with a stable name on the wire and in tables.
pub trait Named {
    /// Returns the name.
    fn name(&self) -> &'static str;
}

/// What the shell itself tells a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nudge {
    /// The wake time came; the machine compares its deadlines with the time.
    Woke,
    /// An intent may be sent now, as this attempt: the machine says whether it still should.
    IntentDue {
        /// Which intent.
        intent: IntentId,
        /// The attempt that sending it now would be.
        attempt: Attempt,
    },
    /// What became of a sent intent cannot be found out any more.
    IntentUnknown {
        /// Which intent.
        intent: IntentId,
    },
}

/// What a machine decided: facts to append, documents to store, effects and messages owed.
#[derive(Clone, Debug)]
pub struct Decision<M: Machine> {
    /// In the order in which they move the state; never empty.
    pub facts: Vec<M::Fact>,
    /// Values for the entity's row.
    pub documents: Vec<M::Document>,
    /// What happens to the entity's intents.
    pub intents: Vec<IntentMove<M::Effect>>,
    /// Messages to other entities.
    pub signals: Vec<Signal>,
    /// Names by which the outside knows this entity from now on.
    pub aliases: Vec<Alias>,
}

impl<M: Machine> Decision<M> {
    /// Starts a decision from its one fact.
    pub fn of(fact: M::Fact) -> Self {
        Self {
            facts: vec![fact],
            documents: Vec::new(),
            intents: Vec::new(),
            signals: Vec::new(),
            aliases: Vec::new(),
        }
    }
}

/// A decision that moved the machine, and when to wake it next.
#[derive(Clone, Debug)]
pub struct Transition<M: Machine> {
    /// What was decided.
    pub decision: Decision<M>,
    /// When to wake the entity; none when nothing is waited for.
    pub wake_at: Option<DateTime<Utc>>,
}

/// A name the outside has for an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// Which platform uses the name.
    pub source: &'static str,
    /// The name.
    pub external: String,
}

/// What may be done with an effect whose outcome is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationClass {
    /// The provider takes our key: it may be sent again.
    Idempotent,
    /// Our reference travels with it: it is looked up, and sent again when proven absent.
    Searchable,
    /// Neither: it is never sent again by itself.
    Blind,
}

impl OperationClass {
    /// Returns the stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idempotent => "idempotent",
            Self::Searchable => "searchable",
            Self::Blind => "blind",
        }
    }

    /// Reads a stored name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Idempotent, Self::Searchable, Self::Blind].into_iter().find(|c| c.as_str() == name)
    }
}

/// Whether performing an effect rings a person's phone; ringing passes the red button and the ramp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// A phone rings.
    Rings,
    /// Nobody notices.
    Silent,
}

impl Reach {
    /// Returns the stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rings => "rings",
            Self::Silent => "silent",
        }
    }

    /// Reads a stored name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Rings, Self::Silent].into_iter().find(|reach| reach.as_str() == name)
    }
}

/// One step in the life of an intent.
#[derive(Clone, Debug)]
pub enum IntentMove<E> {
    /// Owed from now on.
    Plan(NewIntent<E>),
    /// Goes out with this commit, once, not after the instant given.
    Send {
        /// Which intent.
        intent: IntentId,
        /// The attempt this is.
        attempt: Attempt,
        /// No request leaves after this instant.
        not_after: DateTime<Utc>,
        /// What it takes along.
        claim: Claim,
    },
    /// Waits until `due`; from `planned`, or from `sending` when it is proven not to have happened.
    Postpone {
        /// Which intent.
        intent: IntentId,
        /// When it is looked at again.
        due: DateTime<Utc>,
    },
    /// Is owed no longer; only what is still planned can be cancelled.
    Cancel {
        /// Which intent.
        intent: IntentId,
    },
    /// Is settled by something else than its outcome, whatever its status.
    Close {
        /// Which intent.
        intent: IntentId,
    },
    /// Lets go of the person and the permit it claimed; the call is over.
    Release {
        /// Which intent.
        intent: IntentId,
    },
}

/// What goes into the commit that sends an intent, beside the attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It concerns nobody.
    Nothing,
    /// It takes a permit, and its callee, whom no other dial of the tenant may ring meanwhile.
    Callee {
        /// When it lets go by itself, if nothing is heard of the call.
        until: DateTime<Utc>,
        /// Why the phone may ring.
        verdict: DialVerdict,
    },
}

/// An effect that is owed.
#[derive(Clone, Debug)]
pub struct NewIntent<E> {
    /// Derived from its owner and an ordinal.
    pub id: IntentId,
    /// What is done, as a stable name.
    pub operation: &'static str,
    /// What may be done when its outcome is unknown.
    pub class: OperationClass,
    /// Whether it rings a phone.
    pub reach: Reach,
    /// Whom it concerns, in E.164, where it concerns a person.
    pub callee: Option<crate::value::Phone>,
    /// What is needed to do it.
    pub effect: E,
    /// Not before this instant.
    pub due: DateTime<Utc>,
}

/// Where a delivery came from, which decides how it is counted once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A provider pushed it; the raw bytes are kept beside the verdict.
    Pushed {
        /// What makes a second push the same push.
        key: DedupeKey,
        /// The body as it came.
        raw: Arc<[u8]>,
    },
    /// It waited in the inbox, where its key was taken when it came in.
    Inbox {
        /// The row.
        row: uuid::Uuid,
        /// Its key.
        key: DedupeKey,
    },
    /// What came of an intent.
    Outcome {
        /// Which intent.
        intent: IntentId,
        /// Which attempt.
        attempt: Attempt,
        /// Whether it is known what came of it.
        certainty: Certainty,
    },
    /// Somebody with the right asked, or a pull found it; safe to repeat.
    Command,
    /// The shell's own; rows that bring it back stand behind it.
    Nudge(Nudge),
}

/// Whether it is known what came of a sent intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// It is; the intent is settled with the decision.
    Known,
    /// It is not; the intent stays open and is treated as its class says.
    Unsure,
}

/// Why an event changed nothing. Recorded, and never an error to whoever pushed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejected {
    /// The same delivery was decided before.
    #[error("duplicate")]
    Duplicate,
    /// It would move the status backwards.
    #[error("backward")]
    Backward,
    /// It says nothing that is not known already.
    #[error("nothing_new")]
    NothingNew,
    /// The entity was deleted.
    #[error("deleted")]
    Deleted,
    /// It fits no phase the entity is in.
    #[error("out_of_phase")]
    OutOfPhase,
    /// A timer or an outcome of an earlier attempt.
    #[error("stale")]
    Stale,
    /// There is no such entity, and this event does not create one.
    #[error("absent")]
    Absent,
    /// The message went through too many entities.
    #[error("too_many_hops")]
    TooManyHops,
    /// Another request made the entity, under the same key.
    #[error("other_request")]
    OtherRequest,
}

impl Rejected {
    /// Returns the stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Backward => "backward",
            Self::NothingNew => "nothing_new",
            Self::Deleted => "deleted",
            Self::OutOfPhase => "out_of_phase",
            Self::Stale => "stale",
            Self::Absent => "absent",
            Self::TooManyHops => "too_many_hops",
            Self::OtherRequest => "other_request",
        }
    }
}
