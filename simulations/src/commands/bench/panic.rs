//! A panic planted in one entity's decision: what the others notice of it, and what becomes of it.

use std::time::Duration;

use anyhow::{Context, ensure};
use domain::ports::Facts;
use domain::{EntityId, EntityKey, Kind, MR_HIRE, TenantId};
use persistence::{Database, Limits, PgStore};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use simulations::load::Pace;
use simulations::product;
use tokio::time::{Instant, interval};

use super::house::{House, Measured, Program, Shot};
use super::table::{Row, median};
use super::{Bench, say};

/// Webhooks a second for all others.
const RATE: f64 = 1_000.0;
/// Connections of the open loop.
const CONNECTIONS: usize = 128;
/// How much slower the others may become, at the 99th percentile.
const P99_TARGET: f64 = 1.2;
/// The call whose decisions panic.
const CALL: &str = "call_that_panics";
/// What is told of it while it panics, at most, in each round; as many as an entity's queue holds.
const TOLD_MAX: u32 = 60;
/// Between two things that are told of it.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// How long it may take into quarantine, and out of it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the tree is asked.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The sick call, seen from outside.
struct Sick<'a> {
    house: &'a House,
    http: Client,
    id: EntityId,
    /// What was told of it.
    told: u32,
}

/// What became of it in one round.
struct Course {
    quarantined_after: Duration,
    released_after: Duration,
    waited: i64,
}

/// By turns without the panic and with it: a machine that stalls for a tenth of a second now and then
/// decides the 99th percentile of any one minute.
#[derive(Default)]
struct Rounds {
    before: Vec<Measured>,
    during: Vec<Measured>,
    courses: Vec<Course>,
}

/// Measures the others a while without the panic, and then as long with it, again and again.
pub(super) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let Some(planted) = bench.planted_bin.clone() else {
        say(
            "panic: NOT MEASURED, no server with planted mistakes was named (--planted-bin; scripts/bench)",
        );
        return Ok(());
    };
    let switch = bench.folder.path().join("panics");
    let environment = vec![
        ("PLANTED_DEFECT", "panic-over-one-call".to_owned()),
        ("PLANTED_CALL", CALL.to_owned()),
        ("PLANTED_WHILE", switch.display().to_string()),
    ];
    let house =
        House::open(bench, "panic", Program::Planted { planted, environment }, None).await?;
    let shot = Shot {
        pace: Pace::Rate(RATE),
        connections: CONNECTIONS,
        ..Shot::closed(bench.scale.panic)
    };
    let target = house.target();
    let mut sick = Sick::new(&house)?;
    ensure!(sick.tell().await? == "applied", "the call is well at first");
    Shot { time_max: Some(bench.scale.warm_up), ..shot }.at(bench, &target).await?;
    let mut rounds = Rounds::default();
    for round in 1..=bench.scale.rounds {
        say(format!(
            "panic, round {round}: {RATE} webhooks a second for {:?}, twice",
            bench.scale.panic
        ));
        rounds.before.push(shot.at(bench, &target).await?);
        std::fs::write(&switch, "")?;
        let told = sick.told;
        let (during, quarantined_after) =
            tokio::join!(shot.at(bench, &target), sick.panics(shot.time_max));
        let quarantined_after = quarantined_after?;
        rounds.during.push(during?);
        std::fs::remove_file(&switch)?;
        let (waited, released_after) = sick.is_released(told).await?;
        sick.was_told_in_order().await?;
        rounds.courses.push(Course { quarantined_after, released_after, waited });
    }
    house.close().await?;
    tabulate(bench, &rounds)
}

fn tabulate(bench: &mut Bench, rounds: &Rounds) -> anyhow::Result<()> {
    let Rounds { before, during, courses } = rounds;
    let (seconds, count) = (bench.scale.panic, courses.len());
    let name = |what: &str| {
        format!("panic in one of many, {RATE}/s for {seconds:?}, median of {count}: {what}")
    };
    let of = |rows: &[Measured], figure: fn(&Measured) -> f64| median(rows.iter().map(figure));
    let foreign =
        of(during, |with| with.usage.foreign).max(of(before, |without| without.usage.foreign));
    let p99: fn(&Measured) -> f64 = |measured| measured.report.latency_ms.p99;
    let p50: fn(&Measured) -> f64 = |measured| measured.report.latency_ms.p50;
    let beside = format!("as long before it; target: ratio {P99_TARGET} at most");
    let row = Row::new(name("p99 of the others"), of(during, p99), "ms").foreign(foreign);
    let note = during.iter().find_map(Measured::note);
    bench.table.add(row.against(beside, of(before, p99)).note(note))?;
    let row = Row::new(name("p50 of the others"), of(during, p50), "ms").foreign(foreign);
    bench.table.add(row.against("as long before it", of(before, p50)))?;
    let quarantined = median(courses.iter().map(|course| course.quarantined_after.as_secs_f64()));
    bench.table.add(Row::new(name("first panic to quarantine"), quarantined, "s"))?;
    let released = median(courses.iter().map(|course| course.released_after.as_secs_f64()));
    let waited: i64 = courses.iter().map(|course| course.waited).sum();
    let row = Row::new(name("release to all applied"), released, "s");
    bench.table.add(row.note(Some(format!("{waited} waited in all, applied in order"))))
}

