//! One call of the engine: who was called for what, and what it looks like at any moment.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::course::{Course, Emission, Form, Stage, event_of};
use super::ledger::Origin;
use super::wire::{CallBody, CallRow, Metadata, Provider};
use crate::dice::{Purpose, dice};
use crate::talk::{Shape, Talk};

/// Price of opening a line, in US dollars.
const COST_BASE: f64 = 0.02;
/// Price of a minute, in US dollars.
const COST_PER_MINUTE: f64 = 0.1;

/// Who is called for what.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub origin: Origin,
    pub application_id: Option<Uuid>,
    /// Which call of its application this is, from 1.
    pub attempt: u32,
    pub phone_number: String,
    pub candidate_name: String,
    pub role: String,
    pub provider: Provider,
    pub belongs_to: Option<Uuid>,
    pub metadata: Option<Metadata>,
    pub idempotency_key: Option<String>,
}

/// A call; never changed after its beginning. What it says is computed from the time.
#[derive(Debug)]
pub(super) struct Call {
    pub seed: u64,
    pub number: u64,
    pub call_id: String,
    pub created_at: DateTime<Utc>,
    pub order: Order,
    pub course: Course,
    pub emissions: Vec<Emission>,
    pub talk_size: TalkSize,
    pub hosts: Arc<RecordingHosts>,
}

/// What a receiver that got everything must have kept of the conversation.
#[derive(Clone, Copy, Debug)]
pub(super) struct TalkSize {
    pub transcript_chars: usize,
    pub turns: usize,
    pub turns_not_blank: usize,
}

impl From<&Talk> for TalkSize {
    fn from(talk: &Talk) -> Self {
        Self {
            transcript_chars: talk.transcript.chars().count(),
            turns: talk.turns.len(),
            turns_not_blank: talk.turns.iter().filter(|turn| !turn.is_blank()).count(),
        }
    }
}

/// Where recordings are fetched.
#[derive(Debug)]
pub(super) struct RecordingHosts {
    /// What every recording's URL begins with.
    pub url: String,
    /// The account they belong to at Twilio.
    pub account: String,
}

impl Call {
    /// Returns the stage at `now`, and since when.
    pub(super) fn stage_at(&self, now: DateTime<Utc>) -> (DateTime<Utc>, Stage) {
        let elapsed = (now - self.created_at).to_std().unwrap_or_default();
        let (reached_at, stage) = self.course.stage_at(elapsed);
        (self.created_at + reached_at, stage)
    }

    /// Returns when the line is free again.
    pub(super) fn over_at(&self) -> DateTime<Utc> {
        self.created_at + self.course.over_at
    }

    /// Returns the call's row in the list at `now`.
    pub(super) fn row(&self, now: DateTime<Utc>, with_metadata: bool) -> CallRow {
        let (updated_at, stage) = self.stage_at(now);
        CallRow {
            call_id: self.call_id.clone(),
            status: stage.status(),
            provider: self.order.provider,
            phone_number: self.order.phone_number.clone(),
            candidate_name: self.order.candidate_name.clone(),
            metadata: self.order.metadata.clone().filter(|_| with_metadata),
            created_at: self.created_at,
            updated_at,
        }
    }

    /// Returns the answer to a pull at `now`, which may be a little behind the list.
    pub(super) fn detail(&self, now: DateTime<Utc>, with_metadata: bool) -> CallBody {
        let (occurred_at, stage) = self.stage_at(now - self.course.detail_lag);
        self.body(stage, Form::Whole, event_of(stage), occurred_at, with_metadata)
    }

    /// Returns the body of a webhook, but for the number of the attempt.
    pub(super) fn webhook(&self, emission: &Emission, with_metadata: bool) -> CallBody {
        let reached = self.course.stages.iter().find(|(_, stage)| *stage == emission.stage);
        let occurred_at = self.created_at + reached.map_or(emission.at, |(at, _)| *at);
        self.body(emission.stage, emission.form, emission.event, occurred_at, with_metadata)
    }

    fn body(
        &self,
        stage: Stage,
        form: Form,
        event: u32,
        occurred_at: DateTime<Utc>,
        with_metadata: bool,
    ) -> CallBody {
        let mut body = CallBody {
            event_id: format!("evt_{}_{event}", self.call_id.trim_start_matches("call_")),
            occurred_at,
            attempt: None,
            call_id: self.call_id.clone(),
            status: stage.status(),
            provider: self.order.provider,
            phone_number: self.order.phone_number.clone(),
            candidate_name: self.order.candidate_name.clone(),
            duration: None,
            cost: None,
            transcript: None,
            recording_url: None,
            summary: None,
            failure_reason: None,
            application_id: self.order.application_id,
            belongs_to: self.order.belongs_to,
            messages: None,
            metadata: self.order.metadata.clone().filter(|_| with_metadata),
        };
        if stage.status().is_final() {
            self.add_result(&mut body);
        }
        if stage == Stage::Complete {
            self.add_talk(&mut body);
        }
        match form {
            Form::Whole | Form::WithoutTranscript => {}
            Form::EmptyTranscript => {
                body.transcript = Some(String::new());
                body.messages = Some(Vec::new());
            }
            Form::Shrunk { turns } => {
                if let Some(messages) = &mut body.messages {
                    messages.truncate(turns);
                }
            }
        }
        body
    }

    /// Adds what is known at the hang-up.
    fn add_result(&self, body: &mut CallBody) {
        let talk_s = self.course.talk_s;
        let cost = COST_BASE + COST_PER_MINUTE * talk_s / 60.0;
        body.duration = Some(talk_s);
        body.cost = Some((cost * 10_000.0).round() / 10_000.0);
        body.failure_reason = self.course.outcome.failure();
        if self.course.outcome.is_picked_up() {
            body.recording_url = Some(self.recording_url());
        }
    }

    /// Adds what is known once the transcript is final.
    fn add_talk(&self, body: &mut CallBody) {
        let talk = talk(self.seed, self.number, &self.order, self.course.shape);
        body.summary = Some(format!(
            "{} talked for {:.0} seconds about the post of {}.",
            self.order.candidate_name, self.course.talk_s, self.order.role
        ));
        body.transcript = Some(talk.transcript);
        body.messages = Some(talk.turns);
    }

    /// Returns where the recording will be: at Twilio behind its login, elsewhere open.
    fn recording_url(&self) -> String {
        let name = self.recording_name();
        if self.order.provider.records_at_twilio() {
            format!(
                "{}/2010-04-01/Accounts/{}/Recordings/{name}",
                self.hosts.url, self.hosts.account
            )
        } else {
            format!("{}/recordings/{name}.wav", self.hosts.url)
        }
    }

    /// Returns the file name of the recording, which does not give the call's id away.
    fn recording_name(&self) -> String {
        format!("RE{:032x}", u128::from(self.seed) << 64 | u128::from(self.number))
    }
}

/// Returns what is said in a call; made up anew each time, so that it takes no memory.
pub(super) fn talk(seed: u64, number: u64, order: &Order, shape: Shape) -> Talk {
    let mut dice = dice(seed, Purpose::Talk, number);
    Talk::draw(shape, &order.candidate_name, &order.role, &mut dice)
}

/// Returns the number of the call that the recording called `name` belongs to.
pub(super) fn number_of_recording(name: &str, seed: u64) -> Option<u64> {
    let value = u128::from_str_radix(name.strip_prefix("RE")?, 16).ok()?;
    let of_seed = u64::try_from(value >> 64).ok()? == seed;
    of_seed.then_some(value as u64)
}
