//! What a run brought to light.

use std::sync::{Mutex, PoisonError};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// What was acknowledged left no trace.
    Lost,
    /// What is shown or stored is not what was acknowledged, or not what the log says.
    Behind,
    /// What must count once counts twice.
    Doubled,
    /// What must come to an end does not.
    Stuck,
}

/// The checks, as `RELIABILITY.md` 3.3 numbers the first ten, and what each says.
pub(super) const CHECKS: [(u8, &str); 11] = [
    (1, "every acknowledged webhook was decided, once"),
    (2, "every import took effect, every dial has its intent, and was requested once"),
    (3, "what may have happened happened once or not at all"),
    (4, "the log has no gap, rises, and folds to every row"),
    (5, "no read fell behind an earlier one or an acknowledgement"),
    (6, "the live feed rises and ends where the rows end"),
    (7, "not applicable: there is one tenant, and nobody else to see its data"),
    (8, "hours, delays and attempts hold in the engine's ledger (there are no caps yet)"),
    (9, "nothing open is without a future"),
    (10, "no panic, and no server ended by itself"),
    (11, "each request for a call rang once at most, most rang, and every dial came to an end"),
];

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which check found it.
    pub check: u8,
    /// What kind of wrong it is.
    pub wrong: Wrong,
    /// What it is.
    pub text: String,
}

/// All of them, gathered while a run goes on and after it.
#[derive(Default)]
pub(super) struct Findings(Mutex<Vec<Finding>>);

impl Findings {
    pub fn add(&self, check: u8, wrong: Wrong, text: impl Into<String>) {
        let finding = Finding { check, wrong, text: text.into() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(finding);
    }

    pub fn all(&self) -> Vec<Finding> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
