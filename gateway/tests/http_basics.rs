//! What holds for every route, seen from the other end of a loopback socket.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as it does")]

mod common;

use std::time::Duration;

use gateway::auth::{Keys, Role};
use gateway::client::Client;
use gateway::config::DialingVerb;
use gateway::server::{ExitPlan, Limits};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use common::{Running, Setup, answer, now, token, token_from};

const SOON: Duration = Duration::from_secs(5);

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    timeout(SOON, stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn unknown_route_and_wrong_method_are_problems() {
    let server = Running::start().await;
    let (status, body) = answer(server.get("/nothing/here").header("x-request-id", "r-1")).await;
    assert_eq!(status, 404);
    assert_eq!(
        body,
        json!({
            "success": false, "message": "No such route", "type": "/problems/route_not_found",
            "title": "No such route", "status": 404,
            "detail": "GET /nothing/here is not served here", "instance": "/nothing/here", "code": "route_not_found", "requestId": "r-1",
            "retryable": false, "docs": "/problems/route_not_found",
        })
    );
    let response = server.post("/livez").send().await.unwrap();
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "GET,HEAD");
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "method_not_allowed");
}

#[tokio::test]
async fn problem_type_is_used_only_where_it_is_asked_for() {
    let server = Running::start().await;
    let plain = server.get("/nothing").header("accept", "*/*").send().await.unwrap();
    assert_eq!(plain.headers()["content-type"], "application/json");
    let accept = "application/json, application/problem+json";
    let asked = server.get("/nothing").header("accept", accept).send().await.unwrap();
    assert_eq!(asked.headers()["content-type"], "application/problem+json");
    assert_eq!(asked.json::<Value>().await.unwrap()["success"], false);
}

#[tokio::test]
async fn every_problem_has_a_page() {
    let server = Running::start().await;
    let (status, body) = answer(server.get("/problems/forbidden")).await;
    assert_eq!((status, &body["data"]["status"]), (200, &json!(403)));
    let page = server.get("/problems/forbidden").header("accept", "text/html").send().await;
    assert!(page.unwrap().text().await.unwrap().starts_with("<!doctype html>"));
    assert_eq!(answer(server.get("/problems/nonsense")).await.0, 404);
}

#[tokio::test]
async fn request_id_comes_back_and_is_drawn_when_it_is_no_good() {
    let server = Running::start().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let response =
        server.get("/livez").header("x-request-id", "abc-1").header("traceparent", trace);
    let response = response.send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "abc-1");
    assert_eq!(response.headers()["traceparent"], trace);
    let response = server.get("/livez").header("x-request-id", "<b>").send().await.unwrap();
    assert!(response.headers()["x-request-id"].to_str().unwrap().starts_with("req_"));
    assert!(!response.headers().contains_key("traceparent"));
}

#[tokio::test]
async fn person_needs_a_good_token_and_the_role() {
    let server = Running::start().await;
    let ask = async |token: &str| {
        let (status, body) = answer(server.get("/api/v1/me").bearer_auth(token)).await;
        (status, body["code"].as_str().unwrap_or("-").to_owned())
    };
    assert_eq!(ask(&token(Role::Hr)).await, (200, "-".into()));
    assert_eq!(ask("nonsense").await, (401, "invalid_token".into()));
    let old = token_from(Role::Hr, now() - chrono::Duration::hours(2));
    assert_eq!(ask(&old).await, (401, "token_expired".into()));
    let (head, rest) = old.split_once('.').unwrap();
    assert_eq!(ask(&format!("{head}.{}", rest.to_lowercase())).await.0, 401);
    // {"alg":"none","typ":"JWT"}
    let unsigned = rest.split_once('.').unwrap().0;
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{unsigned}.");
    assert_eq!(ask(&none).await, (401, "invalid_token".into()));

    let response = server.get("/api/v1/me").send().await.unwrap();
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "unauthenticated");
    let twice = server.get("/api/v1/me").bearer_auth(token(Role::Hr)).bearer_auth("other");
    assert_eq!(answer(twice).await.0, 401);

    let delete = async |role| {
        let request = server.http.delete(server.url("/api/v1/me")).bearer_auth(token(role));
        answer(request).await
    };
    assert_eq!(delete(Role::Admin).await.0, 200);
    let (status, body) = delete(Role::Hr).await;
    assert_eq!((status, &body["code"]), (403, &json!("forbidden")));
}

