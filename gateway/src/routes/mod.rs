//! The routes of each kind, beside the server's own.

#![allow(unused_qualifications, reason = "the macro that describes a route writes them")]

mod applications;
pub mod calling;
mod calls;
mod checks;
mod described;
mod dialing;
mod interviews;
mod recordings;
mod screenings;
mod tenants;
mod tree;
mod users;
mod webhook;

use std::sync::Arc;

use domain::ports::{
    Applications, Clock, EvidenceReader, Ids, InterviewQueries, InterviewSummary, RecordingQueries,
    Recordings, Scope, ScreeningQueries, StoreError, Tenants, Users,
};
use serde_json::Value;
use supervisor::{Feed, Interviews, Tree, TreeStats, Unavailable};

use crate::auth::{Access, Principal, Role, WebhookSource};
use crate::error::{ApiError, FieldError, Place};
use crate::extract::BodyMax;
use crate::live::{self, LiveState};
use crate::problem::Code;
use crate::router::Route;

pub(crate) use described::Operations;

/// Those who run a tenant.
pub(crate) const ADMINS: &[Role] = &[Role::Admin, Role::Superadmin];
/// Those who run the installation.
pub(crate) const SUPERADMINS: &[Role] = &[Role::Superadmin];
/// Those who see interviews: administrators all of them, recruiters their own.
pub(crate) const RECRUITERS: &[Role] = &[Role::Admin, Role::Superadmin, Role::Hr, Role::ExternalHr];
/// The largest import, in bytes: 2,000 applications with their jobs.
const IMPORT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What the handlers ask.
pub struct Services {
    /// Takes reports, deletes, syncs.
    pub interviews: Arc<Interviews>,
    /// Reads interviews.
    pub interview_queries: Arc<dyn InterviewQueries>,
    /// Reads screenings.
    pub screening_queries: Arc<dyn ScreeningQueries>,
    /// Reads where recordings lie.
    pub recording_queries: Arc<dyn RecordingQueries>,
    /// Fetches recordings.
    pub recordings: Arc<dyn Recordings>,
    /// Imports applications.
    pub applications: Arc<dyn Applications>,
    /// Imports users.
    pub users: Arc<dyn Users>,
    /// Keeps the tenants.
    pub tenants: Arc<dyn Tenants>,
    /// Knows who is alive.
    pub tree: Arc<Tree>,
    /// Reads the engine's webhooks.
    pub evidence: Arc<dyn EvidenceReader>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// What calls are placed with.
    pub calling: Arc<calling::Calling>,
    /// Draws ids.
    pub ids: Arc<dyn Ids>,
    /// Tells what was committed.
    pub feed: Arc<Feed>,
}

/// Returns an interview as the list shows it, for the live feed.
pub(crate) fn interview_json(row: InterviewSummary) -> Value {
    serde_json::to_value(interviews::InterviewView::from(row)).unwrap_or_default()
}

/// Returns the tree as its route shows it to somebody, for the live feed.
pub(crate) fn tree_json(stats: &TreeStats, viewer: &Principal) -> Value {
    serde_json::to_value(tree::TreeView::of(stats, viewer)).unwrap_or_default()
}

/// Returns every route of this server, the server's own aside.
pub fn table(services: Services, live: LiveState) -> Vec<Route> {
    lines(Some(Arc::new(services)), Some(live))
}

/// Returns the same with nothing behind it, for who only reads the table.
pub fn outline() -> Vec<Route> {
    lines(None, None)
}

