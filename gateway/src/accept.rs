//! Just enough of content negotiation.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// Tells whether `Accept` names `media_type` itself; a wildcard does not count.
pub(crate) fn names(headers: &HeaderMap, media_type: &str) -> bool {
    let values = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|entry| is_wanted(entry, media_type))
}

fn is_wanted(entry: &str, media_type: &str) -> bool {
    let mut parts = entry.split(';').map(str::trim);
    let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(media_type));
    let refused = parts.any(|part| {
        let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
        weight.and_then(|weight| weight.parse::<f32>().ok()) == Some(0.0)
    });
    named && !refused
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, value.parse().unwrap())])
    }

    #[test]
    fn only_a_type_that_is_named_and_not_refused_counts() {
        let wanted = "application/problem+json";
        assert!(names(&accept("text/html, Application/Problem+JSON;q=0.5"), wanted));
        assert!(!names(&accept("*/*"), wanted));
        assert!(!names(&accept("application/*"), wanted));
        assert!(!names(&accept("application/problem+json; q=0.0"), wanted));
        assert!(!names(&HeaderMap::new(), wanted));
    }
}
