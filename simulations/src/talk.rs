//! What is said in a simulated call: turns, transcript and the gaps that real ones have.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Who a turn belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The voice agent.
    Assistant,
    /// The person who was called.
    User,
    /// The prompt.
    System,
    /// A tool the agent used.
    Tool,
}

impl Role {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Assistant => "assistant",
            Self::User => "user",
            Self::System => "system",
            Self::Tool => "tool",
        }
    }
}

/// One turn of a conversation as the engine reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Turn {
    /// Whose turn it was.
    pub role: Role,
    /// What was said; blank for a silent turn.
    pub message: String,
    /// The position, from 0.
    pub sequence_order: u32,
}

impl Turn {
    /// Says whether nothing but whitespace was said.
    pub fn is_blank(&self) -> bool {
        self.message.trim().is_empty()
    }
}

/// What a conversation shall look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// How many turns there are.
    pub turns: usize,
    /// Whether one of them is silent.
    pub blank: bool,
    /// Whether one of them is a tool's.
    pub tool: bool,
    /// The exact length of the transcript in characters, where a boundary is wanted.
    pub chars: Option<usize>,
}

/// A conversation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Talk {
    pub turns: Vec<Turn>,
    pub transcript: String,
}

impl Talk {
    /// Makes up a conversation with `name` about the post of `role`.
    pub(crate) fn draw(shape: Shape, name: &str, role: &str, dice: &mut ChaCha8Rng) -> Self {
        if let Some(chars) = shape.chars {
            return Self::of_length(chars);
        }
        let mut turns = Vec::with_capacity(shape.turns);
        for position in 0..shape.turns {
            turns.push(spoken(position, name, role, dice));
        }
        if shape.tool {
            let position = dice.random_range(0..turns.len().max(1));
            replace(&mut turns, position, Role::Tool, TOOL_RESULT);
        }
        if shape.blank {
            let position = dice.random_range(0..turns.len().max(1));
            replace(&mut turns, position, Role::User, "  ");
        }
        Self { transcript: transcribe(&turns), turns }
    }

    /// Makes a conversation whose transcript has exactly `chars` characters, for boundary cases.
    fn of_length(chars: usize) -> Self {
        let label = |role: Role| role.as_str().len() + ": ".len();
        let asking = label(Role::Assistant);
        if chars <= asking {
            return Self { turns: Vec::new(), transcript: "-".repeat(chars) };
        }
        // Where there is room for it, the person who was called says the greater part.
        let answering = "\n".len() + label(Role::User);
        let spoken = chars - asking;
        let asked = if spoken > answering + OPENING.len() { OPENING.len() } else { spoken };
        let mut turns = vec![Turn {
            role: Role::Assistant,
            message: of_exactly(asked, &[OPENING]),
            sequence_order: 0,
        }];
        if asked < spoken {
            let message = of_exactly(spoken - asked - answering, ANSWERS);
            turns.push(Turn { role: Role::User, message, sequence_order: 1 });
        }
        Self { transcript: transcribe(&turns), turns }
    }
}

fn spoken(position: usize, name: &str, role: &str, dice: &mut ChaCha8Rng) -> Turn {
    let (role, message) = match position {
        0 => (Role::Assistant, greeting(name, role)),
        _ if position.is_multiple_of(2) => (Role::Assistant, pick(QUESTIONS, dice)),
        _ => (Role::User, pick(ANSWERS, dice)),
    };
    Turn { role, message, sequence_order: u32::try_from(position).unwrap_or(u32::MAX) }
}

fn greeting(name: &str, role: &str) -> String {
    format!(
        "Hello {name}, this is the screening call for the post of {role}. \
         Do you have a few minutes to talk right now?"
    )
}

/// Says as much of `texts`, again and again, as makes exactly `chars` characters.
fn of_exactly(chars: usize, texts: &[&str]) -> String {
    let endless = texts.iter().cycle().flat_map(|text| text.chars().chain([' ']));
    let mut said: String = endless.take(chars).collect();
    if said.ends_with(' ') {
        said.pop(); // Whoever trims the text must still count the same.
        said.push('.');
    }
    said
}

