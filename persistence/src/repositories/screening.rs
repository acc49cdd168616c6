//! The projection of a screening.

use domain::Machine;
use domain::ports::Repository;
use domain::screening::{Document, Screening, ScreeningView};

use super::text::{number, time};

/// Columns of the projection, the ledger's two included.
const COLUMNS: usize = 16;

/// Writes the rows of `screening_results`, and the ledger's row of an analysis.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScreeningRepository;

impl Repository<Screening> for ScreeningRepository {
    /// Follows the order documented above `advance_screening`.
    ///
    /// A screening that is not there yet has no columns worth storing: its nulls are refused.
    fn columns(
        &self,
        machine: &Screening,
        documents: &[<Screening as Machine>::Document],
    ) -> Vec<Option<String>> {
        let Some(view) = machine.view() else { return vec![None; COLUMNS] };
        let mut columns = projection(view);
        columns.extend(ledger(documents));
        columns
    }
}

fn projection(view: ScreeningView) -> Vec<Option<String>> {
    vec![
        Some(view.status.as_str().to_owned()),
        Some(view.call_status.as_str().to_owned()),
        Some(view.attempts.to_string()),
        view.call_id.map(|id| id.as_str().to_owned()),
        view.call_processed_at.map(time),
        view.next_attempt_at.map(time),
        view.resume_score.map(number),
        view.quiz_score.map(number),
        view.communication_score.map(number),
        view.technical_score.map(number),
        view.call_score.map(number),
        view.final_score.map(number),
        view.failure_reason.map(str::to_owned),
        view.candidate.and_then(|candidate| serde_json::to_string(&candidate).ok()),
    ]
}

/// Returns the analysed call and what its analysis cost; at most one analysis ends in one step.
fn ledger(documents: &[Document]) -> [Option<String>; 2] {
    match documents.last() {
        Some(Document::AnalysisCost { call_id, cost }) => {
            [Some(call_id.as_str().to_owned()), Some(number(cost.get()))]
        }
        None => [None, None],
    }
}
