//! Having a transcript scored: tried again for a day, never guessed.

use chrono::{DateTime, Duration, Utc};

use super::decide::Decided;
use super::event::{AnalysisFailure, AnalysisResult};
use super::fact::{CallScores, Document, Fact};
use super::state::{
    ANALYSIS_RETRY_MAX_S, ANALYSIS_RETRY_MIN_S, ANALYSIS_SEND_TIMEOUT_S, Analyzing, Known,
    RequestStage, Screening, Stage,
};
use crate::ids::IntentId;
use crate::machine::{Attempt, Claim, Decision, IntentMove, Rejected};
use crate::policy::Score;
use crate::value::CallId;

impl Screening {
    /// Sends the request that is owed, or once more the one whose answer a crash lost.
    pub(super) fn analysis_due(
        &self,
        known: &Known,
        intent: IntentId,
        attempt: Attempt,
        now: DateTime<Utc>,
    ) -> Decided {
        let Stage::Analyzing(_) = &known.stage else { return Err(Rejected::Stale) };
        if intent != self.request_id(known.requests) {
            return Err(Rejected::Stale);
        }
        let not_after = now + Duration::seconds(ANALYSIS_SEND_TIMEOUT_S);
        Ok(Decision {
            intents: vec![IntentMove::Send { intent, attempt, not_after, claim: Claim::Nothing }],
            ..Decision::of(Fact::AnalysisSent { request: known.requests })
        })
    }

    /// Takes the scores, also from an earlier request about the same call that answers late.
    pub(super) fn analyzed(
        &self,
        known: &Known,
        intent: IntentId,
        result: &AnalysisResult,
        now: DateTime<Utc>,
    ) -> Decided {
        let (call_id, first) = known.stage.scorable()?;
        if !(first..=known.requests).any(|ordinal| self.request_id(ordinal) == intent) {
            return Err(Rejected::Stale);
        }
        let Some(scores) = scores(result) else {
            return self.analysis_failed(known, intent, None, AnalysisFailure::OutOfRange, now);
        };
        let mut decision = Decision::of(Fact::Scored {
            scores,
            candidate: result.candidate.clone(),
            result: known.result(scores.overall),
            at: now,
        });
        if let Some(cost) = result.cost {
            decision.documents.push(Document::AnalysisCost { call_id: call_id.clone(), cost });
        }
        if let Stage::Analyzing(Analyzing { request: RequestStage::Planned, .. }) = &known.stage {
            let intent = self.request_id(known.requests);
            decision.intents.push(IntentMove::Cancel { intent });
        }
        Ok(decision)
    }

    pub(super) fn analysis_failed(
        &self,
        known: &Known,
        intent: IntentId,
        retry_after_s: Option<u32>,
        why: AnalysisFailure,
        now: DateTime<Utc>,
    ) -> Decided {
        let Stage::Analyzing(analyzing) = &known.stage else { return Err(Rejected::Stale) };
        let current = intent == self.request_id(known.requests);
        if !current || analyzing.request != RequestStage::Sent {
            return Err(Rejected::Stale);
        }
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            return Ok(Decision::of(Fact::ScoringUnknown { at: now }));
        }
        let asked = retry_after_s.map_or(0, i64::from);
        let wait = backoff_s(known.requests - analyzing.first).max(asked);
        let due = now + Duration::seconds(wait);
        let effect = self.analysis(known, analyzing.interview, &analyzing.call_id);
        let plan = self.analysis_intent(known.requests + 1, effect, due);
        Ok(Decision {
            intents: vec![IntentMove::Plan(plan)],
            ..Decision::of(Fact::AnalysisMissed { request: known.requests, why, due, at: now })
        })
    }
}

impl Stage {
    /// Returns the call that may be scored now, and the first request about it.
    fn scorable(&self) -> Result<(&CallId, u32), Rejected> {
        match self {
            Self::Analyzing(Analyzing { call_id, first, .. })
            | Self::ScoringUnknown { call_id, first, .. } => Ok((call_id, *first)),
            Self::Scored { .. } => Err(Rejected::Duplicate),
            Self::AwaitingCall
            | Self::Calling(_)
            | Self::RetryWaiting { .. }
            | Self::Exhausted { .. }
            | Self::CallUnknown { .. } => Err(Rejected::Stale),
        }
    }
}

/// Returns the scores if all of them are usable.
fn scores(result: &AnalysisResult) -> Option<CallScores> {
    Some(CallScores {
        communication: Score::parse(result.communication).ok()?,
        technical: Score::parse(result.technical).ok()?,
        overall: Score::parse(result.overall).ok()?,
    })
}

/// Returns the wait after `misses` earlier failures, in seconds.
fn backoff_s(misses: u32) -> i64 {
    let doubled = ANALYSIS_RETRY_MIN_S.saturating_mul(1 << misses.min(16));
    doubled.min(ANALYSIS_RETRY_MAX_S)
}
