//! By whom a call was asked for, and by which request.

use serde::{Deserialize, Serialize};

use crate::ids::RequestMark;

/// Whether a call is one of its application's attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tally {
    /// It is: the screening, or the pipeline before it, rings so often and no more.
    #[default]
    Attempt,
    /// It is not: somebody had it placed beside them. It counts only where it can be scored.
    Extra,
}

impl Tally {
    /// Whether it is one; that is not written.
    pub const fn is_attempt(&self) -> bool {
        matches!(self, Self::Attempt)
    }
}

/// What an order keeps of the request that led to it; a screening's own order has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Whether the call is one of its application's attempts.
    #[serde(default, skip_serializing_if = "Tally::is_attempt")]
    pub tally: Tally,
    /// What tells the request from another one that asks for the same interview.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestMark>,
}

impl Asked {
    /// Whether it says nothing; then it is not written.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}
