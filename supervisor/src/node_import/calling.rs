//! What calls are placed with: prompts and the recruiters' configurations. Each is written once; from then
//! on it is data of this server, and a later import leaves it alone.

use domain::Provider;
use domain::calling::{AllowedProviders, Credentials};
use domain::ports::{ConfigChange, ConfigRefusal, CredentialsChange, Expected, NewPrompt, NodeRow};
use domain::prompt::{Platform, PromptName, PromptText};
use serde_json::Value;
use uuid::Uuid;

use super::report::TableReport;
use super::{ImportError, NodeImport};

impl NodeImport {
    /// Copies prompts under the ids that they had.
    pub(super) async fn prompts(
        &self,
        rows: Vec<NodeRow>,
        report: &mut TableReport,
    ) -> Result<(), ImportError> {
        for row in rows {
            let (id, prompt) = match prompt(&row) {
                Ok(read) => read,
                Err(why) => {
                    report.refused(row.key, why);
                    continue;
                }
            };
            let at = row.instant("createdAt").unwrap_or_else(|| self.clock.now());
            if self.target.put_prompt(self.tenant, id, prompt, at).await? {
                report.written();
            } else {
                report.unchanged();
            }
        }
        Ok(())
    }

    /// Copies configurations; their credentials are sealed on the way in.
    pub(super) async fn configs(
        &self,
        rows: Vec<NodeRow>,
        report: &mut TableReport,
    ) -> Result<(), ImportError> {
        for row in rows {
            let change = match config(&row) {
                Ok(change) => change,
                Err(why) => {
                    report.refused(row.key, why);
                    continue;
                }
            };
            if self.configs.config(self.tenant, change.user).await?.is_some() {
                report.unchanged();
                continue;
            }
            let put = self.configs.put_config(self.tenant, change, Expected::Any, self.clock.now());
            match put.await? {
                Ok(_) => report.written(),
                Err(refusal) => report.refused(row.key, words(refusal)),
            }
        }
        Ok(())
    }
}

fn prompt(row: &NodeRow) -> Result<(Uuid, NewPrompt), String> {
    let id = Uuid::parse_str(&row.key).map_err(|_| "its id is no UUID".to_owned())?;
    let name = PromptName::parse(text(row, "name")?).map_err(|why| why.to_string())?;
    let text = PromptText::parse(text(row, "systemPrompt")?);
    let platform = row.column("platform").map(|value| {
        let name = value.as_str().unwrap_or_default();
        Platform::parse(name).map_err(|why| why.to_string())
    });
    let prompt = NewPrompt {
        name,
        text: text.map_err(|why| format!("systemPrompt: {why}"))?,
        platform: platform.transpose()?,
        belongs_to: row
            .column("belongsToId")
            .map(|value| uuid("belongsToId", value))
            .transpose()?,
        is_active: is_active(row),
    };
    Ok((id, prompt))
}

fn config(row: &NodeRow) -> Result<ConfigChange, String> {
    let user = row.column("userId").ok_or("userId is missing")?;
    let allowed = row.column("allowedProviders").and_then(Value::as_array);
    let allowed = allowed.ok_or("allowedProviders is no list")?.iter().map(provider);
    let allowed = allowed.collect::<Result<Vec<_>, _>>()?;
    let default = row.column("defaultProvider").map(provider).transpose()?;
    let default = default.or_else(|| allowed.first().copied()).ok_or("no provider is allowed")?;
    AllowedProviders::new(allowed.clone(), default).map_err(|why| why.to_string())?;
    let credentials = match row.column("credentials") {
        None => CredentialsChange::Keep,
        Some(value) => {
            CredentialsChange::Set(Credentials::parse(value).map_err(|why| why.to_string())?)
        }
    };
    Ok(ConfigChange {
        user: uuid("userId", user)?,
        allowed,
        default: Some(default),
        credentials,
        is_active: Some(is_active(row)),
    })
}

fn text<'a>(row: &'a NodeRow, name: &str) -> Result<&'a str, String> {
    row.column(name).and_then(Value::as_str).ok_or_else(|| format!("{name} is missing"))
}

fn uuid(name: &str, value: &Value) -> Result<Uuid, String> {
    let id = value.as_str().and_then(|text| Uuid::parse_str(text).ok());
    id.ok_or_else(|| format!("{name} is no UUID"))
}

fn provider(value: &Value) -> Result<Provider, String> {
    Provider::parse(value.as_str().unwrap_or_default()).map_err(|why| why.to_string())
}

/// There it is true where nobody says otherwise.
fn is_active(row: &NodeRow) -> bool {
    row.column("isActive").and_then(Value::as_bool).unwrap_or(true)
}

fn words(refusal: ConfigRefusal) -> &'static str {
    match refusal {
        ConfigRefusal::SealingOff => {
            "its credentials cannot be sealed: RINGMASTER_SEAL_KEY is unset"
        }
        ConfigRefusal::DefaultNotAllowed => "its default provider is none of those allowed",
        ConfigRefusal::NotFound | ConfigRefusal::Changed(_) => "it changed here meanwhile",
    }
}
