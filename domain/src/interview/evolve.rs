//! How facts move an interview. Nothing is judged here: a fact that does not fit moves nothing.

use chrono::{DateTime, Utc};

use super::fact::{Fact, Ordered, Reported};
use super::fetch::Fetch;
use super::record::{Origin, Record};
use super::state::{
    Call, Dial, Dialing, End, Interview, Live, LiveStatus, Over, Phase, Silence, Tombstone, Watch,
};
use super::status::{CallStatus, Grade};
use crate::value::{CallId, Provider};

impl Interview {
    pub(super) fn fold(&mut self, fact: &Fact) {
        let phase = std::mem::replace(&mut self.phase, Phase::Absent);
        self.phase = match (phase, fact) {
            (Phase::Deleted(stone), _) => Phase::Deleted(stone),
            (_, Fact::Deleted { call_id, status, belongs_to, at, .. }) => {
                Phase::Deleted(Tombstone {
                    call_id: call_id.clone(),
                    status: *status,
                    belongs_to: *belongs_to,
                    at: *at,
                })
            }
            (Phase::Absent, fact) => begun(fact),
            (Phase::Dialing(dialing), fact) => dialing.fold(fact),
            (Phase::Live(live), fact) => live.fold(fact),
            (Phase::Over(over), fact) => Phase::Over(over.fold(fact)),
        };
    }
}

/// Returns the first phase.
fn begun(fact: &Fact) -> Phase {
    match fact {
        Fact::Reported(report) => {
            let call = Call { record: report.news.clone(), ..Call::default() };
            entered(report.call_id.clone(), call, report.status, report.at)
        }
        Fact::Imported(report) => {
            let call =
                Call { origin: Origin::Imported, record: report.news.clone(), ..Call::default() };
            let at = report.occurred_at.unwrap_or(report.at);
            entered(report.call_id.clone(), call, report.status, at)
        }
        Fact::DialPlanned { order, at } => Phase::Dialing(Dialing {
            order: order.clone(),
            dial: Dial::Planned { attempt: 0 },
            ordered_at: *at,
        }),
        _ => Phase::Absent,
    }
}

/// Returns the phase of a call that has just reached `status`.
fn entered(call_id: CallId, call: Call, status: CallStatus, at: DateTime<Utc>) -> Phase {
    let live = |status| {
        let silence = Silence::Fine;
        Phase::Live(Live {
            call_id: call_id.clone(),
            status,
            since: at,
            silence,
            call: call.clone(),
        })
    };
    match status {
        CallStatus::Queued => live(LiveStatus::Queued),
        CallStatus::Ringing => live(LiveStatus::Ringing),
        CallStatus::InProgress => live(LiveStatus::InProgress),
        CallStatus::Failed => Phase::Over(Over::begun(Some(call_id), call, End::Failed, at)),
        CallStatus::Ended => Phase::Over(Over::begun(Some(call_id), call, End::Ended, at)),
    }
}

impl Call {
    fn of_order(order: &Ordered) -> Self {
        let record = Record::of_order(order);
        let asked = order.asked;
        Self { origin: Origin::Ordered, asked, record, fetch: Fetch::default() }
    }

    fn carried_by(mut self, provider: Option<Provider>) -> Self {
        self.record.provider = self.record.provider.max(provider);
        self
    }

    /// Takes over what a report tells, and closes the question that it answers.
    fn learn(&mut self, report: &Reported) {
        self.record.learn(&report.news);
        if let Some(ordinal) = report.fetch {
            self.fetch.answered(ordinal);
        }
    }
}

impl Dialing {
    fn fold(mut self, fact: &Fact) -> Phase {
        match fact {
            Fact::Reported(report) => {
                let mut call = Call::of_order(&self.order);
                call.learn(report);
                return entered(report.call_id.clone(), call, report.status, report.at);
            }
            Fact::DialPlaced { call_id, provider, at } => {
                let call = Call::of_order(&self.order).carried_by(*provider);
                return entered(call_id.clone(), call, CallStatus::Queued, *at);
            }
            Fact::DialRefused { reason, at, .. } => {
                let mut call = Call::of_order(&self.order);
                call.record.failure_reason = Some(*reason);
                return Phase::Over(Over::begun(None, call, End::Failed, *at));
            }
            Fact::DialCancelled { at } => return self.ended(End::Cancelled, *at),
            Fact::GivenUp { at } => return self.ended(End::GivenUp, *at),
            Fact::DialSent { attempt, at } => self.dial = self.dial.sent(*attempt, *at),
            Fact::DialPostponed { .. } => self.dial = self.dial.postponed(),
            Fact::DialUnsure { attempt } => self.dial = self.dial.unsure(*attempt),
            _ => {}
        }
        Phase::Dialing(self)
    }

    fn ended(self, end: End, at: DateTime<Utc>) -> Phase {
        Phase::Over(Over::begun(None, Call::of_order(&self.order), end, at))
    }
}

impl Dial {
    fn sent(self, attempt: u32, at: DateTime<Utc>) -> Self {
        match self {
            Self::Planned { .. } => Self::Sending { attempt, first_at: at },
            Self::Sending { first_at, .. }
            | Self::Unsure { first_at, .. }
            | Self::Resending { first_at, .. }
            | Self::Deferred { first_at, .. } => Self::Resending { attempt, first_at },
        }
    }

