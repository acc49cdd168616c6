//! The rows: for each operation what is asked for, and what is sent. One that is missing fails the test.

use domain::TenantId;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{OURS, SPARE, Things};

/// Where one of the interviews was recorded.
pub const RECORDING: &str = "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1";

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
    /// The path names something that is nobody's in particular.
    Shared {
        /// What there is.
        own: String,
        /// What there is not.
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
    /// What our own services send instead, where they come in beside people.
    pub by_service: Option<fn(Uuid) -> Value>,
    /// What the answer to whoever may ask tells of.
    pub tells: Vec<Uuid>,
    /// What callers of another tenant are answered, where that is no good answer of theirs.
    pub elsewhere: Option<u16>,
    /// What whoever may ask is answered, where what would give the good answer is not there.
    pub instead: Option<u16>,
}

impl Row {
    fn one(operation: &'static str, path: &'static str) -> Self {
        Self::at(operation, Paths::One(path))
    }

    fn at(operation: &'static str, paths: Paths) -> Self {
        Self {
            operation,
            tenant: OURS,
            paths,
            body: None,
            by_service: None,
            tells: Vec::new(),
            elsewhere: None,
            instead: None,
        }
    }

    /// A row about a list of what is ours, in which there is `id`.
    fn list(operation: &'static str, path: &'static str, id: Uuid) -> Self {
        Self { tells: vec![id], ..Self::one(operation, path) }
    }

    /// A row about a thing that each tenant has.
    fn each(operation: &'static str, ids: [Uuid; 2], path: impl Fn(String) -> String) -> Self {
        let [own, foreign, missing] = [ids[0], ids[1], NOBODYS].map(|id| path(id.to_string()));
        Self::at(operation, Paths::Of { own, foreign: Some(foreign), missing })
    }

    /// A row about a thing of the default tenant's, which alone has calls of the engine's own.
    fn call(operation: &'static str, id: Uuid) -> Self {
        Self::call_at(operation, id, "")
    }

    /// A row about a part of such a thing.
    fn call_at(operation: &'static str, id: Uuid, part: &str) -> Self {
        let [own, missing] = [id, NOBODYS].map(|id| format!("/api/voice-interviews/{id}{part}"));
        Self::at(operation, Paths::Of { own, foreign: None, missing }).of_default()
    }

    /// A row about what was recorded of such a thing, by its address.
    fn recorded(operation: &'static str) -> Self {
        let [own, missing] =
            [RECORDING, "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE2"]
                .map(|address| format!("/api/voice-interviews/recording-proxy?url={address}"));
        Self::at(operation, Paths::Of { own, foreign: None, missing }).of_default()
    }

    fn answered(self, instead: u16) -> Self {
        Self { instead: Some(instead), ..self }
    }

    /// A row about something that is nobody's in particular.
    fn shared(operation: &'static str, own: &str, missing: &str) -> Self {
        Self::at(operation, Paths::Shared { own: own.to_owned(), missing: missing.to_owned() })
    }

    fn sends(self, body: fn(Uuid) -> Value) -> Self {
        Self { body: Some(body), ..self }
    }

    fn sends_as_service(self, body: fn(Uuid) -> Value) -> Self {
        Self { by_service: Some(body), ..self }
    }