#[tokio::test]
async fn service_and_webhook_are_known_by_their_secrets() {
    let server = Running::start().await;
    let service = async |token: &str| answer(server.get("/api/service").bearer_auth(token)).await.0;
    assert_eq!(service(common::SERVICE_TOKEN).await, 200);
    assert_eq!(service("between you").await, 401);
    assert_eq!(service(&token(Role::Superadmin)).await, 401);

    let webhook = async |secret: &str| {
        let request = server.post("/api/webhook").header("x-webhook-secret", secret).body("{}");
        answer(request).await.0
    };
    assert_eq!(webhook(common::WEBHOOK_SECRET).await, 200);
    assert_eq!(webhook("sesame").await, 401);
    assert_eq!(answer(server.post("/api/webhook")).await.0, 401);
}

#[tokio::test]
async fn without_keys_nobody_is_let_in_and_the_lost_webhook_is_counted() {
    let server = Running::with(Setup { keys: Keys::default(), ..Setup::default() }).await;
    let (status, body) = answer(server.get("/api/v1/me").bearer_auth(token(Role::Admin))).await;
    assert_eq!((status, &body["code"]), (401, &json!("auth_not_configured")));
    let webhook = server.post("/api/webhook").header("x-webhook-secret", "").body("{}");
    assert_eq!(answer(webhook).await.0, 401);
    let metrics = server.get("/metrics").send().await.unwrap().text().await.unwrap();
    let counted = "ringmaster_webhook_rejected_total{source=\"mr_hire\",reason=\"secret_unset\"} ";
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn too_large_a_body_is_413_however_it_is_sent() {
    let server = Running::start().await;
    let text = "x".repeat(300 * 1024);
    let (status, body) = answer(server.post("/api/v1/echo").json(&json!({"text": text}))).await;
    assert_eq!((status, &body["code"]), (413, &json!("body_too_large")));

    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /api/echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                transfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len()).as_bytes()).await.unwrap();
    assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 413"));

    let webhook = |size: usize| {
        let secret = common::WEBHOOK_SECRET;
        server.post("/api/webhook").header("x-webhook-secret", secret).body("x".repeat(size))
    };
    assert_eq!(answer(webhook(1024 * 1024)).await.0, 200);
    assert_eq!(answer(webhook(1024 * 1024 + 1)).await.0, 413);
}

#[tokio::test]
async fn client_that_is_still_sending_hears_why_it_is_refused() {
    let server = Running::start().await;
    let part = "x".repeat(100 * 1024);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /api/webhook HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    let head = format!("{head}content-length: {}\r\n\r\n", part.len() * 10);
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..10 {
        stream.write_all(part.as_bytes()).await.unwrap();
        // Meanwhile the server has all the time to answer and to close.
        answer(server.get("/livez")).await;
    }
    assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 401"));
}

