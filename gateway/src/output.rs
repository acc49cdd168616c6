//! What is said on the standard output (the ready line, a token, an answer; logs go elsewhere), and how
//! a failure is said.

/// Writes one line.
#[expect(clippy::print_stdout, reason = "the one place that writes what a command answers")]
pub fn line(text: &str) {
    println!("{text}");
}

/// Says a failure with its causes in one line; what a cause repeats of the one before is said once.
pub fn sentence(failure: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in failure.chain().map(ToString::to_string) {
        if said.ends_with(&cause) {
            continue;
        }
        if !said.is_empty() {
            said.push_str(": ");
        }
        said.push_str(&cause);
    }
    said.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::sentence;

    #[test]
    fn failure_is_one_line_that_repeats_nothing() {
        let failure = anyhow!("refused").context("no answer: refused").context("PORT\n  (--port)");
        assert_eq!(sentence(&failure), "PORT (--port): no answer: refused");
    }
}
