//! `/api/v1/system-config` and the list of providers that are switched on.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::Provider;
use domain::calling::EnabledProviders;
use domain::ports::SystemConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Calling, wrong_field, wrong_list};
use crate::auth::{Caller, Principal};
use crate::contract::sets;
use crate::envelope::Data;
use crate::error::{ApiError, FieldError, Place};
use crate::extract::{Json as Body, Path};
use crate::suggest;

/// The settings there are.
pub(crate) const KEYS: [&str; 2] = ["CALL_PROVIDER", "ENABLED_CALL_PROVIDERS"];

/// A setting's new value.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingRequest {
    #[schema(schema_with = sets::setting)]
    value: Value,
}

/// One setting.
#[derive(Serialize, ToSchema)]
#[schema(as = SystemConfig)]
pub struct SettingView {
    key: &'static str,
    #[schema(schema_with = sets::setting)]
    value: Value,
}

/// `GET /api/system-config/enabled-call-providers`. Lists the providers that are switched on.
#[utoipa::path(
    get, path = "/api/system-config/enabled-call-providers", tag = "calling",
    operation_id = "enabled_call_providers",
    responses((status = 200, description = "Their names.", body = Data<Vec<String>>)),
)]
pub(crate) async fn enabled(
    State(calling): State<Arc<Calling>>,
    caller: Caller,
) -> Result<Json<Data<Vec<&'static str>>>, ApiError> {
    let (_, enabled) = calling.settings.system_configs(caller.tenant()).await?;
    Ok(Json(Data::new(enabled.iter().map(Provider::as_str).collect())))
}

/// `GET /api/v1/system-config`. Shows the tenant's settings.
#[utoipa::path(
    get, path = "/api/v1/system-config", tag = "calling", operation_id = "system_configs",
    responses((status = 200, description = "Every setting.", body = Data<Vec<SettingView>>)),
)]
pub(crate) async fn list(
    State(calling): State<Arc<Calling>>,
    principal: Principal,
) -> Result<Json<Data<Vec<SettingView>>>, ApiError> {
    let (provider, enabled) = calling.settings.system_configs(principal.tenant).await?;
    let settings = [SystemConfig::CallProvider(provider), SystemConfig::EnabledProviders(enabled)];
    Ok(Json(Data::new(settings.iter().map(SettingView::from).collect())))
}

/// `PUT /api/v1/system-config/{key}`. Changes one setting.
#[utoipa::path(
    put, path = "/api/v1/system-config/{key}", tag = "calling", operation_id = "put_system_config",
    params(("key" = inline(sets::SettingName), Path)),
    request_body = SettingRequest,
    responses((status = 200, description = "It was changed.", body = Data<SettingView>)),
)]
pub(crate) async fn put(
    State(calling): State<Arc<Calling>>,
    principal: Principal,
    Path(key): Path<String>,
    Body(SettingRequest { value }): Body<SettingRequest>,
) -> Result<Json<Data<SettingView>>, ApiError> {
    let config = match key.as_str() {
        "CALL_PROVIDER" => SystemConfig::CallProvider(call_provider(&value)?),
        "ENABLED_CALL_PROVIDERS" => SystemConfig::EnabledProviders(enabled_providers(&value)?),
        _ => return Err(no_such_key(&key)),
    };
    let view = SettingView::from(&config);
    calling.settings.put_system_config(principal.tenant, config, calling.clock.now()).await?;
    Ok(Json(Data::new(view)))
}

fn call_provider(value: &Value) -> Result<Option<Provider>, ApiError> {
    match value {
        Value::Null => Ok(None),
        Value::String(name) => provider("#/value", name).map(Some),
        _ => Err(ApiError::invalid(wrong_field("#/value", "must be a provider or null"))),
    }
}

fn enabled_providers(value: &Value) -> Result<EnabledProviders, ApiError> {
    let Value::Array(names) = value else {
        return Err(ApiError::invalid(wrong_field("#/value", "must be a list of providers")));
    };
    let mut list = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let pointer = format!("#/value/{index}");
        let Value::String(name) = name else {
            return Err(ApiError::invalid(wrong_field(pointer, "must be a provider")));
        };
        list.push(provider(&pointer, name)?);
    }
    EnabledProviders::new(&list).map_err(|why| ApiError::invalid(wrong_list("#/value", why)))
}

fn provider(pointer: &str, name: &str) -> Result<Provider, ApiError> {
    Provider::parse(name).map_err(|why| {
        ApiError::invalid(FieldError {
            code: "unknown_value",
            ..wrong_field(pointer, why.to_string())
        })
    })
}

fn no_such_key(key: &str) -> ApiError {
    let hint = suggest::hint(key, KEYS);
    ApiError::invalid(FieldError {
        pointer: "#/key".to_owned(),
        code: "unknown_value",
        message: format!("key must be one of {}{hint}", KEYS.join(", ")),
        place: Place::Path,
    })
}

impl From<&SystemConfig> for SettingView {
    fn from(config: &SystemConfig) -> Self {
        match config {
            SystemConfig::CallProvider(provider) => {
                Self { key: KEYS[0], value: json!(provider.map(Provider::as_str)) }
            }
            SystemConfig::EnabledProviders(enabled) => {
                Self { key: KEYS[1], value: enabled.iter().map(Provider::as_str).collect() }
            }
        }
    }
}
