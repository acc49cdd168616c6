//! Values as the projection's columns take them.

use chrono::{DateTime, SecondsFormat, Utc};

/// Writes an instant as RFC 3339, to the microsecond, which is what the database keeps.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Writes a number in the shortest form that reads back as the same one.
pub(super) fn number(value: f64) -> String {
    value.to_string()
}
