//! The engine's requests and answers, as they travel.

use chrono::Duration;
use domain::interview::CallStatus;
use domain::ports::{Analysis, AnalysisRequest, DialRequest, EngineListing};
use domain::screening::CandidateInfo;
use domain::{CallId, CostUsd, Provider};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// The longest wait a throttled engine is believed, in s.
const RETRY_AFTER_S_MAX: i64 = 3_600;
/// The wait when a throttled engine names none, in s.
const RETRY_AFTER_S_DEFAULT: i64 = 30;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlaceCall<'a> {
    phone_number: &'a str,
    candidate_name: &'a str,
    role: &'a str,
    system_prompt: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    belongs_to: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'static str>,
    metadata: Metadata,
    idempotency_key: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    intent_id: Uuid,
}

impl<'a> From<&'a DialRequest> for PlaceCall<'a> {
    fn from(dial: &'a DialRequest) -> Self {
        Self {
            phone_number: dial.phone.as_str(),
            candidate_name: &dial.candidate_name,
            role: &dial.role,
            system_prompt: &dial.system_prompt,
            application_id: dial.application.map(|id| id.0),
            belongs_to: dial.belongs_to,
            provider: dial.provider.map(Provider::as_str),
            metadata: Metadata { intent_id: dial.intent.0 },
            idempotency_key: dial.intent.to_string(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CallPlaced {
    call_id: String,
    provider: Option<String>,
}

impl CallPlaced {
    pub fn read(self) -> anyhow::Result<(CallId, Option<Provider>)> {
        let provider = self.provider.and_then(|name| Provider::parse(&name).ok());
        Ok((CallId::parse(&self.call_id)?, provider))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CallList {
    pub calls: Vec<Value>,
    #[serde(default, deserialize_with = "present")]
    next_cursor: Option<Value>,
}

/// What a page says about the calls behind it.
pub(super) enum Onward {
    /// They are behind this cursor.
    To(String),
    /// There are none.
    End,
    /// Nothing: the engine does not page.
    Unsaid,
}

/// Reads null as a value, and not as one that is missing.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl CallList {
    pub fn onward(&self) -> Onward {
        match &self.next_cursor {
            Some(Value::String(cursor)) => Onward::To(cursor.clone()),
            Some(Value::Null) => Onward::End,
            Some(_) | None => Onward::Unsaid,
        }
    }

    /// Returns the rows that can be read; one that cannot is a call the next webhook tells of.
    pub fn read(self) -> Vec<EngineListing> {
        let row = |row: &Value| {
            let call_id = CallId::parse(row.get("callId")?.as_str()?).ok()?;
            let status = CallStatus::parse(row.get("status")?.as_str()?).ok()?;
            Some(EngineListing { call_id, status })
        };
        self.calls.iter().filter_map(row).collect()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AnalyzeCall<'a> {
    transcript: &'a str,
    call_id: &'a str,
    application_id: Uuid,
    job_title: &'a str,
    job_description: &'a str,
}

impl<'a> From<&'a AnalysisRequest> for AnalyzeCall<'a> {
    fn from(request: &'a AnalysisRequest) -> Self {
        Self {
            transcript: &request.transcript,
            call_id: request.call_id.as_str(),
            application_id: request.application.0,
            job_title: &request.job_title,
            job_description: &request.job_description,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CallAnalyzed {
    communication_score: f64,
    technical_score: f64,
    overall_score: f64,
    #[serde(default)]
    candidate_info: Value,
    #[serde(default)]
    usage: Value,
}

impl CallAnalyzed {
    pub fn read(self) -> Analysis {
        let text = |name: &str| match self.candidate_info.get(name) {
            Some(Value::String(text)) => Some(text.replace('\0', "\u{fffd}")),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let candidate = CandidateInfo {
            current_ctc: text("currentCtc"),
            expected_ctc: text("expectedCtc"),
            notice_period_days: self
                .candidate_info
                .get("noticePeriodDays")
                .and_then(Value::as_u64)
                .and_then(|days| u32::try_from(days).ok()),
            location: text("location"),
            years_of_experience: self
                .candidate_info
                .get("yearsOfExperience")
                .and_then(Value::as_f64),
        };
        let cost = self.usage.get("costUsd").and_then(Value::as_f64);
        Analysis {
            communication: self.communication_score,
            technical: self.technical_score,
            overall: self.overall_score,
            candidate,
            cost: cost.and_then(|usd| CostUsd::parse(usd).ok()),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Failure {
    error: FailureDetail,
}

#[derive(Deserialize)]
struct FailureDetail {
    code: String,
}

impl Failure {
    /// Returns the engine's code, as far as it is one.
    pub fn code(self) -> String {
        let is_code = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        self.error.code.chars().filter(|c| is_code(*c)).take(64).collect()
    }
}

/// Reads `Retry-After` as seconds; a date there is not part of the contract.
pub(super) fn retry_after(header: Option<&str>) -> Duration {
    let seconds = header.and_then(|text| text.trim().parse::<i64>().ok());
    Duration::seconds(seconds.unwrap_or(RETRY_AFTER_S_DEFAULT).clamp(1, RETRY_AFTER_S_MAX))
}
