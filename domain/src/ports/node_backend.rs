//! The database of the Node backend that this server replaces, and what an import leaves here.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{BoxFuture, NewPrompt, StoreError, UserImport};
use crate::ids::{EntityId, TenantId};

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// A table there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "&'static str")]
pub enum NodeTable {
    /// Candidate voice interviews; their turns lie in a table of their own.
    Interviews,
    /// Settings by name.
    SystemConfigs,
    /// The prompt library.
    Prompts,
    /// The recruiters' call configurations.
    CallConfigs,
    /// Users.
    Users,
    /// Batches of Aarya's calls.
    AaryaBatches,
    /// Miss Ozone's calls.
    MissOzoneCalls,
    /// What became of each lead's calls.
    LeadCallLogs,
}

impl NodeTable {
    /// Every table that an import looks at, in the order in which it does.
    pub const ALL: [Self; 8] = [
        Self::SystemConfigs,
        Self::Users,
        Self::CallConfigs,
        Self::Prompts,
        Self::Interviews,
        Self::AaryaBatches,
        Self::MissOzoneCalls,
        Self::LeadCallLogs,
    ];

    /// Returns its name there, with its schema where that is not the usual one.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interviews => "voice_interviews",
            Self::SystemConfigs => "system_configs",
            Self::Prompts => "ai_call_prompts",
            Self::CallConfigs => "hr_call_configs",
            Self::Users => "users",
            Self::AaryaBatches => "mas_crm.aarya_call_batches",
            Self::MissOzoneCalls => "miss_ozone_calls",
            Self::LeadCallLogs => "mas_crm.lead_call_logs",
        }
    }
}

impl From<NodeTable> for &'static str {
    fn from(table: NodeTable) -> Self {
        table.as_str()
    }
}

/// A row there, whatever columns it has.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeRow {
    /// Its key, as text.
    pub key: String,
    /// Its columns.
    pub columns: Map<String, Value>,
}

impl NodeRow {
    /// Returns a column by its name there or by the same name in snake case; none where it is null.
    pub fn column(&self, name: &str) -> Option<&Value> {
        let value = self.columns.get(name).or_else(|| self.columns.get(&snake_case(name)));
        value.filter(|value| !value.is_null())
    }

    /// Returns a column that holds an instant; one without a zone is read as UTC, which is how they are
    /// written there.
    pub fn instant(&self, name: &str) -> Option<DateTime<Utc>> {
        let text = self.column(name)?.as_str()?;
        DateTime::parse_from_rfc3339(text)
            .map(|at| at.to_utc())
            .or_else(|_| text.parse::<chrono::NaiveDateTime>().map(|at| at.and_utc()))
            .ok()
    }
}

fn snake_case(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 2);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// Reads the other database, and writes nothing there.
pub trait NodeBackend: Send + Sync {
    /// Counts the rows of a table; none where there is no such table.
    fn count(&self, table: NodeTable) -> Answer<'_, Option<u64>>;
    /// Returns the rows that follow the key `after`, in the order of their keys, at most `limit`.
    fn page(&self, table: NodeTable, after: Option<String>, limit: u32)
    -> Answer<'_, Vec<NodeRow>>;
    /// Returns the turns of these interviews, each row under the key of its interview.
    fn turns(&self, interviews: Vec<Uuid>) -> Answer<'_, Vec<NodeRow>>;
}

/// When an imported row began and last changed there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportedTimes {
    /// Which interview.
    pub id: EntityId,
    /// When it was first heard of.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// Writes here what no entity decides.
pub trait NodeImports: Send + Sync {
    /// Gives interviews the times that they had there: lists and figures are by those. The time of the last
    /// change only where nothing happened here since.
    fn backdate(&self, tenant: TenantId, times: Vec<ImportedTimes>) -> Answer<'_, ()>;
    /// Writes a prompt under the id that it had there, unless there is one; answers whether it did.
    fn put_prompt(
        &self,
        tenant: TenantId,
        id: Uuid,
        prompt: NewPrompt,
        at: DateTime<Utc>,
    ) -> Answer<'_, bool>;
    /// Writes a user who is not known here, and shuts out one who was deleted there since; answers whether it
    /// did either.
    fn put_user(&self, tenant: TenantId, user: UserImport, at: DateTime<Utc>) -> Answer<'_, bool>;
    /// Writes a setting unless it has a value here; answers whether it did.
    fn put_setting(
        &self,
        tenant: TenantId,
        key: String,
        value: Value,
        at: DateTime<Utc>,
    ) -> Answer<'_, bool>;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_found_by_either_name_and_instants_have_a_zone() {
        let Value::Object(columns) = json!({
            "callId": "c", "application_id": "a", "summary": null,
            "createdAt": "2026-01-02T03:04:05.678", "updatedAt": "2026-01-02T03:04:05+05:30",
            "endedAt": "yesterday",
        }) else {
            unreachable!()
        };
        let row = NodeRow { key: "k".to_owned(), columns };
        assert_eq!(row.column("callId"), Some(&json!("c")));
        assert_eq!(row.column("applicationId"), Some(&json!("a")));
        assert_eq!((row.column("summary"), row.column("cost")), (None, None));
        let at = |name| row.instant(name).map(|at| at.to_rfc3339());
        assert_eq!(at("createdAt").as_deref(), Some("2026-01-02T03:04:05.678+00:00"));
        assert_eq!(at("updatedAt").as_deref(), Some("2026-01-01T21:34:05+00:00"));
        assert_eq!(at("endedAt"), None);
    }
}
