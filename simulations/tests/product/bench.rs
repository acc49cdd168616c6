//! The bench at its smallest: every part works, and its table has the form that others read. Figures are
//! never asserted.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Folder, server_binary};

/// How long the smallest run may take, its six databases included.
const RUN_MAX: Duration = Duration::from_secs(240);

#[tokio::test]
async fn bench_writes_every_row_beside_what_it_is_compared_with() {
    let folder = Folder::new();
    let out = folder.join("bench.json");
    let mut command =
        tokio::process::Command::from(Command::new(env!("CARGO_BIN_EXE_ringmaster-sim")));
    command
        .args(["bench", "--tiny", "--out"])
        .arg(&out)
        .arg("--server-bin")
        .arg(server_binary())
        .env_remove("PEERS")
        .kill_on_drop(true);
    let done = tokio::time::timeout(RUN_MAX, command.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");

    let table: Value = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
    for name in ["date", "model", "kernel", "postgres"] {
        assert!(table[name].is_string(), "{name}: {table}");
    }
    assert!(table["cores"].as_u64() > Some(0) && table["memory"].as_u64() > Some(0), "{table}");
    let rows = table["rows"].as_array().unwrap();
    for row in rows {
        assert!(row["name"].is_string() && row["unit"].is_string(), "{row}");
        assert!(row["value"].as_f64().is_some_and(f64::is_finite), "{row}");
        assert_eq!(row["baseline"].is_number(), row["against"].is_string(), "{row}");
    }
    let names: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    for part in ["durable webhooks", "open loop", "/ws/v1", "memory of", "kill -9", "beside"] {
        assert!(names.iter().any(|name| name.starts_with(part)), "{part}: {names:?}");
    }
}
