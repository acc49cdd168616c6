//! Reading an object whose sender cannot be corrected: take what is usable, note what is not.

use domain::InvalidValue;
use serde_json::{Map, Value};

use super::mend::Read;

/// How many remarks are kept; a body can be wrong in more ways than anybody reads.
const REMARKS_MAX: usize = 16;

/// A JSON object being read, and what was found wrong with it.
pub(super) struct Fields<'a> {
    object: &'a Map<String, Value>,
    /// A U+FFFD in it may be what is left of a character that could not be read.
    is_mended: bool,
    remarks: Vec<String>,
}

impl<'a> Fields<'a> {
    pub fn of(read: &'a Read<Map<String, Value>>) -> Self {
        Self { object: &read.value, is_mended: read.is_mended, remarks: Vec::new() }
    }

    /// Returns what was found wrong, as one text.
    pub fn remarks(self) -> Option<String> {
        (!self.remarks.is_empty()).then(|| self.remarks.join("; "))
    }

    /// Notes `why`, which goes on where the field's name ends; the same thing is noted once.
    pub fn remark(&mut self, name: &str, why: impl std::fmt::Display) {
        let remark = format!("{name} {why}");
        if self.remarks.len() < REMARKS_MAX && !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }

    /// Notes that characters of a field's `text` could not be read, if that is so.
    pub fn remark_loss(&mut self, name: &str, text: &str) {
        let is_lost = |c: char| c == '\0' || self.is_mended && c == char::REPLACEMENT_CHARACTER;
        if text.contains(is_lost) {
            self.remark(name, "has characters that could not be read: they became U+FFFD");
        }
    }

    /// Returns a field under its name or its older spelling; null is the same as nothing.
    pub fn value(&self, name: &'static str) -> Option<&'a Value> {
        self.object
            .get(name)
            .or_else(|| self.object.get(&snake_case(name)))
            .filter(|value| !value.is_null())
    }

    /// Returns a text, with NUL replaced; a blank one is nothing.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        let text = self.written(name)?;
        self.remark_loss(name, text);
        Some(clean(text))
    }

    /// Returns a text parsed as `T`.
    pub fn parsed<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        let text = clean(self.written(name)?);
        parse(&text).map_err(|invalid| self.remark(name, invalid.why)).ok()
    }

    fn written(&mut self, name: &'static str) -> Option<&'a str> {
        match self.value(name)? {
            Value::String(text) => (!text.trim().is_empty()).then_some(text),
            other => {
                self.remark(name, format_args!("is {} and not a text", type_name(other)));
                None
            }
        }
    }

    /// Returns a number parsed as `T`.
    pub fn number<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(f64) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        let value = self.value(name)?;
        match value.as_f64() {
            Some(number) => parse(number).map_err(|invalid| self.remark(name, invalid.why)).ok(),
            None => {
                self.remark(name, format_args!("is {} and not a number", type_name(value)));
                None
            }
        }
    }
}

/// Replaces NUL, which PostgreSQL stores in no text, by the replacement character.
pub(super) fn clean(text: &str) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.to_owned() }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// `callId` is `call_id` where the seed's columns leak onto the wire.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
