//! Reading an object whose sender cannot be corrected: take what is usable, note what is not.

use domain::InvalidValue;
use serde_json::{Map, Value};

/// How many remarks are kept; a body can be wrong in more ways than anybody reads.
const REMARKS_MAX: usize = 16;

/// A JSON object being read, and what was found wrong with it.
pub(super) struct Fields<'a> {
    object: &'a Map<String, Value>,
    remarks: Vec<String>,
}

impl<'a> Fields<'a> {
    pub fn of(object: &'a Map<String, Value>) -> Self {
        Self { object, remarks: Vec::new() }
    }

    /// Returns what was found wrong, as one text.
    pub fn remarks(self) -> Option<String> {
        (!self.remarks.is_empty()).then(|| self.remarks.join("; "))
    }

    pub fn remark(&mut self, name: &str, why: impl std::fmt::Display) {
        if self.remarks.len() < REMARKS_MAX {
            self.remarks.push(format!("{name} {why}"));
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
        match self.value(name)? {
            Value::String(text) if text.trim().is_empty() => None,
            Value::String(text) => Some(clean(text)),
            other => {
                self.remark(name, format_args!("is {} and not a text", type_name(other)));
                None
            }
        }
    }

    /// Returns a text parsed as `T`.
    pub fn parsed<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        let text = self.text(name)?;
        parse(&text).map_err(|why| self.remark(name, why)).ok()
    }

    /// Returns a number parsed as `T`.
    pub fn number<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(f64) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        match self.value(name)?.as_f64() {
            Some(number) => parse(number).map_err(|why| self.remark(name, why)).ok(),
            None => {
                self.remark(name, "is not a number");
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
