//! What REST reads and imports: always from the database, never from an actor's memory.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{BoxFuture, StoreError};
use crate::ids::{EntityId, TenantId};
use crate::interview::{AnswerClass, CallStatus, FailureReason, InterviewOutcome};
use crate::policy::Zone;
use crate::screening::{JobPolicy, StageScores};
use crate::value::{Phone, Provider};

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// What the caller may see; a filter narrows it and never widens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything of the tenant.
    Tenant(TenantId),
    /// What belongs to one user of the tenant.
    Owner(TenantId, Uuid),
}

/// What a list of interviews is narrowed to; an empty list does not narrow.
#[derive(Clone, Debug, Default)]
pub struct InterviewFilter {
    /// Any of these.
    pub statuses: Vec<CallStatus>,
    /// Any of these.
    pub providers: Vec<Provider>,
    /// Created at or after.
    pub from: Option<DateTime<Utc>>,
    /// Created at or before.
    pub to: Option<DateTime<Utc>>,
    /// Of this user.
    pub belongs_to: Option<Uuid>,
    /// Of this application.
    pub application: Option<Uuid>,
}

/// Which page of a list.
#[derive(Clone, Copy, Debug)]
pub struct PageRequest {
    /// From 1.
    pub page: u32,
    /// Rows a page.
    pub limit: u32,
}

