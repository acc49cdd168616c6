//! Reports: merged whatever their order, refused when they tell nothing new.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::decide::Decided;
use super::fact::{Document, Fact, Reported};
use super::record::{Origin, Record};
use super::report::CallReport;
use super::state::{End, Interview, Live, Over, Phase};
use super::status::CallStatus;
use crate::machine::{Decision, Rejected};

/// What a report is compared with.
struct Known<'a> {
    record: Cow<'a, Record>,
    origin: Origin,
    status: CallStatus,
    /// The status the report moves it to.
    moves_to: Option<CallStatus>,
    /// Whether the report moves it even if it tells nothing else.
    begins: bool,
}

impl Interview {
    pub(super) fn hear(
        &self,
        report: &CallReport,
        fetch: Option<u32>,
        now: DateTime<Utc>,
    ) -> Decided {
        let known = self.known(report)?;
        let news = known.record.news(report, known.origin);
        if !known.begins && known.moves_to.is_none() && news.is_empty() {
            let backward = report.status.is_some_and(|said| said < known.status);
            return Err(if backward { Rejected::Backward } else { Rejected::NothingNew });
        }
        let documents = documents(report, &news);
        let fact = Fact::Reported(Box::new(Reported {
            call_id: report.call_id.clone(),
            status: known.moves_to.unwrap_or(known.status),
            from: known.moves_to.map(|_| known.status),
            news,
            fetch,
            occurred_at: report.occurred_at,
            at: now,
        }));
        Ok(Decision { documents, ..Decision::of(fact) })
    }

    fn known(&self, report: &CallReport) -> Result<Known<'_>, Rejected> {
        let by_intent = report.intent == Some(self.dial_id());
        match &self.phase {
            Phase::Absent => Ok(Known::begun(Record::default(), Origin::Heard, report)),
            Phase::Dialing(dialing) if by_intent => {
                Ok(Known::begun(Record::of_order(&dialing.order), Origin::Ordered, report))
            }
            Phase::Live(live) if live.call_id == report.call_id => Ok(live.known(report)),
            Phase::Over(over) if over.is_named(report, by_intent) => Ok(over.known(report)),
            Phase::Dialing(_) | Phase::Live(_) | Phase::Over(_) => Err(Rejected::OutOfPhase),
            Phase::Deleted(_) => Err(Rejected::Deleted),
        }
    }
}

impl Known<'_> {
    /// The first report about a call; one that does not say how far it got saw it queued at least.
    fn begun(record: Record, origin: Origin, report: &CallReport) -> Self {
        Self {
            record: Cow::Owned(record),
            origin,
            status: report.status.unwrap_or(CallStatus::Queued),
            moves_to: None,
            begins: true,
        }
    }
}

impl Live {
    fn known(&self, report: &CallReport) -> Known<'_> {
        let status = CallStatus::from(self.status);
        Known {
            record: Cow::Borrowed(&self.call.record),
            origin: self.call.origin,
            status,
            moves_to: report.status.filter(|said| *said > status),
            begins: false,
        }
    }
}

impl Over {
    /// Whether `report` is about this call; one that was never named is known by our intent alone.
    fn is_named(&self, report: &CallReport, by_intent: bool) -> bool {
        self.call_id.as_ref().map_or(by_intent, |known| *known == report.call_id)
    }

    fn known(&self, report: &CallReport) -> Known<'_> {
        let raises = |said: &CallStatus| End::reported(*said).is_some_and(|end| end > self.end);
        Known {
            record: Cow::Borrowed(&self.call.record),
            origin: self.call.origin,
            status: self.end.status(),
            moves_to: report.status.filter(raises),
            begins: self.call_id.is_none(),
        }
    }
}

/// Returns the texts that are fuller than what is stored.
pub(super) fn documents(report: &CallReport, news: &Record) -> Vec<Document> {
    let mut documents = Vec::new();
    if let (Some(text), Some(_)) = (&report.transcript, news.transcript) {
        documents.push(Document::Transcript(text.clone()));
    }
    if let (Some(turns), Some(_)) = (&report.messages, news.turns) {
        documents.push(Document::Turns(turns.clone()));
    }
    if let (Some(text), Some(_)) = (&report.summary, news.summary) {
        documents.push(Document::Summary(text.clone()));
    }
    documents
}
