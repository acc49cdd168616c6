//! The journal: one commit holds everything a decision means.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::BoxFuture;
use crate::ids::{DedupeKey, EntityKey, IntentId, TenantId};
use crate::machine::{Alias, Attempt, Cause, Claim, OperationClass, Reach, Rejected};

/// Everything one entity decided in one go; commits whole or not at all.
#[derive(Clone, Debug)]
pub struct Step {
    /// Whose step it is.
    pub key: EntityKey,
    /// Whose data it is.
    pub tenant: TenantId,
    /// The version it was decided on; 0 when the entity has no row. Commits only where it still holds.
    pub expected: i64,
    /// What the entity is afterwards.
    pub state: State,
    /// When it is woken.
    pub wake: Wake,
    /// Every delivery that was judged, with its verdict.
    pub deliveries: Vec<Decided>,
    /// The facts, in order.
    pub facts: Vec<FactRecord>,
    /// What happens to its intents.
    pub intents: Vec<IntentStep>,
    /// Messages to others.
    pub signals: Vec<SignalRow>,
    /// New names of the entity.
    pub aliases: Vec<Alias>,
    /// Only a tombstone is left: what is stored about the entity, this step's own included, is erased.
    pub erase: bool,
}

/// Whether a step moves its entity.
#[derive(Clone, Debug)]
pub enum State {
    /// Only refusals: the fence is checked and nothing of the entity is written.
    Unmoved,
    /// The entity moves on by one version.
    Moved {
        /// The schema number of `state`.
        schema: u16,
        /// The machine, as JSON.
        state: String,
        /// The projection, in the order of the kind's `advance_…` function; none leaves a document as it is.
        columns: Vec<Option<String>>,
    },
}

/// What happens to the entity's wake time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// It stays as it is stored.
    Keep,
    /// It is set.
    At(DateTime<Utc>),
    /// It is taken away.
    Never,
}

/// A delivery and what was decided about it.
#[derive(Clone, Debug)]
pub struct Decided {
    /// Where it came from.
    pub cause: Cause,
    /// When it came in.
    pub received_at: DateTime<Utc>,
    /// What was decided.
    pub verdict: VerdictName,
    /// What of it could not be used, for whoever reads the record.
    pub remarks: Option<String>,
}

/// A verdict as it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerdictName {
    /// It moved the entity.
    Applied,
    /// It changed nothing.
    Rejected(Rejected),
}

impl VerdictName {
    /// Returns the stored text.
    pub fn as_text(self) -> String {
        match self {
            Self::Applied => "applied".to_owned(),
            Self::Rejected(why) => format!("rejected({})", why.as_str()),
        }
    }
}

/// One fact as it is stored and fed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactRecord {
    /// Its name.
    pub name: &'static str,
    /// The schema number of `data`.
    pub schema: u16,
    /// The fact, as JSON.
    pub data: String,
    /// When it was decided.
    pub at: DateTime<Utc>,
}

/// One step in the life of an intent, as it is stored.
#[derive(Clone, Debug)]
pub enum IntentStep {
    /// Owed from now on.
    Plan(IntentRow),
    /// `planned` (or `sending` of the attempt before) becomes `sending`.
    ///
    /// Refused as `dialing_stopped`, as `callee_held` while another call of the tenant holds the same
    /// person, as `no_permit` while as many calls run as may, as `intent_not_planned` otherwise.
    Send {
        /// Which intent.
        id: IntentId,
        /// The attempt this is.
        attempt: Attempt,
        /// No request leaves after this instant.
        not_after: DateTime<Utc>,
        /// Nobody asks what became of it before this instant.
        look_at: DateTime<Utc>,
        /// What it takes along.
        claim: Claim,
    },
    /// Back to, or still, `planned`, due later.
    Postpone {
        /// Which intent.
        id: IntentId,
        /// When it is looked at again.
        due: DateTime<Utc>,
    },
    /// `planned` becomes `cancelled`; refused when it is no longer planned.
    Cancel {
        /// Which intent.
        id: IntentId,
    },
    /// Is wanted no longer: `planned` becomes `cancelled`, `sending` becomes `done`.
    Close {
        /// Which intent.
        id: IntentId,
    },
    /// Lets go of the person and the permit it claimed, whatever its status.
    Release {
        /// Which intent.
        id: IntentId,
    },
    /// `sending` or `ambiguous` becomes `done`.
    Settle {
        /// Which intent.
        id: IntentId,
        /// The attempt whose outcome it is.
        attempt: Attempt,
        /// Whether that outcome ends a later attempt too.
        ends: Ends,
    },
}

/// What the outcome of an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// The intent, at whatever attempt it is by now: its owner took the outcome.
    Intent,
    /// That attempt alone: its owner did not want the outcome.
    Attempt,
}

/// A planned intent.
#[derive(Clone, Debug)]
pub struct IntentRow {
    /// Its id.
    pub id: IntentId,
    /// What is done.
    pub operation: &'static str,
    /// What may be done when its outcome is unknown.
    pub class: OperationClass,
    /// Whether it rings a phone.
    pub reach: Reach,
    /// Whom it concerns, in E.164.
    pub callee: Option<String>,
    /// The schema number of `effect`.
    pub schema: u16,
    /// What is needed to do it, as JSON.
    pub effect: String,
    /// Not before this instant.
    pub due: DateTime<Utc>,
}

/// A message to another entity, as it is stored in that one's inbox.
#[derive(Clone, Debug)]
pub struct SignalRow {
    /// Derived from the sender, its version and an ordinal: the row's id and its key.
    pub id: DedupeKey,
    /// The receiver.
    pub to: EntityKey,
    /// The schema number of `event`.
    pub schema: u16,
    /// The receiver's event, as JSON.
    pub event: String,
    /// How many entities the chain passed.
    pub hops: u16,
}

/// What became of one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It is durable. Its facts have the numbers `first_seq`, `first_seq + 1`, and so on.
    Committed {
        /// The number of its first fact; without facts, the last number before it.
        first_seq: i64,
    },
    /// Somebody else moved the entity on; nothing was written.
    Stale,
    /// These deliveries were decided before; nothing was written.
    Duplicate(Vec<DedupeKey>),
    /// A named constraint, or a gate, does not allow it; nothing was written.
    Refused(String),
    /// The database cannot take what it says; nothing was written.
    Undecodable(String),
}

/// Why no verdict can be had.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// More waits than may wait; try again later.
    #[error("the journal's queue is full")]
    Busy,
    /// The database is away; whether the step committed may be unknown.
    #[error("the journal is away")]
    Away,
}

/// The journal's answer to one step.
pub type LedgerAnswer = Result<Verdict, JournalError>;

/// Commits steps, many at a time.
pub trait Journal: Send + Sync {
    /// Submits a step; the answer comes after the commit and never before.
    fn submit(&self, step: Step) -> BoxFuture<'static, LedgerAnswer>;
}

/// Takes the committed facts, in the order of their numbers.
pub trait FactSink: Send + Sync {
    /// Takes one committed batch.
    fn publish(&self, facts: Vec<super::StoredFact>);
}
