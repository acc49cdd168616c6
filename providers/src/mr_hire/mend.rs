//! Reading JSON whose sender cannot be corrected, where strict reading fails over a detail.
//!
//! Two things are JSON and have no value here: half of a character (`\ud83d`), which a sender writes that
//! cuts a text in the middle of an emoji, and a number that no double holds (`1e999`). Either would cost
//! the whole body. So the body is looked at again, but only when it could not be read as it is.

use serde::de::DeserializeOwned;

/// What half of a character becomes; the same as for NUL.
const REPLACEMENT: &[u8] = br"\ufffd";
/// What a number becomes that no double holds; its sign stays. It lies as far out of every range as
/// the one that was sent, so its field is dropped like any other that does.
const LARGEST: &[u8] = b"1e308";
/// See [`LARGEST`].
const LARGEST_VALUE: f64 = 1e308;

/// What was read, and whether it took a second look.
#[derive(Debug)]
pub(super) struct Read<T> {
    pub value: T,
    pub is_mended: bool,
}

/// Reads `body`; with replacements where that is what it takes.
///
/// # Errors
/// The parser's, when it is no JSON either way.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<Read<T>> {
    match serde_json::from_slice(body) {
        Ok(value) => Ok(Read { value, is_mended: false }),
        Err(error) => {
            let mended = mended(body).ok_or(error)?;
            Ok(Read { value: serde_json::from_slice(&mended)?, is_mended: true })
        }
    }
}

/// Replaces what has no value here. None when there is nothing to replace.
fn mended(body: &[u8]) -> Option<Vec<u8>> {
    let mut mended = Vec::with_capacity(body.len());
    let (mut at, mut is_text, mut is_changed) = (0, false, false);
    while at < body.len() {
        let rest = &body[at..];
        let (length, instead) = match rest[0] {
            b'"' => {
                is_text = !is_text;
                (1, None)
            }
            b'\\' if is_text => escape(rest),
            b'-' | b'0'..=b'9' if !is_text => number(rest),
            _ => (1, None),
        };
        let length = length.min(rest.len());
        is_changed |= instead.is_some();
        mended.extend_from_slice(instead.as_deref().unwrap_or(&rest[..length]));
        at += length;
    }
    is_changed.then_some(mended)
}

/// Returns how long the escape is that `rest` begins with, and what stands for it instead.
fn escape(rest: &[u8]) -> (usize, Option<Vec<u8>>) {
    match escaped(rest) {
        Some(0xd800..=0xdbff) if matches!(escaped(&rest[6..]), Some(0xdc00..=0xdfff)) => (12, None),
        Some(0xd800..=0xdfff) => (6, Some(REPLACEMENT.to_vec())),
        _ => (2, None),
    }
}

/// Returns the number that bytes like `\u00e9` begin with.
fn escaped(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Returns how long the number is that `rest` begins with, and what stands for it instead.
fn number(rest: &[u8]) -> (usize, Option<Vec<u8>>) {
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
    let length = rest.iter().take_while(|byte| is_part(byte)).count();
    let value = std::str::from_utf8(&rest[..length]).ok().and_then(|text| text.parse().ok());
    let instead = value.filter(|value: &f64| value.abs() > LARGEST_VALUE).map(|value| {
        let sign: &[u8] = if value < 0.0 { b"-" } else { b"" };
        [sign, LARGEST].concat()
    });
    (length, instead)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn value(body: &str) -> Option<(Value, bool)> {
        read(body.as_bytes()).ok().map(|read| (read.value, read.is_mended))
    }

    #[test]
    fn what_has_no_value_is_replaced_and_everything_else_stays() {
        let sound = r#"{"a":"\ud83d\ude00 \\ud83d 1e999","n":[-1.5e3,0]}"#;
        assert_eq!(value(sound), Some((serde_json::from_str(sound).unwrap(), false)));
        let body =
            r#"{"a":"\ud83d\ude00 \\ud83d \ude00","b":"\ud800\u0041\"","n":[-1e999,12,1E+400]}"#;
        let expected = json!({
            "a": "\u{1f600} \\ud83d \u{fffd}", "b": "\u{fffd}A\"", "n": [-1e308, 12, 1e308],
        });
        assert_eq!(value(body), Some((expected, true)));
        let long = format!("[{}]", "9".repeat(400));
        assert_eq!(value(&long), Some((json!([1e308]), true)));
    }

    #[test]
    fn what_is_no_json_stays_none() {
        for body in
            ["", "{", r#"{"a":"\ud800}"#, r#"{"a":1e999,}"#, r#""\"#, r#""\ud8"#, "-", "1e", "\\u"]
        {
            assert_eq!(value(body), None, "{body}");
        }
    }
}
