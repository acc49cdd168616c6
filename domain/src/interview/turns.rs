//! What was said, turn by turn.

use serde::{Deserialize, Serialize};

/// Who spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnRole {
    /// Our agent.
    Assistant,
    /// The callee.
    User,
    /// Instructions to the agent.
    System,
    /// A tool the agent used.
    Tool,
    /// A role we do not know.
    Unknown,
}

impl TurnRole {
    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Assistant => "assistant",
            Self::User => "user",
            Self::System => "system",
            Self::Tool => "tool",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the name on the wire; one nobody knows is `unknown`.
    pub fn read(name: &str) -> Self {
        [Self::Assistant, Self::User, Self::System, Self::Tool]
            .into_iter()
            .find(|role| role.as_str() == name)
            .unwrap_or(Self::Unknown)
    }
}

/// One turn as a report gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidTurn {
    /// Who spoke.
    pub role: TurnRole,
    /// What was said; may be blank.
    pub message: String,
    /// Its place; without one it stands where it stands in the report.
    pub sequence_order: Option<i64>,
}

/// One turn of a conversation; never blank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Who spoke.
    pub role: TurnRole,
    /// What was said.
    pub message: String,
    /// From 0, without gaps.
    pub sequence_order: u32,
}

/// The turns of one report: in order, without blanks, numbered from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Turns(Vec<Turn>);

impl Turns {
    /// Orders what was said, drops blank turns, and numbers the rest.
    pub fn cleaned(said: Vec<SaidTurn>) -> Self {
        let mut placed: Vec<(i64, SaidTurn)> = (0..)
            .zip(said)
            .map(|(place, turn)| (turn.sequence_order.unwrap_or(place), turn))
            .filter(|(_, turn)| !turn.message.trim().is_empty())
            .collect();
        placed.sort_by_key(|(place, _)| *place);
        let numbered = (0..).zip(placed).map(|(sequence_order, (_, turn))| Turn {
            role: turn.role,
            message: turn.message,
            sequence_order,
        });
        Self(numbered.collect())
    }

    /// Returns them in order.
    pub fn as_slice(&self) -> &[Turn] {
        &self.0
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
