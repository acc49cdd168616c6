//! `POST /api/mr-hire/call`: a person or a service asks for a call.

mod answer;
mod request;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::calling::{Obstacle, Skipped};
use domain::interview::{Asked, DialOrder, Tally};
use domain::policy::{CallingWindow, Zone};
use domain::ports::{InterviewSummary, Scope};
use domain::prompt::{self, ActivePrompt, Platform, TemplateError};
use domain::{EntityId, Provider, RequestMark, TenantId};
use supervisor::{Batch, Placing, Unavailable};
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

use self::answer::{Answer, PlacedView, PromptUsed, Turn, answered};
use self::request::{CallRequest, Wanted};
use super::{Services, scope, wrong_field};
use crate::auth::Caller;
use crate::envelope::Data;
use crate::error::{ApiError, FieldError};
use crate::extract::{IdempotencyKey, Keyed};
use crate::problem::Code;

/// How long an answer waits for the engine's, which says what the call is called.
const ENGINE_PATIENCE: Duration = Duration::from_secs(5);

/// `POST /api/mr-hire/call`. Answers once the dial is planned; under a key, for one dial however often.
#[utoipa::path(
    post, path = "/api/mr-hire/call", tag = "calls", request_body = CallRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes repeating the request harmless.")),
    responses(
        (status = 200, description = "The call is placed, or planned.", body = Data<PlacedView>),
        (status = 409, description = "It cannot be placed now."),
        (status = 422, description = "The key was used for another request."),
    ),
)]
pub(super) async fn place(
    State(services): State<Arc<Services>>,
    caller: Caller,
    Keyed { body, key, mark }: Keyed<CallRequest>,
) -> Result<Answer, ApiError> {
    let wanted = body.parse(&caller)?;
    let asker = Asker::of(&caller);
    let id = asker.interview(&services, key.as_ref());
    // Before anything is decided, so that nothing of it is missed.
    let live = services.feed.subscribe();
    let asked = Request { services: &services, asker, wanted, id, live };
    if key.is_some()
        && let Some(before) = services.interviews.placed_before(asker.tenant, id, mark).await?
    {
        return asked.repeated(before).await;
    }
    let repeats = if key.is_some() { Repeats::Harmless } else { Repeats::AnotherCall };
    asked.place(mark, repeats).await
}

/// For whom a call is asked for.
#[derive(Clone, Copy)]
struct Asker {
    tenant: TenantId,
    /// What a person sees, and may name; a service may name what is not here yet.
    scope: Option<Scope>,
    tally: Tally,
    caller: Caller,
}

impl Asker {
    fn of(caller: &Caller) -> Self {
        let (tenant, scope, tally) = match caller {
            Caller::Service => (TenantId::DEFAULT, None, Tally::Attempt),
            Caller::Person(person) => (person.tenant, Some(scope(person)), Tally::Extra),
        };
        Self { tenant, scope, tally, caller: *caller }
    }

    /// Returns the id of the interview: the key's, which every repetition meets, or one that is drawn.
    fn interview(&self, services: &Services, key: Option<&IdempotencyKey>) -> EntityId {
        let Some(key) = key else { return EntityId(services.ids.draw()) };
        let caller = match self.caller {
            Caller::Service => "service".to_owned(),
            Caller::Person(person) => person.sub.to_string(),
        };
        EntityId::requested(self.tenant, &caller, key.as_str())
    }
}

/// What sending the same request again would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeats {
    /// It has a key, and meets the same interview.
    Harmless,
    /// It has none.
    AnotherCall,
}

/// One request under way.
struct Request<'a> {
    services: &'a Services,
    asker: Asker,
    wanted: Wanted,
    id: EntityId,
    live: Receiver<Batch>,
}

