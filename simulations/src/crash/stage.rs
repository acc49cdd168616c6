//! Everything that stands while things are broken: engine, servers, lines, drivers, onlookers.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use super::Settings;
use super::cluster::Cluster;
use super::findings::Findings;
use super::fleet::Fleet;
use super::flips::Flips;
use super::history::History;
use super::line::Line;
use super::placed::{Asker, Placed};
use super::relay::Relay;
use super::sender::Sender;
use super::watch::{self, Transcript};
use super::world;
use crate::cast::{self, Candidate};
use crate::engine::EngineHandle;
use crate::product::{Api, Keys, Role, ServerPlan, Storage, WorldTime, free_address, migrate};

/// Who asks.
const ADMIN: Uuid = Uuid::from_u128(0xad);
/// About how long a round takes, in real time: the candidates' first calls are spread over all rounds.
const ROUND_LENGTH: Duration = Duration::from_secs(5);
/// A run that is shorter than this waits before its first round until the first retries are due.
const SHORT_RUN: Duration = Duration::from_secs(60);
/// How long after a call that came to nothing the next one is due, in simulated time.
const RETRY_AFTER: Duration = Duration::from_secs(4 * 3_600);

/// All of it.
pub(super) struct Stage {
    pub fleet: Fleet,
    pub engine: EngineHandle,
    pub sender: Sender,
    pub flips: Arc<Flips>,
    pub findings: Arc<Findings>,
    pub transcript: Arc<Transcript>,
    pub cast: Vec<Candidate>,
    pub token: String,
    pub calls_begun: u64,
    pub calls_per_round: u64,
    pub placed: Arc<Placed>,
    pub placed_begun: u64,
    pub placed_per_round: u64,
    pub seed: u64,
    pub kills: u32,
    pub pauses: u32,
    pub backs: Vec<Duration>,
    /// Calls that are still told of.
    pub drivers: JoinSet<anyhow::Result<()>>,
    pub onlookers: JoinSet<()>,
    warms_up: Duration,
    _relay: Relay,
}

impl Stage {
    /// Starts everything; one server is up afterwards, and the first calls are arranged.
    pub async fn build(settings: &Settings, cluster: &Cluster) -> anyhow::Result<Self> {
        let keys = Keys::draw();
        let listen = [free().await?, free().await?];
        let history = Arc::new(History::create(&settings.folder.join("history.jsonl"))?);
        let bases = listen.map(|address| format!("http://{address}"));
        let sender = Sender::new(&keys.webhook_secret, bases, history)?;
        let relay = Relay::start(sender.clone()).await?;
        let engine = world::engine(settings.seed, settings.speed, &keys, &relay.url).await?;
        let mut plans = Vec::new();
        for (number, listen) in listen.into_iter().enumerate() {
            let line = Line::open(&cluster.sockets())?;
            plans.push((plan(settings, &keys, number, listen, &line, &engine), line));
        }
        migrate(&plans[0].0).await?;
        let mut fleet = Fleet::new(plans, sender.clone());
        fleet.want(1).await?;
        let expires = world::morning() + TimeDelta::days(3_650);
        let mut stage = Self {
            token: keys.token(Role::Admin, ADMIN, expires)?,
            cast: world::cast(settings.seed, settings.candidates),
            calls_per_round: u64::from(settings.calls.div_ceil(settings.rounds.max(1))),
            placed: Arc::default(),
            placed_begun: 0,
            placed_per_round: u64::from(settings.placed.div_ceil(settings.rounds.max(1))),
            seed: settings.seed,
            fleet,
            engine,
            sender,
            flips: Arc::default(),
            findings: Arc::default(),
            transcript: Arc::default(),
            calls_begun: 0,
            kills: 0,
            pauses: 0,
            backs: Vec::new(),
            drivers: JoinSet::new(),
            onlookers: JoinSet::new(),
            warms_up: Duration::ZERO,
            _relay: relay,
        };
        stage.arrange(settings).await?;
        stage.look_on();
        Ok(stage)
    }

    /// Makes the candidates known, and has the engine call them: early enough for the retries to come
    /// due while things are broken.
    async fn arrange(&mut self, settings: &Settings) -> anyhow::Result<()> {
        if self.cast.is_empty() {
            return Ok(());
        }
        let api = Api::new(self.sender.base(0), Some(self.token.clone()))?;
        api.import(&cast::import_body(&self.cast)).await?;
        let clock = self.engine.engine().clock();
        let span = ROUND_LENGTH * settings.rounds;
        let begins = world::begins(clock.now(), span, settings.speed, self.cast.len());
        self.engine.engine().start_calls(cast::world(&self.cast, |position| begins[position]));
        if span < SHORT_RUN {
            self.warms_up = clock.real(RETRY_AFTER);
        }
        Ok(())
    }

    fn look_on(&mut self) {
        let (sender, token) = (self.sender.clone(), self.token.clone());
        let findings = Arc::clone(&self.findings);
        self.onlookers.spawn(watch::read(sender.clone(), token.clone(), Arc::clone(&findings)));
        let transcript = Arc::clone(&self.transcript);
        self.onlookers.spawn(watch::follow(sender, token, transcript, findings));
    }

    /// Returns whoever asks for calls.
    pub fn asker(&self) -> Asker {
        Asker {
            sender: self.sender.clone(),
            token: self.token.clone(),
            placed: Arc::clone(&self.placed),
            findings: Arc::clone(&self.findings),
            seed: self.seed,
        }
    }

    /// Waits until the first retries are due, where the rounds would be over before.
    pub async fn warm_up(&self) {
        sleep(self.warms_up).await;
    }
}

async fn free() -> anyhow::Result<SocketAddr> {
    free_address((Ipv4Addr::LOCALHOST, 0).into()).await
}

fn plan(
    settings: &Settings,
    keys: &Keys,
    number: usize,
    listen: SocketAddr,
    line: &Line,
    engine: &EngineHandle,
) -> ServerPlan {
    let clock = engine.engine().clock();
    let planted = settings.planted.iter().map(|name| ("PLANTED_DEFECT", name.clone()));
    ServerPlan {
        binary: settings.server_binary.clone(),
        listen,
        storage: Storage::Url(line.url("ringmaster", "ringmaster")),
        engine_url: engine.base_url().to_owned(),
        keys: keys.clone(),
        time: Some(WorldTime { anchor: clock.moment(), speed: clock.speed() }),
        log_file: settings.folder.join(format!("server-{number}.log")),
        log: "info".to_owned(),
        environment: planted.collect(),
    }
}
