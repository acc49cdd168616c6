//! The live feed: how late a thousand screens see what was decided.

use std::time::Duration;

use anyhow::ensure;
use chrono::{DateTime, Utc};
use hdrhistogram::Histogram;
use simulations::clock::SimClock;
use simulations::load::{Latency, Pace};
use simulations::product::{Event, Feed, Frame};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::house::{House, Shot};
use super::meter::Meter;
use super::table::Row;
use super::{Bench, say};

/// Webhooks a second during which it is watched.
const EVENTS_PER_SECOND: f64 = 200.0;
/// Every so many-th subscriber reads what it gets; all others take it in, since reading it all would
/// cost more than sending it.
const READERS_EVERY: usize = 20;
/// Subscribers that connect at once.
const CONNECT_AT_ONCE: usize = 50;
/// How long the last events may take to arrive.
const AFTERGLOW: Duration = Duration::from_millis(500);
/// Digits that the histogram keeps exactly.
const DIGITS: u8 = 3;

/// Measures the delay from decision to socket: the commit lies between, so that from commit to socket
/// is less.
pub(super) async fn measure(bench: &mut Bench, house: &House) -> anyhow::Result<()> {
    let (subscribers, time) = (bench.scale.subscribers, bench.scale.watched);
    say(format!("live feed: {subscribers} subscribers"));
    let end = CancellationToken::new();
    let mut watching = subscribe(bench, house, &end).await?;
    let shot = Shot { pace: Pace::Rate(EVENTS_PER_SECOND), ..Shot::closed(time) };
    let meter = Meter::start(&house.target().processes, &[])?;
    let load = shot.at(bench, &house.target()).await?;
    tokio::time::sleep(AFTERGLOW).await;
    let usage = meter.stop()?;
    end.cancel();
    let mut delays = Histogram::new(DIGITS)?;
    while let Some(seen) = watching.join_next().await {
        delays.add(seen??)?;
    }
    ensure!(!delays.is_empty(), "no subscriber saw anything");

    let seen = Latency::from(&delays);
    let readers = subscribers.div_ceil(READERS_EVERY) as u64;
    let rate = EVENTS_PER_SECOND;
    let name = |what: &str| format!("/ws/v1, {subscribers} on `calls`, {rate} webhooks/s: {what}");
    for (what, value) in [("p50", seen.p50), ("p99", seen.p99)] {
        let row = Row::new(name(&format!("decision to socket, {what}")), value, "ms");
        bench.table.add(row.during(usage).note(load.note()))?;
    }
    let messages = (delays.len() / readers) as f64 * subscribers as f64;
    let each = usage.cpu_s * 1e6 / messages;
    bench
        .table
        .add(Row::new(name("CPU an event and socket, webhooks included"), each, "us").during(usage))
}

/// Connects and subscribes everybody.
async fn subscribe(
    bench: &Bench,
    house: &House,
    end: &CancellationToken,
) -> anyhow::Result<JoinSet<anyhow::Result<Histogram<u64>>>> {
    let mut watching = JoinSet::new();
    let mut position = 0;
    while position < bench.scale.subscribers {
        let mut connecting = JoinSet::new();
        for _ in 0..CONNECT_AT_ONCE.min(bench.scale.subscribers - position) {
            let (base, token) = (house.base(), house.token().to_owned());
            connecting.spawn(async move {
                let mut feed = Feed::open(&base, &token).await?;
                let from = feed.seq;
                feed.subscribe("calls", Some(from)).await?;
                anyhow::Ok(feed)
            });
        }
        while let Some(feed) = connecting.join_next().await {
            let reads = position.is_multiple_of(READERS_EVERY);
            watching.spawn(watch(feed??, reads, bench.clock, end.clone()));
            position += 1;
        }
    }
    Ok(watching)
}

/// Takes in what comes until the end; a reader answers how late each event was.
async fn watch(
    mut feed: Feed,
    reads: bool,
    clock: SimClock,
    end: CancellationToken,
) -> anyhow::Result<Histogram<u64>> {
    let mut delays = Histogram::new(DIGITS)?;
    loop {
        let taken = async {
            if reads { feed.next().await.map(Some) } else { feed.pass().await.map(|()| None) }
        };
        let frame = tokio::select! {
            () = end.cancelled() => return Ok(delays),
            frame = taken => frame?,
        };
        let now = clock.now();
        match frame {
            Some(Frame::Ev { event }) => record(&mut delays, now, &event)?,
            Some(Frame::Batch { events }) => {
                for event in &events {
                    record(&mut delays, now, event)?;
                }
            }
            Some(_) | None => {}
        }
    }
}

/// An event's time is cut to the millisecond, so that a delay is shown up to one too long.
fn record(delays: &mut Histogram<u64>, now: DateTime<Utc>, event: &Event) -> anyhow::Result<()> {
    let decided: DateTime<Utc> = event.ts.parse()?;
    let delay = (now - decided).to_std().unwrap_or_default();
    Ok(delays.record(u64::try_from(delay.as_micros())?)?)
}
