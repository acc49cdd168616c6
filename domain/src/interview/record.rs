//! What is known about a call: every field only grows, so the order of the reports does not matter.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::fact::Ordered;
use super::report::CallReport;
use super::status::{FailureReason, Grade};
use super::turns::{TurnRole, Turns};
use crate::ids::EntityId;
use crate::value::{CostUsd, Phone, Provider, Seconds};

/// From how many seconds on a call is an interview. Source: the seed's `MIN_CALL_DURATION`.
pub const DURATION_REAL_S: f64 = 60.0;

/// From how many characters (Unicode scalar values) on a transcript can be scored. Source: the seed's
/// rule "over 50 characters".
pub const TRANSCRIPT_CHARS_REAL: u32 = 51;

/// What is kept of a text, enough to judge which of two is the fuller: the greater one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TextMark {
    /// Its length in Unicode scalar values.
    pub chars: u32,
    /// The first six bytes of its SHA-256; decides between texts of one length.
    pub hash: u64,
}

impl TextMark {
    /// Marks a text; a blank one says nothing and has no mark.
    pub fn of(text: &str) -> Option<Self> {
        let mut hash = Sha256::new();
        hash.update(text);
        (!text.trim().is_empty()).then(|| Self { chars: count_chars(text), hash: short(hash) })
    }
}

/// What is kept of a set of turns, enough to judge which of two is the fuller: the greater one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TurnsMark {
    /// The length of all of them in Unicode scalar values.
    pub chars: u32,
    /// How many there are.
    pub count: u32,
    /// The first six bytes of the SHA-256 of roles and texts; decides between sets of one size.
    pub hash: u64,
    /// How many the callee said.
    pub user: u32,
}

impl TurnsMark {
    /// Marks a set of turns; an empty one says nothing and has no mark.
    pub fn of(turns: &Turns) -> Option<Self> {
        let mut hash = Sha256::new();
        let (mut chars, mut count, mut user) = (0_u32, 0_u32, 0_u32);
        for turn in turns.as_slice() {
            hash.update(turn.role.as_str());
            hash.update([0]);
            hash.update(&turn.message);
            hash.update([0]);
            chars = chars.saturating_add(count_chars(&turn.message));
            count = count.saturating_add(1);
            user = user.saturating_add(u32::from(turn.role == TurnRole::User));
        }
        (count > 0).then(|| Self { chars, count, hash: short(hash), user })
    }
}

fn count_chars(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

/// Six bytes, so that the number survives readers who have nothing but doubles.
fn short(hash: Sha256) -> u64 {
    hash.finalize().iter().take(6).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// What is known about a call, or what a report adds to it.
///
/// Texts and turns: the fuller wins. Duration and cost: the greater. The rest names things that do not
/// change during one call; should reports differ all the same, the greater value wins, in any order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Who carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// The number called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// The candidate's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate_name: Option<String>,
    /// How long it lasted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Seconds>,
    /// What it cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<CostUsd>,
    /// Where the recording lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_url: Option<String>,
    /// The application it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<EntityId>,
    /// The HR user it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub belongs_to: Option<Uuid>,
    /// Why it failed, as the engine says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<FailureReason>,
    /// The transcript, which lives in the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<TextMark>,
    /// The turns, which live in the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<TurnsMark>,
    /// The summary, which lives in the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<TextMark>,
}

/// Who said first what the call is about: where we ordered it, our own order stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The engine, in a report.
    #[default]
    Heard,
    /// We, in an order to dial: callee, name, application and owner are ours.
    Ordered,
    /// The system that this one replaces. What followed from the call, followed there: no screening hears
    /// of it, so nobody is scored or rung again for it.
    Imported,
}

impl Origin {
    /// Whether the engine said it first; that is not written.
    pub const fn is_heard(&self) -> bool {
        matches!(self, Self::Heard)
    }
}

