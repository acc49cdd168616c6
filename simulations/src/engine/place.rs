//! `POST /call`: whether a call is begun, and how the caller learns of it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use http::HeaderMap;
use rand::Rng;
use tokio::sync::oneshot;

use super::Inner;
use super::answers::{Refusal, parse};
use super::book::{Book, KeyState};
use super::call::{Call, Order};
use super::faults::DialFaults;
use super::ledger::{DialAnswer, DialRequest};
use super::wire::{Accepted, CallStatus, PlaceCall};
use crate::dice::Purpose;

/// What was decided about a request.
enum Decision {
    Begun { call: Arc<Call>, manner: Manner, answered_after: Duration },
    Replayed(Arc<Call>),
    Refused(Refusal),
}

/// How the caller learns that a call was begun.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    AtOnce,
    AfterFirstWebhook,
    Never,
    AsFailure,
}

/// `POST /call`.
pub(super) async fn place_call(
    State(engine): State<Arc<Inner>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Accepted>, Refusal> {
    let request = parse::<PlaceCall>(body);
    let decision = {
        let mut book = engine.book();
        let decision = match (engine.check_token_if_any(&headers), &request) {
            (Err(refusal), _) => Decision::Refused(refusal),
            (Ok(()), Err(refusal)) => Decision::Refused(refusal.clone()),
            (Ok(()), Ok(request)) => decide(&engine, &mut book, request),
        };
        let entry = write_down(&engine, request.ok(), &decision);
        book.requests.push(entry);
        decision
    };
    match decision {
        Decision::Refused(refusal) => Err(refusal),
        Decision::Replayed(call) => Ok(Json(accepted(&call))),
        Decision::Begun { call, manner, answered_after } => {
            let first_webhook = engine.run(Arc::clone(&call));
            answer(&engine, manner, answered_after, first_webhook).await?;
            Ok(Json(accepted(&call)))
        }
    }
}

fn decide(engine: &Inner, book: &mut Book, request: &PlaceCall) -> Decision {
    let now = engine.clock.now();
    if let Err(refusal) = validate(request) {
        return Decision::Refused(refusal);
    }
    if !book.faults.dial.keys_ignored {
        match book.key_state(request, now) {
            KeyState::OtherRequest => return Decision::Refused(Refusal::KeyReused),
            KeyState::SameRequest { call_id } => {
                if let Some(call) = book.find(&call_id) {
                    return Decision::Replayed(Arc::clone(call));
                }
            }
            KeyState::Unknown => {}
        }
    }
    let mut dice = book.next_dice(Purpose::Dial);
    let answered_after = engine.settings.profile.dial_answer.draw(&mut dice);
    let faults = book.faults.dial.clone();
    let order = book.order_of(request, engine.settings.default_provider);
    if let Err(refusal) = admit(engine, book, &order, &faults, &mut dice) {
        return Decision::Refused(refusal);
    }
    let manner = manner(&faults, &mut dice);
    let call = book.begin(order, &engine.settings.profile, &engine.clock);
    book.remember(request.clone(), &call);
    Decision::Begun { call, manner, answered_after }
}

fn validate(request: &PlaceCall) -> Result<(), Refusal> {
    if !is_e164(&request.phone_number) {
        return Err(Refusal::Invalid("phoneNumber is not E.164".to_owned()));
    }
    if request.system_prompt.trim().is_empty() {
        return Err(Refusal::Invalid("systemPrompt is empty".to_owned()));
    }
    Ok(())
}

/// Says whether `phone` is a plus, a digit that is not 0, and 6 to 14 digits more.
fn is_e164(phone: &str) -> bool {
    let digits = phone.strip_prefix('+').unwrap_or_default().as_bytes();
    (7..=15).contains(&digits.len())
        && digits.iter().all(u8::is_ascii_digit)
        && digits.first() != Some(&b'0')
}

fn admit(
    engine: &Inner,
    book: &mut Book,
    order: &Order,
    faults: &DialFaults,
    dice: &mut impl Rng,
) -> Result<(), Refusal> {
    let (too_many, broken) = (faults.too_many.hits(dice), faults.server_error.hits(dice));
    let refused_by_platform = dice.random_bool(0.5);
    if faults.draining || book.is_full() {
        return Err(Refusal::Draining);
    }
    let allowed = order.belongs_to.and_then(|user| engine.settings.providers_allowed.get(&user));
    if allowed.is_some_and(|allowed| !allowed.contains(&order.provider)) {
        return Err(Refusal::ProviderNotAllowed);
    }
    if broken {
        return Err(if refused_by_platform { Refusal::PlatformRefused } else { Refusal::Broken });
    }
    let now = engine.clock.now();
    let (taken, free_at) = book.lines(now);
    if too_many || taken >= engine.settings.calls_live_max {
        let wait = free_at.and_then(|free_at| (free_at - now).to_std().ok()).unwrap_or_default();
        // The caller's clock is real, and the header knows whole seconds only.
        let retry_after_s = engine.clock.real(wait).as_secs() + 1;
        return Err(Refusal::TooMany { retry_after_s });
    }
    Ok(())
}

fn manner(faults: &DialFaults, dice: &mut impl Rng) -> Manner {
    let never = faults.accept_then_time_out.hits(dice);
    let as_failure = faults.accept_then_fail.hits(dice);
    let late = faults.answer_after_first_webhook.hits(dice);
    match (never, as_failure, late) {
        (true, _, _) => Manner::Never,
        (false, true, _) => Manner::AsFailure,
        (false, false, true) => Manner::AfterFirstWebhook,
        (false, false, false) => Manner::AtOnce,
    }
}

/// Waits as long as the answer shall take. The call runs meanwhile, also when the caller leaves.
async fn answer(
    engine: &Inner,
    manner: Manner,
    answered_after: Duration,
    first_webhook: oneshot::Receiver<()>,
) -> Result<(), Refusal> {
    match manner {
        Manner::AtOnce => engine.clock.sleep(answered_after).await,
        Manner::AfterFirstWebhook => {
            let _sent_or_reset = first_webhook.await;
        }
        Manner::Never => {
            engine.hold().await;
            return Err(Refusal::TimedOut);
        }
        Manner::AsFailure => {
            engine.clock.sleep(answered_after).await;
            return Err(Refusal::PlatformRefused);
        }
    }
    Ok(())
}

fn accepted(call: &Call) -> Accepted {
    Accepted {
        call_id: call.call_id.clone(),
        status: CallStatus::Queued,
        provider: call.order.provider,
    }
}

fn write_down(engine: &Inner, request: Option<PlaceCall>, decision: &Decision) -> DialRequest {
    let answer = match decision {
        Decision::Refused(refusal) => {
            DialAnswer::Refused { status: refusal.status(), code: refusal.kind().1.to_owned() }
        }
        Decision::Replayed(call) => DialAnswer::Replayed { call_id: call.call_id.clone() },
        Decision::Begun { call, manner, .. } => {
            let call_id = call.call_id.clone();
            match manner {
                Manner::AtOnce | Manner::AfterFirstWebhook => DialAnswer::Accepted { call_id },
                Manner::Never => DialAnswer::Unanswered { call_id },
                Manner::AsFailure => DialAnswer::Denied { call_id },
            }
        }
    };
    let at = engine.clock.moment();
    let Some(request) = request else {
        let (idempotency_key, phone_number, application_id, metadata) = (None, None, None, None);
        return DialRequest { at, idempotency_key, phone_number, application_id, metadata, answer };
    };
    DialRequest {
        at,
        idempotency_key: request.idempotency_key,
        phone_number: Some(request.phone_number),
        application_id: request.application_id,
        metadata: request.metadata,
        answer,
    }
}

#[cfg(test)]
mod tests {
    use super::is_e164;

    #[test]
    fn only_numbers_in_international_form_are_dialled() {
        assert!(is_e164("+919529117230"));
        for wrong in ["919529117230", "+019529117230", "+91 95291", "+1", "+1234567890123456", ""] {
            assert!(!is_e164(wrong), "{wrong}");
        }
    }
}
