//! What an interview's intents do: ring the candidate, ask the engine about the call.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::interview::{DialOrder, Effect, FetchFailure, Interview, InterviewEvent};
use domain::ports::{
    BoxFuture, CallEngine, CallingSettings, Clock, DialRequest, EngineError, LostDial, Sighting,
    StoreError,
};
use domain::prompt::{Platform, call_values, render};
use domain::{CallId, Provider};
use tracing::warn;

use crate::performer::{Found, Performed, Performer, Sent};

/// The engine answers a dial within 30 s and shows it in its list 2 s later; twice that is settled.
const SETTLING: Duration = Duration::from_secs(64);
/// How long a dial waits when no engine is configured.
const OFF_RECHECK: chrono::Duration = chrono::Duration::minutes(5);
/// How long a dial waits that provably did not leave.
const NOT_SENT_RECHECK: chrono::Duration = chrono::Duration::seconds(15);

/// Does what interviews owe, at the call engine.
pub struct InterviewPerformer {
    engine: Arc<dyn CallEngine>,
    settings: Arc<dyn CallingSettings>,
    clock: Arc<dyn Clock>,
}

impl InterviewPerformer {
    /// Makes a performer that asks `engine`, for what `settings` say.
    pub fn new(
        engine: Arc<dyn CallEngine>,
        settings: Arc<dyn CallingSettings>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { engine, settings, clock }
    }

    async fn dial(&self, sent: &Sent<Effect>, order: &DialOrder) -> Performed<Interview> {
        let (intent, attempt) = (sent.id, sent.attempt);
        let (provider, system_prompt) = match self.words(sent, order).await {
            Ok(words) => words,
            Err(wait) => {
                let until = self.clock.now() + wait;
                return Performed::Settled(InterviewEvent::DialPostponed {
                    intent,
                    attempt,
                    until,
                });
            }
        };
        let request = DialRequest {
            intent,
            phone: order.phone.clone(),
            candidate_name: order.candidate_name.clone(),
            role: order.role.clone(),
            system_prompt,
            application: order.application,
            belongs_to: order.belongs_to,
            provider: Some(provider),
            leave: sent.leave.clone(),
        };
        let until = |wait: chrono::Duration| self.clock.now() + wait;
        Performed::Settled(match self.engine.dial(request).await {
            Ok((call_id, provider)) => {
                InterviewEvent::DialAnswered { intent, attempt, call_id, provider }
            }
            Err(EngineError::Refused { code }) => {
                InterviewEvent::DialRefused { intent, attempt, code }
            }
            Err(EngineError::Off) => {
                warn!("a dial waits: no call engine is configured");
                InterviewEvent::DialPostponed { intent, attempt, until: until(OFF_RECHECK) }
            }
            Err(
                EngineError::Throttled { retry_after } | EngineError::NotAdmitted { retry_after },
            ) => InterviewEvent::DialPostponed { intent, attempt, until: until(retry_after) },
            Err(EngineError::NotSent) => {
                InterviewEvent::DialPostponed { intent, attempt, until: until(NOT_SENT_RECHECK) }
            }
            Err(failure @ (EngineError::Unsure(_) | EngineError::NotFound)) => {
                warn!(intent.id = %intent, error = &failure as &dyn std::error::Error, "what became of dial {intent} is open");
                return Performed::Unsure(InterviewEvent::DialUnsure { intent, attempt });
            }
        })
    }

