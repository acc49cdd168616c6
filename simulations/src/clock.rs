//! Simulated time: the one place of this crate that reads the wall clock.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// How many simulated seconds pass in one real second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Speed(f64);

impl Speed {
    /// Simulated time passes as fast as real time.
    pub const REAL: Self = Self(1.0);

    /// The slowest speed: a simulated second takes a quarter of an hour.
    pub const MIN: f64 = 1e-3;
    /// The fastest speed: a real second is eleven simulated days. Neither leaves the calendar.
    pub const MAX: f64 = 1e6;

    /// Accepts factors from [`Self::MIN`] to [`Self::MAX`].
    ///
    /// # Errors
    /// [`SpeedError`] for all others.
    pub fn new(factor: f64) -> Result<Self, SpeedError> {
        if (Self::MIN..=Self::MAX).contains(&factor) {
            Ok(Self(factor))
        } else {
            Err(SpeedError(factor))
        }
    }

    /// Returns the factor.
    pub const fn factor(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Speed {
    type Error = SpeedError;

    fn try_from(factor: f64) -> Result<Self, SpeedError> {
        Self::new(factor)
    }
}

impl From<Speed> for f64 {
    fn from(speed: Speed) -> Self {
        speed.0
    }
}

impl FromStr for Speed {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        Ok(Self::new(text.parse()?)?)
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A factor that is no [`Speed`].
#[derive(Debug, thiserror::Error)]
#[error("a speed lies between 0.001 and 1000000, not at {0}")]
pub struct SpeedError(f64);

/// One instant on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// When it was in the simulated world.
    pub simulated: DateTime<Utc>,
    /// When it was outside.
    pub real: DateTime<Utc>,
}

/// A clock that starts at a base instant and runs at a constant [`Speed`].
///
/// Built on the monotonic clock, so a step of the wall clock does not reach the simulation.
#[derive(Clone, Copy, Debug)]
pub struct SimClock {
    base: DateTime<Utc>,
    wall: DateTime<Utc>,
    started: Instant,
    speed: Speed,
}

impl SimClock {
    /// Starts a clock whose simulated time is the wall clock's at this moment.
    pub fn starting_now(speed: Speed) -> Self {
        Self::starting_at(wall_now(), speed)
    }

    /// Starts a clock at the simulated instant `base`.
    pub fn starting_at(base: DateTime<Utc>, speed: Speed) -> Self {
        Self { base, wall: wall_now(), started: Instant::now(), speed }
    }

    /// Returns the speed the clock was started with.
    pub const fn speed(&self) -> Speed {
        self.speed
    }

    /// Returns the simulated instant.
    pub fn now(&self) -> DateTime<Utc> {
        self.base + self.started.elapsed().mul_f64(self.speed.0)
    }

    /// Returns this moment on both clocks.
    pub fn moment(&self) -> Moment {
        let elapsed = self.started.elapsed();
        Moment { simulated: self.base + elapsed.mul_f64(self.speed.0), real: self.wall + elapsed }
    }

    /// Returns the simulated instant `at` on both clocks; it may lie in the future or the past.
    pub fn moment_of(&self, at: DateTime<Utc>) -> Moment {
        let since_base = (at - self.base).as_seconds_f64() / self.speed.0;
        let real = self.wall + TimeDelta::nanoseconds((since_base * 1e9) as i64);
        Moment { simulated: at, real }
    }

    /// Returns how much real time `simulated` takes.
    pub fn real(&self, simulated: Duration) -> Duration {
        simulated.div_f64(self.speed.0)
    }

    /// Waits for the simulated time `simulated` to pass.
    pub async fn sleep(&self, simulated: Duration) {
        tokio::time::sleep(self.real(simulated)).await;
    }

    /// Waits until the simulated instant `at`; returns at once when it has passed.
    pub async fn sleep_until(&self, at: DateTime<Utc>) {
        let since_base = (at - self.base).to_std().unwrap_or_default();
        tokio::time::sleep_until(self.started + self.real(since_base)).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the simulators' only reading of the wall clock")]
fn wall_now() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_real_second_is_a_simulated_minute_at_speed_sixty() {
        let base = DateTime::UNIX_EPOCH;
        let clock = SimClock::starting_at(base, Speed::new(60.0).unwrap());
        assert_eq!(clock.real(Duration::from_secs(120)), Duration::from_secs(2));

        let two_minutes_in = clock.moment_of(base + Duration::from_secs(120));
        assert_eq!(two_minutes_in.real - clock.wall, TimeDelta::seconds(2));

        clock.sleep_until(base + Duration::from_secs(1)).await; // 17 real milliseconds.
        assert!(clock.now() >= base + Duration::from_secs(1));
    }

    #[test]
    fn a_clock_that_stands_still_is_refused() {
        assert!(Speed::new(0.0).is_err());
        assert!("-3".parse::<Speed>().is_err());
    }
}
