//! The engine's client: one request an attempt, a deadline on each, no redirects.

use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;
use domain::CallId;
use domain::Provider;
use domain::interview::CallReport;
use domain::ports::{
    Analysis, AnalysisRequest, Analyzer, BoxFuture, CallEngine, DialRequest, EngineError,
    EngineListing, LostDial, ProviderRefresh, Sighting,
};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Body, Client, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use tracing::error;
use uuid::Uuid;

use super::evidence::read_object;
use super::leave::LastMoment;
use super::mend::{self, Read};
use super::search::{Looked, Search};
use super::wire::{self, AnalyzeCall, CallAnalyzed, CallList, CallPlaced, PlaceCall};
use crate::retry;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a pull may take. Source: the engine's page, section 1.
const PULL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long placing a call may take. Source: as above.
const DIAL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an analysis may take. Source: as above.
const ANALYZE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long telling of a changed provider may take; nobody waits for it.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes: a list of 100 calls, or one call of two hours.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long an engine is left alone that does not know our token.
const UNKNOWN_CALLER_RETRY: TimeDelta = TimeDelta::minutes(5);
/// The calls asked for at once. Source: the engine's page, section 3.
pub(super) const LIST_LIMIT: usize = 100;
/// The pages a lost dial is looked for on; an engine that places more calls in a day is not believed.
const LIST_PAGES_MAX: usize = 200;

/// Where the engine is, and how it knows us.
#[derive(Clone, Debug)]
pub struct MrHireSettings {
    /// Its address; none switches it off.
    pub base: Option<Url>,
    /// `INTERNAL_SERVICE_TOKEN`.
    pub token: Option<SecretString>,
}

/// The client of `mr-hire-backend`.
#[derive(Clone)]
pub struct MrHire {
    http: Client,
    settings: MrHireSettings,
}

impl MrHire {
    /// Makes a client; sends nothing yet.
    ///
    /// # Errors
    /// When the TLS of this machine cannot be set up.
    pub fn new(settings: MrHireSettings) -> anyhow::Result<Self> {
        let http = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .context("the HTTP client of the call engine")?;
        Ok(Self { http, settings })
    }

    fn url(&self, path: &[&str]) -> Result<Url, EngineError> {
        let mut url = self.settings.base.clone().ok_or(EngineError::Off)?;
        url.path_segments_mut()
            .map_err(|()| EngineError::Unsure(anyhow::anyhow!("the engine's address has no path")))?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    async fn send(&self, request: RequestBuilder, limit: Duration) -> Result<Answer, EngineError> {
        let request = match &self.settings.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        };
        let response = request.timeout(limit).send().await.map_err(|error| {
            if error.is_connect() {
                EngineError::NotSent
            } else {
                EngineError::Unsure(error.into())
            }
        })?;
        Answer::read(response).await
    }

    async fn dial_once(
        &self,
        dial: DialRequest,
    ) -> Result<(CallId, Option<Provider>), EngineError> {
        let url = self.url(&["call"])?;
        let body = serde_json::to_vec(&PlaceCall::from(&dial))
            .map_err(|error| EngineError::Unsure(error.into()))?;
        let (body, withheld) = LastMoment::new(body, dial.leave);
        let request =
            self.http.post(url).header(CONTENT_TYPE, "application/json").body(Body::wrap(body));
        let answer = match self.send(request, DIAL_TIMEOUT).await {
            Err(_) if withheld.is_so() => return Err(EngineError::NotSent),
            answer => answer?,
        };
        answer.accepted::<CallPlaced>()?.read().map_err(EngineError::Unsure)
    }

    /// Goes through the list from its newest call back to the time of the dial.
    async fn find_once(&self, lost: &LostDial) -> Result<Sighting, EngineError> {
        let mut search = Search::of(lost);
        let mut cursor = None;
        for _ in 0..LIST_PAGES_MAX {
            let page = self.page(cursor.as_deref()).await?;
            match search.look_at(&page) {
                Looked::Further(next) => cursor = Some(next),
                Looked::Over(sighting) => return Ok(sighting),
            }
        }
        Ok(Sighting::Unclear)
    }

    async fn page(&self, cursor: Option<&str>) -> Result<CallList, EngineError> {
        let limit = LIST_LIMIT.to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let request = self.http.get(self.url(&["calls"])?).query(&query);
        self.send(request, PULL_TIMEOUT).await?.accepted()
    }

