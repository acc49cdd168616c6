//! Tenants and users: who may come in, and how soon somebody may not any more.

use reqwest::Method;
use serde_json::{Value, json};
use simulations::product::{Api, Feed, Frame, Role};
use tokio::time::timeout;
use uuid::Uuid;

use crate::harness::{ADMIN, SOON, Setup, World, eventually};

const TENANTS: &str = "/api/v1/tenants";
const IMPORT: &str = "/api/v1/users/import";
const DEFAULT: &str = "00000000-0000-0000-0000-000000000001";
/// A tenant beside the default one.
const THEIRS: Uuid = Uuid::from_u128(0x7e);
/// A recruiter of the default tenant.
const ASHA: Uuid = Uuid::from_u128(0xa5);
/// One who runs the installation.
const ROOT: Uuid = Uuid::from_u128(0x100);

/// Sends a request; answers status and body.
async fn ask(api: &Api, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let (status, answer) = api.send(method, path, body.as_ref()).await.unwrap();
    (status.as_u16(), answer)
}

/// Whether somebody comes in: the status, and the code of a refusal.
async fn comes_in(api: &Api) -> (u16, String) {
    let (status, answer) = ask(api, Method::GET, "/api/voice-interviews", None).await;
    (status, answer["code"].as_str().unwrap_or_default().to_owned())
}

/// Waits until somebody is refused with `code`.
async fn is_refused(api: &Api, code: &str) {
    eventually(SOON, code, async || (comes_in(api).await == (401, code.to_owned())).then_some(()))
        .await;
}

fn user(id: Uuid, role: &str) -> Value {
    json!({"id": id, "role": role, "name": "Asha Rao", "email": "asha@mentor.example",
        "phone": "+91 95291-17230"})
}

fn with(mut row: Value, field: &str, value: Value) -> Value {
    row[field] = value;
    row
}

#[tokio::test]
async fn only_people_of_open_tenants_who_are_what_their_token_says_come_in() {
    let world = World::with(Setup { speed: 60.0, ..Setup::default() }).await;
    let root = world.api.with_token(Some(world.token(Role::Superadmin, ROOT)));
    tenants_are_created_and_closed(&world, &root).await;
    tenants_of_bad_shape(&world, &root).await;
    users_are_demoted_deleted_and_come_back(&world).await;
    users_of_bad_shape(&world).await;
    superadmins_are_made_by_superadmins(&world, &root).await;
    sockets_end_too(&world).await;
    world.end().await;
}

async fn tenants_are_created_and_closed(world: &World, root: &Api) {
    let theirs = world.api.with_token(Some(world.token_in(THEIRS, Role::Admin, ADMIN)));
    assert_eq!(comes_in(&theirs).await, (401, "unknown_tenant".into()));
    let create = json!({"id": THEIRS, "name": "Theirs"});
    for _ in 0..2 {
        let (status, answer) = ask(root, Method::POST, TENANTS, Some(create.clone())).await;
        assert_eq!((status, &answer["data"]["name"]), (201, &json!("Theirs")), "{answer}");
    }
    assert_eq!(comes_in(&theirs).await.0, 200, "at once: no refusal is remembered");
    let renamed = json!({"id": THEIRS, "name": "Ours"});
    assert_eq!(ask(root, Method::POST, TENANTS, Some(renamed)).await.0, 409);
    let (_, listed) = ask(root, Method::GET, TENANTS, None).await;
    let names: Vec<_> = listed["data"].as_array().unwrap().iter().map(|t| &t["name"]).collect();
    assert_eq!(names, ["default", "Theirs"]);
    assert_eq!(listed["pagination"]["total"], 2);

    for (method, path) in [
        (Method::GET, TENANTS.to_owned()),
        (Method::POST, TENANTS.to_owned()),
        (Method::POST, format!("{TENANTS}/{THEIRS}/close")),
    ] {
        for admin in [&world.api, &theirs] {
            let body = (method == Method::POST).then(|| create.clone());
            assert_eq!(ask(admin, method.clone(), &path, body).await.0, 403, "{method} {path}");
        }
    }
    let close =
        async |id: &str| ask(root, Method::POST, &format!("{TENANTS}/{id}/close"), None).await;
    assert_eq!(close(DEFAULT).await.0, 409, "nobody could open it again");
    assert_eq!(close("00000000-0000-0000-0000-0000000000ff").await.0, 404);
    assert_eq!(close("theirs").await.0, 400);
    let (status, closed) = close(&THEIRS.to_string()).await;
    assert_eq!(status, 200);
    let (_, again) = close(&THEIRS.to_string()).await;
    assert_eq!(again["data"]["closedAt"], closed["data"]["closedAt"], "once");
    is_refused(&theirs, "unknown_tenant").await;
    assert_eq!(ask(root, Method::POST, TENANTS, Some(create)).await.0, 409, "it stays closed");
}

