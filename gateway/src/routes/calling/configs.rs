//! `/api/admin/hr-call-configs` and `/api/hr/my-call-config`: which providers a recruiter may use.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use domain::Provider;
use domain::calling::{AllowedProviders, Credentials};
use domain::ports::{
    ConfigChange, ConfigRefusal, ConfigSaved, CredentialsChange, HrCallConfig, PageRequest,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Calling, changed, given, wrong_default, wrong_field, wrong_list};
use crate::auth::Principal;
use crate::contract::sets;
use crate::envelope::{Data, List, Meta};
use crate::error::ApiError;
use crate::extract::{IfMatch, Json as Body, Page, PageParams, Path, etag};
use crate::problem::Code;

/// A configuration as an administrator wants it. Not printable: it may carry credentials.
#[derive(Deserialize, ToSchema)]
#[schema(as = HrCallConfigRequest)]
#[serde(rename_all = "camelCase")]
pub struct ConfigRequest {
    #[serde(alias = "user_id")]
    user_id: Uuid,
    /// At least one, each once.
    #[serde(alias = "allowed_providers")]
    #[schema(schema_with = sets::providers)]
    allowed_providers: Vec<Provider>,
    /// One of those allowed. Left out, it stays; for a new configuration it is the first one allowed.
    #[serde(default, alias = "default_provider")]
    #[schema(inline, value_type = Option<sets::ProviderName>)]
    default_provider: Option<Provider>,
    /// Left out, they stay; null removes them. At most 16 KiB, nested at most 5 levels.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Object>)]
    credentials: Option<Option<Value>>,
    /// Left out, it stays; a new configuration is active.
    #[serde(default, alias = "is_active")]
    is_active: Option<bool>,
}

/// Whose configuration is to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateDefaultRequest {
    #[serde(alias = "user_id")]
    user_id: Uuid,
}

/// The default as a recruiter wants it: one of the providers that they may use.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MyConfigRequest {
    #[serde(alias = "default_provider")]
    #[schema(schema_with = sets::provider_name)]
    default_provider: Provider,
}

/// One configuration as browsers see it: of its credentials only whether there are any.
#[derive(Serialize, ToSchema)]
#[schema(as = HrCallConfig)]
#[serde(rename_all = "camelCase")]
pub struct ConfigView {
    id: Uuid,
    user_id: Uuid,
    #[schema(schema_with = sets::providers)]
    allowed_providers: Vec<&'static str>,
    #[schema(schema_with = sets::provider_name)]
    default_provider: &'static str,
    has_credentials: bool,
    is_active: bool,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// What a removal answers.
#[derive(Serialize, ToSchema)]
#[schema(as = HrCallConfigRemoved)]
#[serde(rename_all = "camelCase")]
pub struct RemovedView {
    user_id: Uuid,
    deleted: bool,
}

/// `GET /api/admin/hr-call-configs`. Lists configurations, newest first.
#[utoipa::path(
    get, path = "/api/admin/hr-call-configs", tag = "calling", operation_id = "list_call_configs",
    params(PageParams),
    responses((status = 200, description = "One page.", body = List<ConfigView>)),
)]
pub(crate) async fn list(
    State(calling): State<Arc<Calling>>,
    principal: Principal,
    page: Page,
) -> Result<Json<List<ConfigView>>, ApiError> {
    let request = PageRequest { page: page.number(), limit: page.limit() };
    let found = calling.configs.configs(principal.tenant, request).await?;
    let meta = Meta { as_of: calling.clock.now(), seq: found.seq };
    let total = u64::try_from(found.total).unwrap_or_default();
    let rows = found.rows.into_iter().map(ConfigView::from).collect();
    Ok(Json(List::new(rows, page, total, meta)))
}

