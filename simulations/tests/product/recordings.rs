//! Recordings, from the engine that keeps them to whoever may hear them.

use chrono::TimeDelta;
use reqwest::header::{HeaderMap, RANGE};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use simulations::cast::{Candidate, Home};
use simulations::engine::{CallScript, EngineSettings, Provider};
use simulations::product::Role;
use uuid::Uuid;

use crate::harness::{ADMIN, SOON, World, ended, eventually};

/// The recordings of the tests' engine, a tone of one second.
const WAV_BYTES: usize = 44 + 16_000;

/// Asks for `path`, with the role of an administrator where no token is given.
async fn get(world: &World, token: Option<&str>, path: &str, range: Option<&str>) -> Response {
    let admin = world.token(Role::Admin, ADMIN);
    let request = Client::new().get(format!("{}{path}", world.base()));
    let mut request = request.bearer_auth(token.unwrap_or(&admin));
    if let Some(range) = range {
        request = request.header(RANGE, range);
    }
    request.send().await.unwrap()
}

async fn problem(response: Response) -> (u16, String, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (status, text(&body["code"]), text(&body["errors"][0]["pointer"]))
}

fn code(status: u16, code: &str) -> (u16, String, String) {
    (status, code.to_owned(), String::new())
}

fn by_address(address: &str) -> String {
    format!("/api/voice-interviews/recording-proxy?url={}", escaped(address))
}

/// Escapes everything but letters and digits.
fn escaped(text: &str) -> String {
    let escaped = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    });
    escaped.collect()
}

/// Has the engine hold one conversation at Vapi and one over Twilio; returns their owners, their ids and
/// where their recordings lie.
async fn conversations(world: &World) -> [(Uuid, String, String); 2] {
    let mut cast = [0, 1].map(|position| Candidate::living(Home::India, 7, position));
    for (candidate, provider) in cast.iter_mut().zip([Provider::Vapi, Provider::OpenaiTwilio]) {
        candidate.application.provider = provider;
        candidate.application.attempts = vec![CallScript::boundary(90.0, 400)];
    }
    world.call(&cast, TimeDelta::zero()).await;
    let mut found = Vec::new();
    for candidate in &cast {
        let path = format!("/api/voice-interviews?applicationId={}", candidate.id());
        let row = eventually(SOON, "the recording is processed", async || {
            let list: Value = get(world, None, &path, None).await.json().await.unwrap();
            let row = list["data"].as_array()?.first()?.clone();
            let id = row["id"].as_str()?;
            row["recordingUrl"].as_str()?;
            let path = format!("/api/voice-interviews/{id}/recording");
            let answer = get(world, None, &path, None).await;
            answer.status().is_success().then_some(row)
        })
        .await;
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        found.push((candidate.application.belongs_to.unwrap(), text("id"), text("recordingUrl")));
    }
    found.try_into().unwrap()
}

