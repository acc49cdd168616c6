//! What an import did.

use domain::ports::NodeTable;
use serde::Serialize;

/// Refused rows that are shown, of all tables together; the others are counted.
const REFUSALS_SHOWN: usize = 100;

/// A row that was not taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Its key there.
    pub id: String,
    /// What is wrong with it.
    pub why: String,
}

/// What became of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It was copied.
    Copied,
    /// It was counted: there is no such feature here yet.
    NotCopied,
    /// There is no such table.
    Absent,
}

/// What became of the rows of a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableReport {
    /// Which table.
    pub table: NodeTable,
    /// What became of it.
    pub fate: Fate,
    /// Rows that were read, or only counted.
    pub read: u64,
    /// Rows that are new or fuller here.
    pub written: u64,
    /// Rows that tell nothing new.
    pub unchanged: u64,
    /// Rows of features that do not exist here.
    pub left: u64,
    /// Rows that were not taken over.
    pub refused: u64,
    /// The first of those.
    pub refusals: Vec<Refusal>,
    #[serde(skip)]
    room: usize,
}

impl TableReport {
    fn new(table: NodeTable, fate: Fate, read: u64, room: usize) -> Self {
        let (written, unchanged, left, refused) = (0, 0, 0, 0);
        Self { table, fate, read, written, unchanged, left, refused, refusals: Vec::new(), room }
    }

    pub(super) fn copied(table: NodeTable, room: usize) -> Self {
        Self::new(table, Fate::Copied, 0, room)
    }

    pub(super) fn not_copied(table: NodeTable, rows: u64) -> Self {
        Self::new(table, Fate::NotCopied, rows, 0)
    }

    pub(super) fn absent(table: NodeTable) -> Self {
        Self::new(table, Fate::Absent, 0, 0)
    }

    pub(super) fn written(&mut self) {
        self.read += 1;
        self.written += 1;
    }

    pub(super) fn unchanged(&mut self) {
        self.read += 1;
        self.unchanged += 1;
    }

    pub(super) fn left(&mut self) {
        self.read += 1;
        self.left += 1;
    }

    pub(super) fn refused(&mut self, id: String, why: impl Into<String>) {
        self.read += 1;
        self.refused += 1;
        if self.refusals.len() < self.room {
            self.refusals.push(Refusal { id, why: why.into() });
        }
    }
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ImportSummary {
    /// Whether anything here is other than before.
    pub written: u64,
    /// Table by table.
    pub tables: Vec<TableReport>,
}

impl ImportSummary {
    pub(super) fn add(&mut self, report: TableReport) {
        self.written += report.written;
        self.tables.push(report);
    }

    /// Returns how many refusals may still be shown.
    pub(super) fn room(&self) -> usize {
        let shown: usize = self.tables.iter().map(|table| table.refusals.len()).sum();
        REFUSALS_SHOWN - shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hundred_refusals_are_shown_and_all_are_counted() {
        let mut summary = ImportSummary::default();
        for table in [NodeTable::SystemConfigs, NodeTable::Interviews] {
            let mut report = TableReport::copied(table, summary.room());
            (0..70).for_each(|row| report.refused(row.to_string(), "bad"));
            summary.add(report);
        }
        let shown: Vec<_> = summary.tables.iter().map(|table| table.refusals.len()).collect();
        assert_eq!((shown, summary.tables[1].refused), (vec![70, 30], 70));
    }
}
