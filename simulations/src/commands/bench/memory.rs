//! What a live actor holds, and what is given back when actors rest.

use std::time::Duration;

use anyhow::Context;
use simulations::clock::{SimClock, Speed};
use simulations::product::{Feed, WorldTime};

use super::house::{House, Program, Shot};
use super::meter::Memory;
use super::table::Row;
use super::{Bench, say};

/// How long an idle actor stays, by the server's clock. Source: `passivate_after` of the tree.
const PASSIVATED_AFTER: Duration = Duration::from_secs(600);
/// What that takes here at least, in real time.
const WINDOW_MIN: Duration = Duration::from_secs(15);
/// Webhooks a second that even a busy machine takes.
const RATE_MIN: f64 = 1_500.0;
/// Calls told of at once, until the feed's ring is full.
const FILL: u64 = 10_000;
/// What a live actor may hold, in bytes.
const ACTOR_TARGET: f64 = 12.0 * 1024.0;
const MIB: f64 = 1_048_576.0;

/// Measures a house before a wave of calls, with them, and after they were passivated.
pub(super) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let time = fast(bench)?;
    let house = House::open(bench, "memory", Program::Server, Some(time)).await?;
    let pid = house.pid().context("no server runs")?;
    let fresh = Memory::of(pid)?;
    say("memory: filling the ring of the feed");
    let filled = fill(bench, &house).await?;
    let before = Memory::of(pid)?;
    let calls = bench.scale.live;
    say(format!("memory: {calls} calls in progress"));
    let wave = Shot::talking(calls).at(bench, &house.target()).await?;
    let (with, live) = (Memory::of(pid)?, house.live().await?);
    let rested = (live < filled + calls).then(|| format!("{live} actors are live: some rest"));
    say("memory: waiting until all of them rest");
    house.wait_for_live(|live| live == 0).await?;
    let after = Memory::of(pid)?;
    house.close().await?;

    let usage = wave.usage;
    let grown = |memory: Counted| (memory(with) as f64 - memory(before) as f64).max(0.0);
    for (name, memory) in kinds() {
        let each = grown(memory) / calls as f64;
        let row = Row::new(format!("memory of one of {calls} live actors, {name}"), each, "bytes");
        let row = row.against("target", ACTOR_TARGET).during(usage);
        bench.table.add(row.note(rested.clone().or_else(|| wave.note())))?;
    }
    let all = filled + calls;
    for (name, memory) in kinds() {
        let mib = |of: Memory| memory(of) as f64 / MIB;
        let held = |what: &str, value: f64| {
            Row::new(format!("memory of the server, {name}: {what}"), value, "MiB")
        };
        bench.table.add(held("just started", mib(fresh)))?;
        let live = held(&format!("{all} live actors, the feed's ring full"), mib(with));
        bench.table.add(live.against("just started", mib(fresh)))?;
        let resting = held(&format!("after all {all} were passivated"), mib(after));
        bench.table.add(resting.against("with all of them live", mib(with)))?;
    }
    Ok(())
}

/// One of the two ways to count.
type Counted = fn(Memory) -> u64;

fn kinds() -> [(&'static str, Counted); 2] {
    [("PSS", |memory| memory.pss), ("RSS", |memory| memory.rss)]
}

/// Returns a clock so fast that actors rest soon, but not before they were measured.
fn fast(bench: &Bench) -> anyhow::Result<WorldTime> {
    let calls = bench.scale.live as f64 + bench.scale.ring as f64;
    let window = WINDOW_MIN + Duration::from_secs_f64(calls / RATE_MIN);
    let speed = Speed::new(PASSIVATED_AFTER.as_secs_f64() / window.as_secs_f64())?;
    let clock = SimClock::starting_at(bench.clock.now(), speed);
    Ok(WorldTime { anchor: clock.moment(), speed })
}

/// Tells of calls until the ring holds no more facts; answers of how many.
async fn fill(bench: &mut Bench, house: &House) -> anyhow::Result<u64> {
    let mut calls = 0;
    while Feed::open(&house.base(), house.token()).await?.seq < bench.scale.ring {
        Shot::talking(FILL).at(bench, &house.target()).await?;
        calls += FILL;
    }
    Ok(calls)
}
