//! The frames, as they travel.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::Document;

/// What a client says.
#[derive(Debug, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub(super) enum ClientFrame {
    /// Opens, and says who it is where no header did.
    Hello { token: Option<String> },
    /// Subscribes; `from` resumes after that number.
    Sub { id: u64, topic: String, from: Option<i64>, epoch: Option<String> },
    /// Ends a subscription.
    Unsub { id: u64 },
    /// Shows a newer token.
    Auth { token: String },
    /// Asks for a `pong`.
    Ping,
    /// A command; none is served yet.
    Cmd { id: u64 },
}

/// What the server says.
#[derive(Debug, Serialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub(super) enum ServerFrame<'a> {
    Welcome {
        session: String,
        epoch: &'a str,
        seq: i64,
        #[serde(rename = "heartbeatMs")]
        heartbeat_ms: u64,
        #[serde(rename = "maxTopics")]
        max_topics: usize,
    },
    Snap {
        id: u64,
        topic: &'a str,
        seq: i64,
        data: Value,
    },
    Ev {
        id: u64,
        #[serde(flatten)]
        event: &'a Rendered,
    },
    Batch {
        id: u64,
        events: &'a [Arc<Rendered>],
    },
    Gap {
        id: u64,
        from: i64,
        to: i64,
        reason: &'static str,
    },
    Lag {
        id: u64,
        from: i64,
    },
    Res {
        id: u64,
        ok: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        problem: Option<Document>,
    },
    Beat {
        seq: i64,
    },
    Expiring {
        #[serde(rename = "inMs")]
        in_ms: i64,
    },
    Pong,
    Bye {
        code: u16,
        reason: &'a str,
        #[serde(rename = "retryAfterMs", skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
}

/// One event, rendered once for everybody.
#[derive(Debug, Serialize)]
pub(super) struct Rendered {
    pub seq: i64,
    pub ts: String,
    #[serde(rename = "type")]
    pub name: String,
    pub data: Box<RawValue>,
}

impl ServerFrame<'_> {
    /// Writes the frame; our own frames always have a JSON form.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
