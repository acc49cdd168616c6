//! Who may come in, as the table says.

use serde_json::{Value, json};

use crate::auth::{Access, Role, WebhookSource};
use crate::router::Route;

const BEARER: &str = "bearer";
const SERVICE: &str = "service";
const MR_HIRE_WEBHOOK: &str = "mrHireWebhook";

/// Returns the ways in which a caller is recognised.
pub(super) fn schemes() -> Value {
    json!({
        BEARER: {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "A person's token, with the claims `sub`, `role`, `exp` and, for another than the default one, \
                            `tenant`. It is signed with `JWT_SECRET` (HS256) or with the private half of \
                            `JWT_PUBLIC_KEY` (RS256, ES256). Where `JWT_AUDIENCE`, `JWT_ISSUER` or \
                            `RINGMASTER_JWT_KEY_IDS` are set, its `aud`, `iss` and `kid` must be theirs. \
                            `ringmaster token` writes one under `JWT_SECRET`.",
        },
        SERVICE: {
            "type": "http", "scheme": "bearer",
            "description": "Between our own services: the value of `INTERNAL_SERVICE_TOKEN`.",
        },
        MR_HIRE_WEBHOOK: {
            "type": "apiKey", "in": "header", "name": WebhookSource::MrHire.header(),
            "description": "What the call engine's webhooks carry: the value of `MR_HIRE_WEBHOOK_SECRET`.",
        },
    })
}

/// Says who may come in, in a form for machines and in a sentence.
pub(super) fn guard(operation: &mut Value, route: &Route) {
    let (security, roles, whom) = match route.access() {
        Access::Open => (json!([]), None, "For everybody.".to_owned()),
        Access::InBand => (
            json!([{BEARER: []}, {}]),
            None,
            "The token may come in the header or in the first frame.".to_owned(),
        ),
        Access::AnyRole => {
            (json!([{BEARER: []}]), Some(names(&Role::ALL)), "For every role.".to_owned())
        }
        Access::Roles(roles) => {
            let names = names(roles);
            let whom = format!("For {}.", names.join(", "));
            (json!([{BEARER: []}]), Some(names), whom)
        }
        Access::Page(roles, page) => {
            let names = names(roles);
            let whom = format!(
                "For {}; but for administrators, whose token names the page `{page}`.",
                names.join(", ")
            );
            (json!([{BEARER: []}]), Some(names), whom)
        }
        Access::RolesOrService(roles) => {
            let names = names(roles);
            let whom = format!("For {}, and for our own services.", names.join(", "));
            (json!([{BEARER: []}, {SERVICE: []}]), Some(names), whom)
        }
        Access::Service => (json!([{SERVICE: []}]), None, "For our own services.".to_owned()),
        Access::Webhook(WebhookSource::MrHire) => {
            (json!([{MR_HIRE_WEBHOOK: []}]), None, "For the call engine.".to_owned())
        }
    };
    operation["security"] = security;
    if let Some(roles) = roles {
        operation["x-roles"] = json!(roles);
    }
    let said = operation["description"].as_str().unwrap_or_default();
    operation["description"] = format!("{said}\n\n{whom}").trim_start().into();
}

fn names(roles: &[Role]) -> Vec<&'static str> {
    roles.iter().map(|role| role.as_str()).collect()
}
