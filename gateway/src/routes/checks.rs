//! Collects what is wrong with a body, so that one answer names all of it.

use domain::InvalidValue;

use super::wrong_field;
use crate::error::{ApiError, FieldError};

/// The longest name or title, in characters.
pub(super) const NAME_CHARS_MAX: usize = 300;

/// What is wrong with the fields of one object.
#[derive(Debug)]
pub(super) struct Checks {
    /// Points at the object.
    base: String,
    errors: Vec<FieldError>,
}

impl Default for Checks {
    /// Judges the body itself.
    fn default() -> Self {
        Self::at("#".to_owned())
    }
}

impl Checks {
    /// Judges the object at `base`.
    pub fn at(base: String) -> Self {
        Self { base, errors: Vec::new() }
    }

    /// Says that `field` is wrong.
    pub fn wrong(&mut self, field: &str, message: impl Into<String>) {
        self.errors.push(wrong_field(format!("{}/{field}", self.base), message));
    }

    /// As [`Self::wrong`], with a code of its own.
    pub fn wrong_as(&mut self, code: &'static str, field: &str, message: impl Into<String>) {
        let error = wrong_field(format!("{}/{field}", self.base), message);
        self.errors.push(FieldError { code, ..error });
    }

    /// Takes what was parsed.
    pub fn take<T>(&mut self, field: &str, parsed: Result<T, InvalidValue>) -> Option<T> {
        parsed.map_err(|why| self.wrong(field, why.to_string())).ok()
    }

    /// Bounds a text.
    pub fn text(&mut self, field: &str, text: &str, chars_max: usize) {
        if text.chars().count() > chars_max {
            self.wrong(field, format!("{field} is longer than {chars_max} characters"));
        }
    }

    /// Bounds a name or a title, which is not blank.
    pub fn filled(&mut self, field: &str, text: &str) {
        if text.trim().is_empty() {
            self.wrong(field, format!("{field} is blank"));
        }
        self.text(field, text, NAME_CHARS_MAX);
    }

    /// Ends here unless nothing was wrong.
    ///
    /// # Errors
    /// [`ApiError`] with everything that was.
    pub fn passed(self) -> Result<(), ApiError> {
        if self.is_clean() { Ok(()) } else { Err(self.refusal()) }
    }

    /// Whether nothing was wrong.
    pub fn is_clean(&self) -> bool {
        self.errors.is_empty()
    }

    /// Makes the answer of what was wrong.
    pub fn refusal(self) -> ApiError {
        ApiError::invalid_all(self.errors)
    }

    /// Returns what was wrong.
    pub fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }
}
