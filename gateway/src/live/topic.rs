//! What can be subscribed to, and who may.

use domain::{EntityId, Kind};
use uuid::Uuid;

/// A topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// Every call in scope, as the board shows it; conflated by call for a slow reader.
    Calls,
    /// One call, every fact of it; never conflated.
    Call(EntityId),
    /// The tree, once a second while it changes; for administrators.
    Tree,
}

impl Topic {
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None => match text {
                "calls" => Some(Self::Calls),
                "tree" => Some(Self::Tree),
                _ => None,
            },
            Some(("call", id)) => Uuid::parse_str(id).ok().map(EntityId).map(Self::Call),
            Some(_) => None,
        }
    }

    /// Whether a fact of that entity belongs to the topic, whoever may see it.
    pub fn holds(self, kind: Kind, id: EntityId) -> bool {
        match self {
            Self::Calls => kind == Kind::Interview,
            Self::Call(of) => kind == Kind::Interview && of == id,
            Self::Tree => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_and_others_are_not() {
        assert_eq!(Topic::parse("calls"), Some(Topic::Calls));
        assert_eq!(Topic::parse("tree"), Some(Topic::Tree));
        let id = Uuid::from_u128(7);
        assert_eq!(Topic::parse(&format!("call:{id}")), Some(Topic::Call(EntityId(id))));
        for unknown in ["", "call", "call:", "call:x", "calls:1", "webhooks"] {
            assert_eq!(Topic::parse(unknown), None, "{unknown}");
        }
    }
}