    /// A first sending that is postponed did not happen; later ones prove nothing about the first.
    fn postponed(self) -> Self {
        match self {
            Self::Planned { attempt } | Self::Sending { attempt, .. } => Self::Planned { attempt },
            Self::Unsure { attempt, first_at }
            | Self::Resending { attempt, first_at }
            | Self::Deferred { attempt, first_at } => Self::Deferred { attempt, first_at },
        }
    }

    fn unsure(self, attempt: u32) -> Self {
        match self {
            Self::Planned { .. } => self,
            Self::Sending { first_at, .. }
            | Self::Unsure { first_at, .. }
            | Self::Resending { first_at, .. }
            | Self::Deferred { first_at, .. } => Self::Unsure { attempt, first_at },
        }
    }
}

impl Live {
    fn fold(mut self, fact: &Fact) -> Phase {
        match fact {
            Fact::Reported(report) => return self.heard(report),
            Fact::GivenUp { at } => {
                let Self { call_id, mut call, .. } = self;
                call.fetch.drop_planned();
                return Phase::Over(Over::begun(Some(call_id), call, End::GivenUp, *at));
            }
            Fact::Overdue { at } => {
                self.silence = Silence::Overdue { since: *at, misses: 0 };
                self.plan_fetch(*at);
            }
            Fact::FetchSent { fetch } => self.call.fetch.sent(*fetch),
            Fact::FetchMissed { fetch, at, .. } => {
                self.call.fetch.answered(*fetch);
                self.missed(*at);
            }
            _ => {}
        }
        Phase::Live(self)
    }

    fn heard(mut self, report: &Reported) -> Phase {
        self.call.learn(report);
        if report.from.is_some() {
            self.call.fetch.drop_planned();
            return entered(self.call_id, self.call, report.status, report.at);
        }
        if report.fetch.is_some() {
            self.missed(report.at);
        }
        Phase::Live(self)
    }

    fn missed(&mut self, at: DateTime<Utc>) {
        if let Silence::Overdue { misses, .. } = &mut self.silence {
            *misses = misses.saturating_add(1);
        }
        self.plan_fetch(at);
    }
}

impl Over {
    fn begun(call_id: Option<CallId>, call: Call, end: End, at: DateTime<Utc>) -> Self {
        let watch = Watch::Settled;
        let mut over = Self { call_id, end, ended_at: at, watch, told: None, call };
        over.follow(false, at);
        over
    }

    fn fold(mut self, fact: &Fact) -> Self {
        match fact {
            Fact::Reported(report) => self.heard(report),
            Fact::DialPlaced { call_id, provider, .. } => {
                self.call_id.get_or_insert_with(|| call_id.clone());
                self.call = self.call.carried_by(*provider);
            }
            Fact::FetchSent { fetch } => self.call.fetch.sent(*fetch),
            Fact::FetchMissed { fetch, at, .. } => {
                self.call.fetch.answered(*fetch);
                self.missed();
                self.plan_fetch(*at);
            }
            Fact::TranscriptMissed { at } => {
                self.watch = Watch::Late { since: *at };
                self.tell();
                self.plan_fetch(*at);
            }
            Fact::WatchEnded { at } => {
                self.watch = Watch::Settled;
                self.plan_fetch(*at);
            }
            _ => {}
        }
        self
    }

    fn heard(&mut self, report: &Reported) {
        let was_pending = self.is_pending();
        let application = self.call.record.application;
        self.call_id.get_or_insert_with(|| report.call_id.clone());
        self.call.learn(report);
        if report.from.is_some() {
            self.end = self.end.max(End::reported(report.status).unwrap_or(self.end));
        }
        if self.call.record.application != application {
            self.told = None; // What was told, another screening was told.
        }
        if report.fetch.is_some() {
            self.missed();
        }
        self.follow(was_pending, report.at);
    }

    fn missed(&mut self) {
        if let Watch::Awaiting { misses, .. } = &mut self.watch {
            *misses = misses.saturating_add(1);
        }
    }

    /// Begins or ends the watch, as something is missing or not; one that has run out stays so.
    fn follow(&mut self, was_pending: bool, at: DateTime<Utc>) {
        if !self.is_pending() || self.call.origin == Origin::Imported {
            self.watch = Watch::Settled;
        } else if !was_pending {
            self.call.fetch.drop_planned();
            self.watch = Watch::Awaiting { since: at, misses: 0 };
        }
        self.tell();
        self.plan_fetch(at);
    }

    /// Notes what its screening is told: every rise, and `pending` only to take back a retry.
    fn tell(&mut self) {
        let grade = self.grade();
        let untold = self.told < Some(grade);
        let useful = grade != Grade::Pending || self.told.is_some();
        if self.call.origin == Origin::Imported {
            return; // What followed from it, followed where it came from.
        }
        if self.call.record.application.is_some() && untold && useful {
            self.told = Some(grade);
        }
    }
}

impl End {
    /// Returns the end that a report of `status` makes; none while the call is under way.
    pub const fn reported(status: CallStatus) -> Option<Self> {
        match status {
            CallStatus::Queued | CallStatus::Ringing | CallStatus::InProgress => None,
            CallStatus::Failed => Some(Self::Failed),
            CallStatus::Ended => Some(Self::Ended),
        }
    }
}
