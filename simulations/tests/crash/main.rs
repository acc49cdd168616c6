//! A short crash run: servers and their database are killed under load, and nothing is wrong after.
//!
//! It runs on a database of its own, because that one is killed too. `ringmaster-sim crash` runs longer.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as it does")]

use std::path::Path;

use simulations::clock::Speed;
use simulations::crash::{self, CONVERGES_WITHIN, Fault, Settings};
use simulations::product::built_binary;

#[tokio::test(flavor = "multi_thread")]
async fn crashes_of_server_postmaster_and_twin_lose_and_double_nothing() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let settings = Settings {
        folder: folder.path().join("crash"),
        server_binary: built_binary(Path::new(env!("CARGO_BIN_EXE_ringmaster-sim"))).unwrap(),
        rounds: 3,
        limit: None,
        calls: 120,
        candidates: 8,
        placed: 30,
        seed: 7,
        speed: Speed::new(600.0).unwrap(),
        faults: vec![Fault::Server, Fault::Postmaster, Fault::Pair],
        has_failpoints: false,
        planted: None,
        converges_within: CONVERGES_WITHIN,
    };
    let report = crash::run(settings, &|line| eprintln!("{line}")).await.unwrap();
    for line in report.checks() {
        eprintln!("{line}");
    }
    eprintln!("{report}");
    if !report.is_clean() {
        let kept = folder.keep();
        panic!("what is wrong stands above; the seed is 7, the history in {}", kept.display());
    }
    assert!(report.kills >= 3, "one of them may be killed again while it comes back");
    assert!(report.acknowledged > 400, "{} events are no load", report.acknowledged);
    assert!(report.dials > 0, "nobody was rung");
    assert!(report.placings.rung >= 20, "{:?}", report.placings);
}
