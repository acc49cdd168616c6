//! The recordings of interviews, passed on from where platforms keep them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue, IF_RANGE, RANGE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::EntityId;
use domain::ports::{ByteRange, Extent, Recorded, Recording, RecordingBody, RecordingError};
use futures_util::stream;
use serde::Deserialize;
use tracing::warn;
use uuid::Uuid;

use super::{Services, scope, wrong_parameter};
use crate::auth::Principal;
use crate::error::{ApiError, FieldError, Place};
use crate::extract::{Path, Query};
use crate::problem::Code;

/// After how many seconds a platform is asked again that did not answer as agreed.
const UNAVAILABLE_RETRY_S: u64 = 5;

/// The recording that is asked for by its address.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ProxyQuery {
    /// The `recordingUrl` of an interview that the caller may see.
    #[param(min_length = 1, max_length = 2048)]
    url: String,
}

/// `GET /api/voice-interviews/{id}/recording`. The address comes from the interview.
#[utoipa::path(
    get, path = "/api/voice-interviews/{id}/recording", tag = "interviews",
    params(("id" = Uuid, Path, description = "The interview.")),
    responses(
        (status = 200, description = "The recording.", content_type = "audio/*", body = Vec<u8>),
        (status = 206, description = "The part of it that `Range` asked for.", content_type = "audio/*", body = Vec<u8>),
        (status = 404, description = "There is no such recording for the caller."),
        (status = 416, description = "The recording has no such part."),
        (status = 502, description = "Its host does not hand it over."),
    ),
)]
pub(super) async fn recording(
    State(services): State<Arc<Services>>,
    principal: Principal,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let range = range(&headers)?;
    let recorded = services.recording_queries.recorded(scope(&principal), EntityId(id)).await?;
    match recorded {
        Recorded::NoInterview => Err(ApiError::new(Code::InterviewNotFound)),
        Recorded::Nowhere => Err(ApiError::new(Code::RecordingNotFound)),
        Recorded::At(address) => pass_on(&services, id, address, range).await,
    }
}

/// `GET /api/voice-interviews/recording-proxy?url=`. Whoever names an address is given what they could
/// have had by the interview's id, and nothing else.
#[utoipa::path(
    get, path = "/api/voice-interviews/recording-proxy", tag = "interviews",
    params(ProxyQuery),
    responses(
        (status = 200, description = "The recording.", content_type = "audio/*", body = Vec<u8>),
        (status = 206, description = "The part of it that `Range` asked for.", content_type = "audio/*", body = Vec<u8>),
        (status = 404, description = "There is no such recording for the caller."),
        (status = 416, description = "The recording has no such part."),
        (status = 502, description = "Its host does not hand it over."),
    ),
)]
pub(super) async fn recording_proxy(
    State(services): State<Arc<Services>>,
    principal: Principal,
    Query(ProxyQuery { url }): Query<ProxyQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let range = range(&headers)?;
    services
        .recordings
        .admit(&url)
        .map_err(|refused| wrong_parameter("url", refused.to_string()))?;
    let found = services.recording_queries.recorded_at(scope(&principal), url.clone()).await?;
    let id = found.ok_or_else(|| ApiError::new(Code::RecordingNotFound))?;
    pass_on(&services, id, url, range).await
}

async fn pass_on(
    services: &Services,
    id: Uuid,
    address: String,
    range: Option<ByteRange>,
) -> Result<Response, ApiError> {
    match services.recordings.fetch(address, range).await {
        Ok(recording) => Ok(answer(id, recording)),
        Err(RecordingError::NoSuchRange { complete }) => Ok(no_such_range(complete)),
        Err(error) => Err(error.into()),
    }
}

/// Returns the one range that is asked for. With `If-Range` it is all of the recording: nothing of ours
/// says which version of it the caller has a part of.
fn range(headers: &HeaderMap) -> Result<Option<ByteRange>, ApiError> {
    let mut values = headers.get_all(RANGE).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(wrong_range("range is given twice".to_owned()));
    }
    let text = value.to_str().map_err(|_| wrong_range("range is no text".to_owned()))?;
    let range = ByteRange::parse(text).map_err(|why| wrong_range(why.to_string()))?;
    Ok(range.filter(|_| !headers.contains_key(IF_RANGE)))
}

fn wrong_range(message: String) -> ApiError {
    ApiError::new(Code::RangeNotSatisfiable).message(message.clone()).field(FieldError {
        pointer: "#/range".to_owned(),
        code: "invalid_value",
        message,
        place: Place::Header,
    })
}

fn no_such_range(complete: Option<u64>) -> Response {
    let mut response = ApiError::new(Code::RangeNotSatisfiable).into_response();
    if let Some(complete) = complete {
        insert(response.headers_mut(), CONTENT_RANGE, format!("bytes */{complete}"));
    }
    response
}

/// Nothing that a platform answered goes on as it came: type, length and range were read, and a browser
/// is told to save it, to believe its type, and to run nothing of it.
fn answer(id: Uuid, recording: Recording) -> Response {
    let Recording { media, extent, length, body } = recording;
    let status = match extent {
        Extent::Whole => StatusCode::OK,
        Extent::Part { .. } => StatusCode::PARTIAL_CONTENT,
    };
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (CONTENT_TYPE, media.as_str()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (CACHE_CONTROL, "private, no-store"),
        (ACCEPT_RANGES, "bytes"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let name = format!("attachment; filename=\"recording-{id}.{}\"", media.ending());
    insert(&mut headers, CONTENT_DISPOSITION, name);
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    if let Extent::Part { first, last, complete } = extent {
        let complete = complete.map_or_else(|| "*".to_owned(), |bytes| bytes.to_string());
        insert(&mut headers, CONTENT_RANGE, format!("bytes {first}-{last}/{complete}"));
    }
    (status, headers, streamed(id, body)).into_response()
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: String) {
    headers.insert(name, HeaderValue::try_from(value).expect("digits and our own words"));
}

/// Passes the bytes on as they come. A client that goes away drops the stream, and the request behind it
/// with that; one that breaks off before its end breaks off the answer too.
fn streamed(id: Uuid, body: Box<dyn RecordingBody>) -> Body {
    Body::from_stream(stream::unfold(Some(body), move |body| async move {
        let mut body = body?;
        match body.next().await {
            Ok(None) => None,
            Ok(Some(bytes)) => Some((Ok(bytes), Some(body))),
            Err(error) => {
                warn!(
                    interview.id = %id,
                    error = &error as &dyn std::error::Error,
                    "the recording of interview {id} broke off"
                );
                Some((Err(error), None))
            }
        }
    }))
}

impl From<RecordingError> for ApiError {
    fn from(error: RecordingError) -> Self {
        match error {
            RecordingError::Refused(_) => Self::new(Code::RecordingRefused),
            RecordingError::NotConfigured => Self::new(Code::RecordingsNotConfigured),
            RecordingError::Busy => Self::new(Code::Overloaded).because(error),
            RecordingError::Absent => Self::new(Code::RecordingAbsent),
            RecordingError::NoSuchRange { .. } => Self::new(Code::RangeNotSatisfiable),
            RecordingError::Unavailable(_) => Self::new(Code::RecordingUnavailable)
                .retry_after_s(UNAVAILABLE_RETRY_S)
                .because(error),
        }
    }
}
