//! Schemas by their names: what has one is not written out inside an envelope again.

use serde_json::{Map, Value, json};

/// Where an envelope holds what it wraps: one thing, or a list of them.
const HELD_AT: [&str; 2] = ["/properties/data/items", "/properties/data"];

/// Names what each envelope wraps, as the part of its own name behind `_` says.
pub(super) fn settle(schemas: &mut Map<String, Value>) {
    let names: Vec<String> = schemas.keys().cloned().collect();
    for envelope in &names {
        let Some((_, wrapped)) = envelope.split_once('_') else { continue };
        let Some(whole) = schemas.get(wrapped).cloned() else { continue };
        for place in HELD_AT {
            let held = schemas.get_mut(envelope).and_then(|schema| schema.pointer_mut(place));
            if let Some(held) = held.filter(|held| **held == whole) {
                *held = json!({ "$ref": format!("#/components/schemas/{wrapped}") });
            }
        }
    }
}
