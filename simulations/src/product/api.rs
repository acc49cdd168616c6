//! The REST API, as a client uses it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Rows of one page.
const PAGE_ROWS: usize = 200;

/// A client that shows one token.
#[derive(Clone)]
pub struct Api {
    http: Client,
    base: String,
    token: Option<String>,
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The server is away, or gave up half-way.
    #[error("the server does not answer")]
    Away(#[source] reqwest::Error),
    /// It said no.
    #[error("the server answered {status}: {body}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// The body, as text.
        body: String,
    },
    /// What it said is not what was agreed.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
}

/// One interview of the list.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterviewRow {
    /// Ours.
    pub id: Uuid,
    /// The engine's.
    pub call_id: Option<String>,
    /// How far it got.
    pub status: String,
    /// What came of it.
    pub outcome: Option<String>,
    /// Whom it rang.
    pub candidate_name: Option<String>,
    /// Seconds.
    pub duration: Option<f64>,
    /// Why there was no conversation.
    pub failure_reason: Option<String>,
    /// What it is about.
    pub application_id: Option<Uuid>,
    /// How often it moved.
    pub version: i64,
}

/// One interview with what was said.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct InterviewDetail {
    /// What the list says of it.
    #[serde(flatten)]
    pub row: InterviewRow,
    /// What was said, as one text.
    pub transcript: Option<String>,
    /// What was said, turn by turn.
    pub messages: Vec<Message>,
    /// The position in the feed that this includes.
    pub seq: i64,
}

/// One turn.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Message {
    /// Whose.
    pub role: String,
    /// What.
    pub message: String,
}

/// One screening.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScreeningRow {
    /// Of which application.
    pub application_id: Uuid,
    /// Where it stands.
    pub status: String,
    /// Where its calls stand.
    pub call_status: String,
    /// How many calls were made.
    pub attempts: u32,
    /// The call that counts.
    pub call_id: Option<String>,
    /// When the next call is due.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// What the call came to.
    pub call_score: Option<f64>,
    /// What all stages came to.
    pub final_score: Option<f64>,
    /// Why the last call came to nothing.
    pub failure_reason: Option<String>,
}

impl ScreeningRow {
    /// Says whether nothing is to come any more.
    pub fn is_final(&self) -> bool {
        self.status != "in_progress"
    }
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

#[derive(Deserialize)]
struct List<T> {
    data: Vec<T>,
    pagination: Pagination,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pagination {
    has_more: bool,
}

impl Api {
    /// Makes a client of the server at `base`, which shows `token`, if there is one.
    ///
    /// # Errors
    /// When no HTTP client can be built.
    pub fn new(base: impl Into<String>, token: Option<String>) -> anyhow::Result<Self> {
        let http = Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self { http, base: base.into(), token })
    }

    /// Returns the same with another token.
    pub fn with_token(&self, token: Option<String>) -> Self {
        Self { token, ..self.clone() }
    }

    /// Sends any request; answers status and body, whatever they are.
    ///
    /// # Errors
    /// [`ApiError::Away`] when there is no answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), ApiError> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        answer(request).await
    }

    /// Gets `path`.
    ///
    /// # Errors
    /// [`ApiError`] unless the answer is a 2xx with a body of that form.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        accepted(self.send(Method::GET, path, None).await?)
    }

    /// Posts `body` to `path`.
    ///
    /// # Errors
    /// [`ApiError`] unless the answer is a 2xx.
    pub async fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, ApiError> {
        accepted(self.send(Method::POST, path, body).await?)
    }

    /// Asks for a call under an idempotency key.
    ///
    /// # Errors
    /// [`ApiError`] unless it is placed, or planned.
    pub async fn place(&self, key: &str, body: &Value) -> Result<Value, ApiError> {
        let request = self.http.post(format!("{}/api/mr-hire/call", self.base)).json(body);
        let request = request.header("idempotency-key", key);
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        accepted(answer(request).await?)
    }

    /// Imports jobs and applications.
    ///
    /// # Errors
    /// [`ApiError`] when they were not taken.
    pub async fn import(&self, body: &Value) -> Result<(), ApiError> {
        self.post("/api/v1/applications/import", Some(body)).await.map(drop)
    }

    /// Has the server pull what it may have missed.
    ///
    /// # Errors
    /// [`ApiError`] when it cannot.
    pub async fn sync(&self) -> Result<(), ApiError> {
        self.post("/api/voice-interviews/sync", None).await.map(drop)
    }

    /// Returns all interviews of an application, or of everybody.
    ///
    /// # Errors
    /// [`ApiError`] when there is no usable answer.
    pub async fn interviews(
        &self,
        application: Option<Uuid>,
    ) -> Result<Vec<InterviewRow>, ApiError> {
        let filter = application.map(|id| format!("&applicationId={id}")).unwrap_or_default();
        self.pages("/api/voice-interviews", &filter, usize::MAX).await
    }

    /// Returns one interview.
    ///
    /// # Errors
    /// [`ApiError`] when there is no usable answer.
    pub async fn interview(&self, id: Uuid) -> Result<InterviewDetail, ApiError> {
        let Data { data } = self.get(&format!("/api/voice-interviews/{id}")).await?;
        Ok(data)
    }

    /// Returns one screening, if there is one.
    ///
    /// # Errors
    /// [`ApiError`] when there is no usable answer.
    pub async fn screening(&self, application: Uuid) -> Result<Option<ScreeningRow>, ApiError> {
        let path = format!("/api/v1/screenings/{application}");
        match self.send(Method::GET, &path, None).await? {
            (StatusCode::NOT_FOUND, _) => Ok(None),
            answer => accepted::<Data<_>>(answer).map(|Data { data }| Some(data)),
        }
    }

    /// Returns screenings, newest first: `rows_min`, where there are so many, and a page more at most.
    ///
    /// # Errors
    /// [`ApiError`] when there is no usable answer.
    pub async fn screenings(&self, rows_min: usize) -> Result<Vec<ScreeningRow>, ApiError> {
        self.pages("/api/v1/screenings", "", rows_min).await
    }

    async fn pages<T: DeserializeOwned>(
        &self,
        path: &str,
        filter: &str,
        rows_min: usize,
    ) -> Result<Vec<T>, ApiError> {
        let mut rows = Vec::new();
        for page in 1.. {
            let path = format!("{path}?limit={PAGE_ROWS}&page={page}{filter}");
            let List { data, pagination } = self.get(&path).await?;
            rows.extend(data);
            if !pagination.has_more || rows.len() >= rows_min {
                break;
            }
        }
        Ok(rows)
    }
}

/// Sends a request; answers status and body, whatever they are.
async fn answer(request: RequestBuilder) -> Result<(StatusCode, Value), ApiError> {
    let answer = request.send().await.map_err(ApiError::Away)?;
    let status = answer.status();
    let text = answer.text().await.map_err(ApiError::Away)?;
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok((status, body))
}

fn accepted<T: DeserializeOwned>((status, body): (StatusCode, Value)) -> Result<T, ApiError> {
    if !status.is_success() {
        return Err(ApiError::Refused { status, body: body.to_string() });
    }
    serde_json::from_value(body).map_err(|error| ApiError::Unreadable(error.to_string()))
}
