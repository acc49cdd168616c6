//! The closed loop: durable webhooks a second, beside what they cannot exceed.

use super::house::{CONNECTIONS, House, Measured, Program, Shot, Target};
use super::replay::{Replay, Replayed};
use super::table::{Row, median};
use super::{Bench, say};
use crate::commands::load::nothing;

/// The ceilings.
const UNWRITTEN: &str = "the same route without the journal";
const REPLAYED: &str = "the same rows without the route";
const GENERATOR: &str = "the generator alone";

#[derive(Default)]
struct Rounds {
    durable: Vec<Measured>,
    unwritten: Vec<Measured>,
    generator: Vec<Measured>,
    replayed: Vec<Replayed>,
}

/// Measures the house and its ceilings by turns.
pub(super) async fn measure(bench: &mut Bench, house: &House) -> anyhow::Result<()> {
    let bare = House::open(bench, "unwritten", Program::Unwritten, None).await?;
    let replay = Replay::open(bench).await?;
    let url = nothing().await?;
    let idle = Target { url, secret: "none".to_owned(), processes: Vec::new() };
    let rounds = rounds(bench, house, &bare, &replay, &idle).await?;
    replay.close().await?;
    bare.close().await?;
    tabulate(bench, &rounds)
}

async fn rounds(
    bench: &mut Bench,
    house: &House,
    bare: &House,
    replay: &Replay,
    idle: &Target,
) -> anyhow::Result<Rounds> {
    let (closed, recorded) = (Shot::closed(bench.scale.closed), bench.scale.recorded);
    let warm_up = Shot::closed(bench.scale.warm_up);
    say("warming up");
    for target in [&house.target(), &bare.target(), idle] {
        warm_up.at(bench, target).await?;
    }
    replay.run(bench, recorded / 4).await?;
    let mut rounds = Rounds::default();
    for round in 1..=bench.scale.rounds {
        say(format!("closed loop, round {round} of {}", bench.scale.rounds));
        rounds.durable.push(closed.at(bench, &house.target()).await?);
        rounds.unwritten.push(closed.at(bench, &bare.target()).await?);
        rounds.replayed.push(replay.run(bench, recorded).await?);
        rounds.generator.push(closed.at(bench, idle).await?);
    }
    Ok(rounds)
}

fn tabulate(bench: &mut Bench, rounds: &Rounds) -> anyhow::Result<()> {
    let Rounds { durable, unwritten, generator, replayed } = rounds;
    let of = |rows: &[Measured], figure: fn(&Measured) -> f64| median(rows.iter().map(figure));
    let of_replay = |figure: fn(&Replayed) -> f64| median(replayed.iter().map(figure));
    let rate: fn(&Measured) -> f64 = |measured| measured.report.rate;
    let cpu: fn(&Measured) -> f64 = Measured::cpu_per_1000;
    let p50: fn(&Measured) -> f64 = |measured| measured.report.latency_ms.p50;
    let p99: fn(&Measured) -> f64 = |measured| measured.report.latency_ms.p99;
    let foreign: fn(&Measured) -> f64 = |measured| measured.usage.foreign;
    let beside_replay = of_replay(|replayed| replayed.usage.foreign);
    let (beside_unwritten, beside_generator) = (of(unwritten, foreign), of(generator, foreign));
    let row = |what: &str, figure: fn(&Measured) -> f64, unit, beside: f64| {
        let name = format!("durable webhooks, {CONNECTIONS} connections: {what}");
        // A ratio is as noisy as the noisier of its two.
        Row::new(name, of(durable, figure), unit).foreign(of(durable, foreign).max(beside))
    };
    let note = || durable.iter().find_map(Measured::note);
    let turns = || Some(note().unwrap_or_else(|| "12 turns are one jsonb value".to_owned()));
    let rates = [
        (UNWRITTEN, of(unwritten, rate), beside_unwritten),
        (REPLAYED, of_replay(|replayed| replayed.rate), beside_replay),
        (GENERATOR, of(generator, rate), beside_generator),
    ];
    for (against, ceiling, beside) in rates {
        let rated = row("rate", rate, "1/s", beside).against(against, ceiling);
        bench.table.add(rated.note(turns()))?;
    }
    for (name, figure) in [("p50", p50), ("p99", p99)] {
        let timed = row(name, figure, "ms", beside_unwritten);
        bench.table.add(timed.against(UNWRITTEN, of(unwritten, figure)))?;
    }
    let costs = [
        (UNWRITTEN, of(unwritten, cpu), beside_unwritten),
        (REPLAYED, of_replay(|replayed| replayed.cpu_per_1000), beside_replay),
    ];
    for (against, ceiling, beside) in costs {
        let cost = row("CPU a 1,000, server and database", cpu, "s", beside);
        bench.table.add(cost.against(against, ceiling))?;
    }
    Ok(())
}
