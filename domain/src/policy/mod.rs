//! The rules that more than one machine follows: when to ring, when again, and what a score is.

mod ladder;
mod score;
#[cfg(test)]
mod tests;
mod window;

pub use ladder::{ATTEMPTS_MAX, RETRY_DELAYS_HOURS, retry_due};
pub use score::{Score, StageWeights, Stages, weighted_mean};
pub use window::{CallingWindow, DialVerdict, PERMITS_DEFAULT, Zone, held_until};
