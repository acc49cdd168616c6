//! What administrators see and stop where several tenants share a server: their own.

use domain::ports::Quarantine as _;
use domain::{EntityId, EntityKey, Kind, TenantId};
use persistence::{Database, Limits, PgStore};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulations::product::{Api, Feed, Frame, Role};
use tokio::time::timeout;
use uuid::Uuid;

use crate::harness::{ADMIN, Folder, SOON, Setup, World, morning, own_database};

/// A tenant beside the default one.
const THEIRS: Uuid = Uuid::from_u128(0x7e);
const OURS: Uuid = TenantId::DEFAULT.0;
/// An entity in quarantine, of each tenant.
const OUR_SICK: Uuid = Uuid::from_u128(0x51);
const THEIR_SICK: Uuid = Uuid::from_u128(0x52);

/// Sends a request; answers with the body, once the status is the one expected.
async fn answers(api: &Api, method: Method, path: &str, body: Option<Value>, status: u16) -> Value {
    let (found, answer) = api.send(method.clone(), path, body.as_ref()).await.unwrap();
    assert_eq!(found.as_u16(), status, "{method} {path} {body:?}: {answer}");
    answer
}

async fn dialing(api: &Api, verb: &str, scope: Option<&str>, status: u16) -> Value {
    let body = scope.map_or_else(|| json!({}), |scope| json!({ "scope": scope }));
    answers(api, Method::POST, &format!("/api/v1/dialing/{verb}"), Some(body), status).await
}

fn scopes(answer: &Value) -> Vec<&str> {
    let stops = answer["data"]["stops"].as_array().unwrap();
    stops.iter().map(|stop| stop["scope"].as_str().unwrap()).collect()
}

