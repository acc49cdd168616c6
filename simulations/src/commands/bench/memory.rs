//! What a live actor holds, and what is given back when actors rest.

use std::time::Duration;

use anyhow::Context;
use simulations::clock::{SimClock, Speed};
use simulations::product::{Feed, WorldTime};

use super::house::{House, Measured, Program, Shot};
use super::meter::Memory;
use super::table::Row;
use super::{Bench, say};

/// How long an idle actor stays, by the server's clock. Source: `passivate_after` of the tree.
const PASSIVATED_AFTER: Duration = Duration::from_secs(600);
/// Webhooks a second that even a busy machine takes.
const RATE_MIN: f64 = 1_500.0;
/// How long actors may take to let go of what they held, once they rest.
const SETTLING: Duration = Duration::from_secs(2);
/// Calls told of at once, until the feed's ring is full.
const FILL: u64 = 10_000;
/// What a live actor may hold, in bytes.
const ACTOR_TARGET: f64 = 12.0 * 1024.0;
const MIB: f64 = 1_048_576.0;

/// What the server held at each moment.
struct Held {
    fresh: Memory,
    /// With calls enough to fill the ring of the feed.
    before: Memory,
    /// With the wave beside them.
    with: Memory,
    /// When all of them rested.
    after: Memory,
    /// With a second wave as large as the first.
    again: Memory,
    /// Calls that were live with the first wave.
    live: u64,
    wave: Measured,
    /// Why the figures do not say what they should.
    note: Option<String>,
}

/// Measures a house before a wave of calls, with them, after they were passivated, and with as many again.
pub(super) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let time = fast(bench)?;
    let house = House::open(bench, "memory", Program::Server, Some(time)).await?;
    let held = waves(bench, &house).await?;
    house.close().await?;
    tabulate(bench, &held)
}

async fn waves(bench: &mut Bench, house: &House) -> anyhow::Result<Held> {
    let pid = house.pid().context("no server runs")?;
    let (fresh, calls, target) = (Memory::of(pid)?, bench.scale.live, house.target());
    say("memory: filling the ring of the feed");
    let filled = fill(bench, house).await?;
    let before = Memory::of(pid)?;
    say(format!("memory: {calls} calls in progress"));
    let wave = Shot::talking(calls).at(bench, &target).await?;
    let (with, live) = (Memory::of(pid)?, house.live().await?);
    let rested = live < filled + calls;
    let rested = rested.then(|| format!("only {live} actors were live: some rested already"));
    say("memory: waiting until all of them rest");
    house.wait_for_live(|live| live == 0).await?;
    tokio::time::sleep(SETTLING).await;
    let after = Memory::of(pid)?;
    Shot::talking(calls).at(bench, &target).await?;
    let again = Memory::of(pid)?;
    let note = rested.or_else(|| wave.note());
    Ok(Held { fresh, before, with, after, again, live, wave, note })
}

fn tabulate(bench: &mut Bench, held: &Held) -> anyhow::Result<()> {
    let Held { fresh, before, with, after, again, live, .. } = *held;
    let (calls, usage) = (bench.scale.live, held.wave.usage);
    let row = Row::new("webhooks that each begin a call: rate", held.wave.report.rate, "1/s");
    bench.table.add(row.during(usage).note(held.wave.note()))?;
    for (name, count) in kinds() {
        let grown = |from: Memory, to: Memory| count(to) as f64 - count(from) as f64;
        let mib = |of: Memory| count(of) as f64 / MIB;
        let each = grown(before, with) / calls as f64;
        let row = Row::new(format!("memory of one of {calls} live actors, {name}"), each, "bytes");
        let row = row.against("target", ACTOR_TARGET).during(usage);
        bench.table.add(row.note(held.note.clone()))?;
        let server = |what: &str, value: f64| {
            Row::new(format!("memory of the server, {name}: {what}"), value, "MiB")
        };
        bench.table.add(server("just started", mib(fresh)))?;
        let row = server(&format!("{live} live actors, the feed's ring full"), mib(with));
        bench.table.add(row.against("just started", mib(fresh)))?;
        let row = server(&format!("after all {live} were passivated"), mib(after));
        bench.table.add(row.against("with all of them live", mib(with)))?;
        let row = server(&format!("{calls} more actors then add"), grown(after, again) / MIB);
        bench.table.add(row.against("what they added at first", grown(before, with) / MIB))?;
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
    let window = bench.scale.idle_min + Duration::from_secs_f64(calls / RATE_MIN);
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
