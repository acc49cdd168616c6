//! Asking the engine about a call: at most one question is open at a time.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

/// How long a fetch may take to leave us, in seconds. Source: ours; the engine's pulls end after 10 s.
pub const FETCH_SEND_TIMEOUT_S: i64 = 30;

/// The last question to the engine, and where it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    /// Its number; 0 before the first.
    #[serde(rename = "n", default)]
    pub ordinal: u32,
    /// Where it is.
    #[serde(default)]
    pub stage: FetchStage,
}

/// Where a question is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FetchStage {
    /// Answered, dropped, or never asked.
    #[default]
    Idle,
    /// Owed, at this instant.
    Planned(DateTime<Utc>),
    /// Sent, and not answered yet.
    Sent,
}

impl Fetch {
    /// Whether it was never used; such a one is not written.
    pub fn is_unused(&self) -> bool {
        *self == Self::default()
    }

    /// Takes back what was not sent yet.
    pub fn drop_planned(&mut self) {
        if matches!(self.stage, FetchStage::Planned(_)) {
            self.stage = FetchStage::Idle;
        }
    }

    /// Plans the next question after `delay`, unless one is open; without a delay, none is wanted.
    pub fn plan(&mut self, delay: Option<Duration>, at: DateTime<Utc>) {
        match (delay, self.stage) {
            (Some(delay), FetchStage::Idle) => {
                self.ordinal = self.ordinal.saturating_add(1);
                self.stage = FetchStage::Planned(at + delay);
            }
            (None, FetchStage::Planned(_)) => self.stage = FetchStage::Idle,
            (Some(_), FetchStage::Planned(_) | FetchStage::Sent)
            | (None, FetchStage::Idle | FetchStage::Sent) => {}
        }
    }

    /// Notes that question `ordinal` was sent.
    pub fn sent(&mut self, ordinal: u32) {
        if self.ordinal == ordinal {
            self.stage = FetchStage::Sent;
        }
    }

    /// Notes that question `ordinal` was answered.
    pub fn answered(&mut self, ordinal: u32) {
        if self.ordinal == ordinal {
            self.stage = FetchStage::Idle;
        }
    }
}
