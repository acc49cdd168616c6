//! The database is slow, silent, full, or lets nobody in: every webhook is answered in bounded time, no
//! 2xx is a lie, and afterwards all is well without anybody's help.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use persistence::embedded::{EmbeddedServer, Settings};
use persistence::examine::{Picture, Waiting};
use persistence::{Database, Limits};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulations::crash::Line;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::harness::{Setup, World, eventually, webhook_url};

/// How long a webhook may wait for its answer, whatever the database does: 3 s to learn whose it is,
/// 2.5 s for the actor, 3 s for the inbox, and a margin.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How long a question to the API may wait; the longest is the server's own bound of a request.
const QUESTION_MAX: Duration = Duration::from_secs(32);
/// How long the server may take until it is as before, once the database is.
const RECOVERS_WITHIN: Duration = Duration::from_secs(20);
/// The same where the database has to come back from a crash first.
const RESTARTS_WITHIN: Duration = Duration::from_secs(60);
/// How long a parked report may take until it is applied: who took it may have died over it, and it comes
/// again after 30 s.
const APPLIED_WITHIN: Duration = Duration::from_secs(45);
/// Webhooks on their way at once.
const WAVE: usize = 40;
/// How many reports there are of each call.
const REPORTS: usize = 3;

/// A server that reaches its database over a line of ours, and what it was told.
struct House {
    world: World,
    line: Arc<Line>,
    database: EmbeddedServer,
    /// The way to the database that nothing happens to.
    direct: Database,
    http: reqwest::Client,
    told: usize,
    taken: BTreeSet<String>,
    refused: BTreeMap<String, Value>,
    turns: usize,
    _home: Option<TempDir>,
}

/// What one webhook came to.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    retry_after: Option<String>,
    body: Value,
    took: Duration,
}

impl House {
    async fn open() -> Self {
        let home =
            tempfile::Builder::new().prefix("outage-").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        let home = home.unwrap();
        let cluster = home.path().join("home");
        Self::on(&cluster, Some(home)).await
    }

    async fn on(cluster: &Path, home: Option<TempDir>) -> Self {
        let settings = Settings { home: cluster.to_owned(), pg_bin: None };
        let database = EmbeddedServer::start(settings).await.unwrap();
        let options = database.connect_options();
        let sockets = options.get_socket().cloned();
        let sockets = sockets.unwrap_or_else(|| options.get_host().into());
        let line = Arc::new(Line::open(&sockets).unwrap());
        let url = line.url("ringmaster", "ringmaster");
        let setup = Setup { database: Some(url), speed: 1.0, ..Setup::default() };
        let world = World::with(setup).await;
        let direct = Database::new(options, Limits { readers: 1, store: 1 });
        let http = reqwest::Client::builder().no_proxy().timeout(QUESTION_MAX).build().unwrap();
        let (taken, refused) = (BTreeSet::new(), BTreeMap::new());
        Self { world, line, database, direct, http, told: 0, taken, refused, turns: 1, _home: home }
    }

    /// Makes up the next report: what is told of one call follows closely, also at the same moment.
    fn next_report(&mut self) -> (String, Value) {
        let (call, part) = (self.told / REPORTS, self.told % REPORTS);
        let name = format!("evt_{}", self.told);
        self.told += 1;
        let status = ["ringing", "in-progress", "ended"][part];
        let turn = json!({"role": "user", "message": "Well, let me think about that. ".repeat(40)});
        let mut body = json!({"eventId": name, "callId": format!("call_{call}"), "status": status});
        if status == "ended" {
            body["messages"] = Value::Array(vec![turn; self.turns]);
        }
        (name, body)
    }

    async fn push(&self, body: &Value) -> Answer {
        let (began, secret) = (Instant::now(), &self.world.plan.keys.webhook_secret);
        let url = webhook_url(self.world.plan.listen);
        let request = self.http.post(url).header("x-webhook-secret", secret).json(body);
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.json().await.expect("a whole answer");
        let retry_after =
            headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        Answer { status, retry_after, body, took: began.elapsed() }
    }

    /// Pushes reports, all at once; each is taken, or refused as agreed.
    async fn wave(&mut self, count: usize) -> Vec<Answer> {
        let reports: Vec<_> = (0..count).map(|_| self.next_report()).collect();
        self.send(reports).await
    }

    async fn send(&mut self, reports: Vec<(String, Value)>) -> Vec<Answer> {
        let pushes = reports.iter().map(|(_, body)| self.push(body));
        let answers = join_all(pushes).await;
        for (answer, (name, body)) in answers.iter().zip(reports) {
            assert!(answer.took < ANSWER_MAX, "{answer:?}");
            if answer.status.is_success() {
                self.refused.remove(&name);
                self.taken.insert(name);
            } else {
                is_refused_as_agreed(answer);
                self.refused.insert(name, body);
            }
        }
        answers
    }

