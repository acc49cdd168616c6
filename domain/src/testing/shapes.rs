//! Samples of everything that was ever stored: they must be read for ever, and fold to what they were.
//!
//! One file a kind and schema number, `shapes/<kind>.<schema>.json`; lives are added to the file of the
//! current number and never changed. `SHAPES=write` adds those that are missing.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Bench;
use crate::ids::EntityId;
use crate::machine::Machine;

/// Stories that are told; the same each time, so that what they write is the same too.
const STORIES: usize = 600;
/// The longest text that may be a name from a closed set.
const NAME_CHARS_MAX: usize = 24;

/// What the tables hold of one entity.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Life {
    id: Option<EntityId>,
    pub events: Vec<Value>,
    pub effects: Vec<Value>,
    facts: Vec<Value>,
    state: Value,
}

impl Life {
    fn of<M: Machine>(bench: Bench<M>) -> Option<Self> {
        let life = bench.life?;
        let facts = bench.facts.iter().map(|fact| serde_json::from_str(fact).unwrap());
        let state = serde_json::to_value(&bench.machine).unwrap();
        Some(Self { id: Some(bench.id), facts: facts.collect(), state, ..life })
    }

    /// Returns every place where something is written, and the names from closed sets written there.
    fn places(&self) -> BTreeSet<String> {
        let mut places = BTreeSet::new();
        for (what, values) in
            [("event", &self.events), ("effect", &self.effects), ("fact", &self.facts)]
        {
            for value in values {
                let name = value.get("type").and_then(Value::as_str).unwrap_or_default();
                note(value, &format!("{what} {name}"), &mut places);
            }
        }
        note(&self.state, "state", &mut places);
        places
    }

    /// Fails unless this binary reads it all and folds the facts to the state.
    fn check<M: Machine>(&self, is_current: bool) {
        let mut folded = M::absent(self.id.unwrap());
        for fact in &self.facts {
            folded.evolve(&read::<M::Fact>(fact, is_current));
        }
        for event in &self.events {
            read::<M::Event>(event, is_current);
        }
        for effect in &self.effects {
            read::<M::Effect>(effect, is_current);
        }
        let state = serde_json::to_value(read::<M>(&self.state, is_current)).unwrap();
        assert_eq!(
            serde_json::to_value(&folded).unwrap(),
            state,
            "facts that fold to another state"
        );
    }
}

fn read<T: Serialize + for<'de> Deserialize<'de>>(stored: &Value, is_current: bool) -> T {
    let value: T = serde_json::from_value(stored.clone())
        .unwrap_or_else(|error| panic!("cannot be read any more: {error}: {stored}"));
    if is_current {
        assert_eq!(&serde_json::to_value(&value).unwrap(), stored, "is written otherwise now");
    }
    value
}

fn note(value: &Value, place: &str, places: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                note(value, &format!("{place}.{name}"), places);
            }
        }
        Value::Array(values) => {
            places.insert(format!("{place}[]"));
            values.iter().for_each(|value| note(value, &format!("{place}[]"), places));
        }
        Value::String(text) if is_name(text) => {
            places.insert(format!("{place}={text}"));
        }
        Value::String(_) => drop(places.insert(format!("{place} text"))),
        Value::Number(_) => drop(places.insert(format!("{place} number"))),
        Value::Bool(_) => drop(places.insert(format!("{place} bool"))),
        Value::Null => drop(places.insert(format!("{place} null"))),
    }
}

fn is_name(text: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'-'))
}

fn file<M: Machine>(schema: u16) -> PathBuf {
    let name = format!("{}.{schema}.json", M::KIND.as_str());
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("shapes").join(name)
}

fn samples<M: Machine>(schema: u16) -> Vec<Life> {
    let path = file::<M>(schema);
    let text = fs::read_to_string(&path).unwrap_or_else(|_| "[]".to_owned());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Fails unless every sample of every schema number is read, and the current number has one for
/// everything that the stories write.
pub fn check<M: Machine, S: Strategy>(stories: S, tell: impl Fn(&mut Bench<M>, S::Value))
where
    M::Event: super::Outcome,
{
    let lives = lives(&stories, tell);
    let mut current = samples::<M>(M::SCHEMA);
    let mut known: BTreeSet<String> = current.iter().flat_map(Life::places).collect();
    if std::env::var_os("SHAPES").is_some_and(|value| value == "write") {
        for life in &lives {
            let places = life.places();
            if !places.is_subset(&known) {
                known.extend(places);
                current.push(life.clone());
            }
        }
        let lines: Vec<_> =
            current.iter().map(|life| serde_json::to_string(life).unwrap()).collect();
        fs::create_dir_all(file::<M>(1).parent().unwrap()).unwrap();
        fs::write(file::<M>(M::SCHEMA), format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
    }
    for schema in 1..=M::SCHEMA {
        let samples = samples::<M>(schema);
        assert!(!samples.is_empty(), "no samples of schema {schema}");
        samples.iter().for_each(|life| life.check::<M>(schema == M::SCHEMA));
    }
    for life in lives {
        let unknown: Vec<_> = life.places().difference(&known).cloned().collect();
        assert!(unknown.is_empty(), "written, and without a sample (SHAPES=write): {unknown:?}");
    }
}

fn lives<M: Machine, S: Strategy>(stories: &S, tell: impl Fn(&mut Bench<M>, S::Value)) -> Vec<Life>
where
    M::Event: super::Outcome,
{
    let mut runner = TestRunner::deterministic();
    let lives = (0..STORIES).filter_map(|_| {
        let story = stories.new_tree(&mut runner).unwrap().current();
        let mut bench = Bench::new(EntityId(uuid::Uuid::from_u128(0x5a)));
        bench.life = Some(Life::default());
        tell(&mut bench, story);
        Life::of(bench)
    });
    lives.collect()
}
