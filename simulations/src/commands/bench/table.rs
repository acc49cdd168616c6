//! The table: printed row by row, and written as JSON after each.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;

use super::machine::Machine;
use super::meter::Usage;
use crate::report;

/// The share of the machine beyond which others' work is in a figure.
const FOREIGN_MAX: f64 = 0.1;

/// One figure beside its baseline.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    name: String,
    value: f64,
    unit: &'static str,
    /// What it is compared with, in the same unit; `against` says what that is.
    baseline: Option<f64>,
    /// The value over the baseline.
    ratio: Option<f64>,
    against: Option<String>,
    /// The share of the machine that was used by processes outside the bench, meanwhile.
    foreign: Option<f64>,
    noisy: bool,
    note: Option<String>,
}

impl Row {
    /// A figure.
    pub(super) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            baseline: None,
            ratio: None,
            against: None,
            foreign: None,
            noisy: false,
            note: None,
        }
    }

    /// Puts a baseline beside it.
    pub(super) fn against(mut self, what: impl Into<String>, baseline: f64) -> Self {
        self.baseline = Some(baseline);
        self.ratio = (baseline > 0.0).then(|| self.value / baseline);
        self.against = Some(what.into());
        self
    }

    /// Says how much of the machine others used meanwhile.
    pub(super) fn foreign(mut self, share: f64) -> Self {
        self.foreign = Some(share);
        self.noisy = share > FOREIGN_MAX;
        self
    }

    /// Says how much of the machine others used meanwhile.
    pub(super) fn during(self, usage: Usage) -> Self {
        self.foreign(usage.foreign)
    }

    /// Says what else must be known, if there is anything.
    pub(super) fn note(mut self, note: Option<String>) -> Self {
        self.note = note;
        self
    }
}

/// All rows so far.
pub(super) struct Table {
    out: PathBuf,
    written: Written,
}

#[derive(Serialize)]
struct Written {
    #[serde(flatten)]
    machine: Machine,
    rows: Vec<Row>,
}

impl Table {
    /// Begins a table that is written to `out`.
    pub(super) fn new(out: PathBuf, machine: Machine) -> Self {
        let Machine { cores, model, memory, kernel, postgres, date } = &machine;
        let gib = *memory as f64 / f64::from(1 << 30);
        report::line(format!(
            "{date}, {cores} cores of {model}, {gib:.0} GiB, Linux {kernel}, PostgreSQL {postgres}"
        ));
        report::line("ratio = value / baseline; foreign = CPU that others used meanwhile");
        report::line(line(["name", "value", "unit", "baseline", "ratio", "foreign", "against"]));
        Self { out, written: Written { machine, rows: Vec::new() } }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn add(&mut self, row: Row) -> anyhow::Result<()> {
        report::line(shown(&row));
        self.written.rows.push(row);
        let text = serde_json::to_vec_pretty(&self.written)?;
        fs::write(&self.out, text).with_context(|| format!("cannot write {}", self.out.display()))
    }

    /// Says where the table is, and whether it can be trusted.
    pub(super) fn finish(&self) {
        let noisy = self.written.rows.iter().filter(|row| row.noisy).count();
        if noisy > 0 {
            report::line(format!(
                "{noisy} rows are noisy: others used more than a tenth of the machine"
            ));
        }
        report::line(format!("written to {}", self.out.display()));
    }
}

fn shown(row: &Row) -> String {
    let foreign = row
        .foreign
        .map(|share| format!("{:.0} %{}", share * 100.0, if row.noisy { " noisy" } else { "" }));
    let against = [row.against.clone(), row.note.clone()].into_iter().flatten();
    line([
        &row.name,
        &number(row.value),
        row.unit,
        &row.baseline.map(number).unwrap_or_default(),
        &row.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
        &foreign.unwrap_or_default(),
        &against.collect::<Vec<_>>().join("; "),
    ])
}

fn line([name, value, unit, baseline, ratio, foreign, against]: [&str; 7]) -> String {
    let line = format!(
        "{name:62} {value:>10} {unit:8} {baseline:>10} {ratio:>6} {foreign:>10}  {against}"
    );
    line.trim_end().to_owned()
}

/// Writes a number with as many digits as say something.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// Returns the middle one; none of none is 0.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        count if count.is_multiple_of(2) => (values[count / 2 - 1] + values[count / 2]) / 2.0,
        count => values[count / 2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_one_counts() {
        assert_eq!(median([3.0, 1.0, 200.0]), 3.0);
        assert_eq!(median([4.0, 1.0]), 2.5);
        assert_eq!(median([]), 0.0);
    }

    #[test]
    fn a_row_says_what_it_is_compared_with_and_whether_others_worked() {
        let row = Row::new("rate", 50.0, "1/s").against("the ceiling", 200.0).foreign(0.2);
        assert_eq!((row.ratio, row.noisy), (Some(0.25), true));
        let line = shown(&row);
        assert!(line.contains("0.25") && line.contains("20 % noisy"), "{line}");
    }
}
