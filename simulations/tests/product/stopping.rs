//! SIGTERM under load: in time, whatever clients do, and every 200 was a promise.

use std::collections::HashMap;
use std::time::Duration;

use chrono::TimeDelta;
use simulations::cast::Candidate;
use simulations::engine::CallStatus;
use simulations::product::{Feed, Frame, Role, Storage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::harness::{ADMIN, SOON, World, eventually};
use crate::mute;

/// How long a server may take to end after the first signal.
const STOP_MAX: Duration = Duration::from_secs(20);
/// How long it may take after the second: it ends at once.
const AT_ONCE: Duration = Duration::from_secs(2);
/// The exit code of one that was told twice.
const TOLD_TWICE: i32 = 130;

/// A client whose request is being read, and which never goes on.
async fn stuck_client(world: &World) -> TcpStream {
    let mut stream = TcpStream::connect(world.plan.listen).await.unwrap();
    let head = format!(
        "POST /api/voice-interviews/webhook HTTP/1.1\r\nhost: x\r\nx-webhook-secret: {}\r\n\
         content-type: application/json\r\ncontent-length: 500\r\nexpect: 100-continue\r\n\r\n",
        world.plan.keys.webhook_secret
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 25];
    timeout(SOON, stream.read_exact(&mut answer)).await.expect("permission to go on").unwrap();
    assert_eq!(answer, *b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{\"callId\":").await.unwrap();
    stream
}

/// Clients that are in the middle of something and stay there: one that never used its connection, one
/// that used it once, half a head, an answer that is not read, WebSockets that are not read.
async fn stuck_clients(world: &World) -> Vec<TcpStream> {
    let list = format!(
        "GET /api/voice-interviews HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
        world.token(Role::Admin, ADMIN)
    );
    let asks_once = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n".to_vec();
    let mut clients = Vec::new();
    for said in
        [Vec::new(), asks_once, b"GET /livez HTTP/1.1\r\nhost:".to_vec(), list.repeat(50).into()]
    {
        let mut client = mute::connect(world.plan.listen).await;
        client.write_all(&said).await.unwrap();
        clients.push(client);
    }
    for topic in ["calls", "tree"] {
        let mut socket = mute::open(world, true).await;
        socket.write_all(&mute::subscribes_to(topic)).await.unwrap();
        clients.push(socket);
    }
    clients.push(mute::open(world, false).await);
    clients
}

async fn busy_world() -> (World, Vec<Candidate>) {
    let world = World::new().await;
    let cast: Vec<_> = (0..150).map(|position| Candidate::draw(7, position)).collect();
    world.call(&cast, TimeDelta::seconds(4)).await;
    eventually(SOON, "webhooks come in", async || {
        (world.engine.engine().totals().webhooks_acknowledged > 60).then_some(())
    })
    .await;
    (world, cast)
}

#[tokio::test]
async fn server_that_is_told_to_stop_under_load_ends_in_time_and_keeps_what_it_acknowledged() {
    let (mut world, _cast) = busy_world().await;
    let mut feed = Feed::open(&world.base(), &world.token(Role::Admin, ADMIN)).await.unwrap();
    feed.subscribe("calls", None).await.unwrap();
    let _stuck = (stuck_client(&world).await, stuck_clients(&world).await);

    let since = Instant::now();
    world.server().terminate().unwrap();
    let goodbye = async {
        loop {
            match feed.next().await {
                Ok(Frame::Bye { code }) => return code,
                Ok(_) => {}
                Err(error) => panic!("the socket was cut without a goodbye: {error}"),
            }
        }
    };
    assert_eq!(timeout(STOP_MAX, goodbye).await.expect("a goodbye"), 1012);
    let status = timeout(STOP_MAX, world.server().wait()).await.expect("an end in time").unwrap();
    assert!(status.success(), "{status}");
    assert!(since.elapsed() < STOP_MAX, "{:?}", since.elapsed());

    // From here on nobody tells the server anything: what it has now is what it kept.
    world.engine.engine().stop();
    let ledger = world.engine.engine().ledger();
    world.plan.engine_url = String::new();
    world.start_again().await;
    let rows = world.api.interviews(None).await.unwrap();
    let kept: HashMap<_, _> =
        rows.iter().filter_map(|row| Some((row.call_id.clone()?, row.status.clone()))).collect();
    let rank = |status: &str| {
        let ranks = ["queued", "ringing", "in-progress", "failed", "ended"];
        ranks.iter().position(|name| *name == status).unwrap()
    };
    for call in &ledger.calls {
        for acknowledged in &call.acknowledged {
            let told = match acknowledged.status {
                CallStatus::Queued => "queued",
                CallStatus::Ringing => "ringing",
                CallStatus::InProgress => "in-progress",
                CallStatus::Failed => "failed",
                CallStatus::Ended => "ended",
            };
            let found = kept.get(&call.call_id).map(String::as_str);
            let found = found.unwrap_or_else(|| panic!("{} is lost", call.call_id));
            assert!(rank(found) >= rank(told), "{}: {told} was told, {found} kept", call.call_id);
        }
    }
    assert!(ledger.totals.webhooks_acknowledged > 60);
    world.end().await;
}

#[tokio::test]
async fn server_that_is_told_twice_ends_at_once() {
    let (mut world, _cast) = busy_world().await;
    let mut stuck = stuck_client(&world).await;
    world.server().terminate().unwrap();
    eventually(SOON, "no connection is taken any more", async || {
        TcpStream::connect(world.plan.listen).await.is_err().then_some(())
    })
    .await;
    let still_open = timeout(Duration::from_millis(1), stuck.read_u8()).await;
    assert!(still_open.is_err(), "the first signal cut the request: {still_open:?}");

    world.server().terminate().unwrap();
    let status = timeout(AT_ONCE, world.server().wait()).await.expect("an end at once").unwrap();
    assert_eq!(status.code(), Some(TOLD_TWICE));
    assert!(matches!(world.plan.storage, Storage::Home(_))); // Its database is adopted by the next one.
    world.start_again().await;
    world.end().await;
}
