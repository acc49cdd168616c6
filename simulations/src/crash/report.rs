//! What a run came to, in lines.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::checks::Placings;
use super::findings::{CHECKS, Finding, Wrong};

/// Findings of one check that are spelled out.
const SHOWN: usize = 6;
/// Characters of one finding that are shown.
const CHARS_SHOWN: usize = 400;

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// How often something was killed.
    pub kills: u32,
    /// How often one of two servers was held for a while.
    pub pauses: u32,
    /// How often a line to the database was cut after a commit was sent.
    pub cuts: u32,
    /// How many different webhooks were acknowledged.
    pub acknowledged: usize,
    /// How many had an attempt whose fate was unknown.
    pub unknown: usize,
    /// How many dials the engine was asked for.
    pub dials: usize,
    /// How many facts the log has.
    pub facts: usize,
    /// What the requests for calls came to.
    pub placings: Placings,
    /// How long all of it took.
    pub took: Duration,
    /// How long after each kill webhooks were taken again.
    pub backs: Vec<Duration>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// The file of the drivers.
    pub history: PathBuf,
}

impl Report {
    /// Says whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Returns how much is wrong in that way.
    pub fn count(&self, wrong: Wrong) -> usize {
        self.findings.iter().filter(|finding| finding.wrong == wrong).count()
    }

    /// Returns the numbers of the checks that found something.
    pub fn failed_checks(&self) -> Vec<u8> {
        let mut checks: Vec<_> = self.findings.iter().map(|finding| finding.check).collect();
        checks.sort_unstable();
        checks.dedup();
        checks
    }

    /// Returns the ten checks and what each found, line by line.
    pub fn checks(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (number, says) in CHECKS {
            let found: Vec<_> = self.findings.iter().filter(|one| one.check == number).collect();
            let verdict = match found.len() {
                0 if says.starts_with("not applicable") => "n/a".to_owned(),
                0 => "ok".to_owned(),
                many => format!("{many} FOUND"),
            };
            lines.push(format!("check {number:>2}  {verdict:<9} {says}"));
            for finding in found.iter().take(SHOWN) {
                let text: String = finding.text.chars().take(CHARS_SHOWN).collect();
                lines.push(format!("          {:?}: {text}", finding.wrong));
            }
        }
        lines
    }

    /// Returns how long after a kill webhooks were taken again: the median and the longest, in s.
    pub fn back(&self) -> (f64, f64) {
        let mut backs = self.backs.clone();
        backs.sort_unstable();
        let at = |position: usize| backs.get(position).map_or(0.0, Duration::as_secs_f64);
        (at(backs.len() / 2), at(backs.len().saturating_sub(1)))
    }
}

/// The one line.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (median, longest) = self.back();
        write!(
            f,
            "kills {}, acknowledged {}, lost {}, behind {}, doubled {}, stuck {}, \
             back in p50 {median:.2} s max {longest:.2} s",
            self.kills,
            self.acknowledged,
            self.count(Wrong::Lost),
            self.count(Wrong::Behind),
            self.count(Wrong::Doubled),
            self.count(Wrong::Stuck),
        )?;
        let Placings { asked, repeated, rung, rung_twice, unanswered, endless } = self.placings;
        if asked == 0 {
            return Ok(());
        }
        write!(
            f,
            "; {asked} calls placed, {repeated} asked again after a lost answer, {rung} rang, \
             {unanswered} of them unanswered by the engine, {rung_twice} rang twice, \
             {endless} dials without an end"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_counts_what_was_found_by_its_kind() {
        let finding = |wrong| Finding { check: 1, wrong, text: String::new() };
        let report = Report {
            kills: 3,
            pauses: 0,
            cuts: 0,
            acknowledged: 40,
            unknown: 1,
            dials: 0,
            facts: 90,
            placings: Placings::default(),
            took: Duration::ZERO,
            backs: [900, 400, 700].map(Duration::from_millis).to_vec(),
            findings: vec![finding(Wrong::Lost), finding(Wrong::Stuck), finding(Wrong::Lost)],
            history: PathBuf::new(),
        };
        assert_eq!(
            report.to_string(),
            "kills 3, acknowledged 40, lost 2, behind 0, doubled 0, stuck 1, \
             back in p50 0.70 s max 0.90 s"
        );
        let placings =
            Placings { asked: 9, repeated: 4, rung: 8, unanswered: 3, ..report.placings };
        let asked = Report { placings, ..report.clone() }.to_string();
        assert!(
            asked.ends_with(
                "; 9 calls placed, 4 asked again after a lost answer, 8 rang, 3 of them unanswered by \
                 the engine, 0 rang twice, 0 dials without an end"
            ),
            "{asked}"
        );
        assert!(report.checks()[0].contains("2 FOUND") || report.checks()[0].contains("3 FOUND"));
        assert_eq!(report.failed_checks(), [1]);
    }
}
