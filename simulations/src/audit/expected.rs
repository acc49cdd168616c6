//! What must have become of an application, by the rules of the contract.

use crate::audit::SCORE_SLACK;
use crate::cast::{Candidate, Job};
use crate::engine::{AnalyzeRequest, CallEntry, CallStatus, FailureReason};
use crate::product::ScreeningRow;

/// How many calls an application gets.
const ATTEMPTS_MAX: usize = 3;
/// From how many seconds on a call is an interview.
const DURATION_REAL_S: f64 = 60.0;
/// Longer than so many characters is a transcript that can be scored.
const TRANSCRIPT_CHARS_MIN: usize = 50;

/// What a call is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grade {
    Failed,
    Short,
    Real,
}

impl Grade {
    pub fn of(call: &CallEntry) -> Self {
        let is_real =
            call.duration_s >= DURATION_REAL_S && call.transcript_chars > TRANSCRIPT_CHARS_MIN;
        match call.final_status {
            Some(CallStatus::Ended) if is_real => Self::Real,
            Some(CallStatus::Ended) => Self::Short,
            _ => Self::Failed,
        }
    }
}

pub(super) const fn outcome_of(grade: Grade) -> &'static str {
    match grade {
        Grade::Failed => "not_reached",
        Grade::Short => "too_short",
        Grade::Real => "completed",
    }
}

/// Returns why there was no conversation, in the engine's words.
pub(super) fn failure_of(call: &CallEntry) -> Option<&'static str> {
    call.outcome.failure().map(|reason| match reason {
        FailureReason::NoAnswer => "no-answer",
        FailureReason::Busy => "busy",
        FailureReason::Rejected => "rejected",
        FailureReason::InvalidNumber => "invalid-number",
        FailureReason::ProviderError => "provider-error",
        FailureReason::Voicemail => "voicemail",
    })
}

/// How a screening must have ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expected {
    status: &'static str,
    call_status: &'static str,
    attempts: u32,
    call_id: String,
    call_score: f64,
    final_score: f64,
    failure_reason: Option<&'static str>,
}

/// Works out how the screening of `candidate` must have ended after `calls`, oldest first.
///
/// # Errors
/// What is wrong with the calls themselves.
pub(super) fn screening(
    candidate: &Candidate,
    calls: &[&CallEntry],
    analyses: &[AnalyzeRequest],
) -> Result<Expected, String> {
    let grades: Vec<_> = calls.iter().map(|call| Grade::of(call)).collect();
    let real = grades.iter().position(|grade| *grade == Grade::Real);
    let (last, call_score) = match real {
        Some(real) if real + 1 < calls.len() => {
            return Err(format!(
                "was rung {} times after a real interview",
                calls.len() - real - 1
            ));
        }
        Some(real) => (real, score_of(candidate, calls[real], analyses)?),
        None if calls.len() == ATTEMPTS_MAX => (ATTEMPTS_MAX - 1, 0.0),
        None => return Err(format!("was rung {} times, none real", calls.len())),
    };
    let final_score = mean(candidate, call_score);
    let reason = match grades[last] {
        Grade::Short => Some("too_short"),
        Grade::Failed => failure_of(calls[last]),
        Grade::Real => None,
    };
    Ok(Expected {
        status: verdict(&candidate.job, final_score),
        call_status: if real.is_some() { "completed" } else { "exhausted" },
        attempts: u32::try_from(last + 1).unwrap_or(u32::MAX),
        call_id: calls[last].call_id.clone(),
        call_score,
        final_score,
        failure_reason: reason,
    })
}

/// Returns what the analyzer said of `call`; the same transcript always scores the same.
fn score_of(
    candidate: &Candidate,
    call: &CallEntry,
    analyses: &[AnalyzeRequest],
) -> Result<f64, String> {
    let of_call = |analysis: &&AnalyzeRequest| {
        analysis.application_id == Some(candidate.id())
            && analysis.call_id.as_deref() == Some(&call.call_id)
    };
    let mut scores = analyses.iter().filter(of_call).filter_map(|analysis| analysis.overall_score);
    let usable = scores.rfind(|score| (0..=100).contains(score));
    usable.map(f64::from).ok_or_else(|| format!("{} was never scored", call.call_id))
}

/// Returns the weighted mean of the stages that took place, to two decimals.
fn mean(candidate: &Candidate, call_score: f64) -> f64 {
    let stages = [candidate.resume_score, candidate.quiz_score, Some(call_score)];
    let weights = candidate.job.weights.unwrap_or([1.0; 3]);
    let present =
        || stages.iter().zip(weights).filter_map(|(score, weight)| Some(((*score)?, weight)));
    let divisor: f64 = present().map(|(_, weight)| weight).sum();
    let sum: f64 = present().map(|(score, weight)| score * weight).sum();
    (sum / divisor * 100.0).round() / 100.0
}

fn verdict(job: &Job, final_score: f64) -> &'static str {
    match job.threshold {
        Some(threshold) if final_score >= threshold => "shortlisted",
        Some(_) => "rejected",
        None => "scoring_complete",
    }
}

impl Expected {
    /// Says what of `screening` is not as it must be.
    pub fn compare(&self, screening: Option<&ScreeningRow>) -> Result<(), String> {
        let Some(found) = screening else { return Err("has no screening".to_owned()) };
        let is_close = |score: Option<f64>, expected: f64| {
            score.is_some_and(|score| (score - expected).abs() < SCORE_SLACK)
        };
        let agrees = found.status == self.status
            && found.call_status == self.call_status
            && found.attempts == self.attempts
            && found.call_id.as_deref() == Some(&self.call_id)
            && found.failure_reason.as_deref() == self.failure_reason
            && is_close(found.call_score, self.call_score)
            && is_close(found.final_score, self.final_score);
        if agrees { Ok(()) } else { Err(format!("{self:?} is expected, {found:?} was found")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_score_is_the_mean_of_the_stages_that_took_place() {
        let candidate = |resume_score, quiz_score, weights| {
            let job = Job { title: "Nurse", weights, threshold: Some(70.0) };
            Candidate { resume_score, quiz_score, job, ..Candidate::draw(1, 1) }
        };
        let all = candidate(Some(80.0), Some(60.0), Some([1.0, 1.0, 2.0]));
        assert_eq!(mean(&all, 71.0), 70.5);
        assert_eq!(verdict(&all.job, 70.5), "shortlisted");
        assert_eq!(mean(&candidate(Some(80.0), None, None), 0.0), 40.0);
        assert_eq!(mean(&candidate(None, None, None), 33.333), 33.33);
    }
}
