//! The call engine: places calls, tells about them, scores transcripts.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};

use super::BoxFuture;
use crate::ids::{EntityId, IntentId};
use crate::interview::CallReport;
use crate::screening::CandidateInfo;
use crate::value::{CallId, CostUsd, Phone, Provider};

/// Why the engine did not do as it was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No engine is configured: nothing was sent.
    #[error("the call engine is switched off")]
    Off,
    /// It has no room now: nothing was done.
    #[error("the call engine is at its limit")]
    Throttled {
        /// How long it asked us to wait.
        retry_after: Duration,
    },
    /// It does not know us: nothing was done, and nothing will be until somebody puts that right.
    #[error("the call engine does not accept our token")]
    NotAdmitted {
        /// How long it is left alone.
        retry_after: Duration,
    },
    /// It refused for good: nothing was done.
    #[error("the call engine refused: {code}")]
    Refused {
        /// The engine's code.
        code: String,
    },
    /// The request never left, since there was no connection or its time was over: nothing was done.
    #[error("the request was not sent")]
    NotSent,
    /// It is not known whether it was done.
    #[error("the call engine did not answer as agreed")]
    Unsure(#[source] anyhow::Error),
    /// It knows no such call.
    #[error("the call engine knows no such call")]
    NotFound,
}

/// A call to be placed.
#[derive(Clone, Debug)]
pub struct DialRequest {
    /// Our intent: idempotency key and metadata at once.
    pub intent: IntentId,
    /// Whom to ring.
    pub phone: Phone,
    /// Their name.
    pub candidate_name: String,
    /// The job's title.
    pub role: String,
    /// What the agent is told.
    pub system_prompt: String,
    /// The application the call is for, if it is for one.
    pub application: Option<EntityId>,
    /// The HR user whose call it is.
    pub belongs_to: Option<uuid::Uuid>,
    /// Who shall carry it; the engine's choice where nobody says.
    pub provider: Option<Provider>,
    /// Asked when the request leaves.
    pub leave: Leave,
}

/// Whether a request may still leave. Asked when its bytes go out: until then connecting may take long.
#[derive(Clone)]
pub struct Leave(Arc<dyn Fn() -> bool + Send + Sync>);

impl Leave {
    /// Makes one from what answers it.
    pub fn new(may_leave: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(may_leave))
    }

    /// Whether the request may leave now.
    pub fn is_granted(&self) -> bool {
        (self.0)()
    }
}

impl Debug for Leave {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Leave").field(&self.is_granted()).finish()
    }
}

/// A dial that was sent and whose answer never came.
#[derive(Clone, Debug)]
pub struct LostDial {
    /// The intent it carried as its metadata.
    pub intent: IntentId,
    /// Whom it was to ring.
    pub phone: Phone,
    /// No call of it is older than this.
    pub since: DateTime<Utc>,
}

/// What the engine's list says of a lost dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// It was placed.
    Placed(CallId, Option<Provider>),
    /// The list is complete, and no call in it can be this one.
    Absent,
    /// The list is not complete, or holds a call that could be this one and does not say so.
    Unclear,
}

/// One row of the engine's list of calls.
#[derive(Clone, Debug)]
pub struct EngineListing {
    /// The call.
    pub call_id: CallId,
    /// Its status.
    pub status: crate::interview::CallStatus,
}

/// Places calls and tells about them.
pub trait CallEngine: Send + Sync {
    /// Whether an engine is configured.
    fn is_on(&self) -> bool;
    /// Places a call, once; answers its id and who carries it.
    fn dial(
        &self,
        request: DialRequest,
    ) -> BoxFuture<'_, Result<(CallId, Option<Provider>), EngineError>>;
    /// Looks for the call of a dial that was never answered.
    fn find(&self, lost: LostDial) -> BoxFuture<'_, Result<Sighting, EngineError>>;
    /// Returns what the engine knows about one call.
    fn call(&self, id: CallId) -> BoxFuture<'_, Result<CallReport, EngineError>>;
    /// Returns the newest calls, at most 100.
    fn calls(&self) -> BoxFuture<'_, Result<Vec<EngineListing>, EngineError>>;
}

/// A transcript to be scored.
#[derive(Clone, Debug)]
pub struct AnalysisRequest {
    /// The call.
    pub call_id: CallId,
    /// The application.
    pub application: EntityId,
    /// The job's title.
    pub job_title: String,
    /// The job's description.
    pub job_description: String,
    /// What was said.
    pub transcript: String,
}

/// What the analyzer made of a transcript.
#[derive(Clone, Debug, PartialEq)]
pub struct Analysis {
    /// 0 to 100.
    pub communication: f64,
    /// 0 to 100.
    pub technical: f64,
    /// 0 to 100.
    pub overall: f64,
    /// What the candidate said about themselves.
    pub candidate: CandidateInfo,
    /// What the analysis cost.
    pub cost: Option<CostUsd>,
}

/// Scores transcripts.
pub trait Analyzer: Send + Sync {
    /// Scores a transcript.
    fn analyze(&self, request: AnalysisRequest) -> BoxFuture<'_, Result<Analysis, EngineError>>;
}

/// Bytes that are no evidence: no JSON object, or none with a usable call id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unusable {
    /// The JSON pointer of what is wrong.
    pub pointer: &'static str,
    /// What is wrong.
    pub why: String,
}

/// A webhook's body, read as far as it can be.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// What it says.
    pub report: CallReport,
    /// The sender's name for the event, the same on every delivery of it.
    pub event_id: Option<String>,
    /// What of it could not be used.
    pub remarks: Option<String>,
}

/// Reads what the engine says about a call, in its own format.
pub trait EvidenceReader: Send + Sync {
    /// Reads a body; what does not parse is dropped and named in the remarks.
    ///
    /// # Errors
    /// [`Unusable`] when it is no JSON object with a usable call id.
    fn read(&self, body: &[u8]) -> Result<Evidence, Unusable>;
}
