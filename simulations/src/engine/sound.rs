//! The recording of a simulated call: a short tone, so that a player has something to play.

use std::f64::consts::TAU;

use axum::response::{IntoResponse, Response};
use domain::ports::ByteRange;
use http::header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use http::{HeaderMap, StatusCode};

/// Samples a second: what a telephone line carries.
const RATE_HZ: u32 = 8_000;
/// How long it is.
const SECONDS: u32 = 1;
/// The pitch of the tone.
const TONE_HZ: f64 = 440.0;
/// How loud it is, out of 32,767.
const AMPLITUDE: f64 = 6_000.0;
/// Bytes a sample: 16 bit, mono.
const SAMPLE_BYTES: u32 = 2;

/// Returns a WAV file.
pub(super) fn wav() -> Vec<u8> {
    let data_bytes = RATE_HZ * SECONDS * SAMPLE_BYTES;
    let mut file = Vec::new();
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + data_bytes).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16_u32.to_le_bytes());
    file.extend_from_slice(&[1, 0, 1, 0]); // PCM, one channel.
    file.extend_from_slice(&RATE_HZ.to_le_bytes());
    file.extend_from_slice(&(RATE_HZ * SAMPLE_BYTES).to_le_bytes());
    file.extend_from_slice(&[2, 0, 16, 0]); // Bytes a frame, bits a sample.
    file.extend_from_slice(b"data");
    file.extend_from_slice(&data_bytes.to_le_bytes());
    for position in 0..RATE_HZ * SECONDS {
        let angle = f64::from(position) * TONE_HZ * TAU / f64::from(RATE_HZ);
        file.extend_from_slice(&((angle.sin() * AMPLITUDE) as i16).to_le_bytes());
    }
    file
}

/// Answers a recording, or the part of it that was asked for.
pub(super) fn answer(headers: &HeaderMap) -> Response {
    let file = wav();
    let kind = [(CONTENT_TYPE, "audio/x-wav"), (ACCEPT_RANGES, "bytes")];
    let asked = headers.get(RANGE).and_then(|value| value.to_str().ok());
    let Some(range) = asked.and_then(|text| ByteRange::parse(text).ok().flatten()) else {
        return (kind, file).into_response();
    };
    let complete = file.len() as u64;
    let (first, last) = match range {
        ByteRange::From(first) => (first, complete - 1),
        ByteRange::Between(first, last) => (first, last.min(complete - 1)),
        ByteRange::Last(count) => (complete.saturating_sub(count), complete - 1),
    };
    if first > last {
        let head = [(CONTENT_RANGE, format!("bytes */{complete}"))];
        return (StatusCode::RANGE_NOT_SATISFIABLE, head).into_response();
    }
    let said = [(CONTENT_RANGE, format!("bytes {first}-{last}/{complete}"))];
    let part = file[first as usize..=last as usize].to_vec();
    (StatusCode::PARTIAL_CONTENT, kind, said, part).into_response()
}
