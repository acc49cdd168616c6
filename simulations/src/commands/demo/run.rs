//! What goes on while a demo plays, and the reckoning at its end.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use simulations::audit::{self, Summary};
use simulations::cast::Candidate;
use simulations::engine::{EngineHandle, Totals};
use simulations::product::Api;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::caller::Caller;
use super::cue::Cue;
use super::follow::time_in_india;
use super::home::Home;
use super::outcomes::Outcomes;
use super::screen::{Progress, Screen};

/// How often the state is looked at, in real time.
const TICK: Duration = Duration::from_millis(500);
/// The same for a run without end, which looks at more.
const TICK_FOREVER: Duration = Duration::from_secs(2);
/// How long before they begin calls are arranged, in real time: a short absence of the server holds
/// nothing up.
const AHEAD: Duration = Duration::from_secs(6);
/// How far ahead of the clock the home remembers it, in real time: a killed demo was not further.
const REACH: Duration = Duration::from_secs(10);
/// When a run that is to end gives up waiting, counted from its first call. Simulated.
const RUN_MAX: TimeDelta = TimeDelta::hours(60);
/// How long ledger and server may disagree at the end: the last commits are on their way.
const AGREE_ATTEMPTS: u32 = 20;
/// The newest screenings that a run without end looks at.
const ROWS_LOOKED_AT: usize = 800;
/// Calls after which a run without end begins no more: the engine remembers every one.
const CALLS_MAX: u64 = 200_000;
/// Differences that are spelled out.
const DIFFERENCES_SHOWN: usize = 40;

/// The task that keeps the server running.
pub(super) type Keeping = JoinHandle<anyhow::Result<()>>;

/// What is looked at and acted on while it plays.
pub(super) struct Run {
    pub(super) forever: bool,
    pub(super) home: Home,
    pub(super) engine: EngineHandle,
    pub(super) api: Api,
    pub(super) cue: Cue,
    pub(super) caller: Caller,
    pub(super) cast: Vec<Candidate>,
    pub(super) begins: DateTime<Utc>,
    pub(super) screen: Screen,
    pub(super) outcomes: Outcomes,
    /// The scopes for which dialing was stopped when it was looked at last.
    pub(super) stopped: String,
}

