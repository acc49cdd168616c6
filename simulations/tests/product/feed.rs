//! The live feed: cut, resumed by number, and nothing missed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulations::cast::Candidate;
use simulations::engine::Faults;
use simulations::product::{Event, Feed, Frame, Role};
use tokio::time::timeout;
use uuid::Uuid;

use crate::harness::{ADMIN, SOON, Setup, World, ended, eventually};

/// A client that remembers how far it read.
struct Reader {
    token: String,
    base: String,
    epoch: Option<String>,
    events: Vec<Event>,
}

impl Reader {
    fn of(world: &World) -> Self {
        let token = world.token(Role::Admin, ADMIN);
        Self { token, base: world.base(), epoch: None, events: Vec::new() }
    }

    fn reached(&self) -> i64 {
        self.events.last().map_or(0, |event| event.seq)
    }

    /// Connects, goes on from where it was, and reads until `done` says so; then the connection is cut.
    async fn read(&mut self, mut done: impl FnMut(&Self, i64) -> bool) {
        let mut feed = Feed::open(&self.base, &self.token).await.unwrap();
        let epoch = self.epoch.get_or_insert_with(|| feed.epoch.clone());
        assert_eq!(*epoch, feed.epoch, "the log is still the same one");
        feed.subscribe("calls", Some(self.reached())).await.unwrap();
        let head = feed.seq;
        while !done(self, head) {
            match timeout(SOON, feed.next()).await.expect("the feed goes on").unwrap() {
                Frame::Ev { event } => self.take(event),
                Frame::Batch { events } => events.into_iter().for_each(|event| self.take(event)),
                Frame::Res { ok, problem } => assert!(ok, "{problem:?}"),
                Frame::Other => {}
                unexpected => panic!("{unexpected:?}"),
            }
        }
    }

    fn take(&mut self, event: Event) {
        assert!(event.seq > self.reached(), "{} after {}", event.seq, self.reached());
        assert!(event.name.starts_with("interview."), "{}", event.name);
        self.events.push(event);
    }

    /// Returns the versions that were told of each interview.
    fn versions(&self) -> BTreeMap<Uuid, BTreeSet<i64>> {
        let mut versions: BTreeMap<Uuid, BTreeSet<i64>> = BTreeMap::new();
        for event in &self.events {
            let id = event.data["id"].as_str().unwrap().parse().unwrap();
            versions.entry(id).or_default().insert(event.data["version"].as_i64().unwrap());
        }
        versions
    }
}

#[tokio::test]
async fn feed_that_is_cut_and_resumed_by_number_misses_nothing() {
    let setup = Setup { faults: Faults::lifelike(), ..Setup::default() };
    let mut world = World::with(setup).await;
    let mut reader = Reader::of(&world);
    let cast: Vec<_> = (0..60).map(|position| Candidate::draw(7, position)).collect();
    world.call(&cast, TimeDelta::seconds(20)).await;

    reader.read(|reader, _| reader.events.len() >= 25).await;
    let cut_at = reader.reached();
    eventually(SOON, "the log goes on without a reader", async || {
        let feed = Feed::open(&world.base(), &reader.token).await.unwrap();
        (feed.seq > cut_at + 20).then_some(())
    })
    .await;
    reader.read(|reader, head| reader.reached() > head).await; // The gap, and news behind it.

    world.server().kill().unwrap();
    world.server().wait().await.unwrap();
    world.start_again().await;
    reader.read(|reader, head| reader.reached() > head).await;

    world.told().await;
    world.api.sync().await.unwrap();
    let rows = eventually(SOON, "every first call is over", async || {
        let rows = world.api.interviews(None).await.unwrap();
        let over = |status: &str| matches!(status, "ended" | "failed");
        let is_over = rows.len() == cast.len() && rows.iter().all(|row| over(&row.status));
        is_over.then_some(rows)
    })
    .await;
    // Read on until every version that the table shows was told.
    let wanted: BTreeMap<Uuid, BTreeSet<i64>> =
        rows.iter().map(|row| (row.id, (1..=row.version).collect())).collect();
    let all = |reader: &Reader| {
        let told = reader.versions();
        wanted
            .iter()
            .all(|(id, versions)| told.get(id).is_some_and(|told| told.is_superset(versions)))
    };
    let read = reader.read(|reader, _| all(reader));
    timeout(Duration::from_secs(20), read).await.expect("every version of every interview is told");
    world.end().await;
}

