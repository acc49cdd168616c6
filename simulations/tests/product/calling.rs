//! What calls are placed with, as administrators, recruiters and the engine see it.

use std::fs;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};
use simulations::engine::Faults;
use simulations::product::Role;
use uuid::Uuid;

use crate::harness::{ADMIN, SOON, Setup, World, eventually};

/// A tenant beside the default one.
const THEIRS: Uuid = Uuid::from_u128(0x7e);
const ASHA: Uuid = Uuid::from_u128(0xa5);
const BINA: Uuid = Uuid::from_u128(0xb1);
const NOBODY: Uuid = Uuid::from_u128(0xff);
const CANARY: &str = "canary-7f3a91c4";

const CONFIGS: &str = "/api/admin/hr-call-configs";
const CREATE_DEFAULT: &str = "/api/admin/hr-call-configs/create-default";
const MINE: &str = "/api/hr/my-call-config";
const ENABLED: &str = "/api/system-config/enabled-call-providers";
const SETTINGS: &str = "/api/v1/system-config";
const SWITCHES: &str = "/api/v1/system-config/ENABLED_CALL_PROVIDERS";
const PROMPTS: &str = "/api/mr-hire/call-prompts";
const ACTIVE: &str = "/api/mr-hire/call-prompts/active";
const INTERVIEW: &str = "/api/mr-hire/interview-prompt";
const RESET: &str = "/api/mr-hire/interview-prompt/reset";

/// An answer: its status, its `ETag`, its body.
type Answer = (u16, Option<String>, Value);

/// Somebody who asks.
struct Caller {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Caller {
    fn of(world: &World, token: Option<String>) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(SOON).build().unwrap();
        Self { http, base: world.base(), token }
    }

    fn person(world: &World, role: Role, sub: Uuid) -> Self {
        Self::of(world, Some(world.token(role, sub)))
    }

    fn engine(world: &World) -> Self {
        Self::of(world, Some(world.plan.keys.service_token.clone()))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        if_match: Option<&str>,
        body: Option<String>,
    ) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(tags) = if_match {
            request = request.header("if-match", tags);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        (status, tag, answer.json().await.unwrap_or_default())
    }

    /// Asks; answers `data`, once the status is the one expected.
    async fn get(&self, path: &str, status: u16) -> Value {
        self.ask(Method::GET, path, Value::Null, status).await
    }

    async fn ask(&self, method: Method, path: &str, body: Value, status: u16) -> Value {
        let text = (!body.is_null()).then(|| body.to_string());
        let (found, _, answer) = self.send(method.clone(), path, None, text).await;
        assert_eq!(found, status, "{method} {path} {body}: {answer}");
        if status < 300 { answer["data"].clone() } else { answer }
    }

    /// Asks what is to be refused; answers pointer and code of the one thing that is wrong.
    async fn refused(&self, method: Method, path: &str, body: &str) -> (String, String) {
        let (status, _, answer) = self.send(method.clone(), path, None, Some(body.into())).await;
        assert_eq!(status, 400, "{method} {path} {body:.200}: {answer}");
        assert_eq!(answer["success"], false, "{answer}");
        let errors = answer["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{method} {path} {body:.200}: {answer}");
        let text = |name: &str| errors[0][name].as_str().unwrap().to_owned();
        (text("pointer"), text("code"))
    }
}

fn keyed() -> Setup {
    let environment = vec![
        ("RINGMASTER_SEAL_KEY", "01".repeat(32)),
        ("CALL_PROVIDER", "openai_twilio".to_owned()),
    ];
    Setup { environment, ..Setup::default() }
}

#[tokio::test]
async fn configurations_and_settings_over_http() {
    let world = World::with(keyed()).await;
    strangers_are_turned_away(&world).await;
    configurations_are_kept(&world).await;
    wrong_configurations_are_refused(&world).await;
    recruiters_choose_among_what_is_allowed(&world).await;
    the_engine_is_told_who_carries_a_call(&world).await;
    switches_are_data(&world).await;
    another_tenant_has_its_own(&world).await;
    world.end().await;
}