async fn tenants_of_bad_shape(_: &World, root: &Api) {
    let good = json!({"id": Uuid::from_u128(0x7f), "name": "New"});
    for (field, value) in [
        ("id", json!("7")),
        ("id", json!(null)),
        ("id", json!("00000000-0000-0000-0000-000000000000")),
        ("name", json!(" ")),
        ("name", json!("a\u{0}b")),
        ("name", json!("x".repeat(301))),
        ("tenantId", json!(DEFAULT)),
        ("closedAt", json!(null)),
        ("createdAt", json!("2026-01-01T00:00:00Z")),
    ] {
        let body = with(good.clone(), field, value.clone());
        let (status, answer) = ask(root, Method::POST, TENANTS, Some(body)).await;
        assert_eq!(status, 400, "{field} {value}: {answer}");
        assert_eq!(answer["errors"][0]["pointer"], format!("#/{field}"), "{answer}");
    }
    assert_eq!(ask(root, Method::GET, &format!("{TENANTS}?limit=0"), None).await.0, 400);
    assert_eq!(ask(root, Method::GET, &format!("{TENANTS}?name=x"), None).await.0, 400);
    let (_, listed) = ask(root, Method::GET, TENANTS, None).await;
    assert_eq!(listed["pagination"]["total"], 2, "nothing of it was written");
}

async fn users_are_demoted_deleted_and_come_back(world: &World) {
    let asha = world.api.with_token(Some(world.token(Role::Hr, ASHA)));
    assert_eq!(comes_in(&asha).await.0, 200, "without a row the token decides");
    let import = async |row: Value| {
        let body = json!({ "users": [row] });
        let (status, answer) = ask(&world.api, Method::POST, IMPORT, Some(body)).await;
        assert_eq!(status, 200, "{answer}");
        answer["data"].clone()
    };
    assert_eq!(import(user(ASHA, "HR")).await, json!({"users": 1, "deleted": 0}));
    assert_eq!(comes_in(&asha).await.0, 200);
    import(user(ASHA, "STUDENT")).await;
    is_refused(&asha, "role_changed").await;
    import(user(ASHA, "HR")).await;
    assert_eq!(comes_in(&asha).await.0, 200, "no refusal is remembered");
    let deleted = with(user(ASHA, "HR"), "deleted", json!(true));
    assert_eq!(import(deleted).await, json!({"users": 1, "deleted": 1}));
    is_refused(&asha, "user_deleted").await;
    let student = world.api.with_token(Some(world.token(Role::Student, ASHA)));
    assert_eq!(comes_in(&student).await, (401, "user_deleted".into()), "whatever the token says");
    import(user(ASHA, "HR")).await;
    assert_eq!(comes_in(&asha).await.0, 200);
}