impl Record {
    /// Returns what an order says about its call.
    pub fn of_order(order: &Ordered) -> Self {
        Self {
            provider: order.provider,
            phone: Some(order.phone.clone()),
            candidate_name: Some(order.candidate_name.clone()),
            application: order.application,
            belongs_to: order.belongs_to,
            ..Self::default()
        }
    }

    /// Returns what a report says about its call.
    fn of_report(report: &CallReport) -> Self {
        Self {
            provider: report.provider,
            phone: report.phone.clone(),
            candidate_name: said(report.candidate_name.as_ref()),
            duration: report.duration,
            cost: report.cost,
            recording_url: said(report.recording_url.as_ref()),
            application: report.application,
            belongs_to: report.belongs_to,
            failure_reason: report
                .failure_reason
                .filter(|reason| FailureReason::REPORTED.contains(reason)),
            transcript: report.transcript.as_deref().and_then(TextMark::of),
            turns: report.messages.as_ref().and_then(TurnsMark::of),
            summary: report.summary.as_deref().and_then(TextMark::of),
        }
    }

    /// Returns what of `report` is not known yet.
    pub fn news(&self, report: &CallReport, origin: Origin) -> Self {
        let mut said = Self::of_report(report);
        if origin == Origin::Ordered {
            said.phone = None;
            said.candidate_name = None;
            said.application = None;
            said.belongs_to = None;
        }
        Self {
            provider: greater(said.provider, &self.provider),
            phone: greater(said.phone, &self.phone),
            candidate_name: greater(said.candidate_name, &self.candidate_name),
            duration: greater(said.duration, &self.duration),
            cost: greater(said.cost, &self.cost),
            recording_url: greater(said.recording_url, &self.recording_url),
            application: greater(said.application, &self.application),
            belongs_to: greater(said.belongs_to, &self.belongs_to),
            failure_reason: greater(said.failure_reason, &self.failure_reason),
            transcript: greater(said.transcript, &self.transcript),
            turns: greater(said.turns, &self.turns),
            summary: greater(said.summary, &self.summary),
        }
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes over what `news` says.
    pub fn learn(&mut self, news: &Self) {
        learn(&mut self.provider, &news.provider);
        learn(&mut self.phone, &news.phone);
        learn(&mut self.candidate_name, &news.candidate_name);
        learn(&mut self.duration, &news.duration);
        learn(&mut self.cost, &news.cost);
        learn(&mut self.recording_url, &news.recording_url);
        learn(&mut self.application, &news.application);
        learn(&mut self.belongs_to, &news.belongs_to);
        learn(&mut self.failure_reason, &news.failure_reason);
        learn(&mut self.transcript, &news.transcript);
        learn(&mut self.turns, &news.turns);
        learn(&mut self.summary, &news.summary);
    }

    /// Returns how long the transcript is, in Unicode scalar values; 0 without one.
    pub fn transcript_chars(&self) -> u32 {
        self.transcript.map_or(0, |mark| mark.chars)
    }

    /// Returns what an `ended` call with this record is worth: short, real, or pending while something
    /// that could make it real is missing altogether.
    pub fn grade_ended(&self) -> Grade {
        let scorable = self.transcript_chars() >= TRANSCRIPT_CHARS_REAL;
        match (self.duration, self.transcript) {
            (Some(duration), _) if duration.get() < DURATION_REAL_S => Grade::Short,
            (_, Some(_)) if !scorable => Grade::Short,
            (Some(_), Some(_)) => Grade::Real,
            (None, _) | (_, None) => Grade::Pending,
        }
    }
}

/// Returns a text that is not blank.
fn said(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty()).cloned()
}

/// Returns `said` where it is greater than what is known.
fn greater<T: PartialOrd>(said: Option<T>, known: &Option<T>) -> Option<T> {
    if said > *known { said } else { None }
}

fn learn<T: Clone>(known: &mut Option<T>, news: &Option<T>) {
    if let Some(value) = news {
        *known = Some(value.clone());
    }
}
