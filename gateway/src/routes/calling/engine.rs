//! `/api/hr-call-config/{userId}`: what the call engine is told, and nobody else.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use domain::TenantId;
use domain::ports::{ConfigAccess, HrCallConfig};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::configs::refused;
use super::{Calling, WhyView, chosen};
use crate::auth::ServiceCaller;
use crate::contract::sets;
use crate::envelope::Data;
use crate::error::ApiError;
use crate::extract::Path;

/// A recruiter's configuration as the engine sees it, credentials included.
#[derive(Serialize, ToSchema)]
#[schema(as = EngineCallConfig)]
#[serde(rename_all = "camelCase")]
pub struct OpenedView {
    user_id: Uuid,
    /// `active`, `inactive` or `none`; only an active one counts, and only its credentials are shown.
    config: &'static str,
    #[schema(inline, value_type = Vec<sets::ProviderName>)]
    allowed_providers: Vec<&'static str>,
    #[schema(schema_with = sets::provider)]
    default_provider: Option<&'static str>,
    is_active: bool,
    #[schema(value_type = Option<Object>)]
    credentials: Option<Value>,
    /// The provider that carries this recruiter's calls.
    #[schema(schema_with = sets::provider_name)]
    provider: &'static str,
    why: WhyView,
}

/// `GET /api/hr-call-config/{userId}`. Tells the engine which provider to use, and with what. The engine's
/// recruiters are the default tenant's.
#[utoipa::path(
    get, path = "/api/hr-call-config/{user_id}", tag = "calling", operation_id = "engine_call_config",
    params(("user_id" = Uuid, Path)),
    responses(
        (status = 200, description = "What the engine calls with.", body = Data<OpenedView>),
        (status = 409, description = "Every provider is switched off."),
    ),
)]
pub(crate) async fn show(
    State(calling): State<Arc<Calling>>,
    _: ServiceCaller,
    Path(user): Path<Uuid>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<Data<OpenedView>>), ApiError> {
    let opened = calling.configs.opened_config(TenantId::DEFAULT, user).await?;
    let (access, choice) = opened.map_err(refused)?;
    let (provider, why) = chosen(&choice)?;
    let (name, config, credentials) = match access {
        ConfigAccess::None => ("none", None, None),
        ConfigAccess::Inactive(config) => ("inactive", Some(config), None),
        ConfigAccess::Active { config, credentials } => ("active", Some(config), credentials),
    };
    let credentials = credentials.map(|sealed| serde_json::from_str(sealed.expose()));
    let providers = config.as_ref().map(|config: &HrCallConfig| &config.providers);
    let view = OpenedView {
        user_id: user,
        config: name,
        allowed_providers: providers.map_or_else(Vec::new, |providers| {
            providers.list().iter().map(|one| one.as_str()).collect()
        }),
        default_provider: providers.map(|providers| providers.default().as_str()),
        is_active: config.as_ref().is_some_and(|config| config.is_active),
        credentials: credentials.transpose().map_err(ApiError::internal)?,
        provider: provider.as_str(),
        why,
    };
    // Nobody on the way keeps it.
    let no_store = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((no_store, Json(Data::new(view))))
}
