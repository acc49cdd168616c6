//! A server with a home of its own, and the loads it is given.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use chrono::TimeDelta;
use secrecy::SecretString;
use serde_json::Value;
use simulations::load::{DUPLICATES, LoadReport, LoadSettings, Pace, REORDER, Story, WebhookLoad};
use simulations::product::{
    Api, Database, Keys, Role, Server, ServerPlan, Storage, WorldTime, free_address, migrate,
};
use tokio::time::Instant;
use uuid::Uuid;

use super::meter::{Meter, Usage};
use super::{Bench, say};

/// Connections of a closed loop.
pub(super) const CONNECTIONS: usize = 64;
/// How long a server may take to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(40);
/// How long actors may take to come or to go.
const ACTORS_PATIENCE: Duration = Duration::from_secs(180);
/// How often they are counted.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a token is good for: a simulated clock may run fast.
const TOKEN_DAYS: i64 = 3_650;
/// Who asks.
const ADMIN: Uuid = Uuid::from_u128(0xbe);

/// Which program serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// The product.
    Server,
    /// The product, built to make a mistake that its environment names.
    Planted { planted: PathBuf, environment: Vec<(&'static str, String)> },
    /// The product's route without its journal.
    Unwritten,
}

/// A server under way. It ends with this value, its database and its files too.
pub(super) struct House {
    plan: ServerPlan,
    home: PathBuf,
    server: Option<Server>,
    api: Api,
    token: String,
}

/// One load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shot {
    pub pace: Pace,
    pub story: Story,
    pub connections: usize,
    /// As many calls as there is time for, when absent.
    pub calls: Option<u64>,
    pub time_max: Option<Duration>,
}

/// What a load came to.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub report: LoadReport,
    pub usage: Usage,
}

/// Who is loaded.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// A URL.
    pub url: String,
    pub secret: String,
    /// The processes whose trees it consists of.
    pub processes: Vec<i32>,
}

impl Shot {
    /// A closed loop for some time.
    pub(super) fn closed(time_max: Duration) -> Self {
        Self {
            pace: Pace::Max,
            story: Story::Whole,
            connections: CONNECTIONS,
            calls: None,
            time_max: Some(time_max),
        }
    }

    /// So many calls that never end.
    pub(super) fn talking(calls: u64) -> Self {
        let closed = Self::closed(Duration::ZERO);
        Self { story: Story::Talking, calls: Some(calls), time_max: None, ..closed }
    }

    /// Sends it all, and measures what it costs.
    pub(super) async fn at(self, bench: &mut Bench, target: &Target) -> anyhow::Result<Measured> {
        let is_whole = self.story == Story::Whole;
        let load = WebhookLoad::new(LoadSettings {
            target: target.url.parse()?,
            secret: SecretString::from(target.secret.as_str()),
            calls: self.calls.unwrap_or(u64::MAX),
            pace: self.pace,
            connections: self.connections,
            calls_per_connection: 1,
            duplicates: if is_whole { DUPLICATES } else { simulations::Rate::NEVER },
            reorder: if is_whole { REORDER } else { simulations::Rate::NEVER },
            seed: bench.next_seed(),
            with_application: false,
            story: self.story,
            time_max: self.time_max,
        })?;
        let meter = Meter::start(&target.processes, &bench.databases())?;
        let report = load.run().await?;
        let measured = Measured { report, usage: meter.stop()? };
        ensure!(measured.report.ok > 0, "no webhook was taken: {:?}", measured.report);
        Ok(measured)
    }
}

impl Measured {
    /// Returns CPU seconds a thousand webhooks.
    pub(super) fn cpu_per_1000(&self) -> f64 {
        self.usage.cpu_s * 1_000.0 / self.report.ok as f64
    }

    /// Says what was not answered as it should be.
    pub(super) fn note(&self) -> Option<String> {
        let refused: u64 = self.report.other_statuses.values().sum();
        let lost = refused + self.report.errors;
        (lost > 0).then(|| format!("{lost} of {} were not taken", self.report.sent))
    }
}

