//! Takes over what the Node backend knew, table by table. It may be repeated: what is known here stays.

mod calling;
mod interviews;
mod report;
mod users;

use std::sync::Arc;

use domain::interview::Interview;
use domain::ports::{
    CallConfigs, Clock, EvidenceReader, Journal, JournalError, NodeBackend, NodeImports, NodeRow,
    NodeTable, Repository, Store, StoreError,
};
use domain::{Provider, TenantId};
use serde_json::Value;

pub use report::{ImportSummary, Refusal, TableReport};

/// Rows that are read at once.
const PAGE_ROWS: u32 = 1_000;
/// The settings that this server has a use for.
const SETTINGS: [&str; 4] =
    ["CALL_PROVIDER", "ENABLED_CALL_PROVIDERS", "SCREENING_THRESHOLD", "SCREENING_WEIGHTS"];

/// Why an import ended early. What it had written stays, and a second run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The other database, or ours, does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal cannot commit.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A step could not be written down.
    #[error("a step could not be written down")]
    Encoding(#[from] serde_json::Error),
}

/// What an import stands on.
pub struct NodeImport {
    /// The other database.
    pub source: Arc<dyn NodeBackend>,
    /// Commits interviews.
    pub journal: Arc<dyn Journal>,
    /// Tells what is known here.
    pub store: Arc<dyn Store>,
    /// Writes what no entity decides.
    pub target: Arc<dyn NodeImports>,
    /// Writes the recruiters' configurations.
    pub configs: Arc<dyn CallConfigs>,
    /// Writes the rows of interviews.
    pub repository: Arc<dyn Repository<Interview>>,
    /// Reads a row as a report: the table has the names of the engine's object.
    pub evidence: Arc<dyn EvidenceReader>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Whose the data are here.
    pub tenant: TenantId,
}

impl NodeImport {
    /// Copies every table whose feature exists here, and counts the others.
    ///
    /// Nobody is told and nobody is rung: an interview that is taken over is silent, whatever it learns later.
    ///
    /// # Errors
    /// [`ImportError`] when a database does not answer.
    pub async fn run(&self) -> Result<ImportSummary, ImportError> {
        let mut summary = ImportSummary::default();
        for table in NodeTable::ALL {
            let Some(rows) = self.source.count(table).await? else {
                summary.add(TableReport::absent(table));
                continue;
            };
            summary.add(match table {
                NodeTable::Interviews
                | NodeTable::SystemConfigs
                | NodeTable::Prompts
                | NodeTable::Users
                | NodeTable::CallConfigs => self.copy(table, summary.room()).await?,
                NodeTable::AaryaBatches | NodeTable::MissOzoneCalls | NodeTable::LeadCallLogs => {
                    TableReport::not_copied(table, rows)
                }
            });
        }
        Ok(summary)
    }

    async fn copy(&self, table: NodeTable, room: usize) -> Result<TableReport, ImportError> {
        let mut report = TableReport::copied(table, room);
        let mut after = None;
        loop {
            let page = self.source.page(table, after, PAGE_ROWS).await?;
            let Some(last) = page.last() else { return Ok(report) };
            after = Some(last.key.clone());
            match table {
                NodeTable::SystemConfigs => self.settings(page, &mut report).await?,
                NodeTable::Prompts => self.prompts(page, &mut report).await?,
                NodeTable::CallConfigs => self.configs(page, &mut report).await?,
                NodeTable::Users => self.users(page, &mut report).await?,
                _ => self.interviews(page, &mut report).await?,
            }
        }
    }

    /// Copies the settings that are unset here.
    async fn settings(
        &self,
        rows: Vec<NodeRow>,
        report: &mut TableReport,
    ) -> Result<(), ImportError> {
        for row in rows {
            if !SETTINGS.contains(&row.key.as_str()) {
                report.left();
                continue;
            }
            let Some(value) = row.column("value").map(setting) else {
                report.unchanged();
                continue;
            };
            if let Err(why) = usable(&row.key, &value) {
                report.refused(row.key, why);
                continue;
            }
            let now = self.clock.now();
            if self.target.put_setting(self.tenant, row.key, value, now).await? {
                report.written();
            } else {
                report.unchanged();
            }
        }
        Ok(())
    }
}

/// Says what is wrong with a value from a closed set.
fn usable(key: &str, value: &Value) -> Result<(), String> {
    let provider = |value: &Value| match value.as_str() {
        Some(name) => Provider::parse(name).map(drop).map_err(|why| why.to_string()),
        None => Err("is no name of a provider".to_owned()),
    };
    match (key, value) {
        ("CALL_PROVIDER", value) => provider(value),
        ("ENABLED_CALL_PROVIDERS", Value::Array(names)) => names.iter().try_for_each(provider),
        ("ENABLED_CALL_PROVIDERS", _) => Err("is no list of providers".to_owned()),
        _ => Ok(()),
    }
}

/// There a value is a text that may hold JSON; here it is JSON.
fn setting(value: &Value) -> Value {
    match value {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| value.clone()),
        other => other.clone(),
    }
}
