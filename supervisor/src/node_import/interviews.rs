//! Interviews: one event to the machine a row, committed by the journal, so that feed and log are true.
//!
//! No actor is started. A step on a version that a living actor has moved meanwhile fails its fence here;
//! one that goes in has that actor start again from its row.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::interview::{CallReport, Interview, InterviewEvent};
use domain::ports::{
    Decided, FactRecord, ImportedTimes, IntentStep, Loaded, NodeRow, Resolution, State, Step,
    Verdict, VerdictName, Wake, Whose,
};
use domain::{Cause, Decision, EntityId, EntityKey, IntentMove, Kind, Machine, Named};
use futures_util::future::join_all;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::report::TableReport;
use super::{ImportError, NodeImport};

/// Interviews that are resolved, loaded and committed together.
const GROUP_ROWS: usize = 128;
/// The columns that say of a call what the engine's object says of it.
const COLUMNS: [&str; 12] = [
    "callId",
    "status",
    "provider",
    "phoneNumber",
    "candidateName",
    "duration",
    "cost",
    "transcript",
    "recordingUrl",
    "summary",
    "applicationId",
    "belongsTo",
];

/// A row that can be taken over.
struct Incoming {
    id: EntityId,
    report: CallReport,
    created_at: Option<DateTime<Utc>>,
    updated_at: Option<DateTime<Utc>>,
}

/// What a row comes to here.
enum Outcome {
    /// It moves its interview.
    Step(Box<Step>),
    /// It tells nothing new.
    Nothing,
    /// It cannot be taken over.
    Refused(String),
}

