//! How long each phase of an interview may last, and when the engine is asked.

use chrono::{DateTime, Duration, Utc};

use super::state::{Dial, Dialing, Interview, Live, LiveStatus, Over, Phase, Silence, Watch};

/// Minutes a call may be queued without news before we ask. Source: ours; the engine dials within seconds.
pub const QUEUED_MINUTES_MAX: i64 = 10;

/// Minutes a call may ring without news before we ask. Source: ours; carriers give up after about one.
pub const RINGING_MINUTES_MAX: i64 = 5;

/// Minutes a call may be in progress without news before we ask. Source: ours; the longest call is two hours.
pub const IN_PROGRESS_MINUTES_MAX: i64 = 130;

/// Hours of asking in vain after which a call ends as unknown. Source: ours.
pub const GIVE_UP_HOURS: i64 = 24;

/// Minutes an ended call may lack its transcript before its screening hears of it as too short.
/// Source: the design, which the seed's providers made necessary.
pub const TRANSCRIPT_PATIENCE_MINUTES: i64 = 10;

/// Hours after the end for which a missing transcript is asked for. Source: as above.
pub const TRANSCRIPT_WATCH_HOURS: i64 = 24;

/// Hours after the order in which a dial must have been sent, else it is cancelled. Source: ours; longer
/// than the longest closed window.
pub const DIAL_PLANNED_HOURS_MAX: i64 = 24;

/// Hours after a dial in doubt was first sent in which its fate must be known. Source: ours; the engine
/// forgets an idempotency key after 24 h, so nothing may be sent again later.
pub const DIAL_DOUBT_HOURS_MAX: i64 = 20;

/// Seconds a dial may take to leave us. Source: ours.
pub const DIAL_SEND_TIMEOUT_S: i64 = 10;

/// Minutes to the first, second, … question about a call that nobody reports on; the last one repeats.
const OVERDUE_DELAYS_MINUTES: [i64; 6] = [0, 1, 2, 5, 10, 15];

/// Seconds to the first, second, … question for a missing transcript; the last one repeats.
const TRANSCRIPT_DELAYS_S: [i64; 5] = [15, 15, 30, 60, 120];

/// Minutes between questions for a transcript that did not come in time.
const TRANSCRIPT_LATE_DELAY_MINUTES: i64 = 60;

impl Interview {
    pub(super) fn deadline(&self) -> Option<DateTime<Utc>> {
        match &self.phase {
            Phase::Absent | Phase::Deleted(_) => None,
            Phase::Dialing(dialing) => Some(dialing.deadline()),
            Phase::Live(live) => Some(live.deadline()),
            Phase::Over(over) => over.deadline(),
        }
    }
}

impl Dialing {
    /// Returns when its fate must be known.
    pub fn deadline(&self) -> DateTime<Utc> {
        match self.dial {
            Dial::Planned { .. } => self.ordered_at + Duration::hours(DIAL_PLANNED_HOURS_MAX),
            Dial::Sending { first_at, .. }
            | Dial::Unsure { first_at, .. }
            | Dial::Resending { first_at, .. }
            | Dial::Deferred { first_at, .. } => first_at + Duration::hours(DIAL_DOUBT_HOURS_MAX),
        }
    }
}

impl Live {
    fn deadline(&self) -> DateTime<Utc> {
        match self.silence {
            Silence::Fine => self.since + Duration::minutes(self.status.minutes_max()),
            Silence::Overdue { since, .. } => since + Duration::hours(GIVE_UP_HOURS),
        }
    }

    /// Plans the next question, where one is wanted.
    pub fn plan_fetch(&mut self, at: DateTime<Utc>) {
        let delay = match self.silence {
            Silence::Fine => None,
            Silence::Overdue { misses, .. } => {
                Some(Duration::minutes(step(&OVERDUE_DELAYS_MINUTES, misses)))
            }
        };
        self.call.fetch.plan(delay, at);
    }
}

impl LiveStatus {
    const fn minutes_max(self) -> i64 {
        match self {
            Self::Queued => QUEUED_MINUTES_MAX,
            Self::Ringing => RINGING_MINUTES_MAX,
            Self::InProgress => IN_PROGRESS_MINUTES_MAX,
        }
    }
}

impl Over {
    fn deadline(&self) -> Option<DateTime<Utc>> {
        match self.watch {
            Watch::Settled => None,
            Watch::Awaiting { since, .. } => {
                Some(since + Duration::minutes(TRANSCRIPT_PATIENCE_MINUTES))
            }
            Watch::Late { since } => Some(since + Duration::hours(TRANSCRIPT_WATCH_HOURS)),
        }
    }

    /// Plans the next question, where one is wanted.
    pub fn plan_fetch(&mut self, at: DateTime<Utc>) {
        let delay = match self.watch {
            Watch::Settled => None,
            Watch::Awaiting { misses, .. } => {
                Some(Duration::seconds(step(&TRANSCRIPT_DELAYS_S, misses)))
            }
            Watch::Late { .. } => Some(Duration::minutes(TRANSCRIPT_LATE_DELAY_MINUTES)),
        };
        self.call.fetch.plan(delay.filter(|_| self.call_id.is_some()), at);
    }
}

/// Returns the `index`-th delay; the last one repeats.
fn step(delays: &[i64], index: u32) -> i64 {
    let index = usize::try_from(index).unwrap_or(usize::MAX).min(delays.len() - 1);
    delays[index]
}
