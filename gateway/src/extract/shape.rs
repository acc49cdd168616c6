//! Fits bytes to a type, and says where they do not fit.

use std::borrow::Cow;

use axum::http::Uri;
use serde::de::{DeserializeOwned, Deserializer};
use serde_ignored::Path as Ignored;
use serde_json::Value;
use serde_path_to_error::{Segment, Track};

use super::Family;
use super::introspect::fields_of;
use super::strict::Strict;
use super::unique::Unique;
use super::words;
use crate::error::{ApiError, FieldError, Place};
use crate::problem::Code;
use crate::suggest;

/// How a NUL is written in JSON, which allows no other way.
const NUL_ESCAPE: &[u8] = br"\u0000";

/// Reads a JSON body.
pub(super) fn body<T: DeserializeOwned>(bytes: &[u8], family: Family) -> Result<T, ApiError> {
    let Unique(value) = serde_json::from_slice(bytes).map_err(|error| malformed(&error))?;
    let known = fields_of::<T>();
    if bytes.windows(NUL_ESCAPE.len()).any(|window| window == NUL_ESCAPE) {
        let mut nuls = Vec::new();
        find_nuls(&value, "#", &mut nuls);
        if !nuls.is_empty() {
            return Err(ApiError::invalid_all(nuls));
        }
    }
    fit(Strict(&value), Place::Body, family, known)
}

/// Reads the parameters of a query, without those that somebody else `took`.
pub(super) fn query<T: DeserializeOwned>(pairs: &Pairs<'_>, took: &[&str]) -> Result<T, ApiError> {
    let mut left = form_urlencoded::Serializer::new(String::new());
    left.extend_pairs(pairs.list.iter().filter(|(name, _)| !took.contains(&name.as_ref())));
    let left = left.finish();
    let known: Vec<_> = fields_of::<T>().iter().chain(took).copied().collect();
    let parameters = serde_urlencoded::Deserializer::new(form_urlencoded::parse(left.as_bytes()));
    fit(parameters, Place::Query, pairs.family, &known)
}

/// The decoded parameters of a query, in their order.
pub(super) struct Pairs<'a> {
    family: Family,
    list: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Pairs<'a> {
    /// Reads the query of `uri`. An inherited route is not shown empty parameters: the frontends
    /// send a filter that is not set as `status=`.
    pub(super) fn of(uri: &'a Uri) -> Result<Self, ApiError> {
        let family = Family::of(uri.path());
        let query = uri.query().unwrap_or_default();
        let list: Vec<_> = form_urlencoded::parse(query.as_bytes())
            .filter(|(_, value)| family.is_strict() || !value.is_empty())
            .collect();
        match list.iter().find(|(name, value)| name.contains('\0') || value.contains('\0')) {
            Some((name, _)) => Err(ApiError::invalid(nul(join("#", name), Place::Query))),
            None => Ok(Self { family, list }),
        }
    }

    pub(super) fn family(&self) -> Family {
        self.family
    }

    /// Returns the one value of `name`.
    pub(super) fn single(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.list.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (value, None) => Ok(value.map(AsRef::as_ref)),
            (_, Some(_)) => Err(ApiError::invalid(FieldError {
                pointer: join("#", name),
                code: "repeated",
                message: format!("{name} must be given once"),
                place: Place::Query,
            })),
        }
    }
}

/// A string that PostgreSQL cannot store, and that nobody means to send.
pub(super) fn nul(pointer: String, place: Place) -> FieldError {
    let message = "must not contain NUL characters".to_owned();
    FieldError { pointer, code: "nul_character", message, place }
}

