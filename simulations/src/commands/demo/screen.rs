//! What a demo shows: lines, and on a terminal bars below them.

use std::fmt::Display;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::time::Instant;

use crate::report;

/// Lines of news that may appear within [`BURST_TIME`]; more of them nobody can read.
const BURST_LINES: u32 = 15;
/// See [`BURST_LINES`].
const BURST_TIME: Duration = Duration::from_secs(1);
/// How often the state is said where there is no terminal to keep it on.
const STATE_EVERY: Duration = Duration::from_secs(10);

/// How far a demo is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Candidates whose first call is placed or planned, of all.
    pub begun: (u64, u64),
    /// Screenings that are over, of all.
    pub over: (u64, u64),
    /// The rest, as a sentence.
    pub state: String,
}

/// Shared by everything that shows something.
#[derive(Clone)]
pub(super) struct Screen {
    bars: Option<Arc<Bars>>,
    pace: Arc<Mutex<Pace>>,
}

struct Bars {
    all: MultiProgress,
    begun: ProgressBar,
    over: ProgressBar,
    state: ProgressBar,
}

struct Pace {
    since: Instant,
    shown: u32,
    hidden: u32,
    state_at: Option<Instant>,
}

impl Screen {
    /// Uses the terminal, where there is one.
    pub(super) fn new(forever: bool) -> Self {
        let is_terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        let bars = is_terminal.then(|| Arc::new(Bars::new(forever)));
        let pace = Pace { since: Instant::now(), shown: 0, hidden: 0, state_at: None };
        Self { bars, pace: Arc::new(Mutex::new(pace)) }
    }

    /// Shows a line for certain.
    pub(super) fn line(&self, text: impl Display) {
        match &self.bars {
            Some(bars) => bars.all.suspend(|| report::line(text)),
            None => report::line(text),
        }
    }

    /// Shows a line, unless there were too many a moment ago; then only their number.
    pub(super) fn news(&self, text: impl Display) {
        let (more, may_show) = self.pace.lock().map_or((0, true), |mut pace| pace.step());
        if more > 0 {
            self.line(format!("          … and {more} more"));
        }
        if may_show {
            self.line(text);
        }
    }

    /// Shows how far it is.
    pub(super) fn progress(&self, progress: &Progress) {
        if let Some(bars) = &self.bars {
            return bars.show(progress);
        }
        let is_due = self.pace.lock().is_ok_and(|mut pace| pace.is_state_due());
        if is_due {
            let ((begun, all), (over, of)) = (progress.begun, progress.over);
            let state = &progress.state;
            self.line(format!("-- {begun}/{all} calls placed, {over}/{of} settled; {state}"));
        }
    }

    /// Takes the bars away.
    pub(super) fn finish(&self) {
        if let Some(bars) = &self.bars {
            bars.begun.finish_and_clear();
            bars.over.finish_and_clear();
            bars.state.finish_and_clear();
        }
    }
}

impl Bars {
    fn new(forever: bool) -> Self {
        let all = MultiProgress::new();
        let bar = |template: &str| {
            let style = ProgressStyle::with_template(template);
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            all.add(ProgressBar::new(1).with_style(style))
        };
        let (begun, over) = match forever {
            false => ("placed  {bar:40} {pos}/{len}", "settled {bar:40} {pos}/{len}"),
            true => ("placed  {pos}", "settled {pos} of {len}"),
        };
        let (begun, over, state) = (bar(begun), bar(over), bar("{msg}"));
        Self { all, begun, over, state }
    }

    fn show(&self, progress: &Progress) {
        for (bar, (position, length)) in
            [(&self.begun, progress.begun), (&self.over, progress.over)]
        {
            bar.set_length(length);
            bar.set_position(position);
        }
        self.state.set_message(progress.state.clone());
    }
}

impl Pace {
    /// Counts a line; answers how many were hidden in the time that is over, and whether it fits.
    fn step(&mut self) -> (u32, bool) {
        let mut more = 0;
        if self.since.elapsed() >= BURST_TIME {
            more = std::mem::take(&mut self.hidden);
            (self.since, self.shown) = (Instant::now(), 0);
        }
        let may_show = self.shown < BURST_LINES;
        if may_show {
            self.shown += 1;
        } else {
            self.hidden += 1;
        }
        (more, may_show)
    }

    fn is_state_due(&mut self) -> bool {
        let is_due = self.state_at.is_none_or(|at| at.elapsed() >= STATE_EVERY);
        if is_due {
            self.state_at = Some(Instant::now());
        }
        is_due
    }
}
