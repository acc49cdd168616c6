//! A short crash run: servers and their database are killed under load, and nothing is wrong after.
//!
//! It runs on a database of its own, because that one is killed too. `ringmaster-sim crash` runs longer.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as it does")]

use std::path::{Path, PathBuf};

use simulations::clock::Speed;
use simulations::crash::{self, CONVERGES_WITHIN, Fault, Report, Settings};
use simulations::product::built_binary;

#[tokio::test(flavor = "multi_thread")]
async fn crashes_of_server_postmaster_and_twin_lose_and_double_nothing() {
    let report = run(Settings {
        rounds: 3,
        calls: 120,
        candidates: 8,
        speed: Speed::new(600.0).unwrap(),
        faults: vec![Fault::Server, Fault::Postmaster, Fault::Pair],
        ..settings()
    })
    .await;
    assert!(report.kills >= 3, "one of them may be killed again while it comes back");
    assert!(report.acknowledged > 400, "{} events are no load", report.acknowledged);
    assert!(report.dials > 0, "nobody was rung");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_asked_for_while_the_server_is_killed_ring_once_each() {
    let report = run(Settings { rounds: 2, placed: 40, ..settings() }).await;
    assert!(report.kills >= 2, "{}", report.kills);
    let placings = report.placings;
    assert_eq!((placings.asked, placings.rung_twice, placings.endless), (40, 0, 0), "{placings:?}");
    assert!(placings.rung >= 30 && placings.unanswered > 0, "{placings:?}");
}

fn settings() -> Settings {
    Settings {
        folder: PathBuf::new(),
        server_binary: built_binary(Path::new(env!("CARGO_BIN_EXE_ringmaster-sim"))).unwrap(),
        rounds: 1,
        limit: None,
        calls: 0,
        candidates: 0,
        placed: 0,
        seed: 7,
        // A dial has 100 ms to leave in, which a busy machine keeps too.
        speed: Speed::new(100.0).unwrap(),
        faults: vec![Fault::Server],
        has_failpoints: false,
        planted: None,
        converges_within: CONVERGES_WITHIN,
    }
}

/// Runs in a folder of its own, which is kept where something is wrong.
async fn run(settings: Settings) -> Report {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let settings = Settings { folder: folder.path().join("crash"), ..settings };
    let report = crash::run(settings, &|line| eprintln!("{line}")).await.unwrap();
    for line in report.checks() {
        eprintln!("{line}");
    }
    eprintln!("{report}");
    if !report.is_clean() {
        let kept = folder.keep();
        panic!("what is wrong stands above; the seed is 7, the history in {}", kept.display());
    }
    report
}
