//! The drivers: one task a call, which tells its events until each is acknowledged.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::history::{Event, Outcome};
use super::sender::Sender;
use crate::dice::{Purpose, dice};
use crate::engine::CallBody;
use crate::load::{Mix, Story, events};
use crate::units::Rate;

/// Over how long the calls of one round begin.
pub(super) const BURST: Duration = Duration::from_millis(1_200);
/// The longest pause between two events of a call, in ms.
const GAP_MS_MAX: u64 = 40;
/// The longest pause before an event is told again, in ms.
const AGAIN_MS_MAX: u64 = 250;
/// How long an event is told again and again.
const PATIENCE: Duration = Duration::from_secs(90);
/// Of so many events whose fate is unknown, one is not told again: it stays unknown.
const GIVES_UP_ONE_IN: u32 = 12;
/// One event of so many is told once more, later, to whoever has the turn then.
const ECHO_ONE_IN: u32 = 6;
/// The longest wait before that, in ms.
const ECHO_MS_MAX: u64 = 2_500;

/// Starts the calls numbered `calls`; each ends when all of it is told.
pub(super) fn begin(
    sender: &Sender,
    seed: u64,
    calls: std::ops::Range<u64>,
    begun_at: DateTime<Utc>,
) -> JoinSet<()> {
    let mix = Mix {
        seed,
        duplicates: Rate::percent(5),
        reorder: Rate::percent(4),
        with_application: true,
        story: Story::Whole,
        begun_at,
    };
    let mut tasks = JoinSet::new();
    for number in calls {
        tasks.spawn(play(sender.clone(), mix, number));
    }
    tasks
}

async fn play(sender: Sender, mix: Mix, number: u64) {
    let mut dice = dice(mix.seed, Purpose::Driver, number);
    sleep(BURST.mul_f64(dice.random::<f64>())).await;
    let mut echoes = Vec::new();
    let mut turn: usize = dice.random_range(0..2);
    for body in events(&mix, number) {
        let Some(event) = event_of(body) else { continue };
        deliver(&sender, &event, &mut turn, &mut dice).await;
        if dice.random_ratio(1, ECHO_ONE_IN) {
            echoes.push(event);
        }
        sleep(Duration::from_millis(dice.random_range(0..GAP_MS_MAX))).await;
    }
    for event in echoes {
        sleep(Duration::from_millis(dice.random_range(0..ECHO_MS_MAX))).await;
        deliver(&sender, &event, &mut turn, &mut dice).await;
    }
}

/// Tells an event, by turns to each server, until one has it.
async fn deliver(sender: &Sender, event: &Event, turn: &mut usize, dice: &mut ChaCha8Rng) {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        *turn += 1;
        match sender.push(event, sender.turn(*turn)).await {
            Outcome::Ok { .. } => return,
            Outcome::Info(_) if dice.random_ratio(1, GIVES_UP_ONE_IN) => return,
            Outcome::Info(_) | Outcome::Fail(_) => {}
        }
        sleep(Duration::from_millis(dice.random_range(10..AGAIN_MS_MAX))).await;
    }
}

/// Reads what an event says from its own bytes.
pub(super) fn event_of(body: bytes::Bytes) -> Option<Event> {
    let read: CallBody = serde_json::from_slice(&body).ok()?;
    Some(Event {
        transcript_chars: read.transcript.as_deref().map_or(0, |text| text.chars().count()),
        id: read.event_id,
        call_id: read.call_id,
        status: read.status,
        body,
    })
}
