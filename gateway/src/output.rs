//! What is said on the standard output: the ready line, a token, an answer. Logs go elsewhere.

/// Writes one line.
#[expect(clippy::print_stdout, reason = "the one place that writes what a command answers")]
pub fn line(text: &str) {
    println!("{text}");
}
