//! The fault switches: what goes wrong, and how often. Everything is off by default.

use serde::{Deserialize, Serialize};

use crate::units::{Rate, Span};

/// All switches, as one JSON document in which anything may be left out.
///
/// What happens to a call's webhooks is decided when the call begins; the other switches are read
/// when they are needed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Faults {
    /// What goes wrong with what the engine pushes.
    pub webhooks: WebhookFaults,
    /// What goes wrong with `POST /call`.
    pub dial: DialFaults,
    /// What goes wrong with analyses.
    pub analyzer: AnalyzerFaults,
    /// What goes wrong with what is fetched.
    pub pull: PullFaults,
    /// The engine forgets the metadata it was given, everywhere.
    pub metadata_forgotten: bool,
    /// How long a request that "times out" is held, in real seconds.
    pub hold_s: f64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            webhooks: WebhookFaults::default(),
            dial: DialFaults::default(),
            analyzer: AnalyzerFaults::default(),
            pull: PullFaults::default(),
            metadata_forgotten: false,
            hold_s: 90.0, // Longer than the longest timeout of a client, which is 60 s.
        }
    }
}

impl Faults {
    /// A little of everything, as on a bad day of a real platform.
    pub fn lifelike() -> Self {
        Self {
            webhooks: WebhookFaults {
                lose: Rate::percent(1),
                duplicate_same_event: Rate::percent(3),
                duplicate_new_event: Rate::percent(1),
                reorder: Rate::percent(2),
                delay: Rate::percent(3),
                early_ended: Rate::percent(25),
                skip_states: Rate::percent(3),
                shrink_messages: Rate::percent(1),
                ..WebhookFaults::default()
            },
            dial: DialFaults {
                accept_then_time_out: Rate::percent(1),
                server_error: Rate::percent(1),
                answer_after_first_webhook: Rate::percent(2),
                ..DialFaults::default()
            },
            analyzer: AnalyzerFaults {
                latency: Span::seconds(1.0, 30.0),
                too_many: Rate::percent(2),
                server_error: Rate::percent(2),
                ..AnalyzerFaults::default()
            },
            ..Self::default()
        }
    }
}

/// What goes wrong with what the engine pushes. Rates are per webhook unless said otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct WebhookFaults {
    /// Never sent; only a pull shows what happened.
    pub lose: Rate,
    /// Sent two or three times under one event id.
    pub duplicate_same_event: Rate,
    /// Sent again under an event id of its own.
    pub duplicate_new_event: Rate,
    /// Sent after its successor.
    pub reorder: Rate,
    /// Held back for a while.
    pub delay: Rate,
    /// For how long it is held back, in simulated seconds.
    pub delay_by: Span,
    /// Per call: a first `ended` at the hang-up, without transcript and turns.
    pub early_ended: Rate,
    /// What that first `ended` says about the transcript.
    pub early_form: EarlyForm,
    /// Per state before the end: the engine jumps over it, also in what is fetched.
    pub skip_states: Rate,
    /// Per call: a last `ended` with fewer turns than the one before.
    pub shrink_messages: Rate,
    /// Which secret the engine sends; read when a webhook is sent.
    pub secret: SecretSent,
}

impl Default for WebhookFaults {
    fn default() -> Self {
        Self {
            lose: Rate::NEVER,
            duplicate_same_event: Rate::NEVER,
            duplicate_new_event: Rate::NEVER,
            reorder: Rate::NEVER,
            delay: Rate::NEVER,
            delay_by: Span::seconds(5.0, 120.0),
            early_ended: Rate::NEVER,
            early_form: EarlyForm::Either,
            skip_states: Rate::NEVER,
            shrink_messages: Rate::NEVER,
            secret: SecretSent::Right,
        }
    }
}

/// What an early `ended` says about the transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EarlyForm {
    /// The key is missing.
    Absent,
    /// The text is empty, and so is the list of turns.
    Empty,
    /// One of the two, by the dice.
    Either,
}

/// Which secret a webhook carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretSent {
    /// The one both sides know.
    Right,
    /// Another one.
    Wrong,
    /// None.
    Missing,
}

/// What goes wrong with `POST /call`. Rates are per request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct DialFaults {
    /// The call is placed, the answer never comes.
    pub accept_then_time_out: Rate,
    /// The call is placed, the answer says 502.
    pub accept_then_fail: Rate,
    /// Nothing is placed, the answer says 500 or 502.
    pub server_error: Rate,
    /// Nothing is placed, the answer says 429.
    pub too_many: Rate,
    /// The answer comes after the first webhook.
    pub answer_after_first_webhook: Rate,
    /// Nothing is placed, every answer says 503.
    pub draining: bool,
    /// Keys are ignored: a repetition rings again.
    pub keys_ignored: bool,
}

/// What goes wrong with analyses. Rates are per request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct AnalyzerFaults {
    /// How long an analysis takes, in simulated seconds.
    pub latency: Span,
    /// Answered 429.
    pub too_many: Rate,
    /// Answered 500.
    pub server_error: Rate,
    /// Held, then 504.
    pub time_out: Rate,
    /// Scores below 0 or above 100.
    pub out_of_range: Rate,
}

impl Default for AnalyzerFaults {
    fn default() -> Self {
        Self {
            latency: Span::seconds(1.0, 6.0),
            too_many: Rate::NEVER,
            server_error: Rate::NEVER,
            time_out: Rate::NEVER,
            out_of_range: Rate::NEVER,
        }
    }
}

/// What goes wrong with what is fetched. Rates are per request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct PullFaults {
    /// `GET /calls` and `GET /call/{callId}` answer 500.
    pub server_error: Rate,
    /// `POST /call-provider/refresh` answers 500.
    pub refresh_error: Rate,
    /// How long a refresh takes, in simulated seconds.
    pub refresh_latency: Span,
    /// Recordings stay 404.
    pub recordings_missing: bool,
}

impl Default for PullFaults {
    fn default() -> Self {
        Self {
            server_error: Rate::NEVER,
            refresh_error: Rate::NEVER,
            refresh_latency: Span::seconds(0.0, 0.1),
            recordings_missing: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_may_leave_anything_out_but_not_misspell_it() {
        let faults: Faults = serde_json::from_str(r#"{"webhooks":{"lose":0.5}}"#).unwrap();
        assert_eq!(faults.webhooks.lose, Rate::new(0.5).unwrap());
        assert_eq!(faults.dial, DialFaults::default());
        assert!(serde_json::from_str::<Faults>(r#"{"webhooks":{"loose":0.5}}"#).is_err());
        assert!(serde_json::from_str::<Faults>(r#"{"webhooks":{"lose":1.5}}"#).is_err());
    }
}
