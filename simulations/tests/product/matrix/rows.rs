//! The rows: for each operation what is asked for, and what is sent. One that is missing fails the test.

use domain::TenantId;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{OURS, Things};

const NOBODYS: Uuid = Uuid::from_u128(0xdead);

/// Where a row asks.
pub enum Paths {
    /// The path names nothing.
    One(&'static str),
    /// The path names something.
    Of {
        /// What belongs to the right caller.
        own: String,
        /// What belongs to the other tenant, where it can have such a thing.
        foreign: Option<String>,
        /// What nobody has.
        missing: String,
    },
}

/// How one operation is asked.
pub struct Row {
    /// Its id in the document.
    pub operation: &'static str,
    /// Of which tenant the right caller is.
    pub tenant: Uuid,
    pub paths: Paths,
    /// What is sent by somebody of a tenant.
    pub body: Option<fn(Uuid) -> Value>,
}

impl Row {
    fn one(operation: &'static str, path: &'static str) -> Self {
        Self { operation, tenant: OURS, paths: Paths::One(path), body: None }
    }

    /// A row about a thing that each tenant has.
    fn each(operation: &'static str, ids: [Uuid; 2], path: impl Fn(String) -> String) -> Self {
        let [own, foreign, missing] = [ids[0], ids[1], NOBODYS].map(|id| path(id.to_string()));
        let paths = Paths::Of { own, foreign: Some(foreign), missing };
        Self { operation, tenant: OURS, paths, body: None }
    }

    /// A row about a thing of the default tenant's, which alone has calls of the engine's own.
    fn call(operation: &'static str, id: Uuid) -> Self {
        let [own, missing] = [id, NOBODYS].map(|id| format!("/api/voice-interviews/{id}"));
        let paths = Paths::Of { own, foreign: None, missing };
        Self { operation, tenant: TenantId::DEFAULT.0, paths, body: None }
    }

    /// A row about something that is nobody's in particular.
    fn shared(operation: &'static str, own: &str, missing: &str) -> Self {
        let paths = Paths::Of { own: own.to_owned(), foreign: None, missing: missing.to_owned() };
        Self { operation, tenant: OURS, paths, body: None }
    }

    fn sends(self, body: fn(Uuid) -> Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// The same for callers of the default tenant.
    fn of_default(self) -> Self {
        Self { tenant: TenantId::DEFAULT.0, ..self }
    }
}

/// Returns all rows, in the order in which they are asked.
pub fn all(things: &Things) -> Vec<Row> {
    let [kept, deleted] = things.interviews;
    let screening = |id| format!("/api/v1/screenings/{id}");
    let release = |id| format!("/api/v1/actors/interview/{id}/release");
    vec![
        Row::one("interviews.take", "/api/voice-interviews/webhook").sends(report),
        Row::one("interviews.list", "/api/voice-interviews").of_default(),
        Row::one("interviews.stats", "/api/voice-interviews/stats").of_default(),
        Row::one("interviews.sync", "/api/voice-interviews/sync").of_default(),
        Row::call("interviews.detail", kept),
        Row::call("interviews.delete", deleted),
        Row::one("screenings.list", "/api/v1/screenings"),
        Row::each("screenings.detail", things.applications, screening),
        Row::one("screenings.import", "/api/v1/applications/import").sends(import),
        Row::one("supervision.tree", "/api/v1/tree"),
        Row::each("supervision.release", things.sick, release),
        Row::one("supervision.dialing", "/api/v1/dialing"),
        Row::one("supervision.stop", "/api/v1/dialing/stop"),
        Row::one("supervision.resume", "/api/v1/dialing/resume"),
        Row::one("live.upgrade", "/ws/v1"),
        Row::one("operations.livez", "/livez"),
        Row::one("operations.readyz", "/readyz"),
        Row::one("operations.health", "/health"),
        Row::one("operations.startupz", "/startupz"),
        Row::one("operations.metrics", "/metrics"),
        Row::shared("contract.show", "/problems/not_found", "/problems/no_such_code"),
        Row::one("contract.openapi", "/openapi.json"),
        Row::one("contract.page", "/docs"),
        Row::shared("contract.asset", "/docs/swagger-ui.css", "/docs/index.html"),
    ]
}

fn report(_: Uuid) -> Value {
    json!({"callId": "call_matrix", "status": "ringing"})
}

/// Returns the application that a tenant imports.
pub fn application(tenant: Uuid) -> Uuid {
    Uuid::from_u128(tenant.as_u128() + 1)
}

/// Returns what a tenant imports.
pub fn import(tenant: Uuid) -> Value {
    let post = Uuid::from_u128(tenant.as_u128() + 2);
    json!({
        "jobPosts": [{"id": post, "title": "Engineer"}],
        "applications": [{
            "id": application(tenant), "jobPostId": post, "candidateName": "Asha Rao",
            "phoneNumber": "+919529117230",
        }],
    })
}