    /// Returns who carries the call and what the agent is told, or how long the dial has to wait for that.
    ///
    /// Both are judged when it leaves: a provider may have been switched off since it was placed. An order that
    /// names one was filled when it was placed; a screening's leaves both to its owner's settings.
    async fn words(
        &self,
        sent: &Sent<Effect>,
        order: &DialOrder,
    ) -> Result<(Provider, String), chrono::Duration> {
        let (intent, tenant, owner) = (sent.id, sent.tenant, order.belongs_to);
        let away = |failure: StoreError| {
            warn!(intent.id = %intent, error = &failure as &dyn std::error::Error, "dial {intent} waits: the settings cannot be read");
            NOT_SENT_RECHECK
        };
        let choice = self.settings.provider(tenant, owner, order.provider).await.map_err(away)?;
        let Some(provider) = choice.provider() else {
            warn!(intent.id = %intent, "dial {intent} waits: {}", choice.reason());
            return Err(OFF_RECHECK);
        };
        if order.provider.is_some() {
            return Ok((provider, order.system_prompt.clone()));
        }
        let platform = Some(Platform::Call(provider));
        let active = self.settings.active_prompt(tenant, owner, platform).await.map_err(away)?;
        let values = call_values(&order.candidate_name, &order.role, &order.phone);
        let filled = render(active.system_prompt(), &values).map(|rendered| rendered.text);
        Ok((provider, filled.unwrap_or_else(|failure| {
            warn!(intent.id = %intent, error = &failure as &dyn std::error::Error, "dial {intent} says the built-in text");
            order.system_prompt.clone()
        })))
    }

    async fn find(&self, sent: &Sent<Effect>, order: &DialOrder) -> Found<Interview> {
        let (intent, attempt) = (sent.id, sent.attempt);
        let lost = LostDial { intent, phone: order.phone.clone(), since: sent.planned_at };
        match self.engine.find(lost).await {
            Ok(Sighting::Placed(call_id, provider)) => {
                Found::Done(InterviewEvent::DialAnswered { intent, attempt, call_id, provider })
            }
            Ok(Sighting::Absent) => Found::Absent,
            Ok(Sighting::Unclear) => Found::Unclear,
            Err(failure) => {
                warn!(intent.id = %intent, error = &failure as &dyn std::error::Error, "dial {intent} cannot be looked up");
                Found::Unsure
            }
        }
    }

    async fn fetch(&self, sent: &Sent<Effect>, call_id: CallId) -> Performed<Interview> {
        let intent = sent.id;
        Performed::Settled(match self.engine.call(call_id).await {
            Ok(report) => InterviewEvent::Fetched { intent, report: Box::new(report) },
            Err(EngineError::NotFound) => {
                InterviewEvent::FetchFailed { intent, why: FetchFailure::NotFound }
            }
            Err(_) => InterviewEvent::FetchFailed { intent, why: FetchFailure::Unreachable },
        })
    }
}

impl Performer<Interview> for InterviewPerformer {
    fn perform(&self, sent: Sent<Effect>) -> BoxFuture<'_, Performed<Interview>> {
        Box::pin(async move {
            match sent.effect.clone() {
                Effect::Dial(order) => {
                    let performed = self.dial(&sent, &order).await;
                    #[cfg(feature = "planted-defects")]
                    let performed =
                        crate::planted::resent(performed, self.dial(&sent, &order)).await;
                    performed
                }
                Effect::FetchCall { call_id } => self.fetch(&sent, call_id).await,
            }
        })
    }

    fn withheld(&self, sent: &Sent<Effect>, until: DateTime<Utc>) -> InterviewEvent {
        let (intent, attempt) = (sent.id, sent.attempt);
        match sent.effect {
            Effect::Dial(_) => InterviewEvent::DialPostponed { intent, attempt, until },
            Effect::FetchCall { .. } => {
                InterviewEvent::FetchFailed { intent, why: FetchFailure::Unreachable }
            }
        }
    }

    fn look_up(&self, sent: Sent<Effect>) -> BoxFuture<'_, Found<Interview>> {
        Box::pin(async move {
            match &sent.effect {
                Effect::Dial(order) => self.find(&sent, order).await,
                // Asked again as often as is wanted; nobody looks such a question up.
                Effect::FetchCall { .. } => Found::Unsure,
            }
        })
    }

    fn settling(&self) -> Duration {
        SETTLING
    }
}
