//! One socket over loopback, on a feed and tables that a test holds in its hand.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ports::{Clock, FactSink as _};
use futures_util::{SinkExt as _, StreamExt as _};
use metrics_exporter_prometheus::PrometheusBuilder;
use secrecy::SecretString;
use serde_json::{Value, json};
use supervisor::Feed;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::doubles::{Log, Table, fact};
use super::hub::{LiveHub, LiveServices};
use super::socket::{LiveState, upgrade};
use crate::auth::{Access, Grant, Keys, Role, mint};
use crate::readiness::Readiness;
use crate::request_id::RequestIds;
use crate::router::{self, Route};
use crate::server::{Limits, Server, Sockets};
use crate::state::{AppState, Parts};

const SECRET: &str = "a secret that is long enough for HS256";
/// How long a frame may take.
const SOON: Duration = Duration::from_secs(20);

struct Still;

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }
}

/// A server with the feed alone, and an administrator's socket to it.
struct World {
    feed: Arc<Feed>,
    table: Arc<Table>,
    shutdown: CancellationToken,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl World {
    async fn on(log: Log) -> Self {
        let mut world = Self::unknown(log).await;
        world.say(&json!({"t": "hello", "token": token()})).await;
        assert_eq!(world.hear().await["t"], "welcome");
        world
    }

    /// As [`Self::on`], before anybody said who it is.
    async fn unknown(log: Log) -> Self {
        let (feed, log, shutdown) = (Feed::new(), Arc::new(log), CancellationToken::new());
        tokio::spawn(Arc::clone(&feed).run(Arc::clone(&log) as _, shutdown.clone()));
        while feed.known().is_none() {
            tokio::task::yield_now().await;
        }
        Self::beside(feed, log, shutdown).await
    }

    async fn beside(feed: Arc<Feed>, log: Arc<Log>, shutdown: CancellationToken) -> Self {
        let table = Arc::new(Table::default());
        let services = LiveServices {
            feed: Arc::clone(&feed),
            facts: log,
            queries: Arc::clone(&table) as _,
            epoch: "epoch".to_owned(),
        };
        let app = app();
        let hub = LiveHub::rendering(services, shutdown.clone());
        let live = LiveState { app: app.clone(), hub };
        let routes = vec![Route::get_with(Some(live), "/ws/v1", Access::InBand, upgrade)];
        let server = Server::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await.unwrap();
        let url = format!("ws://{}/ws/v1", server.local_addr());
        let service = router::build(&app, routes);
        tokio::spawn(server.run(service, shutdown.clone(), app.sockets.clone()));
        let (socket, _) = connect_async(url).await.unwrap();
        Self { feed, table, shutdown, socket }
    }

    async fn say(&mut self, frame: &Value) {
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// Returns the next frame.
    async fn hear(&mut self) -> Value {
        loop {
            let message = timeout(SOON, self.socket.next()).await.expect("a frame comes");
            if let Message::Text(text) = message.unwrap().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn app() -> AppState {
    AppState::new(Parts {
        keys: Keys::new(Some(&SecretString::from(SECRET)), None, None),
        clock: Arc::new(Still),
        readiness: Readiness::new(),
        request_ids: RequestIds::new(Still.now()),
        sockets: Sockets::new(),
        metrics: PrometheusBuilder::new().build_recorder().handle(),
        request_timeout: SOON,
    })
}

fn token() -> String {
    let ttl = chrono::Duration::hours(1);
    let grant = Grant { sub: Uuid::from_u128(7), role: Role::Admin, tenant: None, ttl };
    mint(&SecretString::from(SECRET), grant, Still.now()).unwrap()
}

#[tokio::test]
async fn who_does_not_say_who_it_is_is_told_so() {
    for (first, reason) in [
        (json!({"t": "ping"}), "no hello with a token came within 5 s"),
        (json!({"t": "hello"}), "no hello with a token came within 5 s"),
        (
            json!({"t": "hello", "token": "no.token.atall"}),
            "the token is over or cannot be trusted",
        ),
    ] {
        let mut world = World::unknown(Log { known: Vec::new(), head: 0 }).await;
        world.say(&first).await;
        assert_eq!(world.hear().await, json!({"t": "bye", "code": 4001, "reason": reason}));
    }
}

#[tokio::test]
async fn who_comes_before_it_is_known_where_the_log_stands_is_told_to_come_again() {
    let log = Arc::new(Log { known: Vec::new(), head: 9_000 });
    let mut world = World::beside(Feed::new(), log, CancellationToken::new()).await;
    world.say(&json!({"t": "hello", "token": token()})).await;
    assert_eq!(world.hear().await["code"], 1012);
}

#[tokio::test]
async fn board_that_is_too_much_for_its_reader_is_shown_anew() {
    let mut world = World::on(Log { known: Vec::new(), head: 0 }).await;
    world.say(&json!({"t": "sub", "id": 1, "topic": "calls"})).await;
    assert_eq!(world.hear().await, json!({"t": "res", "id": 1, "ok": true}));
    assert_eq!(world.hear().await["data"]["total"], 0);

    world.table.put(1, None, 5_000);
    world.feed.publish((1..=5_000).map(|seq| fact(seq, 1, "{}")).collect());

    let gap = json!({"t": "gap", "id": 1, "from": 0, "to": 5_000, "reason": "slow"});
    assert_eq!(world.hear().await, gap);
    let board = json!({"calls": [], "total": 1});
    let snap = json!({"t": "snap", "id": 1, "topic": "calls", "seq": 5_000, "data": board});
    assert_eq!(world.hear().await, snap);
    world.feed.publish(vec![fact(5_001, 1, "{}")]);
    let next = world.hear().await;
    assert_eq!((&next["t"], &next["seq"]), (&json!("ev"), &json!(5_001)));
}

#[tokio::test]
async fn who_resumes_before_facts_of_a_newer_release_gets_what_lies_behind_them() {
    // Two pages and a half of what nobody here knows, one fact, and some more.
    let mut world = World::on(Log { known: vec![fact(2_500, 1, "{}")], head: 3_000 }).await;
    world.say(&json!({"t": "sub", "id": 1, "topic": "calls", "from": 0})).await;

    assert_eq!(world.hear().await["ok"], true);
    let next = world.hear().await;
    assert_eq!((&next["t"], &next["seq"]), (&json!("ev"), &json!(2_500)), "{next}");
    world.feed.publish(vec![fact(3_001, 1, "{}")]);
    assert_eq!(world.hear().await["seq"], 3_001);
}
