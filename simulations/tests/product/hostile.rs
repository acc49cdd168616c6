//! What nobody should send: answered 4xx with a code, in bounded time, and nothing of it is stored.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulations::product::Role;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use uuid::Uuid;

use crate::harness::{ADMIN, SOON, World};

const WEBHOOK: &str = "/api/voice-interviews/webhook";
const IMPORT: &str = "/api/v1/applications/import";
/// The largest webhook and the largest import, in bytes.
const WEBHOOK_BYTES_MAX: usize = 1024 * 1024;
const IMPORT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Sends bytes as they are; answers the status, or none where the connection was closed on.
async fn raw(world: &World, bytes: &[u8]) -> Option<u16> {
    let mut socket = TcpStream::connect(world.plan.listen).await.unwrap();
    // A server that has heard enough closes: what it did not take is not our business.
    let _closed = socket.write_all(bytes).await;
    let mut head = Vec::new();
    let read = async {
        let mut buffer = [0; 4096];
        while !head.windows(4).any(|window| window == b"\r\n\r\n") {
            match socket.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(count) => head.extend_from_slice(&buffer[..count]),
            }
        }
    };
    timeout(SOON, read).await.expect("an answer in bounded time");
    let head = String::from_utf8_lossy(&head).into_owned();
    head.split(' ').nth(1).and_then(|status| status.parse().ok())
}

fn request(world: &World, method: &str, path: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let token = world.token(Role::Admin, ADMIN);
    let secret = &world.plan.keys.webhook_secret;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         x-webhook-secret: {secret}\r\nconnection: close\r\n{more}\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Sends a JSON body with its length.
async fn json_bytes(world: &World, path: &str, body: &[u8]) -> (u16, Value) {
    let url = format!("{}{path}", world.base());
    let secret = &world.plan.keys.webhook_secret;
    let answer = reqwest::Client::new()
        .post(url)
        .header("content-type", "application/json")
        .header("x-webhook-secret", secret)
        .bearer_auth(world.token(Role::Admin, ADMIN))
        .body(body.to_vec())
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or_default())
}

async fn stored(world: &World) -> (i64, i64) {
    let total = async |path: &str| {
        let (_, body) = world.api.send(Method::GET, path, None).await.unwrap();
        body["pagination"]["total"].as_i64().unwrap()
    };
    (total("/api/voice-interviews").await, total("/api/v1/screenings").await)
}

#[tokio::test]
async fn what_nobody_should_send_is_refused_and_leaves_nothing() {
    let world = World::new().await;
    malformed_requests(&world).await;
    bodies_of_every_wrong_size(&world).await;
    json_of_every_wrong_shape(&world).await;
    questions_of_every_wrong_shape(&world).await;
    fields_that_are_not_the_callers_to_set(&world).await;
    assert_eq!(stored(&world).await, (0, 0));
    webhooks_with_the_wrong_secret(&world).await;
    assert_eq!(stored(&world).await, (0, 0));
    evidence_of_every_wrong_shape(&world).await;
    late_and_early_and_empty_reports(&world).await;
    world.end().await;
}

async fn malformed_requests(world: &World) {
    let list = "/api/voice-interviews";
    let long = "x".repeat(64 * 1024);
    let many: String = (0..10_000).map(|n| format!("x-{n}: 1\r\n")).collect();
    let other = "authorization: Bearer no.token.atall\r\n";
    for (what, bytes, expected) in [
        ("a header of 64 KiB", request(world, "GET", list, &format!("x-a: {long}\r\n"), b""), 431),
        ("10,000 headers", request(world, "GET", list, &many, b""), 431),
        (
            "two lengths",
            request(world, "POST", WEBHOOK, "content-length: 2\r\ncontent-length: 3\r\n", b"{}x"),
            400,
        ),
        (
            "a length and chunks",
            request(
                world,
                "POST",
                WEBHOOK,
                "content-length: 4\r\ntransfer-encoding: chunked\r\n",
                b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            ),
            400,
        ),
        (
            "an unknown transfer coding",
            request(world, "POST", WEBHOOK, "transfer-encoding: xchunked\r\n", b"0\r\n\r\n"),
            400,
        ),
        (
            "a chunk size that is none",
            request(
                world,
                "POST",
                WEBHOOK,
                "transfer-encoding: chunked\r\n",
                b"zz\r\n{}\r\n0\r\n\r\n",
            ),
            400,
        ),
        ("a second authorization", request(world, "GET", list, other, b""), 401),
        ("an encoded dot segment", request(world, "GET", "/api/%2e%2e/metrics", "", b""), 404),
        ("a NUL in the path", request(world, "GET", "/api/voice-interviews/%00", "", b""), 400),
        ("a path encoded twice", request(world, "GET", "/api/voice%252dinterviews", "", b""), 404),
        ("a dot behind the path", request(world, "GET", "/api/voice-interviews.", "", b""), 404),
        (
            "a method override",
            request(world, "GET", "/api/v1/dialing/stop", "x-http-method-override: POST\r\n", b""),
            405,
        ),
        ("a method that is none", request(world, "BREW", list, "", b""), 405),
        ("HTTP/2 without asking", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), 400),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), 400),
        ("no HTTP at all", b"hello\r\n\r\n".to_vec(), 400),
    ] {
        let status = raw(world, &bytes).await;
        assert!(status.is_none_or(|status| status == expected), "{what}: {status:?}");
    }
    // A length that is longer than what comes: the client went away, and nobody waits for it.
    let short =
        request(world, "POST", WEBHOOK, "content-length: 500\r\n", b"{\"callId\":\"lies\"}");
    let mut socket = TcpStream::connect(world.plan.listen).await.unwrap();
    socket.write_all(&short).await.unwrap();
    socket.shutdown().await.unwrap();
    let mut rest = Vec::new();
    timeout(Duration::from_secs(5), socket.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(!rest.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&rest));
}

