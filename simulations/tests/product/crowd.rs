//! More clients than anybody needs, and clients that do nothing: who works is served all the same.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;
use std::{fs, net::IpAddr};

use futures_util::StreamExt as _;
use futures_util::stream;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use simulations::product::{Api, Server, migrate};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::harness::{
    ADMIN, Folder, SOON, Setup, World, base, ended, eventually, plan, server_binary, webhook_url,
};
use crate::mute;

/// Idle sockets at once.
const CROWD: usize = 10_000;
/// How many of them want to hear of every call, and read nothing.
const DEAF: usize = 500;
/// How many are opened at the same time.
const AT_ONCE: usize = 64;
/// Open files of a test with that many sockets.
const FILES: u64 = 11_000;
/// What a shell gives a process.
const FILES_OF_A_SHELL: u64 = 1_024;
/// Connections that one address may have, and a few more.
const BEYOND_THE_CAP: usize = 200;
/// How long a webhook may take beside all of them, in a build that is not optimised.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// How long a socket may live that answers no heartbeat: three times 20 s, and the last goodbye.
const MUTE_MAX: Duration = Duration::from_secs(75);
/// How long a socket may take to say who it is.
const HELLO_MAX: Duration = Duration::from_secs(7);
/// Longer than any frame may be.
const TOO_LONG: usize = 64 * 1024 + 1;

/// Sets how many files this process, and what it starts, may have open.
fn allow_files(wanted: u64) {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, wanted.min(most), most).unwrap();
}

/// Tells of a call that is over, from some address of this machine; answers the status.
async fn tell(world: &World, from: [u8; 4], call_id: &str) -> StatusCode {
    let http = reqwest::Client::builder().no_proxy().local_address(IpAddr::from(from));
    let request = http.build().unwrap().post(webhook_url(world.plan.listen));
    let request = request.header("x-webhook-secret", &world.plan.keys.webhook_secret);
    let began = Instant::now();
    let answer = timeout(SOON, request.json(&ended(call_id)).send()).await.unwrap().unwrap();
    let status = answer.status();
    let _body: Value = answer.json().await.unwrap();
    assert!(began.elapsed() < ANSWER_MAX, "{call_id} took {:?}", began.elapsed());
    status
}

/// Returns how many connections the server says it has.
async fn connections(api: &Api) -> Option<usize> {
    let (_, metrics) = api.send(Method::GET, "/metrics", None).await.ok()?;
    let line =
        metrics.as_str()?.lines().find(|line| line.starts_with("ringmaster_connections_open"))?;
    line.split_whitespace().last()?.parse().ok()
}

/// Returns what a process holds in memory, in KiB.
fn memory_kib(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

async fn crowd(world: &World) -> Vec<TcpStream> {
    let opened = stream::iter(0..CROWD).map(async |number| {
        let mut socket = mute::open(world, true).await;
        if number < DEAF {
            socket.write_all(&mute::subscribes_to("calls")).await.unwrap();
        }
        socket
    });
    opened.buffer_unordered(AT_ONCE).collect().await
}

#[tokio::test]
async fn ten_thousand_sockets_that_do_nothing_keep_nobody_from_being_served() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if most < FILES {
        eprintln!("SKIPPED: {FILES} open files are needed, {most} are allowed");
        assert!(std::env::var_os("REQUIRE_ALL").is_none(), "{FILES} open files are needed");
        return;
    }
    // The server is started as a shell starts it, and has to help itself.
    allow_files(FILES_OF_A_SHELL);
    let mut world = World::with(Setup { speed: 1.0, ..Setup::default() }).await;
    allow_files(FILES);
    let pid = world.server().pid();
    let before = memory_kib(pid);

    let sockets = crowd(&world).await;
    for number in 0..100 {
        let call = format!("call_beside_{number}");
        assert_eq!(tell(&world, [127, 0, 0, 1], &call).await, StatusCode::OK, "{call}");
    }
    let each = memory_kib(pid).saturating_sub(before) / CROWD as u64;
    eprintln!("{} idle sockets, {each} KiB each", sockets.len());
    let mut more = Vec::new();
    let refused = loop {
        let mut one = TcpStream::connect(world.plan.listen).await.unwrap();
        one.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut head = [0; 12];
        let _cut = one.read_exact(&mut head).await;
        if head != *b"HTTP/1.1 200" {
            break head;
        }
        more.push(one);
        assert!(more.len() < BEYOND_THE_CAP, "one address may have any number of connections");
    };
    assert_eq!(refused, *b"HTTP/1.1 503");
    assert_eq!(tell(&world, [127, 0, 0, 2], "call_elsewhere").await, StatusCode::OK);
    drop(more);

    // None of them answers a heartbeat, so all of them are let go.
    let api = &world.api;
    eventually(MUTE_MAX, "mute sockets are let go", async || {
        connections(api).await.filter(|open| *open < BEYOND_THE_CAP)
    })
    .await;
    drop(sockets);
    assert_eq!(world.api.interviews(None).await.unwrap().len(), 101);
    world.end().await;
}