/// One interview as a list shows it.
#[derive(Clone, Debug)]
pub struct InterviewSummary {
    /// Its id.
    pub id: EntityId,
    /// The engine's name for it, once known.
    pub call_id: Option<String>,
    /// Transport: how far it got.
    pub status: CallStatus,
    /// Who answered.
    pub answered_by: AnswerClass,
    /// What came of it; none while it runs.
    pub outcome: Option<InterviewOutcome>,
    /// Who carries it.
    pub provider: Option<Provider>,
    /// The number called, in E.164.
    pub phone_number: Option<String>,
    /// The candidate's name.
    pub candidate_name: Option<String>,
    /// Seconds.
    pub duration: Option<f64>,
    /// US dollars.
    pub cost: Option<f64>,
    /// Where the recording lies.
    pub recording_url: Option<String>,
    /// The engine's summary.
    pub summary: Option<String>,
    /// Why it failed.
    pub failure_reason: Option<FailureReason>,
    /// The application it is for.
    pub application_id: Option<Uuid>,
    /// The HR user it belongs to.
    pub belongs_to: Option<Uuid>,
    /// How many commits made it.
    pub version: i64,
    /// When it was first heard of.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A page of interviews, read from one snapshot.
#[derive(Clone, Debug)]
pub struct InterviewPage {
    /// The rows, newest first.
    pub rows: Vec<InterviewSummary>,
    /// How many rows match.
    pub total: i64,
    /// The number of the last fact the page can know of.
    pub seq: i64,
}

/// What is known here of a call that the engine lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownCall {
    /// The engine's name for it.
    pub call_id: String,
    /// How far it got.
    pub status: CallStatus,
    /// Whether it ended, and what was said is still to come.
    pub awaits_transcript: bool,
    /// Whether it was deleted; then nothing about it is news.
    pub is_deleted: bool,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// One turn of a conversation.
#[derive(Clone, Debug)]
pub struct TurnView {
    /// Who spoke.
    pub role: String,
    /// What was said.
    pub message: String,
    /// From 0, without gaps.
    pub sequence_order: i32,
}

/// One interview with everything that is known of it.
#[derive(Clone, Debug)]
pub struct InterviewDetail {
    /// As the list shows it.
    pub summary: InterviewSummary,
    /// What was said, as one text.
    pub transcript: Option<String>,
    /// The turns, in order.
    pub turns: Vec<TurnView>,
    /// The number of the last fact the answer can know of.
    pub seq: i64,
}

/// How many interviews have one value.
#[derive(Clone, Debug)]
pub struct StatusCount {
    /// The value.
    pub value: String,
    /// How many.
    pub count: i64,
}

/// Figures over all interviews in scope.
#[derive(Clone, Debug)]
pub struct InterviewStats {
    /// How many there are.
    pub total: i64,
    /// By status.
    pub by_status: Vec<StatusCount>,
    /// By provider; `unknown` where none was reported.
    pub by_provider: Vec<StatusCount>,
    /// By outcome.
    pub by_outcome: Vec<StatusCount>,
    /// Seconds, over those with a duration.
    pub average_duration: Option<f64>,
    /// US dollars.
    pub total_cost: f64,
    /// The number of the last fact the answer can know of.
    pub seq: i64,
}

/// Whose interviews are, read from one snapshot.
#[derive(Clone, Debug)]
pub struct InterviewOwners {
    /// Those that exist, deleted ones too, each with the HR user it belongs to, where it does.
    pub owners: Vec<(EntityId, Option<Uuid>)>,
    /// The number of the last fact the answer can know of.
    pub seq: i64,
}

/// Reads interviews.
pub trait InterviewQueries: Send + Sync {
    /// Returns a page.
    fn page(
        &self,
        scope: Scope,
        filter: InterviewFilter,
        page: PageRequest,
    ) -> Answer<'_, InterviewPage>;
    /// Returns one, or none when it does not exist in `scope` or was deleted.
    fn detail(&self, scope: Scope, id: EntityId) -> Answer<'_, Option<InterviewDetail>>;
    /// Returns whose these are.
    fn owners(&self, tenant: TenantId, ids: Vec<EntityId>) -> Answer<'_, InterviewOwners>;
    /// Returns figures.
    fn stats(&self, scope: Scope, filter: InterviewFilter) -> Answer<'_, InterviewStats>;
    /// Returns what is known of those of `calls` that are known at all.
    fn known(&self, tenant: TenantId, calls: Vec<String>) -> Answer<'_, Vec<KnownCall>>;
    /// Whether any call is not over and has not changed since `before`.
    fn stale(&self, tenant: TenantId, before: DateTime<Utc>) -> Answer<'_, bool>;
}

/// Reads what was said.
pub trait Transcripts: Send + Sync {
    /// Returns the transcript of an interview.
    fn transcript(&self, interview: EntityId) -> Answer<'_, Option<String>>;
}

/// One screening as REST shows it.
#[derive(Clone, Debug)]
pub struct ScreeningSummary {
    /// The application it is of, whose id it shares.
    pub application_id: Uuid,
    /// Where the screening stands.
    pub status: String,
    /// Where its calls stand.
    pub call_status: String,
    /// Calls so far.
    pub attempts: i32,
    /// The engine's name for the current call; none while a retry waits.
    pub call_id: Option<String>,
    /// When the current call was scored, or given up.
    pub call_processed_at: Option<DateTime<Utc>>,
    /// When the next call is due.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// 0 to 100.
    pub resume_score: Option<f64>,
    /// 0 to 100.
    pub quiz_score: Option<f64>,
    /// 0 to 100.
    pub communication_score: Option<f64>,
    /// 0 to 100.
    pub technical_score: Option<f64>,
    /// 0 to 100.
    pub call_score: Option<f64>,
    /// 0 to 100, over the stages that took place.
    pub final_score: Option<f64>,
    /// Why the call counts as 0, or as unknown.
    pub failure_reason: Option<String>,
    /// What the candidate said about themselves.
    pub candidate_info: Option<serde_json::Value>,
    /// How many commits made it.
    pub version: i64,
    /// When it was first heard of.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A page of screenings, read from one snapshot.
#[derive(Clone, Debug)]
pub struct ScreeningPage {
    /// The rows, newest first.
    pub rows: Vec<ScreeningSummary>,
    /// How many there are in scope.
    pub total: i64,
    /// The number of the last fact the page can know of.
    pub seq: i64,
}

/// Reads screenings. A user's are those of the applications that belong to them.
pub trait ScreeningQueries: Send + Sync {
    /// Returns the screening of an application, or none when there is none in `scope`.
    fn screening(&self, scope: Scope, application: Uuid) -> Answer<'_, Option<ScreeningSummary>>;
    /// Returns a page.
    fn screenings(&self, scope: Scope, page: PageRequest) -> Answer<'_, ScreeningPage>;
}

/// A job post to import.
#[derive(Clone, Debug)]
pub struct JobPostImport {
    /// Its id.
    pub id: Uuid,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// How its applications are scored; what is none comes from `system_configs`.
    pub policy: JobPolicy,
}

/// An application to import.
#[derive(Clone, Debug)]
pub struct ApplicationImport {
    /// Its id, which is also its screening's.
    pub id: Uuid,
    /// The job it is for.
    pub job_post: Uuid,
    /// The candidate's name.
    pub candidate_name: String,
    /// Their number.
    pub phone: Phone,
    /// Their zone, as an IANA name, where it is known.
    pub zone: Option<String>,
    /// The HR user it belongs to.
    pub belongs_to: Option<Uuid>,
    /// Scores of earlier stages.
    pub stages: StageScores,
}

/// What an import did.
#[derive(Clone, Debug, Default)]
pub struct ImportReport {
    /// Job posts written.
    pub job_posts: usize,
    /// Applications written.
    pub applications: usize,
    /// Screenings that were told.
    pub told: Vec<EntityId>,
    /// Interviews that were asked to tell their screening of an end that came before the import.
    pub asked: Vec<EntityId>,
}

/// Why an import was undone. An id of another tenant's is told from a free one by nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportRefusal {
    /// An application names a job post that does not exist.
    JobPostUnknown(Uuid),
    /// A job post's id cannot be used: it is taken elsewhere.
    JobPostIdUnusable(Uuid),
    /// An application's id cannot be used: it is taken elsewhere.
    ApplicationIdUnusable(Uuid),
}

/// Imports jobs and applications.
pub trait Applications: Send + Sync {
    /// Writes all or nothing, and tells each application's screening through its inbox.
    fn import(
        &self,
        tenant: TenantId,
        posts: Vec<JobPostImport>,
        applications: Vec<ApplicationImport>,
        at: DateTime<Utc>,
    ) -> Answer<'_, Result<ImportReport, ImportRefusal>>;
    /// Returns the zone of an application's callee; none when there is no such application in `scope`.
    fn zone(&self, scope: Scope, application: Uuid) -> Answer<'_, Option<Zone>>;
}
