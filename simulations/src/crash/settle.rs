//! After the last round: nothing breaks any more, and everything must come to its end.

use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;
use persistence::examine::{Picture, Waiting};
use tokio::time::{Instant, sleep, timeout};

use super::Settings;
use super::checks::{self, Evidence};
use super::cluster::Cluster;
use super::findings::Wrong;
use super::report::Report;
use super::stage::Stage;
use super::world;
use crate::audit;
use crate::product::Api;

/// How long the drivers may take; longer than their own patience.
const DRIVERS_PATIENCE: Duration = Duration::from_secs(180);
/// How often it is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often the server is asked to look for calls whose every webhook was lost.
const SYNC_EVERY: u32 = 6;
/// How late anything may be, in real time.
const SLACK: Duration = Duration::from_secs(10);
/// How long the feed may be behind the log.
const FEED_PATIENCE: Duration = Duration::from_secs(10);

impl Stage {
    /// Ends the faults and waits for the end of everything; answers how that went, in words.
    pub async fn settle(
        &mut self,
        settings: &Settings,
        cluster: &Cluster,
    ) -> anyhow::Result<String> {
        self.engine.engine().set_faults(world::after(self.placed_per_round));
        self.fleet.want(1).await?;
        let began = Instant::now();
        let told = timeout(DRIVERS_PATIENCE, self.told()).await;
        told.context("the drivers do not come to an end")??;
        let mut looks = 0;
        let mut open = String::new();
        while began.elapsed() < settings.converges_within {
            open = self.open(cluster, looks % SYNC_EVERY == 0).await?;
            if open.is_empty() {
                let took = began.elapsed().as_secs_f64();
                return Ok(format!("all came to its end, {took:.1} s after the last fault"));
            }
            looks += 1;
            sleep(LOOK_EVERY).await;
        }
        self.findings.add(
            9,
            Wrong::Stuck,
            format!("after {:?}: {open}", settings.converges_within),
        );
        Ok(format!("NOT all came to its end: {open}"))
    }

    /// Says what is still open; nothing when all is over.
    async fn open(&self, cluster: &Cluster, asks: bool) -> anyhow::Result<String> {
        let api = Api::new(self.sender.base(0), Some(self.token.clone()))?;
        let totals = self.engine.engine().totals();
        let calls =
            totals.scheduled + totals.live + totals.unsettled + totals.calls - totals.finished;
        if calls > 0 {
            return Ok(format!("{calls} calls of the engine"));
        }
        if asks && !self.cast.is_empty() {
            api.sync().await?;
        }
        let rows = api.screenings(self.cast.len() + 100).await?;
        let settled = rows.iter().filter(|row| row.is_final()).count();
        if settled < self.cast.len() {
            return Ok(format!("{} screenings", self.cast.len() - settled));
        }
        let waiting = Waiting::count(&cluster.database()).await?;
        if waiting.inbox + waiting.dials > 0 {
            return Ok(format!("{} rows of the inbox, {} dials", waiting.inbox, waiting.dials));
        }
        Ok(String::new())
    }

    /// Makes the checks.
    pub async fn reckon(
        mut self,
        settings: &Settings,
        cluster: &Cluster,
        began: Instant,
    ) -> anyhow::Result<Report> {
        self.check_engine().await?;
        self.check_feed_is_there(cluster).await?;
        self.onlookers.abort_all();
        self.fleet.want(0).await.context("the last stop")?;
        self.check_logs();
        let speed = self.engine.engine().clock().speed().factor();
        let picture = Picture::take(&cluster.database()).await?;
        let (fates, flips) = (self.sender.history.fates(), self.flips.all());
        let placed = self.placed.all();
        let ledger = self.engine.engine().ledger();
        let evidence = Evidence {
            picture: &picture,
            fates: &fates,
            ledger: &ledger,
            flips: &flips,
            placed: &placed,
            now: self.engine.engine().clock().now(),
            slack: TimeDelta::from_std(SLACK.mul_f64(speed)).unwrap_or_default(),
        };
        let placings = checks::all(&evidence, &self.findings);
        self.check_feed(&picture);
        anyhow::ensure!(self.sender.history.sync(), "the history cannot be kept");
        let findings = self.findings.all();
        if !findings.is_empty() {
            // The database is removed; what it held, and what the engine says, is evidence.
            let tables = serde_json::to_vec(&picture)?;
            std::fs::write(settings.folder.join("tables.json"), tables)?;
            std::fs::write(settings.folder.join("ledger.json"), serde_json::to_vec(&ledger)?)?;
        }
        let acknowledged = fates.values().filter(|fate| fate.acknowledged > 0).count();
        Ok(Report {
            kills: self.kills,
            pauses: self.pauses,
            cuts: self.fleet.cuts(),
            acknowledged,
            unknown: fates.values().filter(|fate| fate.unknown > 0).count(),
            dials: ledger.requests.len(),
            facts: picture.facts.len(),
            placings,
            took: began.elapsed(),
            backs: std::mem::take(&mut self.backs),
            findings,
            history: settings.folder.join("history.jsonl"),
        })
    }

    /// Check 8, and what else the engine's ledger says: call by call.
    async fn check_engine(&self) -> anyhow::Result<()> {
        let api = Api::new(self.sender.base(0), Some(self.token.clone()))?;
        let records = audit::collect(&api, &self.cast).await?;
        let ledger = self.engine.engine().ledger();
        for difference in audit::compare(&self.cast, &ledger, &records) {
            let is_twice = difference.contains("twice") || difference.contains("was rung");
            let wrong = if is_twice { Wrong::Doubled } else { Wrong::Behind };
            self.findings.add(8, wrong, difference);
        }
        Ok(())
    }

    /// Check 6, first half: the feed comes to the end of the log.
    async fn check_feed_is_there(&self, cluster: &Cluster) -> anyhow::Result<()> {
        let head = Waiting::count(&cluster.database()).await?.interviews_at;
        let began = Instant::now();
        while self.transcript.last() < head {
            if began.elapsed() > FEED_PATIENCE {
                let at = self.transcript.last();
                let text = format!("the feed is at {at}, the log at {head}");
                self.findings.add(6, Wrong::Behind, text);
                break;
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Check 6, second half: what the feed told last of each interview is what was last then.
    fn check_feed(&self, picture: &Picture) {
        let (told, _) = self.transcript.ends();
        let seen = self.transcript.last();
        let mut ends = std::collections::HashMap::new();
        let of_interviews = picture.facts.iter().filter(|fact| fact.kind == "interview");
        for fact in of_interviews.filter(|fact| fact.seq <= seen) {
            ends.insert(fact.entity_id, (fact.seq, fact.version));
        }
        for (id, end) in &ends {
            if told.get(id) != Some(end) {
                let text = format!("the feed ended {id} at {:?}, the log at {end:?}", told.get(id));
                self.findings.add(6, Wrong::Behind, text);
            }
        }
    }

    /// Check 10: what the servers logged.
    fn check_logs(&self) {
        for log in self.fleet.logs() {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            for line in text.lines().filter(|line| line.contains("panicked")) {
                self.findings.add(10, Wrong::Stuck, line.chars().take(300).collect::<String>());
            }
        }
    }
}
