//! Calls that are asked for over HTTP: placed once, whatever is lost on the way, and refused with a pointer.

use std::collections::HashSet;

use reqwest::StatusCode;
use serde_json::{Value, json};
use simulations::cast::{self, Candidate, Home};
use simulations::engine::{CallScript, DialAnswer, Faults, Outcome, World as People};
use simulations::product::{Api, Feed, Frame, Role};
use uuid::Uuid;

use crate::harness::{ADMIN, SOON, Setup, World, eventually};

/// Slow enough that a dial leaves in its 10 simulated seconds, which are 170 ms, at the first attempt.
const CALM: f64 = 60.0;
/// A recruiter.
const RECRUITER: Uuid = Uuid::from_u128(0x4a);
/// Where it is night while it is morning in India.
const ASLEEP: &str = "America/New_York";

/// An answer: status, body, and whether it says that it was given before.
struct Said {
    status: u16,
    body: Value,
    is_replayed: bool,
}

impl Said {
    fn id(&self) -> Uuid {
        self.body["data"]["id"].as_str().unwrap_or_else(|| panic!("{}", self.body)).parse().unwrap()
    }

    /// Fails unless it is a problem with this status and code; answers the pointers.
    fn refused(&self, status: u16, code: &str) -> Vec<String> {
        assert_eq!((self.status, &self.body["code"]), (status, &json!(code)), "{}", self.body);
        let errors = self.body["errors"].as_array().into_iter().flatten();
        errors.map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    }
}

/// Somebody who asks for calls.
struct Asker {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

impl Asker {
    fn new(world: &World, token: Option<String>) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, url: format!("{}/api/mr-hire/call", world.base()), token }
    }

    fn admin(world: &World) -> Self {
        Self::new(world, Some(world.token(Role::Admin, ADMIN)))
    }

    fn service(world: &World) -> Self {
        Self::new(world, Some(world.plan.keys.service_token.clone()))
    }

    async fn raw(&self, key: Option<&[u8]>, body: String) -> Said {
        let mut request = self.http.post(&self.url).header("content-type", "application/json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let answer = request.body(body).send().await.unwrap();
        let is_replayed =
            answer.headers().get("idempotency-replayed").is_some_and(|said| said == "true");
        let status = answer.status().as_u16();
        Said { status, body: answer.json().await.unwrap(), is_replayed }
    }

    async fn ask(&self, key: &str, body: &Value) -> Said {
        self.raw(Some(key.as_bytes()), body.to_string()).await
    }

    async fn once(&self, body: &Value) -> Said {
        self.raw(None, body.to_string()).await
    }
}

/// What is asked for, of the `n`-th person.
fn wanted(n: u32) -> Value {
    json!({
        "phoneNumber": format!("+91000020{n:04}"), "candidateName": format!("Candidate {n}"),
        "role": "Backend Engineer",
    })
}