fn pick(texts: &[&str], dice: &mut ChaCha8Rng) -> String {
    texts.choose(dice).map(|text| (*text).to_owned()).unwrap_or_default()
}

fn replace(turns: &mut [Turn], position: usize, role: Role, message: &str) {
    if let Some(turn) = turns.get_mut(position) {
        turn.role = role;
        turn.message = message.to_owned();
    }
}

/// Writes the turns that were spoken, one a line; tools and silence leave no trace.
fn transcribe(turns: &[Turn]) -> String {
    let mut text = String::with_capacity(turns.len() * 120);
    for turn in turns {
        if turn.role == Role::Tool || turn.is_blank() {
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(turn.role.as_str());
        text.push_str(": ");
        text.push_str(&turn.message);
    }
    text
}

/// What the agent says first where not more than its words are counted.
const OPENING: &str = "Hello, can you hear me?";

const TOOL_RESULT: &str = r#"{"tool":"check_calendar","free":["Tuesday 11:00","Thursday 16:30"]}"#;

const QUESTIONS: &[&str] = &[
    "Could you walk me through the part of your current work that you are most proud of, \
     and what your own share in it was?",
    "How many people are in your team at the moment, and who decides what is built next \
     and in which order?",
    "When something breaks in production on a Friday evening, what do you do first, and \
     whom do you tell about it?",
    "What is your present yearly package, and what would you expect from us if we came to \
     an agreement next month?",
    "How long is your notice period, and is there a chance that your employer would let \
     you go any earlier than that?",
    "Would you be willing to move to Pune, or do you prefer to work from home on most of \
     the days of the week?",
    "Which database have you worked with the longest, and what would you warn a newcomer \
     to it about first?",
    "Tell me about a time when you disagreed with a reviewer. How was it settled, and \
     would you do the same again?",
];

const ANSWERS: &[&str] = &[
    "Sure. I built the settlement service that pays our merchants every night; the \
     retries and the reports were mine alone.",
    "We are seven people and a product manager. She brings the problems, we argue about \
     the order on Monday mornings.",
    "First I look at the dashboards and roll back whatever went out last, then I write in \
     the channel what I know so far.",
    "I am at ₹12 lakh a year at present, and I would hope for something around ₹16 lakh, \
     with some room to talk.",
    "It is thirty days on paper. My manager knows that I am looking, so perhaps three \
     weeks if the handover goes well.",
    "Moving is fine for me, my family is in Nashik anyway, but two days a week at home \
     would make it a lot easier.",
    "PostgreSQL, for about four years now. I would tell anybody to read the query plans \
     before adding the third index.",
    "He wanted an interface for a thing that existed once. We measured how often it had \
     changed, and left it as it was.",
    "Sorry, the line was bad for a moment. Could you please say that again? I only heard \
     the first half of the question.",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::{Purpose, dice};

    #[test]
    fn a_boundary_transcript_has_exactly_the_length_asked_for() {
        for chars in 0..200 {
            let shape = Shape { turns: 12, blank: false, tool: false, chars: Some(chars) };
            let talk = Talk::draw(shape, "Asha", "Engineer", &mut dice(1, Purpose::Talk, 1));
            assert_eq!(talk.transcript.trim().chars().count(), chars);
            let is_answered = talk.turns.iter().any(|turn| turn.role == Role::User);
            assert_eq!(is_answered, chars >= 42, "{chars}: whoever is scored has said something");
        }
    }

    #[test]
    fn silent_and_tool_turns_are_in_the_messages_but_not_in_the_transcript() {
        let shape = Shape { turns: 12, blank: true, tool: true, chars: None };
        let talk = Talk::draw(shape, "Asha", "Engineer", &mut dice(1, Purpose::Talk, 5));
        assert_eq!(talk.turns.len(), 12);
        assert_eq!(talk.turns.iter().filter(|turn| turn.is_blank()).count(), 1);
        assert!(!talk.transcript.contains("check_calendar"));
    }
}
