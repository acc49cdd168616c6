//! The ports: what the core asks of the store, the providers and the clock.

mod call_configs;
mod calling;
mod dialing;
mod engine;
mod identity;
mod journal;
mod node_backend;
mod prompts;
mod queries;
mod recordings;
mod store;

use std::future::Future;
use std::pin::Pin;

use chrono::{DateTime, Utc};

pub use call_configs::{
    CallConfigs, ConfigAccess, ConfigChange, ConfigPage, ConfigRefusal, ConfigSaved,
    CredentialsChange, HrCallConfig, SystemConfig, SystemConfigs,
};
pub use calling::{CallingSettings, Expected, ProviderRefresh};
pub use dialing::{DialScope, DialStop, Dialing};
pub use engine::{
    Analysis, AnalysisRequest, Analyzer, CallEngine, DialRequest, EngineError, EngineListing,
    Evidence, EvidenceReader, Leave, LostDial, Sighting, Unusable,
};
pub use identity::{
    NewTenant, PersonStanding, Standing, Standings, Tenant, TenantPage, TenantRefusal,
    TenantStanding, Tenants, UserImport, UserRefusal, UserReport, UserState, Users,
};
pub use journal::{
    Decided, Ends, FactRecord, FactSink, IntentRow, IntentStep, Journal, JournalError,
    LedgerAnswer, SignalRow, State, Step, Verdict, VerdictName, Wake,
};
pub use node_backend::{ImportedTimes, NodeBackend, NodeImports, NodeRow, NodeTable};
pub use prompts::{NewPrompt, PromptChange, PromptEditor, PromptPage, PromptRefusal, Prompts};
pub use queries::{
    ApplicationImport, Applications, ImportRefusal, ImportReport, InterviewDetail, InterviewFilter,
    InterviewOwners, InterviewPage, InterviewQueries, InterviewStats, InterviewSummary,
    JobPostImport, KnownCall, PageRequest, Scope, ScreeningPage, ScreeningQueries,
    ScreeningSummary, StatusCount, Transcripts, TurnView,
};
pub use recordings::{
    ByteRange, Extent, Media, Recorded, Recording, RecordingBody, RecordingError, RecordingHost,
    RecordingQueries, Recordings,
};
pub use store::{
    Checkpoint, Checkpoints, DueIntent, DueWake, FactPage, Facts, Inbox, InboxRow, IntentCount,
    Intents, Loaded, NewInboxRow, OpenIntent, OpenStatus, Parking, Quarantine, QuarantinedEntity,
    Repository, Resolution, Resolver, Store, StoreError, StoredFact, Timers, Whose,
};

/// A future on the heap, so that a port can be a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The only source of ids that are drawn and not derived.
pub trait Ids: Send + Sync {
    /// Draws one that nobody has.
    fn draw(&self) -> uuid::Uuid;
}

/// The only source of the time.
pub trait Clock: Send + Sync {
    /// Returns the instant now.
    fn now(&self) -> DateTime<Utc>;
}