impl House {
    /// Makes a home and starts a server in it.
    pub(super) async fn open(
        bench: &Bench,
        name: &str,
        program: Program,
        time: Option<WorldTime>,
    ) -> anyhow::Result<Self> {
        say(format!("opening the house \"{name}\""));
        let folder = bench.folder.path().join(name);
        std::fs::create_dir(&folder)?;
        let (home, keys) = (folder.join("home"), Keys::draw());
        let plan = ServerPlan {
            binary: match &program {
                Program::Server => bench.server_bin.clone(),
                Program::Planted { planted, .. } => planted.clone(),
                Program::Unwritten => bench.own_bin.clone(),
            },
            listen: free_address(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?,
            storage: Storage::Home(home.clone()),
            engine_url: String::new(),
            keys,
            time,
            log_file: folder.join("server.log"),
            log: "info,sqlx=warn".to_owned(), // The product's own default.
            environment: match &program {
                Program::Planted { environment, .. } => environment.clone(),
                Program::Server | Program::Unwritten => Vec::new(),
            },
        };
        let expires = bench.clock.now() + TimeDelta::days(TOKEN_DAYS);
        let token = plan.keys.token(Role::Admin, ADMIN, expires)?;
        let api = Api::new(format!("http://{}", plan.listen), Some(token.clone()))?;
        let mut house = Self { plan, home, server: None, api, token };
        if program != Program::Unwritten {
            migrate(&house.plan).await?;
        }
        house.server = Some(Server::start(&house.plan).await?);
        Ok(house)
    }

    pub(super) fn target(&self) -> Target {
        let database = Database::of(&self.home).postmaster();
        Target {
            url: self.base(),
            secret: self.plan.keys.webhook_secret.clone(),
            processes: self.pid().into_iter().chain(database).collect(),
        }
    }

    pub(super) fn base(&self) -> String {
        format!("http://{}", self.plan.listen)
    }

    pub(super) fn api(&self) -> &Api {
        &self.api
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Returns the server's process.
    pub(super) fn pid(&self) -> Option<i32> {
        self.server.as_ref().map(Server::pid)
    }

    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// Kills the server, starts it again and has a webhook answered; answers how long that took.
    pub(super) async fn restart(&mut self, bench: &mut Bench) -> anyhow::Result<Duration> {
        let mut server = self.server.take().context("no server runs")?;
        server.kill()?;
        server.wait().await?;
        let began = Instant::now();
        self.server = Some(Server::start(&self.plan).await?);
        Shot { connections: 1, ..Shot::talking(1) }.at(bench, &self.target()).await?;
        Ok(began.elapsed())
    }

    /// Waits until so many interviews are live, or no more than so many.
    pub(super) async fn wait_for_live(&self, wanted: impl Fn(u64) -> bool) -> anyhow::Result<u64> {
        let began = Instant::now();
        loop {
            let live = self.live().await?;
            if wanted(live) {
                return Ok(live);
            }
            ensure!(began.elapsed() < ACTORS_PATIENCE, "{live} interviews are live, still");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Counts the interviews that are live.
    pub(super) async fn live(&self) -> anyhow::Result<u64> {
        let tree: Value = self.api.get("/api/v1/tree").await?;
        let kinds = tree["data"]["kinds"].as_array().context("the tree has no kinds")?;
        let interviews = kinds.iter().find(|kind| kind["kind"] == "interview");
        interviews.and_then(|kind| kind["live"].as_u64()).context("the tree has no interviews")
    }

    /// Stops everything in order.
    pub(super) async fn close(mut self) -> anyhow::Result<()> {
        if let Some(server) = self.server.take() {
            let status = server.stop(STOP_PATIENCE).await?;
            ensure!(status.success(), "a server ended with {status}:\n{}", self.plan.log_end());
        }
        Ok(())
    }
}

impl Drop for House {
    fn drop(&mut self) {
        drop(self.server.take());
        Database::of(&self.home).remove();
    }
}
