//! Names for requests.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use chrono::{DateTime, Utc};

/// Carries the id in both directions.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Carries the caller's trace. Source: W3C Trace Context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A caller's id is used as it is up to this length.
const LENGTH_MAX: usize = 128;

/// The name of one request, in logs, answers and errors; every request has it as an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// Takes the caller's id if it is one: short, and of characters that no log or page minds.
    pub fn given(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(REQUEST_ID)?.to_str().ok()?;
        let fits = (1..=LENGTH_MAX).contains(&text.len());
        (fits && text.bytes().all(is_plain)).then(|| Self(text.into()))
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the id as it stands in a header.
    pub fn to_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("an id is plain ASCII")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._:-".contains(&byte)
}

/// Draws ids that no other request of this process has, nor of an earlier one.
#[derive(Debug)]
pub struct RequestIds {
    start: u64,
    next: AtomicU64,
}

impl RequestIds {
    /// Starts a series that is told from others by the process's `start`.
    pub fn new(start: DateTime<Utc>) -> Self {
        Self { start: start.timestamp_micros().unsigned_abs(), next: AtomicU64::new(1) }
    }

    /// Draws one.
    pub fn draw(&self) -> RequestId {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        RequestId(format!("req_{:x}_{count:x}", self.start).into())
    }
}

/// Returns the caller's trace header if it is well formed.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<HeaderValue> {
    let value = headers.get(TRACEPARENT)?;
    let parts: Vec<_> = value.to_str().ok()?.split('-').collect();
    let [version, trace, parent, flags] = parts.as_slice() else {
        return None;
    };
    let is_hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_set = |part: &str| part.bytes().any(|byte| byte != b'0');
    let formed = is_hex(version, 2) && is_hex(trace, 32) && is_hex(parent, 16) && is_hex(flags, 2);
    (formed && *version != "ff" && is_set(trace) && is_set(parent)).then(|| value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn only_a_plain_and_short_id_is_taken_over() {
        let given = |text: &str| RequestId::given(&headers(REQUEST_ID, text));
        assert_eq!(given("req_01J:a.b-c").unwrap().as_str(), "req_01J:a.b-c");
        for odd in ["", "a b", "<script>", "a\"b", &"x".repeat(129)] {
            assert_eq!(given(odd), None, "{odd}");
        }
    }

    #[test]
    fn drawn_ids_differ() {
        let ids = RequestIds::new(DateTime::UNIX_EPOCH);
        assert_ne!(ids.draw(), ids.draw());
    }

    #[test]
    fn trace_is_passed_on_only_when_it_is_one() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(traceparent(&headers(TRACEPARENT, good)).is_some());
        for bad in [&good[1..], "00-0-0-0", &good.replace('4', "G"), &good.replace("00f067", "0")] {
            assert!(traceparent(&headers(TRACEPARENT, bad)).is_none(), "{bad}");
        }
    }
}
