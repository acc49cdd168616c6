//! Messages between entities: a row in the receiver's inbox, written by the sender's commit.

use crate::ids::{EntityId, EntityKey, Kind};
use crate::interview::{Interview, InterviewEvent};
use crate::machine::Machine;
use crate::screening::{Screening, ScreeningEvent};

/// How many entities a chain of messages may pass before it is refused.
pub const HOPS_MAX: u16 = 32;

/// A message from one entity to another; it counts exactly once.
#[derive(Clone, Debug)]
pub enum Signal {
    /// To the interview of that id.
    Interview(EntityId, InterviewEvent),
    /// To the screening of that application.
    Screening(EntityId, ScreeningEvent),
}

impl Signal {
    /// Returns whom the message is for.
    pub const fn receiver(&self) -> EntityKey {
        match self {
            Self::Interview(id, _) => EntityKey { kind: Kind::Interview, id: *id },
            Self::Screening(id, _) => EntityKey { kind: Kind::Screening, id: *id },
        }
    }

    /// Returns the schema number of the event.
    pub const fn schema(&self) -> u16 {
        match self {
            Self::Interview(..) => Interview::SCHEMA,
            Self::Screening(..) => Screening::SCHEMA,
        }
    }

    /// Writes the event as the receiver will read it.
    ///
    /// # Errors
    /// When the event cannot be written as JSON, which none of ours does.
    pub fn encode(&self) -> serde_json::Result<String> {
        match self {
            Self::Interview(_, event) => serde_json::to_string(event),
            Self::Screening(_, event) => serde_json::to_string(event),
        }
    }
}
