//! What is fetched from the engine: the list, the detail, recordings; and the refresh.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::Inner;
use super::answers::{Refusal, parse};
use super::call::number_of_recording;
use super::ledger::RefreshRequest;
use super::sound;
use super::wire::{CallBody, CallPage};
use crate::dice::Purpose;

/// The longest page of the list, and the usual one.
const PAGE_MAX: usize = 100;
/// What comes before a call's number in a cursor.
const CURSOR_PREFIX: &str = "before_";

/// The query of the list.
#[derive(Deserialize)]
pub(super) struct ListQuery {
    limit: Option<usize>,
    cursor: Option<String>,
}

/// The body of a refresh.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refresh {
    user_id: Option<String>,
}

/// `GET /calls`: newest first.
pub(super) async fn list_calls(
    State(engine): State<Arc<Inner>>,
    headers: HeaderMap,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<CallPage>, Refusal> {
    engine.check_token_if_any(&headers)?;
    let Query(query) = query.map_err(|rejection| Refusal::Invalid(rejection.body_text()))?;
    let before = query.cursor.as_deref().map(parse_cursor).transpose()?;
    let limit = query.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let now = engine.clock.now();
    let (calls, more, with_metadata) = {
        let mut book = engine.book();
        break_at_times(&mut book)?;
        let (calls, more) = book.page(before, limit);
        let with_metadata = book.keeps_metadata(&calls);
        (calls, more, with_metadata)
    };
    let last = calls.last().filter(|_| more);
    let next_cursor = last.map(|call| format!("{CURSOR_PREFIX}{}", call.number));
    let calls = calls.iter().map(|call| call.row(now, with_metadata)).collect();
    Ok(Json(CallPage { calls, next_cursor }))
}

fn parse_cursor(cursor: &str) -> Result<u64, Refusal> {
    let number = cursor.strip_prefix(CURSOR_PREFIX).and_then(|number| number.parse().ok());
    number.ok_or_else(|| Refusal::Invalid("cursor is none of ours".to_owned()))
}

fn break_at_times(book: &mut super::Book) -> Result<(), Refusal> {
    let mut dice = book.next_dice(Purpose::Pull);
    if book.faults.pull.server_error.hits(&mut dice) { Err(Refusal::Broken) } else { Ok(()) }
}

/// `GET /call/{callId}`: what a webhook would say; up to 2 s behind the list.
pub(super) async fn get_call(
    State(engine): State<Arc<Inner>>,
    headers: HeaderMap,
    Path(call_id): Path<String>,
) -> Result<Json<CallBody>, Refusal> {
    engine.check_token_if_any(&headers)?;
    let (call, with_metadata) = {
        let mut book = engine.book();
        break_at_times(&mut book)?;
        let call = book.find(&call_id).cloned().ok_or(Refusal::NotFound)?;
        let with_metadata = book.keeps_metadata([&call]);
        (call, with_metadata)
    };
    Ok(Json(call.detail(engine.clock.now(), with_metadata)))
}

/// `POST /call-provider/refresh`: may be slow or fail; the caller must not mind.
pub(super) async fn refresh(
    State(engine): State<Arc<Inner>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Refusal> {
    let refresh = parse::<Refresh>(body);
    let (answer, takes) = {
        let mut book = engine.book();
        let mut dice = book.next_dice(Purpose::Pull);
        let broken = book.faults.pull.refresh_error.hits(&mut dice);
        let takes = book.faults.pull.refresh_latency.draw(&mut dice);
        let answer = match (engine.check_token_if_any(&headers), &refresh) {
            (Err(refusal), _) => Err(refusal),
            (Ok(()), Err(refusal)) => Err(refusal.clone()),
            (Ok(()), Ok(_)) if broken => Err(Refusal::Broken),
            (Ok(()), Ok(_)) => Ok(StatusCode::NO_CONTENT),
        };
        let status = answer.as_ref().map_or_else(Refusal::status, StatusCode::as_u16);
        let user_id = refresh.ok().and_then(|refresh| refresh.user_id);
        book.refreshes.push(RefreshRequest { at: engine.clock.moment(), user_id, status });
        (answer, takes)
    };
    engine.clock.sleep(takes).await;
    answer
}

/// `GET /recordings/{name}`: the storage of the platforms that want no login.
pub(super) async fn get_recording(
    State(engine): State<Arc<Inner>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    recording(&engine, &name, &headers)
}

/// `GET /2010-04-01/Accounts/{account}/Recordings/{name}`: Twilio's, which wants its login.
pub(super) async fn get_twilio_recording(
    State(engine): State<Arc<Inner>>,
    Path((account, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let settings = &engine.settings;
    let expected = engine
        .http
        .get("http://localhost")
        .basic_auth(&settings.recording_account, Some(settings.recording_token.expose_secret()))
        .build()
        .map_err(|_| Refusal::Broken)?;
    let login = headers.get(AUTHORIZATION);
    if account != settings.recording_account || login != expected.headers().get(AUTHORIZATION) {
        return Err(Refusal::Unauthorized);
    }
    recording(&engine, &name, &headers)
}

/// Answers 404 until the recording is processed, and again when it has expired.
fn recording(engine: &Inner, name: &str, headers: &HeaderMap) -> Result<Response, Refusal> {
    let name = name.strip_suffix(".wav").unwrap_or(name);
    let book = engine.book();
    let number = number_of_recording(name, book.seed).ok_or(Refusal::NotFound)?;
    let call = book.by_number(number).ok_or(Refusal::NotFound)?;
    let processed_at = call.created_at + call.course.recording_at;
    let expires_at = processed_at + engine.settings.profile.recording_kept();
    let there = (processed_at..expires_at).contains(&engine.clock.now());
    if !there || book.faults.pull.recordings_missing || !call.course.outcome.is_picked_up() {
        return Err(Refusal::NotFound);
    }
    Ok(sound::answer(headers))
}
