//! Between stored values and the domain's: names, schema numbers, counts.

use domain::{EntityId, EntityKey, Kind};
use uuid::Uuid;

/// Returns the names of the kinds this binary has machines for.
///
/// Work of other kinds belongs to a newer release beside us and is left alone.
pub(super) fn known_kinds() -> Vec<String> {
    Kind::ALL.into_iter().map(|kind| kind.as_str().to_owned()).collect()
}

/// Reads a stored receiver; none when its kind is of a newer release.
pub(super) fn entity_key(kind: &str, id: Uuid) -> Option<EntityKey> {
    Some(EntityKey { kind: kind.parse().ok()?, id: EntityId(id) })
}

/// Reads a schema number; one that fits no release counts as too new, so that it is left alone.
pub(super) fn schema(stored: i16) -> u16 {
    u16::try_from(stored).unwrap_or(u16::MAX)
}

/// Writes a number into a column of two bytes.
pub(super) fn small(number: u16) -> i16 {
    i16::try_from(number).unwrap_or(i16::MAX)
}

/// Reads a count, which is never below zero.
pub(super) fn count(stored: i32) -> u32 {
    u32::try_from(stored).unwrap_or(0)
}
