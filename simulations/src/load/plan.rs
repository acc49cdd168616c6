//! What is sent for one call: its events in order, duplicates and swaps included.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

use crate::dice::{Purpose, base32, dice};
use crate::engine::{CallBody, CallStatus, Provider};
use crate::talk::{Shape, Talk};
use crate::units::Rate;

/// Turns of every conversation.
const TURNS: usize = 12;
/// Every so many-th conversation has one silent turn.
const BLANK_EVERY: u64 = 11;
/// What providers are known to send twice in a row, and what they send one place too late.
pub const DUPLICATES: Rate = Rate::percent(5);
/// See [`DUPLICATES`].
pub const REORDER: Rate = Rate::percent(3);
/// The title of the post.
const ROLE: &str = "Backend Engineer";
/// The states that are told of, with the seconds since the one before; the talk comes on top.
const STATES: [(CallStatus, u64); 4] = [
    (CallStatus::Queued, 0),
    (CallStatus::Ringing, 1),
    (CallStatus::InProgress, 9),
    (CallStatus::Ended, 0),
];

/// What is told of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// All of it, from `queued` to `ended`.
    Whole,
    /// One update while it is `in-progress`, with twelve turns. It never ends.
    Talking,
}

/// What all calls of a run have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix {
    pub seed: u64,
    pub duplicates: Rate,
    pub reorder: Rate,
    pub with_application: bool,
    pub story: Story,
    /// When the run began.
    pub begun_at: DateTime<Utc>,
}

/// Returns the bodies to send for call `number`, in order.
pub(crate) fn events(mix: &Mix, number: u64) -> VecDeque<Bytes> {
    let mut dice = dice(mix.seed, Purpose::Load, number);
    let mut events = VecDeque::with_capacity(STATES.len() + 1);
    let bodies = match mix.story {
        Story::Whole => bodies(mix, number, &mut dice),
        Story::Talking => vec![update(mix, number, &mut dice)],
    };
    for body in bodies {
        // A body is made of texts and numbers only; nothing in it can fail to be written.
        let bytes = Bytes::from(serde_json::to_vec(&body).unwrap_or_default());
        if mix.duplicates.hits(&mut dice) {
            events.push_back(bytes.clone());
        }
        events.push_back(bytes);
    }
    let mut position = 1;
    while position < events.len() {
        if mix.reorder.hits(&mut dice) {
            events.swap(position - 1, position);
            position += 1; // Moved by one place, not carried to the end.
        }
        position += 1;
    }
    events
}

/// Returns the bytes to send for call `number`, as anybody may have them who feeds a receiver without HTTP.
pub fn bodies_of(seed: u64, number: u64, begun_at: DateTime<Utc>) -> VecDeque<Bytes> {
    let (duplicates, reorder) = (DUPLICATES, REORDER);
    let mix =
        Mix { seed, duplicates, reorder, with_application: false, story: Story::Whole, begun_at };
    events(&mix, number)
}

fn bodies(mix: &Mix, number: u64, dice: &mut ChaCha8Rng) -> Vec<CallBody> {
    let base = base(mix, number, dice);
    let talk_s: f64 = f64::from(dice.random_range(600..3_000)) / 10.0;
    let mut happened_after = Duration::ZERO;
    let mut bodies = Vec::with_capacity(STATES.len());
    for (position, (status, after_s)) in STATES.into_iter().enumerate() {
        happened_after += Duration::from_secs(after_s);
        let mut body = base.clone();
        if status == CallStatus::Ended {
            happened_after += Duration::from_secs_f64(talk_s);
            add_result(&mut body, number, talk_s, dice);
        }
        body.event_id = format!("{}_{position}", base.event_id);
        body.status = status;
        body.occurred_at = mix.begun_at + happened_after;
        bodies.push(body);
    }
    bodies
}

fn update(mix: &Mix, number: u64, dice: &mut ChaCha8Rng) -> CallBody {
    let base = base(mix, number, dice);
    let talk = talk(&base, number, dice);
    CallBody { status: CallStatus::InProgress, messages: Some(talk.turns), ..base }
}