/// `POST /api/admin/hr-call-configs`. Creates a configuration, or replaces the one there is.
#[utoipa::path(
    post, path = "/api/admin/hr-call-configs", tag = "calling", operation_id = "put_call_config",
    params(("If-Match" = Option<String>, Header)), request_body = ConfigRequest,
    responses(
        (status = 200, description = "It was replaced.", body = Data<ConfigView>),
        (status = 201, description = "It was created.", body = Data<ConfigView>),
    ),
)]
pub(crate) async fn put(
    State(calling): State<Arc<Calling>>,
    principal: Principal,
    IfMatch(expected): IfMatch,
    Body(request): Body<ConfigRequest>,
) -> Result<Response, ApiError> {
    let change = request.parse()?;
    let (user, at) = (change.user, calling.clock.now());
    let saved = calling.configs.put_config(principal.tenant, change, expected, at).await?;
    let saved = saved.map_err(refused)?;
    calling.refresh.tell(user);
    Ok(answer(saved))
}

/// `POST /api/admin/hr-call-configs/create-default`. Allows `vapi`, where there is no configuration yet.
#[utoipa::path(
    post, path = "/api/admin/hr-call-configs/create-default", tag = "calling",
    operation_id = "create_default_call_config", request_body = CreateDefaultRequest,
    responses(
        (status = 200, description = "There is one, and it was left alone.", body = Data<ConfigView>),
        (status = 201, description = "It was created.", body = Data<ConfigView>),
    ),
)]
pub(crate) async fn create_default(
    State(calling): State<Arc<Calling>>,
    principal: Principal,
    Body(CreateDefaultRequest { user_id }): Body<CreateDefaultRequest>,
) -> Result<Response, ApiError> {
    let (tenant, at) = (principal.tenant, calling.clock.now());
    let saved = calling.configs.create_config(tenant, user_id, Provider::Vapi, at).await?;
    if matches!(saved, ConfigSaved::Created(_)) {
        calling.refresh.tell(user_id);
    }
    Ok(answer(saved))
}

/// `GET /api/admin/hr-call-configs/{userId}`. Shows one configuration.
#[utoipa::path(
    get, path = "/api/admin/hr-call-configs/{user_id}", tag = "calling",
    operation_id = "call_config", params(("user_id" = Uuid, Path)),
    responses((status = 200, description = "The configuration.", body = Data<ConfigView>)),
)]
pub(crate) async fn show(
    State(calling): State<Arc<Calling>>,
    principal: Principal,
    Path(user): Path<Uuid>,
) -> Result<Response, ApiError> {
    of_user(&calling, &principal, user).await
}

/// `DELETE /api/admin/hr-call-configs/{userId}`. Removes one: from then on the tenant's settings count.
#[utoipa::path(
    delete, path = "/api/admin/hr-call-configs/{user_id}", tag = "calling",
    operation_id = "delete_call_config",
    params(("user_id" = Uuid, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, description = "It was removed.", body = Data<RemovedView>)),
)]
pub(crate) async fn delete(
    State(calling): State<Arc<Calling>>,
    principal: Principal,
    Path(user): Path<Uuid>,
    IfMatch(expected): IfMatch,
) -> Result<Json<Data<RemovedView>>, ApiError> {
    let removed = calling.configs.remove_config(principal.tenant, user, expected).await?;
    removed.map_err(refused)?;
    calling.refresh.tell(user);
    Ok(Json(Data::new(RemovedView { user_id: user, deleted: true })))
}

/// `GET /api/hr/my-call-config`. Shows the caller's own configuration.
#[utoipa::path(
    get, path = "/api/hr/my-call-config", tag = "calling", operation_id = "my_call_config",
    responses((status = 200, description = "The configuration.", body = Data<ConfigView>),
        (status = 404, description = "There is none.")),
)]
pub(crate) async fn mine(
    State(calling): State<Arc<Calling>>,
    principal: Principal,
) -> Result<Response, ApiError> {
    of_user(&calling, &principal, principal.sub).await
}