fn sick(tree: &Value) -> Vec<&str> {
    let quarantined = tree["quarantined"].as_array().unwrap();
    quarantined.iter().map(|entity| entity["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn administrators_see_release_and_stop_what_is_their_tenants() {
    let folder = Folder::new();
    let (database, url) = own_database(&folder).await;
    let world = World::with(Setup { database: Some(url.clone()), ..Setup::default() }).await;
    quarantine(&url).await;
    world.know_tenant(THEIRS).await;
    let their_admin = world.token_in(THEIRS, Role::Admin, ADMIN);
    let theirs = world.api.with_token(Some(their_admin.clone()));

    what_is_in_quarantine(&world, &theirs, &their_admin).await;
    the_red_button(&world, &theirs).await;
    ids_of_another_tenants(&world, &theirs).await;
    world.end().await;
    database.stop().await.unwrap();
}

async fn quarantine(url: &str) {
    let database = Database::at(url, Limits::default()).unwrap();
    let store = PgStore::new(database.clone());
    for (id, tenant) in [(OUR_SICK, OURS), (THEIR_SICK, THEIRS)] {
        let key = EntityKey { kind: Kind::Interview, id: EntityId(id) };
        let reason = "it panicked".to_owned();
        store.put(key, TenantId(tenant), reason, None, morning()).await.unwrap();
    }
    database.close().await;
}

async fn what_is_in_quarantine(world: &World, theirs: &Api, token: &str) {
    let (our_sick, their_sick) = (OUR_SICK.to_string(), THEIR_SICK.to_string());
    let tree = answers(&world.api, Method::GET, "/api/v1/tree", None, 200).await;
    assert_eq!(
        sick(&tree["data"]),
        [our_sick.as_str(), &their_sick],
        "who runs the server sees all"
    );
    let tree = answers(theirs, Method::GET, "/api/v1/tree", None, 200).await;
    assert_eq!(sick(&tree["data"]), [their_sick.as_str()]);
    assert_eq!(tree["data"]["kinds"][0]["quarantined"], 1, "{tree}");

    let mut feed = Feed::open(&world.base(), token).await.unwrap();
    feed.subscribe("tree", None).await.unwrap();
    let seen = timeout(SOON, async {
        loop {
            if let Frame::Snap { data, .. } = feed.next().await.unwrap() {
                return data;
            }
        }
    });
    assert_eq!(sick(&seen.await.expect("the tree is shown")), [their_sick.as_str()]);

    let release = |id: &str| format!("/api/v1/actors/interview/{id}/release");
    let refused = answers(theirs, Method::POST, &release(&our_sick), None, 404).await;
    assert_eq!(refused["code"], "not_in_quarantine", "{refused}");
    answers(theirs, Method::POST, &release(&their_sick), None, 200).await;
    answers(&world.api, Method::POST, &release(&our_sick), None, 200).await;
}

async fn the_red_button(world: &World, theirs: &Api) {
    let ours = &world.api;
    let (our_scope, their_scope) = (format!("tenant:{OURS}"), format!("tenant:{THEIRS}"));
    for scope in ["all", "provider:mr-hire", &our_scope] {
        for verb in ["stop", "resume"] {
            let refused = dialing(theirs, verb, Some(scope), 403).await;
            assert_eq!(refused["code"], "scope_forbidden", "{refused}");
        }
    }
    for api in [ours, theirs] {
        let campaign = format!("campaign:{OUR_SICK}");
        let refused = dialing(api, "stop", Some(&campaign), 400).await;
        assert_eq!(refused["errors"][0]["pointer"], "#/scope", "{refused}");
    }
    // Who does not say stops all that is theirs to stop.
    assert_eq!(scopes(&dialing(theirs, "stop", None, 200).await), [their_scope.as_str()]);
    assert_eq!(
        scopes(&dialing(ours, "stop", Some(&our_scope), 200).await),
        [&their_scope, &our_scope]
    );
    let seen = answers(theirs, Method::GET, "/api/v1/dialing", None, 200).await;
    assert_eq!(scopes(&seen), [their_scope.as_str()], "ours is none of their business");
    let all = dialing(ours, "stop", None, 200).await;
    assert_eq!(scopes(&all), [&their_scope, &our_scope, "all"]);
    let left = dialing(theirs, "resume", None, 200).await;
    assert_eq!((scopes(&left), &left["data"]["stopped"]), (vec!["all"], &json!(true)));
    let superadmin = Some(world.token_in(THEIRS, Role::Superadmin, ADMIN));
    let superadmin = ours.with_token(superadmin);
    assert_eq!(scopes(&dialing(&superadmin, "resume", None, 200).await), [our_scope.as_str()]);
    dialing(ours, "resume", Some(&our_scope), 200).await;
}

async fn ids_of_another_tenants(world: &World, theirs: &Api) {
    let post = |id: u128| json!({"id": Uuid::from_u128(id), "title": "Engineer"});
    let application = |id: u128, post: u128| {
        json!({
            "id": Uuid::from_u128(id), "jobPostId": Uuid::from_u128(post),
            "candidateName": "Asha Rao", "phoneNumber": "+919529117230",
        })
    };
    let ours = json!({"jobPosts": [post(1)], "applications": [application(11, 1)]});
    world.api.import(&ours).await.unwrap();
    for (body, pointer, code) in [
        (json!({"jobPosts": [post(2), post(1)]}), "#/jobPosts/1/id", "unusable_id"),
        (
            json!({"jobPosts": [post(2)], "applications": [application(12, 2), application(11, 2)]}),
            "#/applications/1/id",
            "unusable_id",
        ),
        (
            json!({"jobPosts": [post(2)], "applications": [application(12, 2), application(13, 1)]}),
            "#/applications/1/jobPostId",
            "unknown_id",
        ),
    ] {
        let path = "/api/v1/applications/import";
        let (status, answer) = theirs.send(Method::POST, path, Some(&body)).await.unwrap();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        assert_eq!(answer["errors"][0]["pointer"], pointer, "{answer}");
        assert_eq!(answer["errors"][0]["code"], code, "{answer}");
        assert!(!answer.to_string().contains("tenant"), "{answer}");
    }
}