async fn strangers_are_turned_away(world: &World) {
    let stranger = Caller::of(world, None);
    let engine = Caller::engine(world);
    let student = Caller::person(world, Role::Student, ASHA);
    let recruiter = Caller::person(world, Role::Hr, ASHA);
    let admin = Caller::person(world, Role::Admin, ADMIN);
    let of_user = format!("{CONFIGS}/{ASHA}");
    let prompt = format!("{PROMPTS}/{NOBODY}");
    let opened = format!("/api/hr-call-config/{ASHA}");
    for (method, path) in [
        (Method::GET, CONFIGS),
        (Method::POST, CONFIGS),
        (Method::POST, CREATE_DEFAULT),
        (Method::GET, &of_user),
        (Method::DELETE, &of_user),
        (Method::GET, SETTINGS),
        (Method::PUT, SWITCHES),
    ] {
        recruiter.ask(method.clone(), path, Value::Null, 403).await;
        student.ask(method.clone(), path, Value::Null, 403).await;
        engine.ask(method.clone(), path, Value::Null, 401).await;
        stranger.ask(method, path, Value::Null, 401).await;
    }
    for (method, path) in [
        (Method::GET, MINE),
        (Method::PUT, MINE),
        (Method::GET, PROMPTS),
        (Method::POST, PROMPTS),
        (Method::GET, ACTIVE),
        (Method::PUT, &prompt),
        (Method::DELETE, &prompt),
        (Method::GET, INTERVIEW),
        (Method::PUT, INTERVIEW),
        (Method::POST, RESET),
    ] {
        student.ask(method.clone(), path, Value::Null, 403).await;
        engine.ask(method.clone(), path, Value::Null, 401).await;
        stranger.ask(method, path, Value::Null, 401).await;
    }
    stranger.get(ENABLED, 401).await;
    student.get(ENABLED, 200).await;
    for caller in [&stranger, &student, &recruiter, &admin] {
        caller.get(&opened, 401).await;
    }
}

async fn configurations_are_kept(world: &World) {
    let admin = Caller::person(world, Role::Admin, ADMIN);
    let body = json!({
        "userId": ASHA, "allowedProviders": ["elevenlabs", "vapi"], "surprise": true,
        "credentials": {"elevenlabs": {"apiKey": CANARY}},
    });
    let post = async |if_match, body: &Value| {
        admin.send(Method::POST, CONFIGS, if_match, Some(body.to_string())).await
    };
    let (status, tag, answer) = post(None, &body).await;
    assert_eq!((status, tag.as_deref()), (201, Some("\"1\"")), "{answer}");
    assert_eq!(answer["data"]["defaultProvider"], "elevenlabs");
    assert_eq!(answer["data"]["hasCredentials"], true);
    assert_eq!(answer["data"]["isActive"], true);
    assert!(!answer.to_string().contains("canary"), "{answer}");

    let snake = json!({"user_id": ASHA, "allowed_providers": ["vapi", "elevenlabs"],
        "default_provider": "vapi", "is_active": false});
    let (status, tag, answer) = post(Some("\"1\""), &snake).await;
    assert_eq!((status, tag.as_deref()), (200, Some("\"2\"")), "{answer}");
    assert_eq!(answer["data"]["hasCredentials"], true, "nothing was said of them");
    assert_eq!(answer["data"]["isActive"], false);
    let (status, _, answer) = post(Some("\"1\""), &snake).await;
    assert_eq!((status, &answer["code"]), (412, &json!("version_mismatch")), "{answer}");
    assert_eq!(answer["data"]["currentVersion"], 2);
    let (status, _, answer) = post(Some("2"), &snake).await;
    assert_eq!((status, &answer["errors"][0]["in"]), (400, &json!("header")), "{answer}");
    let new = json!({"userId": NOBODY, "allowedProviders": ["vapi"]});
    assert_eq!(post(Some("*"), &new).await.0, 412, "there is none yet");

    let kept = admin.ask(Method::POST, CREATE_DEFAULT, json!({"userId": ASHA}), 200).await;
    assert_eq!(kept["version"], 2, "one that is there is left alone");
    let made = admin.ask(Method::POST, CREATE_DEFAULT, json!({"userId": BINA}), 201).await;
    assert_eq!((&made["allowedProviders"], &made["version"]), (&json!(["vapi"]), &json!(1)));

    let (_, _, list) = admin.send(Method::GET, CONFIGS, None, None).await;
    assert_eq!(list["pagination"]["total"], 2, "the inactive one is listed: {list}");
    assert!(list["meta"]["seq"].is_i64() && !list.to_string().contains("canary"), "{list}");
    let of_user = format!("{CONFIGS}/{ASHA}");
    let (_, tag, one) = admin.send(Method::GET, &of_user, None, None).await;
    assert_eq!((tag.as_deref(), &one["data"]["version"]), (Some("\"2\""), &json!(2)), "{one}");
    admin.get(&format!("{CONFIGS}/{NOBODY}"), 404).await;

    let of_bina = format!("{CONFIGS}/{BINA}");
    let delete = async |if_match| admin.send(Method::DELETE, &of_bina, if_match, None).await.0;
    assert_eq!(delete(Some("\"9\"")).await, 412);
    assert_eq!(delete(Some("W/\"1\"")).await, 412, "a weak tag matches nothing");
    assert_eq!(delete(Some("\"8\", \"1\"")).await, 200);
    assert_eq!(delete(None).await, 404);
    eventually(SOON, "the engine is told of each change", async || {
        let refreshes = world.engine.engine().ledger().refreshes;
        let of = |user: Uuid| {
            let user = user.to_string();
            refreshes.iter().filter(|one| one.user_id.as_ref() == Some(&user)).count()
        };
        (of(ASHA) == 2 && of(BINA) == 2 && of(NOBODY) == 0).then_some(())
    })
    .await;
}