impl Request<'_> {
    async fn place(self, mark: RequestMark, repeats: Repeats) -> Result<Answer, ApiError> {
        self.may_ring().await?;
        let known = self.known_zone().await?;
        if let (Some(_), None, Some(_)) = (self.wanted.application, known, self.asker.scope) {
            let error = wrong_field("#/applicationId", "there is no such application");
            return Err(ApiError::invalid(FieldError { code: "unknown_id", ..error }));
        }
        let zone = self.zone(known)?;
        let provider = self.provider().await?;
        let (system_prompt, prompt) = self.prompt(provider).await?;
        let order = DialOrder {
            application: self.wanted.application.map(EntityId),
            phone: self.wanted.phone.clone(),
            candidate_name: self.wanted.candidate_name.clone(),
            role: self.wanted.role.clone(),
            system_prompt,
            belongs_to: Some(self.wanted.owner),
            zone,
            attempt: 1,
            provider: Some(provider),
            asked: Asked { tally: self.asker.tally, request: Some(mark) },
        };
        let placed = self.services.interviews.place(self.asker.tenant, self.id, order).await;
        let placed = placed.map_err(|unavailable| self.unconfirmed(unavailable, repeats))?;
        match placed {
            Placing::Planned => {
                if repeats == Repeats::Harmless {
                    count("new");
                }
                self.answer(zone, Turn::First(prompt)).await
            }
            before => self.repeated(before).await,
        }
    }

    /// Says that it is not known whether the dial was planned. Whoever may not repeat it is not told to.
    fn unconfirmed(&self, unavailable: Unavailable, repeats: Repeats) -> ApiError {
        match (unavailable, repeats) {
            (Unavailable::Away(_), Repeats::AnotherCall) => ApiError::new(Code::CallUnconfirmed)
                .detail(format!("the interview, if it was planned, is {}", self.id)),
            (unavailable, _) => unavailable.into(),
        }
    }

    /// Answers a request that came before, under the same key.
    async fn repeated(self, before: Placing) -> Result<Answer, ApiError> {
        match before {
            Placing::Planned | Placing::Repeated => {
                count("replayed");
                let zone = self.zone(self.known_zone().await?)?;
                self.answer(zone, Turn::Replayed).await
            }
            Placing::OtherRequest => {
                count("mismatch");
                Err(ApiError::new(Code::IdempotencyKeyReused))
            }
            Placing::Deleted => Err(ApiError::new(Code::Conflict)
                .message("the call that this key stands for was deleted")),
        }
    }

    /// Fails where nothing is to be planned at all.
    async fn may_ring(&self) -> Result<(), ApiError> {
        if !self.services.interviews.may_place(self.asker.tenant) {
            return Err(ApiError::new(Code::EngineOff));
        }
        if self.services.tree.is_dialing_stopped(self.asker.tenant).await? {
            return Err(ApiError::new(Code::DialingStopped));
        }
        Ok(())
    }

    /// Returns the zone of the application's callee; none where there is no such application for the asker.
    async fn known_zone(&self) -> Result<Option<Zone>, ApiError> {
        let Some(application) = self.wanted.application else { return Ok(None) };
        let scope = self.asker.scope.unwrap_or(Scope::Tenant(self.asker.tenant));
        Ok(self.services.applications.zone(scope, application).await?)
    }

    /// Returns the zone whose hours count: the application's where it is known, which no request moves.
    fn zone(&self, known: Option<Zone>) -> Result<Zone, ApiError> {
        match (known, self.wanted.zone) {
            (Some(known), Some(wanted)) if known != wanted => Err(ApiError::invalid(wrong_field(
                "#/timezone",
                "the application says another one; change it there",
            ))),
            (known, wanted) => Ok(known.or(wanted).unwrap_or_default()),
        }
    }

    /// Returns who carries the call: whom the request names, else whom the owner's settings do.
    async fn provider(&self) -> Result<Provider, ApiError> {
        let (tenant, owner) = (self.asker.tenant, Some(self.wanted.owner));
        let choices = &self.services.calling.choices;
        let choice = choices.provider(tenant, owner, self.wanted.provider).await?;
        let is_forbidden = |one: &Skipped| one.obstacle == Obstacle::NotAllowed;
        match choice.provider() {
            Some(provider) => Ok(provider),
            None if self.wanted.provider.is_some() && choice.skipped().iter().any(is_forbidden) => {
                let error =
                    wrong_field("#/provider", "is none of those that the recruiter may use");
                Err(ApiError::invalid(FieldError { code: "not_allowed", ..error }))
            }
            None => Err(ApiError::new(Code::NoProviderEnabled).detail(choice.reason())),
        }
    }

    /// Fills the prompt that counts for the owner and the provider.
    async fn prompt(&self, provider: Provider) -> Result<(String, PromptUsed), ApiError> {
        let (tenant, owner) = (self.asker.tenant, Some(self.wanted.owner));
        let platform = Some(Platform::Call(provider));
        let active = self.services.calling.choices.active_prompt(tenant, owner, platform).await?;
        let rendered = prompt::render(active.system_prompt(), &self.wanted.values)?;
        let prompt_id = match &active {
            ActivePrompt::Stored { prompt, .. } => Some(prompt.id),
            ActivePrompt::BuiltIn { .. } => None,
        };
        let mut missing = rendered.missing;
        missing.extend(rendered.unknown);
        Ok((rendered.text, PromptUsed { prompt_id, missing }))
    }

    /// Says how the call stands; waits for the engine's answer where one can come now.
    async fn answer(mut self, zone: Zone, turn: Turn) -> Result<Answer, ApiError> {
        let now = self.services.clock.now();
        let not_before = opening(zone, now);
        let is_known = |row: &InterviewSummary| row.call_id.is_some() || row.status.is_over();
        if not_before.is_none() && (matches!(turn, Turn::First(_)) || !is_known(&self.row().await?))
        {
            // Whoever waited in vain is shown the row as it is.
            let _in_time = timeout(ENGINE_PATIENCE, answered(&mut self.live, self.id)).await;
        }
        Ok(Answer::new(self.row().await?, not_before, turn))
    }

    async fn row(&self) -> Result<InterviewSummary, ApiError> {
        let scope = Scope::Tenant(self.asker.tenant);
        let found = self.services.interview_queries.detail(scope, self.id).await?;
        Ok(found.ok_or_else(|| ApiError::new(Code::InterviewNotFound))?.summary)
    }
}

/// Returns when the window of `zone` opens, unless it is open.
fn opening(zone: Zone, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    Some(CallingWindow::of(zone).next_open(now)).filter(|opens| *opens > now)
}

fn count(result: &'static str) {
    metrics::counter!("ringmaster_idempotency_total", "result" => result).increment(1);
}

impl From<TemplateError> for ApiError {
    fn from(error: TemplateError) -> Self {
        match &error {
            TemplateError::ValueTooLong { .. }
            | TemplateError::ValueWithNul { .. }
            | TemplateError::RenderedTooLong => {
                Self::invalid(wrong_field("#/variables", error.to_string()))
            }
            // It was a template when it was saved.
            TemplateError::Flawed { .. } | TemplateError::Engine(_) => Self::internal(error),
        }
    }
}