impl<'a> Sick<'a> {
    fn new(house: &'a House) -> anyhow::Result<Self> {
        let id = EntityId::derived(TenantId::DEFAULT, MR_HIRE, CALL);
        Ok(Self { house, http: Client::builder().no_proxy().build()?, id, told: 0 })
    }

    /// Tells the next thing of it, each more than the one before; answers the verdict.
    async fn tell(&mut self) -> anyhow::Result<String> {
        self.told += 1;
        let turn = |number| json!({"role": "user", "message": format!("turn {number}")});
        let turns: Vec<Value> = (1..=self.told).map(turn).collect();
        let body = json!({
            "eventId": format!("evt_{}", self.told), "callId": CALL, "status": "in-progress",
            "messages": turns,
        });
        let target = self.house.target();
        let url = format!("{}/api/voice-interviews/webhook", target.url);
        let request = self.http.post(url).header("x-webhook-secret", target.secret).json(&body);
        let answer = request.send().await?;
        ensure!(answer.status() == StatusCode::OK, "the sick call's webhook: {}", answer.status());
        let answer: Value = answer.json().await?;
        let verdict = if answer["parked"] == true { "parked" } else { "applied" };
        Ok(verdict.to_owned())
    }

    /// Tells of it again and again; answers how long it took from the first panic into quarantine.
    async fn panics(&mut self, time: Option<Duration>) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let (mut pace, told_max) = (interval(TOLD_EVERY), self.told + TOLD_MAX);
        let mut quarantined_after = None;
        while self.told < told_max && began.elapsed() < time.unwrap_or_default() {
            pace.tick().await;
            ensure!(self.tell().await? == "parked", "a report was applied over a panic");
            if quarantined_after.is_none() {
                self.wait_for("it is in quarantine", |tree| tree.is_some()).await?;
                quarantined_after = Some(began.elapsed());
            }
        }
        quarantined_after.context("there was no time for a panic")
    }

    /// Lets it out; answers how much waited, and how long that took to be applied. It was told
    /// `applied` things before it panicked.
    async fn is_released(&self, applied: u32) -> anyhow::Result<(i64, Duration)> {
        let shown = self.in_quarantine().await?.context("the tree does not show it any more")?;
        let waited = shown["waiting"].as_i64().context("the tree does not say what waits")?;
        let told = i64::from(self.told - applied);
        ensure!(waited == told, "{waited} wait, {told} were told");
        let began = Instant::now();
        let path = format!("/api/v1/actors/interview/{}/release", self.id);
        let (status, body) = self.house.api().send(Method::POST, &path, None).await?;
        ensure!(status == StatusCode::OK, "it is not released: {body}");
        while self.facts().await?.len() < self.told as usize {
            ensure!(began.elapsed() < PATIENCE, "not all that waited is applied");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let took = began.elapsed();
        ensure!(self.in_quarantine().await?.is_none(), "it is in quarantine again");
        Ok((waited, took))
    }

    /// Each report told one turn more: what came out of order would have been refused.
    async fn was_told_in_order(&self) -> anyhow::Result<()> {
        let facts = self.facts().await?;
        ensure!(
            facts.len() == self.told as usize,
            "{} facts of {} reports",
            facts.len(),
            self.told
        );
        let path = format!("/api/voice-interviews/{}", self.id);
        let detail: Value = self.house.api().get(&path).await?;
        let turns = detail["data"]["messages"].as_array().map_or(0, Vec::len);
        ensure!(turns == self.told as usize, "{turns} turns of {} are kept", self.told);
        Ok(())
    }

    /// Returns what its log holds.
    async fn facts(&self) -> anyhow::Result<Vec<Value>> {
        let home = product::Database::of(self.house.home());
        let sockets = home.sockets().context("the home has no database")?.display();
        let url = format!("postgres://ringmaster@localhost/ringmaster?host={sockets}");
        let database = Database::at(&url, Limits { readers: 1, store: 1 })?;
        let key = EntityKey { kind: Kind::Interview, id: self.id };
        let facts = PgStore::new(database.clone()).of(key, 0, 2 * self.told).await?;
        database.close().await;
        facts.iter().map(|fact| Ok(serde_json::from_str(&fact.data)?)).collect()
    }

    /// Returns what the tree shows of it, if it is in quarantine.
    async fn in_quarantine(&self) -> anyhow::Result<Option<Value>> {
        let tree: Value = self.house.api().get("/api/v1/tree").await?;
        let shown = tree["data"]["quarantined"].as_array().context("the tree has no quarantine")?;
        Ok(shown.iter().find(|entity| entity["id"] == self.id.to_string()).cloned())
    }

    async fn wait_for(
        &self,
        what: &str,
        is_so: impl Fn(Option<Value>) -> bool,
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        while !is_so(self.in_quarantine().await?) {
            ensure!(began.elapsed() < PATIENCE, "waited in vain: {what}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}
