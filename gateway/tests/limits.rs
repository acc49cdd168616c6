//! Clients that give too slowly, take too slowly, or are too many.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as it does")]

mod common;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use gateway::server::Limits;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, interval, timeout};

use common::{Running, Setup};

/// How long anything may take that is bounded by tenths of a second.
const SOON: Duration = Duration::from_secs(5);
/// The bound of these servers.
const BOUND: Duration = Duration::from_millis(300);
/// Between two bytes of a client that never stops and never gets anywhere.
const DRIP: Duration = Duration::from_millis(20);
/// How long what is left of a body is read on for. Source: `REST_TIMEOUT` of `linger`.
const REST: Duration = Duration::from_secs(2);

async fn limited(limits: Limits) -> Running {
    Running::with(Setup { limits, ..Setup::default() }).await
}

/// Sends `head`, then one byte after the other, until the server has had enough; answers what it said.
async fn drip(server: &Running, head: &str) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut from, mut to) = stream.split();
    let drops = async {
        let mut drops = interval(DRIP);
        loop {
            drops.tick().await;
            if to.write_all(b"a").await.is_err() {
                // It closed; what it said before that can be read all the same.
                std::future::pending::<()>().await;
            }
        }
    };
    let mut said = Vec::new();
    let heard = async {
        // A reset tells the same as an end.
        let _reset = from.read_to_end(&mut said).await;
    };
    tokio::select! {
        () = drops => {}
        () = async { timeout(SOON, heard).await.expect("it closes in time") } => {}
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// Asks over a connection of its own, from any loopback address.
async fn ask_from(server: &Running, from: [u8; 4]) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::from(from), 0))).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    // Who is turned away may hear that before anything was asked.
    let _early =
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let mut said = Vec::new();
    let _reset = timeout(SOON, stream.read_to_end(&mut said)).await.unwrap();
    String::from_utf8_lossy(&said).into_owned()
}

/// Waits until the only place there is for `from` is free.
async fn free_again(server: &Running, from: [u8; 4]) {
    let began = Instant::now();
    while !ask_from(server, from).await.starts_with("HTTP/1.1 200") {
        assert!(began.elapsed() < SOON, "the place stays taken");
    }
}

#[tokio::test]
async fn head_that_drips_is_cut_off_however_steadily() {
    let server = limited(Limits { header_timeout: BOUND, ..Limits::default() }).await;
    let since = Instant::now();
    let said = drip(&server, "GET /livez HTTP/1.1\r\nhost: ").await;
    assert!(!said.starts_with("HTTP/1.1 2"), "{said}");
    assert!((BOUND..SOON).contains(&since.elapsed()), "{:?}", since.elapsed());
}

#[tokio::test]
async fn idle_connection_is_closed_after_its_time() {
    let server = limited(Limits { header_timeout: BOUND, ..Limits::default() }).await;
    for first in ["", "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(first.as_bytes()).await.unwrap();
        let mut said = Vec::new();
        timeout(SOON, stream.read_to_end(&mut said)).await.expect("it is closed").unwrap();
        assert_eq!(said.is_empty(), first.is_empty());
    }
}

#[tokio::test]
async fn body_that_drips_is_answered_and_cut_off() {
    let setup = Setup { request_timeout: BOUND, ..Setup::default() };
    let server = Running::with(setup).await;
    let since = Instant::now();
    let head = "POST /api/echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n";
    let said = drip(&server, head).await;
    assert!(said.starts_with("HTTP/1.1 503"), "{said}");
    assert!(said.contains("retry-after: 2") && said.contains("\"timed_out\""), "{said}");
    assert!(since.elapsed() < BOUND + REST + Duration::from_secs(1), "{:?}", since.elapsed());
}

#[tokio::test]
async fn client_that_takes_nothing_of_its_answers_loses_its_place() {
    let limits =
        Limits { write_timeout: BOUND, connections_per_address_max: 1, ..Limits::default() };
    let server = limited(limits).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let mut greedy = socket.connect(server.address).await.unwrap();
    let body = format!("{{\"text\":\"{}\"}}", "x".repeat(200 * 1024));
    let head = "POST /api/echo HTTP/1.1\r\nhost: x\r\ncontent-length:";
    let request = format!("{head} {}\r\n\r\n{body}", body.len());
    // It asks and asks and never reads: in the end neither side can send.
    let asked =
        timeout(SOON, async { while greedy.write_all(request.as_bytes()).await.is_ok() {} });
    asked.await.expect("the server closes on it");
    free_again(&server, [127, 0, 0, 1]).await;
}

#[tokio::test]
async fn client_that_takes_its_answer_slowly_gets_all_of_it() {
    let server = limited(Limits { write_timeout: BOUND, ..Limits::default() }).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let mut slow = socket.connect(server.address).await.unwrap();
    let body = format!("{{\"text\":\"{}\"}}", "x".repeat(200 * 1024));
    let head = "POST /api/echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length:";
    slow.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
    let (mut taken, mut sip, mut pace) = (0, [0; 8 * 1024], interval(DRIP));
    let since = Instant::now();
    loop {
        pace.tick().await;
        match slow.read(&mut sip).await.unwrap() {
            0 => break,
            count => taken += count,
        }
    }
    assert!(taken > body.len(), "{taken} bytes of {}", body.len());
    assert!(since.elapsed() > BOUND, "it took longer than a client may take nothing");
}

#[tokio::test]
async fn places_run_out_for_everybody_together_and_come_back() {
    let limits = Limits { connections_max: 3, connections_per_address_max: 2, ..Limits::default() };
    let server = limited(limits).await;
    let mut held = Vec::new();
    for from in [[127, 0, 0, 1], [127, 0, 0, 1], [127, 0, 0, 2]] {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((Ipv4Addr::from(from), 0))).unwrap();
        let mut stream = socket.connect(server.address).await.unwrap();
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        stream.read_exact(&mut [0; 12]).await.unwrap();
        held.push(stream);
    }
    for from in [[127, 0, 0, 1], [127, 0, 0, 3]] {
        let said = ask_from(&server, from).await;
        let (head, body) = said.split_once("\r\n\r\n").unwrap_or_default();
        assert!(head.starts_with("HTTP/1.1 503") && head.contains("retry-after: 1"), "{said}");
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!((&body["code"], &body["retryable"]), (&"overloaded".into(), &true.into()));
    }
    held.clear();
    free_again(&server, [127, 0, 0, 3]).await;
}
