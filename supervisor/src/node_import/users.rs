//! Who may come in. What is known here stays, but for who was deleted there: they are shut out here too.

use domain::ports::{NodeRow, UserImport, UserState};
use domain::{Phone, Role};
use serde_json::Value;
use uuid::Uuid;

use super::report::TableReport;
use super::{ImportError, NodeImport};

impl NodeImport {
    /// Copies users under the ids that their tokens carry.
    pub(super) async fn users(
        &self,
        rows: Vec<NodeRow>,
        report: &mut TableReport,
    ) -> Result<(), ImportError> {
        for row in rows {
            let user = match user(&row) {
                Ok(user) => user,
                Err(why) => {
                    report.refused(row.key, why);
                    continue;
                }
            };
            if self.target.put_user(self.tenant, user, self.clock.now()).await? {
                report.written();
            } else {
                report.unchanged();
            }
        }
        Ok(())
    }
}

/// Reads a user. No number is dialled because it stands here, so one that is none is left out.
fn user(row: &NodeRow) -> Result<UserImport, String> {
    let text = |name: &str| row.column(name).and_then(Value::as_str).map(str::trim);
    let filled = |name: &str| text(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let role = text("role").ok_or("role is missing")?.to_ascii_uppercase();
    let email = filled("email");
    let state = match row.column("deletedAt") {
        Some(_) => UserState::Deleted,
        None => UserState::Active,
    };
    Ok(UserImport {
        id: Uuid::parse_str(&row.key).map_err(|_| "its id is no UUID")?,
        role: role.parse::<Role>().map_err(|why| why.to_string())?,
        name: filled("name").or_else(|| email.clone()).unwrap_or_default(),
        email,
        phone: text("phone").and_then(|number| Phone::parse(number).ok()),
        active_head: None,
        state,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(columns: Value) -> Result<UserImport, String> {
        let Value::Object(columns) = columns else { unreachable!() };
        user(&NodeRow { key: Uuid::from_u128(7).to_string(), columns })
    }

    #[test]
    fn user_is_read_by_either_spelling_and_an_unknown_role_is_refused() {
        let asha = json!({
            "role": "hr", "name": " Asha ", "email": "a@b.example", "phone": "+919529117230",
            "deleted_at": "2026-01-01T00:00:00",
        });
        let asha = read(asha).unwrap();
        assert_eq!((asha.role, asha.name.as_str()), (Role::Hr, "Asha"));
        assert_eq!((asha.state, asha.phone.is_some()), (UserState::Deleted, true));
        let bare = read(json!({"role": "ADMIN", "email": "a@b.example", "phone": "12"})).unwrap();
        assert_eq!(
            (bare.name.as_str(), bare.phone, bare.state),
            ("a@b.example", None, UserState::Active)
        );
        assert!(read(json!({"name": "Asha"})).unwrap_err().contains("role"));
        assert!(read(json!({"role": "WIZARD"})).unwrap_err().contains("WIZARD"));
    }
}