impl NodeImport {
    pub(super) async fn interviews(
        &self,
        mut rows: Vec<NodeRow>,
        report: &mut TableReport,
    ) -> Result<(), ImportError> {
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(GROUP_ROWS));
            self.group(std::mem::replace(&mut rows, rest), report).await?;
        }
        Ok(())
    }

    async fn group(&self, rows: Vec<NodeRow>, report: &mut TableReport) -> Result<(), ImportError> {
        let mut turns = self.turns_of(&rows).await?;
        let mut incoming = Vec::with_capacity(rows.len());
        for row in rows {
            let said = turns.remove(&row.key).unwrap_or_default();
            match self.read(&row, said) {
                Ok(one) => incoming.push(one),
                Err(why) => report.refused(row.key, why),
            }
        }
        let known = self.known(&incoming).await?;
        let loaded = self.loaded(&incoming).await?;
        let mut committing = Vec::new();
        let mut times = Vec::new();
        for ((one, known), loaded) in incoming.into_iter().zip(known).zip(loaded) {
            let outcome = match known {
                Some(other) if other != one.id => Outcome::Nothing,
                _ => self.judge(&one, &loaded)?,
            };
            match outcome {
                Outcome::Nothing => report.unchanged(),
                Outcome::Refused(why) => report.refused(one.id.to_string(), why),
                Outcome::Step(step) => {
                    times.extend(one.times());
                    let answer = self.journal.submit(*step);
                    committing.push(async move { (one.id, answer.await) });
                }
            }
        }
        let answers = join_all(committing).await;
        // First of all, so that one commit that failed does not leave the others dated today.
        self.target.backdate(self.tenant, times).await?;
        for (id, answer) in answers {
            match answer? {
                Verdict::Committed { .. } => report.written(),
                Verdict::Stale | Verdict::Duplicate(_) => {
                    report.refused(id.to_string(), "it changed here meanwhile: import it again");
                }
                Verdict::Refused(why) | Verdict::Undecodable(why) => {
                    report.refused(id.to_string(), why);
                }
            }
        }
        Ok(())
    }

    async fn turns_of(&self, rows: &[NodeRow]) -> Result<HashMap<String, Vec<Value>>, ImportError> {
        let ids = rows.iter().filter_map(|row| Uuid::parse_str(&row.key).ok()).collect();
        let mut turns: HashMap<String, Vec<Value>> = HashMap::new();
        for row in self.source.turns(ids).await? {
            let said = |name| row.column(name).cloned().unwrap_or_default();
            let turn = json!({
                "role": said("role"),
                "message": said("message"),
                "sequenceOrder": said("sequenceOrder"),
            });
            turns.entry(row.key.clone()).or_default().push(turn);
        }
        Ok(turns)
    }

    /// Reads a row as the report that the engine would have sent. What the engine's reports may lack, and
    /// are taken without, is refused here: nobody sends a row again.
    fn read(&self, row: &NodeRow, turns: Vec<Value>) -> Result<Incoming, String> {
        let id = Uuid::parse_str(&row.key).map_err(|_| "its id is no UUID".to_owned())?;
        let columns = COLUMNS.iter().filter_map(|name| {
            let value = row.column(name)?;
            Some(((*name).to_owned(), value.clone()))
        });
        let mut object: Map<String, Value> = columns.collect();
        if !object.contains_key("status") {
            return Err("status is missing".to_owned());
        }
        object.insert("messages".to_owned(), Value::Array(turns));
        let bytes = serde_json::to_vec(&object).map_err(|error| error.to_string())?;
        let evidence = self.evidence.read(&bytes).map_err(|unusable| unusable.why)?;
        if let Some(remarks) = evidence.remarks {
            return Err(remarks);
        }
        let updated_at = row.instant("updatedAt").or_else(|| row.instant("createdAt"));
        let report = CallReport { occurred_at: updated_at, ..evidence.report };
        Ok(Incoming { id: EntityId(id), report, created_at: row.instant("createdAt"), updated_at })
    }

    /// Returns under which id each call is known here, where it is.
    async fn known(&self, incoming: &[Incoming]) -> Result<Vec<Option<EntityId>>, ImportError> {
        let asked = incoming.iter().map(|one| Whose {
            tenant: self.tenant,
            call_id: one.report.call_id.clone(),
            intent: None,
            phone: None,
        });
        let resolved = self.store.resolve(asked.collect()).await?;
        let known = resolved.into_iter().map(|resolution| match resolution {
            Resolution::Known(id) => Some(id),
            Resolution::New(_) | Resolution::Waits(_) => None,
        });
        Ok(known.collect())
    }

    async fn loaded(&self, incoming: &[Incoming]) -> Result<Vec<Loaded>, ImportError> {
        let ids = incoming.iter().map(|one| one.id).collect();
        Ok(self.store.load(Kind::Interview, ids, self.clock.now()).await?)
    }

    fn judge(&self, one: &Incoming, loaded: &Loaded) -> Result<Outcome, ImportError> {
        let refused = |why: &str| Ok(Outcome::Refused(why.to_owned()));
        if loaded.quarantine.is_some() {
            return refused("it is in quarantine here");
        }
        if !loaded.inbox.is_empty() {
            return refused("reports about it wait here: import it again");
        }
        let (mut machine, version) = match &loaded.checkpoint {
            None => (Interview::absent(one.id), 0),
            Some(stored) if stored.tenant != self.tenant => return refused("its id is taken here"),
            Some(stored) if stored.schema > Interview::SCHEMA => {
                return refused("it was written here by a newer release");
            }
            Some(stored) => (serde_json::from_str(&stored.state)?, stored.version),
        };
        let now = self.clock.now();
        let event = InterviewEvent::Imported(Box::new(one.report.clone()));
        let Ok(moved) = machine.apply(&event, now) else { return Ok(Outcome::Nothing) };
        let Some(intents) = cancelled(&moved.decision) else {
            return refused("it is being asked about here: the sync brings it");
        };
        let step = self.step(&machine, version, moved.decision, intents, now)?;
        Ok(Outcome::Step(Box::new(step)))
    }

    fn step(
        &self,
        machine: &Interview,
        version: i64,
        decision: Decision<Interview>,
        intents: Vec<IntentStep>,
        now: DateTime<Utc>,
    ) -> Result<Step, ImportError> {
        let mut facts = Vec::with_capacity(decision.facts.len());
        for fact in &decision.facts {
            let data = serde_json::to_string(fact)?;
            facts.push(FactRecord { name: fact.name(), schema: Interview::SCHEMA, data, at: now });
        }
        Ok(Step {
            key: EntityKey { kind: Kind::Interview, id: machine.id() },
            tenant: self.tenant,
            expected: version,
            state: State::Moved {
                schema: Interview::SCHEMA,
                state: serde_json::to_string(machine)?,
                columns: self.repository.columns(machine, &decision.documents),
            },
            wake: machine.wake_at().map_or(Wake::Never, Wake::At),
            deliveries: vec![Decided {
                cause: Cause::Command,
                received_at: now,
                verdict: VerdictName::Applied,
                remarks: None,
            }],
            facts,
            intents,
            signals: Vec::new(),
            aliases: decision.aliases,
            erase: false,
        })
    }
}

impl Incoming {
    fn times(&self) -> Option<ImportedTimes> {
        let created_at = self.created_at?;
        let updated_at = self.updated_at.unwrap_or(created_at);
        Some(ImportedTimes { id: self.id, created_at, updated_at })
    }
}

/// Returns what becomes of the intents of an interview that was taken over: the question that was planned
/// is dropped when the answer came this way. It owes nothing else, and it tells nobody anything.
fn cancelled(decision: &Decision<Interview>) -> Option<Vec<IntentStep>> {
    if !decision.signals.is_empty() {
        return None;
    }
    let steps = decision.intents.iter().map(|moved| match moved {
        IntentMove::Cancel { intent } => Some(IntentStep::Cancel { id: *intent }),
        _ => None,
    });
    steps.collect()
}