    /// Pushes waves until one of them is not taken whole; answers that one.
    async fn until_refused(&mut self, limit: Duration) -> Vec<Answer> {
        let began = Instant::now();
        loop {
            let answers = self.wave(WAVE).await;
            if answers.iter().any(|answer| !answer.status.is_success()) {
                return answers;
            }
            assert!(began.elapsed() < limit, "everything was taken for {limit:?}");
        }
    }

    /// Waits until reports are decided at once again, and everything else works too.
    async fn recovers(&mut self, limit: Duration) {
        let began = Instant::now();
        loop {
            let answers = self.wave(WAVE).await;
            let is_decided = |a: &Answer| a.status.is_success() && a.body["parked"].is_null();
            if answers.iter().all(is_decided) {
                break;
            }
            assert!(began.elapsed() < limit, "after {limit:?} still: {:?}", answers.last());
        }
        let api = self.world.api.clone();
        for path in ["/readyz", "/api/voice-interviews", "/api/v1/tree", "/api/v1/dialing"] {
            eventually(limit, path, async || {
                let answer = api.send(Method::GET, path, None).await;
                answer.is_ok_and(|(status, _)| status == StatusCode::OK).then_some(())
            })
            .await;
        }
    }

    /// Asks a question of the API, which answers or says in time that it cannot.
    async fn question(&self, path: &str) -> StatusCode {
        let began = Instant::now();
        let request = self.http.get(format!("{}{path}", self.world.base()));
        let token = self.world.token(simulations::product::Role::Admin, crate::harness::ADMIN);
        let answer = request.bearer_auth(token).send().await.expect("an answer");
        assert!(began.elapsed() < QUESTION_MAX, "{path}: {:?}", began.elapsed());
        let status = answer.status();
        assert!(
            status.is_success() || status == StatusCode::SERVICE_UNAVAILABLE,
            "{path}: {status}"
        );
        status
    }

    /// Sends again what was refused, waits for what waits, and holds the answers against the tables.
    async fn settle_accounts(mut self) {
        let refused: Vec<_> = std::mem::take(&mut self.refused).into_iter().collect();
        for some in refused.chunks(WAVE) {
            let answers = self.send(some.to_vec()).await;
            assert!(answers.iter().all(|answer| answer.status.is_success()), "{answers:?}");
        }
        eventually(APPLIED_WITHIN, "what was parked is applied", async || {
            let waiting = Waiting::count(&self.direct).await.ok()?;
            (waiting.inbox == 0).then_some(())
        })
        .await;
        let picture = Picture::take(&self.direct).await.unwrap();
        let mut decided = BTreeMap::<String, Vec<String>>::new();
        for delivery in picture.deliveries {
            let body: Value = serde_json::from_slice(&delivery.raw.unwrap()).unwrap();
            let name = body["eventId"].as_str().unwrap().to_owned();
            decided.entry(name).or_default().push(delivery.verdict);
        }
        assert_eq!(self.taken.len(), self.told, "every report was taken in the end");
        for name in &self.taken {
            let verdicts = decided.get(name).unwrap_or_else(|| panic!("{name} is lost"));
            let moved = verdicts.iter().filter(|verdict| *verdict == "applied").count();
            assert!(moved <= 1, "{name} was applied twice: {verdicts:?}");
        }
        let moved = picture.facts.len();
        assert!(moved >= self.told / REPORTS, "each call moved: {moved}");
        self.direct.close().await;
        self.world.end().await;
        self.database.stop().await.unwrap();
    }
}

/// A refusal is a 503 with a stable code, and says when to come back.
fn is_refused_as_agreed(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    let code = answer.body["code"].as_str().unwrap_or_default();
    assert!(["journal_unavailable", "overloaded"].contains(&code), "{answer:?}");
    let seconds = answer.retry_after.as_deref().and_then(|seconds| seconds.parse::<u32>().ok());
    assert!(seconds.is_some_and(|seconds| seconds > 0), "{answer:?}");
    assert_eq!(answer.body["retryable"], true, "{answer:?}");
}

#[tokio::test]
async fn slow_database_makes_answers_slow_and_then_refusals_and_never_lies() {
    let mut house = House::open().await;
    house.recovers(RECOVERS_WITHIN).await;
    // A round trip of 100 ms, as to another continent.
    house.line.slow_down(Duration::from_millis(50));
    let answers = house.wave(WAVE).await;
    assert!(answers.iter().all(|answer| answer.status.is_success()), "{answers:?}");
    assert!(answers.iter().any(|answer| answer.took > Duration::from_millis(100)), "it was slow");
    // Slower than anybody waits for.
    house.line.slow_down(Duration::from_secs(4));
    house.until_refused(RECOVERS_WITHIN).await;
    house.question("/api/voice-interviews").await;
    house.line.slow_down(Duration::ZERO);
    house.recovers(RECOVERS_WITHIN).await;
    house.settle_accounts().await;
}

