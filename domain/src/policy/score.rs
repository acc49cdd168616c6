//! Scores, and how those of several stages become one.

use serde::{Deserialize, Serialize};

use crate::value::InvalidValue;

/// A score, finite, 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Score(f64);

impl Score {
    /// The score of a candidate who could not be interviewed.
    pub const ZERO: Self = Self(0.0);

    /// Parses a score.
    ///
    /// # Errors
    /// [`InvalidValue`] when it is not finite or not between 0 and 100.
    pub fn parse(value: f64) -> Result<Self, InvalidValue> {
        if value.is_finite() && (0.0..=100.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(InvalidValue { what: "score", why: "is not between 0 and 100" })
        }
    }

    /// Returns the number.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// Rounds to two decimals, half away from zero.
    fn rounded(value: f64) -> Self {
        Self((value * 100.0).round().clamp(0.0, 10_000.0) / 100.0)
    }
}

/// What each stage counts in the final score: finite, not negative.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageWeights {
    resume: f64,
    quiz: f64,
    call: f64,
}

impl Default for StageWeights {
    /// All stages alike.
    fn default() -> Self {
        Self { resume: 1.0, quiz: 1.0, call: 1.0 }
    }
}

impl StageWeights {
    /// Parses the three weights; they need not add up to anything.
    ///
    /// # Errors
    /// [`InvalidValue`] when one is negative, not finite, or over a million.
    pub fn parse(resume: f64, quiz: f64, call: f64) -> Result<Self, InvalidValue> {
        let usable = |weight: f64| weight.is_finite() && (0.0..=1e6).contains(&weight);
        if [resume, quiz, call].into_iter().all(usable) {
            Ok(Self { resume, quiz, call })
        } else {
            Err(InvalidValue { what: "weight", why: "is not between 0 and a million" })
        }
    }

    /// Returns the weights of resume, quiz and call.
    pub const fn get(self) -> [f64; 3] {
        [self.resume, self.quiz, self.call]
    }
}

/// The scores of the stages that took place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stages {
    /// Of the resume.
    pub resume: Option<Score>,
    /// Of the quiz.
    pub quiz: Option<Score>,
    /// Of the call.
    pub call: Option<Score>,
}

/// Returns the weighted mean of the stages that took place, to two decimals; none when none did.
///
/// Where all of them weigh nothing they count alike.
pub fn weighted_mean(stages: Stages, weights: StageWeights) -> Option<Score> {
    let scores = [stages.resume, stages.quiz, stages.call];
    let present: Vec<(f64, f64)> = scores
        .into_iter()
        .zip(weights.get())
        .filter_map(|(score, weight)| score.map(|score| (score.get(), weight)))
        .collect();
    if present.is_empty() {
        return None;
    }
    let total: f64 = present.iter().map(|(_, weight)| weight).sum();
    let plain = total <= 0.0;
    let (mut sum, mut divisor) = (0.0, 0.0);
    for (score, weight) in present {
        let weight = if plain { 1.0 } else { weight };
        sum += score * weight;
        divisor += weight;
    }
    Some(Score::rounded(sum / divisor))
}
