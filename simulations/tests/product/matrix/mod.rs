//! Who comes in where: every operation of the document, asked by everybody, for everybody's things.

mod callers;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

use domain::TenantId;
use domain::ports::Quarantine as _;
use domain::{EntityId, EntityKey, Kind};
use persistence::{Database, Limits, PgStore};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use callers::{Caller, Door, Target, expected};
use rows::{Paths, Row};

use crate::harness::{Folder, SOON, Setup, World, ended, eventually, morning, own_database};

/// The tenant that most rows are about; calls of the engine's own are the default tenant's.
const OURS: Uuid = Uuid::from_u128(0xa0);
/// Another tenant.
const THEIRS: Uuid = Uuid::from_u128(0xb0);
/// One that is there to be closed.
const SPARE: Uuid = Uuid::from_u128(0xc0);

/// What rows ask for.
struct Things {
    /// Two interviews of the default tenant's; the second is there to be deleted.
    interviews: [Uuid; 2],
    /// An application of ours, and one of theirs.
    applications: [Uuid; 2],
    /// An interview of ours in quarantine, and one of theirs.
    sick: [Uuid; 2],
    /// A recruiter of ours with a configuration, and one of theirs.
    recruiters: [Uuid; 2],
    /// A prompt of ours, and one of theirs.
    prompts: [Uuid; 2],
}

impl Things {
    fn of(&self, tenant: Uuid) -> Vec<String> {
        let own: Vec<Uuid> = match tenant {
            OURS => self.of_each(0),
            THEIRS => self.of_each(1),
            _ => self.interviews.to_vec(),
        };
        own.iter().map(Uuid::to_string).collect()
    }

    fn of_each(&self, tenant: usize) -> Vec<Uuid> {
        let each = [self.applications, self.sick, self.recruiters, self.prompts];
        each.iter().map(|things| things[tenant]).collect()
    }
}

/// One operation, as the document tells of it.
struct Operation {
    method: Method,
    template: String,
    door: Door,
    /// What a good answer may be.
    good: BTreeSet<u16>,
}

#[tokio::test]
async fn every_operation_lets_in_whom_the_document_says_and_nobody_else() {
    let folder = Folder::new();
    let (database, url) = own_database(&folder).await;
    let setup = Setup { database: Some(url.clone()), speed: 1.0, ..Setup::default() };
    let world = World::with(setup).await;
    for tenant in [OURS, THEIRS, SPARE] {
        world.know_tenant(tenant).await;
    }
    let things = prepare(&world, &url).await;
    // The committed one: what the code says of itself would follow a mistake.
    let document: Value =
        serde_json::from_str(include_str!("../../../../docs/openapi.json")).unwrap();
    let operations = read(&document);
    let rows = rows::all(&things);
    let named: BTreeSet<&str> = rows.iter().map(|row| row.operation).collect();
    let described: BTreeSet<&str> = operations.keys().map(String::as_str).collect();
    assert_eq!(named, described, "each operation has a row, and each row an operation");

    let (mut cells, mut wrong) = (0, Vec::new());
    for row in &rows {
        let operation = &operations[row.operation];
        for (caller, target) in callers::cells(operation, row) {
            cells += 1;
            wrong.extend(ask(&world, &things, operation, row, caller, target).await);
        }
    }
    assert!(wrong.is_empty(), "{} of {cells} cells:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cells > 3 * rows.len(), "only {cells} cells");
    world.end().await;
    database.stop().await.unwrap();
}

/// Gives a tenant what an administrator there can make by themselves; answers the prompt.
async fn furnish(world: &World, tenant: Uuid, recruiter: Uuid) -> Uuid {
    let api = world.api.with_token(Some(callers::admin(world, tenant)));
    for user in [recruiter, callers::SOMEBODY] {
        let config = rows::call_config_of(user);
        let sent =
            api.send(Method::POST, "/api/admin/hr-call-configs", Some(&config)).await.unwrap();
        assert_eq!(sent.0, StatusCode::CREATED, "{}", sent.1);
    }
    let prompt = rows::prompt(tenant);
    let sent = api.send(Method::POST, "/api/mr-hire/call-prompts", Some(&prompt)).await.unwrap();
    sent.1["data"]["id"].as_str().expect("a prompt has an id").parse().unwrap()
}

/// Makes what the rows ask for.
async fn prepare(world: &World, url: &str) -> Things {
    let mut recorded = ended("call_matrix_1");
    recorded["recordingUrl"] = json!(rows::RECORDING);
    let interviews = [world.tell(&recorded).await, world.tell(&ended("call_matrix_2")).await];
    let applications = [OURS, THEIRS].map(rows::application);
    for (tenant, application) in [OURS, THEIRS].into_iter().zip(applications) {
        let api = world.api.with_token(Some(callers::admin(world, tenant)));
        api.import(&rows::import(tenant)).await.unwrap();
        eventually(SOON, "the screening is there", async || {
            api.screening(application).await.unwrap()
        })
        .await;
    }
    let sick = [OURS, THEIRS].map(|tenant| Uuid::from_u128(tenant.as_u128() + 0x51));
    let database = Database::at(url, Limits::default()).unwrap();
    let store = PgStore::new(database.clone());
    for (tenant, id) in [OURS, THEIRS].into_iter().zip(sick) {
        let key = EntityKey { kind: Kind::Interview, id: EntityId(id) };
        let reason = "it panicked".to_owned();
        store.put(key, TenantId(tenant), reason, None, morning()).await.unwrap();
    }
    database.close().await;
    let recruiters = [OURS, THEIRS].map(|tenant| Uuid::from_u128(tenant.as_u128() + 3));
    let mut prompts = [Uuid::nil(); 2];
    for (place, tenant) in [OURS, THEIRS].into_iter().enumerate() {
        prompts[place] = furnish(world, tenant, recruiters[place]).await;
    }
    Things { interviews, applications, sick, recruiters, prompts }
}

/// Reads the operations of the document, by their ids.
fn read(document: &Value) -> BTreeMap<String, Operation> {
    let mut operations = BTreeMap::new();
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            let statuses = operation["responses"].as_object().unwrap().keys();
            let good =
                statuses.map(|status| status.parse().unwrap()).filter(|status| *status < 400);
            let operation = Operation {
                method: method.to_uppercase().parse().unwrap(),
                template: template.clone(),
                door: Door::of(operation),
                good: good.collect(),
            };
            assert!(
                operations.insert(id.clone(), operation).is_none(),
                "{id} names two operations"
            );
        }
    }
    operations
}

