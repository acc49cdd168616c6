//! What a commit answers, and how that is kept for whoever lost the reply.

use domain::DedupeKey;
use domain::ports::{Step, Verdict};
use sqlx::error::DatabaseError;

use super::batch::Batch;
use super::statements::Tried;

/// What a failed statement says about its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The data, or a row that moved on: the batch is taken apart until the culprit stands alone.
    OfData,
    /// The connection, the server or its patience: whether it committed is not known.
    OfConnection,
}

/// SQLSTATE classes that are about what was said: cardinality, data, integrity, limits, our own, and
/// what the server itself did not expect, which else would keep a whole batch from ever committing.
const DATA_CLASSES: [&str; 6] = ["21", "22", "23", "54", "RM", "XX"];
/// Our own that is about none of it: this call came late, its batch was answered since.
const LATE: &str = "RM004";

impl Failure {
    pub fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(answer) if is_of_data(answer.as_ref()) => Self::OfData,
            sqlx::Error::Encode(_) => Self::OfData,
            _ => Self::OfConnection,
        }
    }
}

fn is_of_data(answer: &dyn DatabaseError) -> bool {
    answer.code().is_some_and(|code| {
        code != LATE && DATA_CLASSES.iter().any(|class| code.starts_with(class))
    })
}

/// Returns the verdicts of a batch that committed whole.
pub(super) fn all_committed<'a>(
    steps: impl IntoIterator<Item = &'a Step>,
    offsets: &[i64],
    base: i64,
) -> Vec<Verdict> {
    steps.into_iter().zip(offsets).map(|(step, offset)| committed(step, base + offset)).collect()
}

/// Returns the verdict of a step whose facts come after the number `base`.
fn committed(step: &Step, base: i64) -> Verdict {
    Verdict::Committed { first_seq: if step.facts.is_empty() { base } else { base + 1 } }
}

/// Reads what `journal_try` said against a step that it tried alone.
pub(super) fn against(tried: Tried) -> Verdict {
    let detail = tried.detail.unwrap_or_default();
    match tried.outcome.as_str() {
        "stale" => Verdict::Stale,
        "duplicate" => {
            Verdict::Duplicate(tried.keys.unwrap_or_default().into_iter().map(DedupeKey).collect())
        }
        "refused" => Verdict::Refused(detail),
        _ => Verdict::Undecodable(detail),
    }
}

/// Reads the answers that a committed batch left behind.
///
/// A batch that committed whole left the number before its first fact; one that went the careful way
/// left its verdicts.
pub(super) fn recall(steps: &[Step], batch: &Batch<'_>, recorded: &str) -> Option<Vec<Verdict>> {
    if let Ok(base) = recorded.parse::<i64>() {
        return Some(all_committed(steps, &batch.offsets, base));
    }
    serde_json::from_str(recorded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn careful_answers_survive_being_written_down() {
        let said = vec![
            Verdict::Committed { first_seq: 7 },
            Verdict::Stale,
            Verdict::Duplicate(vec![DedupeKey(uuid::Uuid::nil())]),
            Verdict::Refused("voice_interviews_call_id_key".into()),
            Verdict::Undecodable("invalid input".into()),
        ];
        let written = serde_json::to_string(&said).unwrap();
        assert_eq!(recall(&[], &Batch::default(), &written), Some(said));
    }
}