fn setup() -> crate::harness::Setup {
    let environment = EngineSettings::default().twilio_login();
    crate::harness::Setup { environment, ..crate::harness::Setup::default() }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn recordings_are_heard_by_those_who_may_and_nobody_else() {
    let mut world = World::with(setup()).await;
    let [vapi, twilio] = conversations(&world).await;
    for (_, id, address) in [&vapi, &twilio] {
        for path in [format!("/api/voice-interviews/{id}/recording"), by_address(address)] {
            whole_and_in_parts(&world, id, &path).await;
        }
    }
    assert!(twilio.2.contains("/2010-04-01/Accounts/"), "one of them needs a login");
    others_hear_nothing(&world, &vapi, &twilio).await;
    bad_addresses_are_refused(&world, &vapi).await;
    what_was_not_recorded_has_no_recording(&world).await;
    without_a_login_twilio_is_not_asked(&mut world, &vapi, &twilio).await;
    world.end().await;
}

async fn whole_and_in_parts(world: &World, id: &str, path: &str) {
    let whole = get(world, None, path, None).await;
    assert_eq!(whole.status(), 200, "{path}");
    let headers = whole.headers().clone();
    for (name, value) in [
        ("content-type", "audio/wav"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("cache-control", "private, no-store"),
        ("accept-ranges", "bytes"),
        ("content-length", "16044"),
        ("content-disposition", &format!("attachment; filename=\"recording-{id}.wav\"")),
    ] {
        assert_eq!(header(&headers, name), value, "{name}");
    }
    let whole = whole.bytes().await.unwrap();
    assert_eq!((whole.len(), &whole[..4]), (WAV_BYTES, &b"RIFF"[..]));

    let part = get(world, None, path, Some("bytes=8-11")).await;
    assert_eq!(part.status(), 206, "{path}");
    assert_eq!(header(part.headers(), "content-range"), "bytes 8-11/16044");
    assert_eq!(part.bytes().await.unwrap(), "WAVE");
    let end = get(world, None, path, Some("bytes=-4")).await;
    assert_eq!(end.bytes().await.unwrap(), whole[WAV_BYTES - 4..]);

    let behind = get(world, None, path, Some("bytes=99999-")).await;
    assert_eq!(header(behind.headers(), "content-range"), "bytes */16044");
    assert_eq!(problem(behind).await, code(416, "range_not_satisfiable"));
    for abuse in ["bytes=0-0,1-1", "bytes=5-1", "bytes=x", "bytes=-0"] {
        let refused = problem(get(world, None, path, Some(abuse)).await).await;
        let pointed = (416, "range_not_satisfiable".to_owned(), "#/range".to_owned());
        assert_eq!(refused, pointed, "{abuse}");
    }
    let other_unit = get(world, None, path, Some("seconds=1-2")).await;
    assert_eq!(other_unit.status(), 200, "what is no range of bytes is ignored");
}

async fn others_hear_nothing(
    world: &World,
    vapi: &(Uuid, String, String),
    twilio: &(Uuid, String, String),
) {
    let owner = world.token(Role::Hr, vapi.0);
    let another = Uuid::from_u128(0xe);
    world.know_tenant(another).await;
    let elsewhere = world.token_in(another, Role::Admin, ADMIN);
    let student = world.token(Role::Student, vapi.0);
    let of = |id: &str| format!("/api/voice-interviews/{id}/recording");
    for path in [of(&vapi.1), by_address(&vapi.2)] {
        assert_eq!(get(world, Some(&owner), &path, None).await.status(), 200, "{path}");
        assert_eq!(get(world, Some(&student), &path, None).await.status(), 403, "{path}");
        let anonymous = Client::new().get(format!("{}{path}", world.base())).send().await.unwrap();
        assert_eq!(anonymous.status(), 401, "{path}");
    }
    for (token, row) in [(&owner, twilio), (&elsewhere, vapi), (&elsewhere, twilio)] {
        let hidden = problem(get(world, Some(token), &of(&row.1), None).await).await;
        assert_eq!(hidden, code(404, "interview_not_found"));
        let hidden = problem(get(world, Some(token), &by_address(&row.2), None).await).await;
        assert_eq!(hidden, code(404, "recording_not_found"));
    }
}

async fn bad_addresses_are_refused(world: &World, vapi: &(Uuid, String, String)) {
    let pointed = (400, "invalid_request".to_owned(), "#/url".to_owned());
    let engine = format!("{}/calls", world.plan.engine_url);
    for bad in [
        "x",
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data/",
        "https://storage.vapi.ai@evil.example/a.wav",
        "https://storage.vapi.ai.evil.example/a.wav",
        "https://storage.vapi.ai:22/a.wav",
        "https://127.0.0.1/a.wav",
        "https://storage.vapi.ai/a\0.wav",
        &engine,
        &vapi.2.replace("http://", "https://"),
        &format!("https://storage.vapi.ai/{}", "a".repeat(3_000)),
    ] {
        let refused = problem(get(world, None, &by_address(bad), None).await).await;
        assert_eq!(refused, pointed, "{bad:?}");
    }
    let nowhere = "/api/voice-interviews/recording-proxy";
    assert_eq!(problem(get(world, None, nowhere, None).await).await, pointed);
    // One of a platform's that is no interview's is nobody's: there is no open proxy.
    let foreign = by_address("https://storage.vapi.ai/somebody-elses.wav");
    assert_eq!(
        problem(get(world, None, &foreign, None).await).await,
        code(404, "recording_not_found")
    );
}

async fn what_was_not_recorded_has_no_recording(world: &World) {
    let silent = world.tell(&ended("call_silent")).await;
    let mut report = ended("call_elsewhere");
    report["recordingUrl"] = json!("https://evil.example/a.wav");
    let elsewhere = world.tell(&report).await;
    let mut report = ended("call_gone");
    let gone = format!("{}/recordings/RE{:032x}.wav", world.plan.engine_url, 7);
    report["recordingUrl"] = json!(gone);
    let gone = world.tell(&report).await;
    for (id, expected) in [
        (silent, code(404, "recording_not_found")),
        (elsewhere, code(404, "recording_refused")),
        (gone, code(404, "recording_absent")),
    ] {
        let path = format!("/api/voice-interviews/{id}/recording");
        assert_eq!(problem(get(world, None, &path, None).await).await, expected);
    }
    let path = "/api/voice-interviews/not-a-uuid/recording";
    assert_eq!(get(world, None, path, None).await.status(), 400);
}

async fn without_a_login_twilio_is_not_asked(
    world: &mut World,
    vapi: &(Uuid, String, String),
    twilio: &(Uuid, String, String),
) {
    let server = world.server.take().unwrap();
    assert!(server.stop(SOON).await.unwrap().success());
    world.plan.environment.clear();
    world.start_again().await;
    let of = |id: &str| format!("/api/voice-interviews/{id}/recording");
    let refused = problem(get(world, None, &of(&twilio.1), None).await).await;
    assert_eq!(refused, code(503, "recordings_not_configured"));
    assert_eq!(get(world, None, &of(&vapi.1), None).await.status(), 200);
}