async fn bodies_of_every_wrong_size(world: &World) {
    assert_eq!(json_bytes(world, WEBHOOK, b"").await.0, 400);
    assert_eq!(json_bytes(world, IMPORT, b"").await.0, 400);
    for (path, max) in [(WEBHOOK, WEBHOOK_BYTES_MAX), (IMPORT, IMPORT_BYTES_MAX)] {
        let full = vec![b' '; max];
        let (status, answer) = json_bytes(world, path, &full).await;
        assert_eq!((status, &answer["success"]), (400, &json!(false)), "{answer}");
        let (status, answer) = json_bytes(world, path, &vec![b' '; max + 1]).await;
        assert_eq!((status, &answer["code"]), (413, &json!("body_too_large")), "{answer}");
    }
    // Chunks without an end: it is cut off at the limit.
    let head = request(world, "POST", WEBHOOK, "transfer-encoding: chunked\r\n", b"");
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    let endless = [head, chunk.repeat(40)].concat();
    let status = raw(world, &endless).await;
    assert!(status.is_none_or(|status| status == 413), "{status:?}");
    for encoding in ["gzip", "br", "identity, gzip"] {
        let more = format!("content-encoding: {encoding}\r\ncontent-length: 2\r\n");
        let packed = request(world, "POST", WEBHOOK, &more, b"{}");
        assert_eq!(raw(world, &packed).await, Some(415), "{encoding}");
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
        let more = format!("content-type: {kind}\r\ncontent-length: 2\r\n");
        let status = raw(world, &request(world, "POST", IMPORT, &more, b"{}")).await;
        assert_eq!(status, Some(415), "{kind}");
    }
}

