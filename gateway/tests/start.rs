//! The program as somebody starts it who got a setting wrong: it says which one, in one line.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as it does")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Runs the program with this environment and no other.
fn run(home: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ringmaster"))
        .args(arguments)
        .env_clear()
        .env("RINGMASTER_HOME", home.join("home"))
        .env("RUST_LOG", "error")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Returns what it said of its failure: exactly one line.
fn said(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), arguments, environment);
    assert!(!output.status.success(), "{environment:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    said.trim_end().to_owned()
}

/// The message of a line of the log.
fn logged(environment: &[(&str, &str)]) -> String {
    let line: Value = serde_json::from_str(&said(&["serve"], environment)).unwrap();
    line["message"].as_str().unwrap().to_owned()
}

#[test]
fn start_that_fails_names_its_setting_once() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (address, port) = (address.to_string(), address.port().to_string());
    for (environment, beginning) in [
        (
            vec![("RINGMASTER_LISTEN", address.as_str())],
            format!("the server ends: RINGMASTER_LISTEN (--listen): cannot listen on {address}: "),
        ),
        (
            vec![("PORT", port.as_str())],
            format!("the server ends: PORT (--port): cannot listen on {address}: "),
        ),
        (
            vec![("PORT", "0"), ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")],
            "the server ends: DATABASE_URL (--database-url): the database is away: ".to_owned(),
        ),
        (
            vec![("PORT", "0"), ("DATABASE_URL", "postgres://host:port:0/")],
            "the server ends: DATABASE_URL (--database-url): ".to_owned(),
        ),
        (
            vec![("PORT", "0"), ("RINGMASTER_PG_BIN", "/nowhere/at/all")],
            "the server ends: RINGMASTER_PG_BIN (--pg-bin): no postgresql 15 or later was found in \
             /nowhere/at/all: "
                .to_owned(),
        ),
    ] {
        let message = logged(&environment);
        assert!(message.starts_with(&beginning), "{message}");
        let (_, last) = message.rsplit_once(": ").unwrap();
        assert_eq!(message.matches(last).count(), 1, "{message}");
    }
}

#[test]
fn without_a_log_it_is_a_line_of_its_own() {
    let quiet = [("RUST_LOG", "off"), ("PORT", "0"), ("RINGMASTER_PG_BIN", "/nowhere")];
    let said = said(&["serve"], &quiet);
    assert!(said.starts_with("ringmaster: RINGMASTER_PG_BIN (--pg-bin): "), "{said}");
}

#[test]
fn setting_of_the_environment_that_does_not_parse_is_named_as_it_stands_there() {
    for (name, value, beginning) in [
        ("PORT", "80x", "ringmaster: PORT (--port) is \"80x\": "),
        (
            "RINGMASTER_LISTEN",
            "here",
            "ringmaster: RINGMASTER_LISTEN (--listen) is \"here\": must be",
        ),
        (
            "MR_HIRE_BACKEND_URL",
            "x",
            "ringmaster: MR_HIRE_BACKEND_URL (--engine-url) is \"x\": must",
        ),
        (
            "RINGMASTER_LOG_FORMAT",
            "x",
            "ringmaster: RINGMASTER_LOG_FORMAT (--log-format) is \"x\": ",
        ),
        ("DATABASE_URL", "mysql://x", "ringmaster: DATABASE_URL (--database-url) must begin with"),
    ] {
        let said = said(&["serve"], &[(name, value)]);
        assert!(said.starts_with(beginning), "{said}");
    }
}

#[test]
fn usage_does_not_ask_for_what_the_environment_has() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [("RINGMASTER_TOKEN", "t"), ("JWT_SECRET", "k"), ("PORT", "9")];
    for (arguments, usage) in [
        (&["dialing"][..], "Usage: ringmaster dialing [OPTIONS] <VERB>"),
        (&["dialing", "stop", "--why"], "Usage: ringmaster dialing [OPTIONS] <VERB>"),
        (&["token"], "Usage: ringmaster token [OPTIONS] --role <ROLE> --sub <UUID>"),
        (&["serve", "--why"], "Usage: ringmaster serve [OPTIONS]"),
        (&["--why"], "Usage: ringmaster [OPTIONS] [COMMAND]"),
    ] {
        let output = run(folder.path(), arguments, &environment);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.lines().any(|line| line == usage), "{arguments:?}: {said}");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