    async fn call_once(&self, id: &CallId) -> Result<CallReport, EngineError> {
        let url = self.url(&["call", id.as_str()])?;
        let value: Map<String, Value> =
            self.send(self.http.get(url), PULL_TIMEOUT).await?.accepted()?;
        // Nobody is shown the remarks of a pull.
        let read = Read { value, is_mended: false };
        let evidence = read_object(&read).map_err(|error| EngineError::Unsure(error.into()))?;
        if evidence.report.call_id != *id {
            let other = &evidence.report.call_id;
            return Err(EngineError::Unsure(anyhow::anyhow!(
                "asked for {id}, was told of {other}"
            )));
        }
        Ok(evidence.report)
    }

    async fn calls_once(&self) -> Result<Vec<EngineListing>, EngineError> {
        Ok(self.page(None).await?.read())
    }

    async fn analyze_once(&self, request: AnalysisRequest) -> Result<Analysis, EngineError> {
        let url = self.url(&["api", "v1", "screening", "analyze-call"])?;
        let request = self.http.post(url).json(&AnalyzeCall::from(&request));
        let analyzed: CallAnalyzed = self.send(request, ANALYZE_TIMEOUT).await?.accepted()?;
        Ok(analyzed.read())
    }

    async fn refresh_once(&self, user: Uuid) -> Result<(), EngineError> {
        let url = self.url(&["call-provider", "refresh"])?;
        let request = self.http.post(url).json(&json!({ "userId": user }));
        let answer = self.send(request, REFRESH_TIMEOUT).await?;
        if answer.status.is_success() { Ok(()) } else { Err(answer.failure()) }
    }
}

impl ProviderRefresh for MrHire {
    fn refresh_provider(&self, user: Uuid) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(self.refresh_once(user))
    }
}

/// An answer of the engine, read whole within its bound.
struct Answer {
    status: StatusCode,
    retry_after: Option<String>,
    body: Vec<u8>,
}

impl Answer {
    async fn read(mut response: Response) -> Result<Self, EngineError> {
        let status = response.status();
        let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = header.map(str::to_owned);
        let mut body = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| EngineError::Unsure(error.into()))?
        {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(EngineError::Unsure(anyhow::anyhow!("the answer is too large")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Self { status, retry_after, body })
    }

    /// Reads a 2xx as `T`, and everything else as what may be concluded from it.
    fn accepted<T: serde::de::DeserializeOwned>(self) -> Result<T, EngineError> {
        if self.status.is_success() {
            return mend::read(&self.body)
                .map(|read| read.value)
                .map_err(|error| EngineError::Unsure(error.into()));
        }
        Err(self.failure())
    }

    fn failure(self) -> EngineError {
        let unsure = || EngineError::Unsure(anyhow::anyhow!("the engine answered {}", self.status));
        match self.status {
            StatusCode::NOT_FOUND => EngineError::NotFound,
            // Documented as "not accepted": nothing was done.
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                EngineError::Throttled {
                    retry_after: wire::retry_after(self.retry_after.as_deref()),
                }
            }
            // Our token is wrong, not the candidate: nothing was done, and it is tried again until
            // somebody has put it right.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                error!("the call engine does not know us: check INTERNAL_SERVICE_TOKEN");
                EngineError::NotAdmitted { retry_after: UNKNOWN_CALLER_RETRY }
            }
            // May or may not have been done, whatever the family says.
            StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT | StatusCode::TOO_EARLY => unsure(),
            status if status.is_client_error() => EngineError::Refused { code: self.code() },
            _ => unsure(),
        }
    }

    fn code(&self) -> String {
        serde_json::from_slice::<wire::Failure>(&self.body)
            .map(wire::Failure::code)
            .unwrap_or_else(|_| format!("http_{}", self.status.as_u16()))
    }
}

impl CallEngine for MrHire {
    fn is_on(&self) -> bool {
        self.settings.base.is_some()
    }

    fn dial(
        &self,
        request: DialRequest,
    ) -> BoxFuture<'_, Result<(CallId, Option<Provider>), EngineError>> {
        Box::pin(self.dial_once(request))
    }

    fn find(&self, lost: LostDial) -> BoxFuture<'_, Result<Sighting, EngineError>> {
        Box::pin(async move { retry::read(|| self.find_once(&lost)).await })
    }

    fn call(&self, id: CallId) -> BoxFuture<'_, Result<CallReport, EngineError>> {
        Box::pin(async move { retry::read(|| self.call_once(&id)).await })
    }

    fn calls(&self) -> BoxFuture<'_, Result<Vec<EngineListing>, EngineError>> {
        Box::pin(retry::read(|| self.calls_once()))
    }
}

impl Analyzer for MrHire {
    fn analyze(&self, request: AnalysisRequest) -> BoxFuture<'_, Result<Analysis, EngineError>> {
        Box::pin(self.analyze_once(request))
    }
}