fn with(mut body: Value, change: Value) -> Value {
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// Starts a world in the calling hours. Its engine rings again for a key that it knows: what rings once does so
/// because it was asked for once.
async fn calm(mut faults: Faults) -> World {
    faults.dial.keys_ignored = true;
    let world = World::with(Setup { faults, speed: CALM, ..Setup::default() }).await;
    let clock = world.engine.engine().clock();
    let opens = crate::harness::morning();
    eventually(SOON, "it is nine in India", async || (clock.now() > opens).then_some(())).await;
    world
}

/// Asserts that no dial was carried out twice; returns how many calls were begun.
fn begun(world: &World) -> usize {
    let ledger = world.engine.engine().ledger();
    let begun = ledger.requests.iter().filter(|request| request.answer.began().is_some());
    let keys: Vec<_> = begun.map(|request| request.idempotency_key.clone().unwrap()).collect();
    let different: HashSet<_> = keys.iter().collect();
    assert_eq!(different.len(), keys.len(), "a key was dialled twice");
    keys.len()
}

async fn over(api: &Api, id: Uuid) -> String {
    eventually(SOON, "the call is over", async || {
        api.interview(id)
            .await
            .unwrap()
            .row
            .outcome
            .filter(|outcome| outcome != "awaiting_transcript")
    })
    .await
}

#[tokio::test]
async fn call_that_is_asked_for_is_placed_and_its_name_known_at_once() {
    let world = calm(Faults::default()).await;
    let admin = Asker::admin(&world);
    let body = with(wanted(1), json!({"provider": "elevenlabs", "unknown": {"a": 1}}));
    let said = admin.once(&body).await;
    let data = &said.body["data"];
    assert_eq!((said.status, &said.body["success"]), (200, &json!(true)), "{}", said.body);
    assert!(data["callId"].is_string(), "the engine has answered: {}", said.body);
    assert_eq!((&data["provider"], &data["promptId"]), (&json!("elevenlabs"), &Value::Null));
    assert_eq!((&data["missing"], data.get("notBefore")), (&json!([]), None), "{}", said.body);
    assert!(!said.is_replayed);

    let row = world.api.interview(said.id()).await.unwrap().row;
    assert_eq!(row.call_id.as_deref(), data["callId"].as_str());
    assert_eq!(row.candidate_name.as_deref(), Some("Candidate 1"));
    let ledger = world.engine.engine().ledger();
    assert_eq!((ledger.calls.len(), ledger.calls[0].application_id), (1, None));
    over(&world.api, said.id()).await;
    assert_eq!(begun(&world), 1);
    assert_eq!(world.api.interviews(None).await.unwrap().len(), 1, "its webhooks found it");
    world.end().await;
}

#[tokio::test]
async fn call_outside_of_the_window_is_planned_for_its_opening_and_seen_at_once() {
    let world = calm(Faults::default()).await;
    let mut feed = Feed::open(&world.base(), &world.token(Role::Admin, ADMIN)).await.unwrap();
    let admin = Asker::admin(&world);
    // The other spelling of every field, as some clients have it.
    let body = json!({
        "phone_number": "+12125550101", "candidate_name": "Candidate 1", "role": "Nurse",
        "belongs_to": RECRUITER, "time_zone": ASLEEP, "variables": {"notes": "{{role}}"},
    });
    let said = admin.once(&body).await;
    let data = &said.body["data"];
    assert_eq!((said.status, &data["callId"]), (200, &Value::Null), "{}", said.body);
    assert_eq!(data["status"], "queued");
    assert_eq!(data["notBefore"], "2027-03-01T14:00:00Z", "nine in New York");

    let rows = world.api.interviews(None).await.unwrap();
    assert_eq!((rows.len(), rows[0].id, rows[0].status.as_str()), (1, said.id(), "queued"));
    let recruiter = world.api.with_token(Some(world.token(Role::Hr, RECRUITER)));
    assert_eq!(recruiter.interviews(None).await.unwrap().len(), 1, "it is theirs");
    feed.subscribe("calls", Some(feed.seq)).await.unwrap();
    let told = async {
        loop {
            let events = match feed.next().await.unwrap() {
                Frame::Ev { event } => vec![event],
                Frame::Batch { events } => events,
                _ => continue,
            };
            if let Some(event) = events.into_iter().find(|e| e.name == "interview.dial_planned") {
                return event;
            }
        }
    };
    let event = tokio::time::timeout(SOON, told).await.unwrap();
    assert_eq!(event.data["id"], json!(said.id()));
    assert_eq!(world.engine.engine().ledger().requests, []);
    world.end().await;
}

#[tokio::test]
async fn webhook_that_overtakes_the_engines_answer_finds_its_interview() {
    let faults = json!({"dial": {"answerAfterFirstWebhook": 1.0}});
    let world = calm(serde_json::from_value(faults).unwrap()).await;
    let said = Asker::admin(&world).once(&wanted(1)).await;
    assert_eq!(said.status, 200, "{}", said.body);
    over(&world.api, said.id()).await;
    let rows = world.api.interviews(None).await.unwrap();
    assert_eq!((rows.len(), rows[0].id), (1, said.id()), "{rows:?}");
    assert_eq!(begun(&world), 1);
    world.end().await;
}

#[tokio::test]
async fn dial_whose_answer_is_lost_is_looked_up_and_never_sent_again() {
    for fault in ["acceptThenTimeOut", "acceptThenFail"] {
        // Nothing is heard of the calls until they are looked up: every webhook is lost.
        let faults = json!({"dial": {fault: 1.0}, "webhooks": {"lose": 1.0}, "holdS": 0.4});
        let world = calm(serde_json::from_value(faults).unwrap()).await;
        let admin = Asker::admin(&world);
        let mut ids = Vec::new();
        for n in 0..3 {
            let said = admin.ask(&format!("lost-{n}"), &wanted(n)).await;
            assert_eq!((said.status, &said.body["data"]["callId"]), (200, &Value::Null), "{fault}");
            ids.push(said.id());
        }
        for id in ids {
            eventually(SOON, "the call is found in the engine's list", async || {
                world.api.interview(id).await.unwrap().row.call_id
            })
            .await;
        }
        let ledger = world.engine.engine().ledger();
        assert_eq!(ledger.requests.len(), 3, "{fault}: {:?}", ledger.requests);
        let is_untold = |answer: &DialAnswer| !answer.was_told() && answer.began().is_some();
        assert!(ledger.requests.iter().all(|request| is_untold(&request.answer)), "{fault}");
        assert_eq!(begun(&world), 3, "{fault}");
        world.end().await;
    }
}

#[tokio::test]
async fn request_under_a_key_is_carried_out_once_also_across_a_crash() {
    let mut world = calm(Faults::default()).await;
    let admin = Asker::admin(&world);
    let body = wanted(1);
    let many = (0..8).map(|_| admin.ask("key-1", &body));
    let many = futures_util::future::join_all(many).await;
    let ids: HashSet<_> = many.iter().map(Said::id).collect();
    assert_eq!(ids.len(), 1, "one request, however often");
    assert_eq!(many.iter().filter(|said| !said.is_replayed).count(), 1);
    let first = *ids.iter().next().unwrap();

    let slash = Asker { url: format!("{}/", admin.url), ..Asker::admin(&world) };
    let again = slash.ask("key-1", &body).await;
    assert_eq!((again.id(), again.is_replayed), (first, true));
    assert!(again.body["data"]["callId"].is_string(), "{}", again.body);
    assert_eq!(again.body["data"].get("promptId"), None, "the first answer said that");
    let other = admin.ask("key-1", &wanted(2)).await;
    assert_eq!(other.refused(422, "idempotency_key_reused"), [""; 0]);
    // Keys are their caller's own.
    let recruiter = Asker::new(&world, Some(world.token(Role::Hr, RECRUITER)));
    let theirs = recruiter.ask("key-1", &wanted(3)).await;
    assert_eq!((theirs.status, theirs.is_replayed), (200, false), "{}", theirs.body);

    let second = admin.ask("key-2", &wanted(4)).await.id();
    world.server().kill().unwrap();
    world.server().wait().await.unwrap();
    world.start_again().await;
    for (key, body, id) in [("key-1", &body, first), ("key-2", &wanted(4), second)] {
        let said = admin.ask(key, body).await;
        assert_eq!((said.id(), said.is_replayed), (id, true), "{}", said.body);
    }
    assert_eq!(admin.ask("key-2", &body).await.status, 422);
    for id in [first, second, theirs.id()] {
        over(&world.api, id).await;
    }
    assert_eq!(begun(&world), 3);

    let path = format!("/api/voice-interviews/{first}");
    let (status, _) = world.api.send(reqwest::Method::DELETE, &path, None).await.unwrap();
    assert_eq!(status, StatusCode::OK);
    admin.ask("key-1", &body).await.refused(409, "conflict");
    assert_eq!(begun(&world), 3, "a call that was deleted is not placed anew");
    world.end().await;
}

#[tokio::test]
async fn call_is_placed_with_the_prompt_and_the_provider_of_its_owner() {
    let world = calm(Faults::default()).await;
    let prompt = json!({
        "name": "Screening", "systemPrompt": "Ring {{candidate_name}}: {{role}}, {{notes}}, {{salary}}.",
    });
    let recruiter = world.api.with_token(Some(world.token(Role::Hr, RECRUITER)));
    let prompt = recruiter.post("/api/mr-hire/call-prompts", Some(&prompt)).await.unwrap();
    let config = json!({"userId": RECRUITER, "allowedProviders": ["elevenlabs"]});
    world.api.post("/api/admin/hr-call-configs", Some(&config)).await.unwrap();

    let asker = Asker::new(&world, Some(world.token(Role::Hr, RECRUITER)));
    let said = asker.once(&with(wanted(1), json!({"variables": {"notes": "{{role}}"}}))).await;
    let data = &said.body["data"];
    assert_eq!((said.status, &data["provider"]), (200, &json!("elevenlabs")), "{}", said.body);
    assert_eq!((&data["promptId"], &data["missing"]), (&prompt["data"]["id"], &json!(["salary"])));
    let another = asker.once(&with(wanted(2), json!({"provider": "vapi"}))).await;
    assert_eq!(another.refused(400, "invalid_request"), ["#/provider"], "not the recruiter's");
    let huge = json!({"variables": {"notes": "x".repeat(4_096)}});
    let prompt = json!({"systemPrompt": "{{notes}}".repeat(40)});
    recruiter
        .send(reqwest::Method::PUT, "/api/mr-hire/interview-prompt", Some(&prompt))
        .await
        .unwrap();
    let refused = asker.once(&with(wanted(2), huge)).await;
    assert_eq!(refused.refused(400, "invalid_request"), ["#/variables"]);

    let only = json!({"value": ["vapi"]});
    let path = "/api/v1/system-config/ENABLED_CALL_PROVIDERS";
    let (status, body) = world.api.send(reqwest::Method::PUT, path, Some(&only)).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{body}");
    let off = asker.once(&with(wanted(3), json!({"provider": "elevenlabs"}))).await;
    off.refused(409, "no_provider_enabled");
    world.end().await;
}

#[tokio::test]
async fn bad_request_is_refused_with_a_pointer_and_plans_nothing() {
    let world = calm(Faults::default()).await;
    let admin = Asker::admin(&world);
    let long = "x".repeat(301);
    for (change, pointer) in [
        (json!({"phoneNumber": null}), "#/phoneNumber"),
        (json!({"phoneNumber": 919529117230_u64}), "#/phoneNumber"),
        (json!({"phoneNumber": "09529117230"}), "#/phoneNumber"),
        (json!({"candidateName": ""}), "#/candidateName"),
        (json!({"candidateName": long}), "#/candidateName"),
        (json!({"candidateName": "Asha\u{0}"}), "#/candidateName"),
        (json!({"role": "  "}), "#/role"),
        (json!({"applicationId": "seven"}), "#/applicationId"),
        (json!({"applicationId": Uuid::from_u128(404)}), "#/applicationId"),
        (json!({"belongsTo": "me"}), "#/belongsTo"),
        (json!({"provider": "twilio"}), "#/provider"),
        (json!({"timezone": "India"}), "#/timezone"),
        (json!({"variables": ["a"]}), "#/variables"),
        (json!({"variables": {"a b": "x"}}), "#/variables"),
        (json!({"variables": {"a": 7}}), "#/variables/a"),
        (json!({"variables": {"a": "x\u{0}"}}), "#/variables/a"),
        (json!({"variables": {"a": "x".repeat(4_097)}}), "#/variables/a"),
        (json!({"variables": {"role": "Nurse"}}), "#/variables/role"),
        (json!({"unknown": "x\u{0}"}), "#/unknown"),
    ] {
        let said = admin.once(&with(wanted(1), change.clone())).await;
        assert_eq!(said.refused(400, "invalid_request"), [pointer], "{change}");
    }
    for missing in ["phoneNumber", "candidateName", "role"] {
        let mut body = wanted(1);
        body.as_object_mut().unwrap().remove(missing);
        assert_eq!(
            admin.once(&body).await.refused(400, "invalid_request"),
            [format!("#/{missing}")]
        );
    }
    admin.raw(None, "{".to_owned()).await.refused(400, "malformed_json");
    admin.raw(None, String::new()).await.refused(400, "malformed_json");
    let large = with(wanted(1), json!({"unknown": "x".repeat(300 * 1024)}));
    admin.once(&large).await.refused(413, "body_too_large");
    for key in [&b""[..], b"two words", "schl\u{fc}ssel".as_bytes(), &[b'x'; 256]] {
        let said = admin.raw(Some(key), wanted(1).to_string()).await;
        assert_eq!(said.refused(400, "invalid_request"), ["#/idempotency-key"], "{key:?}");
    }
    assert_eq!(world.api.interviews(None).await.unwrap(), []);
    assert_eq!(world.engine.engine().ledger().requests, []);
    world.end().await;
}

#[tokio::test]
async fn who_may_ask_and_for_whom() {
    let world = calm(Faults::default()).await;
    let candidate = Candidate::living(Home::India, 7, 1);
    world.api.import(&cast::import_body(std::slice::from_ref(&candidate))).await.unwrap();
    let owner = candidate.application.belongs_to.unwrap();
    let of_theirs = with(wanted(1), json!({"applicationId": candidate.id()}));
    let by = |role, sub| Asker::new(&world, Some(world.token(role, sub)));

    Asker::new(&world, None).once(&wanted(1)).await.refused(401, "unauthenticated");
    Asker::new(&world, Some("forged".to_owned()))
        .once(&wanted(1))
        .await
        .refused(401, "invalid_token");
    by(Role::Student, RECRUITER).once(&wanted(1)).await.refused(403, "forbidden");
    let stranger = by(Role::Hr, RECRUITER);
    let refused = stranger.once(&of_theirs).await;
    assert_eq!(refused.refused(400, "invalid_request"), ["#/applicationId"]);
    let elsewhere = with(of_theirs.clone(), json!({"timezone": ASLEEP}));
    let moved = by(Role::Hr, owner).once(&elsewhere).await;
    assert_eq!(moved.refused(400, "invalid_request"), ["#/timezone"], "its hours are known");
    let theirs = by(Role::Hr, owner).once(&of_theirs).await;
    assert_eq!(theirs.status, 200, "{}", theirs.body);

    // A recruiter's calls are their own, whatever they say; an administrator may name somebody.
    let asleep = with(wanted(2), json!({"timezone": ASLEEP, "belongsTo": owner}));
    let own = stranger.once(&asleep).await;
    let named = by(Role::Admin, ADMIN).once(&asleep).await;
    let seen = |id: Uuid| world.api.with_token(Some(world.token(Role::Hr, id)));
    let ids = async |who: Uuid| -> HashSet<Uuid> {
        seen(who).interviews(None).await.unwrap().into_iter().map(|row| row.id).collect()
    };
    assert_eq!(ids(RECRUITER).await, HashSet::from([own.id()]));
    assert_eq!(ids(owner).await, HashSet::from([theirs.id(), named.id()]));

    let service = Asker::service(&world);
    let lacking = service.once(&wanted(3)).await;
    assert_eq!(lacking.refused(400, "invalid_request"), ["#/applicationId", "#/belongsTo"]);
    let unknown =
        json!({"applicationId": Uuid::from_u128(9), "belongsTo": owner, "timezone": ASLEEP});
    let planned = service.once(&with(wanted(3), unknown)).await;
    assert_eq!(planned.status, 200, "it may be imported later: {}", planned.body);

    // The engine's webhooks are of one tenant; nobody else's calls could be followed.
    let another = Uuid::from_u128(0x7e);
    world.know_tenant(another).await;
    let elsewhere = world.token_in(another, Role::Admin, ADMIN);
    Asker::new(&world, Some(elsewhere)).once(&wanted(4)).await.refused(503, "engine_off");
    world.end().await;
}

#[tokio::test]
async fn nothing_is_planned_while_dialing_is_stopped_or_no_engine_is_configured() {
    let mut world = calm(Faults::default()).await;
    let admin = Asker::admin(&world);
    let before = admin.ask("before", &with(wanted(1), json!({"timezone": ASLEEP}))).await;
    assert_eq!(before.status, 200, "{}", before.body);
    world.api.post("/api/v1/dialing/stop", None).await.unwrap();
    admin.ask("key", &wanted(2)).await.refused(409, "dialing_stopped");
    let again = admin.ask("before", &with(wanted(1), json!({"timezone": ASLEEP}))).await;
    assert_eq!((again.id(), again.is_replayed), (before.id(), true), "that one was placed before");
    assert_eq!(world.api.interviews(None).await.unwrap().len(), 1);

    world.api.post("/api/v1/dialing/resume", None).await.unwrap();
    let resumed = admin.ask("key", &wanted(2)).await;
    assert_eq!((resumed.status, resumed.is_replayed), (200, false), "a refusal takes no key");

    let server = world.server.take().unwrap();
    assert!(server.stop(SOON).await.unwrap().success());
    world.plan.engine_url = String::new();
    world.start_again().await;
    admin.ask("off", &wanted(3)).await.refused(503, "engine_off");
    assert_eq!(world.api.interviews(None).await.unwrap().len(), 2);
    world.end().await;
}

#[tokio::test]
async fn pipelines_call_is_an_attempt_of_its_screening_and_a_recruiters_is_not() {
    let world = calm(Faults::default()).await;
    let mut people = [1, 2, 3].map(|position| Candidate::living(Home::India, 7, position));
    for one in &mut people {
        one.application.attempts = vec![CallScript::ending(Outcome::Busy)];
    }
    people[2].application.attempts = vec![CallScript::boundary(70.0, 300)];
    world.api.import(&cast::import_body(&people)).await.unwrap();
    let applications = people.iter().map(|one| one.application.clone()).collect();
    world.engine.engine().start_calls(People { applications });

    let body = |one: &Candidate| {
        let one = &one.application;
        json!({
            "phoneNumber": one.phone_number, "candidateName": one.candidate_name, "role": one.role,
            "applicationId": one.application_id, "belongsTo": one.belongs_to,
        })
    };
    let service = Asker::service(&world);
    let admin = Asker::admin(&world);
    let counted = service.once(&body(&people[0])).await.id();
    let extra = admin.once(&body(&people[1])).await.id();
    let real = admin.once(&body(&people[2])).await.id();
    for id in [counted, extra, real] {
        over(&world.api, id).await;
    }
    let screening = async |one: &Candidate, status: &str| {
        eventually(SOON, "the screening moves", async || {
            let row = world.api.screening(one.id()).await.unwrap()?;
            (row.call_status == status).then_some(row)
        })
        .await
    };
    assert_eq!(screening(&people[0], "retry_scheduled").await.attempts, 1);
    screening(&people[2], "completed").await; // What can be scored is, whoever asked for it.
    let row = screening(&people[1], "awaiting_call").await;
    assert_eq!((row.attempts, row.next_attempt_at), (0, None));
    world.end().await;
}