async fn json_of_every_wrong_shape(world: &World) {
    let deep = [b"[".repeat(10_000), b"]".repeat(10_000)].concat();
    let post = json!({"id": NEW, "title": "Engineer", "description": ""});
    let with = |field: &str, value: &str| {
        let mut post = post.clone();
        post[field] = json!("@");
        json!({"jobPosts": [post]}).to_string().replace("\"@\"", value).into_bytes()
    };
    for (what, body) in [
        ("nested 10,000 deep", deep),
        ("a member twice", br#"{"jobPosts":[],"jobPosts":[]}"#.to_vec()),
        ("invalid UTF-8", b"{\"jobPosts\":[\"\xff\xfe\"]}".to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("half a surrogate pair", with("title", r#""\ud800""#)),
        ("a NUL", with("title", r#""a\u0000b""#)),
        ("1e400", with("threshold", "1e400")),
        ("NaN", with("threshold", "NaN")),
        ("a number too large", with("threshold", "9007199254740993")),
        ("below zero", with("threshold", "-0.5")),
        ("a list for an object", b"[]".to_vec()),
        ("a list for an object within", with("weights", "[1,1,2]")),
        ("an object for a list", br#"{"jobPosts":{}}"#.to_vec()),
        ("a number for a text", with("title", "7")),
        ("null for a text", with("title", "null")),
        ("two values", b"{} {}".to_vec()),
        ("cut off", br#"{"jobPosts":["#.to_vec()),
    ] {
        let (status, answer) = json_bytes(world, IMPORT, &body).await;
        assert_eq!(status, 400, "{what}: {answer}");
        assert!(answer["code"].is_string() && answer["detail"].is_string(), "{what}: {answer}");
    }
}

const NEW: &str = "5f1d8f0e-0000-4000-8000-000000000001";

async fn questions_of_every_wrong_shape(world: &World) {
    let list = "/api/voice-interviews";
    for query in [
        "limit=0",
        "limit=-1",
        "limit=2147483648",
        "limit=1e2",
        "page=0",
        "page=-1",
        "page=99999999999999999999",
        "limit=10&limit=20",
        "status=ended'--",
        "dateFrom=%00",
        "dateFrom=2026-13-01",
        "dateFrom=+275760-09-14T00:00:00Z",
        "belongsTo=me",
        "provider=",
    ] {
        let path = format!("{list}?{query}");
        let (status, body) = world.api.send(Method::GET, &path, None).await.unwrap();
        // The old frontends send filters that are not set as empty ones.
        let expected = if query.ends_with('=') { 200 } else { 400 };
        assert_eq!(status.as_u16(), expected, "{query}: {body}");
    }
    for query in ["sort=password", "cursor=forged", "limit=201", "q=%00", "scope=all"] {
        let path = format!("/api/v1/screenings?{query}");
        let (status, body) = world.api.send(Method::GET, &path, None).await.unwrap();
        assert_eq!(status.as_u16(), 400, "{query}: {body}");
    }
    let long = format!("{list}?q={}", "x".repeat(100 * 1024));
    let status = raw(world, &request(world, "GET", &long, "", b"")).await;
    assert!(status.is_none_or(|status| (400..500).contains(&status)), "{status:?}");
    let missing = async |id: &str| {
        let path = format!("{list}/{id}");
        let (status, mut body) = world.api.send(Method::GET, &path, None).await.unwrap();
        for field in ["requestId", "instance", "timestamp"] {
            body[field] = Value::Null;
        }
        (status.as_u16(), body)
    };
    let nil = missing("00000000-0000-0000-0000-000000000000").await;
    assert_eq!(nil.0, 404);
    assert_eq!(missing("7F1D8F0E-0000-4000-8000-00000000000A").await, nil, "in capitals");
    for id in
        ["7", "-1", "7f1d8f0e", "%F0%9F%92%A9", "a%2fb", "{7f1d8f0e-0000-4000-8000-00000000000a}"]
    {
        let status = missing(id).await.0;
        assert!([400, 404].contains(&status), "{id}: {status}");
    }
}

async fn fields_that_are_not_the_callers_to_set(world: &World) {
    let application = json!({
        "id": NEW, "jobPostId": NEW, "candidateName": "Asha", "phoneNumber": "+919529117230",
    });
    for field in ["tenantId", "createdBy", "status", "callProcessedAt", "role", "finalScore"] {
        let mut wrong = application.clone();
        wrong[field] = json!("x");
        let body = json!({"applications": [wrong]});
        let (status, answer) = world.api.send(Method::POST, IMPORT, Some(&body)).await.unwrap();
        assert_eq!(status.as_u16(), 400, "{field}: {answer}");
        let pointer = format!("#/applications/0/{field}");
        assert_eq!(answer["errors"][0]["pointer"], pointer, "{answer}");
    }
}

async fn webhooks_with_the_wrong_secret(world: &World) {
    let secret = world.plan.keys.webhook_secret.clone();
    let url = format!("{}{WEBHOOK}", world.base());
    let http = reqwest::Client::new();
    let wrong = [
        String::new(),
        secret[..secret.len() - 1].to_owned(),
        format!("{secret}x"),
        format!("x{secret}"),
        format!("{secret}, {secret}"),
        secret
            .chars()
            .map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
            .collect(),
        world.plan.keys.service_token.clone(),
    ];
    for wrong in wrong {
        let request = http.post(&url).header("x-webhook-secret", &wrong).body(r#"{"callId":"c"}"#);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "{wrong}");
    }
    let twice =
        http.post(&url).header("x-webhook-secret", &secret).header("x-webhook-secret", "no");
    assert_eq!(twice.body("{}").send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let bearer = http.post(&url).bearer_auth(&secret).body(r#"{"callId":"c"}"#);
    assert_eq!(bearer.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

/// Authentic bytes with a usable call id are evidence: taken, and what is unusable is named.
async fn evidence_of_every_wrong_shape(world: &World) {
    for (what, body) in [
        ("no object", b"[]".to_vec()),
        ("no call id", br#"{"status":"ended"}"#.to_vec()),
        ("a number for it", br#"{"callId":7}"#.to_vec()),
        ("an empty one", br#"{"callId":" "}"#.to_vec()),
        ("one of 10 KB", json!({"callId": "x".repeat(10_000)}).to_string().into_bytes()),
        ("no UTF-8", b"{\"callId\":\"\xff\"}".to_vec()),
        ("half a character in it", br#"{"callId":"call_\ud800"}"#.to_vec()),
    ] {
        let (status, answer) = json_bytes(world, WEBHOOK, &body).await;
        assert_eq!(status, 400, "{what}: {answer}");
        assert!(
            answer["errors"][0]["pointer"].is_string() || answer["detail"].is_string(),
            "{answer}"
        );
    }
    for (field, value) in [
        ("status", r#""melting""#),
        ("status", r#""ENDED""#),
        ("status", "7"),
        ("duration", "-1"),
        ("duration", r#""long""#),
        ("duration", "1e999"),
        ("summary", r#""cut \ud83d""#),
        ("cost", r#""$0.38""#),
        ("cost", "-3"),
        ("recordingUrl", r#""javascript:alert(1)""#),
        ("recordingUrl", r#""file:///etc/passwd""#),
        ("recordingUrl", "{}"),
        ("messages", r#""hello""#),
        ("messages", r#"[7, null, {"role": "ghost"}]"#),
        ("applicationId", r#""seven""#),
        ("belongsTo", "[]"),
        ("phoneNumber", r#""110""#),
        ("provider", r#""carrier pigeon""#),
        ("occurredAt", r#""yesterday""#),
        ("failureReason", r#""because""#),
        ("metadata", r#"{"intentId": "mine"}"#),
    ] {
        let body = format!(r#"{{"callId":"call_{field}","{field}":{value}}}"#);
        let (status, answer) = json_bytes(world, WEBHOOK, body.as_bytes()).await;
        assert_eq!(status, 200, "{field}: {value}: {answer}");
        let remarks = answer["data"]["remarks"].as_str().unwrap_or_default();
        assert_eq!(remarks.matches(field).count(), 1, "{field}: {value}: {answer}");
    }
    let hostile = json!({
        "callId": "call_hostile", "status": "ended", "duration": 1e9, "unheardOf": {"a": [1]},
        "summary": "<script>alert(1)</script>\u{202e}\u{200b}\u{0}", "candidateName": "\u{202e}nasA",
    });
    let (status, answer) = json_bytes(world, WEBHOOK, hostile.to_string().as_bytes()).await;
    assert_eq!(status, 200, "{answer}");
    let id = answer["id"].as_str().unwrap();
    let path = format!("/api/voice-interviews/{id}");
    let (_, detail) = world.api.send(Method::GET, &path, None).await.unwrap();
    let summary = detail["data"]["summary"].as_str().unwrap();
    assert_eq!(summary, "<script>alert(1)</script>\u{202e}\u{200b}\u{fffd}", "kept as data");
}

async fn late_and_early_and_empty_reports(world: &World) {
    let tell = async |body: Value| {
        let (status, answer) = json_bytes(world, WEBHOOK, body.to_string().as_bytes()).await;
        assert_eq!(status, 200, "{answer}");
        (answer["id"].as_str().unwrap().to_owned(), answer["data"]["verdict"].clone())
    };
    let turns: Vec<_> =
        (0..500).map(|n| json!({"role": "user", "message": format!("turn {n}")})).collect();
    let full = json!({"callId": "call_late", "eventId": "e1", "status": "ended", "duration": 90.0,
        "transcript": "words ".repeat(50), "messages": turns});
    let (id, verdict) = tell(full.clone()).await;
    assert_eq!(verdict, "applied");
    assert_eq!(
        tell(json!({"callId": "call_late", "status": "ringing"})).await.1,
        "rejected(backward)"
    );
    assert_eq!(tell(full.clone()).await.1, "rejected(duplicate)", "a replay");
    let same_name = json!({"callId": "call_late", "eventId": "e1", "cost": 3.0});
    assert_eq!(tell(same_name).await.1, "rejected(duplicate)", "one event id is one event");
    let emptier = json!({"callId": "call_late", "eventId": "e2", "status": "ended", "transcript": "",
        "messages": []});
    tell(emptier).await;
    let path = format!("/api/voice-interviews/{id}");
    let (_, detail) = world.api.send(Method::GET, &path, None).await.unwrap();
    let interview = &detail["data"];
    assert_eq!(interview["status"], "ended", "{interview}");
    assert_eq!(
        interview["messages"].as_array().unwrap().len(),
        500,
        "an emptier one erases nothing"
    );
    assert_eq!(interview["cost"], Value::Null);
    let many: Vec<_> = (0..100_000).map(|_| json!({"role": "user", "message": "x"})).collect();
    let many = json!({"callId": "call_many", "status": "ended", "messages": many});
    let (status, _) = json_bytes(world, WEBHOOK, many.to_string().as_bytes()).await;
    assert_eq!(status, 413, "100,000 turns are larger than a webhook may be");
    assert!(Uuid::parse_str(&id).is_ok());
}
