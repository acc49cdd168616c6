//! Time and questions: what happens when nothing is heard.

use chrono::{DateTime, Duration, Utc};

use super::decide::Decided;
use super::event::FetchFailure;
use super::fact::Fact;
use super::fetch::{FETCH_SEND_TIMEOUT_S, FetchStage};
use super::report::CallReport;
use super::state::{Dial, Interview, Phase, Silence, Watch};
use super::status::Grade;
use crate::ids::IntentId;
use crate::machine::{Attempt, Claim, Decision, IntentMove, Rejected};
use crate::screening::{InterviewEnd, ScreeningEvent};
use crate::signal::Signal;

impl Interview {
    pub(super) fn woke(&self, now: DateTime<Utc>) -> Decided {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Err(Rejected::Stale);
        }
        let fact = match &self.phase {
            Phase::Absent | Phase::Deleted(_) => return Err(Rejected::Stale),
            Phase::Dialing(dialing) => match dialing.dial {
                Dial::Planned { .. } => Fact::DialCancelled { at: now },
                Dial::Sending { .. }
                | Dial::Unsure { .. }
                | Dial::Resending { .. }
                | Dial::Deferred { .. } => Fact::GivenUp { at: now },
            },
            Phase::Live(live) => match live.silence {
                Silence::Fine => Fact::Overdue { at: now },
                Silence::Overdue { .. } => Fact::GivenUp { at: now },
            },
            Phase::Over(over) => match over.watch {
                Watch::Settled => return Err(Rejected::Stale),
                Watch::Awaiting { .. } => Fact::TranscriptMissed { at: now },
                Watch::Late { .. } => Fact::WatchEnded { at: now },
            },
        };
        Ok(Decision::of(fact))
    }

    /// Sends the question that is owed, or once more the one whose answer a crash lost.
    pub(super) fn fetch_due(
        &self,
        intent: IntentId,
        attempt: Attempt,
        now: DateTime<Utc>,
    ) -> Decided {
        let fetch = self.fetch();
        if intent != self.fetch_id(fetch.ordinal) || fetch.stage == FetchStage::Idle {
            return Err(Rejected::Stale);
        }
        let not_after = now + Duration::seconds(FETCH_SEND_TIMEOUT_S);
        let step = IntentMove::Send { intent, attempt, not_after, claim: Claim::Nothing };
        let fact = Fact::FetchSent { fetch: fetch.ordinal };
        Ok(Decision { intents: vec![step], ..Decision::of(fact) })
    }

    /// An answer is heard like any report, also when its question is no longer open.
    pub(super) fn fetched(
        &self,
        intent: IntentId,
        report: &CallReport,
        now: DateTime<Utc>,
    ) -> Decided {
        if matches!(self.phase, Phase::Absent) {
            return Err(Rejected::Absent);
        }
        let Some(fetch) = self.asked(intent) else { return self.hear(report, None, now) };
        self.hear(report, Some(fetch), now)
            .or_else(|_| Ok(Decision::of(Fact::FetchMissed { fetch, why: None, at: now })))
    }

    pub(super) fn fetch_failed(
        &self,
        intent: IntentId,
        why: FetchFailure,
        now: DateTime<Utc>,
    ) -> Decided {
        let fetch = self.asked(intent).ok_or(Rejected::Stale)?;
        Ok(Decision::of(Fact::FetchMissed { fetch, why: Some(why), at: now }))
    }

    pub(super) fn fetch_unknown(&self, intent: IntentId, now: DateTime<Utc>) -> Decided {
        self.fetch_failed(intent, FetchFailure::Unreachable, now)
    }

    /// Returns the number of the question under way, if it is `intent`.
    fn asked(&self, intent: IntentId) -> Option<u32> {
        let fetch = self.fetch();
        let open = fetch.stage == FetchStage::Sent && intent == self.fetch_id(fetch.ordinal);
        open.then_some(fetch.ordinal)
    }

    /// Leaves a tombstone. A screening that was told nothing yet will hear nothing more: to it the
    /// outcome is unknown, so nobody is rung again without being asked for.
    pub(super) fn delete(&self, by: &str, now: DateTime<Utc>) -> Decided {
        let Some(status) = self.status() else { return Err(Rejected::Absent) };
        let (application, told) = match &self.phase {
            Phase::Absent => return Err(Rejected::Absent),
            Phase::Deleted(_) => return Err(Rejected::Deleted),
            Phase::Dialing(dialing) => (dialing.order.application, None),
            Phase::Live(live) => (live.call.record.application, None),
            Phase::Over(over) => (over.call.record.application, over.told),
        };
        let application = application.filter(|_| !self.is_imported());
        let (by, call_id) = (by.to_owned(), self.call_id().cloned());
        let belongs_to = self.belongs_to();
        let deleted = Fact::Deleted { by, call_id: call_id.clone(), status, belongs_to, at: now };
        let mut decision = Decision::of(deleted);
        if let (Some(application), None) = (application, told) {
            let tally = self.asked_by().tally;
            let unknown = InterviewEnd::of(self.id, Grade::Unknown);
            let ended = InterviewEnd { call_id, tally, ..unknown };
            let signal = Signal::Screening(application, ScreeningEvent::InterviewEnded(ended));
            decision.signals.push(signal);
        }
        Ok(decision)
    }
}
