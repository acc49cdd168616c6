//! How often is too often.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// How often something may happen in a given time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// As often as it does.
    Unlimited,
    /// So many times.
    At(NonZeroU32),
}

/// Text that is no [`Rate`].
#[derive(Debug, thiserror::Error)]
#[error("must be a whole number; 0 means without a limit")]
pub struct InvalidRate;

impl Rate {
    /// Returns so many times; 0 means without a limit.
    pub const fn of(times: u32) -> Self {
        match NonZeroU32::new(times) {
            Some(times) => Self::At(times),
            None => Self::Unlimited,
        }
    }

    pub(super) const fn get(self) -> Option<NonZeroU32> {
        match self {
            Self::Unlimited => None,
            Self::At(times) => Some(times),
        }
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        text.trim().parse().map(Self::of).map_err(|_| InvalidRate)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.get().map_or(0, NonZeroU32::get))
    }
}

/// The rates of a server. The defaults are far beyond what a person or a platform does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateSettings {
    /// Requests a second of one token.
    pub token: Rate,
    /// Requests a second of one tenant.
    pub tenant: Rate,
    /// Webhooks a second of one source: several times what one server commits.
    pub source: Rate,
    /// Refused credentials a minute of one address, and ids that do not exist a minute of one token.
    pub failures: Rate,
}

impl Default for RateSettings {
    fn default() -> Self {
        Self {
            token: Rate::of(200),
            tenant: Rate::of(2_000),
            source: Rate::of(100_000),
            failures: Rate::of(60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_is_a_number_and_nothing_is_no_limit() {
        assert_eq!("0".parse::<Rate>().unwrap(), Rate::Unlimited);
        assert_eq!(" 7 ".parse::<Rate>().unwrap(), Rate::of(7));
        assert_eq!(Rate::of(7).to_string(), "7");
        for bad in ["", "-1", "1.5", "1/s", "4294967296", "many"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }
}