/// Appends `key` to a pointer. Source of the escapes: RFC 6901, section 3.
pub(super) fn join(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn fit<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    source: D,
    place: Place,
    family: Family,
    known: &[&str],
) -> Result<T, ApiError> {
    let mut track = Track::new();
    let mut unknown = Vec::new();
    let tracked = serde_path_to_error::Deserializer::new(source, &mut track);
    let result = serde_ignored::deserialize(tracked, |path: Ignored<'_>| {
        unknown.push(pointer_of_ignored(&path));
    });
    let value = result.map_err(|error| {
        let path = track.path();
        let base = path.iter().fold("#".to_owned(), |pointer, segment| match segment {
            Segment::Seq { index } => format!("{pointer}/{index}"),
            Segment::Map { key } => join(&pointer, key),
            Segment::Enum { .. } | Segment::Unknown => pointer,
        });
        ApiError::invalid(words::field(base, &error.to_string(), place))
    })?;
    if family.is_strict() && !unknown.is_empty() {
        let errors = unknown.into_iter().map(|pointer| unknown_field(pointer, place, known));
        return Err(ApiError::invalid_all(errors.collect()));
    }
    Ok(value)
}

fn unknown_field(pointer: String, place: Place, known: &[&str]) -> FieldError {
    let name = pointer.rsplit('/').next().unwrap_or_default();
    let what = if place == Place::Query { "parameter" } else { "field" };
    let is_outermost = pointer.matches('/').count() == 1;
    let hint =
        if is_outermost { suggest::hint(name, known.iter().copied()) } else { String::new() };
    let message = format!("unknown {what} `{name}`{hint}");
    FieldError { pointer, code: "unknown_field", message, place }
}

fn pointer_of_ignored(path: &Ignored<'_>) -> String {
    match path {
        Ignored::Root => "#".to_owned(),
        Ignored::Seq { parent, index } => format!("{}/{index}", pointer_of_ignored(parent)),
        Ignored::Map { parent, key } => join(&pointer_of_ignored(parent), key),
        Ignored::Some { parent }
        | Ignored::NewtypeStruct { parent }
        | Ignored::NewtypeVariant { parent } => pointer_of_ignored(parent),
    }
}