/// Sends one request; says what is wrong with its answer.
async fn ask(
    world: &World,
    things: &Things,
    operation: &Operation,
    row: &Row,
    caller: Caller,
    target: Target,
) -> Option<String> {
    let path = row.paths.of(target)?;
    assert!(fits(&path, &operation.template), "{path} is no {}", operation.template);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = http.request(operation.method.clone(), format!("{}{path}", world.base()));
    if let Some((name, value)) = caller.credential(world, operation, row.tenant) {
        request = request.header(name, value);
    }
    if operation.good.contains(&101) {
        for (name, value) in UPGRADE {
            request = request.header(name, value);
        }
    }
    let by_service = row.by_service.filter(|_| caller == Caller::Service);
    if let Some(body) = by_service.or(row.body) {
        request = request.json(&body(caller.tenant(row.tenant)));
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let (body, wanted) = (body_of(answer).await, expected(operation, row, caller, target));
    let cell = format!("{} as {caller:?} for {target:?}: {path}", row.operation);
    if !wanted.contains(&status) {
        return Some(format!("{cell}: {status} instead of {wanted:?}: {body:.300}"));
    }
    if (caller, target) == (Caller::Right, Target::Own) {
        // Otherwise an answer that tells of nothing would pass for one that keeps others' secrets.
        let untold = row.tells.iter().find(|id| !body.contains(&id.to_string()));
        return untold.map(|id| format!("{cell}: it does not tell of {id}: {body:.300}"));
    }
    let secrets = (caller == Caller::OtherTenant).then(|| things.of(row.tenant));
    let told = secrets?.into_iter().find(|id| body.contains(id) && !path.contains(id))?;
    Some(format!("{cell}: it tells of {told}"))
}

/// The handshake of a WebSocket. Source of the key: RFC 6455, 1.3.
const UPGRADE: [(&str, &str); 4] = [
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// Reads the body; a socket has none that ends.
async fn body_of(answer: reqwest::Response) -> String {
    if answer.status().as_u16() == 101 {
        return json!(null).to_string();
    }
    let bytes = answer.bytes().await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Says whether a path is one of a template's.
fn fits(path: &str, template: &str) -> bool {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let (path, template): (Vec<_>, Vec<_>) =
        (path.split('/').collect(), template.split('/').collect());
    let same = |(part, pattern): (&&str, &&str)| part == pattern || pattern.starts_with('{');
    path.len() == template.len() && path.iter().zip(&template).all(same)
}

impl Paths {
    fn of(&self, target: Target) -> Option<String> {
        match (self, target) {
            (Self::One(path), Target::Own) => Some((*path).to_owned()),
            (Self::One(_), Target::Foreign | Target::Missing) => None,
            (Self::Of { own, .. }, Target::Own) => Some(own.clone()),
            (Self::Of { foreign, .. }, Target::Foreign) => foreign.clone(),
            (Self::Of { missing, .. } | Self::Shared { missing, .. }, Target::Missing) => {
                Some(missing.clone())
            }
            (Self::Shared { own, .. }, Target::Own) => Some(own.clone()),
            (Self::Shared { .. }, Target::Foreign) => None,
        }
    }
}
