//! `POST /api/v1/screening/analyze-call`: scores that depend on the transcript and the seed only.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use http::HeaderMap;
use rand::Rng;
use rand::seq::IndexedRandom;

use super::Inner;
use super::answers::{Refusal, parse};
use super::book::Book;
use super::ledger::AnalyzeRequest;
use super::wire::{Analysis, AnalyzeCall, CandidateInfo, Usage};
use crate::dice::{Purpose, dice, digest};

/// How long a caller that asked too often is sent away for, in real seconds.
const RETRY_AFTER_S: u64 = 1;
/// About how many characters make a token.
const CHARS_PER_TOKEN: u64 = 4;

/// `POST /api/v1/screening/analyze-call`.
pub(super) async fn analyze_call(
    State(engine): State<Arc<Inner>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Analysis>, Refusal> {
    let request = match engine.check_token(&headers) {
        Ok(()) => parse::<AnalyzeCall>(body),
        Err(refusal) => Err(refusal),
    };
    let (answer, takes) = {
        let mut book = engine.book();
        let (answer, takes) = match &request {
            Ok(request) => decide(&mut book, request),
            Err(refusal) => (Err(refusal.clone()), Duration::ZERO),
        };
        book.analyses.push(write_down(&engine, request.ok().as_ref(), &answer));
        (answer, takes)
    };
    if answer == Err(Refusal::TimedOut) {
        engine.hold().await;
    } else {
        engine.clock.sleep(takes).await;
    }
    answer.map(Json)
}

fn decide(book: &mut Book, request: &AnalyzeCall) -> (Result<Analysis, Refusal>, Duration) {
    let mut dice = book.next_dice(Purpose::Analysis);
    let faults = &book.faults.analyzer;
    let takes = faults.latency.draw(&mut dice);
    let too_many = faults.too_many.hits(&mut dice);
    let broken = faults.server_error.hits(&mut dice);
    let timed_out = faults.time_out.hits(&mut dice);
    let out_of_range = faults.out_of_range.hits(&mut dice);
    if request.transcript.trim().is_empty() {
        return (Err(Refusal::Invalid("transcript is missing".to_owned())), Duration::ZERO);
    }
    if too_many {
        return (Err(Refusal::TooMany { retry_after_s: RETRY_AFTER_S }), Duration::ZERO);
    }
    if broken {
        return (Err(Refusal::Broken), takes);
    }
    if timed_out {
        return (Err(Refusal::TimedOut), takes);
    }
    let mut analysis = score(&request.transcript, book.seed);
    if out_of_range {
        analysis.communication_score += 100;
        analysis.technical_score -= 150;
        analysis.overall_score = 250;
    }
    (Ok(analysis), takes)
}

/// Scores a transcript; the same one always comes to the same.
fn score(transcript: &str, seed: u64) -> Analysis {
    let mut dice = dice(seed, Purpose::Score, digest(transcript));
    let communication_score = dice.random_range(35..=95);
    let technical_score = dice.random_range(25..=95);
    let current_lakh: u32 = dice.random_range(4..=30);
    let expected_lakh = current_lakh + dice.random_range(1..=8);
    let notice_period_days = [0, 15, 30, 60, 90].choose(&mut dice).copied().unwrap_or_default();
    let location = ["Pune", "Bengaluru", "Nashik", "Chennai"].choose(&mut dice);
    let prompt_tokens = 400 + transcript.chars().count() as u64 / CHARS_PER_TOKEN;
    let completion_tokens = dice.random_range(200..=400);
    let price = prompt_tokens as f64 * 2.5e-6 + completion_tokens as f64 * 1e-5;
    Analysis {
        communication_score,
        technical_score,
        overall_score: (communication_score + technical_score + 1) / 2,
        candidate_info: CandidateInfo {
            current_ctc: format!("{current_lakh} LPA"),
            expected_ctc: format!("{expected_lakh} LPA"),
            notice_period_days,
            location: location.copied().unwrap_or_default().to_owned(),
            years_of_experience: dice.random_range(0..=15),
        },
        summary: "The candidate answered every question and knew the details.".to_owned(),
        strengths: vec!["explains clearly".to_owned()],
        concerns: vec!["long notice period".to_owned()],
        usage: Usage { prompt_tokens, completion_tokens, cost_usd: (price * 1e6).round() / 1e6 },
    }
}

fn write_down(
    engine: &Inner,
    request: Option<&AnalyzeCall>,
    answer: &Result<Analysis, Refusal>,
) -> AnalyzeRequest {
    AnalyzeRequest {
        at: engine.clock.moment(),
        call_id: request.and_then(|request| request.call_id.clone()),
        application_id: request.and_then(|request| request.application_id),
        transcript_chars: request.map_or(0, |request| request.transcript.chars().count()),
        status: answer.as_ref().map_or_else(Refusal::status, |_| 200),
        overall_score: answer.as_ref().ok().map(|analysis| analysis.overall_score),
    }
}