/// `PUT /api/hr/my-call-config`. Changes the caller's own default, and nothing else.
#[utoipa::path(
    put, path = "/api/hr/my-call-config", tag = "calling", operation_id = "put_my_call_config",
    params(("If-Match" = Option<String>, Header)), request_body = MyConfigRequest,
    responses((status = 200, description = "It was changed.", body = Data<ConfigView>),
        (status = 404, description = "There is none.")),
)]
pub(crate) async fn put_mine(
    State(calling): State<Arc<Calling>>,
    principal: Principal,
    IfMatch(expected): IfMatch,
    Body(MyConfigRequest { default_provider }): Body<MyConfigRequest>,
) -> Result<Response, ApiError> {
    let (tenant, user, at) = (principal.tenant, principal.sub, calling.clock.now());
    let saved = calling.configs.set_default(tenant, user, default_provider, expected, at).await?;
    let config = saved.map_err(refused)?;
    calling.refresh.tell(user);
    Ok(answer(ConfigSaved::Updated(config)))
}

async fn of_user(
    calling: &Calling,
    principal: &Principal,
    user: Uuid,
) -> Result<Response, ApiError> {
    let found = calling.configs.config(principal.tenant, user).await?;
    let config = found.ok_or_else(|| refused(ConfigRefusal::NotFound))?;
    Ok(answer(ConfigSaved::Kept(config)))
}

fn answer(saved: ConfigSaved) -> Response {
    let status = match &saved {
        ConfigSaved::Created(_) => StatusCode::CREATED,
        ConfigSaved::Updated(_) | ConfigSaved::Kept(_) => StatusCode::OK,
    };
    let config = saved.into_config();
    let version = config.version;
    (status, etag(version), Json(Data::new(ConfigView::from(config)))).into_response()
}

/// Says why nothing was changed.
pub(super) fn refused(refusal: ConfigRefusal) -> ApiError {
    match refusal {
        ConfigRefusal::NotFound => {
            ApiError::new(Code::NotFound).detail("this user has no call configuration")
        }
        ConfigRefusal::Changed(current) => changed(current),
        ConfigRefusal::DefaultNotAllowed => ApiError::invalid(wrong_default()),
        ConfigRefusal::SealingOff => ApiError::new(Code::SealingNotConfigured),
    }
}

impl ConfigRequest {
    fn parse(self) -> Result<ConfigChange, ApiError> {
        let mut errors = Vec::new();
        // Where no default is given, the one that is stored is judged when it is known.
        let default = self.default_provider.or(self.allowed_providers.first().copied());
        let default = default.unwrap_or(Provider::Vapi);
        if let Err(why) = AllowedProviders::new(self.allowed_providers.clone(), default) {
            errors.push(wrong_list("#/allowedProviders", why));
        }
        let credentials = match self.credentials {
            None => CredentialsChange::Keep,
            Some(None) => CredentialsChange::Clear,
            Some(Some(value)) => match Credentials::parse(&value) {
                Ok(credentials) => CredentialsChange::Set(credentials),
                Err(why) => {
                    errors.push(wrong_field("#/credentials", why.to_string()));
                    CredentialsChange::Keep
                }
            },
        };
        if !errors.is_empty() {
            return Err(ApiError::invalid_all(errors));
        }
        Ok(ConfigChange {
            user: self.user_id,
            allowed: self.allowed_providers,
            default: self.default_provider,
            credentials,
            is_active: self.is_active,
        })
    }
}

impl From<HrCallConfig> for ConfigView {
    fn from(config: HrCallConfig) -> Self {
        Self {
            id: config.id,
            user_id: config.user,
            allowed_providers: config.providers.list().iter().map(|one| one.as_str()).collect(),
            default_provider: config.providers.default().as_str(),
            has_credentials: config.has_credentials,
            is_active: config.is_active,
            version: config.version,
            created_at: config.created_at,
            updated_at: config.updated_at,
        }
    }
}