#[tokio::test]
async fn client_that_waits_for_permission_is_refused_without_sending() {
    let server = Running::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /api/echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                expect: 100-continue\r\ncontent-length: 2000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn body_is_held_to_its_shape_strictly_on_native_routes() {
    let server = Running::start().await;
    let post = async |path: &str, body: &'static str| {
        let request = server.post(path).header("content-type", "application/json").body(body);
        let (status, body) = answer(request).await;
        (status, body["errors"][0]["pointer"].as_str().unwrap_or("-").to_owned())
    };
    for path in ["/api/v1/echo", "/api/echo"] {
        assert_eq!(post(path, r#"{"text":"a"}"#).await, (200, "-".into()));
        assert_eq!(post(path, r#"{"text":1}"#).await, (400, "#/text".into()));
        assert_eq!(post(path, r#"{}"#).await, (400, "#/text".into()));
        assert_eq!(post(path, r#"{"text":"\u0000"}"#).await, (400, "#/text".into()));
        assert_eq!(post(path, r#"{"text":"#).await, (400, "-".into()));
    }
    let extra = r#"{"text":"a","howOten":2}"#;
    assert_eq!(post("/api/v1/echo", extra).await, (400, "#/howOten".into()));
    assert_eq!(post("/api/echo", extra).await.0, 200);

    let untyped = |path: &str| server.post(path).body(r#"{"text":"a"}"#);
    assert_eq!(answer(untyped("/api/v1/echo")).await.0, 415);
    assert_eq!(answer(untyped("/api/echo")).await.0, 200);
    let packed = untyped("/api/echo").header("content-encoding", "gzip");
    let (status, problem) = answer(packed).await;
    assert_eq!(
        (status, &problem["message"], &problem["title"]),
        (415, &json!("the body must not be compressed"), &json!("Unsupported kind of body"))
    );
}

#[tokio::test]
async fn list_is_paged_within_bounds() {
    let server = Running::start().await;
    let limit = async |uri: &str| {
        let (status, body) = answer(server.get(uri)).await;
        (status, body["pagination"]["limit"].clone())
    };
    assert_eq!(limit("/api/list").await, (200, json!(20)));
    assert_eq!(limit("/api/list?limit=500&colour=red").await, (200, json!(200)));
    assert_eq!(limit("/api/v1/list?limit=500").await.0, 400);
    assert_eq!(limit("/api/v1/list?page=2&limit=50&status=ended").await, (200, json!(50)));
    let (status, body) = answer(server.get("/api/v1/list?statsu=x")).await;
    assert_eq!(status, 400);
    assert_eq!(body["message"], "unknown parameter `statsu`, did you mean `status`?");
    assert_eq!(body["errors"][0]["in"], "query");
}

#[tokio::test]
async fn native_route_without_parameters_refuses_any_once_somebody_is_in() {
    let server = Running::start().await;
    let admin = token(Role::Admin);
    let scoped = "/api/v1/dialing/stop?scope=tenant:00000000-0000-0000-0000-000000000000";
    for (request, pointer) in [
        (server.get("/api/v1/tree?x=1"), "#/x"),
        (server.get("/api/v1/tree?x"), "#/x"),
        (server.post(scoped), "#/scope"),
        (server.post("/api/v1/dialing/stop?a%2Fb=%00"), "#/a~1b"),
    ] {
        let (status, body) = answer(request.bearer_auth(&admin)).await;
        let (code, error) = (&body["code"], &body["errors"][0]);
        assert_eq!((status, code), (400, &json!("invalid_request")), "{pointer}: {body}");
        assert_eq!((&error["pointer"], &error["in"]), (&json!(pointer), &json!("query")));
    }
    for path in ["/api/v1/tree", "/api/v1/tree?"] {
        let status = answer(server.get(path).bearer_auth(&admin)).await.0;
        assert_eq!(status, 200, "{path}");
    }
    assert_eq!(answer(server.get("/api/v1/tree?x=1")).await.0, 401, "a stranger learns nothing");
}

#[tokio::test]
async fn path_that_does_not_parse_is_400_and_a_last_slash_is_nothing() {
    let server = Running::start().await;
    let (status, body) = answer(server.get("/api/items/seven")).await;
    assert_eq!((status, &body["errors"][0]["in"]), (400, &json!("path")));
    assert_eq!(body["errors"][0]["message"], "must be a UUID");
    assert_eq!(answer(server.get("/api/items/%00")).await.0, 400);
    assert_eq!(answer(server.get("/api/items/%ff")).await.0, 400);
    let id = uuid::Uuid::from_u128(7);
    assert_eq!(answer(server.get(&format!("/api/items/{id}/"))).await.0, 200);
}

#[tokio::test]
async fn fault_of_ours_is_a_500_that_shows_nothing() {
    let server = Running::start().await;
    let (status, body) = answer(server.get("/api/panic")).await;
    assert_eq!((status, &body["code"]), (500, &json!("internal")));
    assert!(!body.to_string().contains("hunter2"));
    assert_eq!(answer(server.get("/livez")).await.0, 200);
}

#[tokio::test]
async fn stuck_request_is_given_up() {
    let request_timeout = Duration::from_millis(50);
    let server = Running::with(Setup { request_timeout, ..Setup::default() }).await;
    let response = server.get("/api/stuck").send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (503, &"2".parse().unwrap())
    );
}

#[tokio::test]
async fn slow_head_is_cut_off() {
    let limits = Limits { header_timeout: Duration::from_millis(100), ..Limits::default() };
    let server = Running::with(Setup { limits, ..Setup::default() }).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost:").await.unwrap();
    let since = Instant::now();
    read_to_end(&mut stream).await;
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let limits = Limits { connections_per_address_max: 1, ..Limits::default() };
    let server = Running::with(Setup { limits, ..Setup::default() }).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    first.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut byte = [0];
    first.read_exact(&mut byte).await.unwrap();
    let mut second = TcpStream::connect(server.address).await.unwrap();
    assert!(read_to_end(&mut second).await.starts_with("HTTP/1.1 503"));
    drop(first);
    // The place is free as soon as the server has seen the end of the first.
    loop {
        let mut third = TcpStream::connect(server.address).await.unwrap();
        let request = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let _ = third.write_all(request).await;
        let mut bytes = Vec::new();
        let _ = third.read_to_end(&mut bytes).await;
        if bytes.starts_with(b"HTTP/1.1 200") {
            break;
        }
    }
}

#[tokio::test]
async fn probes_follow_the_life_of_the_server() {
    let server = Running::start().await;
    assert_eq!(answer(server.get("/startupz")).await.0, 200);
    assert_eq!(answer(server.get("/readyz")).await.1["data"], json!({"status": "ready"}));
    assert_eq!(answer(server.get("/health?verbose")).await.1["data"]["checks"], json!([]));
    server.readiness.drain();
    let (status, body) = answer(server.get("/readyz")).await;
    assert_eq!(
        (status, &body["code"], &body["data"]["draining"]),
        (503, &json!("not_ready"), &json!(true))
    );
    assert_eq!(answer(server.get("/livez")).await.0, 200);
}

#[tokio::test]
async fn command_line_client_tells_how_the_server_is() {
    let server = Running::start().await;
    let client = Client::new(server.url("").parse().unwrap(), None);
    assert_eq!(client.health().await.unwrap()["status"], "ready");
    server.readiness.drain();
    assert_eq!(client.health().await.unwrap_err().exit_code(), 6);
    let refused = client.dialing(DialingVerb::Status, None, None).await.unwrap_err();
    assert_eq!(
        (refused.exit_code(), refused.to_string().as_str()),
        (4, "404 Not Found: No such route; GET /api/v1/dialing is not served here")
    );
    let nobody = Client::new("http://127.0.0.1:1".parse().unwrap(), None);
    assert_eq!(nobody.health().await.unwrap_err().exit_code(), 6);
}

#[tokio::test]
async fn requests_are_counted_by_route_and_never_by_path() {
    let server = Running::start().await;
    let id = uuid::Uuid::from_u128(0xfeed);
    answer(server.get(&format!("/api/items/{id}"))).await;
    answer(server.get("/made/up")).await;
    let metrics = server.get("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("http_route=\"/api/items/{id}\""), "{metrics}");
    assert!(metrics.contains("http_route=\"none\""), "{metrics}");
    assert!(!metrics.contains("feed") && !metrics.contains("made"), "{metrics}");
}

#[tokio::test]
async fn shutdown_ends_whatever_clients_do() {
    let limits = Limits {
        request_drain: Duration::from_millis(200),
        socket_drain: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = Running::with(Setup { limits, ..Setup::default() }).await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    idle.read_exact(&mut [0; 12]).await.unwrap();
    let mut stuck = TcpStream::connect(server.address).await.unwrap();
    stuck.write_all(b"GET /api/stuck HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let closing = server.sockets.closing().clone();
    let polite = server.sockets.tracker().spawn(async move { closing.cancelled().await });
    server.sockets.tracker().spawn(std::future::pending::<()>());
    // An answer on a third connection proves that the two before it were accepted.
    answer(server.get("/livez")).await;

    let since = Instant::now();
    let plan = ExitPlan {
        exit_deadline: Duration::from_secs(3600),
        ..ExitPlan::new(server.readiness.clone(), server.shutdown.clone())
    };
    plan.begin();
    let abandoned = timeout(SOON, server.run).await.unwrap().unwrap();
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    assert_eq!((abandoned.connections, abandoned.sockets), (1, 1));
    assert!(!server.readiness.snapshot().ready);
    polite.await.unwrap();
    read_to_end(&mut idle).await;
    assert_eq!(read_to_end(&mut stuck).await, "");
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn request_under_way_may_end() {
    let server = Running::start().await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /api/echo HTTP/1.1\r\nhost: x\r\ncontent-length: 12\r\n\r\n{\"text\"";
    slow.write_all(head.as_bytes()).await.unwrap();
    answer(server.get("/livez")).await;
    server.shutdown.cancel();
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    slow.write_all(b":\"a\"}").await.unwrap();
    assert!(read_to_end(&mut slow).await.starts_with("HTTP/1.1 200"));
    assert_eq!(timeout(SOON, server.run).await.unwrap().unwrap().connections, 0);
}
