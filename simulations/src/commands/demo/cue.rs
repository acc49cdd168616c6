//! Whom the server is asked to call when: a first hour from the script, and after it whoever is awake.

use chrono::{DateTime, TimeDelta, Utc};
use simulations::cast::{self, Candidate, Home};
use simulations::engine::{Engine, World};
use simulations::product::{Api, ApiError};

/// Over how much of the first hour its calls begin. Who is not reached in it is rung 4 and then 8
/// hours later, which just fits into a day.
const FIRST_CALLS: TimeDelta = TimeDelta::minutes(30);
/// Candidates made known at once.
const BATCH_MAX: usize = 200;

/// Arranges calls.
pub(super) struct Cue {
    seed: u64,
    gap: TimeDelta,
    /// When the next call begins.
    next_at: DateTime<Utc>,
    /// Who is called next.
    position: u32,
    /// Made up, and not yet known to the server.
    waiting: Vec<(DateTime<Utc>, Candidate)>,
    /// How many both sides know.
    pub arranged: u64,
}

impl Cue {
    /// Makes up the first hour's candidates.
    pub(super) fn first_hour(
        seed: u64,
        calls: u32,
        begins: DateTime<Utc>,
        draw: fn(u64, u32) -> Candidate,
    ) -> (Self, Vec<Candidate>) {
        let calls_i32 = i32::try_from(calls).unwrap_or(i32::MAX);
        let step = FIRST_CALLS / calls_i32;
        let cast: Vec<_> = (0..calls).map(|position| draw(seed, position)).collect();
        let times = (0..calls_i32).map(|position| begins + step * position);
        let waiting = times.zip(cast.clone()).collect();
        let (next_at, gap) = (begins + TimeDelta::hours(1), TimeDelta::hours(1) / calls_i32);
        (Self { seed, gap, next_at, position: calls, waiting, arranged: 0 }, cast)
    }

    /// Makes up candidates for the time from `now` to `until`, wherever it is day then.
    pub(super) fn go_on(&mut self, now: DateTime<Utc>, until: DateTime<Utc>) {
        self.next_at = self.next_at.max(now); // Nobody catches up on what a long pause left out.
        while self.next_at < until && self.waiting.len() < BATCH_MAX {
            let awake: Vec<_> =
                Home::ALL.into_iter().filter(|home| home.is_open(self.next_at)).collect();
            if !awake.is_empty() {
                let home = awake[self.position as usize % awake.len()];
                let candidate = Candidate::living(home, self.seed, self.position);
                self.waiting.push((self.next_at, candidate));
                self.position += 1;
            }
            self.next_at += self.gap;
        }
    }

    /// Makes those who wait known, first to the server, then to the engine, which rings nobody by itself;
    /// returns them, and when each shall be called.
    ///
    /// # Errors
    /// [`ApiError`] when the server did not take them all; the rest goes on waiting.
    pub(super) async fn send(
        &mut self,
        api: &Api,
        engine: &Engine,
    ) -> Result<Vec<(DateTime<Utc>, Candidate)>, ApiError> {
        let mut sent = Vec::new();
        while !self.waiting.is_empty() {
            let count = self.waiting.len().min(BATCH_MAX);
            let cast: Vec<_> = self.waiting[..count].iter().map(|(_, one)| one.clone()).collect();
            api.import(&cast::import_body(&cast)).await?;
            let applications = cast.into_iter().map(|candidate| candidate.application).collect();
            engine.start_calls(World { applications });
            self.arranged += count as u64;
            sent.extend(self.waiting.drain(..count));
        }
        Ok(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_first_hour_somebody_is_called_at_the_given_rate_where_it_is_day() {
        let begins: DateTime<Utc> = "2026-11-20T03:30:00Z".parse().unwrap();
        let (mut cue, cast) = Cue::first_hour(42, 60, begins, Candidate::draw);
        assert_eq!(cast.len(), 60);
        cue.waiting.clear();
        for minute in 60..25 * 60 {
            let now = begins + TimeDelta::minutes(minute);
            cue.go_on(now, now + TimeDelta::minutes(5));
            for (at, candidate) in cue.waiting.drain(..) {
                assert!(candidate.home.is_open(at), "{at}: {:?}", candidate.home);
            }
        }
        // A day without the half hour in which all of them sleep.
        assert!((1_400..=1_420).contains(&(cue.position - 60)), "{}", cue.position);
    }
}
