//! What only a process of its own can show: its environment, and how it ends.
//!
//! Each test starts this test binary once more, as the child that one of the `child_` tests
//! describes; run by themselves those do nothing.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as it does")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use gateway::config::Cli;
use gateway::readiness::Readiness;
use gateway::server::{ExitPlan, watch};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const ROLE: &str = "GATEWAY_TEST_CHILD";

fn child(name: &str, environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| name.to_string_lossy().starts_with("RINGMASTER_")) {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied()).env(ROLE, name);
    command
}

fn is_child(name: &str) -> bool {
    std::env::var_os(ROLE).is_some_and(|role| role == name)
}

#[test]
fn child_prints_its_config() {
    if !is_child("child_prints_its_config") {
        return;
    }
    // The test runner's own arguments are none of ours.
    let cli = <Cli as clap::Parser>::try_parse_from(["ringmaster"]);
    match cli.map_err(anyhow::Error::from).and_then(|cli| Ok(cli.check()?)) {
        Ok((_, config)) => println!("{config:?} {:?}", config.notices()),
        Err(error) => println!("error: {error:#}"),
    }
}

fn config(environment: &[(&str, &str)]) -> String {
    let Output { stdout, .. } = child("child_prints_its_config", environment).output().unwrap();
    String::from_utf8(stdout).unwrap()
}

#[test]
fn environment_is_read_and_kept_secret() {
    let printed = config(&[
        ("PORT", "9000"),
        ("MR_HIRE_BACKEND_URL", ""),
        ("JWT_SECRET", "hunter2"),
        ("MR_HIRE_WEBHOOK_SECRET", ""),
        ("RINGMASTER_MIGRATE", "1"),
        ("REDIS_HOST", "cache"),
    ]);
    for part in ["127.0.0.1:9000", "engine: Off", "migrate: true", "webhook_secret: None"] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    for notice in ["WebhookSecretUnset", "JwtSecretShort", "EngineOff", "RedisUnused"] {
        assert!(printed.contains(notice), "{notice}: {printed}");
    }
    assert!(!printed.contains("hunter2"), "{printed}");
}

#[test]
fn misspelt_name_is_an_error() {
    let printed = config(&[("RINGMASTER_HOEM", "/tmp")]);
    assert!(printed.contains("did you mean `RINGMASTER_HOME`?"), "{printed}");
}

#[test]
fn child_hangs_after_a_signal() {
    if !is_child("child_hangs_after_a_signal") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let deadline = std::env::var("DEADLINE_MS").unwrap().parse().unwrap();
    let plan = ExitPlan {
        exit_deadline: Duration::from_millis(deadline),
        ..ExitPlan::new(Readiness::new(), CancellationToken::new())
    };
    runtime.block_on(async {
        let shutdown = plan.shutdown.clone();
        watch(plan).unwrap();
        println!("\nup");
        shutdown.cancelled().await;
        println!("\nstopping");
    });
    loop {
        std::thread::park();
    }
}

/// Starts the child that hangs, and waits until it hears signals.
fn hanging(deadline_ms: &str) -> (Child, impl Iterator<Item = String>) {
    let mut command = child("child_hangs_after_a_signal", &[("DEADLINE_MS", deadline_ms)]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "up"));
    (child, lines)
}

fn terminate(child: &Child) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
}

#[test]
fn process_that_hangs_ends_at_its_deadline() {
    let (mut child, _lines) = hanging("300");
    let since = Instant::now();
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
}

#[test]
fn second_signal_ends_it_at_once() {
    let (mut child, mut lines) = hanging("3600000");
    terminate(&child);
    assert!(lines.any(|line| line == "stopping"));
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
