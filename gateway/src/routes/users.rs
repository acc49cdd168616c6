//! `/api/v1/users/import`: who may come in, all or nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::ports::{UserImport, UserRefusal, UserState};
use domain::{Phone, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::applications::{ERRORS_MAX, bound, pointer, rows};
use super::checks::Checks;
use super::{Services, wrong_field};
use crate::auth::Principal;
use crate::contract::sets;
use crate::envelope::Data;
use crate::error::{ApiError, FieldError};
use crate::extract::Json as Body;
use crate::problem::Code;

/// The longest address of mail, in bytes. Source: RFC 5321, 4.5.3.1.
const EMAIL_BYTES_MAX: usize = 254;

/// What is imported.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UsersRequest {
    #[schema(max_items = 2000)]
    users: Vec<UserRow>,
}

/// One user, whole: what is left out is forgotten.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct UserRow {
    id: Uuid,
    #[schema(schema_with = sets::role)]
    role: Role,
    /// Not blank.
    #[schema(min_length = 1, max_length = 300)]
    name: String,
    #[schema(
        pattern = r"^[^\s\u0000-\u001f\u007f-\u009f]+@[^\s\u0000-\u001f\u007f-\u009f]+$",
        max_length = 254
    )]
    email: Option<String>,
    #[schema(schema_with = sets::phone_or_null)]
    phone: Option<String>,
    /// The sales head in whose pool an administrator works; none is all pools.
    active_head: Option<Uuid>,
    /// Whether they may not come in any more.
    #[serde(default)]
    deleted: bool,
}

/// What an import did.
#[derive(Serialize, ToSchema)]
pub struct UsersView {
    /// Users written.
    users: usize,
    /// Those of them that are deleted now.
    deleted: usize,
}

/// `POST /api/v1/users/import`. Writes everything or nothing, into the caller's own tenant.
#[utoipa::path(
    post,
    path = "/api/v1/users/import",
    tag = "users",
    request_body = UsersRequest,
    responses((status = 200, description = "All of them are written.", body = Data<UsersView>)),
)]
pub(super) async fn import(
    State(services): State<Arc<Services>>,
    principal: Principal,
    Body(request): Body<UsersRequest>,
) -> Result<Json<Data<UsersView>>, ApiError> {
    let mut errors = Vec::new();
    bound("users", request.users.len(), &mut errors);
    let users = rows("users", request.users, UserRow::parse, &mut errors);
    if !errors.is_empty() {
        errors.truncate(ERRORS_MAX);
        return Err(ApiError::invalid_all(errors));
    }
    if principal.role != Role::Superadmin {
        refuse_superadmins(&users)?;
    }
    let ids: Vec<Uuid> = users.iter().map(|user| user.id).collect();
    let at = services.clock.now();
    match services.users.import(principal.tenant, users, principal.role, at).await? {
        Ok(report) => {
            Ok(Json(Data::new(UsersView { users: report.users, deleted: report.deleted })))
        }
        Err(UserRefusal::Superadmin(id)) => {
            let pointer = pointer("users", &ids, id, "id");
            Err(not_a_superadmins(pointer, "a SUPERADMIN is changed by a SUPERADMIN alone"))
        }
    }
}

/// Refuses to make a SUPERADMIN of anybody.
fn refuse_superadmins(users: &[UserImport]) -> Result<(), ApiError> {
    match users.iter().position(|user| user.role == Role::Superadmin) {
        Some(index) => {
            let pointer = format!("#/users/{index}/role");
            Err(not_a_superadmins(pointer, "a SUPERADMIN is made by a SUPERADMIN alone"))
        }
        None => Ok(()),
    }
}

fn not_a_superadmins(pointer: String, message: &str) -> ApiError {
    let field = FieldError { code: "superadmin_only", ..wrong_field(pointer, message) };
    ApiError::new(Code::Forbidden).detail(message).field(field)
}

impl UserRow {
    fn parse(self, checks: &mut Checks) -> Option<UserImport> {
        checks.filled("name", &self.name);
        if let Some(email) = self.email.as_deref().filter(|email| !is_email(email)) {
            let chars = email.chars().count();
            checks.wrong("email", format!("email is no address of mail ({chars} characters)"));
        }
        let phone = self.phone.as_deref().map(Phone::parse);
        let phone = phone.and_then(|parsed| checks.take("phone", parsed));
        Some(UserImport {
            id: self.id,
            role: self.role,
            name: self.name,
            email: self.email,
            phone,
            active_head: self.active_head,
            state: if self.deleted { UserState::Deleted } else { UserState::Active },
        })
    }
}

/// Whether something can be an address of mail; whether it is one, only mail can tell.
fn is_email(text: &str) -> bool {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control();
    let halves = text.rsplit_once('@').filter(|(name, host)| !name.is_empty() && !host.is_empty());
    text.len() <= EMAIL_BYTES_MAX && text.chars().all(is_plain) && halves.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_of_mail_has_two_halves_and_no_gaps() {
        for good in ["a@b", "asha.rao+hr@mentor.example", "\"a@b\"@example.org"] {
            assert!(is_email(good), "{good}");
        }
        let long = format!("{}@example.org", "a".repeat(EMAIL_BYTES_MAX));
        for bad in ["", "@", "a@", "@b", "asha", "a b@c", "a@b\r\nbcc: c@d", &long] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
