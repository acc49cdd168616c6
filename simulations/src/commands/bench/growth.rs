//! A house with much in it beside one with little; each is killed and started again before every round.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use simulations::product::Database;
use tokio::process::Command;
use tokio::time::Instant;

use super::house::{House, Measured, Program, Shot};
use super::machine::installation;
use super::table::{Row, median};
use super::{Bench, say};

/// Makes rows as ended calls leave them, `rows` in each table.
const GROW: &str = include_str!("../../../../persistence/fixtures/grow.sql");
/// How soon after a start a webhook is answered, in seconds.
const RESTART_TARGET_S: f64 = 2.0;
/// The share of its rate that a server keeps.
const GROWTH_TARGET: f64 = 0.9;

#[derive(Default)]
struct Rounds {
    few: Vec<Measured>,
    many: Vec<Measured>,
    /// From the start of the process to the first answer.
    answered: Vec<Duration>,
    /// From the start of the process until all open calls are live again.
    rehydrated: Vec<Duration>,
}

/// Measures both houses by turns.
pub(super) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let mut few = House::open(bench, "few", Program::Server, None).await?;
    let mut many = House::open(bench, "many", Program::Server, None).await?;
    let (live_few, live, rows) = (bench.scale.live_few, bench.scale.live, bench.scale.rows);
    say(format!("growth: {rows} rows a table, {live} calls in progress"));
    grow(many.home(), rows).await?;
    Shot::talking(live).at(bench, &many.target()).await?;
    Shot::talking(live_few).at(bench, &few.target()).await?;
    let mut rounds = Rounds::default();
    for round in 1..=bench.scale.rounds {
        say(format!("growth, round {round} of {}", bench.scale.rounds));
        start_again(bench, &mut few, live_few).await?;
        rounds.few.push(loaded(bench, &few).await?);
        let (answered, rehydrated) = start_again(bench, &mut many, live).await?;
        rounds.answered.push(answered);
        rounds.rehydrated.push(rehydrated);
        rounds.many.push(loaded(bench, &many).await?);
    }
    few.close().await?;
    many.close().await?;
    tabulate(bench, &rounds)
}

/// Kills the server and waits until it is as it was; answers how long the first answer and all of it took.
async fn start_again(
    bench: &mut Bench,
    house: &mut House,
    live: u64,
) -> anyhow::Result<(Duration, Duration)> {
    let answered = house.restart(bench).await?;
    let began = Instant::now();
    house.wait_for_live(|now| now >= live).await?;
    Ok((answered, answered + began.elapsed()))
}

async fn loaded(bench: &mut Bench, house: &House) -> anyhow::Result<Measured> {
    let target = house.target();
    Shot::closed(bench.scale.warm_up).at(bench, &target).await?;
    Shot::closed(bench.scale.closed).at(bench, &target).await
}

fn tabulate(bench: &mut Bench, rounds: &Rounds) -> anyhow::Result<()> {
    let (live_few, live, rows) = (bench.scale.live_few, bench.scale.live, bench.scale.rows);
    let rate = |loads: &[Measured]| median(loads.iter().map(|load| load.report.rate));
    let p99 = |loads: &[Measured]| median(loads.iter().map(|load| load.report.latency_ms.p99));
    let foreign = median(rounds.many.iter().map(|load| load.usage.foreign));
    let note = rounds.many.iter().find_map(Measured::note);
    let name = |what: &str| format!("beside {live} live actors, {rows} rows a table: {what}");
    let beside = format!("beside {live_few} live actors and no rows");
    let against = format!("{beside}; target: ratio {GROWTH_TARGET}");
    let row = Row::new(name("rate"), rate(&rounds.many), "1/s").foreign(foreign).note(note);
    bench.table.add(row.against(against, rate(&rounds.few)))?;
    let row = Row::new(name("p99"), p99(&rounds.many), "ms").foreign(foreign);
    bench.table.add(row.against(beside, p99(&rounds.few)))?;

    let seconds = |times: &[Duration]| median(times.iter().map(Duration::as_secs_f64));
    let name = |what: &str| format!("kill -9 with {live} open calls: {what}");
    let row = Row::new(name("start to first 200"), seconds(&rounds.answered), "s");
    bench.table.add(row.against("target", RESTART_TARGET_S))?;
    let rehydrated = seconds(&rounds.rehydrated);
    bench.table.add(Row::new(name("start to all rehydrated"), rehydrated, "s"))
}

/// Fills the tables of a home.
async fn grow(home: &Path, rows: u64) -> anyhow::Result<()> {
    let database = Database::of(home);
    let sockets = database.sockets().context("the home has no database")?;
    let script = home.with_file_name("grow.sql");
    std::fs::write(&script, GROW)?;
    let psql = installation().await?.folder.join("psql");
    let done = Command::new(&psql)
        .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--set"])
        .arg(format!("rows={rows}"))
        .args(["--username", "ringmaster", "--dbname", "ringmaster", "--host"])
        .arg(sockets)
        .arg("--file")
        .arg(&script)
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot run {}", psql.display()))?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "the tables cannot be filled: {said}");
    Ok(())
}