fn lines(services: Option<Arc<Services>>, live: Option<LiveState>) -> Vec<Route> {
    let admin = Access::Roles(ADMINS);
    let recruiter = Access::Roles(RECRUITERS);
    let superadmin = Access::Roles(SUPERADMINS);
    let recruiter_or_service = Access::RolesOrService(RECRUITERS);
    let engine = Access::Webhook(WebhookSource::MrHire);
    let calling = services.as_ref().map(|services| Arc::clone(&services.calling));
    let s = || services.clone();
    let mut table = vec![
        Route::post_with(s(), "/api/voice-interviews/webhook", engine, webhook::take),
        Route::get_with(s(), "/api/voice-interviews/stats", recruiter, interviews::stats),
        Route::post_with(s(), "/api/voice-interviews/sync", admin, interviews::sync),
        Route::get_with(s(), "/api/voice-interviews", recruiter, interviews::list),
        Route::get_with(s(), "/api/voice-interviews/{id}", recruiter, interviews::detail),
        Route::delete_with(s(), "/api/voice-interviews/{id}", admin, interviews::delete),
        Route::get_with(
            s(),
            "/api/voice-interviews/recording-proxy",
            recruiter,
            recordings::recording_proxy,
        ),
        Route::get_with(
            s(),
            "/api/voice-interviews/{id}/recording",
            recruiter,
            recordings::recording,
        ),
        Route::get_with(s(), "/api/v1/screenings", recruiter, screenings::list),
        Route::get_with(s(), "/api/v1/screenings/{application_id}", recruiter, screenings::detail),
        Route::post_with(s(), "/api/v1/applications/import", admin, applications::import)
            .body_max(BodyMax(IMPORT_BYTES_MAX)),
        Route::get_with(s(), "/api/v1/tree", admin, tree::show),
        Route::post_with(s(), "/api/v1/actors/{kind}/{id}/release", admin, tree::release),
        Route::get_with(s(), "/api/v1/dialing", admin, dialing::show),
        Route::post_with(s(), "/api/v1/dialing/stop", admin, dialing::stop),
        Route::post_with(s(), "/api/v1/dialing/resume", admin, dialing::resume),
        Route::post_with(s(), "/api/v1/users/import", admin, users::import)
            .body_max(BodyMax(IMPORT_BYTES_MAX)),
        Route::get_with(s(), "/api/v1/tenants", superadmin, tenants::list),
        Route::post_with(s(), "/api/v1/tenants", superadmin, tenants::create),
        Route::post_with(s(), "/api/v1/tenants/{id}/close", superadmin, tenants::close),
        Route::post_with(s(), "/api/mr-hire/call", recruiter_or_service, calls::place),
        Route::get_with(live, "/ws/v1", Access::InBand, live::upgrade),
    ];
    table.extend(calling::table(calling));
    table
}

/// Returns what a caller may see: recruiters what belongs to them, administrators their tenant.
pub(crate) fn scope(principal: &Principal) -> Scope {
    match principal.role {
        Role::Admin | Role::Superadmin => Scope::Tenant(principal.tenant),
        Role::SalesHead
        | Role::Hr
        | Role::ExternalHr
        | Role::BatchLead
        | Role::Student
        | Role::Agent => Scope::Owner(principal.tenant, principal.sub),
    }
}

/// Says that one parameter of the query is wrong.
fn wrong_parameter(name: &str, message: impl Into<String>) -> ApiError {
    ApiError::invalid(FieldError {
        pointer: format!("#/{name}"),
        code: "invalid_value",
        message: message.into(),
        place: Place::Query,
    })
}

/// Says that one field of the body is wrong.
fn wrong_field(pointer: impl Into<String>, message: impl Into<String>) -> FieldError {
    FieldError {
        pointer: pointer.into(),
        code: "invalid_value",
        message: message.into(),
        place: Place::Body,
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Away(_) => Self::new(Code::JournalUnavailable).because(error),
            StoreError::Broken(_) => Self::internal(error),
        }
    }
}

impl From<Unavailable> for ApiError {
    fn from(error: Unavailable) -> Self {
        match error {
            Unavailable::Busy => Self::new(Code::Overloaded).because(error),
            Unavailable::Away(_) => Self::new(Code::JournalUnavailable).because(error),
        }
    }
}