async fn wrong_configurations_are_refused(world: &World) {
    let admin = Caller::person(world, Role::Admin, ADMIN);
    let with = |members: &str| format!("{{\"userId\": \"{BINA}\", {members}}}");
    let deep = format!("{}1{}", "[".repeat(60), "]".repeat(60));
    let large = "x".repeat(17 * 1024);
    for (body, pointer, code) in [
        (with(r#""allowedProviders": []"#), "#/allowedProviders", "invalid_value"),
        (with(r#""allowedProviders": ["vapi", "vapi"]"#), "#/allowedProviders/1", "repeated"),
        (with(r#""allowedProviders": ["vapy"]"#), "#/allowedProviders/0", "unknown_value"),
        (with(r#""allowedProviders": [1]"#), "#/allowedProviders/0", "wrong_type"),
        (with(r#""allowedProviders": "vapi""#), "#/allowedProviders", "wrong_type"),
        (with(r#""isActive": true"#), "#/allowedProviders", "required"),
        (r#"{"allowedProviders": ["vapi"]}"#.to_owned(), "#/userId", "required"),
        (r#"{"userId": "me", "allowedProviders": ["vapi"]}"#.into(), "#/userId", "wrong_type"),
        (
            with(r#""allowedProviders": ["vapi"], "defaultProvider": "elevenlabs""#),
            "#/defaultProvider",
            "not_allowed",
        ),
        (
            with(r#""allowedProviders": ["vapi"], "credentials": "key""#),
            "#/credentials",
            "invalid_value",
        ),
        (
            with(r#""allowedProviders": ["vapi"], "credentials": [1]"#),
            "#/credentials",
            "invalid_value",
        ),
        (
            with(&format!(r#""allowedProviders": ["vapi"], "credentials": {{"a": {deep}}}"#)),
            "#/credentials",
            "invalid_value",
        ),
        (
            with(&format!(r#""allowedProviders": ["vapi"], "credentials": {{"a": "{large}"}}"#)),
            "#/credentials",
            "invalid_value",
        ),
        (
            with(r#""allowedProviders": ["vapi"], "credentials": {"a": "\u0000"}"#),
            "#/credentials/a",
            "nul_character",
        ),
        (with(r#""allowedProviders": ["vapi"], "isActive": "yes""#), "#/isActive", "wrong_type"),
    ] {
        let found = admin.refused(Method::POST, CONFIGS, &body).await;
        assert_eq!(found, (pointer.to_owned(), code.to_owned()), "{body:.200}");
    }
    // The default that is stored is none of the new list, and nobody names another one.
    let body = json!({"userId": ASHA, "allowedProviders": ["elevenlabs"]}).to_string();
    let found = admin.refused(Method::POST, CONFIGS, &body).await;
    assert_eq!(found.0, "#/defaultProvider");
    assert_eq!(admin.refused(Method::POST, CREATE_DEFAULT, "{}").await.0, "#/userId");
    let (status, _, answer) =
        admin.send(Method::POST, CONFIGS, None, Some("{\"userId\":".to_owned())).await;
    assert_eq!((status, &answer["code"]), (400, &json!("malformed_json")), "{answer}");
    let (status, _, _) =
        admin.send(Method::POST, CONFIGS, None, Some("x".repeat(300 * 1024))).await;
    assert_eq!(status, 413);
    admin.get(&format!("{CONFIGS}/me"), 400).await;
    admin.get(&format!("{CONFIGS}/{BINA}"), 404).await;
}

async fn recruiters_choose_among_what_is_allowed(world: &World) {
    let asha = Caller::person(world, Role::Hr, ASHA);
    let bina = Caller::person(world, Role::Hr, BINA);
    bina.get(MINE, 404).await;
    bina.ask(Method::PUT, MINE, json!({"defaultProvider": "vapi"}), 404).await;
    let mine = asha.get(MINE, 200).await;
    assert_eq!((&mine["userId"], &mine["defaultProvider"]), (&json!(ASHA), &json!("vapi")));
    let body = json!({"defaultProvider": "elevenlabs", "allowedProviders": ["nvidia_twilio"],
        "isActive": true, "credentials": null, "userId": BINA});
    let mine = asha.ask(Method::PUT, MINE, body, 200).await;
    assert_eq!(mine["defaultProvider"], "elevenlabs");
    assert_eq!(mine["allowedProviders"], json!(["vapi", "elevenlabs"]), "only the default");
    assert_eq!((&mine["isActive"], &mine["hasCredentials"]), (&json!(false), &json!(true)));
    let refused = asha.refused(Method::PUT, MINE, r#"{"defaultProvider": "nvidia_twilio"}"#).await;
    assert_eq!(refused, ("#/defaultProvider".to_owned(), "not_allowed".to_owned()));
    let refused = asha.refused(Method::PUT, MINE, r#"{"defaultProvider": "siri"}"#).await;
    assert_eq!(refused, ("#/defaultProvider".to_owned(), "unknown_value".to_owned()));
    let refused = asha.refused(Method::PUT, MINE, "{}").await;
    assert_eq!(refused, ("#/defaultProvider".to_owned(), "required".to_owned()));
    let body = Some(json!({"defaultProvider": "vapi"}).to_string());
    assert_eq!(asha.send(Method::PUT, MINE, Some("\"2\""), body.clone()).await.0, 412);
    assert_eq!(asha.send(Method::PUT, MINE, Some("\"3\""), body).await.0, 200);
}

async fn the_engine_is_told_who_carries_a_call(world: &World) {
    let admin = Caller::person(world, Role::Admin, ADMIN);
    let engine = Caller::engine(world);
    let path = format!("/api/hr-call-config/{ASHA}");
    let inactive = engine.get(&path, 200).await;
    assert_eq!((&inactive["config"], &inactive["credentials"]), (&json!("inactive"), &Value::Null));
    assert_eq!(inactive["provider"], "openai_twilio", "the tenant's counts: {inactive}");
    assert_eq!(inactive["why"]["source"], "system_config");

    let body = json!({"userId": ASHA, "allowedProviders": ["vapi", "elevenlabs"],
        "defaultProvider": "elevenlabs", "isActive": true});
    admin.ask(Method::POST, CONFIGS, body, 200).await;
    let (status, _, answer) = engine.send(Method::GET, &path, None, None).await;
    let active = &answer["data"];
    assert_eq!((status, &active["config"]), (200, &json!("active")));
    assert_eq!(active["credentials"], json!({"elevenlabs": {"apiKey": CANARY}}));
    assert_eq!(
        (&active["provider"], &active["why"]["source"]),
        (&json!("elevenlabs"), &json!("hr_default"))
    );

    let none = engine.get(&format!("/api/hr-call-config/{NOBODY}"), 200).await;
    assert_eq!((&none["config"], &none["provider"]), (&json!("none"), &json!("openai_twilio")));
    engine.get("/api/hr-call-config/me", 400).await;
}

async fn switches_are_data(world: &World) {
    let admin = Caller::person(world, Role::Admin, ADMIN);
    let asha = Caller::person(world, Role::Hr, ASHA);
    let engine = Caller::engine(world);
    let all = json!(["vapi", "openai_twilio", "elevenlabs", "nvidia_twilio"]);
    assert_eq!(asha.get(ENABLED, 200).await, all);
    let put =
        async |value: Value| admin.ask(Method::PUT, SWITCHES, json!({ "value": value }), 200).await;
    put(json!(["vapi", "nvidia_twilio"])).await;
    assert_eq!(asha.get(ENABLED, 200).await, json!(["vapi", "nvidia_twilio"]));
    let path = format!("/api/hr-call-config/{ASHA}");
    let told = engine.get(&path, 200).await;
    assert_eq!((&told["provider"], &told["why"]["source"]), (&json!("vapi"), &json!("fallback")));
    assert_eq!(told["why"]["skipped"].as_array().unwrap().len(), 2, "{told}");
    put(json!([])).await;
    let none = engine.get(&path, 409).await;
    assert_eq!(none["code"], "no_provider_enabled");
    assert!(!none.to_string().contains("canary"), "{none}");
    put(all).await;

    let provider = "/api/v1/system-config/CALL_PROVIDER";
    admin.ask(Method::PUT, provider, json!({"value": "nvidia_twilio"}), 200).await;
    let told = engine.get(&format!("/api/hr-call-config/{NOBODY}"), 200).await;
    assert_eq!(told["provider"], "nvidia_twilio");
    admin.ask(Method::PUT, provider, json!({"value": null}), 200).await;
    let settings = admin.get(SETTINGS, 200).await;
    assert_eq!(settings[0], json!({"key": "CALL_PROVIDER", "value": null}));

    for (path, body, pointer) in [
        (provider, r#"{"value": "siri"}"#, "#/value"),
        (provider, r#"{"value": ["vapi"]}"#, "#/value"),
        (provider, r#"{"value": 7}"#, "#/value"),
        (provider, r#"{"value": "a\u0000"}"#, "#/value"),
        (provider, "{}", "#/value"),
        (provider, r#"{"value": "vapi", "key": "x"}"#, "#/key"),
        (SWITCHES, r#"{"value": null}"#, "#/value"),
        (SWITCHES, r#"{"value": "vapi"}"#, "#/value"),
        (SWITCHES, r#"{"value": ["vapi", "siri"]}"#, "#/value/1"),
        (SWITCHES, r#"{"value": ["vapi", 1]}"#, "#/value/1"),
        (SWITCHES, r#"{"value": ["vapi", "vapi"]}"#, "#/value/1"),
        ("/api/v1/system-config/SCREENING_WEIGHTS", r#"{"value": 1}"#, "#/key"),
        ("/api/v1/system-config/CALL_PROVIDR", r#"{"value": "vapi"}"#, "#/key"),
    ] {
        assert_eq!(admin.refused(Method::PUT, path, body).await.0, pointer, "{path} {body}");
    }
    for path in [SETTINGS, SWITCHES] {
        let (method, body) = if path == SETTINGS {
            (Method::GET, Value::Null)
        } else {
            (Method::PUT, json!({"value": []}))
        };
        admin.ask(method, &format!("{path}?page=1"), body, 400).await;
    }
}

async fn another_tenant_has_its_own(world: &World) {
    world.know_tenant(THEIRS).await;
    let theirs = Caller::of(world, Some(world.token_in(THEIRS, Role::Admin, ADMIN)));
    let ours = Caller::person(world, Role::Admin, ADMIN);
    let path = format!("{CONFIGS}/{ASHA}");
    theirs.get(&path, 404).await;
    theirs.ask(Method::DELETE, &path, Value::Null, 404).await;
    assert_eq!(theirs.get(CONFIGS, 200).await, json!([]));
    let body = json!({"userId": ASHA, "allowedProviders": ["nvidia_twilio"]});
    theirs.ask(Method::POST, CONFIGS, body, 201).await;
    theirs.ask(Method::PUT, SWITCHES, json!({"value": []}), 200).await;
    assert_eq!(ours.get(&path, 200).await["defaultProvider"], "elevenlabs");
    assert_eq!(ours.get(ENABLED, 200).await.as_array().unwrap().len(), 4);
    let told = Caller::engine(world).get(&format!("/api/hr-call-config/{ASHA}"), 200).await;
    assert_eq!(told["provider"], "elevenlabs", "the engine's tenant is the default one");
}

#[tokio::test]
async fn prompts_over_http() {
    let world = World::new().await;
    prompts_are_written_and_read(&world).await;
    what_is_no_prompt_is_refused(&world).await;
    the_best_prompt_is_active(&world).await;
    the_interview_prompt_is_one(&world).await;
    world.end().await;
}

async fn prompts_are_written_and_read(world: &World) {
    world.know_tenant(THEIRS).await;
    let admin = Caller::person(world, Role::Admin, ADMIN);
    let asha = Caller::person(world, Role::Hr, ASHA);
    let bina = Caller::person(world, Role::Hr, BINA);
    let theirs = Caller::of(world, Some(world.token_in(THEIRS, Role::Admin, ADMIN)));
    let prompt = json!({"name": " Warm ", "systemPrompt": "Ask {{candidateName}}."});
    let (status, tag, made) =
        asha.send(Method::POST, PROMPTS, None, Some(prompt.to_string())).await;
    assert_eq!((status, tag.as_deref()), (201, Some("\"1\"")), "{made}");
    let made = &made["data"];
    assert_eq!((&made["name"], &made["belongsToId"]), (&json!("Warm"), &json!(ASHA)));
    assert_eq!((&made["platform"], &made["isActive"]), (&Value::Null, &json!(true)));
    let own = format!("{PROMPTS}/{}", made["id"].as_str().unwrap());

    let snake = json!({"name": "All", "system_prompt": "Ask.", "platform": "vapi",
        "belongs_to_id": null, "is_active": false});
    asha.ask(Method::POST, PROMPTS, snake.clone(), 403).await;
    let given = json!({"name": "Hers", "systemPrompt": "Ask.", "belongsToId": BINA});
    asha.ask(Method::POST, PROMPTS, given.clone(), 403).await;
    let global = admin.ask(Method::POST, PROMPTS, snake, 201).await;
    assert_eq!((&global["belongsToId"], &global["isActive"]), (&Value::Null, &json!(false)));
    let global = format!("{PROMPTS}/{}", global["id"].as_str().unwrap());
    admin.ask(Method::POST, PROMPTS, given, 201).await;

    let names = async |caller: &Caller| -> Vec<String> {
        let list = caller.get(PROMPTS, 200).await;
        let name = |one: &Value| one["name"].as_str().unwrap().to_owned();
        let mut names: Vec<_> = list.as_array().unwrap().iter().map(name).collect();
        names.sort();
        names
    };
    assert_eq!(names(&asha).await, ["All", "Warm"]);
    assert_eq!(names(&bina).await, ["All", "Hers"]);
    assert_eq!(names(&admin).await, ["All", "Hers", "Warm"]);
    assert_eq!(names(&theirs).await, Vec::<String>::new());

    let rename = json!({"name": "Warmer"});
    for (caller, path, status) in
        [(&asha, &global, 403), (&bina, &own, 404), (&theirs, &own, 404), (&theirs, &global, 404)]
    {
        caller.ask(Method::PUT, path, rename.clone(), status).await;
        caller.ask(Method::DELETE, path, Value::Null, status).await;
    }
    let body = Some(rename.to_string());
    assert_eq!(asha.send(Method::PUT, &own, Some("\"7\""), body.clone()).await.0, 412);
    let (status, tag, changed) = asha.send(Method::PUT, &own, Some("\"1\""), body).await;
    assert_eq!((status, tag.as_deref()), (200, Some("\"2\"")), "{changed}");
    assert_eq!(changed["data"]["systemPrompt"], "Ask {{candidateName}}.", "it stays");
    asha.ask(Method::PUT, &own, json!({"belongsToId": null}), 403).await;
    asha.ask(Method::PUT, &own, json!({"belongsToId": ASHA, "platform": "vapi"}), 200).await;
    let any = asha.ask(Method::PUT, &own, json!({"platform": null}), 200).await;
    assert_eq!(any["platform"], Value::Null);
    admin.ask(Method::PUT, &own, json!({"belongsToId": BINA}), 200).await;
    asha.ask(Method::DELETE, &own, Value::Null, 404).await;
    assert_eq!(bina.send(Method::DELETE, &own, Some("\"1\""), None).await.0, 412);
    bina.ask(Method::DELETE, &own, Value::Null, 200).await;
    bina.ask(Method::DELETE, &own, Value::Null, 404).await;
    asha.ask(Method::PUT, &format!("{PROMPTS}/me"), rename, 400).await;
}

async fn what_is_no_prompt_is_refused(world: &World) {
    let asha = Caller::person(world, Role::Hr, ASHA);
    let long = "x".repeat(32 * 1024 + 1);
    for text in [
        "",
        "  ",
        "Hello {{",
        "{{ a",
        "{{a.b}}",
        "{{a|upper}}",
        "{{a()}}",
        "{{1}}",
        "{{a b}}",
        "{{{a}}}",
        "{{ {{a}} }}",
        "{% if a %}x{% endif %}",
        "{# x #}",
        "{{}}",
        "{{true}}",
        &long,
    ] {
        let body = json!({"name": "A", "systemPrompt": text}).to_string();
        let wrong = ("#/systemPrompt".to_owned(), "invalid_template".to_owned());
        assert_eq!(asha.refused(Method::POST, PROMPTS, &body).await, wrong, "{text:.60}");
        let body = json!({"systemPrompt": text}).to_string();
        assert_eq!(asha.refused(Method::PUT, INTERVIEW, &body).await, wrong, "{text:.60}");
        let path = format!("{PROMPTS}/{NOBODY}");
        assert_eq!(asha.refused(Method::PUT, &path, &body).await, wrong, "{text:.60}");
    }
    let body = json!({"name": "A", "systemPrompt": "One\nTwo {{x"});
    let answer = asha.ask(Method::POST, PROMPTS, body, 400).await;
    let said = answer["errors"][0]["message"].as_str().unwrap();
    assert!(said.starts_with("line 2, column 5: "), "{said}");
    for (body, pointer) in [
        (r#"{"systemPrompt": "a"}"#, "#/name"),
        (r#"{"name": "a"}"#, "#/systemPrompt"),
        (r#"{"name": " ", "systemPrompt": "a"}"#, "#/name"),
        (r#"{"name": "a\nb", "systemPrompt": "a"}"#, "#/name"),
        (r#"{"name": "a", "systemPrompt": "a\u0000"}"#, "#/systemPrompt"),
        (r#"{"name": "a", "systemPrompt": 7}"#, "#/systemPrompt"),
        (r#"{"name": "a", "systemPrompt": "a", "platform": "zoom"}"#, "#/platform"),
        (r#"{"name": "a", "systemPrompt": "a", "platform": 7}"#, "#/platform"),
        (r#"{"name": "a", "systemPrompt": "a", "belongsToId": "me"}"#, "#/belongsToId"),
        (r#"{"name": "a", "systemPrompt": "a", "isActive": 1}"#, "#/isActive"),
        (r#"{"name": "a", "name": "b", "systemPrompt": "a"}"#, "#"),
    ] {
        if pointer == "#" {
            let (status, _, _) = asha.send(Method::POST, PROMPTS, None, Some(body.into())).await;
            assert_eq!(status, 400, "a member that is given twice");
            continue;
        }
        assert_eq!(asha.refused(Method::POST, PROMPTS, body).await.0, pointer, "{body}");
    }
    asha.get(&format!("{ACTIVE}?platform=zoom"), 400).await;
    asha.get(&format!("{ACTIVE}?platform=%00"), 400).await;
}

async fn the_best_prompt_is_active(world: &World) {
    let admin = Caller::person(world, Role::Admin, ADMIN);
    let asha = Caller::person(world, Role::Hr, ASHA);
    let on_vapi = format!("{ACTIVE}?platform=vapi");
    let score = async |path: &str| asha.get(path, 200).await["why"]["score"].clone();
    let built_in = asha.get(&on_vapi, 200).await;
    assert_eq!((&built_in["why"]["score"], &built_in["prompt"]), (&json!(0), &Value::Null));
    assert!(built_in["systemPrompt"].as_str().unwrap().contains("interviewer"), "{built_in}");
    let student = asha.get(&format!("{ACTIVE}?platform=miss_ozone"), 200).await;
    assert!(student["systemPrompt"].as_str().unwrap().contains("Miss Ozone"), "{student}");
    let write = async |caller: &Caller, platform: Value, owner: Value| {
        let body = json!({"name": "A", "systemPrompt": "Ask.", "platform": platform, "belongsToId": owner});
        caller.ask(Method::POST, PROMPTS, body, 201).await["id"].as_str().unwrap().to_owned()
    };
    let mut made = vec![write(&admin, Value::Null, Value::Null).await];
    assert_eq!(score(&on_vapi).await, 1);
    made.push(write(&admin, json!("vapi"), Value::Null).await);
    assert_eq!((score(&on_vapi).await, score(ACTIVE).await), (json!(2), json!(1)));
    made.push(write(&asha, Value::Null, json!(ASHA)).await);
    assert_eq!((score(&on_vapi).await, score(ACTIVE).await), (json!(3), json!(3)));
    made.push(write(&asha, json!("vapi"), json!(ASHA)).await);
    let (_, tag, best) = asha.send(Method::GET, &on_vapi, None, None).await;
    assert_eq!(
        (tag.as_deref(), &best["data"]["why"]["score"]),
        (Some("\"1\""), &json!(4)),
        "{best}"
    );
    assert_eq!(best["data"]["why"]["reason"], "your own prompt for this platform");
    assert_eq!(score(&format!("{ACTIVE}?platform=elevenlabs")).await, 3);
    asha.ask(Method::PUT, &format!("{PROMPTS}/{}", made[3]), json!({"isActive": false}), 200).await;
    assert_eq!(score(&on_vapi).await, 3);
    for id in made {
        admin.ask(Method::DELETE, &format!("{PROMPTS}/{id}"), Value::Null, 200).await;
    }
}

async fn the_interview_prompt_is_one(world: &World) {
    let admin = Caller::person(world, Role::Admin, ADMIN);
    let asha = Caller::person(world, Role::Hr, ASHA);
    let first = asha.get(INTERVIEW, 200).await;
    assert_eq!(first["why"]["score"], 0, "{first}");
    let text = |text: &str| Some(json!({ "systemPrompt": text }).to_string());
    assert_eq!(asha.send(Method::PUT, INTERVIEW, Some("*"), text("One.")).await.0, 412);
    let (status, tag, made) = asha.send(Method::PUT, INTERVIEW, None, text("One.")).await;
    assert_eq!((status, tag.as_deref()), (200, Some("\"1\"")), "{made}");
    assert_eq!(
        (&made["data"]["belongsToId"], &made["data"]["platform"]),
        (&json!(ASHA), &Value::Null)
    );
    // Another one for any platform, which then counts no more.
    asha.ask(Method::POST, PROMPTS, json!({"name": "B", "systemPrompt": "Two."}), 201).await;
    assert_eq!(asha.get(INTERVIEW, 200).await["systemPrompt"], "Two.", "the one written last");
    asha.ask(Method::PUT, INTERVIEW, json!({"systemPrompt": "Three.", "name": "C"}), 200).await;
    let list = asha.get(PROMPTS, 200).await;
    let active = list.as_array().unwrap().iter().filter(|one| one["isActive"] == true).count();
    assert_eq!(active, 1, "{list}");
    let (_, tag, shown) = asha.send(Method::GET, INTERVIEW, None, None).await;
    assert_eq!((tag.as_deref(), &shown["data"]["systemPrompt"]), (Some("\"2\""), &json!("Three.")));
    assert_eq!(asha.send(Method::PUT, INTERVIEW, Some("\"1\""), text("Four.")).await.0, 412);

    let reset = asha.ask(Method::POST, RESET, Value::Null, 200).await;
    assert_eq!((&reset["why"]["score"], &reset["prompt"]), (&json!(0), &Value::Null));
    let global = json!({"name": "G", "systemPrompt": "All.", "belongsToId": null});
    admin.ask(Method::POST, PROMPTS, global, 201).await;
    let (_, tag, shown) = asha.send(Method::GET, INTERVIEW, None, None).await;
    assert_eq!((tag, &shown["data"]["why"]["score"]), (None, &json!(1)), "{shown}");
}

#[tokio::test]
async fn without_a_key_nothing_is_sealed_and_with_the_old_one_all_opens() {
    let mut world = World::new().await;
    let body =
        json!({"userId": ASHA, "allowedProviders": ["vapi"], "credentials": {"key": CANARY}});
    let plain = json!({"userId": ASHA, "allowedProviders": ["vapi"]});
    let path = format!("/api/hr-call-config/{ASHA}");
    let admin = Caller::person(&world, Role::Admin, ADMIN);
    let engine = Caller::engine(&world);
    let refused = admin.ask(Method::POST, CONFIGS, body.clone(), 503).await;
    assert_eq!(refused["code"], "sealing_not_configured", "{refused}");
    admin.get(&format!("{CONFIGS}/{ASHA}"), 404).await;
    admin.ask(Method::POST, CONFIGS, plain.clone(), 201).await;
    assert_eq!(engine.get(&path, 200).await["credentials"], Value::Null);

    let (one, two) = ("01".repeat(32), "02".repeat(32));
    again(&mut world, vec![("RINGMASTER_SEAL_KEY", one.clone())]).await;
    admin.ask(Method::POST, CONFIGS, body, 200).await;
    again(&mut world, vec![("RINGMASTER_SEAL_KEY", two.clone())]).await;
    let closed = engine.get(&path, 503).await;
    assert_eq!(closed["code"], "sealing_not_configured", "{closed}");
    assert_eq!(admin.ask(Method::POST, CONFIGS, plain, 200).await["hasCredentials"], true);
    let old = vec![("RINGMASTER_SEAL_KEY", two), ("RINGMASTER_SEAL_KEYS_OLD", one)];
    again(&mut world, old).await;
    assert_eq!(engine.get(&path, 200).await["credentials"], json!({"key": CANARY}));
    world.end().await;
}

/// Starts the server again, with other settings.
async fn again(world: &mut World, environment: Vec<(&'static str, String)>) {
    let server = world.server.take().unwrap();
    assert!(server.stop(SOON).await.unwrap().success());
    world.plan.environment = environment;
    world.start_again().await;
}

#[tokio::test]
async fn credentials_are_in_no_log_no_answer_and_no_file() {
    let mut setup = keyed();
    setup.environment.push(("RUST_LOG", "trace".to_owned()));
    // An engine that fails and takes its time has no say in a save.
    setup.faults = broken_refreshes();
    let world = World::with(setup).await;
    let admin = Caller::person(&world, Role::Admin, ADMIN);
    let asha = Caller::person(&world, Role::Hr, ASHA);
    let body = json!({"userId": ASHA, "allowedProviders": ["vapi", "elevenlabs"],
        "credentials": {"vapi": {"key": CANARY}, (CANARY): 1}});
    let mut wrong = body.clone();
    wrong["allowedProviders"] = json!([CANARY]);
    let mut answers = vec![
        admin.ask(Method::POST, CONFIGS, body, 201).await,
        admin.ask(Method::POST, CONFIGS, wrong, 400).await,
        admin.ask(Method::POST, CREATE_DEFAULT, json!({"userId": ASHA}), 200).await,
        admin.get(CONFIGS, 200).await,
        admin.get(&format!("{CONFIGS}/{ASHA}"), 200).await,
        asha.get(MINE, 200).await,
        asha.ask(Method::PUT, MINE, json!({"defaultProvider": "elevenlabs"}), 200).await,
    ];
    let opened = Caller::engine(&world).get(&format!("/api/hr-call-config/{ASHA}"), 200).await;
    assert!(opened.to_string().contains(CANARY), "{opened}");
    answers.push(admin.ask(Method::DELETE, &format!("{CONFIGS}/{NOBODY}"), Value::Null, 404).await);
    for answer in &answers {
        assert!(!answer.to_string().contains(CANARY), "{answer}");
    }
    eventually(SOON, "the refreshes failed, and were counted", async || {
        let metrics = admin.http.get(format!("{}/metrics", admin.base)).send().await.unwrap();
        let text = metrics.text().await.unwrap();
        text.contains("ringmaster_provider_refresh_total{outcome=\"failed\"}").then_some(())
    })
    .await;
    let folder = world.folder.path().to_owned();
    let server = folder.join("server.log");
    assert!(fs::read_to_string(&server).unwrap().contains("TRACE"), "it logs all there is");
    let mut world = world;
    let stopped = world.server.take().unwrap().stop(SOON).await.unwrap();
    assert!(stopped.success());
    // Tables, indexes and the database's own log are files of the stopped server.
    let (files, found) = search(&folder);
    assert!(files > 100, "the database is among them");
    assert_eq!(found, Vec::<String>::new());
    world.engine.shutdown().await;
}

fn broken_refreshes() -> Faults {
    let faults = json!({"pull": {"refreshError": 1.0}});
    serde_json::from_value(faults).unwrap()
}

/// Counts the files below a folder, and names those that hold the canary.
fn search(folder: &Path) -> (usize, Vec<String>) {
    let (mut files, mut found, mut folders) = (0, Vec::new(), vec![folder.to_owned()]);
    if let Some(place) = outside(folder) {
        folders.push(place);
    }
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let bytes = fs::read(&path).unwrap_or_default();
            if bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    (files, found)
}

/// Returns where the database lies, if that is not in its home.
fn outside(folder: &Path) -> Option<std::path::PathBuf> {
    let record = fs::read(folder.join("home/cluster.json")).ok()?;
    let record: Value = serde_json::from_slice(&record).ok()?;
    record["outside"].as_str().map(Into::into)
}
