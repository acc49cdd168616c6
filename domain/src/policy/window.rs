//! When a person may be rung: by the clock on their own wall.

use crate::value::InvalidValue;
use chrono::{
    DateTime, Duration, FixedOffset, LocalResult, NaiveDate, NaiveTime, TimeZone, Timelike, Utc,
};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The first local hour of the window, inclusive. Source: the seed's business hours, 09:00 to 22:00.
const OPENS_HOUR: u32 = 9;

/// The local hour at which the window closes, exclusive. Source: as [`OPENS_HOUR`].
const CLOSES_HOUR: u32 = 22;

/// The longest call. Source: ours; the engine's calls end within two hours.
const CALL_MINUTES_MAX: i64 = 130;

/// Calls that may run at once when nobody says otherwise: as many as the engine takes.
/// Source: the engine's page, fidelity point 12.
pub const PERMITS_DEFAULT: u32 = 50;

/// How many local days are searched for an opening; a zone skipped a whole day at most once in a row.
const DAYS_SEARCHED_MAX: u32 = 4;

/// A callee's time zone, by its IANA name; written and read as that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

impl Default for Zone {
    /// India's, where the callees live of whom nothing else is known.
    fn default() -> Self {
        Self(Tz::Asia__Kolkata)
    }
}

impl Zone {
    /// Reads an IANA name; none, or a name that nobody knows, is the default zone.
    pub fn named(name: Option<&str>) -> Self {
        name.and_then(|name| name.parse().ok()).map_or_else(Self::default, Self)
    }

    /// Reads an IANA name.
    ///
    /// # Errors
    /// [`InvalidValue`] when nobody knows it.
    pub fn parse(name: &str) -> Result<Self, InvalidValue> {
        let unknown = InvalidValue { what: "time zone", why: "is no IANA name" };
        name.parse().map(Self).map_err(|_| unknown)
    }

    /// Returns the IANA name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::named(Some(&name)))
    }
}

/// The hours in which a person may be rung: 09:00 inclusive to 22:00 exclusive, in their zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct CallingWindow {
    zone: Zone,
}

/// Why a phone may ring: what its owner's clock said, and which hours it was held against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DialVerdict {
    /// The callee's zone.
    pub zone: Zone,
    /// Their local time, with its offset.
    pub local_time: DateTime<FixedOffset>,
    /// The first local hour in which a phone may ring.
    pub opens_hour: u32,
    /// The local hour from which on none may.
    pub closes_hour: u32,
}

/// Returns how long a person counts as being on a call of ours that was sent by `not_after`.
pub fn held_until(not_after: DateTime<Utc>) -> DateTime<Utc> {
    not_after + Duration::minutes(CALL_MINUTES_MAX)
}

impl CallingWindow {
    /// Judges a phone that is to ring at any time from `now` to `not_after`.
    ///
    /// # Errors
    /// The instant at which it may ring, when it may not now.
    pub fn judge(
        self,
        now: DateTime<Utc>,
        not_after: DateTime<Utc>,
    ) -> Result<DialVerdict, DateTime<Utc>> {
        if !self.contains(now) || !self.contains(not_after) {
            return Err(self.next_open(not_after));
        }
        Ok(DialVerdict {
            zone: self.zone,
            local_time: now.with_timezone(&self.zone.0).fixed_offset(),
            opens_hour: OPENS_HOUR,
            closes_hour: CLOSES_HOUR,
        })
    }

    /// Returns the window of people who live in `zone`.
    pub const fn of(zone: Zone) -> Self {
        Self { zone }
    }

    /// Whether a phone may ring at `at`.
    pub fn contains(self, at: DateTime<Utc>) -> bool {
        (OPENS_HOUR..CLOSES_HOUR).contains(&at.with_timezone(&self.zone.0).hour())
    }

    /// Returns the first instant from `at` on at which a phone may ring; `at` itself inside the window.
    ///
    /// An hour that a change of clocks repeats counts both times, one that it skips never happens.
    pub fn next_open(self, at: DateTime<Utc>) -> DateTime<Utc> {
        if self.contains(at) {
            return at;
        }
        let mut day = at.with_timezone(&self.zone.0).date_naive();
        for _ in 0..DAYS_SEARCHED_MAX {
            if let Some(opening) = self.opening(day).into_iter().flatten().find(|o| *o >= at) {
                return opening;
            }
            day = day.succ_opt().unwrap_or(day);
        }
        at + Duration::days(1) // The calendar has ended; nobody lives to be rung.
    }

    /// Returns the instants at which the window opens on a local day: one, two where clocks are put
    /// back over it, none where the day does not exist.
    fn opening(self, day: NaiveDate) -> [Option<DateTime<Utc>>; 2] {
        let minutes = OPENS_HOUR * 60..CLOSES_HOUR * 60;
        for minute in minutes {
            let time = NaiveTime::from_num_seconds_from_midnight_opt(minute * 60, 0);
            let local = day.and_time(time.unwrap_or(NaiveTime::MIN));
            match self.zone.0.from_local_datetime(&local) {
                LocalResult::Single(at) => return [Some(at.to_utc()), None],
                LocalResult::Ambiguous(first, second) => {
                    return [Some(first.to_utc()), Some(second.to_utc())];
                }
                LocalResult::None => {} // Skipped by a change of clocks: the window opens behind it.
            }
        }
        [None, None]
    }
}
