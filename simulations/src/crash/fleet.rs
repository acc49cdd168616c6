//! One server or two, on one database, each over a line of its own.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep, timeout};

use super::history::{Event, Outcome};
use super::line::Line;
use super::sender::Sender;
use crate::engine::CallStatus;
use crate::product::{Server, ServerPlan};

/// How long a server may take to stop when it is asked to.
const STOP_PATIENCE: Duration = Duration::from_secs(25);
/// How long a server that was killed may take until it takes webhooks again, its database included.
const BACK_PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two probes.
const PROBE_PAUSE: Duration = Duration::from_millis(15);

/// The servers.
pub(super) struct Fleet {
    slots: Vec<Slot>,
    sender: Sender,
    probes: u32,
}

struct Slot {
    plan: ServerPlan,
    server: Option<Server>,
    line: Line,
}

impl Fleet {
    pub fn new(plans: Vec<(ServerPlan, Line)>, sender: Sender) -> Self {
        let slot = |(plan, line)| Slot { plan, server: None, line };
        Self { slots: plans.into_iter().map(slot).collect(), sender, probes: 0 }
    }

    /// Starts or stops servers until `count` are up.
    pub async fn want(&mut self, count: usize) -> anyhow::Result<()> {
        self.sender.set_up(count);
        for slot in 0..self.slots.len() {
            match (slot < count, self.slots[slot].server.is_some()) {
                (true, false) => self.start(slot, None).await?,
                (false, true) => self.stop(slot).await?,
                (true, true) | (false, false) => {}
            }
        }
        Ok(())
    }

    /// Starts a server, which ends at `failpoint` if one is given.
    pub async fn start(&mut self, slot: usize, failpoint: Option<&str>) -> anyhow::Result<()> {
        let slot = &mut self.slots[slot];
        let mut plan = slot.plan.clone();
        plan.environment.extend(failpoint.map(|place| ("FAILPOINTS", place.to_owned())));
        slot.server = Some(Server::start(&plan).await?);
        Ok(())
    }

    /// Stops a server in order.
    pub async fn stop(&mut self, slot: usize) -> anyhow::Result<()> {
        if let Some(server) = self.slots[slot].server.take() {
            let status = server.stop(STOP_PATIENCE).await?;
            anyhow::ensure!(status.success(), "a server that was asked to stop ended: {status}");
        }
        Ok(())
    }

    /// Kills a server, unless it ended by itself within `grace`; answers when it was gone, and whether
    /// it had to be killed.
    pub async fn kill(&mut self, slot: usize, grace: Duration) -> anyhow::Result<(Instant, bool)> {
        let Some(mut server) = self.slots[slot].server.take() else {
            anyhow::bail!("server {slot} is not up");
        };
        if timeout(grace, server.wait()).await.is_ok() {
            return Ok((Instant::now(), false));
        }
        let struck = Instant::now();
        server.kill()?;
        server.wait().await?;
        Ok((struck, true))
    }

    /// Asks a server to stop, and does not wait for it.
    pub fn ask_to_stop(&self, slot: usize) -> anyhow::Result<()> {
        self.slots[slot].server.as_ref().context("it is not up")?.terminate()
    }

    /// Holds a server for a while: nothing of it moves, and it does not notice.
    pub async fn hold(&self, slot: usize, lasts: Duration) -> anyhow::Result<()> {
        let server = self.slots[slot].server.as_ref().context("it is not up")?;
        let pid = Pid::from_raw(server.pid());
        kill(pid, Signal::SIGSTOP)?;
        sleep(lasts).await;
        Ok(kill(pid, Signal::SIGCONT)?)
    }

    /// Returns the line of a server.
    pub fn line(&self, slot: usize) -> &Line {
        &self.slots[slot].line
    }

    /// Returns how many cuts were made on all lines.
    pub fn cuts(&self) -> u32 {
        self.slots.iter().map(|slot| slot.line.cuts()).sum()
    }

    /// Returns the log files.
    pub fn logs(&self) -> impl Iterator<Item = &Path> {
        self.slots.iter().map(|slot| slot.plan.log_file.as_path())
    }

    /// Names servers that are meant to be up and are not.
    pub fn missing(&mut self) -> Vec<usize> {
        let mut missing = Vec::new();
        for (number, slot) in self.slots.iter_mut().enumerate() {
            let ended = |server: &mut Server| server.has_ended().unwrap_or(true);
            if slot.server.as_mut().is_some_and(ended) {
                slot.server = None;
                missing.push(number);
            }
        }
        missing
    }

    /// Tells a server of a call, again and again, until it takes that; answers how long after
    /// `struck` it did.
    pub async fn back(&mut self, slot: usize, struck: Instant) -> anyhow::Result<Duration> {
        self.probes += 1;
        let event = probe(self.probes);
        while struck.elapsed() < BACK_PATIENCE {
            if matches!(self.sender.push(&event, slot).await, Outcome::Ok { .. }) {
                return Ok(struck.elapsed());
            }
            sleep(PROBE_PAUSE).await;
        }
        let log = self.slots[slot].plan.log_end();
        anyhow::bail!("server {slot} does not come back within {BACK_PATIENCE:?}:\n{log}")
    }
}

fn probe(number: u32) -> Event {
    let (id, call_id) = (format!("evt_probe_{number}"), format!("call_probe_{number}"));
    let body = serde_json::json!({
        "eventId": id, "callId": call_id, "status": "failed", "provider": "vapi",
        "phoneNumber": "+910000099999", "failureReason": "busy",
    });
    let (status, body) = (CallStatus::Failed, body.to_string().into());
    Event { id, call_id, status, transcript_chars: 0, body }
}
