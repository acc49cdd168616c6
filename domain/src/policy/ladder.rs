//! How often a candidate is rung, and how long between.

use chrono::{DateTime, Duration, Utc};

use super::CallingWindow;

/// How many calls a candidate gets at most. Source: the seed's `MAX_CALL_ATTEMPTS`.
pub const ATTEMPTS_MAX: u32 = 3;

/// Hours to wait after the first and after the second call. Source: the seed's retry delays.
pub const RETRY_DELAYS_HOURS: [i64; 2] = [4, 8];

/// Returns when the next call is due after `counted` calls that came to nothing, inside `window`;
/// none when there is no next call.
///
/// A call that was never sent is not counted, so `counted` may be 0; the first delay holds then.
pub fn retry_due(counted: u32, window: CallingWindow, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if counted >= ATTEMPTS_MAX {
        return None;
    }
    let rung = usize::try_from(counted.max(1)).ok()?;
    let hours = RETRY_DELAYS_HOURS.get(rung - 1)?;
    Some(window.next_open(now + Duration::hours(*hours)))
}
