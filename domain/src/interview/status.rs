//! The closed sets an interview speaks in: transport status, answer class, outcome, grade.

use serde::{Deserialize, Serialize};

use crate::value::InvalidValue;

/// Transport: how far the call got. The order is the rank, and the rank never falls.
///
/// `ended` outranks `failed`: a call that reports both was talked in. Both are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallStatus {
    /// Accepted, not dialled yet.
    Queued,
    /// The phone rings.
    Ringing,
    /// Somebody or something answered.
    InProgress,
    /// Over without a conversation, as far as anybody said.
    Failed,
    /// Over after it was answered.
    Ended,
}

impl CallStatus {
    /// Every status, in the order of rank.
    pub const ALL: [Self; 5] =
        [Self::Queued, Self::Ringing, Self::InProgress, Self::Failed, Self::Ended];

    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Ringing => "ringing",
            Self::InProgress => "in-progress",
            Self::Failed => "failed",
            Self::Ended => "ended",
        }
    }

    /// Parses the name on the wire.
    ///
    /// # Errors
    /// [`InvalidValue`] when there is no such status.
    pub fn parse(name: &str) -> Result<Self, InvalidValue> {
        Self::ALL.into_iter().find(|status| status.as_str() == name).ok_or(InvalidValue {
            what: "status",
            why: "is none of queued, ringing, in-progress, ended, failed",
        })
    }

    /// Whether the call is over.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Failed | Self::Ended)
    }
}

/// Why a call failed. Where reports differ the greatest counts: the one that came nearest to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureReason {
    /// Ours: it cannot be found out what became of it.
    OutcomeUnknown,
    /// Ours: it was taken back before it was sent.
    Cancelled,
    /// The carrier or the engine could not.
    ProviderError,
    /// There is no such number.
    InvalidNumber,
    /// The callee declined.
    Rejected,
    /// The line was taken.
    Busy,
    /// It rang out.
    NoAnswer,
    /// A machine took it.
    Voicemail,
}

impl FailureReason {
    /// What the engine may give as a reason.
    pub const REPORTED: [Self; 6] = [
        Self::NoAnswer,
        Self::Busy,
        Self::Rejected,
        Self::InvalidNumber,
        Self::ProviderError,
        Self::Voicemail,
    ];

    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OutcomeUnknown => "outcome-unknown",
            Self::Cancelled => "cancelled",
            Self::ProviderError => "provider-error",
            Self::InvalidNumber => "invalid-number",
            Self::Rejected => "rejected",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Voicemail => "voicemail",
        }
    }

    /// Parses a reason as the engine gives it; ours are not among them.
    ///
    /// # Errors
    /// [`InvalidValue`] when the engine has no such reason.
    pub fn parse_reported(name: &str) -> Result<Self, InvalidValue> {
        Self::REPORTED.into_iter().find(|reason| reason.as_str() == name).ok_or(InvalidValue {
            what: "failure reason",
            why: "is none of no-answer, busy, rejected, invalid-number, provider-error, voicemail",
        })
    }

    /// Parses a reason as it is stored, ours included.
    ///
    /// # Errors
    /// [`InvalidValue`] when there is no such reason.
    pub fn parse(name: &str) -> Result<Self, InvalidValue> {
        let ours = [Self::OutcomeUnknown, Self::Cancelled];
        let mut all = Self::REPORTED.into_iter().chain(ours);
        all.find(|reason| reason.as_str() == name)
            .ok_or(InvalidValue { what: "failure reason", why: "is none that we know" })
    }

    /// Reads the engine's code for a dial it refused for good: `invalid…` and `400` blame the number,
    /// anything else the provider. The engine's codes are not documented further.
    pub fn of_refusal(code: &str) -> Self {
        if code.starts_with("invalid") || code == "400" {
            Self::InvalidNumber
        } else {
            Self::ProviderError
        }
    }
}

/// Who took the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerClass {
    /// A person: something was said on the other side of a call that ended.
    Person,
    /// A machine that records.
    Voicemail,
    /// A machine that asks who calls; no engine tells us so yet.
    Screener,
    /// Nobody knows.
    Unknown,
}

impl AnswerClass {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Person, Self::Voicemail, Self::Screener, Self::Unknown];

    /// Parses the name on the wire.
    ///
    /// # Errors
    /// [`InvalidValue`] when there is no such class.
    pub fn parse(name: &str) -> Result<Self, InvalidValue> {
        Self::ALL.into_iter().find(|class| class.as_str() == name).ok_or(InvalidValue {
            what: "answer class",
            why: "is none of person, voicemail, screener, unknown",
        })
    }

    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Voicemail => "voicemail",
            Self::Screener => "screener",
            Self::Unknown => "unknown",
        }
    }
}

/// What came of an interview that is over; neither its transport status nor who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InterviewOutcome {
    /// A real interview: long enough, with a transcript.
    Completed,
    /// It ended, but there is not enough to score.
    TooShort,
    /// It ended, and what was said is still to come.
    AwaitingTranscript,
    /// There was no conversation.
    NotReached(Option<FailureReason>),
    /// It was taken back before it was sent.
    Cancelled,
    /// It cannot be found out.
    OutcomeUnknown,
}

impl InterviewOutcome {
    /// Parses the name on the wire, beside which the reason of a failure is a field of its own.
    ///
    /// # Errors
    /// [`InvalidValue`] when there is no such outcome.
    pub fn parse(name: &str, reason: Option<FailureReason>) -> Result<Self, InvalidValue> {
        let all = [
            Self::Completed,
            Self::TooShort,
            Self::AwaitingTranscript,
            Self::NotReached(reason),
            Self::Cancelled,
            Self::OutcomeUnknown,
        ];
        all.into_iter()
            .find(|outcome| outcome.as_str() == name)
            .ok_or(InvalidValue { what: "outcome", why: "is none that we know" })
    }

    /// Returns the name on the wire; the reason of a failure is a field of its own.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::TooShort => "too_short",
            Self::AwaitingTranscript => "awaiting_transcript",
            Self::NotReached(_) => "not_reached",
            Self::Cancelled => "cancelled",
            Self::OutcomeUnknown => "outcome_unknown",
        }
    }
}

/// How good an ended interview is for its screening, which is told whenever this rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// It cannot be found out what became of it.
    Unknown,
    /// There was no conversation.
    Failed,
    /// There was one, and what was said is still to come.
    Pending,
    /// There was too little of one.
    Short,
    /// There was one that can be scored.
    Real,
}