/// What happened to which call, as a socket tells it; what the server does by itself left out.
type Told = Vec<(Uuid, String)>;

fn told(events: Vec<Event>) -> Told {
    let told =
        |event: &Event| (event.data["id"].as_str().unwrap().parse().unwrap(), event.name.clone());
    let is_ours =
        |(_, name): &(Uuid, String)| name.ends_with("reported") || name.ends_with("deleted");
    events.iter().map(told).filter(is_ours).collect()
}

/// Reads until something is told of the call `last`.
async fn read_until(feed: &mut Feed, last: Uuid) -> Told {
    let mut all = Told::new();
    while all.last().is_none_or(|(id, _)| *id != last) {
        match timeout(SOON, feed.next()).await.expect("the feed goes on").unwrap() {
            Frame::Ev { event } => all.extend(told(vec![event])),
            Frame::Batch { events } => all.extend(told(events)),
            Frame::Snap { data, .. } => assert_eq!(data["total"], 0, "{data}"),
            Frame::Res { ok, problem } => assert!(ok, "{problem:?}"),
            Frame::Other => {}
            unexpected => panic!("{unexpected:?}"),
        }
    }
    all
}

/// What the engine says of a call, about somebody's where it knows.
fn said(call: &str, status: &str, owner: Option<Uuid>) -> Value {
    let mut report = ended(call);
    report["eventId"] = json!(format!("evt_{call}_{status}_{}", owner.is_some()));
    report["status"] = json!(status);
    report["belongsTo"] = json!(owner);
    report
}

#[tokio::test]
async fn recruiters_socket_tells_their_own_calls_and_nothing_else() {
    let world = World::with(Setup { speed: 1.0, ..Setup::default() }).await;
    let (me, somebody_else) = (Some(Uuid::from_u128(0x4a)), Some(Uuid::from_u128(0x4b)));
    let token = world.token(Role::Hr, me.unwrap());
    let mut feed = Feed::open(&world.base(), &token).await.unwrap();
    feed.subscribe("calls", None).await.unwrap();
    let start = feed.seq;

    let mine = world.tell(&said("call_mine", "ringing", me)).await;
    world.tell(&said("call_theirs", "ringing", somebody_else)).await;
    let late = world.tell(&said("call_late", "ringing", None)).await;
    world.tell(&said("call_nobodys", "ringing", None)).await;
    world.tell(&said("call_mine", "in-progress", None)).await;
    world.tell(&said("call_late", "in-progress", me)).await;
    world.tell(&said("call_theirs", "ended", None)).await;
    world.tell(&said("call_late", "ended", None)).await;
    let path = format!("/api/voice-interviews/{mine}");
    let (status, body) = world.api.send(Method::DELETE, &path, None).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{body}");
    let last = world.tell(&said("call_last", "ringing", me)).await;

    let reported = |id| (id, "interview.reported".to_owned());
    let gone = (mine, "interview.deleted".to_owned());
    let live = read_until(&mut feed, last).await;
    // The late one begins with the report that says whose it is.
    let expected = [
        reported(mine),
        reported(mine),
        reported(late),
        reported(late),
        gone.clone(),
        reported(last),
    ];
    assert_eq!(live, expected);

    let mut again = Feed::open(&world.base(), &token).await.unwrap();
    again.subscribe("calls", Some(start)).await.unwrap();
    let resumed = read_until(&mut again, last).await;
    // By now it is known whose the late one was from the beginning.
    let expected = [
        reported(mine),
        reported(late),
        reported(mine),
        reported(late),
        reported(late),
        gone,
        reported(last),
    ];
    assert_eq!(resumed, expected);
    world.end().await;
}
