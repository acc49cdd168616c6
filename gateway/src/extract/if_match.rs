//! `If-Match`, and the `ETag` it came from.

use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, HeaderName, HeaderValue, IF_MATCH};
use axum::http::request::Parts;
use domain::ports::Expected;

use crate::error::{ApiError, FieldError, Place};

/// Versions that one header may name.
const VERSIONS_MAX: usize = 32;

/// Which version a change is based on; without the header it is whichever there is.
///
/// A weak tag and one that is no version of ours match nothing. Source: RFC 9110, 13.1.1.
#[derive(Clone, Debug)]
pub struct IfMatch(pub Expected);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut values = parts.headers.get_all(IF_MATCH).into_iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(Self(Expected::Any)),
            (Some(value), None) => {
                read(value).map(Self).ok_or_else(|| wrong("must be * or a list of ETags"))
            }
            (Some(_), Some(_)) => Err(wrong("must be given once")),
        }
    }
}

/// Returns the header that names `version`.
pub fn etag(version: i64) -> [(HeaderName, HeaderValue); 1] {
    let value = HeaderValue::from_str(&format!("\"{version}\""));
    [(ETAG, value.unwrap_or(HeaderValue::from_static("\"\"")))]
}

fn read(value: &HeaderValue) -> Option<Expected> {
    let text = value.to_str().ok()?.trim();
    if text == "*" {
        return Some(Expected::Existing);
    }
    let mut versions = Vec::new();
    for (index, tag) in text.split(',').enumerate() {
        if index == VERSIONS_MAX {
            return None;
        }
        let tag = tag.trim();
        let (is_weak, quoted) = tag.strip_prefix("W/").map_or((false, tag), |rest| (true, rest));
        let opaque = quoted.strip_prefix('"')?.strip_suffix('"')?;
        let version = opaque.parse::<i64>().ok().filter(|_| !is_weak);
        versions.extend(version);
    }
    Some(Expected::Versions(versions))
}

fn wrong(message: &str) -> ApiError {
    ApiError::invalid(FieldError {
        pointer: "#/if-match".to_owned(),
        code: "invalid_value",
        message: format!("If-Match {message}"),
        place: Place::Header,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_is_a_star_or_a_list_of_tags() {
        let read = |text: &'static str| read(&HeaderValue::from_static(text));
        assert_eq!(read("*"), Some(Expected::Existing));
        assert_eq!(read("\"3\""), Some(Expected::Versions(vec![3])));
        assert_eq!(read(" \"3\" , \"x\", W/\"4\",\"5\""), Some(Expected::Versions(vec![3, 5])));
        for bad in ["", "3", "\"3", "3\"", "\"", "\"3\",", "W/3", "\"3\" \"4\""] {
            // Two tags without a comma are one that no version has.
            let found = read(bad);
            assert!(
                found.is_none() || found == Some(Expected::Versions(vec![])),
                "{bad}: {found:?}"
            );
        }
        assert!(read("3").is_none() && read("").is_none());
        assert_eq!(etag(7)[0].1, "\"7\"");
    }
}
