//! Standard output: the data a command was asked for. Everything else goes to standard error.

use std::fmt::Display;

use serde::Serialize;

/// Writes one line.
#[expect(clippy::print_stdout, reason = "this is the tool's standard output")]
pub(crate) fn line(text: impl Display) {
    println!("{text}");
}

/// Writes one JSON object on one line.
///
/// # Errors
/// When the value cannot be written as JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string(value)?);
    Ok(())
}