async fn users_of_bad_shape(world: &World) {
    let good = user(Uuid::from_u128(0xb0), "HR");
    for (field, value) in [
        ("id", json!("7")),
        ("role", json!("GOD")),
        ("role", json!("hr")),
        ("role", json!(["ADMIN"])),
        ("name", json!("")),
        ("name", json!("a\u{0}")),
        ("name", json!("x".repeat(301))),
        ("email", json!("asha")),
        ("email", json!("a b@c")),
        ("phone", json!("12345")),
        ("phone", json!(919_529_117_230_u64)),
        ("activeHead", json!("yes")),
        ("deleted", json!(1)),
        ("deletedAt", json!(null)),
        ("tenantId", json!(THEIRS)),
        ("tenant_id", json!(THEIRS)),
        ("updatedAt", json!(null)),
        ("pages", json!(["crm"])),
    ] {
        let rows =
            json!({ "users": [user(ASHA, "STUDENT"), with(good.clone(), field, value.clone())] });
        let (status, answer) = ask(&world.api, Method::POST, IMPORT, Some(rows)).await;
        assert_eq!(status, 400, "{field} {value}: {answer}");
        assert_eq!(answer["errors"][0]["pointer"], format!("#/users/1/{field}"), "{answer}");
    }
    for body in
        [json!({}), json!([]), json!({"users": {}}), json!({"users": [], "tenantId": THEIRS})]
    {
        let (status, answer) = ask(&world.api, Method::POST, IMPORT, Some(body)).await;
        assert_eq!(status, 400, "{answer}");
    }
    let many: Vec<Value> = (0..2_001_u128).map(|n| user(Uuid::from_u128(n + 1), "HR")).collect();
    let (status, answer) =
        ask(&world.api, Method::POST, IMPORT, Some(json!({ "users": many }))).await;
    assert_eq!((status, &answer["errors"][0]["pointer"]), (400, &json!("#/users")), "{answer}");
    let asha = world.api.with_token(Some(world.token(Role::Hr, ASHA)));
    assert_eq!(comes_in(&asha).await.0, 200, "nothing of it was written: she is HR");
    let recruiter = ask(&asha, Method::POST, IMPORT, Some(json!({ "users": [] }))).await;
    assert_eq!(recruiter.0, 403);
}

async fn superadmins_are_made_by_superadmins(world: &World, root: &Api) {
    let rows = |role: &str| json!({"users": [user(ASHA, "STUDENT"), user(ROOT, role)]});
    let (status, answer) = ask(&world.api, Method::POST, IMPORT, Some(rows("SUPERADMIN"))).await;
    assert_eq!((status, &answer["errors"][0]["pointer"]), (403, &json!("#/users/1/role")));
    assert_eq!(
        ask(root, Method::POST, IMPORT, Some(json!({"users": [user(ROOT, "SUPERADMIN")]}))).await.0,
        200
    );
    let (status, answer) = ask(&world.api, Method::POST, IMPORT, Some(rows("HR"))).await;
    assert_eq!(
        (status, &answer["errors"][0]["pointer"]),
        (403, &json!("#/users/1/id")),
        "{answer}"
    );
    assert_eq!(comes_in(root).await.0, 200);
    let asha = world.api.with_token(Some(world.token(Role::Hr, ASHA)));
    assert_eq!(comes_in(&asha).await.0, 200, "all or nothing: she is still HR");
}

async fn sockets_end_too(world: &World) {
    let token = world.token(Role::Hr, ASHA);
    let mut feed = Feed::open(&world.base(), &token).await.unwrap();
    let deleted = with(user(ASHA, "HR"), "deleted", json!(true));
    let (status, _) =
        ask(&world.api, Method::POST, IMPORT, Some(json!({ "users": [deleted] }))).await;
    assert_eq!(status, 200);
    let goodbye = timeout(SOON, async {
        loop {
            if let Frame::Bye { code } = feed.next().await.unwrap() {
                return code;
            }
        }
    });
    assert_eq!(goodbye.await.expect("the socket ends with a heartbeat"), 4001);
    assert!(Feed::open(&world.base(), &token).await.is_err());
}