    /// The same where only the default tenant is served.
    fn of_default_alone(self, elsewhere: u16) -> Self {
        Self { elsewhere: Some(elsewhere), ..self.of_default() }
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
    let mut rows = vec![
        Row::one("interviews.take", "/api/voice-interviews/webhook").sends(report),
        Row::list("interviews.list", "/api/voice-interviews", kept).of_default(),
        Row::one("interviews.stats", "/api/voice-interviews/stats").of_default(),
        Row::one("interviews.sync", "/api/voice-interviews/sync").of_default(),
        Row::call("interviews.detail", kept),
        Row::call("interviews.delete", deleted),
        // Without a login nobody asks Twilio, but whether the caller may hear it is found out before.
        Row::call_at("interviews.recording", kept, "/recording").answered(503),
        Row::recorded("interviews.recording_proxy").answered(503),
        Row::list("screenings.list", "/api/v1/screenings", things.applications[0]),
        Row::each("screenings.detail", things.applications, screening),
        Row::one("screenings.import", "/api/v1/applications/import").sends(import),
        Row::list("supervision.tree", "/api/v1/tree", things.sick[0]),
        Row::each("supervision.release", things.sick, release),
        Row::one("supervision.dialing", "/api/v1/dialing"),
        Row::one("supervision.stop", "/api/v1/dialing/stop"),
        Row::one("supervision.resume", "/api/v1/dialing/resume"),
        Row::one("users.import", "/api/v1/users/import").sends(users),
        Row::list("tenants.list", "/api/v1/tenants", OURS),
        Row::one("tenants.create", "/api/v1/tenants").sends(tenant),
        Row::shared(
            "tenants.close",
            &format!("/api/v1/tenants/{SPARE}/close"),
            &format!("/api/v1/tenants/{NOBODYS}/close"),
        ),
    ];
    rows.extend(of_calling(things));
    rows.extend(of_the_server());
    rows
}

/// Returns the rows about what is called, and how.
fn of_calling(things: &Things) -> Vec<Row> {
    let config = |id| format!("/api/admin/hr-call-configs/{id}");
    let stored_prompt = |id| format!("/api/mr-hire/call-prompts/{id}");
    vec![
        Row::one(
            "calling.engine_call_config",
            "/api/hr-call-config/00000000-0000-4000-8000-000000000001",
        ),
        Row::one("calling.enabled_call_providers", "/api/system-config/enabled-call-providers"),
        Row::one("calling.system_configs", "/api/v1/system-config"),
        Row::one("calling.put_system_config", "/api/v1/system-config/CALL_PROVIDER").sends(setting),
        Row::one("calling.my_call_config", "/api/hr/my-call-config"),
        Row::one("calling.put_my_call_config", "/api/hr/my-call-config").sends(default_provider),
        Row::list("calling.list_call_configs", "/api/admin/hr-call-configs", things.recruiters[0]),
        Row::one("calling.put_call_config", "/api/admin/hr-call-configs").sends(call_config),
        Row::one("calling.create_default_call_config", "/api/admin/hr-call-configs/create-default")
            .sends(user),
        Row::each("calling.call_config", things.recruiters, config),
        Row::each("calling.delete_call_config", things.recruiters, config),
        Row::list("prompts.list_call_prompts", "/api/mr-hire/call-prompts", things.prompts[0]),
        Row::one("prompts.create_call_prompt", "/api/mr-hire/call-prompts").sends(prompt),
        Row::one("prompts.active_call_prompt", "/api/mr-hire/call-prompts/active"),
        Row::each("prompts.change_call_prompt", things.prompts, stored_prompt).sends(prompt_change),
        Row::each("prompts.delete_call_prompt", things.prompts, stored_prompt),
        Row::one("prompts.interview_prompt", "/api/mr-hire/interview-prompt"),
        Row::one("prompts.put_interview_prompt", "/api/mr-hire/interview-prompt")
            .sends(interview_prompt),
        Row::one("prompts.reset_interview_prompt", "/api/mr-hire/interview-prompt/reset"),
        // The engine's webhooks could not name another tenant's calls.
        Row::one("calls.place", "/api/mr-hire/call")
            .of_default_alone(503)
            .sends(call)
            .sends_as_service(call_of_service),
    ]
}

/// Returns the rows about the server itself.
fn of_the_server() -> Vec<Row> {
    vec![
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

fn users(_: Uuid) -> Value {
    json!({"users": [{"id": Uuid::from_u128(0x71), "role": "HR", "name": "Ravi Iyer"}]})
}

fn tenant(_: Uuid) -> Value {
    json!({"id": SPARE, "name": "another"})
}

fn user(_: Uuid) -> Value {
    json!({"userId": Uuid::from_u128(0x72)})
}

fn setting(_: Uuid) -> Value {
    json!({"value": "vapi"})
}

fn default_provider(_: Uuid) -> Value {
    json!({"defaultProvider": "vapi"})
}

fn call_config(_: Uuid) -> Value {
    call_config_of(Uuid::from_u128(0x73))
}

/// Returns a recruiter's configuration.
pub fn call_config_of(user: Uuid) -> Value {
    json!({"userId": user, "allowedProviders": ["vapi"], "defaultProvider": "vapi"})
}

/// Returns a prompt that belongs to somebody who does not ask.
pub fn prompt(_: Uuid) -> Value {
    json!({
        "name": "Screening", "systemPrompt": "Greet {{candidateName}}.",
        "belongsToId": Uuid::from_u128(0x74),
    })
}

fn prompt_change(_: Uuid) -> Value {
    json!({"name": "First screening"})
}

fn interview_prompt(_: Uuid) -> Value {
    json!({"systemPrompt": "Greet {{candidateName}}."})
}

fn call(_: Uuid) -> Value {
    json!({"phoneNumber": "+919529117230", "candidateName": "Asha Rao", "role": "Engineer"})
}

fn call_of_service(tenant: Uuid) -> Value {
    let mut call = call(tenant);
    call["applicationId"] = json!(Uuid::from_u128(0x75));
    call["belongsTo"] = json!(Uuid::from_u128(0x76));
    call
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
