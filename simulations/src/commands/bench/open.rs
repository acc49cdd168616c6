//! The open loop: so many webhooks a second, whatever the answers do.

use simulations::load::Pace;

use super::house::{House, Shot};
use super::table::Row;
use super::{Bench, say};

/// Connections of an open loop: a stall must not keep the next event from being due.
const CONNECTIONS: usize = 128;
/// What the 99th percentile may be at each of the two rates, in ms.
const P99_TARGETS_MS: [f64; 2] = [5.0, 20.0];

/// Measures each rate, latencies counted from the intended moment.
pub(super) async fn measure(bench: &mut Bench, house: &House) -> anyhow::Result<()> {
    let seconds = bench.scale.open;
    for (rate, target_ms) in bench.scale.open_rates.into_iter().zip(P99_TARGETS_MS) {
        say(format!("open loop: {rate} webhooks a second for {seconds:?}"));
        let closed = Shot::closed(seconds);
        let shot = Shot { pace: Pace::Rate(rate), connections: CONNECTIONS, ..closed };
        let measured = shot.at(bench, &house.target()).await?;
        let (latency, usage) = (&measured.report.latency_ms, measured.usage);
        let name = |what: &str| format!("open loop, {rate}/s for {seconds:?}: {what}");
        let kept = Row::new(name("answered"), measured.report.rate, "1/s");
        let kept = kept.against("the rate asked", rate).note(measured.note());
        bench.table.add(kept.during(usage))?;
        bench.table.add(Row::new(name("p50"), latency.p50, "ms").during(usage))?;
        let p99 = Row::new(name("p99"), latency.p99, "ms").against("target", target_ms);
        bench.table.add(p99.during(usage))?;
        bench.table.add(Row::new(name("p99.9"), latency.p999, "ms").during(usage))?;
        let cpu = measured.cpu_per_1000();
        bench.table.add(Row::new(name("CPU a 1,000"), cpu, "s").during(usage))?;
    }
    Ok(())
}