/// Collects the strings with a NUL; the depth is bounded by the parser's own limit of 128.
fn find_nuls(value: &Value, pointer: &str, found: &mut Vec<FieldError>) {
    match value {
        Value::String(text) if text.contains('\0') => {
            found.push(nul(pointer.to_owned(), Place::Body));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find_nuls(item, &format!("{pointer}/{index}"), found);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                if key.contains('\0') {
                    found.push(nul(pointer.to_owned(), Place::Body));
                }
                find_nuls(member, &join(pointer, key), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn malformed(error: &serde_json::Error) -> ApiError {
    let problem = ApiError::new(Code::MalformedJson);
    if error.is_data() {
        return problem.detail(error.to_string());
    }
    if error.line() == 0 || error.is_eof() {
        return problem.detail("the body ends before its JSON value does");
    }
    problem.detail(format!("reading stopped at line {}, column {}", error.line(), error.column()))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Order {
        phone_number: String,
        #[serde(default)]
        attempts: u8,
        #[serde(default)]
        lines: Vec<Line>,
    }

    #[derive(Debug, Deserialize)]
    struct Line {
        kind: Kind,
        price: Option<Price>,
    }

    #[derive(Debug, Deserialize)]
    struct Price {
        amount: f64,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Resume,
        Quiz,
    }

    fn refused(body_text: &str) -> (String, &'static str, String) {
        let error = body::<Order>(body_text.as_bytes(), Family::Native).unwrap_err();
        let FieldError { pointer, code, message, .. } = error.errors()[0].clone();
        (pointer, code, message)
    }

    #[test]
    fn fitting_body_is_read() {
        let order: Order =
            body(br#"{"phoneNumber":"1","lines":[{"kind":"quiz"}]}"#, Family::Native).unwrap();
        assert_eq!((order.phone_number.as_str(), order.attempts), ("1", 0));
        assert!(matches!(order.lines[0].kind, Kind::Quiz));
    }

    #[test]
    fn pointer_leads_to_what_is_wrong_in_words_of_our_own() {
        assert_eq!(refused("{}").0, "#/phoneNumber");
        assert_eq!(refused("{}").1, "required");
        let (pointer, code, message) = refused(r#"{"phoneNumber":7}"#);
        assert_eq!((pointer.as_str(), code), ("#/phoneNumber", "wrong_type"));
        assert_eq!(message, "must be a string");
        let (pointer, code, _) = refused(r#"{"phoneNumber":"1","attempts":300}"#);
        assert_eq!((pointer.as_str(), code), ("#/attempts", "out_of_range"));
        let (pointer, code, message) = refused(r#"{"phoneNumber":"1","lines":[{"kind":"quizz"}]}"#);
        assert_eq!((pointer.as_str(), code), ("#/lines/0/kind", "unknown_value"));
        assert_eq!(message, "must be one of `resume`, `quiz`, did you mean `quiz`?");
    }

    #[test]
    fn list_fills_no_structure_at_any_depth() {
        for (text, at) in [
            (r#"["1"]"#, "#"),
            (r#"{"phoneNumber":"1","lines":[["quiz"]]}"#, "#/lines/0"),
            (r#"{"phoneNumber":"1","lines":[{"kind":"quiz","price":[1]}]}"#, "#/lines/0/price"),
        ] {
            let wanted = (at.to_owned(), "wrong_type", "must be an object".to_owned());
            assert_eq!(refused(text), wanted, "{text}");
        }
        let text = r#"{"phoneNumber":"1","lines":[{"kind":"quiz","price":{"amount":2}}]}"#;
        let order: Order = body(text.as_bytes(), Family::Native).unwrap();
        assert_eq!(order.lines[0].price.as_ref().map(|price| price.amount), Some(2.0));
    }

    #[test]
    fn unknown_field_is_refused_with_a_suggestion_on_native_routes_only() {
        let text = r#"{"phoneNumber":"1","atempts":2}"#;
        let (pointer, code, message) = refused(text);
        assert_eq!((pointer.as_str(), code), ("#/atempts", "unknown_field"));
        assert_eq!(message, "unknown field `atempts`, did you mean `attempts`?");
        assert!(body::<Order>(text.as_bytes(), Family::Seed).is_ok());
    }

    #[test]
    fn nul_in_any_string_is_refused_even_where_it_would_be_ignored() {
        let text = "{\"phoneNumber\":\"1\",\"x\":{\"a/b\":[\"\\u0000\"]}}";
        let error = body::<Order>(text.as_bytes(), Family::Seed).unwrap_err();
        assert_eq!(error.errors()[0].pointer, "#/x/a~1b/0");
        assert_eq!(error.errors()[0].code, "nul_character");
    }

    #[test]
    fn what_is_no_json_is_named_by_its_place() {
        for text in ["", "{", "{]", "nope", "{} {}", &"[".repeat(100_000)] {
            let error = body::<Order>(text.as_bytes(), Family::Seed).unwrap_err();
            assert_eq!(error.code(), Code::MalformedJson, "{text:.10}");
        }
    }

    #[test]
    fn query_is_held_to_the_same_rules() {
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Filter {
            status: Option<Kind>,
            min_cost: Option<u32>,
        }
        let read = |uri: &str| {
            let uri: Uri = uri.parse().unwrap();
            query::<Filter>(&Pairs::of(&uri)?, &["page"])
        };
        let filter = read("/api/v1/x?status=quiz&minCost=3&page=1").unwrap();
        assert!(matches!(filter, Filter { status: Some(Kind::Quiz), min_cost: Some(3) }));
        assert!(read("/api/x?status=&colour=red").unwrap().status.is_none());
        let error = read("/api/v1/x?staus=quiz").unwrap_err();
        assert_eq!(error.errors()[0].message, "unknown parameter `staus`, did you mean `status`?");
        assert_eq!(error.errors()[0].place, Place::Query);
        let error = read("/api/x?minCost=lots").unwrap_err();
        assert_eq!(error.errors()[0].pointer, "#/minCost");
        assert!(read("/api/x?q=%00").is_err());
    }
}
