//! A server and an engine of a test's own, and waiting with a deadline.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use persistence::embedded::{EmbeddedServer, Settings};
use secrecy::SecretString;
use serde_json::{Value, json};
use simulations::cast::{self, Candidate};
use simulations::clock::Speed;
use simulations::engine::{EngineHandle, EngineSettings, Faults};
use simulations::product::{
    Api, Database, Keys, Role, Server, ServerPlan, Storage, WorldTime, built_binary, free_address,
    migrate,
};
use tempfile::TempDir;
use tokio::time::Instant;
use uuid::Uuid;

/// How fast simulated time passes: four hours until a retry take 24 s.
///
/// The product's shortest limit is the 10 simulated seconds in which a dial must leave after it was
/// decided: 17 real ms, which commit and request keep most of the time, debug build and full disk
/// included. A dial that misses it is put off by seconds, never lost. The next longer limits (60 s
/// to settle, 5 minutes of ringing) are 100 ms and more.
pub const SPEED: f64 = 600.0;
/// How long anything awaited may take, unless it waits for a retry.
pub const SOON: Duration = Duration::from_secs(30);
/// How long something may take that waits for a retry.
pub const AFTER_RETRIES: Duration = Duration::from_secs(100);
/// Who asks.
pub const ADMIN: Uuid = Uuid::from_u128(0xad);

/// How much of a log's line is shown, in bytes.
const LINE_SHOWN: usize = 300;
/// How often what is awaited is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long before the first call the simulated clock starts, in real time.
const LEAD: Duration = Duration::from_secs(1);

/// When the first calls begin: 09:00 in India.
pub fn morning() -> DateTime<Utc> {
    "2027-03-01T03:30:00Z".parse().unwrap()
}

/// Waits until `look` finds something.
pub async fn eventually<T>(
    limit: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < limit, "waited {limit:?} in vain: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A folder below `target/` with everything a test writes; what still runs in it ends with it.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        let folder =
            tempfile::Builder::new().prefix("product-").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        Self(folder.unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            show_logs(self.path());
        }
        for home in ["home", "demo/server"] {
            Database::of(&self.join(home)).remove();
        }
    }
}

/// Shows the ends of the logs in a folder, and of those one below it.
fn show_logs(folder: &Path) {
    let below = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let files = below(folder).flat_map(|entry| {
        let path = entry.path();
        let inner: Vec<_> = below(&path).map(|entry| entry.path()).collect();
        std::iter::once(path).chain(inner)
    });
    for log in files.filter(|path| path.extension().is_some_and(|ending| ending == "log")) {
        let text = fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        eprintln!("--- the end of {}", log.display());
        for line in &lines[lines.len().saturating_sub(60)..] {
            eprintln!("{}", line.get(..LINE_SHOWN).unwrap_or(line));
        }
    }
}

/// How a world is set up.
pub struct Setup {
    pub faults: Faults,
    /// Where the data are; in an own database when absent.
    pub database: Option<String>,
    /// Where the engine's webhooks go; to the server when absent.
    pub webhooks: Option<String>,
    pub speed: f64,
    /// What the server finds in its environment.
    pub environment: Vec<(&'static str, String)>,
}

impl Default for Setup {
    fn default() -> Self {
        let (faults, environment) = (Faults::default(), Vec::new());
        Self { faults, database: None, webhooks: None, speed: SPEED, environment }
    }
}

/// An engine, a server, and a client that may do everything.
pub struct World {
    pub engine: EngineHandle,
    pub plan: ServerPlan,
    pub server: Option<Server>,
    pub api: Api,
    pub folder: Folder,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    /// Prepares the database, then starts engine and server.
    pub async fn with(setup: Setup) -> Self {
        let folder = Folder::new();
        let mut plan = plan(&folder, setup.database).await;
        plan.environment = setup.environment;
        migrate(&plan).await.unwrap();
        let speed = Speed::new(setup.speed).unwrap();
        let webhooks = setup.webhooks.unwrap_or_else(|| webhook_url(plan.listen));
        let engine = simulations::engine::Engine::start(EngineSettings {
            seed: 7,
            speed,
            simulated_start: Some(morning() - LEAD.mul_f64(setup.speed)),
            webhook_url: Some(webhooks),
            webhook_secret: Some(SecretString::from(plan.keys.webhook_secret.as_str())),
            internal_token: SecretString::from(plan.keys.service_token.as_str()),
            faults: setup.faults,
            ..EngineSettings::default()
        });
        let engine = engine.await.unwrap();
        plan.engine_url = engine.base_url().to_owned();
        plan.time = Some(WorldTime { anchor: engine.engine().clock().moment(), speed });
        let server = Some(Server::start(&plan).await.unwrap());
        let api = Api::new(base(&plan), Some(token(&plan.keys, Role::Admin, ADMIN))).unwrap();
        Self { engine, plan, server, api, folder }
    }

