//! Small measured values that settings and fault switches share.

use std::time::Duration;

use rand::Rng;
use serde::{Deserialize, Serialize};

/// A share of cases between 0 (never) and 1 (always).
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Rate(f64);

impl Rate {
    /// No case at all.
    pub const NEVER: Self = Self(0.0);
    /// Every case.
    pub const ALWAYS: Self = Self(1.0);

    /// Accepts a share from 0 to 1.
    ///
    /// # Errors
    /// [`RateError`] for anything else.
    pub fn new(share: f64) -> Result<Self, RateError> {
        if (0.0..=1.0).contains(&share) { Ok(Self(share)) } else { Err(RateError(share)) }
    }

    /// Returns `percent` of the cases; anything above 100 is every case.
    pub const fn percent(percent: u8) -> Self {
        if percent < 100 { Self(percent as f64 / 100.0) } else { Self::ALWAYS }
    }

    /// Decides one case. Draws exactly one number whatever the rate is, so that turning a fault on
    /// or off does not change what is drawn after it.
    pub(crate) fn hits(self, dice: &mut impl Rng) -> bool {
        dice.random::<f64>() < self.0
    }
}

impl TryFrom<f64> for Rate {
    type Error = RateError;

    fn try_from(share: f64) -> Result<Self, RateError> {
        Self::new(share)
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

/// A number that is no [`Rate`].
#[derive(Debug, thiserror::Error)]
#[error("a rate lies between 0 and 1, not at {0}")]
pub struct RateError(f64);

/// The longest time that may be asked for: a year. Far longer ones would leave the calendar.
const SECONDS_MAX: f64 = 365.0 * 24.0 * 3600.0;

/// Reads a number of seconds; what is no time is none, and what is too long is a year.
pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.min(SECONDS_MAX)).unwrap_or_default()
}

/// A range of simulated time that one value is drawn from, uniformly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Bounds", into = "Bounds")]
pub struct Span {
    min: Duration,
    max: Duration,
}

impl Span {
    /// A range in seconds.
    ///
    /// # Panics
    /// When the bounds are negative, not finite or the wrong way round: they are written in code.
    pub fn seconds(min: f64, max: f64) -> Self {
        Self::try_from(Bounds { min_s: min, max_s: max }).expect("a range written in code is valid")
    }

    /// Draws one value.
    pub(crate) fn draw(self, dice: &mut impl Rng) -> Duration {
        self.min + (self.max - self.min).mul_f64(dice.random::<f64>())
    }
}

/// How a [`Span`] is written in JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Bounds {
    min_s: f64,
    max_s: f64,
}

impl TryFrom<Bounds> for Span {
    type Error = SpanError;

    fn try_from(bounds: Bounds) -> Result<Self, SpanError> {
        let Bounds { min_s, max_s } = bounds;
        if min_s >= 0.0 && min_s <= max_s && max_s <= SECONDS_MAX {
            Ok(Self { min: seconds(min_s), max: seconds(max_s) })
        } else {
            Err(SpanError { min_s, max_s })
        }
    }
}

impl From<Span> for Bounds {
    fn from(span: Span) -> Self {
        Self { min_s: span.min.as_secs_f64(), max_s: span.max.as_secs_f64() }
    }
}

/// Bounds that are no [`Span`].
#[derive(Debug, thiserror::Error)]
#[error("no range of seconds up to a year: from {min_s} to {max_s}")]
struct SpanError {
    min_s: f64,
    max_s: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_written_in_seconds_and_must_be_one() {
        let span: Span = serde_json::from_str(r#"{"minS":0.5,"maxS":2}"#).unwrap();
        assert_eq!(span, Span::seconds(0.5, 2.0));
        for wrong in
            [r#"{"minS":2,"maxS":1}"#, r#"{"minS":-1,"maxS":1}"#, r#"{"minS":0,"maxS":1e9}"#]
        {
            assert!(serde_json::from_str::<Span>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        assert_eq!(seconds(-1.0), Duration::ZERO);
        assert_eq!(seconds(1e300), seconds(SECONDS_MAX));
    }
}
