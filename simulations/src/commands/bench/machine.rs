//! On what machine a table came about: without it the figures say nothing.

use std::fs;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use persistence::embedded::Installation;
use serde::Serialize;

/// The machine and the day.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    /// When the run began.
    pub date: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// What the processor calls itself.
    pub model: String,
    /// Bytes.
    pub memory: u64,
    /// The kernel's release.
    pub kernel: String,
    /// The version of the embedded database.
    pub postgres: String,
}

/// Reads what there is to be said.
pub(super) async fn describe(now: DateTime<Utc>) -> anyhow::Result<Machine> {
    let after = |path: &str, name: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        line.map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned()).unwrap_or_default()
    };
    let kib = after("/proc/meminfo", "MemTotal");
    let kib: u64 = kib.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Ok(Machine {
        date: now.to_rfc3339_opts(SecondsFormat::Secs, true),
        cores: std::thread::available_parallelism()?.get(),
        model: after("/proc/cpuinfo", "model name"),
        memory: kib * 1024,
        kernel: kernel.trim().to_owned(),
        postgres: installation().await?.version,
    })
}

/// Finds the PostgreSQL that the houses run.
pub(super) async fn installation() -> anyhow::Result<Installation> {
    let asked = std::env::var_os("RINGMASTER_PG_BIN");
    Ok(Installation::find(asked.as_deref().map(Path::new)).await?)
}