    pub fn base(&self) -> String {
        base(&self.plan)
    }

    pub fn token(&self, role: Role, sub: Uuid) -> String {
        token(&self.plan.keys, role, sub)
    }

    /// Makes another tenant known; the same one twice is the same tenant.
    pub async fn know_tenant(&self, tenant: Uuid) {
        let superadmin = self.api.with_token(Some(self.token(Role::Superadmin, ADMIN)));
        let body = json!({"id": tenant, "name": "another"});
        superadmin.post("/api/v1/tenants", Some(&body)).await.unwrap();
    }

    /// Writes a token for somebody of another tenant, which must be known.
    pub fn token_in(&self, tenant: Uuid, role: Role, sub: Uuid) -> String {
        self.plan.keys.token_in(tenant, role, sub, expiry()).unwrap()
    }

    /// Tells the server of a call as the engine does; returns the interview's id.
    pub async fn tell(&self, report: &Value) -> Uuid {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let secret = &self.plan.keys.webhook_secret;
        let request = http.post(webhook_url(self.plan.listen)).header("x-webhook-secret", secret);
        let answer = request.json(report).send().await.unwrap();
        let answer: Value = answer.error_for_status().unwrap().json().await.unwrap();
        answer["id"].as_str().unwrap().parse().unwrap()
    }

    pub fn server(&mut self) -> &mut Server {
        self.server.as_mut().unwrap()
    }

    /// Starts the server again, after it ended.
    pub async fn start_again(&mut self) {
        self.server = Some(Server::start(&self.plan).await.unwrap());
    }

    /// Makes candidates known to the server, then has the engine call them, one after the other.
    pub async fn call(&self, cast: &[Candidate], gap: TimeDelta) {
        self.api.import(&cast::import_body(cast)).await.unwrap();
        let begins = morning().max(self.engine.engine().clock().now());
        let at = |position: usize| begins + gap * i32::try_from(position).unwrap();
        self.engine.engine().start_calls(cast::world(cast, at));
    }

    /// Waits until the engine has nothing more to tell.
    pub async fn told(&self) {
        eventually(SOON, "the engine has told everything", async || {
            let totals = self.engine.engine().totals();
            let open = totals.scheduled + totals.live + totals.unsettled;
            (open == 0 && totals.finished == totals.calls).then_some(())
        })
        .await;
    }

    /// Stops everything in order.
    pub async fn end(mut self) {
        let server = self.server.take().unwrap();
        assert!(server.stop(SOON).await.unwrap().success());
        self.engine.shutdown().await;
    }
}

/// Returns how the server of a test is started.
pub async fn plan(folder: &Folder, database: Option<String>) -> ServerPlan {
    let storage = match database {
        Some(url) => Storage::Url(url),
        None => Storage::Home(folder.join("home")),
    };
    ServerPlan {
        binary: server_binary(),
        listen: free_address(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap(),
        storage,
        engine_url: String::new(),
        keys: Keys::draw(),
        time: None,
        log_file: folder.join("server.log"),
        log: "info".to_owned(),
        environment: Vec::new(),
    }
}

pub fn server_binary() -> PathBuf {
    built_binary(Path::new(env!("CARGO_BIN_EXE_ringmaster-sim"))).unwrap()
}

pub fn base(plan: &ServerPlan) -> String {
    format!("http://{}", plan.listen)
}

pub fn webhook_url(listen: SocketAddr) -> String {
    format!("http://{listen}/api/voice-interviews/webhook")
}

/// Writes a token that outlives every simulated year of these tests.
pub fn token(keys: &Keys, role: Role, sub: Uuid) -> String {
    keys.token(role, sub, expiry()).unwrap()
}

fn expiry() -> DateTime<Utc> {
    morning() + TimeDelta::days(3_650)
}

/// Starts a database beside the servers, which several of them may use, or a test; returns its URL too.
pub async fn own_database(folder: &Folder) -> (EmbeddedServer, String) {
    let home = folder.join("home");
    let database = EmbeddedServer::start(Settings { home, pg_bin: None }).await.unwrap();
    let options = database.connect_options();
    let socket = options.get_socket().map(|path| path.display().to_string());
    let socket = socket.unwrap_or_else(|| options.get_host().to_owned());
    let url = format!("postgres://ringmaster@localhost/ringmaster?host={socket}");
    (database, url)
}

/// The body of a webhook about a call that ended.
pub fn ended(call_id: &str) -> Value {
    json!({
        "eventId": format!("evt_{call_id}"), "callId": call_id, "status": "ended",
        "provider": "vapi", "phoneNumber": "+910000000001", "candidateName": "Asha Rao",
        "duration": 12.5, "messages": [{"role": "user", "message": "Hello?", "sequenceOrder": 0}],
    })
}
