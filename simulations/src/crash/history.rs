//! What the drivers did: a line before and a line after each request, in a file of their own.
//!
//! Nothing of the product writes here, so that the file is evidence against it. An outcome is `ok`
//! (it was acknowledged), `fail` (it did not happen) or `info` (it may have happened).

use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use serde_json::json;
use tokio::time::Instant;

use crate::engine::CallStatus;

/// One delivery that the drivers or the engine want to make.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// Its name; a repetition has the same.
    pub id: String,
    /// The call it is about.
    pub call_id: String,
    /// How far the call is, it says.
    pub status: CallStatus,
    /// Characters of the transcript it brings.
    pub transcript_chars: usize,
    /// The body.
    pub body: bytes::Bytes,
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was acknowledged, with this verdict.
    Ok { verdict: String },
    /// It did not happen.
    Fail(String),
    /// It may have happened.
    Info(String),
}

/// All that is known about one event.
#[derive(Clone, Debug)]
pub(super) struct Fate {
    pub call_id: String,
    pub status: CallStatus,
    pub transcript_chars: usize,
    /// How often it was acknowledged.
    pub acknowledged: u32,
    /// How often it is not known whether it arrived.
    pub unknown: u32,
    /// Whether an acknowledgement says that its call is at least so far now.
    pub counts: bool,
}

/// The file, and what it adds up to.
pub(super) struct History {
    began: Instant,
    inner: Mutex<Inner>,
}

struct Inner {
    file: File,
    number: u64,
    fates: HashMap<String, Fate>,
    /// How far each call is at least, by what was acknowledged or read.
    floors: HashMap<String, (CallStatus, i64)>,
}

impl History {
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let file =
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        let inner = Inner { file, number: 0, fates: HashMap::new(), floors: HashMap::new() };
        Ok(Self { began: Instant::now(), inner: Mutex::new(inner) })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down that a request begins; returns its number.
    pub fn invoke(&self, operation: &str, id: &str, of: &str, server: usize) -> u64 {
        let mut inner = self.inner();
        inner.number += 1;
        let number = inner.number;
        let us = self.began.elapsed().as_micros();
        let line = json!({
            "n": number, "us": us as u64, "outcome": "invoke", "op": operation, "id": id, "of": of,
            "server": server,
        });
        inner.write(&line);
        number
    }

    /// Writes down what became of a request.
    pub fn complete(&self, number: u64, outcome: &Outcome) {
        let mut inner = self.inner();
        let us = self.began.elapsed().as_micros();
        let (name, said) = match outcome {
            Outcome::Ok { verdict } => ("ok", verdict),
            Outcome::Fail(why) => ("fail", why),
            Outcome::Info(why) => ("info", why),
        };
        inner.write(&json!({"n": number, "us": us as u64, "outcome": name, "said": said}));
    }

    /// Adds up what became of a delivery.
    pub fn delivered(&self, event: &Event, outcome: &Outcome) {
        let mut inner = self.inner();
        let fate = inner.fates.entry(event.id.clone()).or_insert_with(|| Fate {
            call_id: event.call_id.clone(),
            status: event.status,
            transcript_chars: event.transcript_chars,
            acknowledged: 0,
            unknown: 0,
            counts: false,
        });
        match outcome {
            Outcome::Ok { verdict } => {
                fate.acknowledged += 1;
                fate.counts |= verdict != "rejected(out_of_phase)";
                // A repetition may be acknowledged while the original waits in the inbox.
                if ["applied", "rejected(nothing_new)", "rejected(backward)"]
                    .contains(&verdict.as_str())
                {
                    let floor =
                        inner.floors.entry(event.call_id.clone()).or_insert((event.status, 0));
                    floor.0 = floor.0.max(event.status);
                }
            }
            Outcome::Info(_) => fate.unknown += 1,
            Outcome::Fail(_) => {}
        }
    }

    /// Returns how far each call must be by now: what a read that begins now may not fall short of.
    pub fn floors(&self) -> HashMap<String, (CallStatus, i64)> {
        self.inner().floors.clone()
    }

    /// Raises what later reads may not fall short of.
    pub fn seen(&self, call_id: &str, status: CallStatus, version: i64) {
        let mut inner = self.inner();
        let floor = inner.floors.entry(call_id.to_owned()).or_insert((status, version));
        *floor = (floor.0.max(status), floor.1.max(version));
    }

    /// Returns what became of every event.
    pub fn fates(&self) -> HashMap<String, Fate> {
        self.inner().fates.clone()
    }

    /// Makes the file durable; answers whether that went well.
    pub fn sync(&self) -> bool {
        self.inner().file.sync_all().is_ok()
    }
}

impl Inner {
    /// One `write` a line: it is with the operating system when this returns, which nobody kills.
    fn write(&mut self, line: &serde_json::Value) {
        let mut text = line.to_string();
        text.push('\n');
        self.file
            .write_all(text.as_bytes())
            .expect("a history that cannot be written proves nothing");
    }
}
