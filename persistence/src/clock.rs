//! The clock of production: the database's time, carried on by this machine's monotonic clock.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use domain::ports::Clock;
use sqlx::PgConnection;
use tokio::time::Instant;

use crate::error::PersistenceError;

/// How time passes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Pace {
    /// As it does.
    #[default]
    Real,
    /// As in a simulated world: at the real instant it was the simulated one, and goes on faster.
    Simulated {
        /// The real instant.
        real: DateTime<Utc>,
        /// What time it was in the world then.
        simulated: DateTime<Utc>,
        /// Simulated seconds a real second.
        speed: f64,
    },
}

impl Pace {
    fn of(self, real: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Real => real,
            Self::Simulated { real: began, simulated, speed } => {
                let elapsed_us = (real - began).num_microseconds().unwrap_or(i64::MAX);
                simulated + TimeDelta::microseconds((elapsed_us as f64 * speed) as i64)
            }
        }
    }
}

/// Two instances on one database agree on the time, whatever their own clocks say.
#[derive(Debug)]
pub struct DatabaseClock {
    anchor: Instant,
    pace: Pace,
    /// Microseconds since the epoch at `anchor`.
    offset_us: AtomicI64,
}

impl DatabaseClock {
    /// Asks the database for the time.
    ///
    /// # Errors
    /// [`PersistenceError`] when it does not answer.
    pub async fn start(
        connection: &mut PgConnection,
        pace: Pace,
    ) -> Result<Self, PersistenceError> {
        let clock = Self { anchor: Instant::now(), pace, offset_us: AtomicI64::new(0) };
        clock.adjust(connection).await?;
        Ok(clock)
    }

    /// Asks again, so that two monotonic clocks do not drift apart over weeks.
    ///
    /// # Errors
    /// [`PersistenceError`] when the database does not answer; the clock then goes on as it was.
    pub async fn adjust(&self, connection: &mut PgConnection) -> Result<(), PersistenceError> {
        let asked = Instant::now();
        let there = sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#)
            .fetch_one(connection)
            .await?;
        // The answer is of the middle of the round trip, as far as can be known.
        let middle = asked + asked.elapsed() / 2;
        let elapsed = i64::try_from((middle - self.anchor).as_micros()).unwrap_or(i64::MAX);
        self.offset_us.store(there.timestamp_micros() - elapsed, Ordering::Relaxed);
        Ok(())
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> DateTime<Utc> {
        let elapsed = i64::try_from(self.anchor.elapsed().as_micros()).unwrap_or(i64::MAX);
        let micros = self.offset_us.load(Ordering::Relaxed).saturating_add(elapsed);
        self.pace.of(DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH))
    }
}
