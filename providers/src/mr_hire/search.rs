//! Looking for the call of a dial that was never answered, page by page through the engine's list.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ports::{LostDial, Sighting};
use domain::{CallId, Phone, Provider};
use serde_json::Value;
use uuid::Uuid;

use super::client::LIST_LIMIT;
use super::wire::{CallList, Onward};

/// How far the engine's clock may be from ours.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// A search under way.
pub(super) struct Search<'a> {
    lost: &'a LostDial,
    /// A call was seen that could be the lost one, and does not say whose it is.
    could_be: bool,
}

/// What one page led to.
pub(super) enum Looked {
    /// Older calls are behind this cursor.
    Further(String),
    /// There is nothing more to look at.
    Over(Sighting),
}

enum Row {
    Ours(CallId, Option<Provider>),
    CouldBeOurs,
    Other,
}

impl<'a> Search<'a> {
    pub fn of(lost: &'a LostDial) -> Self {
        Self { lost, could_be: false }
    }

    pub fn look_at(&mut self, page: &CallList) -> Looked {
        for row in &page.calls {
            match self.judge(row) {
                Row::Ours(call_id, provider) => {
                    return Looked::Over(Sighting::Placed(call_id, provider));
                }
                Row::CouldBeOurs => self.could_be = true,
                Row::Other => {}
            }
        }
        let reaches_back = page.calls.last().is_some_and(|row| self.is_older(row));
        match page.onward() {
            _ if reaches_back => Looked::Over(self.absent()),
            Onward::To(cursor) => Looked::Further(cursor),
            Onward::End => Looked::Over(self.absent()),
            // An engine that does not page: a list that is not full is all there is.
            Onward::Unsaid if page.calls.len() < LIST_LIMIT => Looked::Over(self.absent()),
            Onward::Unsaid => Looked::Over(Sighting::Unclear),
        }
    }

    fn absent(&self) -> Sighting {
        if self.could_be { Sighting::Unclear } else { Sighting::Absent }
    }

    /// A call that carries an intent is that intent's. One that carries none, as all do of an engine
    /// that forgets metadata, could be ours by its time and its number.
    fn judge(&self, row: &Value) -> Row {
        let text = |name: &str| row.get(name).and_then(Value::as_str);
        let intent = row.pointer("/metadata/intentId").and_then(Value::as_str);
        if let Some(intent) = intent.and_then(|text| Uuid::parse_str(text).ok()) {
            if intent != self.lost.intent.0 {
                return Row::Other;
            }
            let provider = text("provider").and_then(|name| Provider::parse(name).ok());
            return match text("callId").map(CallId::parse) {
                Some(Ok(call_id)) => Row::Ours(call_id, provider),
                Some(Err(_)) | None => Row::CouldBeOurs,
            };
        }
        let is_other_number = text("phoneNumber")
            .and_then(|number| Phone::parse(number).ok())
            .is_some_and(|phone| phone != self.lost.phone);
        if self.is_older(row) || is_other_number { Row::Other } else { Row::CouldBeOurs }
    }

    fn is_older(&self, row: &Value) -> bool {
        let created_at = row.get("createdAt").and_then(Value::as_str);
        let created_at = created_at.and_then(|text| text.parse::<DateTime<Utc>>().ok());
        created_at.is_some_and(|at| at < self.lost.since - SKEW)
    }
}
