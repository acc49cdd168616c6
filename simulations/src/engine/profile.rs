//! How long things take and how calls come out.

use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};
use serde::{Deserialize, Serialize};

use super::wire::FailureReason;
use crate::units::{Span, seconds};

/// How a call comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A person answers and talks.
    Answered,
    /// Nobody picks up.
    NoAnswer,
    /// The line is engaged.
    Busy,
    /// The callee declines.
    Rejected,
    /// The platform fails before it rings.
    ProviderError,
    /// There is no such number; it never rings.
    InvalidNumber,
    /// A machine answers; the call ends after a few seconds.
    Voicemail,
}

impl Outcome {
    /// Returns why there was no conversation, where there was none.
    pub const fn failure(self) -> Option<FailureReason> {
        match self {
            Self::Answered => None,
            Self::NoAnswer => Some(FailureReason::NoAnswer),
            Self::Busy => Some(FailureReason::Busy),
            Self::Rejected => Some(FailureReason::Rejected),
            Self::ProviderError => Some(FailureReason::ProviderError),
            Self::InvalidNumber => Some(FailureReason::InvalidNumber),
            Self::Voicemail => Some(FailureReason::Voicemail),
        }
    }

    /// Says whether the line is opened, by a person or a machine.
    pub const fn is_picked_up(self) -> bool {
        matches!(self, Self::Answered | Self::Voicemail)
    }

    /// Says whether the phone rings at all.
    pub const fn rings(self) -> bool {
        !matches!(self, Self::ProviderError | Self::InvalidNumber)
    }
}

/// The distributions that calls are drawn from. Times are simulated.
///
/// Source of the defaults: section 9 of the engine's contract page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Profile {
    /// From acceptance to the first ring.
    pub queued: Span,
    /// From the first ring to the answer, or to giving up.
    pub ringing: Span,
    /// From the hang-up to the final transcript.
    pub transcript_after: Span,
    /// From a state to its webhook.
    pub webhook_after: Span,
    /// From `POST /call` to its answer; shorter than `queued`, as it comes before the dialling.
    pub dial_answer: Span,
    /// By how much `GET /call/{callId}` is behind the list.
    pub detail_lag: Span,
    /// From the hang-up to the processed recording.
    pub recording_after: Span,
    /// How long a recording is kept, in hours.
    pub recording_kept_h: f64,
    /// Half of the conversations are longer than this, in seconds.
    pub talk_median_s: f64,
    /// The spread of the conversations' log-normal distribution.
    pub talk_sigma: f64,
    /// No conversation is longer than this, in seconds.
    pub talk_max_s: f64,
    /// How often each outcome comes up.
    pub odds: Odds,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            queued: Span::seconds(0.2, 2.0),
            ringing: Span::seconds(3.0, 25.0),
            transcript_after: Span::seconds(2.0, 20.0),
            webhook_after: Span::seconds(0.0, 0.5),
            dial_answer: Span::seconds(0.02, 0.15),
            detail_lag: Span::seconds(0.0, 2.0),
            recording_after: Span::seconds(10.0, 60.0),
            recording_kept_h: 24.0,
            talk_median_s: 150.0,
            talk_sigma: 0.557, // ln(150/60) / 1.645, which leaves 5 % under 60 s.
            talk_max_s: 1_800.0,
            odds: Odds::default(),
        }
    }
}

impl Profile {
    /// A profile in which every call comes out as `outcome`.
    pub fn always(outcome: Outcome) -> Self {
        Self { odds: Odds::only(outcome), ..Self::default() }
    }

    /// Draws how long a conversation lasts, to a tenth of a second.
    pub(super) fn talk_s(&self, dice: &mut ChaCha8Rng) -> f64 {
        let drawn = LogNormal::new(self.talk_median_s.ln(), self.talk_sigma)
            .map_or(self.talk_median_s, |talks| talks.sample(dice));
        (drawn.clamp(1.0, self.talk_max_s) * 10.0).round() / 10.0
    }

    /// Says how long a recording is kept.
    pub(super) fn recording_kept(&self) -> Duration {
        seconds(self.recording_kept_h * 3600.0)
    }
}

/// Weights of the outcomes; they need not add up to anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Odds {
    /// A person answers.
    pub answered: f64,
    /// Nobody picks up.
    pub no_answer: f64,
    /// The line is engaged.
    pub busy: f64,
    /// The callee declines.
    pub rejected: f64,
    /// The platform fails.
    pub provider_error: f64,
    /// There is no such number.
    pub invalid_number: f64,
    /// A machine answers.
    pub voicemail: f64,
}

impl Default for Odds {
    fn default() -> Self {
        Self {
            answered: 65.0,
            no_answer: 20.0,
            busy: 8.0,
            rejected: 4.0,
            provider_error: 3.0,
            invalid_number: 0.0,
            voicemail: 0.0,
        }
    }
}

impl Odds {
    fn only(outcome: Outcome) -> Self {
        let weight = |of| f64::from(u8::from(of == outcome));
        Self {
            answered: weight(Outcome::Answered),
            no_answer: weight(Outcome::NoAnswer),
            busy: weight(Outcome::Busy),
            rejected: weight(Outcome::Rejected),
            provider_error: weight(Outcome::ProviderError),
            invalid_number: weight(Outcome::InvalidNumber),
            voicemail: weight(Outcome::Voicemail),
        }
    }

    pub(super) fn draw(&self, dice: &mut ChaCha8Rng) -> Outcome {
        let weights = [
            (Outcome::Answered, self.answered),
            (Outcome::NoAnswer, self.no_answer),
            (Outcome::Busy, self.busy),
            (Outcome::Rejected, self.rejected),
            (Outcome::ProviderError, self.provider_error),
            (Outcome::InvalidNumber, self.invalid_number),
            (Outcome::Voicemail, self.voicemail),
        ];
        let total: f64 = weights.iter().map(|(_, weight)| weight.max(0.0)).sum();
        let mut left = dice.random::<f64>() * total;
        for (outcome, weight) in weights {
            if left < weight {
                return outcome;
            }
            left -= weight.max(0.0);
        }
        Outcome::Answered // Only when all weights are zero.
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::{Purpose, dice};

    #[test]
    fn one_conversation_in_twenty_is_under_a_minute() {
        let profile = Profile::default();
        let mut dice = dice(1, Purpose::Call, 0);
        let mut talks: Vec<f64> = (0..10_000).map(|_| profile.talk_s(&mut dice)).collect();
        talks.sort_by(f64::total_cmp);
        let under_a_minute = talks.iter().filter(|talk| **talk < 60.0).count();
        assert!((400..600).contains(&under_a_minute), "{under_a_minute}");
        assert!((140.0..160.0).contains(&talks[5_000]), "{}", talks[5_000]);
    }

    #[test]
    fn two_calls_in_three_are_answered() {
        let mut dice = dice(1, Purpose::Call, 0);
        let odds = Odds::default();
        let answered = (0..10_000).filter(|_| odds.draw(&mut dice) == Outcome::Answered).count();
        assert!((6_300..6_700).contains(&answered), "{answered}");
    }
}
