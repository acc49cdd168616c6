//! The people the engine calls of its own accord, and what shall come of each call.

use chrono::{DateTime, Utc};
use rand::Rng;
use rand::seq::IndexedRandom;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::faults::WebhookFaults;
use super::profile::Outcome;
use super::wire::Provider;
use crate::dice::{Purpose, dice};

/// Job applications whose first call the engine places itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct World {
    /// The applications.
    pub applications: Vec<Application>,
}

impl World {
    /// Makes up `count` applications whose first calls are spread evenly over `over_s` simulated
    /// seconds.
    pub fn generate(seed: u64, count: u32, over_s: f64) -> Self {
        let gap_s = over_s / f64::from(count.max(1));
        let applications = (0..count)
            .map(|position| Application::generate(seed, position, f64::from(position) * gap_s))
            .collect();
        Self { applications }
    }
}

/// One application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Application {
    /// Its id, by which later `POST /call`s are counted as its attempts.
    pub application_id: Uuid,
    /// Whom to call, in E.164.
    pub phone_number: String,
    /// The callee's name.
    pub candidate_name: String,
    /// The HR user it belongs to.
    #[serde(default)]
    pub belongs_to: Option<Uuid>,
    /// The title of the post.
    #[serde(default = "some_role")]
    pub role: String,
    /// The platform its first call goes through.
    #[serde(default)]
    pub provider: Provider,
    /// When the engine places the first call.
    #[serde(default)]
    pub start: Start,
    /// What shall come of its calls, in order, however they are placed; the rest is drawn.
    #[serde(default)]
    pub attempts: Vec<CallScript>,
}

impl Application {
    /// Makes up one application; each `position` of a seed is another person.
    pub(crate) fn generate(seed: u64, position: u32, after_s: f64) -> Self {
        let mut dice = dice(seed, Purpose::World, position.into());
        let role = ROLES.choose(&mut dice).copied().unwrap_or_default().to_owned();
        Self {
            application_id: uuid::Builder::from_random_bytes(dice.random()).into_uuid(),
            phone_number: format!("+9190{:08}", position % 100_000_000), // Nobody has another's.
            candidate_name: name_of(seed, position),
            belongs_to: Some(uuid::Builder::from_random_bytes(dice.random()).into_uuid()),
            role,
            provider: Provider::default(),
            start: Start::AfterS(after_s),
            attempts: Vec::new(),
        }
    }
}

/// Returns the name of the person at `position`: of some thousands in a row no two share theirs, or it
/// would look as if somebody was rung for no reason.
fn name_of(seed: u64, position: u32) -> String {
    /// From one person to the next; prime to the number of names, so that all of them come up.
    const STRIDE: u64 = 135;
    let (given, family) = (GIVEN_NAMES.len() as u64, FAMILY_NAMES.len() as u64);
    let first = dice(seed, Purpose::World, u64::MAX).random_range(0..given * family);
    let place = (first + u64::from(position) * STRIDE) % (given * family);
    let given_name = GIVEN_NAMES[(place % given) as usize];
    let family_name = FAMILY_NAMES[(place / given) as usize];
    match u64::from(position) / (given * family) {
        0 => format!("{given_name} {family_name}"),
        round => {
            let initial = char::from(b'A' + (round - 1) as u8 % 26);
            format!("{given_name} {initial}. {family_name}")
        }
    }
}

/// When the engine places an application's first call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Start {
    /// At once.
    #[default]
    Now,
    /// So many simulated seconds from now.
    AfterS(f64),
    /// At a simulated instant.
    At(DateTime<Utc>),
    /// Not at all: the engine waits for a `POST /call`.
    Never,
}

/// What shall come of one call; what is left out is drawn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct CallScript {
    /// How it comes out. A duration or a transcript length makes it [`Outcome::Answered`].
    pub outcome: Option<Outcome>,
    /// How long they talk, in seconds.
    pub duration_s: Option<f64>,
    /// The exact length of the transcript, in characters.
    pub transcript_chars: Option<usize>,
    /// How long it rings, in seconds.
    pub ringing_s: Option<f64>,
    /// What goes wrong with its webhooks, instead of what is set for everybody.
    pub faults: Option<WebhookFaults>,
}

impl CallScript {
    /// A conversation of exactly `duration_s` with a transcript of `transcript_chars` characters:
    /// 59.9 and 60.0 s, 50 and 51 characters are the boundaries of a real interview.
    pub fn boundary(duration_s: f64, transcript_chars: usize) -> Self {
        Self {
            duration_s: Some(duration_s),
            transcript_chars: Some(transcript_chars),
            ..Self::default()
        }
    }

    /// A call that comes out as `outcome`.
    pub fn ending(outcome: Outcome) -> Self {
        Self { outcome: Some(outcome), ..Self::default() }
    }
}

fn some_role() -> String {
    "Backend Engineer".to_owned()
}

const GIVEN_NAMES: &[&str] = &[
    "Asha", "Rohan", "Meera", "Vikram", "Ishita", "Arjun", "Kavya", "Nikhil", "Sunita", "Farhan",
    "Priya", "Dev", "Ananya", "Kabir", "Lakshmi", "Zoya",
];

const FAMILY_NAMES: &[&str] = &[
    "Rao", "Sharma", "Iyer", "Khan", "Patil", "Das", "Menon", "Gupta", "Joshi", "Reddy", "Nair",
    "Bose", "Kulkarni", "Singh",
];

const ROLES: &[&str] = &["Backend Engineer", "Data Analyst", "Support Lead", "Accountant", "Nurse"];