fn base(mix: &Mix, number: u64, dice: &mut ChaCha8Rng) -> CallBody {
    let id = base32(dice.random());
    let application_id = uuid::Builder::from_random_bytes(dice.random()).into_uuid();
    CallBody {
        event_id: format!("evt_{id}"),
        occurred_at: mix.begun_at,
        attempt: Some(1),
        call_id: format!("call_{id}"),
        status: CallStatus::Queued,
        provider: Provider::OpenaiTwilio,
        phone_number: format!("+9180{:08}", number % 100_000_000),
        candidate_name: format!("Candidate {number}"),
        duration: None,
        cost: None,
        transcript: None,
        recording_url: None,
        summary: None,
        failure_reason: None,
        application_id: mix.with_application.then_some(application_id),
        belongs_to: Some(Uuid::from_u128(u128::from(mix.seed))),
        messages: None,
        metadata: None,
    }
}

fn add_result(body: &mut CallBody, number: u64, talk_s: f64, dice: &mut ChaCha8Rng) {
    let talk = talk(body, number, dice);
    body.duration = Some(talk_s);
    body.cost = Some((talk_s / 6.0).round() / 100.0);
    body.recording_url = Some(format!(
        "https://api.twilio.com/2010-04-01/Accounts/ACload/Recordings/RE{number:032x}"
    ));
    body.summary = Some(format!("{} talked about the post of {ROLE}.", body.candidate_name));
    body.transcript = Some(talk.transcript);
    body.messages = Some(talk.turns);
}

fn talk(body: &CallBody, number: u64, dice: &mut ChaCha8Rng) -> Talk {
    let blank = number % BLANK_EVERY == BLANK_EVERY - 1;
    let shape = Shape { turns: TURNS, blank, tool: false, chars: None };
    Talk::draw(shape, &body.candidate_name, ROLE, dice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(duplicates: f64, reorder: f64) -> Mix {
        Mix {
            seed: 1,
            duplicates: Rate::new(duplicates).unwrap(),
            reorder: Rate::new(reorder).unwrap(),
            with_application: false,
            story: Story::Whole,
            begun_at: DateTime::UNIX_EPOCH,
        }
    }

    fn sent(mix: &Mix, number: u64) -> Vec<CallBody> {
        events(mix, number).iter().map(|bytes| serde_json::from_slice(bytes).unwrap()).collect()
    }

    #[test]
    fn a_call_is_told_in_four_events_of_which_the_last_is_about_three_kilobytes() {
        let statuses: Vec<_> = sent(&mix(0.0, 0.0), 0).iter().map(|body| body.status).collect();
        assert_eq!(statuses, STATES.map(|(status, _)| status));
        let events = events(&mix(0.0, 0.0), 0);
        assert!((3_000..4_000).contains(&events[3].len()), "{}", events[3].len());
    }

    #[test]
    fn a_call_that_talks_is_told_of_once_and_with_its_turns() {
        let told = sent(&Mix { story: Story::Talking, ..mix(0.0, 0.0) }, 0);
        let [body] = &told[..] else { panic!("{} events", told.len()) };
        assert_eq!(body.status, CallStatus::InProgress);
        assert_eq!(body.messages.as_ref().map(Vec::len), Some(TURNS));
    }

    #[test]
    fn duplicates_follow_at_once_and_swaps_are_by_one_place() {
        let doubled = events(&mix(1.0, 0.0), 0);
        assert_eq!(doubled.len(), 8);
        assert!((0..4).all(|pair| doubled[2 * pair] == doubled[2 * pair + 1]));

        let statuses: Vec<_> = sent(&mix(0.0, 1.0), 0).iter().map(|body| body.status).collect();
        use CallStatus::{Ended, InProgress, Queued, Ringing};
        assert_eq!(statuses, [Ringing, Queued, Ended, InProgress]);
    }

    #[test]
    fn one_conversation_in_eleven_has_a_silent_turn() {
        let mix = mix(0.0, 0.0);
        let silent = (0..110).filter(|number| {
            let bodies = sent(&mix, *number);
            bodies[3].messages.iter().flatten().any(|turn| turn.is_blank())
        });
        assert_eq!(silent.count(), 10);
    }
}
