//! What a user would run instead, by the kit that measures it: its scripts, its generator, by turns.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use serde::Deserialize;
use tokio::process::Command;

use super::house::{CONNECTIONS, House};
use super::machine::installation;
use super::table::{Row, median};
use super::{Bench, say};

/// Calls that the kit's slower generator prepares: more than any run plays.
const CALLS: &str = "30000";
/// The slower one's own end, when its calls last longer.
const SECONDS_MIN: u64 = 2;

/// One row of the kit.
#[derive(Clone, Debug, Deserialize)]
struct Run {
    rps: f64,
    p99_ms: f64,
    #[serde(rename = "total_cpu_s_per_1000")]
    cpu_per_1000: f64,
    foreign_cpu_share: f64,
}

/// One figure of a row.
type Figure = fn(&Run) -> f64;

/// The kit, its database up. It goes down with this value.
struct Kit {
    folder: PathBuf,
    environment: Vec<(String, String)>,
}

/// Measures the kit's leanest seed beside the house, where there is a kit.
pub(super) async fn measure(bench: &mut Bench, house: &House) -> anyhow::Result<()> {
    let Some(folder) = bench.peers.clone() else { return Ok(()) };
    if let Some(missing) = missing(&folder) {
        say(format!("the peers are left out: {missing}"));
        return Ok(());
    }
    let kit = Kit::up(bench, &folder).await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=bench.scale.rounds {
        say(format!("peers, round {round} of {}", bench.scale.rounds));
        theirs.push(kit.run_seed().await?);
        ours.push(kit.run_ours(house).await?);
    }
    tabulate(bench, &ours, &theirs)
}

/// Says what has to be installed before the kit runs.
fn missing(kit: &Path) -> Option<String> {
    let is_in_path = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    if !kit.join("scripts/webhook.sh").is_file() {
        return Some(format!("{} is not the kit of peers", kit.display()));
    }
    if !is_in_path("node") || !is_in_path("redis-server") {
        return Some("install node and redis-server (and wrk, the cheaper generator)".to_owned());
    }
    let modules = kit.join("seed-stack/node_modules");
    let install =
        || format!("run `npm ci`, or else `npm install`, in {}", kit.join("seed-stack").display());
    (!modules.is_dir()).then(install)
}

impl Kit {
    /// Starts its database.
    async fn up(bench: &Bench, folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.canonicalize()?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let has_wrk = std::env::split_paths(&path).any(|folder| folder.join("wrk").is_file());
        let seconds = bench.scale.closed.as_secs().max(SECONDS_MIN).to_string();
        let run = bench.folder.path().join("peers").display().to_string();
        let programs = installation().await?.folder.display().to_string();
        let environment = [
            ("PEERS_RUN", run.as_str()),
            ("PGBIN", programs.as_str()),
            ("GEN", if has_wrk { "wrk" } else { "loadgen" }),
            ("CONNS", &CONNECTIONS.to_string()),
            ("SECS", &seconds),
            ("SECONDS", &seconds),
            ("SECONDS_MAX", &seconds),
            ("CALLS", CALLS),
            ("SOCKETIO", "0"),
            ("NO_QUIET", "1"),
            ("NODE_ENV", "production"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let kit = Self { folder, environment: environment.into() };
        kit.call("bash", &["scripts/up.sh"], &[]).await?;
        Ok(kit)
    }

    /// Runs its seed once: lean `pg`, one process, a fresh schema.
    async fn run_seed(&self) -> anyhow::Result<Run> {
        let script = ["scripts/webhook.sh", "seed", "1", "node", "seed-stack/server.mjs"];
        row(&self.call("bash", &script, &[]).await?)
    }

    /// Runs its generator against the house.
    async fn run_ours(&self, house: &House) -> anyhow::Result<Run> {
        let target = house.target();
        // The kit adds up whole trees: the database, a child of the server, must not be named again.
        let server = house.pid().context("no server runs")?;
        let more = [
            ("BASE", target.url.as_str()),
            ("WH_SECRET", &target.secret),
            ("PROCS", &format!("server={server}")),
            ("LABEL", "ours"),
        ];
        row(&self.call("node", &["gen/run-webhook.mjs"], &more).await?)
    }

    async fn call(
        &self,
        program: &str,
        arguments: &[&str],
        more: &[(&str, &str)],
    ) -> anyhow::Result<String> {
        let done = Command::new(program)
            .args(arguments)
            .current_dir(&self.folder)
            .envs(self.environment.iter().cloned())
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        let (said, complained) =
            (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        ensure!(done.status.success(), "{arguments:?} of the kit failed:\n{said}{complained}");
        Ok(said.into_owned())
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        let mut down = std::process::Command::new("bash");
        down.arg("scripts/down.sh").current_dir(&self.folder).envs(self.environment.clone());
        let _gone_already = down.stdin(Stdio::null()).status();
    }
}

/// Reads the row among what a script said.
fn row(said: &str) -> anyhow::Result<Run> {
    let found = said.lines().find_map(|line| serde_json::from_str(line).ok());
    found.with_context(|| format!("the kit says no row:\n{said}"))
}

fn tabulate(bench: &mut Bench, ours: &[Run], theirs: &[Run]) -> anyhow::Result<()> {
    let of = |runs: &[Run], figure: Figure| median(runs.iter().map(figure));
    let shared: Figure = |run| run.foreign_cpu_share;
    let foreign = of(ours, shared).max(of(theirs, shared));
    let figures: [(&str, &str, Figure); 3] = [
        ("rate", "1/s", |run| run.rps),
        ("p99", "ms", |run| run.p99_ms),
        ("CPU a 1,000, server and database", "s", |run| run.cpu_per_1000),
    ];
    for (name, unit, figure) in figures {
        let name = format!("durable webhooks by the kit's generator: {name}");
        let row = Row::new(name, of(ours, figure), unit).foreign(foreign);
        bench.table.add(row.against("the seed on lean pg, 1 process", of(theirs, figure)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_is_found_among_what_else_is_said() {
        let said = "CREATE\n{\"label\":\"seed\",\"rps\":2000.5,\"p99_ms\":49.1,\
            \"total_cpu_s_per_1000\":0.75,\"foreign_cpu_share\":0.02}\nended|12\n";
        assert_eq!(row(said).unwrap().rps, 2000.5);
        assert!(row("nothing").is_err());
    }

    #[test]
    fn what_is_no_kit_is_told_from_one() {
        let folder = tempfile::tempdir().unwrap();
        assert!(missing(folder.path()).unwrap().contains("not the kit"));
    }
}
