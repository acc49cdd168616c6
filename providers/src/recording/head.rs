//! What the head of a platform's answer says, held against what was asked.

use anyhow::anyhow;
use domain::ports::{ByteRange, Extent, Media, RecordingError};
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName,
};
use reqwest::{Response, StatusCode};
use tracing::error;

/// An answer that may be passed on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) media: Media,
    pub(super) extent: Extent,
    pub(super) length: Option<u64>,
}

impl Head {
    /// Reads the head of an answer to `range`.
    ///
    /// # Errors
    /// [`RecordingError`] when it is no audio, is longer than `bytes_max`, or is something else than
    /// was asked for.
    pub(super) fn read(
        response: &Response,
        range: Option<ByteRange>,
        bytes_max: u64,
    ) -> Result<Self, RecordingError> {
        let headers = response.headers();
        let extent = match response.status() {
            StatusCode::OK => Extent::Whole,
            StatusCode::PARTIAL_CONTENT => part(headers, range)?,
            status => return Err(failure(status, headers)),
        };
        let media = text(headers, CONTENT_TYPE).and_then(Media::read);
        let media = media.ok_or_else(|| unusable("the platform answered no audio"))?;
        if text(headers, CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            return Err(unusable("the platform answered something compressed"));
        }
        let length = length(headers, extent)?;
        if length.is_some_and(|length| length > bytes_max) {
            return Err(unusable("the recording is larger than any may be"));
        }
        Ok(Self { media, extent, length })
    }
}

fn unusable(why: &'static str) -> RecordingError {
    RecordingError::Unavailable(anyhow!(why))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Reads what a status says that carries no recording.
fn failure(status: StatusCode, headers: &HeaderMap) -> RecordingError {
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => RecordingError::Absent,
        StatusCode::RANGE_NOT_SATISFIABLE => {
            let complete = text(headers, CONTENT_RANGE)
                .and_then(|text| text.strip_prefix("bytes */"))
                .and_then(|digits| digits.parse().ok());
            RecordingError::NoSuchRange { complete }
        }
        StatusCode::UNAUTHORIZED => {
            error!(
                "a platform of recordings does not know us: check TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN"
            );
            unusable("the platform does not know us")
        }
        status => RecordingError::Unavailable(anyhow!("the platform answered {status}")),
    }
}

/// Reads which part an answer holds. One that nobody asked for is refused: a player would take it for
/// the beginning.
fn part(headers: &HeaderMap, range: Option<ByteRange>) -> Result<Extent, RecordingError> {
    let said = text(headers, CONTENT_RANGE).and_then(content_range);
    let (Some((first, last, complete)), Some(range)) = (said, range) else {
        return Err(unusable("the platform answered a part that makes no sense"));
    };
    let is_asked = match range {
        ByteRange::From(from) => first == from,
        ByteRange::Between(from, to) => first == from && last <= to,
        ByteRange::Last(count) => {
            last - first < count && complete.is_none_or(|complete| last + 1 == complete)
        }
    };
    if is_asked {
        Ok(Extent::Part { first, last, complete })
    } else {
        Err(unusable("the platform answered another part than was asked for"))
    }
}

/// Reads `bytes 0-99/1234`, or `…/*`.
fn content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let (span, complete) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = span.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let complete = match complete {
        "*" => None,
        digits => Some(digits.parse().ok()?),
    };
    let fits = first <= last && last < complete.unwrap_or(u64::MAX);
    fits.then_some((first, last, complete))
}

/// Returns how many bytes come; a part knows it by itself, and must not be contradicted.
fn length(headers: &HeaderMap, extent: Extent) -> Result<Option<u64>, RecordingError> {
    let said: Option<u64> = text(headers, CONTENT_LENGTH).and_then(|digits| digits.parse().ok());
    let Extent::Part { first, last, .. } = extent else { return Ok(said) };
    let length = last - first + 1;
    if said.is_some_and(|said| said != length) {
        return Err(unusable("the platform answered two lengths"));
    }
    Ok(Some(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_only_where_they_make_sense() {
        assert_eq!(content_range("bytes 0-99/1234"), Some((0, 99, Some(1_234))));
        assert_eq!(content_range("bytes 5-5/*"), Some((5, 5, None)));
        for bad in [
            "",
            "bytes",
            "bytes 1-0/5",
            "bytes 0-5/5",
            "bytes */5",
            "items 0-1/5",
            "bytes 0-18446744073709551615/*",
            "bytes 0-1",
            "bytes -1-2/5",
            "bytes a-b/c",
        ] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }
}