#[tokio::test]
async fn sockets_that_break_the_rules_are_closed() {
    let world = World::with(Setup { speed: 1.0, ..Setup::default() }).await;
    let long = "x".repeat(TOO_LONG);
    let half = "x".repeat(TOO_LONG / 2);
    let endless = [
        mute::frame(mute::TEXT_BEGINS, &half),
        mute::frame(mute::TEXT_GOES_ON, &half),
        mute::frame(mute::TEXT_GOES_ON, &half),
    ];
    let no_protocol = mute::frame(mute::TEXT, r#"{"t":"dance"}"#);
    for (what, says_who, bytes) in [
        ("a frame that is too long", true, mute::frame(mute::TEXT, &long)),
        ("a text without an end", true, endless.concat()),
        ("a frame that is none of ours", true, no_protocol),
        ("bytes that are no frame", true, vec![0xff; 64]),
        ("a token that is none", false, mute::frame(mute::TEXT, r#"{"t":"hello","token":"x"}"#)),
        ("nobody who says nothing", false, Vec::new()),
    ] {
        let mut socket = mute::open(&world, says_who).await;
        // It may be closed on before all of it is sent.
        let _cut = socket.write_all(&bytes).await;
        let mut said = Vec::new();
        let closed = timeout(HELLO_MAX, socket.read_to_end(&mut said)).await;
        assert!(closed.is_ok(), "{what}: still open");
    }
    eventually(SOON, "their places are free", async || {
        connections(&world.api).await.filter(|open| *open < 5)
    })
    .await;
    assert_eq!(tell(&world, [127, 0, 0, 1], "call_after").await, StatusCode::OK);
    world.end().await;
}

#[tokio::test]
async fn server_with_few_files_refuses_early_and_keeps_its_database() {
    let folder = Folder::new();
    let mut plan = plan(&folder, None).await;
    let script = folder.join("few-files");
    let program = server_binary();
    fs::write(&script, format!("#!/bin/sh\nulimit -n 256\nexec {} \"$@\"\n", program.display()))
        .unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    plan.binary = script;
    migrate(&plan).await.unwrap();
    let server = Server::start(&plan).await.unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let (url, secret) = (webhook_url(plan.listen), &plan.keys.webhook_secret);
    let tell = async |call: &str| {
        let request = http.post(&url).header("x-webhook-secret", secret);
        let answer = request.json(&ended(call)).send().await.ok()?;
        let status = answer.status();
        answer.text().await.ok().map(|_| status)
    };
    assert_eq!(tell("call_before").await, Some(StatusCode::OK));

    let mut idle = Vec::new();
    let told = loop {
        let mut one = TcpStream::connect(plan.listen).await.unwrap();
        one.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut head = [0; 12];
        let _cut = timeout(SOON, one.read_exact(&mut head)).await.expect("an answer");
        if head != *b"HTTP/1.1 200" {
            break head;
        }
        idle.push(one);
        assert!(idle.len() < 256, "more connections than files");
    };
    assert_eq!(told, *b"HTTP/1.1 503", "refused in words, and not left to wait");
    // Who has a connection is served: what the database needs was kept back.
    for number in 0..20 {
        assert_eq!(tell(&format!("call_{number}")).await, Some(StatusCode::OK), "{number}");
    }
    drop(idle);
    eventually(SOON, "there is room again", async || {
        let answer = reqwest::get(format!("{}/readyz", base(&plan))).await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
    let token = crate::harness::token(&plan.keys, simulations::product::Role::Admin, ADMIN);
    let api = Api::new(base(&plan), Some(token)).unwrap();
    assert_eq!(api.interviews(None).await.unwrap().len(), 21);
    assert!(server.stop(SOON).await.unwrap().success());
}
