//! Which of the active prompts counts.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Platform, Prompt, defaults};

/// How well a prompt fits who calls, and by what; more is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// The tenant's, for everything.
    GlobalForAny = 1,
    /// The tenant's, for this platform.
    GlobalForPlatform = 2,
    /// The user's own, for everything.
    OwnForAny = 3,
    /// The user's own, for this platform.
    OwnForPlatform = 4,
}

impl Fit {
    /// Returns the fit as a number.
    pub const fn score(self) -> u8 {
        self as u8
    }

    /// Returns the fit in words.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::OwnForPlatform => "your own prompt for this platform",
            Self::OwnForAny => "your own prompt for any platform",
            Self::GlobalForPlatform => "the global prompt for this platform",
            Self::GlobalForAny => "the global prompt for any platform",
        }
    }
}

/// What the choice needs to know of an active prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which one.
    pub id: Uuid,
    /// What it is for; none is everything.
    pub platform: Option<Platform>,
    /// Whose it is; none is the whole tenant's.
    pub belongs_to: Option<Uuid>,
    /// When it was last written.
    pub updated_at: DateTime<Utc>,
}

/// What the agent is told, and why it is that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActivePrompt {
    /// Somebody wrote it.
    Stored {
        /// What.
        prompt: Prompt,
        /// Why this one.
        fit: Fit,
    },
    /// Nobody wrote one that fits.
    BuiltIn {
        /// What it was asked for.
        platform: Option<Platform>,
    },
}

impl ActivePrompt {
    /// Returns the template.
    pub fn system_prompt(&self) -> &str {
        match self {
            Self::Stored { prompt, .. } => &prompt.system_prompt,
            Self::BuiltIn { platform } => defaults::of(*platform),
        }
    }

    /// Returns how well it fits; 0 is the built-in text.
    pub const fn score(&self) -> u8 {
        match self {
            Self::Stored { fit, .. } => fit.score(),
            Self::BuiltIn { .. } => 0,
        }
    }

    /// Says why it is this one.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Stored { fit, .. } => fit.in_words(),
            Self::BuiltIn { .. } => "the built-in default: no active prompt fits",
        }
    }
}

/// Chooses among active prompts: the best fit, of equal ones the one written last, of those the smallest id.
///
/// Without a platform only prompts for everything fit; without an owner only the tenant's.
pub fn select(
    candidates: &[Candidate],
    owner: Option<Uuid>,
    platform: Option<Platform>,
) -> Option<(Candidate, Fit)> {
    let fitting = candidates.iter().filter_map(|one| Some((*one, fit(one, owner, platform)?)));
    fitting.max_by(|(a, a_fit), (b, b_fit)| {
        let by_age = a.updated_at.cmp(&b.updated_at);
        a_fit.cmp(b_fit).then(by_age).then(b.id.cmp(&a.id))
    })
}

fn fit(one: &Candidate, owner: Option<Uuid>, platform: Option<Platform>) -> Option<Fit> {
    let is_own = match one.belongs_to {
        None => false,
        Some(user) if Some(user) == owner => true,
        Some(_) => return None,
    };
    let is_for_platform = match one.platform {
        None => false,
        Some(only) if Some(only) == platform => true,
        Some(_) => return None,
    };
    Some(match (is_own, is_for_platform) {
        (true, true) => Fit::OwnForPlatform,
        (true, false) => Fit::OwnForAny,
        (false, true) => Fit::GlobalForPlatform,
        (false, false) => Fit::GlobalForAny,
    })
}
