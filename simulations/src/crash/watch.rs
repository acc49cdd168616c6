//! Those who look on: a reader of the list, and a reader of the live feed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::findings::{Findings, Wrong};
use super::history::Outcome;
use super::sender::Sender;
use crate::engine::CallStatus;
use crate::product::{Api, Event, Feed, Frame, InterviewRow};

/// How often the list is read.
const READ_EVERY: Duration = Duration::from_millis(150);
/// The pause before a cut feed is opened again.
const OPEN_PAUSE: Duration = Duration::from_millis(200);
/// How long the feed may be silent before another server is asked.
const SILENCE_MAX: Duration = Duration::from_secs(4);

#[derive(Deserialize)]
struct Page {
    data: Vec<InterviewRow>,
}

/// Reads the newest interviews again and again. No answer may fall behind one that was complete
/// before the question, or behind an acknowledgement that was.
pub(super) async fn read(sender: Sender, token: String, findings: Arc<Findings>) {
    for turn in 0.. {
        sleep(READ_EVERY).await;
        let server = sender.turn(turn);
        let Ok(api) = Api::new(sender.base(server), Some(token.clone())) else { return };
        let floors = sender.history.floors();
        let number = sender.history.invoke("read", "list", "interviews", server);
        let page: Result<Page, _> = api.get("/api/voice-interviews?limit=100").await;
        let outcome = match &page {
            Ok(page) => Outcome::Ok { verdict: format!("{} rows", page.data.len()) },
            Err(failure) => Outcome::Fail(failure.to_string()),
        };
        sender.history.complete(number, &outcome);
        for row in page.map(|page| page.data).unwrap_or_default() {
            let (Some(call_id), Some(status)) = (&row.call_id, status_of(&row.status)) else {
                continue;
            };
            if let Some((floor, version)) = floors.get(call_id)
                && (rank(status) < rank(*floor) || row.version < *version)
            {
                let (status, v) = (&row.status, row.version);
                let text = format!(
                    "read {number}: {call_id} is {status} at {v}, after {floor:?} at {version}"
                );
                findings.add(5, Wrong::Behind, text);
            }
            sender.history.seen(call_id, status, row.version);
        }
    }
}

pub(super) fn status_of(name: &str) -> Option<CallStatus> {
    serde_json::from_value(name.into()).ok()
}

/// Ended outranks failed: a call that ended after all did so.
pub(super) const fn rank(status: CallStatus) -> u8 {
    match status {
        CallStatus::Queued => 0,
        CallStatus::Ringing => 1,
        CallStatus::InProgress => 2,
        CallStatus::Failed => 3,
        CallStatus::Ended => 4,
    }
}

/// What a follower of the feed has seen.
#[derive(Default)]
pub(super) struct Transcript {
    inner: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The number up to which everything was seen.
    last: i64,
    /// The last fact of each interview: its number and version.
    of_each: HashMap<Uuid, (i64, i64)>,
    events: usize,
}

impl Transcript {
    /// Returns the number and version of the last fact of each interview, and how many there were.
    pub fn ends(&self) -> (HashMap<Uuid, (i64, i64)>, usize) {
        let seen = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.of_each.clone(), seen.events)
    }

    pub fn last(&self) -> i64 {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).last
    }

    /// Takes one event; answers what is wrong with it.
    fn take(&self, event: &Event) -> Option<String> {
        let mut seen = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let last = seen.last;
        seen.last = last.max(event.seq);
        seen.events += 1;
        if event.seq <= last {
            return Some(format!("the feed told {} after {last}", event.seq));
        }
        let id: Uuid = event.data["id"].as_str()?.parse().ok()?;
        let version = event.data["version"].as_i64()?;
        let before = seen.of_each.insert(id, (event.seq, version));
        before
            .filter(|(_, before)| version < *before)
            .map(|(_, before)| format!("the feed told {id} at {version} after {before}"))
    }
}

/// Follows every interview over the live feed, and resumes where it was cut.
pub(super) async fn follow(
    sender: Sender,
    token: String,
    transcript: Arc<Transcript>,
    findings: Arc<Findings>,
) {
    for turn in 0.. {
        let base = sender.base(sender.turn(turn));
        if let Ok(mut feed) = Feed::open(base, &token).await
            && feed.subscribe("calls", Some(transcript.last())).await.is_ok()
        {
            while let Ok(Ok(frame)) = timeout(SILENCE_MAX, feed.next()).await {
                let events = match frame {
                    Frame::Ev { event } => vec![event],
                    Frame::Batch { events } => events,
                    Frame::Gap { from, to } => {
                        findings.add(6, Wrong::Behind, format!("the feed lost {from} to {to}"));
                        continue;
                    }
                    Frame::Bye { .. } => break,
                    Frame::Welcome { .. }
                    | Frame::Snap { .. }
                    | Frame::Res { .. }
                    | Frame::Other => continue,
                };
                for wrong in events.iter().filter_map(|event| transcript.take(event)) {
                    findings.add(6, Wrong::Behind, wrong);
                }
            }
        }
        sleep(OPEN_PAUSE).await;
    }
}