#[tokio::test]
async fn silent_database_is_refusals_in_bounded_time_and_nothing_is_lost() {
    let mut house = House::open().await;
    house.recovers(RECOVERS_WITHIN).await;
    for _ in 0..3 {
        house.line.stall(true);
        let answers = house.wave(WAVE).await;
        assert!(answers.iter().all(|answer| !answer.status.is_success()), "{answers:?}");
        let api = ["/api/voice-interviews", "/api/voice-interviews/stats"];
        let asked = join_all(api.map(|path| house.question(path))).await;
        assert!(asked.iter().all(|status| *status == StatusCode::SERVICE_UNAVAILABLE), "{asked:?}");
        eventually(RECOVERS_WITHIN, "readiness tells of it", async || {
            let status = house.question("/readyz").await;
            (status == StatusCode::SERVICE_UNAVAILABLE).then_some(())
        })
        .await;
        assert_eq!(house.question("/livez").await, StatusCode::OK);
        house.line.stall(false);
        house.recovers(RECOVERS_WITHIN).await;
    }
    house.settle_accounts().await;
}

#[tokio::test]
async fn connections_that_die_without_a_word_are_replaced() {
    let mut house = House::open().await;
    house.recovers(RECOVERS_WITHIN).await;
    for _ in 0..2 {
        // Whatever is on its way at that moment is on its way for ever.
        let reports: Vec<_> = (0..WAVE).map(|_| house.next_report()).collect();
        let line = Arc::clone(&house.line);
        let (_, ()) = tokio::join!(house.send(reports), async { line.forget() });
        house.line.forget();
        house.recovers(RECOVERS_WITHIN).await;
    }
    house.settle_accounts().await;
}

#[tokio::test]
async fn database_that_lets_nobody_in_is_refusals_until_it_does() {
    let mut house = House::open().await;
    house.recovers(RECOVERS_WITHIN).await;
    let mut crowd = Vec::new();
    let began = Instant::now();
    let answers = loop {
        // The server's own connections are closed; the crowd takes every place that becomes free.
        house.line.hang_up();
        while let Ok(one) = house.direct.login().await {
            crowd.push(one);
        }
        let answers = house.wave(WAVE).await;
        if answers.iter().all(|answer| !answer.status.is_success()) {
            break answers;
        }
        assert!(
            began.elapsed() < RESTARTS_WITHIN,
            "something is still taken: {:?}",
            answers.last()
        );
    };
    assert!(!crowd.is_empty() && !answers.is_empty());
    drop(crowd);
    house.recovers(RECOVERS_WITHIN).await;
    house.settle_accounts().await;
}

/// A small file system in memory.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts it; nothing where that is not allowed.
    fn mount(size: &str) -> Option<Self> {
        // The account that runs the database has to reach it, so not below the build's folder.
        let folder = tempfile::Builder::new()
            .prefix("ringmaster-full-")
            .permissions(Permissions::from_mode(0o755))
            .tempdir()
            .unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=0755"), "ringmaster-test"])
            .arg(folder.path())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self { folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills it to the last byte; removing the file that does so makes room again.
    fn fill(&self) -> PathBuf {
        let ballast = self.path().join("ballast");
        let mut file = std::fs::File::create(&ballast).unwrap();
        for chunk in [vec![0; 1 << 20], vec![0; 1 << 12]] {
            while file.write_all(&chunk).is_ok() {}
        }
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whatever still runs on it keeps it until its end.
        let _ended = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

#[tokio::test]
async fn full_disk_is_refusals_until_there_is_room_again() {
    let Some(disk) = SmallDisk::mount("256m") else {
        eprintln!("SKIPPED: a full disk cannot be tried: mounting a tmpfs needs root");
        assert!(std::env::var_os("REQUIRE_ALL").is_none(), "mounting a tmpfs needs root");
        return;
    };
    let mut house = House::on(&disk.path().join("home"), None).await;
    assert!(
        house.database.data_folder().starts_with(&disk.folder),
        "the data lie on the small disk"
    );
    house.recovers(RECOVERS_WITHIN).await;
    for _ in 0..2 {
        let ballast = disk.fill();
        // Long conversations, so that what was set aside for the log is soon used up.
        house.turns = 100;
        house.until_refused(RESTARTS_WITHIN).await;
        house.turns = 1;
        std::fs::remove_file(ballast).unwrap();
        house.recovers(RESTARTS_WITHIN).await;
    }
    house.settle_accounts().await;
}
