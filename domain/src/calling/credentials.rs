//! What a recruiter's providers are opened with.

use std::fmt;

use serde_json::{Map, Value};

use crate::value::InvalidValue;

/// The longest credentials, in bytes of JSON: some keys of each of four providers.
pub const CREDENTIALS_BYTES_MAX: usize = 16 * 1024;
/// How deep they may be nested: a provider, its account, a key, and one to spare.
pub const CREDENTIALS_DEPTH_MAX: usize = 5;

/// A recruiter's credentials, as JSON; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials(String);

impl Credentials {
    /// Takes an object.
    ///
    /// # Errors
    /// [`InvalidValue`] when it is no object, too large or nested too deeply. What it holds is not repeated.
    pub fn parse(value: &Value) -> Result<Self, InvalidValue> {
        let invalid = |why| InvalidValue { what: "credentials", why };
        let Value::Object(members) = value else {
            return Err(invalid("must be an object"));
        };
        if depth(value) > CREDENTIALS_DEPTH_MAX {
            return Err(invalid("are nested deeper than 5 levels"));
        }
        let text = text_of(members);
        if text.len() > CREDENTIALS_BYTES_MAX {
            return Err(invalid("are longer than 16 KiB of JSON"));
        }
        Ok(Self(text))
    }

    /// Takes what was stored.
    ///
    /// # Errors
    /// [`InvalidValue`] as [`Self::parse`].
    pub fn from_text(text: &str) -> Result<Self, InvalidValue> {
        let value: Value = serde_json::from_str(text)
            .map_err(|_| InvalidValue { what: "credentials", why: "are no JSON" })?;
        Self::parse(&value)
    }

    /// Returns the JSON text. For sealing, and for the one answer that carries them.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(****)")
    }
}

fn text_of(members: &Map<String, Value>) -> String {
    serde_json::to_string(members).unwrap_or_default()
}

/// Counts the levels of objects and lists; what has no parts has none. The parser bounds the recursion.
fn depth(value: &Value) -> usize {
    let deepest = match value {
        Value::Object(members) => members.values().map(depth).max(),
        Value::Array(items) => items.iter().map(depth).max(),
        _ => return 0,
    };
    1 + deepest.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_an_object_within_its_bounds_is_taken() {
        for not in [json!("key"), json!([1]), json!(null), json!(1)] {
            assert_eq!(Credentials::parse(&not).unwrap_err().why, "must be an object");
        }
        assert!(Credentials::parse(&json!({"a": {"b": {"c": {"d": [1]}}}})).is_ok());
        assert!(Credentials::parse(&json!({"a": {"b": {"c": {"d": [[1]]}}}})).is_err());
        // {"k":"…"} is eight characters longer than the value.
        let fits = CREDENTIALS_BYTES_MAX - 8;
        assert!(Credentials::parse(&json!({"k": "x".repeat(fits)})).is_ok());
        assert!(Credentials::parse(&json!({"k": "x".repeat(fits + 1)})).is_err());
    }

    #[test]
    fn credentials_are_not_printed_and_come_back_as_they_were() {
        let credentials = Credentials::parse(&json!({"vapi": {"key": "hunter2"}})).unwrap();
        assert_eq!(format!("{credentials:?}"), "Credentials(****)");
        assert_eq!(Credentials::from_text(credentials.expose()).unwrap(), credentials);
        assert!(Credentials::from_text("{").is_err());
    }
}
