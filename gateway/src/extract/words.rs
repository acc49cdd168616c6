//! Says in words of our own what a parser has to say.
//!
//! The parsers' texts name Rust types and repeat the caller's values, so they are recognised by
//! their fixed beginnings and rewritten. What a type of ours says about itself passes unchanged.

use super::shape::join;
use crate::error::{FieldError, Place};
use crate::suggest;

/// Describes what `text` says is wrong at `pointer`.
pub(super) fn field(pointer: String, text: &str, place: Place) -> FieldError {
    if let Some(name) = ticked(text, "missing field ") {
        let message = format!("{name} is required");
        return FieldError { pointer: join(&pointer, name), code: "required", message, place };
    }
    if let Some(name) = ticked(text, "duplicate field ") {
        let message = format!("{name} must be given once");
        return FieldError { pointer: join(&pointer, name), code: "repeated", message, place };
    }
    let (code, message) = of(text);
    FieldError { pointer, code, message, place }
}

/// Returns the code and the sentence for a parser's `text`.
pub(super) fn of(text: &str) -> (&'static str, String) {
    if let Some(rest) = text.strip_prefix("invalid type: ") {
        return ("wrong_type", must_be(rest));
    }
    if let Some(rest) = text.strip_prefix("invalid value: ") {
        return ("out_of_range", within(rest));
    }
    if let Some(rest) = text.strip_prefix("invalid length ") {
        return ("wrong_length", must_be(rest));
    }
    if let Some(rest) = text.strip_prefix("unknown variant `") {
        return ("unknown_value", one_of(rest));
    }
    if text.starts_with("UUID parsing failed") {
        return ("wrong_type", "must be a UUID".to_owned());
    }
    if text.starts_with("invalid digit") || text.starts_with("cannot parse integer") {
        return ("wrong_type", "must be a whole number".to_owned());
    }
    if text.starts_with("number too ") {
        return ("out_of_range", "is out of range".to_owned());
    }
    if text.starts_with("provided string was not `true` or `false`") {
        return ("wrong_type", "must be true or false".to_owned());
    }
    if text.starts_with("data did not match any variant") {
        return ("wrong_type", "has none of the forms that are accepted here".to_owned());
    }
    ("invalid", without_position(text).to_owned())
}

/// Returns the code and the sentence for a value that should have been a `kind`.
pub(super) fn expected(kind: &str) -> (&'static str, String) {
    ("wrong_type", format!("must be {}", plain(kind)))
}

/// Reads `<what came>, expected <what should>`; what came is not repeated.
fn must_be(rest: &str) -> String {
    match rest.rsplit_once(", expected ") {
        Some((_, kind)) => format!("must be {}", plain(without_position(kind))),
        None => "has the wrong form".to_owned(),
    }
}

/// As [`must_be`], where the type is right and the number is not.
fn within(rest: &str) -> String {
    let range = match rest.rsplit_once(", expected ").map(|(_, kind)| without_position(kind)) {
        Some("u8") => "0 and 255",
        Some("u16") => "0 and 65535",
        Some("u32") => "0 and 4294967295",
        Some("i32") => "-2147483648 and 2147483647",
        _ => return must_be(rest),
    };
    format!("must be a whole number between {range}")
}

/// Reads "x`, expected one of `a`, `b`", or "`a` or `b`", or "`a`".
fn one_of(rest: &str) -> String {
    let Some((came, known)) = rest.split_once("`, expected ") else {
        return "is not one of the known values".to_owned();
    };
    let known: Vec<_> = without_position(known).split('`').skip(1).step_by(2).collect();
    let hint = suggest::hint(came, known.iter().copied());
    format!("must be one of `{}`{hint}", known.join("`, `"))
}

/// Names a type the way a person who sends JSON would.
fn plain(kind: &str) -> String {
    let name = match kind {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "bool" | "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        "unit" | "unit value" => "null",
        other if other.starts_with("struct ") => "an object",
        other if other.contains("UUID") => "a UUID",
        other if other.contains("date and time") => "a date and time like 2026-11-20T09:59:57Z",
        other => other,
    };
    name.to_owned()
}

fn ticked<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    text.strip_prefix(prefix)?.strip_prefix('`')?.split('`').next()
}

/// Cuts the position that a JSON parser appends; a pointer says it better.
fn without_position(text: &str) -> &str {
    text.split(" at line ").next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_type_of_ours_says_passes() {
        assert_eq!(of("phone must be E.164"), ("invalid", "phone must be E.164".to_owned()));
    }

    #[test]
    fn value_that_came_is_not_repeated() {
        let (_, message) = of("invalid type: string \"my secret, expected x\", expected u32");
        assert_eq!(message, "must be a whole number that is not negative");
    }
}
