//! Every route, as somebody with `curl` walks them.

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulations::cast::{Candidate, Home};
use simulations::engine::{CallScript, Outcome};
use simulations::product::{Api, Role};
use uuid::Uuid;

use crate::harness::{SOON, World, ended, eventually};

const NOBODY: &str = "7f1d8f0e-0000-4000-8000-000000000000";

/// Returns what `/readyz?verbose` says of one thing: whether it is well, and in which words.
async fn checked(api: &Api, name: &str) -> (bool, String) {
    let body = answers(api, Method::GET, "/readyz?verbose", 200).await;
    let checks = body["data"]["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name).unwrap();
    assert!(check["gates"] == (name == "journal"), "{check}");
    (check["ok"] == true, check["note"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn engine_that_is_away_is_shown_and_gates_nothing() {
    let mut world = World::new().await;
    eventually(SOON, "the server reconciles", async || {
        let (_, note) = checked(&world.api, "reconciliation").await;
        note.starts_with("reconciled with the call engine: ").then_some(())
    })
    .await;
    assert_eq!(checked(&world.api, "engine").await, (true, "reachable".to_owned()));

    let server = world.server.take().unwrap();
    assert!(server.stop(SOON).await.unwrap().success());
    world.plan.engine_url = "http://127.0.0.1:1/mr-hire".to_owned();
    world.start_again().await;
    let sync = answers(&world.api, Method::POST, "/api/voice-interviews/sync", 503).await;
    assert_eq!(
        (&sync["code"], &sync["retryable"]),
        (&json!("engine_unreachable"), &json!(true)),
        "{sync}"
    );
    eventually(SOON, "the server gives up reconciling", async || {
        let (is_well, note) = checked(&world.api, "reconciliation").await;
        (!is_well && note.starts_with("not reconciled")).then_some(())
    })
    .await;
    let away = (false, "the call engine cannot be reached".to_owned());
    assert_eq!(checked(&world.api, "engine").await, away);
    let log = std::fs::read_to_string(&world.plan.log_file).unwrap();
    assert_eq!(log.matches("reconciled with the call engine: ").count(), 2, "one did, one did not");
    assert_eq!(log.matches("the call engine cannot be reached").count(), 1, "it is said once");
    world.end().await;
}

/// A request, and the status it must be answered with.
async fn answers(api: &Api, method: Method, path: &str, status: u16) -> Value {
    let (found, body) = api.send(method.clone(), path, None).await.unwrap();
    assert_eq!(found.as_u16(), status, "{method} {path}: {body}");
    assert_eq!(body["success"], found.is_success(), "{method} {path}: {body}");
    if !found.is_success() {
        assert_eq!(body["status"], status, "{method} {path}: {body}");
        assert!(body["code"].is_string() && body["detail"].is_string(), "{method} {path}: {body}");
    }
    body
}

fn routes() -> [(Method, String); 13] {
    let of = |method: Method, path: &str| (method, path.replace("ID", NOBODY));
    [
        of(Method::GET, "/api/voice-interviews"),
        of(Method::GET, "/api/voice-interviews/stats"),
        of(Method::GET, "/api/voice-interviews/ID"),
        of(Method::GET, "/api/voice-interviews/ID/recording"),
        of(Method::POST, "/api/voice-interviews/sync"),
        of(Method::DELETE, "/api/voice-interviews/ID"),
        of(Method::GET, "/api/v1/screenings"),
        of(Method::GET, "/api/v1/screenings/ID"),
        of(Method::GET, "/api/v1/tree"),
        of(Method::GET, "/api/v1/dialing"),
        of(Method::POST, "/api/v1/dialing/stop"),
        of(Method::POST, "/api/v1/dialing/resume"),
        of(Method::POST, "/api/v1/actors/interview/ID/release"),
    ]
}

#[tokio::test]
async fn every_route_answers_with_the_agreed_codes() {
    let world = World::new().await;
    strangers_are_turned_away(&world).await;
    malformed_questions_are_answered_with_a_pointer(&world.api).await;
    what_does_not_exist_is_not_found(&world.api).await;
    webhooks_are_taken(&world).await;
    reading_and_deleting(&world).await;
    recruiters_see_their_own(&world).await;
    world.end().await;
}

async fn strangers_are_turned_away(world: &World) {
    let stranger = world.api.with_token(None);
    let forged = world.api.with_token(Some("no.token.atall".to_owned()));
    let student = world.api.with_token(Some(world.token(Role::Student, Uuid::from_u128(9))));
    let recruiter = world.api.with_token(Some(world.token(Role::Hr, Uuid::from_u128(8))));
    for (method, path) in routes() {
        answers(&stranger, method.clone(), &path, 401).await;
        answers(&forged, method.clone(), &path, 401).await;
        answers(&student, method.clone(), &path, 403).await;
        let is_for_admins =
            method != Method::GET || path.contains("tree") || path.contains("dialing");
        if is_for_admins {
            answers(&recruiter, method, &path, 403).await;
        }
    }
    let (status, _) =
        stranger.send(Method::POST, "/api/v1/applications/import", Some(&json!({}))).await.unwrap();
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

async fn malformed_questions_are_answered_with_a_pointer(api: &Api) {
    let list = "/api/voice-interviews";
    for (path, pointer) in [
        (format!("{list}?status=melting"), "#/status"),
        (format!("{list}?dateFrom=yesterday"), "#/dateFrom"),
        (format!("{list}?page=none"), "#/page"),
        (format!("{list}?applicationId=7"), "#/applicationId"),
        (format!("{list}/seven"), "#/id"),
        ("/api/v1/screenings?limit=9999".to_owned(), "#/limit"),
        ("/api/v1/screenings/seven".to_owned(), "#/application_id"),
    ] {
        let body = answers(api, Method::GET, &path, 400).await;
        assert_eq!(body["errors"][0]["pointer"], pointer, "{path}: {body}");
    }
    let wrong = json!({"applications": [{
        "id": NOBODY, "jobPostId": NOBODY, "candidateName": " ", "phoneNumber": "110",
    }]});
    let (status, body) =
        api.send(Method::POST, "/api/v1/applications/import", Some(&wrong)).await.unwrap();
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    let pointers: Vec<_> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(
        pointers,
        ["#/applications/0/candidateName", "#/applications/0/phoneNumber"],
        "{body}"
    );
}

async fn what_does_not_exist_is_not_found(api: &Api) {
    for (method, path) in routes() {
        if path.contains(NOBODY) {
            answers(api, method, &path, 404).await;
        }
    }
    answers(api, Method::POST, &format!("/api/v1/actors/unicorn/{NOBODY}/release"), 400).await;
    answers(api, Method::PATCH, "/api/v1/tree", 405).await;
}

async fn webhooks_are_taken(world: &World) {
    let url = format!("{}/api/voice-interviews/webhook", world.base());
    let http = reqwest::Client::new();
    let post = async |secret: Option<&str>, body: String| {
        let mut request = http.post(&url).header("content-type", "application/json").body(body);
        if let Some(secret) = secret {
            request = request.header("x-webhook-secret", secret);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let secret = Some(world.plan.keys.webhook_secret.as_str());
    let body = ended("call_walk").to_string();
    assert_eq!(post(None, body.clone()).await.0, 401);
    assert_eq!(post(Some("open sesame"), body.clone()).await.0, 401);
    let (status, first) = post(secret, body.clone()).await;
    assert_eq!(status, 200, "{first}");
    assert_eq!((&first["success"], &first["ok"]), (&json!(true), &json!(true)));
    assert_eq!(first["id"], first["data"]["id"]);
    let (status, again) = post(secret, body).await;
    assert_eq!((status, &again["id"]), (200, &first["id"]));
    assert_eq!(again["data"]["verdict"], "rejected(duplicate)");
    for unusable in ["{", "[]", "{}", r#"{"callId":""}"#] {
        assert_eq!(post(secret, unusable.to_owned()).await.0, 400, "{unusable}");
    }
    let strange = json!({"callId": "call_strange", "status": "melting", "duration": "long"});
    let (status, strange) = post(secret, strange.to_string()).await;
    assert_eq!(status, 200, "{strange}");
    assert!(strange["data"]["remarks"].is_string(), "{strange}");
    let large = json!({"callId": "call_large", "summary": "x".repeat(3 * 1024 * 1024)});
    assert_eq!(post(secret, large.to_string()).await.0, 413);
}

async fn reading_and_deleting(world: &World) {
    let api = &world.api;
    let list = answers(api, Method::GET, "/api/voice-interviews?status=ended", 200).await;
    assert_eq!(list["pagination"]["total"], 1, "{list}");
    assert!(list["meta"]["seq"].is_i64(), "{list}");
    let row = &list["data"][0];
    assert_eq!((&row["callId"], &row["outcome"]), (&json!("call_walk"), &json!("too_short")));
    let id = row["id"].as_str().unwrap();
    let path = format!("/api/voice-interviews/{id}");
    let detail = answers(api, Method::GET, &path, 200).await;
    assert_eq!(detail["data"]["messages"][0]["message"], "Hello?");
    let stats = answers(api, Method::GET, "/api/voice-interviews/stats", 200).await;
    assert_eq!(stats["data"]["byStatus"]["ended"], 1, "{stats}");
    answers(api, Method::POST, "/api/voice-interviews/sync", 200).await;
    answers(api, Method::GET, "/api/v1/tree", 200).await;
    let deleted = answers(api, Method::DELETE, &path, 200).await;
    assert_eq!(deleted["data"], json!({"id": id, "deleted": true}));
    answers(api, Method::DELETE, &path, 404).await;
    answers(api, Method::GET, &path, 404).await;
}

async fn recruiters_see_their_own(world: &World) {
    let mut cast = [0, 1].map(|position| Candidate::living(Home::India, 7, position));
    for candidate in &mut cast {
        candidate.application.attempts = vec![CallScript::ending(Outcome::NoAnswer)];
    }
    world.call(&cast, TimeDelta::zero()).await;
    let screening = |candidate: &Candidate| format!("/api/v1/screenings/{}", candidate.id());
    eventually(SOON, "both were called", async || {
        for candidate in &cast {
            let row = world.api.screening(candidate.id()).await.unwrap()?;
            row.next_attempt_at?;
        }
        Some(())
    })
    .await;
    let owner = cast[0].application.belongs_to.unwrap();
    let recruiter = world.api.with_token(Some(world.token(Role::Hr, owner)));
    let list = answers(&recruiter, Method::GET, "/api/voice-interviews", 200).await;
    assert_eq!(list["pagination"]["total"], 1, "{list}");
    assert_eq!(list["data"][0]["applicationId"], json!(cast[0].id()));
    answers(&recruiter, Method::GET, &screening(&cast[0]), 200).await;
    answers(&recruiter, Method::GET, &screening(&cast[1]), 404).await;
    let of_other = world.api.interviews(Some(cast[1].id())).await.unwrap();
    let path = format!("/api/voice-interviews/{}", of_other[0].id);
    answers(&recruiter, Method::GET, &path, 404).await;
}
