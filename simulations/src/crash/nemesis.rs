//! One round: calls begin, something is broken among them, and what was broken comes back.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::cluster::Cluster;
use super::findings::Wrong;
use super::load;
use super::plan::{Fault, Round};
use super::stage::Stage;
use super::world;

/// How long a server may take to reach the place where it ends, after the last call began.
const FAILPOINT_PATIENCE: Duration = Duration::from_secs(2);
/// How long the calls of a round may take before the next one begins all the same.
const ROUND_PATIENCE: Duration = Duration::from_secs(20);

impl Stage {
    /// Plays one round; answers what came of it, in words.
    pub async fn round(&mut self, round: &Round, cluster: &Cluster) -> anyhow::Result<String> {
        if round.failpoint.is_some() {
            self.fleet.want(0).await?;
            self.fleet.start(0, round.failpoint.as_deref()).await?;
        }
        self.fleet.want(round.servers()).await?;
        self.engine.engine().set_faults(world::faults(round.forgets, self.placed_per_round)?);
        let began = Instant::now();
        let flips = self.begin(round);
        let (struck, how) = self.strike(round, cluster, began).await?;
        let mut back = self.back(round, struck).await?;
        if round.fault == Fault::Pause {
            self.pauses += 1;
        } else {
            self.kills += 1;
            self.backs.push(back);
        }
        if let Some(again) = round.again {
            sleep(again).await;
            let (struck, _) = self.fleet.kill(round.whom, Duration::ZERO).await?;
            back = self.back(round, struck).await?;
            self.kills += 1;
            self.backs.push(back);
        }
        self.finish(flips).await?;
        for slot in self.fleet.missing() {
            self.findings.add(10, Wrong::Stuck, format!("server {slot} ended by itself"));
        }
        Ok(format!("{how}, back after {:.2} s", back.as_secs_f64()))
    }

    /// Begins the calls of a round, and the flips where there are two servers to flip between.
    fn begin(&mut self, round: &Round) -> JoinSet<anyhow::Result<()>> {
        let calls = self.calls_begun..self.calls_begun + self.calls_per_round;
        self.calls_begun = calls.end;
        let now = self.engine.engine().clock().now();
        let mut begun = load::begin(&self.sender, self.seed, calls, now);
        self.drivers.spawn(async move {
            while let Some(done) = begun.join_next().await {
                done?;
            }
            Ok(())
        });
        let asked = self.placed_begun..self.placed_begun + self.placed_per_round;
        self.placed_begun = asked.end;
        let mut asking = self.asker().begin(asked);
        self.drivers.spawn(async move {
            while let Some(done) = asking.join_next().await {
                done?;
            }
            Ok(())
        });
        let mut flips = JoinSet::new();
        if round.servers() > 1 {
            let (sender, token) = (self.sender.clone(), self.token.clone());
            let flipped = Arc::clone(&self.flips);
            flips.spawn(async move { flipped.flip(&sender, &token).await });
        }
        flips
    }

    /// Cuts and kills; answers when the kill struck, and how.
    async fn strike(
        &mut self,
        round: &Round,
        cluster: &Cluster,
        began: Instant,
    ) -> anyhow::Result<(Instant, &'static str)> {
        let mut cuts = round.cuts.clone();
        cuts.sort_by_key(|(at, ..)| *at);
        for (at, line, cut) in cuts.into_iter().filter(|(at, ..)| *at < round.at) {
            sleep_until(began + at).await;
            self.fleet.line(line).cut_next(cut);
        }
        sleep_until(began + round.at).await;
        match round.fault {
            Fault::Server | Fault::Pair => {
                let (struck, _) = self.fleet.kill(round.whom, Duration::ZERO).await?;
                Ok((struck, "killed"))
            }
            Fault::Stop => {
                self.fleet.ask_to_stop(round.whom)?;
                let (struck, _) = self.fleet.kill(round.whom, round.lasts).await?;
                Ok((struck, "killed while it stopped"))
            }
            Fault::Pause => {
                self.fleet.hold(round.whom, round.lasts).await?;
                Ok((Instant::now(), "held and let go"))
            }
            Fault::Failpoint => {
                let grace = load::BURST + FAILPOINT_PATIENCE;
                Ok(match self.fleet.kill(0, grace).await? {
                    (struck, true) => (struck, "never got there, killed"),
                    (struck, false) => (struck, "ended there"),
                })
            }
            Fault::Postmaster | Fault::Database => {
                let is_kill = round.fault == Fault::Postmaster;
                let struck = Instant::now();
                cluster.strike(if is_kill { Signal::SIGKILL } else { Signal::SIGQUIT })?;
                Ok((struck, "postgresql killed"))
            }
        }
    }

    /// Brings back what was broken; answers how long after the strike it worked again.
    async fn back(&mut self, round: &Round, struck: Instant) -> anyhow::Result<Duration> {
        let is_gone = !matches!(round.fault, Fault::Postmaster | Fault::Database | Fault::Pause);
        if is_gone {
            self.fleet.start(round.whom, None).await?;
        }
        self.fleet.back(round.whom, struck).await
    }

    /// Waits until all calls that were begun are told.
    pub async fn told(&mut self) -> anyhow::Result<()> {
        while let Some(done) = self.drivers.join_next().await {
            done??;
        }
        anyhow::ensure!(self.onlookers.try_join_next().is_none(), "an onlooker came to an end");
        Ok(())
    }

    /// Waits for the calls of the round, and for the flips.
    async fn finish(&mut self, mut flips: JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
        // What takes longer goes on beside the next round.
        if let Ok(done) = timeout(ROUND_PATIENCE, self.told()).await {
            done?;
        }
        while let Some(flipped) = flips.join_next().await {
            flipped??;
        }
        for slot in 0..2 {
            self.fleet.line(slot).disarm();
        }
        // The duties of the servers look again every second.
        sleep(Duration::from_millis(300)).await;
        Ok(())
    }
}
