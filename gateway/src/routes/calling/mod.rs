//! What calls are placed with: configurations, settings and prompts.

pub(super) mod configs;
pub(super) mod engine;
pub(super) mod prompts;
mod prompts_wire;
pub(crate) mod settings;

use std::sync::Arc;

use domain::Provider;
use domain::calling::{InvalidProviders, ProviderChoice};
use domain::ports::{CallConfigs, CallingSettings, Clock, Prompts, SystemConfigs};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{ADMINS, RECRUITERS, wrong_field};
use crate::auth::{Access, Role};
use crate::contract::sets;
use crate::error::{ApiError, FieldError};
use crate::problem::Code;
use crate::refresh::Refresher;
use crate::router::Route;

/// What these handlers ask.
pub struct Calling {
    /// The recruiters' configurations.
    pub configs: Arc<dyn CallConfigs>,
    /// The tenant's settings.
    pub settings: Arc<dyn SystemConfigs>,
    /// The prompt library.
    pub prompts: Arc<dyn Prompts>,
    /// What a call would be placed with.
    pub choices: Arc<dyn CallingSettings>,
    /// Tells the engine of changes.
    pub refresh: Refresher,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// Returns the routes; with nothing behind them for who only reads the table.
pub(super) fn table(calling: Option<Arc<Calling>>) -> Vec<Route> {
    let (admin, recruiter) = (Access::Roles(ADMINS), Access::Roles(RECRUITERS));
    let c = || calling.clone();
    let of_user = "/api/admin/hr-call-configs/{user_id}";
    let prompt = "/api/mr-hire/call-prompts/{id}";
    let interview = "/api/mr-hire/interview-prompt";
    let enabled = "/api/system-config/enabled-call-providers";
    let create_default = "/api/admin/hr-call-configs/create-default";
    vec![
        Route::get_with(c(), "/api/hr-call-config/{user_id}", Access::Service, engine::show),
        Route::get_with(c(), enabled, Access::RolesOrService(&Role::ALL), settings::enabled),
        Route::get_with(c(), "/api/v1/system-config", admin, settings::list),
        Route::put_with(c(), "/api/v1/system-config/{key}", admin, settings::put),
        Route::get_with(c(), "/api/hr/my-call-config", recruiter, configs::mine),
        Route::put_with(c(), "/api/hr/my-call-config", recruiter, configs::put_mine),
        Route::get_with(c(), "/api/admin/hr-call-configs", admin, configs::list),
        Route::post_with(c(), "/api/admin/hr-call-configs", admin, configs::put),
        Route::post_with(c(), create_default, admin, configs::create_default),
        Route::get_with(c(), of_user, admin, configs::show),
        Route::delete_with(c(), of_user, admin, configs::delete),
        Route::get_with(c(), "/api/mr-hire/call-prompts", recruiter, prompts::list),
        Route::post_with(c(), "/api/mr-hire/call-prompts", recruiter, prompts::create),
        Route::get_with(c(), "/api/mr-hire/call-prompts/active", recruiter, prompts::active),
        Route::put_with(c(), prompt, recruiter, prompts::change),
        Route::delete_with(c(), prompt, recruiter, prompts::delete),
        Route::get_with(c(), interview, recruiter, prompts::interview),
        Route::put_with(c(), interview, recruiter, prompts::put_interview),
        Route::post_with(c(), "/api/mr-hire/interview-prompt/reset", recruiter, prompts::reset),
    ]
}

/// Why it is this provider.
#[derive(Serialize, ToSchema)]
#[schema(as = ProviderWhy)]
pub(super) struct WhyView {
    /// Who named it: `hr_default`, `system_config` or `fallback`.
    source: &'static str,
    /// The same in words.
    reason: String,
    /// Who was named before and is switched off.
    skipped: Vec<SkippedView>,
}

/// A provider that was passed by.
#[derive(Serialize, ToSchema)]
#[schema(as = ProviderSkipped)]
struct SkippedView {
    #[schema(schema_with = sets::provider_name)]
    provider: &'static str,
    source: &'static str,
}

/// Returns the provider and why it is this one; a problem where all of them are switched off.
fn chosen(choice: &ProviderChoice) -> Result<(Provider, WhyView), ApiError> {
    let reason = choice.reason();
    let ProviderChoice::Chosen { provider, source, skipped } = choice else {
        return Err(ApiError::new(Code::NoProviderEnabled).detail(reason));
    };
    let skipped = skipped
        .iter()
        .map(|one| SkippedView { provider: one.provider.as_str(), source: one.source.as_str() });
    let skipped = skipped.collect();
    Ok((*provider, WhyView { source: source.as_str(), reason, skipped }))
}

/// Says which entry of the list at `pointer` is wrong.
fn wrong_list(pointer: &str, why: InvalidProviders) -> FieldError {
    match why {
        InvalidProviders::Empty => wrong_field(pointer, why.to_string()),
        InvalidProviders::Twice(index) => FieldError {
            code: "repeated",
            ..wrong_field(format!("{pointer}/{index}"), why.to_string())
        },
        InvalidProviders::DefaultNotAllowed => wrong_default(),
    }
}

fn wrong_default() -> FieldError {
    let why = InvalidProviders::DefaultNotAllowed;
    FieldError { code: "not_allowed", ..wrong_field("#/defaultProvider", why.to_string()) }
}

/// Says that `If-Match` does not hold, and which version there is.
fn changed(current: Option<i64>) -> ApiError {
    let detail = match current {
        Some(version) => format!("the current version is {version}"),
        None => "there is nothing that it could be a version of".to_owned(),
    };
    ApiError::new(Code::VersionMismatch).detail(detail).data(json!({ "currentVersion": current }))
}

/// Tells what is left out, which is none, from what is null, which is none inside.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