impl Run {
    /// Goes on until `stop`, until the server cannot be kept running, until it refuses a call for good, or
    /// until all is settled and reckoned up.
    pub(super) async fn until_settled(
        &mut self,
        stop: &CancellationToken,
        mut keeping: Keeping,
    ) -> anyhow::Result<(Keeping, bool)> {
        let tick = if self.forever { TICK_FOREVER } else { TICK };
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok((keeping, false)),
                kept = &mut keeping => {
                    kept??;
                    anyhow::bail!("nobody keeps the server running any more");
                }
                () = tokio::time::sleep(tick) => {}
            }
            let now = self.now();
            self.home.reach(now + self.simulated(REACH))?;
            match self.look(now).await {
                Ok(false) => {}
                Ok(true) => return Ok((keeping, self.reckon().await)),
                Err(failure) => {
                    self.screen.line(format!("!! the demo ends: {failure:#}"));
                    return Ok((keeping, false));
                }
            }
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.engine.engine().clock().now()
    }

    fn simulated(&self, real: Duration) -> Duration {
        real.mul_f64(self.engine.engine().clock().speed().factor())
    }

    /// Arranges calls and shows where everything stands; answers whether it is time to reckon up.
    ///
    /// # Errors
    /// When a call cannot be asked for any more.
    async fn look(&mut self, now: DateTime<Utc>) -> anyhow::Result<bool> {
        if self.forever && self.engine.engine().totals().calls < CALLS_MAX {
            self.cue.go_on(now, now + self.simulated(AHEAD));
        }
        // A server that is away is on its way back: those who wait are sent the next time.
        let sent = self.cue.send(&self.api, self.engine.engine()).await;
        let is_sent = sent.is_ok();
        let sent = sent.unwrap_or_default();
        self.outcomes.expect(sent.iter().map(|(_, candidate)| candidate));
        self.caller.expect(sent);
        self.caller.ask(now)?;
        let totals = self.engine.engine().totals();
        let rows_min = if self.forever { ROWS_LOOKED_AT } else { self.cast.len() };
        if let Ok(rows) = self.api.screenings(rows_min).await {
            self.outcomes.show(&rows, now, &self.screen);
        }
        let (arranged, settled) = (self.cue.arranged, self.outcomes.settled());
        self.screen.progress(&Progress {
            begun: (self.caller.placed, arranged),
            over: (settled, arranged),
            state: state(now, &totals, &self.outcomes.phrase()),
        });
        self.watch_the_button().await;
        let is_quiet = self.caller.is_idle() && totals.live + totals.unsettled == 0;
        self.find_the_unheard(is_quiet).await;
        let is_over = is_quiet && settled == arranged && totals.finished == totals.calls;
        Ok(!self.forever && (is_sent && is_over || now > self.begins + RUN_MAX))
    }

    /// Says when somebody stops dialing, or resumes it.
    async fn watch_the_button(&mut self) {
        // A server that is away is asked again the next time.
        let Ok(answer) = self.api.get::<Value>("/api/v1/dialing").await else { return };
        let stops = answer["data"]["stops"].as_array().into_iter().flatten();
        let scopes = stops.filter_map(|stop| stop["scope"].as_str()).collect::<Vec<_>>().join(", ");
        if scopes == self.stopped {
            return;
        }
        self.screen.line(match scopes.as_str() {
            "" => "!! dialing is resumed".to_owned(),
            scopes => format!(
                "!! dialing is stopped ({scopes}): nobody is called again until it is resumed"
            ),
        });
        self.stopped = scopes;
    }

    /// Has the server look for calls whose every webhook was lost.
    async fn find_the_unheard(&self, is_quiet: bool) {
        // Somebody always looks at the list, and who looks at it sets off a sync now and then. Either
        // of them is tried again the next time.
        let _another_time = self.api.get::<Value>("/api/voice-interviews?limit=1").await.is_ok();
        if is_quiet && self.outcomes.has_unheard() {
            let _another_time = self.api.sync().await.is_ok();
        }
    }

    /// Compares the ledger with the server's records, and says what came of it.
    async fn reckon(&self) -> bool {
        let mut attempt = 0;
        let (summary, differences) = loop {
            attempt += 1;
            match self.compare().await {
                Ok((summary, differences))
                    if differences.is_empty() || attempt == AGREE_ATTEMPTS =>
                {
                    break (summary, differences);
                }
                Err(error) if attempt == AGREE_ATTEMPTS => {
                    break (
                        Summary::default(),
                        vec![format!("the server cannot be asked: {error:#}")],
                    );
                }
                Ok(_) | Err(_) => tokio::time::sleep(TICK).await,
            }
        };
        self.screen.line(format!("\n{summary}\n"));
        if differences.is_empty() {
            self.screen.line("CHECK ledger and API agree call by call: yes");
            return true;
        }
        self.screen.line(format!(
            "CHECK ledger and API agree call by call: NO, {} differences",
            differences.len()
        ));
        for difference in differences.iter().take(DIFFERENCES_SHOWN) {
            self.screen.line(format!("  {difference}"));
        }
        false
    }

    async fn compare(&self) -> anyhow::Result<(Summary, Vec<String>)> {
        self.api.sync().await?;
        let records = audit::collect(&self.api, &self.cast).await?;
        let ledger = self.engine.engine().ledger();
        let differences = audit::compare(&self.cast, &ledger, &records);
        Ok((Summary::of(&self.cast, &ledger, &records), differences))
    }
}

/// Says where everything stands; what came of the calls only once something did.
fn state(now: DateTime<Utc>, totals: &Totals, outcomes: &str) -> String {
    let mut said = format!(
        "{} IST, {} calls, {} of them live, {} webhooks",
        time_in_india(now),
        totals.calls,
        totals.live,
        totals.webhooks_acknowledged
    );
    if !outcomes.is_empty() {
        said.push_str("; ");
        said.push_str(outcomes);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_has_no_empty_field() {
        let now = "2026-11-20T03:30:05Z".parse().unwrap();
        let totals = Totals::default();
        let begun = "09:00:05 IST, 0 calls, 0 of them live, 0 webhooks";
        assert_eq!(state(now, &totals, ""), begun);
        assert_eq!(state(now, &totals, "3 calling"), format!("{begun}; 3 calling"));
    }
}
