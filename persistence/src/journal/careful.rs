//! The careful way: a batch that does not go through whole is halved until each culprit stands alone.

use chrono::{DateTime, Utc};
use domain::ports::{Step, Verdict};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::answers::{self, Failure};
use super::batch::Batch;
use super::statements;

/// What became of a part of a batch.
enum Tried {
    /// All of it is in.
    Committed(Vec<Verdict>),
    /// None of it is; the verdict is meant for a part of one step.
    Failed(Verdict),
}

/// Commits what can be committed of `steps` in one transaction and answers each of them.
///
/// The answers are stored by the same transaction, under the number of the batch.
pub(super) async fn commit(
    connection: &mut PgConnection,
    writer: Uuid,
    number: i64,
    permits: u32,
    steps: &[Step],
    at: DateTime<Utc>,
) -> Result<Vec<Verdict>, sqlx::Error> {
    let mut tx = connection.begin().await?;
    statements::lock_head(&mut tx).await?;
    let mut verdicts = vec![Verdict::Stale; steps.len()];
    // The whole was tried before this way was taken. The first part lies on top of the stack.
    let mut parts = halves(0..steps.len());
    while let Some(part) = parts.pop() {
        match attempted(&mut tx, writer, &steps[part.clone()], permits, at).await? {
            Tried::Committed(said) => {
                verdicts.splice(part, said);
            }
            Tried::Failed(said) if part.len() == 1 => verdicts[part.start] = said,
            Tried::Failed(_) => parts.extend(halves(part)),
        }
    }
    let written =
        serde_json::to_string(&verdicts).map_err(|error| sqlx::Error::Encode(error.into()))?;
    statements::record(&mut tx, writer, number, &written).await?;
    fail::fail_point!("careful-before-commit", |_| std::process::abort());
    tx.commit().await?;
    Ok(verdicts)
}

/// Cuts a range in two, the latter half first; what cannot be cut stays whole.
fn halves(part: std::ops::Range<usize>) -> Vec<std::ops::Range<usize>> {
    let middle = part.start + part.len() / 2;
    [middle..part.end, part.start..middle].into_iter().filter(|half| !half.is_empty()).collect()
}

/// Tries a part under a savepoint, since a statement that cannot even be bound ends a transaction.
async fn attempted(
    tx: &mut PgConnection,
    writer: Uuid,
    part: &[Step],
    permits: u32,
    at: DateTime<Utc>,
) -> Result<Tried, sqlx::Error> {
    let steps: Vec<&Step> = part.iter().collect();
    let batch = Batch::of(&steps, permits);
    let mut savepoint = tx.begin().await?;
    match statements::attempt(&mut savepoint, writer, &batch, at).await {
        Ok(tried) => {
            savepoint.commit().await?;
            Ok(match tried.base {
                Some(base) => Tried::Committed(answers::all_committed(part, &batch.offsets, base)),
                None => Tried::Failed(answers::against(tried)),
            })
        }
        Err(error) if Failure::of(&error) == Failure::OfData => {
            savepoint.rollback().await?;
            Ok(Tried::Failed(Verdict::Undecodable(error.to_string())))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_ends_with_every_step_alone_and_in_order() {
        let mut alone = Vec::new();
        let mut parts = halves(0..7);
        while let Some(part) = parts.pop() {
            if part.len() == 1 {
                alone.push(part.start);
            } else {
                parts.extend(halves(part));
            }
        }
        assert_eq!(alone, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(halves(3..4).pop(), Some(3..4), "what stands alone is not cut");
    }
}
